"""What keeps the engine's data over a restart; ``seam`` says what the engine asks of it.

Here live the lock on a directory, the append-only log in the files of redis-server 7, and its rewriting.
"""

from __future__ import annotations

from os import PathLike

from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.seam import Policy

__all__ = ["AppendOnlyLog", "Policy", "open_storage"]


def open_storage(directory: str | PathLike[str], *, appendfsync: Policy = "everysec") -> AppendOnlyLog:
    """Lock a directory and open the log in it, for ``Engine(storage=…)``.

    Args:
        directory: where the store lives; made when it is missing.
        appendfsync: when an acknowledged write is on the disk: ``always``, ``everysec`` or ``no``.
    Raises:
        StoreLocked: another process, or another engine of this one, has it open.
        StoreDamaged: the manifest is damaged, or names files that are missing.
        StorageError: a step on the disk failed.
    """
    return AppendOnlyLog(directory, fsync=appendfsync)
