"""Batches to the process that has an embedded store, over its socket; and in this process once it has taken over.

May live here: what differs from a Redis on a unix socket, once per colour. When a connection breaks, who has the store
is found out anew, which may well be this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import ClassVar, TypeAlias

from redmodel.database.greeting import Broken
from redmodel.database.over_redis import RedisExecutor
from redmodel.database.over_redis_async import AsyncRedisExecutor
from redmodel.database.over_store import Holder
from redmodel.database.url import Target
from redmodel.engine.engine import Engine
from redmodel.errors import ConnectionFailed
from redmodel.plan.core import Batch, Reply

Here: TypeAlias = "Callable[[Engine, Batch], Sequence[Reply]]"
AsyncHere: TypeAlias = "Callable[[Engine, Batch], Awaitable[Sequence[Reply]]]"
"""Runs a batch on an engine of this process."""


class AttachedExecutor(RedisExecutor):
    """Executes batches where the store is, for any number of threads."""

    def __init__(self, holder: Holder, target: Target, here: Here) -> None:
        super().__init__(target)
        self._holder = holder
        self._here = here
        self._met = True  # the store is there: an owner that does not answer is waited for, or replaced

    def _attempt(self, batch: Batch) -> list[Reply]:
        holder = self._holder
        if holder.place is None:
            holder.settle()
        turn, place = holder.turn, holder.place
        engine = holder.engine
        if engine is not None:
            return list(self._here(engine, batch))
        try:
            if place is None:
                raise ConnectionFailed("it is changing hands")
            if self.target.path != str(place) or self.target.kind != "unix":
                self.target = _reached_at(self.target, str(place))
            return super()._attempt(batch)
        except (Broken, ConnectionFailed):
            holder.doubt(turn)
            raise


class AsyncAttachedExecutor(AsyncRedisExecutor):
    """Executes batches where the store is, for any number of tasks on any number of event loops."""

    # Whoever waits for one owner does not see the next one.
    _waits_for_server: ClassVar[bool] = False

    def __init__(self, holder: Holder, target: Target, here: AsyncHere) -> None:
        super().__init__(target)
        self._holder = holder
        self._here = here
        self._met = True

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        """Send a batch and await its replies; error replies are values in the list."""
        if self._holder.place is None:
            return await self._patiently(batch)
        return await super().execute(batch)

    async def _attempt(self, batch: Batch) -> list[Reply]:
        holder = self._holder
        if holder.place is None and holder.engine is None:
            await asyncio.to_thread(holder.settle)  # to open a store takes its time
        turn, place = holder.turn, holder.place
        engine = holder.engine
        if engine is not None:
            return list(await self._here(engine, batch))
        try:
            if place is None:
                raise ConnectionFailed("it is changing hands")
            if self.target.path != str(place) or self.target.kind != "unix":
                self.target = _reached_at(self.target, str(place))
            return await super()._attempt(batch)
        except (Broken, ConnectionFailed):
            holder.doubt(turn)
            raise


def _reached_at(target: Target, place: str) -> Target:
    return replace(target, kind="unix", path=place, host="")
