"""RDB files and payloads of DUMP, read and written: the way to a real server and back.

May live here: the format, and what a file as a whole means. Not the log, which may begin with such a file, and not the
commands SAVE, DUMP and RESTORE.
"""

from __future__ import annotations

from redmodel.engine.storage.rdb.library import load_into, read, save_from
from redmodel.engine.storage.rdb.reading import Entry, Report

__all__ = ["Entry", "Report", "load_into", "read", "save_from"]
