"""A log whose owner lets other processes ask for its data, or which is only read.

May live here: what the lock file says for others, the log at one moment for a backup, and reading a log that nobody
owns without changing a byte. Who asks whom, and over what, is not the storage's business.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from redmodel.engine.keyspace import Keyspace
from redmodel.engine.storage.files import FileSystem, size_of
from redmodel.engine.storage.lock import LOCK_NAME, Owner, read_owner
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.manifest import Manifest
from redmodel.engine.storage.seam import Policy
from redmodel.errors import StorageError

_OPENING = "opening"
_ALONE = "alone"
_SOCKET = "socket "

READ_ONLY = "the store was opened with mode=ro, which never writes: open it without"


class Sharing(NamedTuple):
    """What the owner of a directory tells others: who it is, whether they may come, and where, once it is ready."""

    owner: Owner
    alone: bool
    socket: Path | None


def sharing_of(directory: Path) -> Sharing:
    """Read what the lock file of a directory says."""
    owner = read_owner(FileSystem(), directory / LOCK_NAME)
    last = owner.lines[-1] if owner.lines else ""
    socket = directory / os.fsdecode(unquote(last.removeprefix(_SOCKET)).encode("utf-8", "surrogateescape"))
    return Sharing(
        owner,
        alone=last == _ALONE or (owner.pid is not None and not owner.lines),
        socket=socket if last.startswith(_SOCKET) else None,
    )


class Moment(NamedTuple):
    """The files of a log between two units: the manifest that lists them, and how long each of them is."""

    manifest: Manifest
    sizes: dict[str, int]


class SharedLog(AppendOnlyLog):
    """A log whose lock file says whether and where others may ask for the data."""

    def __init__(
        self, directory: str | PathLike[str], *, fsync: Policy = "everysec", files: FileSystem | None = None
    ) -> None:
        """As `AppendOnlyLog`; others are told to wait until `announce`."""
        super().__init__(directory, fsync=fsync, files=files)
        self._say(_OPENING)

    def announce(self, socket: Path | None) -> None:
        """Tell others where they reach this process: a socket in the directory or elsewhere; None: not at all."""
        if socket is None:
            self._say(_ALONE)
            return
        place = socket.relative_to(self.directory) if socket.is_relative_to(self.directory) else socket
        self._say(_SOCKET + quote(os.fsencode(place)))

    def moment(self) -> Moment:
        """The log as it is now, all of it on the disk; nothing may be appended while this runs.

        Raises:
            StorageError: the log is closed, or can't be synced.
        """
        with self._append_lock:  # a rewrite in the background may want to change the files
            writer = self._writer
            if writer is None:
                raise self._not_open()
            self.sync()
            folder = self._folder
            floors = {**folder.floors, writer.path.name: (writer.size, self._crc)}
            while True:
                manifest = folder.manifest  # a rewrite that ends now puts another one in its place
                try:
                    sizes = {part.name: size_of(self._files, folder.path_of(part)) for part in manifest.parts}
                except OSError as error:
                    if folder.manifest is manifest:
                        raise StorageError(
                            f"can't read the log in {folder.path}: {error.strerror}", path=str(folder.path)
                        ) from error
                    continue
                parts = tuple(replace(part, floor=floors.get(part.name, part.floor)) for part in manifest.increments)
                return Moment(Manifest(manifest.base, parts), sizes)

    def recover(self, databases: Iterable[Keyspace]) -> None:
        """As `AppendOnlyLog.recover`; a lock file that had to be made anew says again where others come in."""
        before = self._lock
        super().recover(databases)
        if self._lock is not before:
            self._say(self._said)

    def _say(self, line: str) -> None:
        self._said = line
        try:
            self._lock.say(line)
        except OSError as error:
            self.close()
            raise StorageError(
                f"can't write the lock file {self._lock.path}: {error.strerror}", path=str(self._lock.path)
            ) from error


class _ReadOnlyFiles(FileSystem):
    """The disk, of which nothing is changed. A torn end counts as cut off, and stays where it is."""

    def make_directory(self, path: Path) -> None:
        if not path.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    def open_append(self, path: Path) -> int:
        return self.open_read(path)

    def open_lock(self, path: Path) -> int:
        try:
            return self.open_read(path)
        except FileNotFoundError:  # a copy, or redis-server wrote it
            return os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)

    def truncate(self, fd: int, size: int) -> None:
        pass

    def fsync(self, fd: int) -> None:
        pass

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return len(data)  # the name in the lock file; nothing else is ever written

    def create(self, path: Path) -> int:
        raise _read_only(path)

    def rename(self, source: Path, target: Path) -> None:
        raise _read_only(target)

    def remove(self, path: Path) -> None:
        raise _read_only(path)

    def lock(self, fd: int) -> None:
        """Shared with other readers; a writer, and whoever comes while one is there, is refused."""
        if sys.platform == "win32":
            super().lock(fd)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _read_only(path: Path) -> OSError:
    return OSError(errno.EROFS, "the store is opened for reading only, and must be opened for writing once", str(path))


class ReadOnlyLog(AppendOnlyLog):
    """A log that is read and not changed: a torn end is left alone, nothing is compacted, nothing can be appended.

    The lock is shared, and held only until the log is read: what is in memory then is the log of that moment.
    """

    def __init__(self, directory: str | PathLike[str]) -> None:
        """Lock the directory against writers, and find the log in it.

        Args:
            directory: where the store lives; it must be there.
        Raises:
            StoreLocked: somebody has it open for writing.
            StoreDamaged: the manifest is damaged or names files that are missing.
            StorageError: a step failed.
        """
        super().__init__(directory, files=_ReadOnlyFiles())

    def append(self, unit: Sequence[tuple[int, Sequence[bytes]]]) -> int:
        """Refuse the unit."""
        raise StorageError(READ_ONLY, path=str(self.directory))

    def rewrite(self) -> bool:
        """Do nothing."""
        return False

    def _start_writing(self) -> None:
        self._lock.forget()
