"""HyperLogLog counters hold the same bytes as a real server's, and count the same."""

from __future__ import annotations

import random

import pytest

from tests.differential.both import Both


def test_replies(both: Both) -> None:
    both.check_all(r"""
        PFADD k
        GET k
        PFADD k
        PFCOUNT k
        GET k
        PFADD k a b c
        GET k
        PFADD k a
        PFCOUNT k
        GET k
        PFADD k "" "x y" \xff\x00
        PFCOUNT k k nope
        PFCOUNT nope
        PFCOUNT nope nope2
        PFMERGE d k nope
        GET d
        PFMERGE nothing
        GET nothing
        PFMERGE nothing nope
        PFCOUNT nothing
        PFMERGE nothing nope
        GET nothing
        PFDEBUG ENCODING k
        PFDEBUG DECODE k
        PFDEBUG TODENSE k
        GET k
        PFDEBUG TODENSE k
        PFDEBUG ENCODING k
        PFDEBUG DECODE k
        PFDEBUG GETREG d
        PFDEBUG ENCODING d
        PFDEBUG FOO k
        PFDEBUG FOO nope
        PFDEBUG ENCODING nope
        PFDEBUG ENCODING
        PFDEBUG ENCODING k x
        PFMERGE k2 k d
        GET k2
        PFMERGE d k
        GET d
        PFSELFTEST
        LPUSH l a
        PFADD l a
        PFCOUNT l
        PFCOUNT k l
        PFMERGE l k
        PFMERGE k l
        PFDEBUG ENCODING l
        SET s text
        PFADD s a
        PFCOUNT s
        PFCOUNT k s
        PFMERGE s k
        PFMERGE k s
        PFDEBUG ENCODING s
        SET n 12
        PFADD n a
        PFADD e a
        EXPIRE e 100
        PFADD e b
        TTL e
        PFMERGE e k
        TTL e
    """)


def test_corrupted_counters(both: Both) -> None:
    head = b"HYLL\x01\0\0\0" + bytes(7) + b"\x80"
    both.check([b"RPUSH", b"list", b"a"])
    for value in (
        head,
        head + b"\x7f\xff\x00",
        head + b"\x7f\xfe",
        head + b"\x80",
        b"HYLL\x00" + bytes(11),
        b"HYLL\x02" + bytes(20),
        b"HYLX\x01" + bytes(20),
        b"HYLL\x00" + bytes(12304 - 5),
        b"HYLL\x00" + b"\xff" * (12304 - 5),
        b"HYLL\x01\0\0\0" + b"\x07" + bytes(7) + b"\x7f\xff",
    ):
        both.check([b"SET", b"k", value])
        both.check([b"PFCOUNT", b"k"])
        both.check([b"PFCOUNT", b"k", b"nope"])
        both.check([b"PFADD", b"k", b"a", b"b"])
        both.check([b"PFMERGE", b"d", b"k"])
        both.check([b"PFCOUNT", b"k", b"list"])
        both.check([b"PFMERGE", b"d", b"k", b"list"])
        both.check([b"GET", b"k"])


@pytest.mark.parametrize("seed", range(2))
def test_the_same_bytes(both: Both, seed: int) -> None:
    choose = random.Random(seed)
    keys = [b"a", b"b", b"c"]
    for limit in (b"3000", b"100", b"0"):
        both.check([b"CONFIG", b"SET", b"hll-sparse-max-bytes", limit])
        both.check([b"DEL", *keys])
        for step in range(60):
            key = choose.choice(keys)
            some = choose.choice((1, 2, 10, 100))
            elements = [choose.randbytes(choose.choice((1, 4, 7, 8, 9, 20))) for _ in range(some)]
            if choose.random() < 0.1:
                both.check([b"PFMERGE", key, choose.choice(keys), choose.choice(keys)])
            else:
                both.check([b"PFADD", key, *elements])
            both.check([b"GET", key])
            if not step % 4:
                both.check([b"PFCOUNT", key])
                both.check([b"PFCOUNT", *keys])
    both.check([b"CONFIG", b"SET", b"hll-sparse-max-bytes", b"3000"])


def test_large_counts(both: Both) -> None:
    number = 0
    for size in (500, 2000, 5000):
        for _ in range(4):
            both.check([b"PFADD", b"k", *[b"element:%d" % n for n in range(number, number + size)]])
            number += size
            both.check([b"PFCOUNT", b"k"])
    both.check([b"GET", b"k"])
