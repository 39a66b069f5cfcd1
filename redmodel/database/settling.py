"""Executors that answer what a procedure asks for before it does its work: to register the model, to enter records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redmodel.database.driver import AsyncExecutor, Executor, run, run_async
from redmodel.plan.core import Batch, Reply
from redmodel.plan.registration import Registered
from redmodel.plan.settling import hindered, settled


class Settling:
    """Executes on another executor, and once more what was refused for want of registration or of entries."""

    def __init__(self, executor: Executor, registered: Registered, *, writes: bool) -> None:
        self._executor = executor
        self._execute = executor.execute
        self._registered = registered
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)  # its keyspace, and what tests count

    def execute(self, batch: Batch) -> Sequence[Reply]:
        replies = self._execute(batch)
        if hindered(replies):
            return run(settled(batch, replies, self._registered, self._writes), self._executor)
        return replies

    def close(self) -> None:
        self._executor.close()


class AsyncSettling:
    """The same, awaited."""

    def __init__(self, executor: AsyncExecutor, registered: Registered, *, writes: bool) -> None:
        self._executor = executor
        self._execute = executor.execute
        self._registered = registered
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        replies = await self._execute(batch)
        if hindered(replies):
            return await run_async(settled(batch, replies, self._registered, self._writes), self._executor)
        return replies

    async def close(self) -> None:
        await self._executor.close()
