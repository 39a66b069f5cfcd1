"""Which executor serves which source: the one place where a URL or a client becomes a back end.

redis-py, asyncio's transport and the engine are imported here only when a handle needs them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from redmodel.database.driver import AsyncExecutor, Executor
from redmodel.database.forks import forget_after_fork
from redmodel.database.url import Target, parse
from redmodel.errors import InvalidUrl

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    import redis
    import redis.asyncio


@dataclass(frozen=True, slots=True)
class Backend:
    """A blocking back end: its name without secrets, its executor, and how to get a redis-py client on it."""

    name: str
    executor: Executor
    client: Callable[[], redis.Redis]
    close: Callable[[], None]
    read_only: bool = False
    store: str = ""  # the directory of an embedded store


@dataclass(frozen=True, slots=True)
class AsyncBackend:
    """The same for asyncio."""

    name: str
    executor: AsyncExecutor
    client: Callable[[], redis.asyncio.Redis]
    close: Callable[[], Awaitable[None]]
    read_only: bool = False
    store: str = ""


class _OneClient:
    """A handle's redis-py client: made when it is first asked for, one for all, closed with the handle."""

    def __init__(self, make: Callable[[], redis.Redis], close: Callable[[], None]) -> None:
        self._make, self._close = make, close
        self._made: redis.Redis | None = None
        forget_after_fork(self)

    def after_fork(self) -> None:
        """This process is a child: it makes its own."""
        self._made = None

    def client(self) -> redis.Redis:
        client = self._made
        if client is None:
            client = self._made = self._make()
        return client

    def close(self) -> None:
        try:
            if self._made is not None:
                self._made.close()
        finally:
            self._close()


class _OnePerLoop:
    """The same for asyncio: one for each event loop, as redis-py's connections belong to the loop that opened them."""

    def __init__(self, make: Callable[[], redis.asyncio.Redis], close: Callable[[], Awaitable[None]]) -> None:
        self._make, self._close = make, close
        self._made: dict[AbstractEventLoop | None, redis.asyncio.Redis] = {}
        forget_after_fork(self)

    def after_fork(self) -> None:
        """This process is a child: it makes its own."""
        self._made = {}

    def client(self) -> redis.asyncio.Redis:
        loop = _running_loop()
        client = self._made.get(loop)
        if client is None:
            for other in [known for known in self._made if known is not None and known.is_closed()]:
                del self._made[other]
            client = self._made[loop] = self._make()
        return client

    async def close(self) -> None:
        made, self._made = self._made, {}
        here = _running_loop()
        try:
            for loop, client in made.items():
                if loop is None or loop is here:
                    await client.aclose()
        finally:
            await self._close()


def _running_loop() -> AbstractEventLoop | None:
    from asyncio import get_running_loop

    try:
        return get_running_loop()
    except RuntimeError:
        return None


def _target(source: str | None, retry_seconds: float | None, timeout: float | None) -> Target:
    return _patient(parse(source), retry_seconds, timeout)


def _patient(target: Target, retry_seconds: float | None, timeout: float | None) -> Target:
    if retry_seconds is not None:
        target = replace(target, retry_seconds=retry_seconds)
    return target if timeout is None else replace(target, timeout=timeout)


def open_backend(source: Any, *, retry_seconds: float | None, timeout: float | None) -> Backend:
    """The back end of a `Database`: from a URL, or over a blocking client that the caller keeps and closes."""
    if source is not None and not isinstance(source, str):
        _check_colour(source, wants_async=False)
        from redmodel.database.over_client import ClientExecutor, target_of

        handed_in = ClientExecutor(source, _patient(target_of(source), retry_seconds, timeout))
        return Backend("over a client", handed_in, lambda: source, handed_in.close)
    target = _target(source, retry_seconds, timeout)
    if target.kind in ("embedded", "memory"):
        from redmodel.database.over_engine import EngineExecutor

        engine = EngineExecutor(target)
        one = _OneClient(engine.client, engine.close)
        return Backend(
            str(target),
            engine.for_mode(),
            one.client,
            one.close,
            read_only=target.mode == "ro",
            store=target.path if target.kind == "embedded" else "",
        )
    if target.kind == "tls":
        from redmodel.database.over_client import ClientExecutor

        client = _client_of(target)
        return Backend(str(target), ClientExecutor(client, target), lambda: client, client.close)
    from redmodel.database.over_redis import RedisExecutor

    server = RedisExecutor(target)
    one = _OneClient(lambda: _client_of(target), server.close)
    return Backend(str(target), server, one.client, one.close)


def open_async_backend(source: Any, *, retry_seconds: float | None, timeout: float | None) -> AsyncBackend:
    """The back end of an `AsyncDatabase`: from a URL, or over an asyncio client that the caller keeps and closes."""
    if source is not None and not isinstance(source, str):
        _check_colour(source, wants_async=True)
        from redmodel.database.over_client import AsyncClientExecutor, target_of

        handed_in = AsyncClientExecutor(source, _patient(target_of(source), retry_seconds, timeout))
        return AsyncBackend("over a client", handed_in, lambda: source, handed_in.close)
    target = _target(source, retry_seconds, timeout)
    if target.kind in ("embedded", "memory"):
        from redmodel.database.over_engine import AsyncEngineExecutor

        engine = AsyncEngineExecutor(target)
        one = _OnePerLoop(engine.client, engine.close)
        return AsyncBackend(
            str(target),
            engine.for_mode(),
            one.client,
            one.close,
            read_only=target.mode == "ro",
            store=target.path if target.kind == "embedded" else "",
        )
    if target.kind == "tls":
        from redmodel.database.over_client import AsyncClientExecutor

        client = _async_client_of(target)
        return AsyncBackend(str(target), AsyncClientExecutor(client, target), lambda: client, client.aclose)
    from redmodel.database.over_redis_async import AsyncRedisExecutor

    server = AsyncRedisExecutor(target)
    one = _OnePerLoop(lambda: _async_client_of(target), server.close)
    return AsyncBackend(str(target), server, one.client, one.close)


def _client_of(target: Target) -> redis.Redis:
    from redmodel.database.over_client import client_of

    return client_of(target)


def _async_client_of(target: Target) -> redis.asyncio.Redis:
    from redmodel.database.over_client import async_client_of

    return async_client_of(target)


def _check_colour(source: object, *, wants_async: bool) -> None:
    """A client of the wrong colour would fail late and oddly."""
    module = type(source).__module__ + "." + type(source).__name__
    is_async = any("asyncio" in base.__module__ or "Async" in base.__name__ for base in type(source).__mro__)
    if not hasattr(source, "execute_command"):
        raise InvalidUrl(f"a handle takes a URL or a redis-py client, not {module}")
    if is_async != wants_async:
        handle, client = ("AsyncDatabase", "redis.asyncio.Redis") if wants_async else ("Database", "redis.Redis")
        raise InvalidUrl(f"{handle} takes a URL or a {client}, not {module}: use the other handle, or the other client")
