"""A storage in memory and a clock to turn, for tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redmodel.engine.engine import Engine
from redmodel.engine.replies import Reply
from redmodel.engine.session import Session
from redmodel.engine.storage.seam import Effect
from redmodel.errors import StorageError


class Clock:
    """Unix milliseconds that stand still until they are moved."""

    def __init__(self, now: int = 1_000_000) -> None:
        self.now = now
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.now


class MemoryStorage:
    """Keeps units in a list; ``broken`` makes the next append fail."""

    def __init__(self, log: Sequence[tuple[bytes, ...]] = ()) -> None:
        self.log = list(log)
        self.units: list[list[tuple[int, tuple[bytes, ...]]]] = []
        self.broken = ""
        self.closed = 0

    def replay(self) -> Iterator[tuple[bytes, ...]]:
        yield from self.log

    def append(self, unit: Sequence[Effect]) -> None:
        if self.broken:
            raise StorageError(self.broken)
        self.units.append([(db, tuple(args)) for db, args in unit])

    def close(self) -> None:
        self.closed += 1

    def taken(self) -> list[list[tuple[int, tuple[bytes, ...]]]]:
        """The units since the last call."""
        units, self.units = self.units, []
        return units


class Shell:
    """One session of an engine that takes a command as one line of text."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.session = Session()

    def __call__(self, line: str) -> Reply:
        return self.engine.execute(self.session, line.encode().split())
