"""Bitmaps as a real server has them: every command, option and error, and random ones on strings of many lengths."""

from __future__ import annotations

import random

import pytest

from tests.differential.both import Both


def test_single_bits(both: Both) -> None:
    both.check_all(r"""
        SETBIT k 7 1
        GET k
        SETBIT k 7 0
        GET k
        SETBIT k 100 0
        GET k
        SETBIT k 0 1
        SETBIT k 0 1
        GETBIT k 0
        GETBIT k 1
        GETBIT k 100000
        GETBIT nope 5
        SETBIT k -1 1
        SETBIT k x 1
        SETBIT k 4294967296 1
        SETBIT k 4294967295 2
        SETBIT k 1 2
        SETBIT k 1 -1
        SETBIT k 1 x
        SETBIT k 1 ""
        SETBIT k x x
        SETBIT k #1 1
        SETBIT k 1
        GETBIT k -1
        GETBIT k x
        GETBIT k 4294967296
        GETBIT k
        LPUSH l a
        SETBIT l 0 1
        SETBIT l x 1
        GETBIT l 0
        SET n 10
        SETBIT n 3 0
        GET n
        SET e k EX 1000
        SETBIT e 1 0
        TTL e
    """)


def test_counts(both: Both) -> None:
    both.check_all(r"""
        SET k "foobar\xff\x00"
        BITCOUNT k
        BITCOUNT nope
        BITCOUNT nope 0 x
        BITCOUNT nope 0
        BITCOUNT k 0
        BITCOUNT k 0 0
        BITCOUNT k 1 1
        BITCOUNT k 0 -1
        BITCOUNT k -2 -1
        BITCOUNT k -1 -2
        BITCOUNT k 5 2
        BITCOUNT k -100 100
        BITCOUNT k -100 -90
        BITCOUNT k 100 200
        BITCOUNT k 5 30 BIT
        BITCOUNT k 5 30 bit
        BITCOUNT k 5 30 BYTE
        BITCOUNT k 0 -1 BIT
        BITCOUNT k -9 -3 BIT
        BITCOUNT k 3 3 BIT
        BITCOUNT k 0 0 FOO
        BITCOUNT k 0 1 BIT x
        BITCOUNT k x 1
        BITCOUNT k 1 x
        BITCOUNT k 1 x FOO
        BITCOUNT k 9223372036854775807 -9223372036854775808
        LPUSH l a
        BITCOUNT l
        BITCOUNT l 0
        SET empty ""
        BITCOUNT empty
        BITCOUNT empty 0 -1
        BITCOUNT empty 0 -1 BIT
    """)


def test_positions(both: Both) -> None:
    both.check_all(r"""
        SET k "\xff\xf0\x00"
        BITPOS k 0
        BITPOS k 1
        BITPOS k 1 1
        BITPOS k 1 2
        BITPOS k 0 2
        BITPOS k 0 0 0
        BITPOS k 0 0 -1
        BITPOS k 1 5
        BITPOS k 0 5
        BITPOS k 1 -1
        BITPOS k 0 -1 -1
        BITPOS k 0 2 1
        BITPOS k 1 0 -1 BIT
        BITPOS k 0 0 11 BIT
        BITPOS k 0 3 12 BIT
        BITPOS k 1 9 -1 BIT
        BITPOS k 1 13 -1 BIT
        BITPOS k 0 0 -1 BYTE
        BITPOS k 0 0 -1 FOO
        BITPOS k 0 0 -1 BIT x
        BITPOS k 2
        BITPOS k x
        BITPOS k -1
        BITPOS k 0 x
        BITPOS k 0 0 x
        BITPOS k 0 x 0 FOO
        BITPOS k 0 0 x FOO
        BITPOS nope 0
        BITPOS nope 1
        BITPOS nope 1 x
        BITPOS nope 0 0 -1
        SET ones "\xff\xff\xff"
        BITPOS ones 0
        BITPOS ones 0 0
        BITPOS ones 0 0 -1
        BITPOS ones 0 3
        BITPOS ones 0 2
        BITPOS ones 0 0 -1 BIT
        BITPOS ones 1 25 30 BIT
        SET empty ""
        BITPOS empty 0
        BITPOS empty 1
        BITPOS empty 0 0
        BITPOS empty 0 0 -1
        LPUSH l a
        BITPOS l 0
        BITPOS l 2
    """)


def test_operations(both: Both) -> None:
    both.check_all(r"""
        SET a "\xff\x0f"
        SET b "\x0f"
        SET n 10
        BITOP AND d a b
        GET d
        BITOP OR d a b nope
        GET d
        BITOP XOR d a b
        GET d
        BITOP NOT d a
        GET d
        BITOP and d n a
        GET d
        BITOP NOT d a b
        BITOP NOT d
        BITOP FOO d a
        BITOP AND d
        BITOP AND d nope
        EXISTS d
        BITOP AND d nope nope2
        BITOP NOT d nope
        LPUSH l x
        BITOP AND d a l
        BITOP OR l a b
        TYPE l
        SET d x EX 100
        BITOP OR d a
        TTL d
        BITOP OR a a b
        GET a
        SET empty ""
        BITOP OR a empty
        EXISTS a
    """)


def test_fields(both: Both) -> None:
    both.check_all(r"""
        BITFIELD k
        EXISTS k
        BITFIELD k GET u8 0
        EXISTS k
        BITFIELD k SET i5 100 1 GET u4 0
        GET k
        BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1
        BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1
        BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1
        BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1
        BITFIELD k OVERFLOW FAIL INCRBY u2 102 1
        BITFIELD k OVERFLOW FAIL SET u2 102 7
        BITFIELD fresh OVERFLOW FAIL SET u2 102 7
        STRLEN fresh
        BITFIELD k SET u8 #0 255 SET u8 #1 7 GET u16 #0 GET i16 0
        BITFIELD k SET i64 0 -1 INCRBY i64 0 9223372036854775807
        BITFIELD k SET i64 0 9223372036854775807 INCRBY i64 0 1
        BITFIELD k SET i64 0 9223372036854775807 OVERFLOW SAT INCRBY i64 0 1
        BITFIELD k SET i64 0 -9223372036854775808 OVERFLOW SAT INCRBY i64 0 -1
        BITFIELD k SET i64 0 -9223372036854775808 OVERFLOW FAIL INCRBY i64 0 -1
        BITFIELD k SET u63 0 9223372036854775807 INCRBY u63 0 1
        BITFIELD k SET u63 1 9223372036854775807 OVERFLOW SAT INCRBY u63 1 1
        BITFIELD k SET u8 0 0 INCRBY u8 0 -1
        BITFIELD k SET u8 0 0 OVERFLOW SAT INCRBY u8 0 -1
        BITFIELD k SET u8 0 0 OVERFLOW FAIL INCRBY u8 0 -1
        BITFIELD k SET u8 0 -1
        BITFIELD k OVERFLOW SAT SET u8 0 -1
        BITFIELD k OVERFLOW SAT SET u8 0 256
        BITFIELD k OVERFLOW SAT SET i8 0 256
        BITFIELD k OVERFLOW SAT SET i8 0 -256
        BITFIELD k OVERFLOW FAIL SET u8 0 -1
        BITFIELD k SET i8 0 200
        BITFIELD k SET i1 3 1 GET i1 3 GET u1 3
        BITFIELD k get u8 0 set u8 0 1 overflow wrap incrby u8 0 255
        GET k
        BITFIELD k GET u64 0
        BITFIELD k GET i65 0
        BITFIELD k GET u0 0
        BITFIELD k GET x8 0
        BITFIELD k GET U8 0
        BITFIELD k GET u 0
        BITFIELD k GET "" 0
        BITFIELD k GET u8 -1
        BITFIELD k GET u8 x
        BITFIELD k GET u8 #x
        BITFIELD k GET u8 #
        BITFIELD k GET u8 #-1
        BITFIELD k GET u8 4294967295
        BITFIELD k GET u8 4294967296
        BITFIELD k GET u8 #536870911
        BITFIELD k GET u8 #536870912
        BITFIELD k SET u8 0 x
        BITFIELD k INCRBY u8 0 9223372036854775808
        BITFIELD k SET u8 0
        BITFIELD k GET u8
        BITFIELD k GET
        BITFIELD k OVERFLOW
        BITFIELD k OVERFLOW FOO
        BITFIELD k OVERFLOW FOO GET u8
        BITFIELD k FOO u8 0
        BITFIELD k SET u8 0 1 GET x8 0
        BITFIELD_RO k GET u8 0 GET i8 0
        BITFIELD_RO k SET u8 0 1
        BITFIELD_RO k OVERFLOW SAT GET u8 0
        BITFIELD_RO k INCRBY u8 0 x
        BITFIELD_RO k
        BITFIELD_RO nope GET u8 7
        LPUSH l a
        BITFIELD l GET u8 0
        BITFIELD l SET u8 0 1
        BITFIELD_RO l GET u8 0
        BITFIELD l
        BITFIELD
    """)


@pytest.mark.parametrize("seed", range(3))
def test_random_bits(both: Both, seed: int) -> None:
    choose = random.Random(seed)
    places = [b"0", b"1", b"-1", b"7", b"8", b"-9", b"100", b"2000", b"-5000"]
    commands: list[list[bytes]] = []
    for size in (1, 2, 3, 7, 8, 9, 100, 1000):
        fill = choose.choice((b"\0", b"\xff"))
        value = bytearray(fill * size)
        for _ in range(choose.randrange(3)):
            value[choose.randrange(size)] = choose.randrange(256)
        commands.append([b"SET", b"v%d" % size, bytes(value)])
    keys = [command[1] for command in commands]
    for _ in range(400):
        key, unit = choose.choice(keys), choose.choice(([], [b"BYTE"], [b"BIT"], [b"BIT"]))
        low, high = choose.choice(places), choose.choice(places)
        width = choose.randrange(1, 64)
        kind = b"%c%d" % (choose.choice(b"iu"), width)
        overflow = [b"OVERFLOW", choose.choice((b"WRAP", b"SAT", b"FAIL"))]
        amount = b"%d" % (choose.choice((-1, 1)) * choose.getrandbits(choose.choice((3, 20, 62))))
        place = b"%d" % choose.randrange(900)
        verb = choose.choice((b"SET", b"INCRBY"))
        commands.append(
            choose.choice(
                (
                    [b"BITCOUNT", key, low, high, *unit],
                    [b"BITPOS", key, choose.choice((b"0", b"1")), low, high, *unit],
                    [b"BITPOS", key, choose.choice((b"0", b"1")), low],
                    [b"BITPOS", key, choose.choice((b"0", b"1"))],
                    [b"BITOP", choose.choice((b"AND", b"OR", b"XOR")), choose.choice(keys), key, choose.choice(keys)],
                    [b"BITOP", b"NOT", choose.choice(keys), key],
                    [b"SETBIT", key, place, choose.choice((b"0", b"1"))],
                    [b"BITFIELD", key, *overflow, verb, kind, place, amount, b"GET", kind, place],
                )
            )
        )
        commands.append([b"GET", key])
    for args in commands:
        both.check(args)
    both.check_keyspace(databases=1)


def test_long_strings(both: Both) -> None:
    """Longer than the pieces in which bits are counted and searched."""
    size = 300_000
    for name, fill, other in ((b"zeros", b"\0", b"\x10"), (b"ones", b"\xff", b"\xef")):
        for place in (0, 65_535, 65_536, 200_001, size - 1):
            both.check([b"SET", name, fill * place + other + fill * (size - place - 1)])
            for low, high in ((b"0", b"-1"), (b"1", b"-2"), (b"65536", b"200001"), (b"-65537", b"-1")):
                for bit in (b"0", b"1"):
                    both.check([b"BITPOS", name, bit, low, high])
                    both.check([b"BITPOS", name, bit, low + b"1", high, b"BIT"])
                both.check([b"BITCOUNT", name, low, high])
                both.check([b"BITCOUNT", name, low + b"1", high, b"BIT"])
            both.check([b"BITPOS", name, b"0"])
            both.check([b"BITPOS", name, b"1"])
