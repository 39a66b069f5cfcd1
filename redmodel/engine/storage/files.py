"""The seam to the disk: every touch of a file by the storage goes through one `FileSystem`.

May live here: thin wrappers over system calls, and nothing that decides. A test replaces the whole object to fail the
n-th call, write short, or fill the disk; so each method is one step that can fail by itself.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700

_PIECE = 1 << 20

# O_NONBLOCK: opening a FIFO must not wait for its other end.
_OPEN = sum(getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))


class FileSystem:
    """The real disk, one method per step; every method raises `OSError` when the step fails.

    Handles are file descriptors. A symlink, FIFO, device or directory in the place of a file is refused with `OSError`.
    """

    def make_directory(self, path: Path) -> None:
        """Make the directory, and those above it, unless it is there."""
        path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)

    def list_directory(self, path: Path) -> list[str]:
        """The names in a directory, sorted."""
        return sorted(entry.name for entry in path.iterdir())

    def exists(self, path: Path) -> bool:
        """Whether anything stands at the path, a dangling symlink included."""
        return os.path.lexists(path)

    def open_read(self, path: Path) -> int:
        """Open a regular file for reading."""
        return _regular(os.open(path, os.O_RDONLY | _OPEN), path)

    def open_append(self, path: Path) -> int:
        """Open a regular file that exists, for appending."""
        return _regular(os.open(path, os.O_RDWR | os.O_APPEND | _OPEN), path)

    def create(self, path: Path) -> int:
        """Make a new empty file, mode 0600, for appending; an existing one is an error."""
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | _OPEN, FILE_MODE)

    def open_lock(self, path: Path) -> int:
        """Open the lock file, making it when it is missing."""
        return _regular(os.open(path, os.O_RDWR | os.O_CREAT | _OPEN, FILE_MODE), path)

    def size(self, fd: int) -> int:
        """The file's size in bytes."""
        return os.fstat(fd).st_size

    def read(self, fd: int, size: int) -> bytes:
        """Up to ``size`` bytes from where the last read ended; empty at the end."""
        return os.read(fd, size)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write at the end of the file; returns how much was written, which may be less."""
        return os.write(fd, data)

    def fsync(self, fd: int) -> None:
        """Wait until the file's data is on the disk itself."""
        if sys.platform == "darwin":
            # There fsync only reaches the drive's cache.
            import fcntl

            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        elif sys.platform == "win32":
            os.fsync(fd)
        else:
            os.fdatasync(fd)

    def fsync_directory(self, path: Path) -> None:
        """Wait until the directory's names are on the disk itself."""
        if sys.platform == "win32":
            return
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def stands(self, fd: int, path: Path) -> bool:
        """Whether the open file still stands at its path, and what is synced there can be found again."""
        try:
            return sys.platform == "win32" or os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False))
        except FileNotFoundError:
            return False

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        os.ftruncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        """Put ``source`` in the place of ``target``, in one step."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Delete a file."""
        path.unlink()

    def close(self, fd: int) -> None:
        """Close a handle."""
        os.close(fd)

    def lock(self, fd: int) -> None:
        """Take the file's lock for this open handle, or raise `BlockingIOError` at once.

        The lock goes with the handle: it is free as soon as the process ends, however it ends.
        """
        if sys.platform == "win32":
            import msvcrt

            # One byte far behind the text, so that others can still read who holds the lock.
            os.lseek(fd, 1 << 30, os.SEEK_SET)
            try:
                msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                raise BlockingIOError(errno.EWOULDBLOCK, "locked") from error
            finally:
                os.lseek(fd, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(self, fd: int) -> None:
        """Give the lock back at once, also where a forked child still holds a copy of the handle."""
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_UN)


def write_all(files: FileSystem, fd: int, data: bytes | bytearray, done: int = 0) -> None:
    """Write what of ``data`` is not ``done``, in as many writes as it takes; raises `OSError` when one fails."""
    with memoryview(data) as view:
        while done < len(view):
            written = files.write(fd, view[done:])
            if written <= 0:
                raise OSError(errno.EIO, "nothing was written")
            done += written


def write_file(files: FileSystem, path: Path, pieces: Iterable[bytes]) -> int:
    """Make a new file of these pieces, and wait until it is on the disk; returns its size. Raises `OSError`."""
    size = 0
    fd = files.create(path)
    try:
        for piece in pieces:
            write_all(files, fd, piece)
            size += len(piece)
        files.fsync(fd)
    finally:
        files.close(fd)
    return size


@contextmanager
def reading(files: FileSystem, path: Path) -> Generator[int]:
    """A file that is open for reading meanwhile; raises `OSError`."""
    fd = files.open_read(path)
    try:
        yield fd
    finally:
        files.close(fd)


def pieces_of(files: FileSystem, fd: int, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
    """What stands in an open file that was not read yet, from ``begin`` to ``end`` or to its own; raises `OSError`."""
    at = 0
    while end is None or at < end:
        data = files.read(fd, _PIECE if end is None else min(_PIECE, end - at))
        if not data:
            if end is not None:
                raise OSError(errno.EIO, "a file is shorter than it was")
            return
        if at + len(data) > begin:
            yield data[max(begin - at, 0) :]
        at += len(data)


def size_of(files: FileSystem, path: Path) -> int:
    """The size in bytes of the file at a path; raises `OSError`."""
    with reading(files, path) as fd:
        return files.size(fd)


def _regular(fd: int, path: Path) -> int:
    """The descriptor itself when it is a plain file; otherwise it is closed and `OSError` raised."""
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    except BaseException:
        os.close(fd)
        raise
    return fd
