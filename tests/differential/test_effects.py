"""What the engine hands to its storage is what a real server writes to its append-only file, unit by unit."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.seam import Effect
from redmodel.engine.values.stream import Stream
from redmodel.errors import ReplyError
from tests import servers
from tests.differential.both import words
from tests.differential.wire import Connection, parse

SCRIPT = r"""
    SET a 1 EX 100
    SET a 1 PX 500000
    SET a 1 EXAT 4102444800
    SET a 1 PXAT 4102444800123 NX
    SET a 1 PXAT 4102444800123 XX
    SET a 2 KEEPTTL
    SET a 2 GET
    SET a 3 XX GET EX 50
    SET a 3 GET KEEPTTL
    SET a 3 NX GET
    SET nope 3 XX
    set a lower
    SETEX a 10 v
    PSETEX a 100000 v
    SETNX a 1
    SETNX b 1
    GET a
    GETEX a PERSIST
    GETEX a PERSIST
    GETEX a EX 100
    GETEX a PXAT 4102444800000
    GETEX a
    GETEX a EXAT 1
    GETDEL b
    GETDEL nope
    GETSET k v
    EXPIRE k 100
    PEXPIRE k 100000
    EXPIREAT k 4102444800
    EXPIRE k 100 GT
    PERSIST k
    PERSIST k
    EXPIRE k -1
    EXPIRE nope 100
    INCR n
    INCRBYFLOAT n 1.5
    SET n 10
    DECRBY n 3
    APPEND n xx
    SETRANGE n 3 zz
    SETRANGE n 0 ""
    MSET a 1 b 2
    MSETNX a 1 b 2
    MSETNX m1 1 m2 2
    COPY a c
    COPY a c
    COPY a c DB 1
    RENAME c d
    RENAMENX d a
    RENAMENX d e
    MOVE e 3
    UNLINK a nope
    DEL nope
    TOUCH b
    HSET h f 1 g 2
    HSET h f 1
    HINCRBY h f 2
    HINCRBYFLOAT h g 1.5
    HSETNX h f 9
    HSETNX h x 9
    HMSET h a 1
    HDEL h f nope
    HDEL h nope
    RPUSH l a b c d e f
    LPOP l 2
    LPOP l 0
    RPOPLPUSH l l2
    LMOVE l l2 LEFT RIGHT
    LMPOP 2 nope l LEFT COUNT 2
    LREM l2 0 nope
    LREM l2 0 f
    LTRIM l2 0 -1
    LSET l2 0 x
    LINSERT l2 BEFORE x y
    LINSERT l2 BEFORE nope y
    LPUSHX nope a
    RPOP l2
    SADD st a b c
    SADD st a
    SREM st a
    SREM st nope
    SMOVE st s2 b
    SMOVE st s2 nope
    SMOVE s2 s2 b
    SPOP st
    SADD st a b
    SPOP st 5
    SPOP st 5
    SADD s1 a b
    SINTERSTORE d2 s1 s2
    SINTERSTORE d2 s1 nope
    SINTERSTORE d2 s1 nope
    SUNIONSTORE d2 s1 s2
    SDIFFSTORE d2 s1 s2
    ZADD z 1 a 2 b
    ZADD z 1 a
    ZADD z NX 5 a
    ZADD z INCR 1 a
    ZADD z GT 0 a
    ZINCRBY z 0 a
    ZINCRBY z 1 a
    ZREM z nope
    ZADD z 3 c 4 d 5 e 6 f
    ZPOPMIN z
    ZPOPMIN z 0
    ZPOPMAX z 1
    ZMPOP 2 nope z MIN COUNT 2
    ZMPOP 1 z MAX
    ZMPOP 1 nope MIN
    ZADD z 1 a 2 b
    ZRANGESTORE dz z 0 1
    ZRANGESTORE dz z 10 11
    ZRANGESTORE dz z 10 11
    ZUNIONSTORE dz 1 z
    ZINTERSTORE dz 2 z nope
    ZREMRANGEBYSCORE z 100 200
    ZREMRANGEBYRANK z 0 0
    SETBIT bits 7 1
    SETBIT bits 7 1
    SETBIT bits 100 0
    BITFIELD bits GET u8 0
    BITFIELD bits SET u8 0 1 INCRBY u8 8 1
    BITFIELD bits SET u8 0 1
    BITFIELD bits OVERFLOW FAIL SET u8 0 300
    BITFIELD bits OVERFLOW FAIL SET u8 900 300
    BITOP AND bd bits nope
    BITOP AND bd nope
    BITOP AND bd nope
    PFADD pf a b
    PFADD pf a b
    PFCOUNT pf
    PFCOUNT pf
    PFADD pf
    PFADD pf2
    PFMERGE pf2 pf
    PFCOUNT pf pf2
    PFDEBUG TODENSE pf
    GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
    GEOADD geo 13.361389 38.115556 Palermo
    GEOADD geo NX CH 13.361389 38.115556 Palermo
    GEOADD geo CH 13.5 38.115556 Palermo
    GEOSEARCHSTORE gd geo FROMLONLAT 15 37 BYBOX 400 400 km
    GEOSEARCHSTORE gd geo FROMLONLAT 15 37 BYBOX 1 1 km
    GEOSEARCHSTORE gd geo FROMLONLAT 15 37 BYBOX 1 1 km
    GEORADIUS geo 15 37 200 km STORE gd
    GEORADIUS geo 15 37 200 km
    GEORADIUS geo 15 37 1 km STORE gd
    RPUSH so 3 1 2
    SORT so STORE sd
    SORT so
    SORT nope STORE sd
    SORT nope STORE sd
    XADD x * f v
    XTRIM x MAXLEN 0
    XADD x NOMKSTREAM MINID 1-2 4000000000000-1 f v
    XADD x 4000000000000-* f v
    XADD x MAXLEN 1 4000000000000-* f v
    XADD x MAXLEN ~ 1 LIMIT 5 4000000000001-* f v
    XADD x MINID ~ 1 4000000000001-* f v
    XADD x maxlen ~ 0 4000000000002 f v
    XADD x MINID ~ 4000000000009 4000000000003-* f v
    XADD x 4000000000004-1 f v
    XADD x 4000000000004-2 f v
    XADD x 4000000000004-3 f v
    XADD x NOMKSTREAM MAXLEN = 3 4000000000004-4 f v
    XADD nope NOMKSTREAM 1-1 f v
    XADD x 1-1 f v
    XDEL x 4000000000004-4 1-1
    XDEL x 1-1
    XTRIM x MAXLEN 9
    XTRIM x MAXLEN ~ 1
    XTRIM x MAXLEN ~ 1 LIMIT 0
    XTRIM x MAXLEN 2
    XTRIM x MINID 4000000000004-3
    XSETID x 4000000000009-9 ENTRIESADDED 50
    XSETID x 4000000000009-9
    XGROUP CREATE x g 0
    XGROUP CREATE x g 0
    XGROUP CREATE x2 g $ MKSTREAM
    XGROUP CREATECONSUMER x g cc
    XGROUP CREATECONSUMER x g cc
    XADD x 4000000000010-1 f v
    XADD x 4000000000010-2 f v
    XADD x 4000000000010-3 f v
    XREAD STREAMS x 0
    XREADGROUP GROUP g c1 COUNT 1 STREAMS x >
    XREADGROUP GROUP g c2 STREAMS x x2 > >
    XREADGROUP GROUP g c2 STREAMS x >
    XREADGROUP GROUP g c2 STREAMS x 0
    XREADGROUP GROUP g c3 STREAMS x 0
    XREADGROUP GROUP g c4 NOACK STREAMS x 0
    XREADGROUP GROUP g c4 NOACK STREAMS x 0
    XREADGROUP GROUP g c5 NOACK STREAMS x >
    XADD x 4000000000011-1 f v
    XADD x 4000000000011-2 f v
    XADD x 4000000000011-3 f v
    XREADGROUP GROUP g c5 NOACK COUNT 1 STREAMS x >
    XREADGROUP GROUP g c5 NOACK COUNT 1 STREAMS x >
    XDEL x 4000000000010-2
    XREADGROUP GROUP g c2 STREAMS x 0
    XACK x g 4000000000004-3
    XACK x g 4000000000004-3
    XACK x nope 4000000000004-3
    XPENDING x g
    XCLAIM x g c3 0 4000000000010-1
    XCLAIM x g c3 0 4000000000010-1 4000000000010-3 JUSTID
    XCLAIM x g c3 1000000 4000000000010-1
    XCLAIM x g c3 0 4000000000010-2
    XCLAIM x g c3 0 4000000000010-2
    XCLAIM x g c6 0 4000000000011-1 FORCE IDLE 5 RETRYCOUNT 7
    XCLAIM x g c6 0 4000000000010-2 LASTID 4000000000011-3
    XCLAIM x g c6 0 4000000000010-2 LASTID 4000000000011-3
    XDEL x 4000000000010-3
    XAUTOCLAIM x g c7 0 0 COUNT 1
    XAUTOCLAIM x g c7 0 0
    XAUTOCLAIM x g c7 1000000 0
    XAUTOCLAIM x g c8 0 0 JUSTID
    XGROUP SETID x g $
    XGROUP SETID x g 0 ENTRIESREAD 3
    XADD x 4000000000012-1 f v
    XREADGROUP GROUP g c8 STREAMS x >
    XGROUP DELCONSUMER x g c8
    XGROUP DELCONSUMER x g c8
    XGROUP DESTROY x g
    XGROUP DESTROY x g
    MULTI
    XADD x * f v
    XADD x MAXLEN ~ 100 * f v
    XGROUP CREATE x m 0
    XREADGROUP GROUP m c STREAMS x 0
    XREADGROUP GROUP m c COUNT 2 STREAMS x >
    XLEN x
    EXEC
    SWAPDB 0 1
    SELECT 5
    SET q 1
    SELECT 0
    MULTI
    SET a 1
    GET a
    INCRBY a 1
    EXPIREAT a 4102444800
    EXEC
    MULTI
    GET a
    EXEC
    MULTI
    SET a 1
    HGET a f
    SELECT 2
    SET two 2
    EXEC
    SET three 3
    SELECT 0
    MULTI
    SET dropped 1
    DISCARD
    INCR h
    FLUSHDB
    FLUSHDB ASYNC
    FLUSHALL
    PUBLISH ch m
"""


class Memory:
    """A storage that only remembers."""

    def __init__(self) -> None:
        self.units: list[list[Effect]] = []

    def replay(self) -> Iterator[tuple[bytes, ...]]:
        return iter(())

    def append(self, unit: Sequence[Effect]) -> None:
        self.units.append([(db, tuple(args)) for db, args in unit])

    def close(self) -> None:
        pass


def units_of(log: bytes) -> list[list[Effect]]:
    """The units in an append-only file: SELECT taken out, MULTI and EXEC made one unit."""
    units: list[list[Effect]] = []
    database, at, together = 0, 0, False
    while at < len(log):
        (_, items), at = parse(log, at)
        args = tuple(item for _, item in items)
        name = args[0].upper()
        if name == b"SELECT":
            database = int(args[1])
        elif name in (b"MULTI", b"EXEC"):
            together = name == b"MULTI"
            if together:
                units.append([])
        elif together:
            units[-1].append((database, args))
        else:
            units.append([(database, args)])
    return units


def alike(one: list[list[Effect]], other: list[list[Effect]]) -> bool:
    """Whether units are the same but for the case of names, and for times that two clocks read a little apart."""

    def same(arg: bytes, twin: bytes) -> bool:
        if arg == twin:
            return True
        time, _, sequence = arg.partition(b"-")
        other, _, other_sequence = twin.partition(b"-")
        if sequence != other_sequence or not len(time) == len(other) == 13 or not time.isdigit():
            return False
        return abs(int(time) - int(other)) < 9_000

    def same_effect(mine: Effect, theirs: Effect) -> bool:
        (db, args), (number, others) = mine, theirs
        if db != number or len(args) != len(others) or args[0].upper() != others[0].upper():
            return False
        return all(map(same, args[1:], others[1:]))

    return [len(unit) for unit in one] == [len(unit) for unit in other] and all(
        same_effect(mine, theirs)
        for unit, twin in zip(one, other, strict=True)
        for mine, theirs in zip(unit, twin, strict=True)
    )


# With everysec a slow disk would let the server put a write off, and the file is read after each command.
AT_ONCE = {"aof-use-rdb-preamble": "no", "appendfsync": "always"}


@pytest.fixture(scope="module")
def logging_server() -> Iterator[servers.RealServer]:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH: apt-get install redis-server.")
    with servers.RealServer(binary, tcp=False, appendonly=True, options=AT_ONCE) as server:
        if server.version != (7, 0):
            pytest.skip(f"the truth is redis-server 7.0, not {server.version}")
        yield server


def test_effects(logging_server: servers.RealServer) -> None:
    memory = Memory()
    engine, session = Engine(storage=memory), Session()
    real = Connection(logging_server.socket_path)
    log = Path(logging_server.directory, "appendonlydir", "appendonly.aof.1.incr.aof")
    written = logged = 0
    differences: list[str] = []
    for line in SCRIPT.split("\n"):
        args = words(line.strip())
        if not args:
            continue
        real.execute(args)
        try:
            engine.execute(session, args)
        except ReplyError:
            pass
        theirs, ours = units_of(log.read_bytes()), memory.units
        if not alike(theirs[written:], ours[logged:]):
            differences.append(f"{line.strip()}\n  redis  {theirs[written:]}\n  engine {ours[logged:]}")
        written, logged = len(theirs), len(ours)
    real.close()
    assert written > 70, "the server's log was not read"
    assert not differences, "\n" + "\n".join(differences)


def kept(value: object) -> object:
    """What the log keeps of a value. As in Redis it doesn't tell who only looked at pending entries, and how often."""
    if not isinstance(value, Stream):
        return getattr(value, "scores", value)
    groups = {
        name: (group.last_id, {entry: pending.consumer.name for entry, pending in group.pending.items()})
        for name, group in value.groups.items()
    }
    return list(value), value.last_id, value.max_deleted_id, value.entries_added, groups


def test_replaying_the_effects_gives_the_same_keyspace() -> None:
    """A second engine fed with the first one's effects holds the same, after random commands."""
    from tests.differential.random_commands import Generator

    memory = Memory()
    engine, session = Engine(storage=memory), Session()
    for args in Generator(random.Random(5)).commands(5000):
        try:
            engine.execute(session, args)
        except ReplyError:
            pass

    class Kept(Memory):
        def replay(self) -> Iterator[tuple[bytes, ...]]:
            for unit in memory.units:
                for db, args in unit:
                    yield b"SELECT", b"%d" % db
                    yield tuple(args)

    again = Engine(storage=Kept())
    for one, other in zip(engine.databases, again.databases, strict=True):
        assert one.values.keys() == other.values.keys()
        assert one.deadlines == other.deadlines
        for key, value in one.values.items():
            twin = other.values[key]
            assert type(value) is type(twin)
            assert kept(value) == kept(twin), key
        other.check()
