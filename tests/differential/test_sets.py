"""Sets: every option and every error of their commands, against a real server."""

from __future__ import annotations

from tests.differential.both import Both


def test_members(both: Both) -> None:
    both.check_all(r"""
        SADD s a
        SADD s a b c c
        SADD s
        SCARD s
        SCARD nope
        SISMEMBER s a
        SISMEMBER s z
        SISMEMBER nope a
        SMISMEMBER s a z b
        SMISMEMBER nope a z
        SMISMEMBER s
        SMEMBERS s
        SMEMBERS nope
        SREM s a z
        SREM s z
        SREM nope a
        SREM s b c
        EXISTS s
        SREM s
        SET str v
        SADD str a
        SREM str a
        SCARD str
        SISMEMBER str a
        SMISMEMBER str a
        SMEMBERS str
        SPOP str
        SPOP str 1
        SRANDMEMBER str
        SRANDMEMBER str 1
        SSCAN str 0
        SADD ints 1 2 3
        SMEMBERS ints
        SADD ints x 01
        SMEMBERS ints
    """)


def test_moves(both: Both) -> None:
    both.check_all(r"""
        SADD s a b
        SET str v
        SMOVE s t a
        SMOVE s t a
        SMOVE s t z
        SMOVE s s b
        SMOVE s s z
        SMOVE nope t a
        SMOVE nope str a
        SMOVE s str b
        SMOVE s str z
        SMOVE str s b
        SMOVE str nope b
        SMOVE s t b
        EXISTS s
        SMEMBERS t
        SMOVE s t
    """)


def test_random_members(both: Both) -> None:
    both.check_all(r"""
        SPOP nope
        SPOP nope 2
        SPOP nope 0
        SPOP nope -1
        SPOP nope x
        SADD s a
        SRANDMEMBER s
        SRANDMEMBER s 1
        SRANDMEMBER s 0
        SRANDMEMBER s 5
        SRANDMEMBER s -3
        SRANDMEMBER s x
        SRANDMEMBER s 1 2
        SRANDMEMBER s -9223372036854775808
        SRANDMEMBER s 9223372036854775807
        SRANDMEMBER nope
        SRANDMEMBER nope 1
        SRANDMEMBER nope -1
        SRANDMEMBER nope x
        SPOP s 0
        SPOP s -1
        SPOP s x
        SPOP s 1 2
        SPOP s 9223372036854775808
        SPOP s
        SPOP s
        SADD s a
        SPOP s 5
        EXISTS s
    """)


def test_algebra(both: Both) -> None:
    both.check_all(r"""
        SADD a 1 2 3 x
        SADD b 2 3 4 x
        SADD c 3 5
        SET str v
        SINTER a b
        SINTER a b c
        SINTER a
        SINTER a nope
        SINTER nope
        SINTER nope str
        SINTER a nope str
        SINTER str
        SINTER
        SUNION a b c nope
        SUNION nope
        SUNION a str
        SDIFF a b
        SDIFF a nope
        SDIFF nope a
        SDIFF a a
        SDIFF a b c
        SDIFF a str
        SDIFF nope str
        SINTERSTORE d a b
        SMEMBERS d
        SINTERSTORE d a nope
        EXISTS d
        SINTERSTORE d nope
        SINTERSTORE str a b
        TYPE str
        SET str v
        SINTERSTORE a a b
        SMEMBERS a
        SUNIONSTORE d a b c
        EXPIRE d 100
        SUNIONSTORE d a
        TTL d
        SUNIONSTORE d nope
        SUNIONSTORE d str
        SUNIONSTORE str nope
        EXISTS str
        SET str v
        SDIFFSTORE d b a
        SMEMBERS d
        SDIFFSTORE d d d
        SDIFFSTORE d a str
        SDIFFSTORE d str nope
        SINTERSTORE d a str
        SINTERSTORE d nope str
        SINTERSTORE d
        SINTERCARD 2 a b
        SINTERCARD 2 a b LIMIT 1
        SINTERCARD 2 a b LIMIT 0
        SINTERCARD 2 a b LIMIT 100
        SINTERCARD 2 a b limit 1 LIMIT 2
        SINTERCARD 2 a b LIMIT -1
        SINTERCARD 2 a b LIMIT x
        SINTERCARD 2 a b LIMIT
        SINTERCARD 2 a b FOO 1
        SINTERCARD 0 a b
        SINTERCARD -1 a
        SINTERCARD x a
        SINTERCARD 3 a b
        SINTERCARD 1 a b
        SINTERCARD 1 str
        SINTERCARD 2 nope str
        SINTERCARD 1 nope
        SINTERCARD 1
        SINTERCARD 9223372036854775808 a
    """)


def test_scan(both: Both) -> None:
    both.check_all(r"""
        SADD s a b ab
        SSCAN s 0
        SSCAN s 0 MATCH a*
        SSCAN s 0 COUNT 100
        SSCAN s 0 COUNT 0
        SSCAN s 0 COUNT
        SSCAN s 0 FOO x
        SSCAN s 0 TYPE set
        SSCAN s x
        SSCAN nope 0
        SADD ints 1 2 3
        SSCAN ints 0 COUNT 1
        SSCAN ints 0 MATCH 1
        SSCAN s
    """)
