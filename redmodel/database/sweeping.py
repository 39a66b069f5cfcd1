"""Purging idle models in the background: a thread for a `Database`, a task for an `AsyncDatabase`.

Saves and queries clear what expired by themselves. A sweeper is for models that nobody writes or queries for long, so
that their traces do not stay in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from redmodel.database.driver import AsyncExecutor, AsyncRefusing, Executor, Refusing, run, run_async
from redmodel.database.forks import forget_after_fork
from redmodel.errors import QueryError, RedModelError
from redmodel.model import Model, schema_of
from redmodel.plan.core import Batch
from redmodel.plan.ttl import milliseconds, sweep

if TYPE_CHECKING:
    import asyncio


class _Sweeping:
    """What both sweepers share: what is purged, how often, and how the last turn went."""

    def __init__(self, models: Sequence[type[Model]], every: timedelta | float) -> None:
        if not models:
            raise QueryError("a sweeper takes the models to purge, as in db.sweeper(Session, every=60)")
        for model in models:
            schema_of(model)
        span = milliseconds(every)
        if not isinstance(span, int):
            raise QueryError(f"every= is the pause between two turns, not {every!r}")
        self._models = models
        self._every = span / 1000
        self.turns: int = 0
        """Turns that were made, failed ones included."""
        self.error: RedModelError | None = None
        """Why the last turn failed; None if it did not. The next turn tries again."""


class Sweeper(_Sweeping):
    """Purges models on a thread of its own while a ``with`` block runs; see :meth:`Database.sweeper`.

    Trouble with the connection ends a turn, not the sweeper. A forked child has no such thread, and makes no turns.
    """

    def __init__(self, executor: Executor, models: Sequence[type[Model]], every: timedelta | float) -> None:
        super().__init__(models, every)
        self._executor = executor
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        forget_after_fork(self)

    def after_fork(self) -> None:
        """This process is a child: the thread stayed with the parent."""
        self._over = threading.Event()
        self._thread = None

    def __enter__(self) -> Self:
        if isinstance(self._executor, Refusing):
            self._executor.execute(Batch(()))
        self._thread = threading.Thread(target=self._work, name="redmodel-sweeper", daemon=True)
        self._thread.start()
        return self

    def _work(self) -> None:
        over = self._over
        while not over.wait(self._every):
            try:
                for model in self._models:
                    run(sweep(model, over.is_set), self._executor)
                self.error = None
            except RedModelError as error:
                self.error = error
            self.turns += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        self._over.set()
        if thread is not None:
            thread.join()
        self._over = threading.Event()


class AsyncSweeper(_Sweeping):
    """Purges models in a task of its own while an ``async with`` block runs; see :meth:`AsyncDatabase.sweeper`."""

    def __init__(self, executor: AsyncExecutor, models: Sequence[type[Model]], every: timedelta | float) -> None:
        super().__init__(models, every)
        self._executor = executor
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if isinstance(self._executor, AsyncRefusing):
            await self._executor.execute(Batch(()))
        import asyncio  # a program without asyncio does not load it

        self._task = asyncio.create_task(self._work(), name="redmodel-sweeper")
        return self

    async def _work(self) -> None:
        from asyncio import sleep

        while True:
            await sleep(self._every)
            try:
                for model in self._models:
                    await run_async(sweep(model), self._executor)
                self.error = None
            except RedModelError as error:
                self.error = error
            self.turns += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is not None:
            from asyncio import wait

            task.cancel()
            await wait([task])
