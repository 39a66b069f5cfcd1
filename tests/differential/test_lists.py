"""Lists: every option and every error of the commands that don't wait, against a real server."""

from __future__ import annotations

from tests.differential.both import Both


def test_ends(both: Both) -> None:
    both.check_all(r"""
        LPUSH l a
        LPUSH l b c
        RPUSH l d e
        LRANGE l 0 -1
        LPUSHX l f g
        RPUSHX l h
        LPUSHX nope a
        RPUSHX nope a
        LPUSH l
        LLEN l
        LLEN nope
        TYPE l
        OBJECT ENCODING l
        LPOP l
        RPOP l
        LPOP l 2
        RPOP l 2
        LPOP l 0
        LPOP l -1
        LPOP l x
        LPOP l 1 2
        RPOP l 1 2
        LPOP nope
        LPOP nope 2
        RPOP nope 0
        LPOP nope x
        LPOP l 100
        EXISTS l
        SET s v
        LPUSH s a
        LPUSHX s a
        LPOP s
        LPOP s x
        LPOP s 0
        LLEN s
    """)


def test_middle(both: Both) -> None:
    both.check_all(r"""
        RPUSH l a b c d e
        LINDEX l 0
        LINDEX l -1
        LINDEX l 5
        LINDEX l -6
        LINDEX l x
        LINDEX nope 0
        LINDEX nope x
        LRANGE l 1 3
        LRANGE l -2 -1
        LRANGE l -100 100
        LRANGE l 3 1
        LRANGE l 9 10
        LRANGE l x 1
        LRANGE nope 0 -1
        LRANGE nope x 1
        LSET l 0 A
        LSET l -1 E
        LSET l 5 x
        LSET l -6 x
        LSET l x x
        LSET nope 0 x
        LSET nope x x
        LRANGE l 0 -1
        LINSERT l BEFORE b new
        LINSERT l after b new2
        LINSERT l BEFORE nope x
        LINSERT nope BEFORE a x
        LINSERT l FOO b x
        LINSERT nope FOO b x
        LRANGE l 0 -1
        DEL l
        RPUSH l a b a c a b a
        LREM l 2 a
        LRANGE l 0 -1
        LREM l -1 a
        LRANGE l 0 -1
        LREM l 0 b
        LREM l 0 nope
        LREM l x a
        LREM nope 0 a
        LRANGE l 0 -1
        LREM l 0 c
        LREM l 0 a
        EXISTS l
        RPUSH l a b c d e
        EXPIRE l 100
        LTRIM l 1 3
        TTL l
        LRANGE l 0 -1
        LTRIM l 0 -1
        LTRIM l x 1
        LTRIM nope 0 1
        LTRIM l 5 9
        EXISTS l
        SET s v
        LINDEX s 0
        LINDEX s x
        LRANGE s 0 1
        LSET s 0 x
        LINSERT s BEFORE a b
        LREM s 0 a
        LTRIM s 0 1
        LTRIM s x 1
        LPOS s a
    """)


def test_positions(both: Both) -> None:
    both.check_all(r"""
        RPUSH l a b c 1 2 3 c c
        LPOS l c
        LPOS l nope
        LPOS nope c
        LPOS nope c COUNT 1
        LPOS l c COUNT 2
        LPOS l c COUNT 0
        LPOS l nope COUNT 0
        LPOS l c RANK 2
        LPOS l c RANK -1
        LPOS l c RANK -1 COUNT 2
        LPOS l c RANK 9
        LPOS l c RANK 2 COUNT 0
        LPOS l c MAXLEN 2
        LPOS l c MAXLEN 3
        LPOS l c MAXLEN 0
        LPOS l c COUNT 0 MAXLEN 7
        LPOS l c RANK -1 MAXLEN 1 COUNT 0
        LPOS l c RANK 0
        LPOS l c RANK x
        LPOS l c RANK -9223372036854775808
        LPOS l c COUNT -1
        LPOS l c COUNT x
        LPOS l c MAXLEN -1
        LPOS l c RANK
        LPOS l c FOO 1
        LPOS nope c RANK 0
    """)


def test_moves(both: Both) -> None:
    both.check_all(r"""
        RPUSH l a b c d
        RPOPLPUSH l m
        LMOVE l m LEFT RIGHT
        lmove l m right left
        LRANGE m 0 -1
        RPOPLPUSH m m
        LMOVE m m LEFT LEFT
        LRANGE m 0 -1
        LMOVE l l LEFT RIGHT
        LRANGE l 0 -1
        RPOPLPUSH l n
        EXISTS l
        RPOPLPUSH nope m
        LMOVE nope m LEFT LEFT
        LMOVE m n UP LEFT
        LMOVE m n LEFT DOWN
        SET s v
        RPOPLPUSH s m
        RPOPLPUSH m s
        RPOPLPUSH nope s
        LMOVE s m LEFT LEFT
        LRANGE m 0 -1
        LMPOP 1 m LEFT
        LMPOP 2 nope m RIGHT COUNT 5
        LMPOP 2 nope m RIGHT COUNT 5
        LMPOP 1 s LEFT
        RPUSH m a b c
        LMPOP 0 m LEFT
        LMPOP x m LEFT
        LMPOP 1 m FOO
        LMPOP 1 m
        LMPOP 2 m LEFT
        LMPOP 1 m LEFT COUNT 0
        LMPOP 1 m LEFT COUNT x
        LMPOP 1 m LEFT COUNT
        LMPOP 1 m LEFT COUNT 1 COUNT 1
        LMPOP 1 m left count 2
        COPY m m2
        RPUSH m2 z
        LRANGE m 0 -1
        SCAN 0 TYPE list COUNT 100
    """)


def test_nils_inside_transactions(both: Both) -> None:
    """RESP2 has a nil for arrays of its own, also among the replies of EXEC."""
    for line in ("LPOP nope", "LPOP nope 2", "RPOP nope 1", "LMPOP 1 nope LEFT", "ZMPOP 1 nope MIN", "GET nope"):
        both.check("MULTI")
        both.check(line)
        both.check("EXEC")
