"""Ranges and algebra of sorted sets: every option and every error, against a real server."""

from __future__ import annotations

from tests.differential.both import Both


def test_zrange(both: Both) -> None:
    both.check_all(r"""
        ZADD z 1 a 2 b 3 c 4 d 5 e
        ZRANGE z 0 -1
        ZRANGE z 1 2
        ZRANGE z -2 -1
        ZRANGE z -100 1
        ZRANGE z 3 100
        ZRANGE z 5 9
        ZRANGE z 3 1
        ZRANGE z 0 -100
        ZRANGE z 0 -1 WITHSCORES
        ZRANGE z 0 -1 WITHSCORES WITHSCORES
        ZRANGE z 0 1 REV
        ZRANGE z 0 1 REV WITHSCORES
        ZRANGE z 0 -1 REV REV
        ZRANGE z 2 4 BYSCORE
        ZRANGE z (2 4 BYSCORE
        ZRANGE z (2 (4 BYSCORE WITHSCORES
        ZRANGE z 4 2 BYSCORE REV
        ZRANGE z 2 4 BYSCORE REV
        ZRANGE z -inf +inf BYSCORE LIMIT 1 2
        ZRANGE z +inf -inf BYSCORE REV LIMIT 1 2
        ZRANGE z -inf inf BYSCORE LIMIT 0 0
        ZRANGE z -inf inf BYSCORE LIMIT 0 -1
        ZRANGE z -inf inf BYSCORE LIMIT 2 -5
        ZRANGE z -inf inf BYSCORE LIMIT -1 2
        ZRANGE z -inf inf BYSCORE LIMIT 10 2
        ZRANGE z -inf inf BYSCORE LIMIT 1
        ZRANGE z -inf inf BYSCORE LIMIT x 1
        ZRANGE z -inf inf BYSCORE LIMIT 1 x
        ZRANGE z 0 -1 LIMIT 0 1
        ZRANGE z 0 -1 LIMIT 0 -1
        ZRANGE z 0 -1 LIMIT 3 -1
        ZRANGE z x 1
        ZRANGE z 0 1.5
        ZRANGE z a b BYSCORE
        ZRANGE z nan 1 BYSCORE
        ZRANGE z "" 3 BYSCORE
        ZRANGE z ( 3 BYSCORE
        ZRANGE z " 1" 3 BYSCORE
        ZRANGE z "1 " 3 BYSCORE
        ZRANGE z 1_0 3 BYSCORE
        ZRANGE z 1e400 3 BYSCORE
        ZRANGE z 0 1e400 BYSCORE
        ZRANGE z 0x2 0x3 BYSCORE
        ZRANGE z ((1 3 BYSCORE
        ZRANGE z "1\x00z" 3 BYSCORE
        ZRANGE z 0 1 FOO
        ZRANGE z 0 1 BYSCORE BYLEX
        ZRANGE z 0 1 BYSCORE BYSCORE
        ZRANGE z - + BYLEX WITHSCORES
        ZRANGE z 0 1 BYLEX
        ZRANGE nope 0 -1
        ZRANGE nope 0 -1 WITHSCORES
        ZRANGE nope x 1
        ZRANGE z 0
        SET s v
        ZRANGE s 0 -1
        ZRANGE s x -1
        ZREVRANGE z 0 1
        ZREVRANGE z 0 -1 WITHSCORES
        ZREVRANGE z 0 1 REV
        ZREVRANGE z 0 1 LIMIT 0 1
        ZREVRANGE z 0 1 BYSCORE
        ZREVRANGE nope 0 1
        ZREVRANGE s 0 1
        ZRANGEBYSCORE z 2 4
        ZRANGEBYSCORE z (2 +inf
        ZRANGEBYSCORE z 2 4 WITHSCORES
        ZRANGEBYSCORE z 2 4 WITHSCORES LIMIT 1 1
        ZRANGEBYSCORE z 2 4 LIMIT 1 1 WITHSCORES
        ZRANGEBYSCORE z 4 2
        ZRANGEBYSCORE z 2 4 REV
        ZRANGEBYSCORE z 2 4 BYLEX
        ZRANGEBYSCORE z x 4
        ZRANGEBYSCORE z 2 x
        ZRANGEBYSCORE nope 2 4
        ZRANGEBYSCORE nope 2 x
        ZRANGEBYSCORE s 2 4
        ZREVRANGEBYSCORE z 4 2
        ZREVRANGEBYSCORE z (4 2 WITHSCORES
        ZREVRANGEBYSCORE z 2 4
        ZREVRANGEBYSCORE z +inf -inf LIMIT 1 2
        ZREVRANGEBYSCORE z +inf -inf LIMIT 1 -1
        ZREVRANGEBYSCORE z +inf -inf LIMIT 0 2 WITHSCORES
        ZCOUNT z 2 4
        ZCOUNT z (2 (4
        ZCOUNT z -inf +inf
        ZCOUNT z 4 2
        ZCOUNT z x 4
        ZCOUNT nope 1 2
        ZCOUNT s 1 2
        ZCOUNT z (3 (3
        ZCOUNT z 3 3
        ZADD w inf a -inf b 0 c -0 d
        ZRANGEBYSCORE w -inf +inf WITHSCORES
        ZRANGEBYSCORE w (-inf (+inf
        ZRANGEBYSCORE w +inf +inf
        ZRANGEBYSCORE w 0 -0
        ZRANGEBYSCORE w (0 0
    """)


def test_lex(both: Both) -> None:
    both.check_all(r"""
        ZADD z 0 a 0 b 0 c 0 d 0 e 0 foo 0 "" 0 "\xff"
        ZRANGEBYLEX z - +
        ZRANGEBYLEX z + -
        ZRANGEBYLEX z - -
        ZRANGEBYLEX z + +
        ZRANGEBYLEX z [b [d
        ZRANGEBYLEX z (b (d
        ZRANGEBYLEX z [b +
        ZRANGEBYLEX z - (c
        ZRANGEBYLEX z [d [b
        ZRANGEBYLEX z (b (b
        ZRANGEBYLEX z [b [b
        ZRANGEBYLEX z [bb [fo
        ZRANGEBYLEX z [ [
        ZRANGEBYLEX z ( +
        ZRANGEBYLEX z - + LIMIT 1 2
        ZRANGEBYLEX z - + LIMIT -1 2
        ZRANGEBYLEX z - + LIMIT 0 -1
        ZRANGEBYLEX z - + WITHSCORES
        ZRANGEBYLEX z b d
        ZRANGEBYLEX z [b d
        ZRANGEBYLEX z "" +
        ZRANGEBYLEX z -a +
        ZRANGEBYLEX nope - +
        ZRANGEBYLEX nope a +
        SET s v
        ZRANGEBYLEX s - +
        ZREVRANGEBYLEX z + -
        ZREVRANGEBYLEX z [d [b
        ZREVRANGEBYLEX z [b [d
        ZREVRANGEBYLEX z + - LIMIT 1 2
        ZRANGE z [b [d BYLEX
        ZRANGE z [d [b BYLEX REV
        ZRANGE z [d [b BYLEX REV LIMIT 0 1
        ZLEXCOUNT z - +
        ZLEXCOUNT z [b [d
        ZLEXCOUNT z (b [d
        ZLEXCOUNT z + -
        ZLEXCOUNT z b d
        ZLEXCOUNT nope - +
        ZLEXCOUNT s - +
        ZREMRANGEBYLEX z [b (d
        ZREMRANGEBYLEX z x y
        ZREMRANGEBYLEX z [zz [zzz
        ZRANGE z 0 -1
        ZREMRANGEBYLEX z - +
        EXISTS z
        ZREMRANGEBYLEX s - +
        ZREMRANGEBYLEX nope - +
    """)


def test_lex_of_different_scores(both: Both) -> None:
    both.check_all(r"""
        ZADD z 1 d 2 b 3 c 4 a
        ZRANGEBYLEX z - +
        ZRANGEBYLEX z [b +
        ZRANGEBYLEX z [b [c
        ZRANGEBYLEX z - [c
        ZRANGEBYLEX z [a [a
        ZRANGEBYLEX z [e +
        ZRANGEBYLEX z (a (d
        ZLEXCOUNT z [a +
    """)


def test_removals(both: Both) -> None:
    both.check_all(r"""
        ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
        ZREMRANGEBYRANK z 0 0
        ZREMRANGEBYRANK z -1 -1
        ZREMRANGEBYRANK z 10 20
        ZREMRANGEBYRANK z 3 1
        ZREMRANGEBYRANK z x 1
        ZREMRANGEBYRANK nope 0 1
        ZREMRANGEBYSCORE z (2 (4
        ZREMRANGEBYSCORE z 100 200
        ZREMRANGEBYSCORE z x 1
        ZREMRANGEBYSCORE nope 0 1
        ZRANGE z 0 -1 WITHSCORES
        ZREMRANGEBYSCORE z -inf inf
        EXISTS z
        SET s v
        ZREMRANGEBYRANK s 0 1
        ZREMRANGEBYSCORE s 0 1
        ZREMRANGEBYSCORE s x 1
    """)


def test_zrangestore(both: Both) -> None:
    both.check_all(r"""
        ZADD z 1 a 2 b 3 c 4 d
        ZRANGESTORE d z 0 1
        ZRANGE d 0 -1 WITHSCORES
        ZRANGESTORE d z 2 3 BYSCORE
        ZRANGE d 0 -1 WITHSCORES
        ZRANGESTORE d z 3 2 BYSCORE REV
        ZRANGESTORE d z 0 1 REV
        ZRANGE d 0 -1 WITHSCORES
        ZRANGESTORE d z - [b BYLEX
        ZRANGESTORE d z -inf +inf BYSCORE LIMIT 1 2
        ZRANGE d 0 -1 WITHSCORES
        ZRANGESTORE d z 0 1 WITHSCORES
        ZRANGESTORE d z 0 1 LIMIT 0 1
        ZRANGESTORE d z 0
        ZRANGESTORE d z x 1
        ZRANGESTORE d nope 0 1
        EXISTS d
        ZRANGESTORE d nope 0 1
        ZRANGESTORE d z 10 20
        SET s v
        ZRANGESTORE d s 0 1
        ZRANGESTORE s z 0 1
        TYPE s
        ZRANGESTORE z z 0 1
        ZRANGE z 0 -1
    """)


def test_algebra(both: Both) -> None:
    both.check_all(r"""
        ZADD a 1 x 2 y 3 z
        ZADD b 10 y 20 z 30 w
        SADD s x y q
        SET str v
        ZUNION 2 a b
        ZUNION 2 a b WITHSCORES
        ZUNION 2 a b WEIGHTS 2 3 WITHSCORES
        ZUNION 2 a b AGGREGATE MIN WITHSCORES
        ZUNION 2 a b AGGREGATE MAX WITHSCORES
        ZUNION 2 a b aggregate sum weights 1 0.5 withscores
        ZUNION 2 a s WITHSCORES
        ZUNION 1 s WITHSCORES
        ZUNION 1 nope
        ZUNION 1 nope WITHSCORES
        ZUNION 2 a str
        ZUNION 2 a str FOO
        ZUNION 0 a
        ZUNION -1 a
        ZUNION x a
        ZUNION 3 a b
        ZUNION 2 a b WEIGHTS 1
        ZUNION 2 a b WEIGHTS 1 x
        ZUNION 2 a b WEIGHTS 1 nan
        ZUNION 2 a b WEIGHTS inf 0 WITHSCORES
        ZUNION 2 a b AGGREGATE
        ZUNION 2 a b AGGREGATE FOO
        ZUNION 2 a b FOO
        ZUNION 2 a b WITHSCORES WITHSCORES
        ZUNION 2 a b LIMIT 1
        ZUNION 1 a b
        ZUNION 1
        ZUNION 9223372036854775807 a
        ZINTER 2 a b
        ZINTER 2 a b WITHSCORES
        ZINTER 2 a b WEIGHTS 2 3 AGGREGATE MAX WITHSCORES
        ZINTER 2 a s WITHSCORES
        ZINTER 2 s s WITHSCORES
        ZINTER 2 a a WITHSCORES
        ZINTER 2 a nope WITHSCORES
        ZINTER 0 a
        ZINTER 2 a str
        ZINTER 2 nope str
        ZDIFF 2 a b
        ZDIFF 2 a b WITHSCORES
        ZDIFF 2 a s WITHSCORES
        ZDIFF 2 s a WITHSCORES
        ZDIFF 1 a WITHSCORES
        ZDIFF 2 a a
        ZDIFF 2 nope a
        ZDIFF 2 a b WEIGHTS 1 2
        ZDIFF 2 a b AGGREGATE SUM
        ZDIFF 0 a
        ZDIFF 2 a str
        ZUNIONSTORE d 2 a b
        ZRANGE d 0 -1 WITHSCORES
        ZUNIONSTORE d 2 a b WEIGHTS 2 3 AGGREGATE MAX
        ZRANGE d 0 -1 WITHSCORES
        ZUNIONSTORE d 2 a b WITHSCORES
        ZUNIONSTORE d 0 a
        ZUNIONSTORE d x a
        ZUNIONSTORE d 3 a b
        ZUNIONSTORE d 1 nope
        EXISTS d
        ZUNIONSTORE str 1 s
        ZRANGE str 0 -1 WITHSCORES
        SET str v
        ZUNIONSTORE d 1 str
        ZINTERSTORE d 2 a b WEIGHTS 1 -1
        ZRANGE d 0 -1 WITHSCORES
        ZINTERSTORE a 2 a b
        ZRANGE a 0 -1 WITHSCORES
        ZINTERSTORE d 2 a nope
        EXISTS d
        ZINTERSTORE d 0 a
        ZDIFFSTORE d 2 b a
        ZRANGE d 0 -1 WITHSCORES
        ZDIFFSTORE d 2 b a WITHSCORES
        ZDIFFSTORE d 2 b a WEIGHTS 1 1
        ZDIFFSTORE d 0 a
        ZDIFFSTORE d 1 nope
        ZINTERCARD 2 a b
        ZINTERCARD 2 a b LIMIT 1
        ZINTERCARD 2 a b LIMIT 0
        ZINTERCARD 2 a b LIMIT -1
        ZINTERCARD 2 a b LIMIT x
        ZINTERCARD 2 a b LIMIT
        ZINTERCARD 2 a b WITHSCORES
        ZINTERCARD 0 a
        ZINTERCARD x a
        ZINTERCARD 3 a b
        ZINTERCARD 2 a s
        ZINTERCARD 2 a str
        ZINTERCARD 1 nope
        ZADD i inf m 1 n
        ZADD j -inf m 2 n
        ZUNION 2 i j WITHSCORES
        ZINTER 2 i j WITHSCORES
        ZINTER 2 i j WEIGHTS 0 1 WITHSCORES
        ZINTER 2 i j WEIGHTS 0 0 AGGREGATE MIN WITHSCORES
        ZUNION 2 i j WEIGHTS 1 1 AGGREGATE MIN WITHSCORES
        ZADD f1 0.1 m
        ZADD f2 0.2 m 1 o
        ZADD f3 0.3 m 1 o 1 p
        ZUNION 3 f3 f2 f1 WITHSCORES
        ZINTER 3 f3 f2 f1 WITHSCORES
    """)
