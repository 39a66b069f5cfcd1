"""Random commands from a seed, and a program that plays them to a real server and to the engine.

``python -m tests.differential.random_commands 300000 7`` plays 300,000 commands from seed 7 against a redis-server of
its own and prints the first difference. The same seed gives the same commands, so a difference can be played again.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator

from tests import servers
from tests.differential.both import Both
from tests.differential.wire import Parsed

Args = list[bytes]

KEYS = [b"k%d" % n for n in range(12)]
MEMBERS = [b"a", b"b", b"c", b"d", b"e", b"1", b"2", b"30", b"x y", b"", b"\xff\0", b"m" * 70]
INTEGERS = [b"0", b"1", b"2", b"3", b"5", b"10", b"-1", b"-2", b"-100", b"100"]
ODD_NUMBERS = [b"x", b"", b"1.5", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b" 1", b"+1"]
SCORES = [b"0", b"1", b"2", b"3", b"1.5", b"-1", b"0.1", b"1e3", b"inf", b"-inf", b"3.0"]
STREAMS = [b"k0", b"s1", b"s2"]
GROUPS = [b"g", b"h"]
COUNTERS = [b"k0", b"p1", b"p2", b"p3"]
PLACES = [b"k0", b"g1", b"g2"]
CONSUMERS = [b"c", b"d", b"e"]
PATTERNS = [b"*", b"k?", b"k1*", b"[k]*", b"?", b"[a-c]", b"*x*", b"nope", b"\\*"]
FAR = 4_102_444_800
# Commands whose reply would be a time or a choice of the server if an argument changed.
UNSPOILT = frozenset(
    b"EXPIRE PEXPIRE SET GETEX SETEX PSETEX SPOP SRANDMEMBER HRANDFIELD ZRANDMEMBER SCAN HSCAN SSCAN ZSCAN".split()
)


class Generator:
    """An endless supply of random commands: mostly sensible, some with a wrong number, option or type."""

    def __init__(self, source: random.Random, keys: Args = KEYS) -> None:
        self.random = source
        self.keys = keys
        self.pick = self.random.choice
        self.clock = 1  # the milliseconds of the streams' newest ids
        self.makers: list[Callable[[], Args]] = [
            *[self.string] * 4,
            *[self.hash] * 4,
            *[self.set] * 4,
            *[self.list] * 3,
            *[self.sorted_set] * 5,
            *[self.sorted_set_range] * 4,
            *[self.algebra] * 2,
            *[self.stream] * 3,
            *[self.group] * 4,
            *[self.generic] * 4,
            *[self.expiry] * 2,
            *[self.bits] * 3,
            *[self.counter] * 2,
            *[self.geo] * 3,
            *[self.sorting] * 2,
            self.looks,
            self.scan,
            self.transaction,
        ]

    def commands(self, count: int) -> Iterator[Args]:
        for _ in range(count):
            args = self.pick(self.makers)()
            if self.random.random() < 0.01:
                self.spoil(args)
            yield args

    def spoil(self, args: Args) -> None:
        """Drop, double or replace an argument. A key is left alone where a timed option could become relative."""
        at = self.random.randrange(len(args))
        how = self.random.random()
        if args[0] in UNSPOILT or b"lex" in args:
            args.append(b"FOO")
        elif how < 0.4 and len(args) > 1:
            del args[at]
        elif how < 0.7:
            args.insert(at + 1, self.pick(MEMBERS))
        elif at:
            args[at] = self.pick([b"x", b"-1", b"", b"(1", b"[a", b"WITHSCORES", b"0"])

    def some(self, choices: list[bytes], most: int = 4) -> Args:
        return [self.pick(choices) for _ in range(self.random.randint(1, most))]

    def maybe(self, *args: bytes, chance: float = 0.3) -> Args:
        return list(args) if self.random.random() < chance else []

    @property
    def key(self) -> bytes:
        return self.pick(self.keys)

    @property
    def member(self) -> bytes:
        return self.pick(MEMBERS)

    @property
    def integer(self) -> bytes:
        return self.pick(ODD_NUMBERS if self.random.random() < 0.05 else INTEGERS)

    @property
    def score(self) -> bytes:
        return self.pick(ODD_NUMBERS if self.random.random() < 0.03 else SCORES)

    @property
    def value(self) -> bytes:
        return self.pick(MEMBERS + INTEGERS + SCORES)

    def later(self) -> Args:
        """An option with a deadline that does not come while the test runs."""
        return self.pick(
            [
                [b"EX", b"%d" % self.random.randint(10_000, 20_000)],
                [b"PX", b"%d" % self.random.randint(10_000_000, 20_000_000)],
                [b"EXAT", b"%d" % (FAR + self.random.randint(0, 9))],
                [b"PXAT", b"%d" % (FAR * 1000 + self.random.randint(0, 9999))],
                [b"EX", b"0"],
                [b"PX", b"x"],
            ]
        )

    def soon(self) -> Args:
        """What GETEX takes; not SET, since DBSIZE counts a key set into the past until Redis' own clean-up."""
        return self.pick([[], [b"PERSIST"], [b"EXAT", b"1"], self.later(), self.later()])

    def string(self) -> Args:
        key, more = self.key, self.maybe
        return self.pick(
            [
                [b"SET", key, self.value],
                [b"SET", key, self.value, *more(self.pick([b"NX", b"XX", b"KEEPTTL"])), *more(b"GET")],
                [b"SET", key, self.value, *self.later(), *more(self.pick([b"NX", b"XX", b"KEEPTTL", b"GET"]))],
                [b"GET", key],
                [b"MGET", *self.some(self.keys)],
                [b"MSET", key, self.value, self.key, self.value],
                [b"MSETNX", key, self.value, self.key, self.value],
                [b"SETNX", key, self.value],
                [b"GETSET", key, self.value],
                [b"GETDEL", key],
                [b"GETEX", key, *self.soon()],
                [b"APPEND", key, self.value],
                [b"STRLEN", key],
                [b"SETRANGE", key, self.integer, self.value],
                [b"GETRANGE", key, self.integer, self.integer],
                [b"INCR", key],
                [b"DECRBY", key, self.integer],
                [b"INCRBY", key, self.integer],
                [b"INCRBYFLOAT", key, self.score],
                [b"LCS", key, self.key, *more(self.pick([b"LEN", b"IDX"])), *more(b"WITHMATCHLEN")],
            ]
        )

    def hash(self) -> Args:
        key = self.key
        return self.pick(
            [
                [b"HSET", key, self.member, self.value],
                [b"HSET", key, self.member, self.value, self.member, self.value],
                [b"HMSET", key, self.member, self.value],
                [b"HSETNX", key, self.member, self.value],
                [b"HGET", key, self.member],
                [b"HMGET", key, *self.some(MEMBERS)],
                [b"HGETALL", key],
                [b"HKEYS", key],
                [b"HVALS", key],
                [b"HLEN", key],
                [b"HSTRLEN", key, self.member],
                [b"HEXISTS", key, self.member],
                [b"HDEL", key, *self.some(MEMBERS)],
                [b"HINCRBY", key, self.member, self.integer],
                [b"HINCRBYFLOAT", key, self.member, self.score],
                [b"HRANDFIELD", key, b"0"],
            ]
        )

    def set(self) -> Args:
        key = self.key
        verb = self.pick([b"SINTER", b"SUNION", b"SDIFF"])
        return self.pick(
            [
                [b"SADD", key, *self.some(MEMBERS)],
                [b"SADD", key, *self.some(MEMBERS)],
                [b"SADD", key, *self.some(INTEGERS)],
                [b"SREM", key, *self.some(MEMBERS)],
                [b"SCARD", key],
                [b"SISMEMBER", key, self.member],
                [b"SMISMEMBER", key, *self.some(MEMBERS)],
                [b"SMEMBERS", key],
                [b"SMOVE", key, self.key, self.member],
                [b"SPOP", key, self.pick([b"0", b"100", b"-1"])],
                [b"SRANDMEMBER", key, b"100"],
                [verb, *self.some(self.keys)],
                [verb + b"STORE", key, *self.some(self.keys)],
                [b"SINTERCARD", b"2", key, self.key, *self.maybe(b"LIMIT", self.integer)],
            ]
        )

    def list(self) -> Args:
        key, side = self.key, self.pick([b"LEFT", b"RIGHT"])
        return self.pick(
            [
                [self.pick([b"LPUSH", b"RPUSH"]), key, *self.some(MEMBERS)],
                [self.pick([b"LPUSH", b"RPUSH"]), key, *self.some(MEMBERS)],
                [self.pick([b"LPUSHX", b"RPUSHX"]), key, self.member],
                [self.pick([b"LPOP", b"RPOP"]), key, *self.maybe(self.integer)],
                [b"LLEN", key],
                [b"LINDEX", key, self.integer],
                [b"LRANGE", key, self.integer, self.integer],
                [b"LSET", key, self.integer, self.value],
                [b"LINSERT", key, self.pick([b"BEFORE", b"AFTER"]), self.member, self.value],
                [b"LREM", key, self.integer, self.member],
                [b"LTRIM", key, self.integer, self.integer],
                [b"LPOS", key, self.member, *self.maybe(b"RANK", self.integer), *self.maybe(b"COUNT", self.integer)],
                [b"LMOVE", key, self.key, side, self.pick([b"LEFT", b"RIGHT"])],
                [b"RPOPLPUSH", key, self.key],
                [b"LMPOP", b"2", key, self.key, side, *self.maybe(b"COUNT", self.integer)],
            ]
        )

    def sorted_set(self) -> Args:
        key, score, member = self.key, self.score, self.member
        flags = [flag for flag in (b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR") if self.random.random() < 0.15]
        return self.pick(
            [
                [b"ZADD", key, score, member],
                [b"ZADD", key, score, member, self.score, self.member, self.score, self.member],
                [b"ZADD", key, *flags, score, member],
                [b"ZADD", key, *flags, score, member, self.score, self.member],
                [b"ZADD", key, b"0", b"a", b"0", b"b", b"0", b"c"],
                [b"ZINCRBY", key, score, member],
                [b"ZREM", key, *self.some(MEMBERS)],
                [b"ZCARD", key],
                [b"ZSCORE", key, member],
                [b"ZMSCORE", key, *self.some(MEMBERS)],
                [b"ZRANK", key, member],
                [b"ZREVRANK", key, member],
                [self.pick([b"ZPOPMIN", b"ZPOPMAX"]), key, *self.maybe(self.integer)],
                [b"ZMPOP", b"2", key, self.key, self.pick([b"MIN", b"MAX"]), *self.maybe(b"COUNT", self.integer)],
                [b"ZRANDMEMBER", key, b"0"],
            ]
        )

    def bound(self, by: bytes) -> bytes:
        if by == b"BYLEX":
            return self.pick([b"-", b"+", b"[" + self.member, b"(" + self.member])
        if by == b"BYSCORE":
            return self.pick([b"-inf", b"+inf", self.score, b"(" + self.score])
        return self.integer

    def sorted_set_range(self) -> Args:
        key, by = self.key, self.pick([b"", b"BYSCORE"])
        low, high = self.bound(by), self.bound(by)
        limit = self.maybe(b"LIMIT", self.integer, self.integer)
        options = [*self.maybe(b"REV"), *limit]
        scores = self.maybe(b"WITHSCORES")
        name = self.pick([b"ZRANGEBYSCORE", b"ZREVRANGEBYSCORE"])
        return self.pick(
            [
                [b"ZRANGE", key, low, high, *([by] if by else []), *options, *scores],
                [b"ZRANGESTORE", key, self.key, low, high, *([by] if by else []), *options],
                [b"ZREVRANGE", key, self.integer, self.integer, *scores],
                [name, key, self.bound(b"BYSCORE"), self.bound(b"BYSCORE"), *limit, *scores],
                [b"ZCOUNT", key, self.bound(b"BYSCORE"), self.bound(b"BYSCORE")],
                [b"ZREMRANGEBYRANK", key, self.integer, self.integer],
                [b"ZREMRANGEBYSCORE", key, self.bound(b"BYSCORE"), self.bound(b"BYSCORE")],
                # Keys of their own: what a range by member is where scores differ, Redis leaves open.
                [b"ZADD", b"lex", b"0", self.member, b"0", self.member],
                [b"ZRANGEBYLEX", b"lex", self.bound(b"BYLEX"), self.bound(b"BYLEX"), *limit],
                [b"ZRANGE", b"lex", self.bound(b"BYLEX"), self.bound(b"BYLEX"), b"BYLEX", *options],
                [b"ZREVRANGEBYLEX", b"lex", self.bound(b"BYLEX"), self.bound(b"BYLEX"), *limit],
                [b"ZLEXCOUNT", b"lex", self.bound(b"BYLEX"), self.bound(b"BYLEX")],
                [b"ZREMRANGEBYLEX", b"lex", self.bound(b"BYLEX"), self.bound(b"BYLEX")],
            ]
        )

    def algebra(self) -> Args:
        verb = self.pick([b"ZUNION", b"ZINTER", b"ZDIFF"])
        keys = self.some(self.keys, 3)
        weights = self.maybe(b"WEIGHTS", *[self.score for _ in keys]) if verb != b"ZDIFF" else []
        ways = self.maybe(b"AGGREGATE", self.pick([b"SUM", b"MIN", b"MAX"])) if verb != b"ZDIFF" else []
        number = b"%d" % len(keys)
        return self.pick(
            [
                [verb, number, *keys, *weights, *ways, *self.maybe(b"WITHSCORES")],
                [verb + b"STORE", self.key, number, *keys, *weights, *ways],
                [b"ZINTERCARD", number, *keys, *self.maybe(b"LIMIT", self.integer)],
            ]
        )

    @property
    def entry(self) -> bytes:
        """An id: mostly of an entry that may be there."""
        if self.random.random() < 0.05:
            return self.pick([b"x", b"-", b"+", b"", b"1-x", b"0-0", b"18446744073709551615-18446744073709551615"])
        return self.pick(
            [b"%d-%d" % (self.random.randint(1, 60), self.random.randint(0, 2)), b"%d" % self.random.randint(1, 60)]
        )

    @property
    def new_entry(self) -> bytes:
        """An id that rises with the commands, so that it is mostly above those that are there."""
        self.clock += self.random.randint(0, 2)
        if self.random.random() < 0.02:
            self.clock = 1
        return self.pick([b"%d-*" % self.clock, b"%d-%d" % (self.clock, self.random.randint(0, 3)), b"%d" % self.clock])

    def recent(self) -> bytes:
        return b"%d-%d" % (max(self.clock - self.random.randint(0, 40), 0), self.random.randint(0, 2))

    def place(self) -> bytes:
        return self.pick([self.entry, self.recent(), self.recent(), b"-", b"+", b"(" + self.recent()])

    def fields(self) -> Args:
        names = [b"f"] if self.random.random() < 0.8 else self.some(MEMBERS, 3)
        return [part for name in names for part in (name, self.value * self.random.choice((1, 1, 1, 9)))]

    def trimming(self) -> Args:
        how = self.pick([[], [b"="], [b"~"], [b"~"]])
        limit = self.maybe(b"LIMIT", self.integer) if how == [b"~"] or self.random.random() < 0.05 else []
        if self.random.random() < 0.6:
            return [b"MAXLEN", *how, self.pick([b"0", b"5", b"50", b"100", b"150", self.integer]), *limit]
        return [b"MINID", *how, self.recent(), *limit]

    def stream(self) -> Args:
        key = self.pick(STREAMS)
        cut = self.trimming() if self.random.random() < 0.1 else []
        count = self.maybe(b"COUNT", self.integer)
        counters = [b"ENTRIESADDED", self.integer], [b"MAXDELETEDID", self.recent()]
        return self.pick(
            [
                *[[b"XADD", key, *cut, self.new_entry, *self.fields()]] * 8,
                [b"XADD", self.key, *self.maybe(b"NOMKSTREAM"), self.new_entry, *self.fields()],
                [b"XLEN", key],
                [b"XRANGE", key, self.place(), self.place(), *count],
                [b"XREVRANGE", key, self.place(), self.place(), *count],
                [b"XDEL", key, *[self.recent() for _ in range(self.random.randint(1, 5))]],
                [b"XTRIM", key, *self.trimming()] if self.random.random() < 0.3 else [b"XLEN", key],
                [b"XSETID", key, self.new_entry, *self.pick([[], *counters])],
                [
                    b"XREAD",
                    *count,
                    b"STREAMS",
                    key,
                    self.pick(STREAMS),
                    self.recent(),
                    self.pick([b"$", self.recent()]),
                ],
                [b"XINFO", b"STREAM", key, *self.maybe(b"FULL")],
                [self.pick([b"COPY", b"RENAMENX"]), key, self.pick(STREAMS)],
                [b"DEL", key] if self.random.random() < 0.1 else [b"TYPE", key],
            ]
        )

    def group(self) -> Args:
        key, name, who = self.pick(STREAMS), self.pick(GROUPS), self.pick(CONSUMERS)
        count = self.maybe(b"COUNT", self.pick([b"1", b"2", b"5", self.integer]))
        idle = self.pick([b"0", b"0", b"0", b"100000000", self.integer])
        if idle.isdigit() and len(idle) < 4:
            idle = b"0"  # a few milliseconds pass between the two sides
        some = [self.recent() for _ in range(self.random.randint(1, 5))]
        place = self.pick([b">", b">", b">", b"0", self.recent()])
        read = self.maybe(b"ENTRIESREAD", self.integer)
        claim = [
            *self.maybe(b"FORCE"),
            *self.maybe(b"JUSTID"),
            *self.maybe(b"RETRYCOUNT", self.integer),
            *self.maybe(self.pick([b"IDLE", b"TIME"]), self.pick([b"0", b"100000000"])),
            *self.maybe(b"LASTID", self.recent(), chance=0.1),
        ]
        return self.pick(
            [
                [
                    b"XGROUP",
                    b"CREATE",
                    key,
                    name,
                    self.pick([b"$", b"0", self.recent()]),
                    *self.maybe(b"MKSTREAM"),
                    *read,
                ],
                [b"XGROUP", b"SETID", key, name, self.pick([b"$", b"0", self.recent()]), *read],
                [b"XGROUP", b"CREATECONSUMER", key, name, who],
                [b"XGROUP", b"DELCONSUMER", key, name, who] if self.random.random() < 0.3 else [b"XLEN", key],
                [b"XGROUP", b"DESTROY", key, name] if self.random.random() < 0.1 else [b"XLEN", key],
                *[[b"XREADGROUP", b"GROUP", name, who, *count, *self.maybe(b"NOACK"), b"STREAMS", key, place]] * 4,
                [b"XREADGROUP", b"GROUP", name, who, *count, b"STREAMS", key, self.pick(STREAMS), place, b">"],
                *[[b"XACK", key, name, *some]] * 2,
                [b"XPENDING", key, name],
                [
                    b"XPENDING",
                    key,
                    name,
                    *self.maybe(b"IDLE", idle),
                    self.place(),
                    self.place(),
                    b"5",
                    *self.maybe(who),
                ],
                [b"XCLAIM", key, name, who, idle, *some, *claim],
                [b"XAUTOCLAIM", key, name, who, idle, self.place(), *count, *self.maybe(b"JUSTID")],
                [b"XINFO", b"GROUPS", key],
                [b"XINFO", b"CONSUMERS", key, name],
            ]
        )

    def generic(self) -> Args:
        return self.pick(
            [
                [b"DEL", *self.some(self.keys, 2)],
                [b"UNLINK", self.key],
                [b"EXISTS", *self.some(self.keys)],
                [b"TYPE", self.key],
                [b"TOUCH", *self.some(self.keys)],
                [b"KEYS", self.pick(PATTERNS)],
                [b"DBSIZE"],
                [b"RENAME", self.key, self.key],
                [b"RENAMENX", self.key, self.key],
                [
                    b"COPY",
                    self.key,
                    self.key,
                    *self.maybe(b"DB", self.pick([b"0", b"1", b"2", b"99"])),
                    *self.maybe(b"REPLACE"),
                ],
                [b"MOVE", self.key, self.pick([b"0", b"1", b"2", b"99"])],
                [b"SELECT", self.pick([b"0", b"0", b"1", b"2"])],
                [b"SWAPDB", self.pick([b"0", b"1"]), self.pick([b"1", b"2"])],
                *[[b"FLUSHDB"] if self.random.random() < 0.02 else [b"DBSIZE"]],
                [b"ECHO", self.member],
            ]
        )

    def expiry(self) -> Args:
        key = self.key
        flags = self.maybe(self.pick([b"NX", b"XX", b"GT", b"LT"]), chance=0.4)
        past = self.random.random() < 0.05
        return self.pick(
            [
                [b"EXPIREAT", key, b"1" if past else b"%d" % (FAR + self.random.randint(0, 99)), *flags],
                [b"PEXPIREAT", key, b"%d" % (FAR * 1000 + self.random.randint(0, 99_999)), *flags],
                [b"EXPIRE", key, b"-1" if past else b"%d" % self.random.randint(10_000, 20_000)],
                [b"PERSIST", key],
                [b"TTL", key],
                [b"PTTL", key],
                [b"EXPIRETIME", key],
                [b"PEXPIRETIME", key],
            ]
        )

    @property
    def bit_place(self) -> bytes:
        return self.pick([b"0", b"1", b"7", b"8", b"13", b"100", b"#0", b"#3", self.integer])

    def bits(self) -> Args:
        key, place, bit = self.key, self.bit_place, self.pick([b"0", b"1"])
        unit = self.maybe(self.pick([b"BIT", b"BYTE", b"bit"]), chance=0.6)
        kind = self.pick([b"u1", b"u4", b"i5", b"u8", b"i8", b"u16", b"i31", b"u63", b"i64", b"u64"])
        overflow = self.maybe(b"OVERFLOW", self.pick([b"WRAP", b"SAT", b"FAIL"]))
        steps = [[b"GET", kind, place], [b"SET", kind, place, self.integer], [b"INCRBY", kind, place, self.integer]]
        return self.pick(
            [
                [b"SETBIT", key, place, bit],
                [b"GETBIT", key, place],
                [b"BITCOUNT", key],
                [b"BITCOUNT", key, self.integer, self.integer, *unit],
                [b"BITPOS", key, bit],
                [b"BITPOS", key, bit, self.integer, *self.maybe(self.integer, *unit)],
                [b"BITOP", self.pick([b"AND", b"OR", b"XOR"]), self.key, key, *self.some(self.keys, 2)],
                [b"BITOP", b"NOT", self.key, key],
                [b"BITFIELD", key, *overflow, *self.pick(steps), *self.pick(steps)],
                [b"BITFIELD_RO", key, *self.pick(steps[:1] * 5 + steps)],
            ]
        )

    def counter(self) -> Args:
        key = self.pick(COUNTERS)
        return self.pick(
            [
                [b"PFADD", key, *self.some(MEMBERS)],
                [b"PFADD", key, *[b"%d" % self.random.randrange(5000) for _ in range(self.random.choice((1, 30)))]],
                [b"PFADD", self.key, self.member],
                [b"PFCOUNT", *self.some(COUNTERS, 3)],
                [b"PFMERGE", key, *self.some(COUNTERS, 2)],
                [b"GET", key],
                [b"DEL", key] if self.random.random() < 0.1 else [b"STRLEN", key],
            ]
        )

    def geo(self) -> Args:
        key = self.pick(PLACES)
        member = b"%d" % self.random.randrange(40)
        spot = [b"%.4f" % self.random.uniform(-180, 180), b"%.4f" % self.random.uniform(-85, 85)]
        size = b"%.2f" % (10 ** self.random.uniform(0, 4.3))
        unit = self.pick([b"km", b"km", b"mi", b"m", b"ft"])
        shape = self.pick([[b"BYRADIUS", size, unit], [b"BYBOX", size, size, unit]])
        where = self.pick([[b"FROMLONLAT", *spot], [b"FROMMEMBER", member]])
        order = [*self.maybe(self.pick([b"ASC", b"DESC"])), *self.maybe(b"COUNT", b"3", *self.maybe(b"ANY"))]
        shown = [option for option in (b"WITHDIST", b"WITHHASH", b"WITHCOORD") if self.random.random() < 0.3]
        kept = self.maybe(self.pick([b"STORE", b"STOREDIST"]), self.key)
        flags = self.maybe(self.pick([b"NX", b"XX", b"CH"]))
        return self.pick(
            [
                *[[b"GEOADD", key, *flags, *spot, member]] * 3,
                [b"GEOADD", self.key, *spot, member],
                [b"GEODIST", key, member, b"%d" % self.random.randrange(40), unit],
                [b"GEOPOS", key, member, self.member],
                [b"GEOHASH", key, member, self.member],
                [b"GEOSEARCH", key, *where, *shape, *order, *shown],
                [b"GEOSEARCHSTORE", self.key, key, *where, *shape, *order, *self.maybe(b"STOREDIST")],
                [b"GEORADIUS", key, *spot, size, unit, *order, *self.pick([kept, shown])],
                [b"GEORADIUSBYMEMBER_RO", key, member, size, unit, *order, *shown],
                [b"ZREM", key, member],
            ]
        )

    def sorting(self) -> Args:
        limit = self.maybe(b"LIMIT", self.integer, self.integer)
        gets = self.maybe(b"GET", self.pick([b"#", b"k*", b"*->a", b"k1*->1"]), chance=0.4)
        way = [*self.maybe(b"DESC"), *self.maybe(b"ALPHA", chance=0.7)]
        kept = self.maybe(b"STORE", self.key, chance=0.2)
        return self.pick(
            [
                [b"SORT", self.key, *way, *limit, *gets, *kept],
                [b"SORT_RO", self.key, *way, *limit, *gets],
                [b"SADD", b"numbers", self.pick(SCORES)],
                [b"RPUSH", b"series", self.pick(SCORES)],
                [b"SORT", b"numbers", *way, *limit, *gets, *kept],
                [b"SORT", b"series", *way, *limit, *self.maybe(b"BY", b"k*->1") * (not limit), *gets, *kept],
                [b"SORT", b"series", b"BY", b"nosort", *way, *limit, *gets],
            ]
        )

    def looks(self) -> Args:
        key = self.pick([*self.keys, b"lex", b"numbers", b"series", *PLACES, *COUNTERS])
        return [b"OBJECT", b"ENCODING", key]

    def scan(self) -> Args:
        key = self.key
        match = self.maybe(b"MATCH", self.pick(PATTERNS))
        return self.pick(
            [
                [
                    b"SCAN",
                    b"0",
                    b"COUNT",
                    b"1000",
                    *match,
                    *self.maybe(b"TYPE", self.pick([b"string", b"zset", b"hash", b"stream"])),
                ],
                [b"HSCAN", key, b"0", b"COUNT", b"1000", *match],
                [b"SSCAN", key, b"0", b"COUNT", b"1000", *match],
                [b"ZSCAN", key, b"0", b"COUNT", b"1000", *match],
            ]
        )

    def transaction(self) -> Args:
        return self.pick([[b"MULTI"], [b"EXEC"], [b"EXEC"], [b"DISCARD"], [b"WATCH", self.key], [b"UNWATCH"]])


class Judge:
    """Compares replies one after the other, and EXEC's by the commands that were queued."""

    def __init__(self, both: Both) -> None:
        self.both = both
        self.queued: list[Args] = []

    def same(self, args: Args, real: Parsed, ours: Parsed) -> bool:
        if real == ours == ("+", b"QUEUED"):
            self.queued.append(args)
            return True
        name = args[0].upper()
        if name == b"EXEC" and isinstance(real[1], list) and isinstance(ours[1], list):
            queued, self.queued = self.queued, []
            replies = zip(queued, real[1], ours[1], strict=True)
            return all(self.same(one, theirs, mine) for one, theirs, mine in replies)
        if name in (b"EXEC", b"DISCARD"):
            self.queued.clear()
        if name in (b"SPOP", b"SRANDMEMBER") and isinstance(real[1], list) and isinstance(ours[1], list):
            return sorted(real[1]) == sorted(ours[1])
        return self.both.same(args, real, ours)


def play(both: Both, seed: int, count: int, *, check_every: int = 5000) -> int:
    """Play commands to both sides and assert equal replies, and now and then equal keyspaces.

    Returns:
        How many commands were played.
    """
    generator, judge = Generator(random.Random(seed)), Judge(both)
    batch: list[Args] = []
    played = 0

    def compare() -> None:
        nonlocal played
        for args, real in zip(batch, both.real.execute_many(batch), strict=True):
            ours = both.ask_engine(args)
            played += 1
            if judge.same(args, real, ours):
                continue
            raise AssertionError(f"seed {seed}, command {played}: {args}\n  redis  {real}\n  engine {ours}")
        batch.clear()

    def end() -> None:
        batch.extend(([b"DISCARD"], [b"UNWATCH"]))
        compare()
        both.check_keyspace(databases=3)

    for args in generator.commands(count):
        batch.append(args)
        if len(batch) == 200:
            compare()
            if played % check_every < 200:
                end()
    compare()
    end()
    return played


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    binary = servers.redis7_binary()
    assert binary is not None, "no redis-server 7 on PATH"
    with servers.RealServer(binary, tcp=False) as server:
        for protocol in (2, 3):
            both = Both(server.socket_path, protocol)
            print(f"RESP {protocol}, seed {seed}: {play(both, seed, count // 2)} commands, no difference")
            both.close()


if __name__ == "__main__":
    main()
