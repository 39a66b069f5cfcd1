"""OBJECT as a real server answers it: encodings by the parameters' thresholds, also where Redis never goes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.both import Both, words

THRESHOLDS = {
    "hash-max-listpack-entries": 512,
    "hash-max-listpack-value": 64,
    "set-max-intset-entries": 512,
    "zset-max-listpack-entries": 128,
    "zset-max-listpack-value": 64,
}


@pytest.fixture
def small(both: Both) -> Iterator[Both]:
    """Both sides with thresholds of four elements and eight bytes."""
    for name in THRESHOLDS:
        both.check(f"CONFIG SET {name} {8 if name.endswith('value') else 4}")
    yield both
    for name, default in THRESHOLDS.items():
        both.check(f"CONFIG SET {name} {default}")


def test_strings(both: Both) -> None:
    both.check_all(r"""
        SET s 10
        OBJECT ENCODING s
        APPEND s 1
        OBJECT ENCODING s
        INCR s
        OBJECT ENCODING s
        SET s text
        OBJECT ENCODING s
        APPEND fresh 5
        OBJECT ENCODING fresh
        APPEND fresh ""
        OBJECT ENCODING fresh
        SETRANGE r 0 12
        OBJECT ENCODING r
        COPY r r2
        OBJECT ENCODING r2
        RENAME r r3
        OBJECT ENCODING r3
        MOVE r3 1
        SELECT 1
        OBJECT ENCODING r3
        SWAPDB 0 1
        OBJECT ENCODING r2
        SELECT 0
        OBJECT ENCODING r3
        SET r3 1
        OBJECT ENCODING r3
        SETBIT b 1 0
        OBJECT ENCODING b
        BITFIELD f SET u8 0 49
        OBJECT ENCODING f
        BITOP OR o b f
        OBJECT ENCODING o
        PFADD p a
        OBJECT ENCODING p
        GETSET o 5
        OBJECT ENCODING o
        INCRBYFLOAT n 1.5
        OBJECT ENCODING n
        APPEND n 1
        SET n 2 KEEPTTL
        OBJECT ENCODING n
        SET e 12345678901234567890
        OBJECT ENCODING e
        SET e -9223372036854775808
        OBJECT ENCODING e
        SET e 01
        OBJECT ENCODING e
        SET e aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        OBJECT ENCODING e
        SET e aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        OBJECT ENCODING e
        SET i 9999
        OBJECT REFCOUNT i
        SET i 10000
        OBJECT REFCOUNT i
        SET i -1
        OBJECT REFCOUNT i
        OBJECT ENCODING nope
        OBJECT REFCOUNT nope
        OBJECT IDLETIME nope
        OBJECT IDLETIME i
        OBJECT FREQ nope
        OBJECT FREQ i
        OBJECT HELP
        OBJECT HELP x
        OBJECT ENCODING
        OBJECT FOO i
        OBJECT
        XGROUP HELP
        XINFO HELP
        XINFO HELP x
    """)


def test_hashes(small: Both) -> None:
    small.check_all(r"""
        HSET h a 1 b 2 c 3 d 4
        OBJECT ENCODING h
        HSCAN h 0 COUNT 1
        HSET h e 5
        OBJECT ENCODING h
        HDEL h e d c b
        OBJECT ENCODING h
        COPY h h2
        OBJECT ENCODING h2
        RENAME h2 h3
        OBJECT ENCODING h3
        HDEL h a
        HSET h a 1
        OBJECT ENCODING h
        HSET h a 123456789
        OBJECT ENCODING h
        HSET h a 1
        OBJECT ENCODING h
        DEL h
        HSET h longer-than-8 1
        OBJECT ENCODING h
        HSET h x 1
        HDEL h longer-than-8
        OBJECT ENCODING h
        DEL h
        HSET h a 12345678
        OBJECT ENCODING h
        HSETNX h b 123456789
        OBJECT ENCODING h
    """)


def test_sets(small: Both) -> None:
    small.check_all(r"""
        SADD s 1 2 3 4
        OBJECT ENCODING s
        SADD s 5
        OBJECT ENCODING s
        SREM s 5 4 3 2
        OBJECT ENCODING s
        SPOP s
        SADD s 7
        OBJECT ENCODING s
        SADD s x
        OBJECT ENCODING s
        SREM s x
        OBJECT ENCODING s
        SMOVE s t 7
        OBJECT ENCODING t
        SADD t x
        SMOVE t s x
        OBJECT ENCODING t
        OBJECT ENCODING s
        SUNIONSTORE u s t
        OBJECT ENCODING u
        SADD u 1 2 3 4 5 6 7
        SADD v 1 2 3 4 5 6 7 8 9 10 11 12
        SINTERSTORE s t t
        OBJECT ENCODING s
    """)


def test_sets_after_many_were_taken(small: Both) -> None:
    small.check("SADD u 1 2 3 4 5 6 7")
    small.check("SADD v 1 2 3 4 5 6 7 8 9 10 11 12")
    for line in ("SPOP u 3", "SPOP v 11"):  # the members are chosen at random
        for ask in (small.real.execute, small.ask_engine):
            ask(words(line))
        small.check(f"SCARD {line.split()[1]}")
        small.check(f"OBJECT ENCODING {line.split()[1]}")


def test_sorted_sets(small: Both) -> None:
    small.check_all(r"""
        ZADD z 1 a 2 b 3 c 4 d
        OBJECT ENCODING z
        ZADD z 5 e
        OBJECT ENCODING z
        ZREM z e d
        OBJECT ENCODING z
        ZUNIONSTORE u 1 z
        OBJECT ENCODING u
        ZADD u 9 longer-than-8
        OBJECT ENCODING u
        ZREM u longer-than-8
        OBJECT ENCODING u
        ZRANGESTORE r u 0 -1
        OBJECT ENCODING r
        ZADD r 8 longer-than-8
        ZPOPMAX r
        OBJECT ENCODING r
        DEL r
        ZADD r 1 a 2 b 3 c 4 d 5 e
        ZREMRANGEBYRANK r 0 2
        OBJECT ENCODING r
        ZADD plain 1 3 2 1
        SORT plain
        OBJECT ENCODING plain
        RPUSH l a
        OBJECT ENCODING l
        XADD x 1 f v
        OBJECT ENCODING x
        GEOADD g 1 1 a
        OBJECT ENCODING g
    """)


def test_thresholds_that_change(both: Both) -> None:
    try:
        both.check_all(r"""
            HSET h a 1 b 2 c 3
            CONFIG SET hash-max-listpack-entries 2
            HSET h d 4
            OBJECT ENCODING h
            CONFIG SET hash-max-listpack-entries 512
            OBJECT ENCODING h
            HSET h e 5
            OBJECT ENCODING h
            CONFIG SET set-max-intset-entries 1
            SADD s 1 2
            OBJECT ENCODING s
            CONFIG SET set-max-intset-entries 512
            OBJECT ENCODING s
            CONFIG SET zset-max-ziplist-value 2
            ZADD z 1 abc
            OBJECT ENCODING z
            CONFIG SET zset-max-ziplist-value 64
            OBJECT ENCODING z
        """)
    finally:
        for name, default in THRESHOLDS.items():
            both.check(f"CONFIG SET {name} {default}")
