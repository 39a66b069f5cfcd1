"""The executors over the embedded engine. In process: no socket, no serialisation, no waiting.

Where another process has the store, `over_attached` carries the batches to it; `over_store` says where the data is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redmodel.database.driver import AsyncExecutor, Executor
from redmodel.database.over_engine_batches import execute_all, refuse_failed, store_failed, submit_all
from redmodel.database.over_store import Holder
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.errors import ConnectionFailed, ReplyError, StorageError
from redmodel.plan.core import Batch, Reply

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from redmodel.database.over_attached import AsyncAttachedExecutor, AttachedExecutor
    from redmodel.database.url import Target


class EngineExecutor:
    """Runs batches on an engine in this process, or through the process that has the store."""

    __slots__ = ("_attached", "_closed", "_holder", "_session", "_trips", "keyspace", "target")

    def __init__(self, target: Target) -> None:
        self._holder = Holder.join(target)
        self._session = Session(target.db)
        self._attached: AttachedExecutor | None = None
        self._closed = False
        self._trips = 0
        self.target = target
        self.keyspace = self._holder.keyspace, target.db

    @property
    def holder(self) -> Holder:
        """Where the data is."""
        return self._holder

    @property
    def round_trips(self) -> int:
        """How many batches were executed."""
        return self._trips + (self._attached.round_trips if self._attached is not None else 0)

    def execute(self, batch: Batch) -> Sequence[Reply]:
        """Run the commands one after the other, and wait once for the disk; error replies are values."""
        engine = self._holder.engine
        if engine is None or self._closed:
            return self._execute_elsewhere(batch)
        self._trips += 1
        return execute_all(engine, self._session, batch)

    def submit(self, engine: Engine, batch: Batch) -> tuple[list[Reply], int]:
        """Run the commands without waiting for the disk: what to wait for is returned beside the replies."""
        self.refuse_if_gone()
        self._trips += 1
        return submit_all(engine, self._session, batch)

    def close(self) -> None:
        """Leave the engine; the last handle on it closes its store. A second call does nothing."""
        if not self._closed:
            self._closed = True
            if self._attached is not None:
                self._attached.close()
            self._holder.leave()

    def client(self) -> redis.Redis:
        """A redis-py client over the same engine, or over the socket of the process that has it."""
        self.refuse_if_gone()
        if self._holder.engine is None:
            from redmodel.database.client_over_store import attached_client

            return attached_client(self._holder, self.target)
        from redmodel.database.client_over_engine import sync_client

        return sync_client(self._holder.engine, db=self._session.db)

    def for_mode(self) -> Executor:
        """This executor, or one that only reads on it, as the target wants."""
        if self.target.mode == "rw":
            return self
        from redmodel.database.over_reading import ReadingExecutor

        return ReadingExecutor(self)

    def refuse_if_gone(self) -> None:
        """Raise ConnectionFailed if the handle is closed, StorageError if its data stayed in the parent process."""
        if self._closed:
            raise ConnectionFailed("this handle is closed: make a new one")
        if self._holder.refusal is not None:
            raise StorageError(self._holder.refusal)

    def _execute_elsewhere(self, batch: Batch) -> Sequence[Reply]:
        self.refuse_if_gone()
        if self._attached is None:
            from redmodel.database.over_attached import AttachedExecutor

            self._attached = AttachedExecutor(self._holder, self.target, self._run_here)
        return refuse_failed(self._attached.execute(batch), self.target.path)

    def _run_here(self, engine: Engine, batch: Batch) -> Sequence[Reply]:
        """Run a batch that was meant for another process on the engine that this one has by now."""
        self.refuse_if_gone()
        self._trips += 1
        return execute_all(engine, self._session, batch)


class AsyncEngineExecutor:
    """The same, awaited. It waits for nothing but the disk, under ``appendfsync=always``, and once for a batch."""

    __slots__ = ("_attached", "_blocking", "keyspace")

    def __init__(self, target: Target) -> None:
        self._blocking = EngineExecutor(target)
        self.keyspace = self._blocking.keyspace
        self._attached: AsyncAttachedExecutor | None = None

    @property
    def holder(self) -> Holder:
        """Where the data is."""
        return self._blocking.holder

    @property
    def round_trips(self) -> int:
        """How many batches were executed."""
        return self._blocking.round_trips + (self._attached.round_trips if self._attached is not None else 0)

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        """Run the commands one after the other, atomically for the event loop; error replies are values."""
        engine = self._blocking.holder.engine
        if engine is None:
            return await self._execute_elsewhere(batch)
        return await self._run_here(engine, batch)

    async def close(self) -> None:
        """Leave the engine; the last handle on it closes its store."""
        if self._attached is not None:
            await self._attached.close()
        if self._blocking.target.kind == "memory":
            self._blocking.close()
        else:
            # Not in the loop's thread: clients of other processes, and the disk, may take a moment.
            await asyncio.to_thread(self._blocking.close)

    def client(self) -> redis.asyncio.Redis:
        """An asyncio redis-py client over the same engine, or over the socket of the process that has it."""
        blocking = self._blocking
        blocking.refuse_if_gone()
        if blocking.holder.engine is None:
            from redmodel.database.client_over_store import attached_async_client

            return attached_async_client(blocking.holder, blocking.target)
        from redmodel.database.client_over_engine import async_client

        return async_client(blocking.holder.engine, db=blocking.target.db)

    def for_mode(self) -> AsyncExecutor:
        """This executor, or one that only reads on it, as the target wants."""
        if self._blocking.target.mode == "rw":
            return self
        from redmodel.database.over_reading import AsyncReadingExecutor

        return AsyncReadingExecutor(self)

    async def _run_here(self, engine: Engine, batch: Batch) -> Sequence[Reply]:
        blocking = self._blocking
        if not engine.waits:
            return blocking.execute(batch)
        replies, position = blocking.submit(engine, batch)
        if position:
            from redmodel.database.over_engine_commits import commits_of

            try:
                await commits_of(engine).wait(position)
            except ReplyError as error:
                raise store_failed(error, engine.saves.directory) from error
        return replies

    async def _execute_elsewhere(self, batch: Batch) -> Sequence[Reply]:
        blocking = self._blocking
        blocking.refuse_if_gone()
        if self._attached is None:
            from redmodel.database.over_attached import AsyncAttachedExecutor

            self._attached = AsyncAttachedExecutor(blocking.holder, blocking.target, self._run_here)
        return refuse_failed(await self._attached.execute(batch), blocking.target.path)
