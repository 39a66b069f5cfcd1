"""redis-py's own clients over an engine in this process: `sync_client` and `async_client`.

May live here: the two client classes and how they are made. Everything of redis-py works as with a server: what needs a
connection of its own (pipelines, WATCH) gets one from `client_connection`; single commands take a shorter way.
"""

# redis-py is typed in part only:
# mypy: allow-untyped-calls
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio
from redis.client import EMPTY_RESPONSE, NEVER_DECODE

from redmodel.database.client_connection import AsyncEngineConnection, EngineConnection, decoder, wire_protocol
from redmodel.database.client_lock_scripts import register_lock_scripts
from redmodel.database.client_replies import encoded, error_of, flattened, shaped
from redmodel.database.over_engine_commits import commits_of
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.waiting import Suspended, Waiter
from redmodel.errors import ReplyError


def sync_client(
    engine: Engine, *, db: int = 0, decode_responses: bool = False, protocol: int | None = None
) -> redis.Redis:
    """A `redis.Redis` that works on the engine.

    Args:
        engine: where the data is; closing the client does not close it.
        db: number of the database.
        decode_responses: give str instead of bytes.
        protocol: 2, 3, or None for redis-py's own default.
    Returns:
        A client for any number of threads.

    >>> client = sync_client(Engine(), decode_responses=True)
    >>> client.hset("user", mapping={"name": "Ada", "age": 36}), client.hgetall("user")
    (2, {'name': 'Ada', 'age': '36'})
    """
    register_lock_scripts(engine)
    connection_class: Any = EngineConnection
    pool: Any = redis.ConnectionPool(
        connection_class=connection_class, engine=engine, db=db, decode_responses=decode_responses, protocol=protocol
    )
    return EngineRedis(connection_pool=pool)


def async_client(
    engine: Engine, *, db: int = 0, decode_responses: bool = False, protocol: int | None = None
) -> redis.asyncio.Redis:
    """A `redis.asyncio.Redis` that works on the engine; its commands wait for nothing but the disk.

    Args:
        engine: where the data is; closing the client does not close it.
        db: number of the database.
        decode_responses: give str instead of bytes.
        protocol: 2, 3, or None for redis-py's own default.
    """
    register_lock_scripts(engine)
    pool: Any = redis.asyncio.ConnectionPool(
        connection_class=AsyncEngineConnection,
        engine=engine,
        db=db,
        decode_responses=decode_responses,
        protocol=protocol,
    )
    return AsyncEngineRedis(connection_pool=pool)


class ShortWay:
    """From a command's arguments to redis-py's result, without a connection; one that waits needs one all the same.

    All commands share one session, as they would the one connection that a pool hands out to one thread after another.
    """

    __slots__ = ("_callbacks", "_decode", "_engine", "_execute", "_modern", "_session")

    def __init__(self, pool: Any, callbacks: Any) -> None:
        settings = pool.connection_kwargs
        protocol = wire_protocol(settings["protocol"])
        self._engine: Engine = settings["engine"]
        self._execute = self._engine.execute
        self._session = Session(settings["db"], protocol=protocol)
        self._session.patient = True
        self._decode = decoder(pool.get_encoder())
        self._callbacks: dict[str, Any] = callbacks
        self._modern = protocol >= 3

    def run(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Run one command and give what redis-py gives for it."""
        try:
            reply = self._execute(self._session, encoded(args))
        except Suspended as suspended:
            if suspended.waiter.cancel():
                raise
            reply = _answer_of(suspended.waiter)  # another thread was quicker
        except ReplyError as error:
            if EMPTY_RESPONSE in options:
                return options[EMPTY_RESPONSE]
            raise error_of(error) from None
        return self._result(reply, args, options)

    async def run_async(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The same, where the disk must not be waited for in the event loop's thread."""
        if not self._engine.waits:
            return self.run(args, options)
        try:
            reply, position = self._engine.submit(self._session, encoded(args))
        except Suspended as suspended:
            if suspended.waiter.cancel():
                raise
            reply, position = suspended.waiter.reply, suspended.waiter.position
        try:
            if position:
                await commits_of(self._engine).wait(position)
            if isinstance(reply, ReplyError):
                raise reply
        except ReplyError as error:
            if EMPTY_RESPONSE in options:
                return options[EMPTY_RESPONSE]
            raise error_of(error) from None
        return self._result(reply, args, options)

    def _result(self, reply: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if not self._modern:
            reply = flattened(reply)
        if type(reply) is not bytes or self._decode is not None:
            reply = shaped(reply, None if options and NEVER_DECODE in options else self._decode)
        name = args[0]
        # The dictionary ignores case by way of Python methods, which cost more than the engine takes for the command.
        callback = dict.get(self._callbacks, name)
        if callback is None and type(name) is str and not name.isupper():
            callback = self._callbacks.get(name)
        if callback is None:
            return reply
        for option in (NEVER_DECODE, EMPTY_RESPONSE, "keys"):
            options.pop(option, None)
        return callback(reply, **options)


def _answer_of(waiter: Waiter) -> Any:
    try:
        return waiter.answer()
    except ReplyError as error:
        raise error_of(error) from None


class EngineRedis(redis.Redis):
    """A `redis.Redis` whose single commands go straight to the engine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._short_way = ShortWay(self.connection_pool, self.response_callbacks)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.connection is not None:
            return super().execute_command(*args, **options)
        try:
            return self._short_way.run(args, options)
        except Suspended:
            pass  # it waits on a connection of its own
        return super().execute_command(*args, **options)


class AsyncEngineRedis(redis.asyncio.Redis):
    """A `redis.asyncio.Redis` whose single commands go straight to the engine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._short_way = ShortWay(self.connection_pool, self.response_callbacks)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.connection is not None or self.single_connection_client:
            return await super().execute_command(*args, **options)
        try:
            return await self._short_way.run_async(args, options)
        except Suspended:
            pass  # it waits on a connection of its own
        return await super().execute_command(*args, **options)
