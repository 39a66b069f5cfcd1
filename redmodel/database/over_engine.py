"""The executors over the embedded engine, and who shares which engine. No socket, no serialisation, no thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from redmodel.database.forks import forget_after_fork
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
        """Run the commands one after the other; error replies are values."""
        holder = self._holder
        if holder.forked:
            raise StorageError(
                "this handle was made before the process forked, and a child must not write its parent's store: "
                "make a new handle in the child"
            )
        if self._closed:
            raise ConnectionFailed("this handle is closed: make a new one")
        self.round_trips += 1
        execute, session = holder.engine.execute, self._session
        replies: list[Reply] = []
        for command in batch.commands:
            try:
                replies.append(execute(session, command.args))
            except ReplyError as error:
                replies.append(error)
        return replies

    def close(self) -> None:
        """Leave the engine; the last handle on it closes its store. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._holder.leave()

    def client(self) -> redis.Redis:
        """A redis-py client over the same engine."""
        from redmodel.database.client_over_engine import sync_client

        return sync_client(self.engine, db=self.db)


class AsyncEngineExecutor:
    """The same, awaited: it never waits, so a batch is atomic for the event loop too."""

    __slots__ = ("_blocking", "execute_now")

    def __init__(self, target: Target) -> None:
        self._blocking = EngineExecutor(target)
        self.execute_now: Callable[[Batch], Sequence[Reply]] = self._blocking.execute

    @property
    def engine(self) -> Engine:
        """The engine that the batches run on."""
        return self._blocking.engine

    @property
    def round_trips(self) -> int:
        """How many batches were executed."""
        return self._blocking.round_trips

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        """Run the commands one after the other; error replies are values."""
        return self.execute_now(batch)

    async def close(self) -> None:
        """Leave the engine; the last handle on it closes its store."""
        self._blocking.close()

    def client(self) -> redis.asyncio.Redis:
        """An asyncio redis-py client over the same engine."""
        from redmodel.database.client_over_engine import async_client

        return async_client(self.engine, db=self._blocking.db)
