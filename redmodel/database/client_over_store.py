"""redis-py's own clients over the socket of the process that has an embedded store.

May live here: the two connection classes, which find that process each time they connect, and how clients are made.
"""

# redis-py is typed in part only:
# mypy: allow-untyped-calls
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.connection
import redis.connection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError
from redis.retry import Retry

from redmodel.database.over_reading import writes
from redmodel.database.over_store import Holder
from redmodel.database.resending import pauses
from redmodel.database.url import Target
from redmodel.engine.storage.shared import READ_ONLY
from redmodel.errors import ConnectionFailed


def attached_client(holder: Holder, target: Target) -> redis.Redis:
    """A `redis.Redis` on a store that another process has; when that one goes, it connects to who has it then."""
    connection_class: Any = StoreConnection
    pool: Any = redis.ConnectionPool(
        connection_class=connection_class, holder=holder, retry=Retry(NoBackoff(), 0), **_settings(target)
    )
    return redis.Redis.from_pool(pool)


def attached_async_client(holder: Holder, target: Target) -> redis.asyncio.Redis:
    """The same for asyncio."""
    pool: Any = redis.asyncio.ConnectionPool(
        connection_class=AsyncStoreConnection, holder=holder, retry=AsyncRetry(NoBackoff(), 0), **_settings(target)
    )
    return redis.asyncio.Redis.from_pool(pool)


def _settings(target: Target) -> dict[str, Any]:
    return {
        "db": target.db,
        "client_name": target.client_name,
        "socket_timeout": target.timeout,
        "socket_connect_timeout": target.connect_timeout,
        "patience": target.retry_seconds,
        "read_only": target.mode == "ro",
    }


class _Checking:
    """Refuses to send what writes, where the store was opened for reading only."""

    _read_only: bool

    def send_command(self, *args: Any, **kwargs: Any) -> Any:
        self._check(args)
        return super().send_command(*args, **kwargs)  # type: ignore[misc]

    def pack_command(self, *args: Any) -> Any:
        self._check(args)
        return super().pack_command(*args)  # type: ignore[misc]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> Any:
        whole = [tuple(command) for command in commands]
        for args in whole:
            self._check(args)
        return super().pack_commands(whole)  # type: ignore[misc]

    def _check(self, args: tuple[Any, ...]) -> None:
        if self._read_only and writes(args):
            raise ReadOnlyError(READ_ONLY)


class StoreConnection(_Checking, redis.connection.UnixDomainSocketConnection):
    """A connection of `redis.Redis` to whoever has the store."""

    def __init__(self, *, holder: Holder, patience: float, read_only: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._holder = holder
        self._patience = patience
        self._read_only = read_only

    def _connect(self) -> Any:
        deadline = time.monotonic() + self._patience
        for pause in pauses():
            turn = self._holder.turn
            try:
                self.path = str(self._holder.socket())
                return super()._connect()
            except ConnectionFailed as error:
                trouble: OSError = error
            except OSError as error:
                self._holder.doubt(turn)
                trouble = error
            if time.monotonic() + pause >= deadline:
                raise trouble
            time.sleep(pause)
        raise AssertionError("pauses() has no end")


class AsyncStoreConnection(_Checking, redis.asyncio.connection.UnixDomainSocketConnection):
    """A connection of `redis.asyncio.Redis` to whoever has the store."""

    def __init__(self, *, holder: Holder, patience: float, read_only: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._holder = holder
        self._patience = patience
        self._read_only = read_only

    async def _connect(self) -> None:
        deadline = time.monotonic() + self._patience
        for pause in pauses():
            turn = self._holder.turn
            try:
                self.path = str(await asyncio.to_thread(self._holder.socket))
                await super()._connect()
                return
            except ConnectionFailed as error:
                trouble: OSError = error
            except OSError as error:
                self._holder.doubt(turn)
                trouble = error
            if time.monotonic() + pause >= deadline:
                raise trouble
            await asyncio.sleep(pause)
