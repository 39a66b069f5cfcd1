"""A disk that fails where a test says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redmodel.engine.storage.files import FileSystem

STEPS = [name for name in vars(FileSystem) if not name.startswith("_")]


class FailingFileSystem(FileSystem):
    """Fails the ``at``-th step (from 1), once or for ever from there on, with ``errno``.

    A failing write first writes half of its data when ``short`` says so.
    """

    def __init__(
        self, at: int, errno: int, *, for_ever: bool = False, short: bool = False, disk: FileSystem | None = None
    ) -> None:
        self.count = 0
        self.failed: list[str] = []
        self._at = at
        self._errno = errno
        self._for_ever = for_ever
        self._short = short
        for name in STEPS:
            setattr(self, name, self._counting(name, getattr(disk or super(), name)))

    def _counting(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.count += 1
            if self.count == self._at or (self._for_ever and self.count > self._at):
                if name == "write" and self._short:
                    fd, data = args
                    half = bytes(data)[: len(data) // 2]
                    if half:
                        step(fd, half)
                if name == "close":
                    step(*args)  # Linux closes it even so
                if name in ("exists", "stands"):
                    return step(*args)  # answers, and never raises
                self.failed.append(name)
                raise OSError(self._errno, os.strerror(self._errno))
            return step(*args)

        return call


class ShortWrites(FileSystem):
    """Writes at most three bytes at once."""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return super().write(fd, data[:3])


def incr(directory: Path, sequence: int = 1) -> Path:
    """The path of an increment of the log in ``directory``."""
    return directory / "appendonlydir" / f"appendonly.aof.{sequence}.incr.aof"
