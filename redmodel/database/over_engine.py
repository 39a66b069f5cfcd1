"""The executors over the embedded engine, and who shares which engine. No socket, no serialisation, no thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from redmodel.database.forks import forget_after_fork
from redmodel.database.over_engine_batches import execute_all, store_failed, submit_all
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.errors import ConnectionFailed, ReplyError, StorageError
from redmodel.plan.core import Batch, Reply
from redmodel.procedures import ALL

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from redmodel.database.url import Target


class Holder:
    """One engine and the handles of this process that share it; the last one to leave closes it."""

    _open: ClassVar[dict[str, Holder]] = {}
    _guard: ClassVar[Lock] = Lock()

    def __init__(self, engine: Engine, key: str | None) -> None:
        self.engine = engine
        self.forked = False
        self._key = key
        self._users = 1
        forget_after_fork(self)

    def after_fork(self) -> None:
        """This process is a child: the engine is its parent's."""
        self.forked = True

    @classmethod
    def join(cls, target: Target) -> Holder:
        """The engine of an ``embedded://`` or ``memory://`` target: one for each directory or name in a process."""
        if target.kind == "embedded":
            key: str | None = os.path.realpath(target.path)
        else:
            key = f"memory://{target.path}" if target.path else None
        with cls._guard:
            holder = cls._open.get(key) if key is not None else None
            if holder is not None and not holder.forked:
                holder._users += 1
                return holder
            holder = cls(_new_engine(target), key)
            if key is not None:
                cls._open[key] = holder
            return holder

    def leave(self) -> None:
        """Give the engine up; the last one closes it."""
        with self._guard:
            self._users -= 1
            if self._users or self.forked:
                return
            if self._key is not None and self._open.get(self._key) is self:
                del self._open[self._key]
        self.engine.close()


def _new_engine(target: Target) -> Engine:
    if target.kind == "memory":
        engine = Engine()
    else:
        from redmodel.engine.storage import open_storage

        storage = open_storage(Path(target.path), appendfsync=target.appendfsync)
        try:
            engine = Engine(storage=storage)
            storage.compact_if_due(engine.databases)
        except BaseException:
            storage.close()  # and so unlock: the caller may mend the directory and try again
            raise
    for procedure in ALL:
        engine.register_procedure(procedure.sha, procedure.native)
    return engine


class EngineExecutor:
    """Runs batches on an engine in this process."""

    __slots__ = ("_closed", "_holder", "_session", "round_trips")

    def __init__(self, target: Target) -> None:
        self._holder = Holder.join(target)
        self._session = Session(target.db)
        self._closed = False
        self.round_trips = 0

    @property
    def engine(self) -> Engine:
        """The engine that the batches run on."""
        return self._holder.engine

    @property
    def db(self) -> int:
        """The number of the database that the batches run on."""
        return self._session.db

    def execute(self, batch: Batch) -> Sequence[Reply]:
        """Run the commands one after the other, and wait once for the disk; error replies are values."""
        return execute_all(self._ready(), self._session, batch)

    def submit(self, batch: Batch) -> tuple[list[Reply], int]:
        """Run the commands without waiting for the disk: what to wait for is returned beside the replies."""
        return submit_all(self._ready(), self._session, batch)

    def recover(self) -> None:
        """After the store has failed and its cause is mended: write all data anew, and take writes again.

        Raises:
            StorageError: it still fails.
        """
        self._holder.engine.recover()

    def close(self) -> None:
        """Leave the engine; the last handle on it closes its store. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._holder.leave()

    def _ready(self) -> Engine:
        holder = self._holder
        if holder.forked:
            raise StorageError(
                "this handle was made before the process forked, and a child must not write its parent's store: "
                "make a new handle in the child"
            )
        if self._closed:
            raise ConnectionFailed("this handle is closed: make a new one")
        self.round_trips += 1
        return holder.engine

    def client(self) -> redis.Redis:
        """A redis-py client over the same engine."""
        from redmodel.database.client_over_engine import sync_client

        return sync_client(self.engine, db=self.db)


class AsyncEngineExecutor:
    """The same, awaited. It waits for nothing but the disk, under ``appendfsync=always``, and once for a batch."""

    __slots__ = ("_blocking",)

    def __init__(self, target: Target) -> None:
        self._blocking = EngineExecutor(target)

    @property
    def engine(self) -> Engine:
        """The engine that the batches run on."""
        return self._blocking.engine

    @property
    def round_trips(self) -> int:
        """How many batches were executed."""
        return self._blocking.round_trips

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        """Run the commands one after the other, atomically for the event loop; error replies are values."""
        engine = self._blocking.engine
        if not engine.waits:
            return self._blocking.execute(batch)
        replies, position = self._blocking.submit(batch)
        if position:
            from redmodel.database.over_engine_commits import commits_of

            try:
                await commits_of(engine).wait(position)
            except ReplyError as error:
                raise store_failed(error) from error
        return replies

    async def recover(self) -> None:
        """After the store has failed and its cause is mended: write all data anew, and take writes again.

        Raises:
            StorageError: it still fails.
        """
        self._blocking.recover()

    async def close(self) -> None:
        """Leave the engine; the last handle on it closes its store."""
        self._blocking.close()

    def client(self) -> redis.asyncio.Redis:
        """An asyncio redis-py client over the same engine."""
        from redmodel.database.client_over_engine import async_client

        return async_client(self.engine, db=self._blocking.db)
