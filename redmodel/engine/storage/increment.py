"""A new increment of the log: an open file with its first line in it, which no manifest names yet."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from redmodel.engine.storage.checksums import header
from redmodel.engine.storage.files import FileSystem, write_all
from redmodel.engine.storage.folder import LogFolder
from redmodel.engine.storage.manifest import Part


class Increment(NamedTuple):
    """A file open for appending: its handle, its size, and what its chain of checksums is there."""

    files: FileSystem
    part: Part
    fd: int
    size: int
    crc: int
    path: Path

    def discard(self) -> None:
        """Close it unused; the file stays, as the manifest may name it."""
        with suppress(OSError):
            self.files.close(self.fd)


def make_increment(files: FileSystem, folder: LogFolder, part: Part) -> Increment:
    """Make the file of an increment, on the disk with its name.

    Raises:
        OSError: a step failed.
    """
    path = folder.path_of(part)
    line, crc = header(part.name, os.urandom(8))
    fd = folder.create(path)
    try:
        write_all(files, fd, line)
        files.fsync(fd)
        files.fsync_directory(folder.path)
    except BaseException:
        with suppress(OSError):
            files.close(fd)
        raise
    return Increment(files, part, fd, len(line), crc, path)
