"""What ``find(..., scan=True)`` gives, in both colours: every record is looked at, and tests in Python decide."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, Generic, Self, TypeVar

from redmodel.database.driver import AsyncExecutor, Executor, run, run_async
from redmodel.errors import QueryError
from redmodel.plan.scanning import Scanned, Scanning
from redmodel.plan.stream import BATCH

R = TypeVar("R")


class _Scan(Generic[R]):
    __slots__ = ("_executor", "_scanning")

    def __init__(self, executor: Any, scanning: Scanning[R]) -> None:
        self._executor = executor
        self._scanning = scanning

    def limit(self, limit: int) -> Self:
        """Give at most ``limit`` records; without an order the scan ends there."""
        if type(limit) is not int or limit < 0:
            raise QueryError(f"limit must be a whole number of at least 0, not {limit!r}")
        return type(self)(self._executor, self._scanning.with_(limit=limit))

    def order_by(self, key: Callable[[R], Any], *, reverse: bool = False) -> Self:
        """Order by what ``key`` gives; all is looked at first, and with a limit no more than that is kept."""
        return type(self)(self._executor, self._scanning.with_(key=key, reverse=reverse))


class Scan(_Scan[R]):
    """A walk through all records that the indexed conditions leave, a thousand each round trip, in bounded memory.

    >>> from redmodel import Database, Model
    >>> class Stone(Model, prefix="scan-stones"):
    ...     weight: float
    >>> with Database("memory://") as db:
    ...     _ = db.save_many(Stone(weight=w) for w in (1.0, 7.5, 2.5))
    ...     db.find(Stone, lambda stone: stone.weight > 2, scan=True).count()
    2
    """

    __slots__ = ()
    _executor: Executor

    def __iter__(self) -> Iterator[R]:
        return self.stream()

    def stream(self, batch: int = BATCH) -> Iterator[R]:
        """Give the records as they are found, ``batch`` looked at in each round trip."""
        scanned = Scanned(self._scanning, batch)
        return _found(scanned, self._executor)

    def all(self) -> list[R]:
        """Return all of them in a list."""
        return list(self)

    def first(self) -> R | None:
        """Return the first that is found, or None; with an order the first of it."""
        return next(iter(self.limit(1)), None)

    def count(self) -> int:
        """Count them."""
        return sum(1 for _ in self)


def _found(scanned: Scanned[R], executor: Executor) -> Iterator[R]:
    while not scanned.over:
        yield from run(scanned.step(), executor)
    yield from scanned.last()


class AsyncScan(_Scan[R]):
    """The same for an `AsyncDatabase`: ``async for`` over it, await it for a list, or await a terminal."""

    __slots__ = ()
    _executor: AsyncExecutor

    def __aiter__(self) -> AsyncIterator[R]:
        return self.stream()

    def __await__(self) -> Generator[Any, None, list[R]]:
        return self.all().__await__()

    def stream(self, batch: int = BATCH) -> AsyncIterator[R]:
        """Give the records as they are found, ``batch`` looked at in each round trip."""
        scanned = Scanned(self._scanning, batch)
        return _found_async(scanned, self._executor)

    async def all(self) -> list[R]:
        """Return all of them in a list."""
        return [record async for record in self]

    async def first(self) -> R | None:
        """Return the first that is found, or None; with an order the first of it."""
        async for record in self.limit(1):
            return record
        return None

    async def count(self) -> int:
        """Count them."""
        count = 0
        async for _ in self:
            count += 1
        return count


async def _found_async(scanned: Scanned[R], executor: AsyncExecutor) -> AsyncIterator[R]:
    while not scanned.over:
        for record in await run_async(scanned.step(), executor):
            yield record
    for record in scanned.last():
        yield record
