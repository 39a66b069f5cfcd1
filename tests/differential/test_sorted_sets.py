"""Sorted sets: members, scores and pops, every option and every error, against a real server."""

from __future__ import annotations

from tests.differential.both import Both


def test_zadd(both: Both) -> None:
    both.check_all(r"""
        ZADD z 1 a
        ZADD z 1 a 2 b 3 c
        ZADD z 5 a 5 a
        ZADD z CH 6 a 7 b 9 d
        ZADD z NX 1 a 1 e
        ZADD z XX 2 a 2 f
        ZADD z XX CH 3 a 3 f
        ZADD z GT 1 a
        ZADD z GT CH 10 a
        ZADD z GT CH 1 new
        ZADD z LT 20 a
        ZADD z LT CH 1 a
        ZADD z XX GT CH 100 a 100 zz
        ZADD z INCR 5 a
        ZADD z INCR 5 fresh
        ZADD z NX INCR 5 a
        ZADD z XX INCR 5 nope
        ZADD z GT INCR -5 a
        ZADD z LT INCR -5 a
        ZADD z GT INCR 0 a
        ZADD z XX INCR 1 a
        ZADD nope XX 1 a
        ZADD nope XX INCR 1 a
        EXISTS nope
        ZADD z NX XX 1 a
        ZADD z NX GT 1 a
        ZADD z NX LT 1 a
        ZADD z GT LT 1 a
        ZADD z NX XX GT 1 a
        ZADD z INCR 1 a 2 b
        ZADD z INCR
        ZADD z NX
        ZADD z 1
        ZADD z 1 a 2
        ZADD z x a
        ZADD z 1 a x b
        ZADD z nan a
        ZADD z "" a
        ZADD z " 1" a
        ZADD z "1 " a
        ZADD z 1_0 a
        ZADD z 1e400 a
        ZADD z -1e400 a
        ZADD z 1e-400 a
        ZADD z 1e-320 tiny
        ZADD z 0e5 zero
        ZADD z 0x10 hex
        ZADD z 0x hex
        ZADD z -0x1p4 hexp
        ZADD z inf i -inf mi +inf pi Infinity pi2 -INFINITY mi2
        ZADD z infi i
        ZADD z 1e5 e 1E5 E .5 h 5. f +3 p
        ZADD z 0.1 t 3.0e0 u 1e17 v 123456789012345678 w 1e21 y
        ZADD z -0 neg
        ZRANGE z 0 -1 WITHSCORES
        ZADD z INCR inf mi
        ZADD z INCR -inf i
        ZINCRBY z -inf i
        ZINCRBY z 1 i
        ZADD fresh INCR nan a
        EXISTS fresh
        SET s v
        ZADD s 1 a
        ZADD s x a
        ZADD s NX XX 1 a
        ZINCRBY s 1 a
        ZINCRBY s x a
        ZADD ch ch nx 1 CH 2 NX
        ZRANGE ch 0 -1
        ZADD inc incr 1 a
    """)


def test_scores_and_ranks(both: Both) -> None:
    both.check_all(r"""
        ZADD z 1 a 2 b 2 c 3 d
        ZINCRBY z 1.5 a
        ZINCRBY z x a
        ZINCRBY z nan a
        ZINCRBY z 1
        ZINCRBY fresh 3 a
        ZINCRBY z 0.1 b
        ZINCRBY z 0.2 b
        ZCARD z
        ZCARD nope
        ZSCORE z a
        ZSCORE z nope
        ZSCORE nope a
        ZMSCORE z a nope b
        ZMSCORE nope a b
        ZMSCORE z
        ZRANK z a
        ZRANK z c
        ZRANK z nope
        ZRANK nope a
        ZREVRANK z a
        ZREVRANK z nope
        ZREVRANK nope a
        ZREM z a nope
        ZREM z nope
        ZREM nope a
        ZREM z b c d
        EXISTS z
        ZREM z
        SET s v
        ZCARD s
        ZSCORE s a
        ZMSCORE s a
        ZRANK s a
        ZREVRANK s a
        ZREM s a
        ZRANK s a WITHSCORE
    """)


def test_pops(both: Both) -> None:
    both.check_all(r"""
        ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h
        ZPOPMIN z
        ZPOPMAX z
        ZPOPMIN z 2
        ZPOPMAX z 2
        ZPOPMIN z 0
        ZPOPMIN z -1
        ZPOPMIN z x
        ZPOPMIN z 1 2
        ZPOPMAX z 1 2
        ZPOPMIN nope
        ZPOPMIN nope 2
        ZPOPMIN nope 0
        ZPOPMIN nope x
        ZPOPMAX nope
        SET s v
        ZPOPMIN s
        ZPOPMIN s 0
        ZPOPMAX s x
        ZPOPMIN z 100
        EXISTS z
        ZADD z 1 a 2 b 3 c 4 d
        ZMPOP 1 z MIN
        ZMPOP 2 nope z MAX COUNT 2
        ZMPOP 1 nope MIN
        ZMPOP 2 nope nope2 MAX COUNT 10
        ZMPOP 1 s MIN
        ZMPOP 2 s z MIN
        ZMPOP 2 z s MIN
        ZADD z 1 a 2 b 3 c 4 d
        ZMPOP 0 z MIN
        ZMPOP -1 z MIN
        ZMPOP x z MIN
        ZMPOP 2 z MIN
        ZMPOP 3 z MIN
        ZMPOP 1 z FOO
        ZMPOP 1 z MIN COUNT
        ZMPOP 1 z MIN COUNT 0
        ZMPOP 1 z MIN COUNT -1
        ZMPOP 1 z MIN COUNT x
        ZMPOP 1 z MIN COUNT 1 COUNT 1
        ZMPOP 1 z MIN FOO 1
        ZMPOP 1 z
        ZMPOP 1 z min count 100
        EXISTS z
        ZMPOP 9223372036854775807 z MIN
    """)


def test_random_members(both: Both) -> None:
    both.check_all(r"""
        ZRANDMEMBER nope
        ZRANDMEMBER nope 2
        ZRANDMEMBER nope -2
        ZRANDMEMBER nope 2 WITHSCORES
        ZADD z 1.5 a
        ZRANDMEMBER z
        ZRANDMEMBER z 1
        ZRANDMEMBER z 3
        ZRANDMEMBER z 0
        ZRANDMEMBER z -3
        ZRANDMEMBER z 3 WITHSCORES
        ZRANDMEMBER z -2 WITHSCORES
        ZRANDMEMBER z 0 WITHSCORES
        ZRANDMEMBER z x
        ZRANDMEMBER z 1 FOO
        ZRANDMEMBER z 1 WITHSCORES x
        ZRANDMEMBER z -9223372036854775808
        ZRANDMEMBER z 9223372036854775807 WITHSCORES
        ZRANDMEMBER z -9223372036854775808 WITHSCORES
        ZRANDMEMBER z 9223372036854775807
        SET s v
        ZRANDMEMBER s
        ZRANDMEMBER s 1
    """)


def test_scan(both: Both) -> None:
    both.check_all(r"""
        ZADD z 1 a 2.5 b 0.1 ab inf i 1e20 big
        ZSCAN z 0
        ZSCAN z 0 MATCH a*
        ZSCAN z 0 COUNT 0
        ZSCAN z 0 COUNT
        ZSCAN z x
        ZSCAN nope 0
        SET s v
        ZSCAN s 0
        ZSCAN z 0 TYPE zset
    """)
