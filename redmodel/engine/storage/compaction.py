"""Writing a new base for the log: the present data as the fewest commands.

May live here: the base file's making. When it replaces the old log is `rewriting`'s business.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from redmodel.engine.storage.checksums import header, sealed
from redmodel.engine.storage.files import FileSystem, write_all
from redmodel.engine.storage.folder import LogFolder
from redmodel.engine.storage.format import UnitEncoder
from redmodel.engine.storage.manifest import TEMPORARY, Part

_GROUP = 1 << 16  # bytes that one checksum line vouches for
_BUFFER = 1 << 20


class BaseWriter:
    """A base on its way to the disk, under a temporary name until `finish`.

    What an `OSError` leaves behind is deleted by `give_up`, or at the next opening.
    """

    def __init__(self, files: FileSystem, folder: LogFolder, part: Part, following: Part) -> None:
        self._files = files
        self._folder = folder
        self._part = part
        self._temporary = folder.path / (TEMPORARY + part.name)
        self._encoder = UnitEncoder()
        self._fd: int | None = folder.create(self._temporary)
        line, self._crc = header(part.name, os.urandom(8), following.sequence)
        self._size = 0
        self._group = bytearray()
        self._buffer = bytearray(line)

    def add(self, commands: Iterable[tuple[int, Sequence[bytes]]]) -> None:
        """Write some commands."""
        encode = self._encoder.encode
        group = self._group
        for command in commands:
            group += encode((command,))
            if len(group) >= _GROUP:
                self._seal()
                if len(self._buffer) >= _BUFFER:
                    self._write()

    def finish(self) -> Part:
        """Sync the file and give it its name; returns what the manifest has to say of it."""
        if self._group:
            self._seal()
        self._write()
        fd, self._fd = self._fd, None
        assert fd is not None
        try:
            self._files.fsync(fd)
        finally:
            self._files.close(fd)
        path = self._folder.path_of(self._part)
        if self._files.exists(path):
            self._files.remove(path)
        self._files.rename(self._temporary, path)
        self._files.fsync_directory(self._folder.path)  # before any manifest names it
        return Part(self._part.name, self._part.sequence, (self._size, self._crc))

    def give_up(self) -> None:
        """Close and delete the file, as far as that is possible."""
        fd, self._fd = self._fd, None
        try:
            if fd is not None:
                self._files.close(fd)
                self._files.remove(self._temporary)
        except OSError:
            pass  # deleted at the next opening

    def _seal(self) -> None:
        data, self._crc = sealed(bytes(self._group), self._crc)
        self._group.clear()
        self._buffer += data

    def _write(self) -> None:
        assert self._fd is not None
        write_all(self._files, self._fd, self._buffer)
        self._size += len(self._buffer)
        self._buffer = bytearray()


def write_base(
    files: FileSystem,
    folder: LogFolder,
    part: Part,
    following: Part,
    commands: Iterable[tuple[int, Sequence[bytes]]],
) -> Part:
    """Write a base of ``commands``, before ``following``, and sync it; returns what the manifest has to say of it.

    Raises:
        OSError: a step failed; what is left behind is deleted at the next opening.
    """
    base = BaseWriter(files, folder, part, following)
    try:
        base.add(commands)
        return base.finish()
    except BaseException:
        base.give_up()
        raise
