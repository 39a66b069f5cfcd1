"""A disk in memory whose power can be cut: what was not synced is lost, torn, or there, sector by sector."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

from redmodel.engine.storage.files import FileSystem

SECTOR = 512


class PowerCut(BaseException):
    """The machine is off: nothing of the program goes on."""


class Inode:
    """A file: what programs read, and what is on the platter for sure."""

    def __init__(self, content: bytes = b"", *, directory: bool = False) -> None:
        self.now = bytearray(content)
        self.durable = bytes(content)
        self.directory = directory

    def after_cut(self, rng: random.Random) -> bytes:
        """What a reader finds after the power came back."""
        now, durable = bytes(self.now), self.durable
        if now == durable:
            return now
        size = rng.choice((len(durable), len(now), rng.randint(*sorted((len(durable), len(now))))))
        found = bytearray(durable[:size].ljust(size, b"\0"))
        share = rng.choice((0.0, 0.3, 0.7, 1.0))
        first = next((at for at, (a, b) in enumerate(zip(now, durable, strict=False)) if a != b), len(durable))
        for at in range(first // SECTOR * SECTOR, min(size, len(now)), SECTOR):
            if rng.random() < share:
                piece = now[at : min(at + SECTOR, size)]
                if rng.random() < 0.1:  # torn: the head passed over half of it
                    piece = piece[: rng.randrange(SECTOR)]
                found[at : at + len(piece)] = piece
        return bytes(found)


class SimulatedDisk(FileSystem):
    """Files by path; ``cut_at`` is the step, from 1, at which the power goes.

    A new or renamed file is only sure to be found under its name once its directory is synced: until then each name may
    lead to the old file, or the new one, or nothing.
    """

    def __init__(self, cut_at: int = 0) -> None:
        self.steps = 0
        self.cut_at = cut_at
        self.names: dict[Path, Inode] = {}
        self.durable_names: dict[Path, Inode] = {}
        self._open: dict[int, tuple[Inode, list[int]]] = {}
        self._next_fd = 1000

    def copy(self) -> SimulatedDisk:
        """Another disk that holds the same, all of it synced."""
        disk = SimulatedDisk()
        disk.names = {path: Inode(bytes(node.now), directory=node.directory) for path, node in self.names.items()}
        disk.durable_names = dict(disk.names)
        return disk

    def _step(self) -> None:
        self.steps += 1
        if self.cut_at and self.steps >= self.cut_at:
            raise PowerCut

    def after_cut(self, rng: random.Random) -> SimulatedDisk:
        """The disk as it is found when the power is back."""
        disk = SimulatedDisk()
        found: dict[int, Inode] = {}
        for path in sorted({*self.names, *self.durable_names}):
            inode = rng.choice((self.names.get(path), self.durable_names.get(path)))
            if inode is None or (path.parent != path and path.parent not in disk.names):
                continue
            if id(inode) not in found:
                found[id(inode)] = Inode(inode.after_cut(rng), directory=inode.directory)
            disk.names[path] = found[id(inode)]
        disk.durable_names = dict(disk.names)
        return disk

    def make_directory(self, path: Path) -> None:
        self._step()
        for directory in [*reversed(path.parents), path]:
            self.names.setdefault(directory, Inode(directory=True))
            if directory != path:
                self.durable_names.setdefault(directory, self.names[directory])

    def list_directory(self, path: Path) -> list[str]:
        self._step()
        return sorted(name.name for name in self.names if name.parent == path and name != path)

    def exists(self, path: Path) -> bool:
        self._step()
        return path in self.names

    def open_read(self, path: Path) -> int:
        self._step()
        inode = self.names.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self._next_fd += 1
        self._open[self._next_fd] = (inode, [0])
        return self._next_fd

    def open_append(self, path: Path) -> int:
        return self.open_read(path)

    def create(self, path: Path) -> int:
        if path in self.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        if path.parent not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self._step()
        self.names[path] = Inode()
        return self.open_read(path)

    def open_lock(self, path: Path) -> int:
        self.names.setdefault(path, Inode())
        return self.open_read(path)

    def size(self, fd: int) -> int:
        self._step()
        return len(self._open[fd][0].now)

    def read(self, fd: int, size: int) -> bytes:
        self._step()
        inode, place = self._open[fd]
        data = bytes(inode.now[place[0] : place[0] + size])
        place[0] += len(data)
        return data

    def write(self, fd: int, data: bytes | memoryview) -> int:
        inode = self._open[fd][0]
        try:
            self._step()
        except PowerCut:
            inode.now += bytes(data)[: self.steps % (len(data) + 1)]
            raise
        inode.now += data
        return len(data)

    def fsync(self, fd: int) -> None:
        self._step()
        inode = self._open[fd][0]
        inode.durable = bytes(inode.now)

    def fsync_directory(self, path: Path) -> None:
        self._step()
        for name in [name for name in {*self.names, *self.durable_names} if name.parent == path]:
            if name in self.names:
                self.durable_names[name] = self.names[name]
            else:
                del self.durable_names[name]

    def stands(self, fd: int, path: Path) -> bool:
        self._step()
        return self.names.get(path) is self._open[fd][0]

    def truncate(self, fd: int, size: int) -> None:
        self._step()
        del self._open[fd][0].now[size:]

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        self.names[target] = self.names.pop(source)

    def remove(self, path: Path) -> None:
        self._step()
        del self.names[path]

    def close(self, fd: int) -> None:
        self._step()
        del self._open[fd]

    def lock(self, fd: int) -> None:
        self._step()
