"""The back ends: one contract, asked of each of them, blocking and asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redmodel import AsyncDatabase, Database
from redmodel.engine.engine import Engine
from redmodel.procedures import ALL
from tests.contract.blocking import Blocking

BACKENDS = [
    "memory",
    "memory-async",
    "embedded",
    "embedded-async",
    "redis7-unix",
    "redis7-unix-async",
    "redis7-tcp",
    "redis7-tcp-async",
    "redis6-unix",
    "redis6-unix-async",
    "redis7-client",
    "redis7-client-async",
    "fakeredis",
    "fakeredis-async",
    "served",
    "served-async",
]

Make = Callable[[], Any]


def _served(request: pytest.FixtureRequest) -> str:
    """The embedded engine over RESP: a real client sees it through a unix socket."""
    from redmodel.server import Server

    engine = Engine()
    for procedure in ALL:
        engine.register_procedure(procedure.sha, procedure.native)
    directory = request.getfixturevalue("short_directory")
    server = Server(engine, unixsocket=str(directory / "engine.sock"))
    server.start()
    request.addfinalizer(server.stop)
    return f"unix://{directory / 'engine.sock'}"


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rm-") as directory:
        yield Path(directory)


def _source(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """What a handle of this back end is made from: a URL, or a client."""
    kind, colour = name.removesuffix("-async"), "async" if name.endswith("-async") else "sync"
    if kind == "memory":
        return f"memory://contract-{id(request)}"
    if kind == "embedded":
        return f"embedded://{tmp_path / 'store'}"
    if kind == "served":
        return _served(request)
    if kind == "fakeredis":
        import fakeredis

        server = fakeredis.FakeServer()
        return fakeredis.FakeAsyncRedis(server=server) if colour == "async" else fakeredis.FakeRedis(server=server)
    real = request.getfixturevalue(kind.partition("-")[0])
    real.flush()
    if kind.endswith("-unix"):
        return real.unix_url
    if kind.endswith("-tcp"):
        return real.tcp_url
    import redis
    import redis.asyncio

    if colour == "async":
        return redis.asyncio.Redis.from_url(real.unix_url, decode_responses=True)
    return redis.Redis.from_url(real.unix_url, decode_responses=True)


@pytest.fixture(params=BACKENDS)
def make_db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes handles on one keyspace of one back end; all are closed in the end."""
    source = _source(request.param, request, tmp_path)
    made: list[Any] = []
    loop = asyncio.new_event_loop() if request.param.endswith("-async") else None

    def make(**options: Any) -> Any:
        db: Any = Blocking(AsyncDatabase(source, **options), loop) if loop else Database(source, **options)
        made.append(db)
        return db

    yield make
    for db in made:
        db.close()
    if loop is not None:
        if hasattr(source, "aclose"):
            loop.run_until_complete(source.aclose())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    elif hasattr(source, "close"):
        source.close()


@pytest.fixture
def db(make_db: Make) -> Any:
    """A handle on an empty keyspace."""
    return make_db()


@pytest.fixture
def raw(db: Any) -> Callable[..., Any]:
    """Another program: runs a plain Redis command on the same keyspace, with replies in bytes."""

    def run(*args: Any) -> Any:
        from redmodel.plan.commands import as_raw
        from redmodel.plan.core import Batch, Command

        words = tuple(arg if isinstance(arg, bytes) else str(arg).encode() for arg in args)
        reply = db._executor.execute(Batch((Command(words, as_raw),)))
        if asyncio.iscoroutine(reply):
            reply = db._loop.run_until_complete(reply)
        return reply[0]

    return run
