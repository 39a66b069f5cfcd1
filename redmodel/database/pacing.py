"""Running a long plan at a bounded rate, blocking or awaiting: pauses between its batches. What it does is its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol, TypeVar

from redmodel.database.driver import AsyncExecutor, Executor, run, run_async
from redmodel.plan.core import Batch, Plan, Reply

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Work(Protocol[R_co]):
    """A long plan that says how much it has done, and how much it may do in a second (None: as much as it can)."""

    @property
    def rate(self) -> float | None: ...

    @property
    def done(self) -> int: ...

    def plan(self) -> Plan[R_co]: ...


class _Pace:
    """How long to pause, so that what was done since the beginning keeps to the rate."""

    def __init__(self, work: Work[object]) -> None:
        self._work = work
        self._began = time.monotonic()

    def pause(self) -> float:
        rate = self._work.rate
        if rate is None:
            return 0.0
        return max(0.0, self._work.done / rate - (time.monotonic() - self._began))


class _PacedExecutor:
    def __init__(self, executor: Executor, work: Work[object]) -> None:
        self._executor = executor
        self._pace = _Pace(work)
        self.keyspace: object = getattr(executor, "keyspace", None)

    def execute(self, batch: Batch) -> Sequence[Reply]:
        if pause := self._pace.pause():
            time.sleep(pause)
        return self._executor.execute(batch)

    def close(self) -> None:
        """It has nothing of its own."""


class _AsyncPacedExecutor:
    def __init__(self, executor: AsyncExecutor, work: Work[object]) -> None:
        import asyncio  # a program without asyncio does not load it

        self._executor = executor
        self._pace = _Pace(work)
        self.keyspace: object = getattr(executor, "keyspace", None)
        self._sleep = asyncio.sleep

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        # Also without a pause other tasks have their turn: an embedded engine waits for nothing.
        await self._sleep(self._pace.pause())
        return await self._executor.execute(batch)

    async def close(self) -> None:
        """It has nothing of its own."""


def run_paced(work: Work[R], executor: Executor) -> R:
    """Run a long plan, blocking, at its rate."""
    return run(work.plan(), _PacedExecutor(executor, work))


async def run_paced_async(work: Work[R], executor: AsyncExecutor) -> R:
    """Run a long plan, awaiting, at its rate; other tasks run between its batches."""
    return await run_async(work.plan(), _AsyncPacedExecutor(executor, work))
