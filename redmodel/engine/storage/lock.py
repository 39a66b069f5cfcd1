"""The lock on a store's directory: who holds it, and the refusal that names them.

May live here: taking, reading and giving back the lock file. Not what is done under it.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from redmodel.engine.storage.files import FileSystem, write_all
from redmodel.errors import StorageError, StoreLocked

LOCK_NAME = "redmodel.lock"
_LINE_LIMIT = 1024
_WAIT_FOR_NAME = 0.05  # a holder needs a moment between taking the lock and writing its name


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
                f"can't open the lock file {self.path}: {error.strerror}", path=str(self.path)
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
            _close_quietly(self._files, fd)

    def forget(self) -> None:
        """Close the handle that a forked child inherited; the parent keeps the lock."""
        fd, self._fd = self._fd, None
        if fd is not None:
            _close_quietly(self._files, fd)

    def _refusal(self) -> StoreLocked:
        deadline = time.monotonic() + _WAIT_FOR_NAME
        pid, host = _read_holder(self._files, self.path)
        while pid is None and time.monotonic() < deadline:
            time.sleep(0.005)
            pid, host = _read_holder(self._files, self.path)
        who = f"process {pid} on {host}" if pid is not None else "another process"
        if pid == os.getpid() and host == socket.gethostname():
            who = f"this process ({pid})"
        return StoreLocked(
            f"{self.path.parent} is open in {who}; close it there, or open another directory",
            path=str(self.path),
            pid=pid,
            host=host,
        )


def _read_holder(files: FileSystem, path: Path) -> tuple[int | None, str]:
    """The pid and host that the lock file names, as far as they can be read."""
    try:
        fd = files.open_read(path)
        try:
            line = files.read(fd, _LINE_LIMIT)
        finally:
            files.close(fd)
    except OSError:
        return None, ""
    if not line.endswith(b"\n"):
        return None, ""
    pid, _, host = line.decode("utf-8", "replace").strip().partition(" ")
    if not pid.isascii() or not pid.isdigit() or len(pid) > 20:
        return None, ""
    return int(pid), host


def _close_quietly(files: FileSystem, fd: int) -> None:
    with suppress(OSError):
        files.close(fd)
