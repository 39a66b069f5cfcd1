"""Deadlines under a clock that tests turn: when a key is gone, who notices, and what is logged."""

from __future__ import annotations

import pytest

from redmodel.engine.engine import Engine
from tests.engine.memory import Clock, MemoryStorage, Shell


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def run(clock: Clock, storage: MemoryStorage) -> Shell:
    return Shell(Engine(clock=clock, storage=storage))


def test_a_key_lives_through_the_millisecond_of_its_deadline(run: Shell, clock: Clock) -> None:
    run("SET a 1 PX 100")
    clock.now += 100
    assert run("PTTL a") == 0
    assert run("GET a") == b"1"
    clock.now += 1
    assert run("GET a") is None
    assert run("PTTL a") == -2


def test_a_deadline_that_is_now_is_past_when_it_is_set(run: Shell, clock: Clock, storage: MemoryStorage) -> None:
    run("SET a 1")
    assert run(f"PEXPIREAT a {clock.now}") == 1
    assert run("EXISTS a") == 0
    assert storage.taken()[1:] == [[(0, (b"DEL", b"a"))]]


def test_ttl_rounds_to_the_nearest_second(run: Shell, clock: Clock) -> None:
    run("SET a 1 PX 1500")
    assert run("TTL a") == 2
    clock.now += 1
    assert run("TTL a") == 1


@pytest.mark.parametrize(
    "line",
    [
        "GET a",
        "EXISTS a",
        "TYPE a",
        "KEYS *",
        "DBSIZE",
        "SCAN 0",
        "RANDOMKEY",
        "STRLEN a",
        "MGET a",
        "HGET a f",
        "TTL a",
    ],
)
def test_reads_do_not_see_an_expired_key_and_log_its_removal(
    run: Shell, clock: Clock, storage: MemoryStorage, line: str
) -> None:
    expected = run(line)
    run("SET a 1 PX 10")
    storage.taken()
    clock.now += 11
    assert run(line) == expected
    assert storage.taken() == [[(0, (b"DEL", b"a"))]]
    run.engine.databases[0].check()


@pytest.mark.parametrize(
    ("line", "logged"),
    [
        ("SETNX a 2", (b"SETNX", b"a", b"2")),
        ("HSET a f v", (b"HSET", b"a", b"f", b"v")),
        ("SADD a m", (b"SADD", b"a", b"m")),
        ("ZADD a 1 m", (b"ZADD", b"a", b"1", b"m")),
        ("INCR a", (b"INCR", b"a")),
        ("APPEND a x", (b"APPEND", b"a", b"x")),
    ],
)
def test_writes_begin_anew_on_an_expired_key(
    run: Shell, clock: Clock, storage: MemoryStorage, line: str, logged: tuple[bytes, ...]
) -> None:
    run("SET a 1 PX 10")
    storage.taken()
    clock.now += 11
    run(line)
    assert storage.taken() == [[(0, (b"DEL", b"a")), (0, logged)]]
    assert run("TTL a") == -1


def test_time_stands_still_in_a_transaction(run: Shell, clock: Clock) -> None:
    run("SET a 1 PX 100")
    run("MULTI")
    for _ in range(3):
        run("PTTL a")
    clock.asked = 0
    assert run("EXEC") == [100, 100, 100]
    assert clock.asked == 1


def test_a_step_removes_what_is_due_and_no_more_than_it_may(run: Shell, clock: Clock, storage: MemoryStorage) -> None:
    for n in range(10):
        run(f"SET k{n} v PX {n + 1}")
    run("SELECT 1")
    run("SET other v PX 1")
    run("SET forever v")
    clock.now += 6
    storage.taken()
    engine = run.engine
    assert engine.expire_step(3) == 4
    assert [len(unit) for unit in storage.taken()] == [4]
    assert engine.expire_step() == 2
    assert engine.expire_step() == 0
    assert len(engine.databases[0].values) == 5
    assert engine.databases[1].values.keys() == {b"forever"}
    assert run("GET forever") == b"v"


def test_commands_take_a_step_now_and_then(run: Shell, clock: Clock) -> None:
    for n in range(50):
        run(f"SET k{n} v PX 10")
    run("SELECT 1")
    clock.now += 11
    for _ in range(300):
        run("PING")
    assert not run.engine.databases[0].values
    assert run("PING") == b"PONG"
    run("SET here v")
    assert run.engine.databases[1].values == {b"here": b"v"}


def test_refreshed_deadlines_do_not_pile_up(run: Shell, clock: Clock) -> None:
    run("SET a v")
    for n in range(5000):
        run(f"PEXPIRE a {100_000 + n}")
    database = run.engine.databases[0]
    assert len(database.due) < 100
    database.check()
    run("PERSIST a")
    clock.now += 1_000_000
    assert run.engine.expire_step() == 0
    assert run("GET a") == b"v"


def test_deadlines_follow_their_key(run: Shell, clock: Clock) -> None:
    run("SET a v PX 100")
    run("RENAME a b")
    run("COPY b c")
    run("MOVE c 1")
    run("SET d v")
    run("RENAME d b2")
    run("SWAPDB 0 2")
    clock.now += 101
    assert run.engine.expire_step() == 2
    run("SELECT 2")
    assert run("KEYS *") == [b"b2"]


def test_a_collection_that_empties_forgets_its_deadline(run: Shell) -> None:
    run("HSET h a 1")
    run("EXPIRE h 100")
    run("HDEL h a")
    run("HSET h a 1")
    assert run("TTL h") == -1
    run.engine.databases[0].check()
