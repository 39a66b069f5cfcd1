"""Writing a new base for the log: the present data as the fewest commands.

May live here: the base file's making. When it replaces the old log is `AppendOnlyLog`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from redmodel.engine.storage.files import FileSystem, write_all
from redmodel.engine.storage.folder import LogFolder
from redmodel.engine.storage.format import UnitEncoder
from redmodel.engine.storage.manifest import TEMPORARY

_BUFFER = 1 << 20


def write_base(
    files: FileSystem, folder: LogFolder, path: Path, commands: Iterable[tuple[int, Sequence[bytes]]]
) -> int:
    """Write ``commands`` to a temporary file, sync it, and give it its name; returns its size.

    Raises:
        OSError: a step failed; what is left behind is deleted at the next opening.
    """
    temporary = folder.path / (TEMPORARY + path.name)
    encoder = UnitEncoder()
    size = 0
    fd = folder.create(temporary)
    try:
        buffer = bytearray()
        for command in commands:
            buffer += encoder.encode((command,))
            if len(buffer) >= _BUFFER:
                write_all(files, fd, buffer)
                size += len(buffer)
                buffer = bytearray()
        write_all(files, fd, buffer)
        size += len(buffer)
        files.fsync(fd)
    finally:
        files.close(fd)
    if files.exists(path):
        files.remove(path)
    files.rename(temporary, path)
    return size
