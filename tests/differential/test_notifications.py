"""Keyspace events: the same, in the same order, as a real server's, after every command of many random ones."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from redmodel.engine.session import Session
from tests import servers
from tests.differential.both import Both, words
from tests.differential.random_commands import Generator
from tests.differential.wire import Connection, Incomplete, parse

Event = tuple[bytes, bytes]


class Ear:
    """A subscriber to all events of the real server, and one to the engine's."""

    def __init__(self, both: Both, path: str, flags: bytes) -> None:
        both.real.execute([b"CONFIG", b"SET", b"notify-keyspace-events", flags])
        both.engine.execute(both.session, [b"CONFIG", b"SET", b"notify-keyspace-events", flags])
        self.real = Connection(path)
        self.real.execute([b"PSUBSCRIBE", b"__key*"])
        self._ours: list[Event] = []
        self.session = Session()
        self.session.deliver = lambda message: self._ours.append((message[2], message[3]))  # type: ignore[index]
        both.engine.pubsub.subscribe_pattern(self.session, b"__key*")

    def real_events(self) -> list[Event]:
        """What came since the last call; the reply to a PING is behind it."""
        self.real.socket.sendall(b"PING\r\n")
        found: list[Event] = []
        while True:
            try:
                reply, at = parse(self.real.buffer)
            except (Incomplete, IndexError):
                self.real.buffer += self.real.socket.recv(1 << 20)
                continue
            self.real.buffer = self.real.buffer[at:]
            if reply[1][0] == ("$", b"pong"):
                return found
            found.append((reply[1][2][1], reply[1][3][1]))

    def our_events(self) -> list[Event]:
        found, self._ours[:] = list(self._ours), []
        return found

    def close(self) -> None:
        self.real.close()


Listen = Callable[[Both, bytes], Ear]


@pytest.fixture
def listen(truth: servers.RealServer) -> Iterator[Listen]:
    """Makes an ear for some flags."""
    ears: list[Ear] = []

    def make(both: Both, flags: bytes) -> Ear:
        ears.append(Ear(both, truth.socket_path, flags))
        return ears[-1]

    yield make
    for ear in ears:
        ear.close()


def _check(both: Both, ear: Ear, args: list[bytes]) -> None:
    real, ours = both.real.execute(args), both.ask_engine(args)
    expected, got = ear.real_events(), ear.our_events()
    assert expected == got, f"{args} -> {real} {ours}\n  redis  {expected}\n  engine {got}"


LINES = """
SET k v
SET k v EX 100
SET k v KEEPTTL
SET k v GET
SET k v XX
SETEX k 100 v
PSETEX k 100000 v
SETNX k v
DEL k
SETNX k v
MSET k 1 l 2 k 3
MSETNX m 1 n 2
GETSET k v
GETSET new v
GETEX k EX 100
GETEX k PERSIST
GETEX k PERSIST
GETEX k EXAT 1
GETDEL new
APPEND a x
APPEND a y
SETRANGE a 5 x
SETRANGE b 5 x
SETRANGE b 5 ''
INCR i
DECRBY i 3
INCRBYFLOAT i 1.5
INCRBYFLOAT j 1.5
EXPIRE i 100
EXPIRE i 0
EXPIRE i 100
PEXPIREAT j 99999999999999
PERSIST j
PERSIST j
DEL a b nothing
UNLINK j
FLUSHALL
HSET h a 1 b 2
HSET h a 1
HSETNX h c 3
HSETNX h2 c 3
HINCRBY h a 1
HINCRBYFLOAT h a 1.5
HMSET h3 a 1
HDEL h a nothing
HDEL h b c
RPUSH l a b c
LPUSH l z
LPUSHX l y
RPUSHX nothing y
LINSERT l BEFORE a x
LSET l 0 q
LREM l 0 q
LREM l 0 q
LTRIM l 0 -1
LTRIM l 0 2
LPOP l
RPOP l 10
RPUSH l a b c d
LMOVE l l LEFT RIGHT
LMOVE l l2 LEFT RIGHT
LMPOP 1 l LEFT COUNT 2
RPOPLPUSH l l2
BLPOP l2 0
BLMOVE l2 l3 LEFT LEFT 0
BRPOPLPUSH l3 l3 0
BLMPOP 0 1 l3 LEFT
SADD s a b c
SADD s a
SREM s a nothing
SMOVE s s2 b
SMOVE s s2 c
SADD s b x
SMOVE s s2 b
SPOP s
SPOP s2 1
SPOP s2 100
SADD x 1 2 3
SADD y 2 3
SINTERSTORE d x y
SUNIONSTORE d x y
SDIFFSTORE d y x
SDIFFSTORE nothing y x
ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
ZADD z 1 a
ZADD z NX 1 q
ZADD z XX CH 5 q
ZADD z INCR 5 q
ZADD z XX INCR 5 nothing
ZINCRBY z 0 q
ZINCRBY z2 1 q
ZREM z q
ZPOPMIN z
ZPOPMAX z 1
ZMPOP 1 z MIN
BZPOPMIN z 0
ZRANGESTORE zz z 0 -1
ZUNIONSTORE zzz 2 z zz
ZINTERSTORE zzz 2 z zz
ZDIFFSTORE zzz 2 z zz
ZREMRANGEBYRANK z 0 0
ZREMRANGEBYSCORE zz -inf inf
ZREMRANGEBYLEX z2 - +
BZPOPMAX z 0
RENAME z2 nothing
SET r v EX 100
RENAME r r2
SET r v
RENAMENX r r2
RENAME r r2
RENAME r2 r2
COPY r2 r3
COPY r2 r3
COPY r2 r3 REPLACE
MOVE r3 1
COPY r2 r3 DB 1 REPLACE
SELECT 1
DEL r3
SELECT 0
RESTORE q 0 "\\x00\\x01v\\n\\x00\\xc9\\x7f\\xd1\\xb2\\x8a\\xd5\\xf9\\x9a"
XADD st 1-1 a b
XADD st MAXLEN 1 2-1 a b
XADD st MAXLEN ~ 1000 3-1 a b
XADD st NOMKSTREAM 4-1 a b
XTRIM st MAXLEN 1
XTRIM st MAXLEN 1
XDEL st 4-1 5-1
XDEL st 4-1
XSETID st 9-9
XGROUP CREATE st g 0
XGROUP CREATE st2 g 0 MKSTREAM
XGROUP CREATECONSUMER st g c
XGROUP CREATECONSUMER st g c
XADD st 10-1 a b
XREADGROUP GROUP g c2 STREAMS st >
XREADGROUP GROUP g c2 STREAMS st 0
XCLAIM st g c3 0 10-1
XAUTOCLAIM st g c4 0 0
XGROUP SETID st g 0
XGROUP DELCONSUMER st g c
XGROUP DELCONSUMER st g c
XGROUP DESTROY st g
XGROUP DESTROY st g
XACK st g 1
SETBIT bits 5 1
SETBIT bits 5 1
SETBIT bits 5 0
SETBIT bits 500 0
BITFIELD bits SET u8 0 5 GET u8 0
BITFIELD field INCRBY u8 0 5
BITFIELD field2 GET u8 0
BITOP OR both bits field
BITOP AND both nothing nothing
PFADD hll a b c
PFADD hll a b c
PFADD hll2
PFCOUNT hll
PFMERGE hll3 hll hll2
PFMERGE hll3 hll hll2
GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEOADD geo CH 13.361389 38.115556 Palermo
GEOSEARCHSTORE near geo FROMMEMBER Palermo BYRADIUS 10 km
GEOSEARCHSTORE near geo FROMLONLAT 0 0 BYRADIUS 10 km
GEORADIUS geo 15 37 200 km STORE near
GEORADIUSBYMEMBER geo Palermo 200 km STOREDIST near2
MULTI
SET k v
INCR k2
DEL k
EXEC
SWAPDB 0 1
FLUSHALL
"""


@pytest.mark.parametrize("flags", [b"KEAn", b"Eg$", b"K", b"Klshz"])
def test_every_command(both: Both, listen: Listen, flags: bytes) -> None:
    ear = listen(both, flags)
    differences = []
    for line in filter(None, LINES.splitlines()):
        try:
            _check(both, ear, words(line))
        except AssertionError as error:
            differences.append(str(error))
    assert not differences, "\n" + "\n".join(differences)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_commands(both: Both, listen: Listen, seed: int) -> None:
    ear = listen(both, b"KEAn")
    for args in Generator(random.Random(seed)).commands(4000):
        _check(both, ear, args)


def test_expired_keys(both: Both, listen: Listen) -> None:
    ear = listen(both, b"Ex")
    for line in ("SET k v PX 1", "HSET h a b", "PEXPIRE h 1"):
        _check(both, ear, words(line))
    time.sleep(0.4)
    both.engine.expire_step()
    assert (
        sorted(ear.real_events())
        == sorted(ear.our_events())
        == [
            (b"__keyevent@0__:expired", b"h"),
            (b"__keyevent@0__:expired", b"k"),
        ]
    )


MISSES = """
get k
mget a b
strlen k
getrange k 0 1
substr k 0 1
getex k
getdel k
getset k v
del k
lcs a b
getbit k 0
bitcount k
bitpos k 1
bitfield k get u8 0
bitfield_ro k get u8 0
bitop and d a b
append k v
del k
setrange k 0 v
del k
incr k
del k
incrbyfloat k 1
del k
setnx k v
del k
set k v get
del k
set k v xx
setex k 100 v
del k
hget k f
hmget k f
hgetall k
hkeys k
hvals k
hlen k
hexists k f
hstrlen k f
hrandfield k
hscan k 0
hdel k f
hsetnx k f v
del k
hincrby k f 1
del k
llen k
lindex k 0
lrange k 0 1
lpos k a
lset k 0 a
linsert k before a b
lrem k 0 a
ltrim k 0 1
lpop k
rpop k 2
lpushx k a
lmove k b left left
lmpop 2 a b left
rpoplpush a b
smembers k
sismember k a
smismember k a
scard k
srandmember k
srandmember k 2
srem k a
smove a b c
sinter a b
sunion a b
sdiff a b
sinterstore d a b
sunionstore d a b
sdiffstore d a b
sintercard 2 a b
sscan k 0
zscore k a
zmscore k a
zrank k a
zrevrank k a
zcard k
zrange k 0 1
zrangebyscore k 0 1
zcount k 0 1
zlexcount k - +
zrandmember k
zrandmember k 2
zscan k 0
zpopmin k
zmpop 2 a b min
zrem k a
zremrangebyrank k 0 1
zincrby k 1 a
del k
zunion 2 a b
zinter 2 a b
zdiff 2 a b
zunionstore d 2 a b
zinterstore d 2 a b
zdiffstore d 2 a b
zrangestore d k 0 1
zintercard 2 a b
xlen k
xrange k - +
xread streams k 0
xinfo stream k
xinfo groups k
xpending k g
xdel k 1
xtrim k maxlen 1
xgroup create k g 0
xreadgroup group g c streams k >
xack k g 1
xclaim k g c 0 1
xautoclaim k g c 0 0
xsetid k 1
exists a b
type k
ttl k
pttl k
expiretime k
object encoding k
object refcount k
object idletime k
dump k
persist k
expire k 10
rename a b
renamenx a b
copy a b
move k 1
sort k
sort_ro k
sort k store d
sort k by w_* get g_*
watch k
unwatch
del k
unlink k
keys *
dbsize
scan 0
pfcount k
pfcount a b
pfmerge d a
pfadd k
del d k
geopos k a
geodist k a b
geosearch k fromlonlat 0 0 byradius 1 m
georadius k 0 0 1 m
geosearchstore d k fromlonlat 0 0 byradius 1 m
georadius k 0 0 1 m store d
set x s
copy x y
lpush l 3 1 2
"""


def test_keys_that_were_not_there(both: Both, listen: Listen) -> None:
    ear = listen(both, b"KEAmn")
    differences = []
    for line in filter(None, MISSES.splitlines()):
        try:
            _check(both, ear, words(line))
        except AssertionError as error:
            differences.append(str(error))
    assert not differences, "\n" + "\n".join(differences)
