"""The lock on a store's directory: who holds it, what they say about themselves, and the refusal that names them.

May live here: taking, reading and giving back the lock file. Not what is done under it. The file is text: the first
line says ``pid host``, later ones, which the holder adds, whether and where others may ask for the data.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from redmodel.engine.storage.files import FileSystem, reading, write_all
from redmodel.errors import StorageError, StoreLocked

LOCK_NAME = "redmodel.lock"
_LIMIT = 4096
_WAIT_FOR_NAME = 0.05  # a holder needs a moment between taking the lock and writing its name


class Owner(NamedTuple):
    """What a lock file says: who holds the lock, as far as it can be read, and the lines that they added."""

    pid: int | None
    host: str
    lines: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        """Whether the owner runs on this machine, or nobody is named."""
        return not self.host or self.host == socket.gethostname()

    @property
    def is_this_process(self) -> bool:
        """Whether it is another handle of this process."""
        return self.pid == os.getpid() and self.is_here


class DirectoryLock:
    """The right to write in a directory, held by one open handle in one process.

    The file stays behind when the lock is given back: deleting it would let two openers hold two different files.
    """

    def __init__(self, directory: Path, files: FileSystem) -> None:
        """Take the lock, or raise.

        Raises:
            StoreLocked: another process, or another handle of this one, holds it; ``pid`` and ``host`` say who.
            StorageError: the lock file can't be made or locked.
        """
        self.path = directory / LOCK_NAME
        self._files = files
        self._fd: int | None = None
        try:
            fd = files.open_lock(self.path)
        except OSError as error:
            raise StorageError(
                f"can't open the lock file {self.path}: {error.strerror}; a store that can't be written to is opened "
                f"with ?mode=ro",
                path=str(self.path),
            ) from error
        try:
            files.lock(fd)
        except BlockingIOError as error:
            _close_quietly(files, fd)
            raise self._refusal() from error
        except OSError as error:
            _close_quietly(files, fd)
            raise StorageError(
                f"can't lock {self.path}: {error.strerror}; the file system may not support locks", path=str(self.path)
            ) from error
        try:
            files.truncate(fd, 0)
            write_all(files, fd, f"{os.getpid()} {socket.gethostname()}\n".encode())
        except OSError as error:
            _close_quietly(files, fd)
            raise StorageError(
                f"can't write the lock file {self.path}: {error.strerror}", path=str(self.path)
            ) from error
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; harmless when it is given back already."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with suppress(OSError):
                self._files.truncate(fd, 0)
            with suppress(OSError):
                self._files.unlock(fd)
            _close_quietly(self._files, fd)

    @property
    def stands(self) -> bool:
        """Whether the lock file is where it was made, so that others meet it there."""
        return self._fd is not None and self._files.stands(self._fd, self.path)

    def say(self, line: str) -> None:
        """Add a line to the lock file, for those who find the lock taken; raises `OSError`."""
        if self._fd is not None:
            write_all(self._files, self._fd, f"{line}\n".encode())

    def forget(self) -> None:
        """Close the handle that a forked child inherited; the parent keeps the lock."""
        fd, self._fd = self._fd, None
        if fd is not None:
            _close_quietly(self._files, fd)

    def _refusal(self) -> StoreLocked:
        deadline = time.monotonic() + _WAIT_FOR_NAME
        owner = read_owner(self._files, self.path)
        while owner.pid is None and time.monotonic() < deadline:
            time.sleep(0.005)
            owner = read_owner(self._files, self.path)
        return refusal(self.path.parent, owner, "close it there, or open another directory")


def refusal(directory: Path, owner: Owner, remedy: str) -> StoreLocked:
    """The error for a directory that somebody else has open."""
    who = f"process {owner.pid} on {owner.host}" if owner.pid is not None else "another process"
    if owner.is_this_process:
        who = f"this process ({owner.pid})"
    return StoreLocked(
        f"{directory} is open in {who}; {remedy}", path=str(directory / LOCK_NAME), pid=owner.pid, host=owner.host
    )


def read_owner(files: FileSystem, path: Path) -> Owner:
    """What the lock file at this path says. A line that is not whole is not counted."""
    try:
        with reading(files, path) as fd:
            text = files.read(fd, _LIMIT)
    except OSError:
        return Owner(None, "", ())
    first, *others = text.decode("utf-8", "replace").split("\n")
    pid, _, host = first.strip().partition(" ")
    if not others or not pid.isascii() or not pid.isdigit() or len(pid) > 20:
        return Owner(None, "", ())
    return Owner(int(pid), host, tuple(others[:-1]))


def _close_quietly(files: FileSystem, fd: int) -> None:
    with suppress(OSError):
        files.close(fd)
