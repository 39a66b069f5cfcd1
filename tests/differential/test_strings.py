"""Strings and numbers: every option and every error of their commands, against a real server."""

from __future__ import annotations

from tests.differential.both import Both


def test_set_and_get(both: Both) -> None:
    both.check_all(r"""
        GET a
        SET a 1
        GET a
        get a
        gEt a
        SET a 2 NX
        SET a 2 XX
        SET b 2 XX
        SET b 2 NX
        SET a 3 NX XX
        SET a 3 XX NX
        SET a 3 GET
        SET c 3 GET
        SET d 3 NX GET
        SET d 4 NX GET
        SET e 4 XX GET
        GET e
        SET a v EX 100
        TTL a
        SET a v
        TTL a
        SET a v PX 100000
        PTTL a
        SET a w KEEPTTL
        TTL a
        SET a v EXAT 4102444800
        EXPIRETIME a
        SET a v PXAT 4102444800123
        PEXPIRETIME a
        SET a v EX 0
        SET a v EX -1
        SET a v PX 0
        SET a v EXAT 0
        SET a v PXAT -5
        SET a v EX abc
        SET a v EX 1.5
        SET a v EX 9223372036854775807
        SET a v EX 9223372036854775
        SET a v PX 9223372036854775807
        SET a v PXAT 9223372036854775807
        PTTL a
        SET a v EX 99999999999999999999
        SET a v EX
        SET a v EX 10 PX 10
        SET a v EX 10 KEEPTTL
        SET a v KEEPTTL EX 10
        SET a v KEEPTTL KEEPTTL
        SET a v NX NX GET GET
        SET a v FOO
        SET a v EX 10 EX 10
        SET a v ex 10 get
        SET a
        SET
        SET p v PXAT 1
        EXISTS p
        SET p v EXAT 1
        GET p
        SET "" empty
        GET ""
        SET bin "\x00\xff\r\n"
        GET bin
        SADD s x
        GET s
        SET s 1 GET
        SET s 1 XX GET EX 0
        SET s now
        GET s
        SADD s2 x
        SET s2 v GET NX
        SET s2 v NX
        GET
        GET a b
    """)


def test_setnx_setex_psetex(both: Both) -> None:
    both.check_all(r"""
        SETNX a 1
        SETNX a 2
        GET a
        SETNX a
        SADD s x
        SETNX s v
        SETEX s 100 v
        GET s
        TTL s
        SETEX b 0 v
        SETEX b -1 v
        SETEX b x v
        SETEX b 9223372036854775807 v
        PSETEX b 0 v
        PSETEX b 100000 v
        PTTL b
        PSETEX b 9223372036854775807 v
        SETEX b 10
    """)


def test_getex_getdel_getset(both: Both) -> None:
    both.check_all(r"""
        GETEX nope
        GETEX nope EX 10
        GETEX nope EX 0
        SET a v
        GETEX a
        TTL a
        GETEX a EX 100
        TTL a
        GETEX a PX 100000
        PTTL a
        GETEX a EXAT 4102444800
        EXPIRETIME a
        GETEX a PXAT 4102444800001
        PEXPIRETIME a
        GETEX a PERSIST
        TTL a
        GETEX a PERSIST
        GETEX a EX 0
        GETEX a EX x
        GETEX a PX 9223372036854775807
        GETEX a EX
        GETEX a EX 10 PX 10
        GETEX a PERSIST EX 10
        GETEX a EX 10 PERSIST
        GETEX a PERSIST PERSIST
        GETEX a KEEPTTL
        GETEX a FOO
        GETEX a NX
        GETEX a GET
        GETEX a EXAT 1
        GET a
        SADD s x
        GETEX s
        GETEX s EX 0
        GETEX s EX x
        GETDEL s
        GETSET s v
        GETDEL nope
        SET b 1
        GETDEL b
        GET b
        GETSET b 1
        GETSET b 2
        EXPIRE b 100
        GETSET b 3
        TTL b
        GETSET b
    """)


def test_many_keys(both: Both) -> None:
    both.check_all(r"""
        MSET a 1 b 2
        MGET a b c
        SADD s x
        MGET a s b
        MSET a
        MSET a 1 b
        MSET s now a 5
        GET s
        EXPIRE a 100
        MSET a 6 a 7
        TTL a
        GET a
        MSETNX a 1 z 2
        GET z
        MSETNX y 1 z 2 y 3
        MGET y z
        MSETNX y 1 z
        MSETNX y
        MGET
    """)


def test_pieces(both: Both) -> None:
    both.check_all(r"""
        APPEND a Hello
        APPEND a " World"
        GET a
        STRLEN a
        STRLEN nope
        GETRANGE a 0 3
        GETRANGE a -3 -1
        GETRANGE a 0 -1
        GETRANGE a 10 100
        GETRANGE a 5 3
        GETRANGE a -1 -3
        GETRANGE a -100 2
        GETRANGE a -100 -90
        GETRANGE a 100 200
        GETRANGE a 0 -100
        GETRANGE nope 0 1
        GETRANGE a x 1
        GETRANGE a 0 y
        GETRANGE a 9223372036854775807 -9223372036854775808
        GETRANGE a 0 9223372036854775807
        SUBSTR a 0 3
        SETRANGE a 6 Redis
        GET a
        SETRANGE b 3 xx
        GET b
        SETRANGE c 0 ""
        EXISTS c
        SETRANGE c 5 ""
        SETRANGE a 2 ""
        SETRANGE a -1 x
        SETRANGE a x x
        SETRANGE a 536870912 x
        SETRANGE nope 536870912 x
        SETRANGE a 9223372036854775807 x
        SETRANGE nope 9223372036854775807 ""
        SET n 12345
        APPEND n 678
        INCR n
        SETRANGE n 1 99
        GET n
        GETRANGE n 1 2
        SADD s x
        APPEND s x
        STRLEN s
        GETRANGE s 0 1
        SETRANGE s 0 x
        SETRANGE s 0 ""
        SETRANGE s -1 x
        EXPIRE a 100
        APPEND a !
        SETRANGE a 0 J
        TTL a
    """)


def test_integers(both: Both) -> None:
    both.check_all(r"""
        INCR n
        INCR n
        DECR n
        INCRBY n 10
        DECRBY n 3
        INCRBY n -20
        GET n
        INCRBY n x
        INCRBY n 1.5
        INCRBY n ""
        INCRBY n " 1"
        INCRBY n +1
        INCRBY n 01
        INCRBY n -0
        INCRBY n 9223372036854775808
        DECRBY n -9223372036854775808
        SET n 9223372036854775807
        INCR n
        DECRBY n -1
        SET n -9223372036854775808
        DECR n
        INCRBY n -1
        DECRBY n 1
        INCRBY n 9223372036854775807
        SET n " 5"
        INCR n
        SET n "5 "
        INCR n
        SET n 5_0
        INCR n
        SET n 007
        INCR n
        SET n ""
        INCR n
        SET n 1e3
        INCR n
        SET n 99999999999999999999
        INCR n
        SADD s x
        INCR s
        DECR s
        INCRBY s 1
        INCRBY s x
        INCR
        SET t 1 EX 100
        INCR t
        TTL t
    """)


def test_floats(both: Both) -> None:
    both.check_all(r"""
        INCRBYFLOAT f 10.50
        INCRBYFLOAT f 0.1
        INCRBYFLOAT f -5
        SET f 5.0e3
        INCRBYFLOAT f 2.0e2
        INCRBYFLOAT f 1e-20
        INCRBYFLOAT f 0.3333333333333333333333333
        INCRBYFLOAT f 100000000000000000000
        INCRBYFLOAT f 0x10
        SET g 3
        INCRBYFLOAT g 1.1
        INCRBYFLOAT g -1.1
        INCRBYFLOAT g -3
        INCRBYFLOAT g -0.0
        SET g -0.1
        INCRBYFLOAT g 0.1
        SET g 1
        INCRBYFLOAT g 0.00000000000000001
        INCRBYFLOAT g 0.000000000000000005
        INCRBYFLOAT g 0.0000000000000000051
        INCRBYFLOAT g x
        INCRBYFLOAT g ""
        INCRBYFLOAT g " 1"
        INCRBYFLOAT g "1 "
        INCRBYFLOAT g 1_0
        INCRBYFLOAT g inf
        INCRBYFLOAT g -inf
        INCRBYFLOAT g Infinity
        INCRBYFLOAT g nan
        INCRBYFLOAT g 1e4000
        INCRBYFLOAT g 1e5000
        INCRBYFLOAT g 1e-5000
        INCRBYFLOAT g 1e999999999999
        INCRBYFLOAT g 1.
        INCRBYFLOAT g .5
        INCRBYFLOAT g .
        INCRBYFLOAT g +1
        INCRBYFLOAT g --1
        INCRBYFLOAT g 1e
        INCRBYFLOAT g 1e+
        SET g abc
        INCRBYFLOAT g 1
        INCRBYFLOAT g x
        SET g inf
        INCRBYFLOAT g 1
        INCRBYFLOAT g x
        SET g " 1"
        INCRBYFLOAT g 1
        SET g "1\x00"
        INCRBYFLOAT g 1
        SADD s x
        INCRBYFLOAT s 1
        INCRBYFLOAT s x
        SET t 1 EX 100
        INCRBYFLOAT t 1
        TTL t
    """)


def test_lcs(both: Both) -> None:
    both.check_all(r"""
        MSET a ohmytext b mynewtext
        LCS a b
        LCS a b LEN
        LCS a b IDX
        LCS a b IDX MINMATCHLEN 4
        LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
        LCS a b IDX WITHMATCHLEN
        LCS a b IDX MINMATCHLEN -5
        LCS a b IDX MINMATCHLEN x
        LCS a b IDX MINMATCHLEN
        LCS a b LEN IDX
        LCS a b FOO
        LCS a nope
        LCS a nope IDX
        LCS nope nope2 LEN
        LCS nope nope2
        SADD s x
        LCS a s
        LCS s a FOO
        LCS a
        SET c axbxcxdx
        SET d xaxbxcxd
        LCS c d
        LCS c d IDX
        SET e aaaa
        SET f aa
        LCS e f IDX WITHMATCHLEN
        LCS f e IDX WITHMATCHLEN
        SET g abcdefabcdef
        SET h defabc
        LCS g h IDX
    """)


def test_numbers_of_odd_spellings(both: Both) -> None:
    spellings = [
        b"\x1c1",
        b"1\x1f",
        b"\x1e0x1",
        b"0x1\x1c",
        b" 1",
        b"1 ",
        b"1\x00",
        b"1_0",
        b"0x",
        b"0x.8p1",
        b"0x_1",
        b"1.",
    ]
    spellings += [
        b".5",
        b"1e",
        b"9" * 5000,
        b"1e400",
        b"1e5000",
        b"0x" + b"f" * 400,
        b"0x1p-3",
        b"0x1p99999",
        b"1e4932",
    ]
    for text in spellings:
        both.check([b"SET", b"k", text])
        both.check([b"INCRBYFLOAT", b"k", b"1"])
        both.check([b"SET", b"k", b"1"])
        both.check([b"INCRBYFLOAT", b"k", text])
        both.check([b"HINCRBYFLOAT", b"h", text, text])
        both.check([b"ZADD", b"z", text, b"m"])
        both.check([b"BLPOP", b"z", text])
        both.check([b"INCRBY", b"n", text])
