"""Deadlines of fields, as in Redis 7.4: replies, who notices that a field is gone, what is logged, and what is kept."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage import open_storage
from redmodel.engine.storage.rdb import load_into, save_from
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.errors import ReplyError
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


def test_replies(run: Shell, clock: Clock) -> None:
    run("HSET h a 1 b 2 c 3")
    assert run("HPEXPIRE h 1500 FIELDS 2 a nope") == [1, -2]
    assert run("HTTL h FIELDS 3 a b nope") == [2, -1, -2]
    assert run("HPTTL h FIELDS 1 a") == [1500]
    assert run("HPEXPIRETIME h FIELDS 2 a b") == [clock.now + 1500, -1]
    assert run("HEXPIRETIME h FIELDS 1 a") == [(clock.now + 1500 + 999) // 1000]
    assert run("HEXPIRE h 100 FIELDS 1 a") == [1]
    assert run("HPTTL h FIELDS 1 a") == [100_000]
    assert run(f"HEXPIREAT h {clock.now // 1000 + 50} FIELDS 1 b") == [1]
    assert run(f"HPEXPIREAT h {clock.now + 7} fields 1 c") == [1]
    assert run("HPERSIST h FIELDS 3 a a nope") == [1, -1, -2]
    assert run("HTTL h FIELDS 1 a") == [-1]
    for name in ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"):
        assert run(f"{name} nope FIELDS 2 a b") == [-2, -2]
    for name in ("HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"):
        assert run(f"{name} nope 5 FIELDS 2 a b") == [-2, -2]


def test_conditions(run: Shell) -> None:
    run("HSET h a 1 b 2")
    assert run("HPEXPIRE h 1000 XX FIELDS 1 a") == [0]
    assert run("HPEXPIRE h 1000 GT FIELDS 1 a") == [0]  # none is later than any
    assert run("HPEXPIRE h 1000 NX FIELDS 1 a") == [1]
    assert run("HPEXPIRE h 2000 NX FIELDS 2 a b") == [0, 1]
    assert run("HPEXPIRE h 1500 gt FIELDS 2 a b") == [1, 0]
    assert run("HPEXPIRE h 1200 LT FIELDS 2 a b") == [1, 1]
    assert run("HPEXPIRE h 1200 LT FIELDS 1 a") == [0]
    assert run("HPEXPIRE h 1 XX FIELDS 1 a") == [1]
    run("HSET h c 3")
    assert run("HPEXPIRE h 5 LT FIELDS 1 c") == [1]
    assert run("HPEXPIREAT h 1 NX FIELDS 1 c") == [0]  # the condition comes before the past


def test_a_past_time_deletes_at_once(run: Shell, clock: Clock, storage: MemoryStorage) -> None:
    run("HSET h a 1 b 2")
    storage.taken()
    assert run(f"HPEXPIREAT h {clock.now} FIELDS 2 a a") == [2, -2]
    assert storage.taken() == [[(0, (b"HDEL", b"h", b"a"))]]
    assert run("HEXPIRE h 0 FIELDS 2 b a") == [2, -2]
    assert run("EXISTS h") == 0
    assert storage.taken() == [[(0, (b"HDEL", b"h", b"b"))]]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("HEXPIRE h x FIELDS 1 a", "value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS 1 a", "invalid expire time, must be >= 0"),
        ("HEXPIRE h 70368744178 FIELDS 1 a", "invalid expire time in 'hexpire' command"),
        ("HPEXPIRE h 70368744177663 FIELDS 1 a", "invalid expire time in 'hpexpire' command"),
        ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "invalid expire time in 'hpexpireat' command"),
        ("HEXPIRE h 1 FIELD 1 a", "Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 1 NX XX FIELDS 1 a", "Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 1 FIELDS 0 a", "Parameter `numFields` should be greater than 0"),
        ("HEXPIRE h 1 FIELDS 2 a", "The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE h 1 FIELDS 1 a b", "The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE h 1 FIELDS 1", "wrong number of arguments for 'hexpire' command"),
        ("HTTL h FIELDS 0 a", "Number of fields must be a positive integer"),
        ("HTTL h FIELDS x a", "Number of fields must be a positive integer"),
        ("HTTL h FOO 1 a", "Mandatory argument FIELDS is missing or not at the right position"),
        ("HPERSIST h FIELDS 2 a", "The `numfields` parameter must match the number of arguments"),
        ("HPERSIST h FIELDS 1", "wrong number of arguments for 'hpersist' command"),
        ("HTTL s FIELDS 1 a", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HEXPIRE s x FIELDS 1 a", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_errors(run: Shell, line: str, error: str) -> None:
    run("HSET h a 1")
    run("SET s 1")
    with pytest.raises(ReplyError) as caught:
        run(line)
    assert caught.value.text.removeprefix("ERR ") == error


def test_what_clears_a_deadline_and_what_keeps_it(run: Shell) -> None:
    for line, kept in (
        ("HSET h n 5", False),
        ("HMSET h n 5", False),
        ("HSETNX h n 5", True),
        ("HINCRBY h n 1", True),
        ("HINCRBYFLOAT h n 1.5", True),
        ("HDEL h n", False),
        ("HSET h other 1", True),
    ):
        run("DEL h")
        run("HSET h n 1 z 1")
        run("HEXPIRE h 100 FIELDS 1 n")
        run(line)
        run("HSETNX h n 1")
        assert run("HTTL h FIELDS 1 n") == [100 if kept else -1], line


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("HGET h a", None),
        ("HMGET h a b", [None, b"2"]),
        ("HGETALL h", {b"b": b"2"}),
        ("HKEYS h", [b"b"]),
        ("HVALS h", [b"2"]),
        ("HLEN h", 1),
        ("HSTRLEN h a", 0),
        ("HEXISTS h a", 0),
        ("HRANDFIELD h", b"b"),
        ("HRANDFIELD h 5", [b"b"]),
        ("HSCAN h 0", [b"0", [b"b", b"2"]]),
        ("HDEL h a", 0),
        ("HSETNX h a 1", 1),
        ("HINCRBY h a 7", 7),
        ("HTTL h FIELDS 1 a", [-2]),
        ("HPERSIST h FIELDS 1 a", [-2]),
    ],
)
def test_everybody_sees_that_a_field_is_gone(run: Shell, clock: Clock, line: str, reply: object) -> None:
    run("HSET h a 1 b 2")
    run("HPEXPIRE h 100 FIELDS 1 a")
    clock.now += 100
    assert run("HGET h a") == b"1"
    clock.now += 1
    assert run(line) == reply


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("EXISTS h", 0),
        ("TYPE h", b"none"),
        ("DBSIZE", 0),
        ("KEYS *", []),
        ("SCAN 0", [b"0", []]),
        ("RANDOMKEY", None),
        ("GET h", None),
        ("LLEN h", 0),
        ("DEL h", 0),
        ("DUMP h", None),
        ("HGETALL h", {}),
        ("LPUSH h x", 1),
        ("SET h x NX", b"OK"),
        ("RENAMENX other h", 1),
        ("OBJECT ENCODING h", None),
    ],
)
def test_a_hash_is_gone_with_its_last_field(run: Shell, clock: Clock, line: str, reply: object) -> None:
    if "other" in line:
        run("SELECT 0")
        run("SET other 1")
    run("HSET h a 1 b 2")
    run("HPEXPIRE h 100 FIELDS 2 a b")
    clock.now += 101
    assert run(line) == reply


def test_fields_are_removed_though_nobody_asks(run: Shell, clock: Clock, storage: MemoryStorage) -> None:
    run("HSET h a 1 b 2 c 3")
    run("HSET g a 1")
    run("HPEXPIRE h 100 FIELDS 1 a")
    run("HPEXPIRE h 300 FIELDS 1 b")
    run("HPEXPIRE g 100 FIELDS 1 a")
    storage.taken()
    clock.now += 101
    run.engine.expire_step()
    values = run.engine.databases[0].values
    assert values == {b"h": {b"b": b"2", b"c": b"3"}}
    assert sorted(effect for unit in storage.taken() for effect in unit) == [
        (0, (b"HDEL", b"g", b"a")),
        (0, (b"HDEL", b"h", b"a")),
    ]
    clock.now += 200
    run.engine.expire_step()
    assert values == {b"h": {b"c": b"3"}}


def test_deadlines_go_with_the_key(run: Shell, clock: Clock) -> None:
    run("HSET h a 1 b 2")
    run("HPEXPIRE h 1000 FIELDS 1 a")
    run("COPY h copy")
    run("COPY h other DB 1")
    run("RENAME h renamed")
    dumped = run("DUMP renamed")
    run.engine.execute(run.session, [b"RESTORE", b"restored", b"0", dumped])
    run("MOVE restored 2")
    run("SWAPDB 2 3")
    for number, key in ((0, "copy"), (0, "renamed"), (1, "other"), (3, "restored")):
        run(f"SELECT {number}")
        assert run(f"HPTTL {key} FIELDS 2 a b") == [1000, -1]
    clock.now += 1001
    run.engine.expire_step()
    for number, key in ((0, b"copy"), (0, b"renamed"), (1, b"other"), (3, b"restored")):
        assert run.engine.databases[number].values[key] == {b"b": b"2"}
    run.engine.execute(run.session, [b"RESTORE", b"late", b"0", dumped])
    assert run("HGETALL late") == {b"b": b"2"}


def test_payloads_are_of_version_12_only_where_fields_have_deadlines(run: Shell) -> None:
    run("HSET h a 1 b 2")
    assert run("DUMP h")[-10:-8] == b"\x0a\0"
    run("HEXPIRE h 100 FIELDS 1 a")
    assert run("DUMP h")[-10:-8] == b"\x0c\0"
    assert run("OBJECT ENCODING h") == b"listpackex"
    run("HPERSIST h FIELDS 1 a")
    assert run("DUMP h")[-10:-8] == b"\x0a\0"


def test_what_is_logged(run: Shell, clock: Clock, storage: MemoryStorage) -> None:
    run("HSET h a 1 b 2 c 3")
    storage.taken()
    at = b"%d" % (clock.now + 5000)
    run("HEXPIRE h 5 FIELDS 3 a nope b")
    assert storage.taken() == [[(0, (b"HPEXPIREAT", b"h", at, b"FIELDS", b"2", b"a", b"b"))]]
    run("HEXPIRE h 5 NX FIELDS 1 a")
    assert storage.taken() == []
    run("HINCRBYFLOAT h a 1")
    assert storage.taken() == [
        [(0, (b"HSET", b"h", b"a", b"2")), (0, (b"HPEXPIREAT", b"h", at, b"FIELDS", b"1", b"a"))]
    ]
    run("HPERSIST h FIELDS 1 a")
    assert storage.taken() == [[(0, (b"HPERSIST", b"h", b"FIELDS", b"1", b"a"))]]
    run("HPERSIST h FIELDS 1 a")
    assert storage.taken() == []
    clock.now += 5001
    run("HGET h a")
    assert storage.taken() == [[(0, (b"HDEL", b"h", b"b"))]]


def times(engine: Engine) -> dict[bytes, object]:
    """Every hash with the deadlines of its fields."""
    return {
        key: (dict(value), value.deadlines if isinstance(value, ExpiringHash) else {})
        for key, value in engine.databases[0].values.items()
        if isinstance(value, dict)
    }


def random_lines(seed: int, count: int, now: int) -> Iterator[str]:
    pick = random.Random(seed).choice
    keys, fields = "hgk", "abcde"
    for _ in range(count):
        key, field, other = pick(keys), pick(fields), pick(fields)
        yield pick(
            (
                f"HSET {key} {field} 1 {other} 2",
                f"HSET {key} {field} 5",
                f"HINCRBY {key} {field} 1",
                f"HINCRBYFLOAT {key} {field} 1.5",
                f"HDEL {key} {field}",
                f"HPEXPIRE {key} {pick((50, 200, 1000, 100000))} FIELDS 2 {field} {other}",
                f"HPEXPIREAT {key} {now + pick((-5, 10, 500))} {pick(('NX', 'XX', 'GT', 'LT'))} FIELDS 1 {field}",
                f"HPERSIST {key} FIELDS 1 {field}",
                f"RENAME {key} {pick(keys)}",
                f"COPY {key} {pick(keys)} REPLACE",
                f"HGETALL {key}",
            )
        )


@pytest.mark.parametrize("seed", range(3))
def test_the_log_gives_the_same_again(tmp_path: Path, clock: Clock, seed: int) -> None:
    first = Engine(storage=open_storage(tmp_path), clock=clock)
    run = Shell(first)
    for number, line in enumerate(random_lines(seed, 600, clock.now)):
        try:
            run(line)
        except ReplyError:
            pass
        clock.now += number % 3
        if number == 400:
            first.rewrite()
    first.databases[0].check()
    wanted = times(first)
    assert any(deadlines for _, deadlines in wanted.values()), "no field had a deadline"  # type: ignore[misc]
    first.close()
    second = Engine(storage=open_storage(tmp_path), clock=clock)
    assert times(second) == wanted
    second.databases[0].check()
    clock.now += 200_000
    second.expire_step()
    assert all(not deadlines for _, deadlines in times(second).values())  # type: ignore[misc]
    second.close()


def test_snapshots_keep_deadlines_and_say_their_version(tmp_path: Path, clock: Clock) -> None:
    run = Shell(Engine(clock=clock))
    run("HSET h a 1 b 2 c 3")
    run("HPEXPIRE h 100 FIELDS 1 a")
    run("HPEXPIRE h 900 FIELDS 1 b")
    file = tmp_path / "dump.rdb"
    save_from(run.engine, file)
    assert file.read_bytes()[:9] == b"REDIS0012"
    clock.now += 200
    other = Engine(clock=clock)
    report = load_into(other, file)
    assert (report.expired, report.warnings) == (1, [])
    assert times(other) == {b"h": ({b"b": b"2", b"c": b"3"}, {b"b": clock.now + 700})}
    other.databases[0].check()
    run("HPERSIST h FIELDS 2 a b")
    save_from(run.engine, file)
    assert file.read_bytes()[:9] == b"REDIS0010"


def test_a_second_opinion() -> None:
    """fakeredis answers the same, but for what it is known to do otherwise."""
    fake = fakeredis.FakeStrictRedis(version=(7, 4))
    run = Shell(Engine())
    for line in random_lines(9, 400, 4_000_000_000_000):
        if line.startswith(("RENAME", "COPY")) or "XX" in line or "GT" in line:
            continue
        try:
            theirs: object = fake.execute_command(*line.split())
        except redis.ResponseError:
            continue
        ours = run(line)
        if line.startswith(("HPEXPIRE", "HPERSIST")):
            assert ours == theirs, line
    session = Session()
    for key in (b"h", b"g", b"k"):
        for field in (b"a", b"b", b"c", b"d", b"e"):
            mine = run.engine.execute(session, [b"HTTL", key, b"FIELDS", b"1", field])
            theirs = fake.execute_command("HTTL", key, "FIELDS", 1, field)
            assert (mine == [-1]) == (theirs == [-1]), (key, field)
