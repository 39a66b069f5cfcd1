"""MIGRATE: keys go to a real server and come back as they were, and what is wrong is said in the same words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.engine.settings import Settings
from redmodel.server.server import Server
from tests import servers


@pytest.fixture(scope="module")
def real() -> Iterator[servers.RealServer]:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH: apt-get install redis-server.")
    with servers.running(binary, options={"enable-debug-command": "yes"}) as server:
        yield server


@pytest.fixture
def two(real: servers.RealServer) -> Iterator[tuple[redis.Redis, redis.Redis]]:
    """A client of an engine, and one of a real server."""
    real.flush()
    with (
        Server(Engine(settings=Settings({"enable-debug-command": "yes"})), port=0) as server,
        redis.Redis(port=server.port) as ours,
        redis.Redis(port=real.port) as theirs,
    ):
        ours.flushall()
        yield ours, theirs


def port(client: redis.Redis) -> int:
    found: int = client.connection_pool.connection_kwargs["port"]
    return found


def fill(client: redis.Redis) -> None:
    client.set("s", b"\x00\xff")
    client.set("timed", 1, px=500_000)
    client.hset("h", mapping={"a": 1, "b": 2})
    client.rpush("l", *range(300))
    client.sadd("t", "a", 1)
    client.zadd("z", {"a": 1.5, "b": -1})
    client.xadd("x", {"f": "v"}, id="1-1")
    client.xgroup_create("x", "g", "0")
    client.xreadgroup("g", "c", {"x": ">"})
    client.pfadd("p", *range(100))


KEYS = ["s", "timed", "h", "l", "t", "z", "x", "p"]


def test_keys_of_every_type_go_to_a_real_server_and_back(two: tuple[redis.Redis, redis.Redis]) -> None:
    ours, theirs = two
    fill(ours)
    before = {key: ours.execute_command("DEBUG", "DIGEST-VALUE", key) for key in KEYS}
    assert ours.migrate("127.0.0.1", port(theirs), KEYS, 3, 5000) in (True, b"OK")
    assert ours.dbsize() == 0
    theirs.execute_command("SELECT", 3)
    with redis.Redis(port=port(theirs), db=3) as there:
        assert {key: there.execute_command("DEBUG", "DIGEST-VALUE", key) for key in KEYS} == before
        assert 400_000 < there.pttl("timed") <= 500_000
        assert there.migrate("127.0.0.1", port(ours), KEYS, 0, 5000) in (True, b"OK")
        assert there.dbsize() == 0
    assert {key: ours.execute_command("DEBUG", "DIGEST-VALUE", key) for key in KEYS} == before


def test_options_and_refusals(two: tuple[redis.Redis, redis.Redis], real: servers.RealServer) -> None:
    """Each server sends to a third one, so that what both say can be compared."""
    ours, theirs = two
    closed = servers.free_port()
    with servers.running(real.binary, password="secret") as third:
        third_client = redis.Redis(port=third.port, password="secret")

        def said(client: redis.Redis, line: list[object]) -> object:
            for each in ("a", "b"):
                client.set(each, 1)
            third_client.flushall()
            third_client.set("b", 2)
            try:
                reply: object = client.execute_command(*line)
            except redis.RedisError as error:
                reply = (type(error), str(error))
            left = sorted(client.keys())
            there = third_client.keys()
            return reply, left, sorted((key, third_client.get(key)) for key in there)

        place: list[object] = ["MIGRATE", "127.0.0.1", third.port]
        for line in (
            [*place, "a", 0, 1000],
            [*place, "a", 0, 1000, "AUTH", "wrong"],  # first: Redis goes on with a connection that is let in
            [*place, "a", 0, 1000, "AUTH", "secret"],
            [*place, "a", 0, 1000, "AUTH2", "default", "secret"],
            [*place, "a", 0, 1000, "COPY", "AUTH", "secret"],
            [*place, "b", 0, 1000, "AUTH", "secret"],
            [*place, "b", 0, 1000, "COPY", "REPLACE", "AUTH", "secret"],
            [*place, "nosuch", 0, 1000],
            [*place, "a", 99, 1000, "AUTH", "secret"],
            [*place, "", 0, 1000, "AUTH", "secret", "KEYS", "a", "b", "nosuch"],
            [*place, "a", 0, 1000, "KEYS", "a"],
            [*place, "", 0, 1000, "AUTH", "secret", "KEYS"],
            [*place, "a", 0, 1000, "AUTH"],
            [*place, "a", 0, 1000, "AUTH2", "x"],
            [*place, "a", 0, 1000, "FOO"],
            [*place, "a", "x", 1000],
            [*place, "a", 0, "x"],
            [*place, "a", 0],
            ["MIGRATE", "127.0.0.1", closed, "a", 0, 300],
        ):
            assert said(ours, line) == said(theirs, line), line
        third_client.close()


def test_what_has_moved_is_deleted_in_the_log(two: tuple[redis.Redis, redis.Redis]) -> None:
    ours, theirs = two
    ours.mset({"a": 1, "b": 2})
    with ours.pubsub() as listening:
        ours.config_set("notify-keyspace-events", "KEA")
        listening.psubscribe("__keyevent@0__:*")
        assert listening.get_message(timeout=5)
        ours.migrate("127.0.0.1", port(theirs), ["a", "b"], 0, 5000)
        heard = [listening.get_message(timeout=5) for _ in range(2)]
    assert [(each["channel"], each["data"]) for each in heard if each] == [
        (b"__keyevent@0__:del", b"a"),
        (b"__keyevent@0__:del", b"b"),
    ]


def test_restore_asking_is_restore(two: tuple[redis.Redis, redis.Redis]) -> None:
    _, theirs = two
    theirs.set("a", "x")
    for client in two:
        assert client.execute_command("RESTORE-ASKING", "r", 0, theirs.dump("a")) == b"OK"
        assert client.get("r") == b"x"
