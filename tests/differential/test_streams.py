"""Streams: every option and every error of their commands, against a real server."""

from __future__ import annotations

import pytest

from tests.differential.both import Both

MAX = "18446744073709551615"


def test_adding(both: Both) -> None:
    both.check_all(rf"""
        XADD s * a
        XADD s 0-0 a b
        XADD s 0 a b
        XADD s x a b
        XADD s 1-x a b
        XADD s - a b
        XADD s + a b
        XADD s $ a b
        XADD s > a b
        XADD s 1-1 a
        XADD s 1-1 a b c
        XADD s
        EXISTS s
        XADD s 1-1 a b
        XADD s 1-1 a b
        XADD s 1-* a b
        XADD s 0-* a b
        XADD s 2 a b
        XADD s 2-* a b c d a x
        XADD s 3-** a b
        XADD s *-1 a b
        XADD s 007-001 a b
        XADD s "\x208-1" a b
        XADD s +9-1 a b
        XADD s 9-+2 a b
        XADD s 9--3 a b
        XADD s -9-3 a b
        XADD s 9- a b
        XADD s "9-9\x00x" a b
        XADD s "9-10 " a b
        XADD s {MAX}0-0 a b
        XADD s {MAX}6 a b
        XADD s {"1" * 128} a b
        XADD s 10-{MAX} a b
        XADD s 10-* a b
        XADD s 11-0 "" ""
        XADD s 12-0 \xff\x00 \r\n
        XRANGE s - +
        XLEN s
        XLEN nope
        TYPE s
        OBJECT ENCODING s
        OBJECT REFCOUNT s
        XADD nope NOMKSTREAM * a b
        XADD nope NOMKSTREAM 1-1 a b
        XADD s NOMKSTREAM 13-1 a b
        xadd s nomkstream 14-1 a b
        XADD s NOMKSTREAM
        XADD s NOMKSTREAM MAXLEN 5
        XADD nope NOMKSTREAM 0-0 a b
        EXISTS nope
        XADD full {MAX}-{MAX} a b
        XADD full * a b
        XADD full {MAX}-* a b
        XADD full 1-1 a b
        XADD almost {MAX}-5 a b
        XADD almost * a b
        XADD almost {MAX} a b
        XADD zero 0-* a b
        XADD zero 0-* a b
        SET str x
        XADD str * a b
        XADD str 1-1 a
        XADD str 0-0 a b
        XLEN str
        XRANGE str - +
    """)
    both.check_keyspace()


def test_adding_now(both: Both) -> None:
    real = [both.real.execute([b"XADD", b"s", b"*", b"a", b"b"])[1] for _ in range(3)]
    ours = [both.ask_engine([b"XADD", b"s", b"*", b"a", b"b"])[1] for _ in range(3)]
    assert abs(int(real[0].split(b"-")[0]) - int(ours[0].split(b"-")[0])) < 3000
    assert ours == sorted(ours, key=lambda name: tuple(map(int, name.split(b"-"))))
    assert len(set(ours)) == 3


def test_ranges(both: Both) -> None:
    both.check_all(rf"""
        XADD s 1-1 a 1
        XADD s 1-2 a 2
        XADD s 1-3 b 3
        XADD s 2-0 a 4 b 5
        XADD s 5-5 a 6
        XRANGE s - +
        XRANGE s + -
        XRANGE s 1 1
        XRANGE s 1-2 2
        XRANGE s (1-2 2
        XRANGE s 1-1 (2
        XRANGE s (1 (5
        XRANGE s (1-1 (1-2
        XRANGE s (1-1 (1-1
        XRANGE s x +
        XRANGE s - x
        XRANGE s (- +
        XRANGE s - (+
        XRANGE s ( +
        XRANGE s (x +
        XRANGE s - (0-0
        XRANGE s - (0
        XRANGE s (0 +
        XRANGE s ({MAX}-{MAX} +
        XRANGE s ({MAX} +
        XRANGE s - ({MAX}-{MAX}
        XRANGE s {MAX}-{MAX} +
        XRANGE s - + COUNT 2
        XRANGE s - + COUNT 0
        XRANGE s - + COUNT -1
        XRANGE s - + COUNT -5
        XRANGE s - + COUNT 9223372036854775807
        XRANGE s - + COUNT 9223372036854775808
        XRANGE s - + COUNT x
        XRANGE s - + COUNT
        XRANGE s - + FOO 1
        XRANGE s - + count 1 COUNT 3
        XRANGE s - + COUNT 1 COUNT
        XRANGE s -
        XRANGE nope - +
        XRANGE nope - + COUNT 0
        XRANGE nope x +
        XREVRANGE s + -
        XREVRANGE s - +
        XREVRANGE s 2 1-2
        XREVRANGE s (2 (1-1
        XREVRANGE s + - COUNT 2
        XREVRANGE s + - COUNT 0
        XREVRANGE s x -
        XREVRANGE s + x
        XREVRANGE s (0 -
        XREVRANGE s + ({MAX}-{MAX}
        XREVRANGE nope + -
        SET str x
        XRANGE str - +
        XRANGE str x +
        XREVRANGE str + - COUNT 0
    """)


def test_deleting_and_trimming(both: Both) -> None:
    both.check_all("\n".join(f"XADD s {n}-0 a {n}" for n in range(1, 31)))
    both.check_all(r"""
        XDEL s 3-0
        XDEL s 3-0 4-0 4-0 99-0
        XDEL s 5
        XDEL s x
        XDEL s 6-0 x
        XDEL s -
        XDEL nope x
        XDEL s
        XINFO STREAM s
        XTRIM s LIMIT 0
        XTRIM s LIMIT 5
        XADD s LIMIT 0 x
        XADD s LIMIT 0 9-9 f v
        XADD s LIMIT 5 9-9 f v
        XTRIM s MAXLEN = 20 LIMIT 0
        XTRIM s MAXLEN = 20 LIMIT 1
        XTRIM s MAXLEN 20
        XTRIM s MAXLEN = 19
        XTRIM s MAXLEN ~ 5
        XTRIM s MAXLEN 100
        XTRIM s maxlen 18
        XTRIM s MINID 15
        XTRIM s MINID = 16-1
        XTRIM s MINID ~ 25
        XTRIM s MINID x
        XTRIM s MINID -
        XTRIM s MINID
        XTRIM s MAXLEN
        XTRIM s MAXLEN x
        XTRIM s MAXLEN -1
        XTRIM s MAXLEN = x
        XTRIM s MAXLEN =
        XTRIM s MAXLEN ~
        XTRIM s MAXLEN ~ 5 LIMIT 0
        XTRIM s MAXLEN ~ 5 LIMIT 1
        XTRIM s MAXLEN ~ 5 LIMIT -1
        XTRIM s MAXLEN ~ 5 LIMIT x
        XTRIM s MAXLEN ~ 5 LIMIT
        XTRIM s MAXLEN 5 LIMIT 5
        XTRIM s MAXLEN = 5 LIMIT 5
        XTRIM s LIMIT 5
        XTRIM s LIMIT 5 MAXLEN ~ 4
        XTRIM s MAXLEN 5 MAXLEN 4
        XTRIM s MAXLEN 5 MINID 4
        XTRIM s FOO 5
        XTRIM s MAXLEN 5 FOO
        XTRIM s NOMKSTREAM MAXLEN 5
        XTRIM s * MAXLEN 5
        XTRIM s
        XTRIM nope MAXLEN 5
        XTRIM nope MAXLEN x
        XLEN s
        XRANGE s - +
        XADD s MAXLEN 5 40-0 a b
        XADD s MAXLEN = 5 40-* a b
        XADD s MAXLEN ~ 2 41-0 a b
        XADD s MINID 40-1 42-0 a b
        XADD s MINID ~ 41 43-0 a b
        XADD s MINID = 41 LIMIT 5 44-0 a b
        XADD s LIMIT 5 44-0 a b
        XADD s LIMIT 5 x a b
        XADD s MAXLEN 5 MINID 1 44-0 a b
        XADD s MAXLEN x 44-0 a b
        XADD s MAXLEN -1 44-0 a b
        XADD s MAXLEN ~ 5 LIMIT -5 44-0 a b
        XADD s MAXLEN ~ 5 LIMIT 44-0 a b
        XADD s MAXLEN * a b
        XADD s MAXLEN ~ 1 LIMIT 2 NOMKSTREAM 45-0 a b
        XADD s MAXLEN 0 46-0 a b
        XLEN s
        EXISTS s
        XINFO STREAM s
        XRANGE s - +
        XTRIM s MAXLEN 0
        XADD s 46-0 a b
        XADD s 47-0 a b
        XDEL s 47-0
        XLEN s
        TYPE s
        XINFO STREAM s
        XINFO STREAM s FULL
        SET str x
        XDEL str 1-1
        XDEL str x
        XTRIM str MAXLEN 5
        XTRIM str MAXLEN x
        XADD t MAXLEN ~ 0 1-1 a b
        XADD t MINID 99 2-2 a b
        XADD u MINID ~ 99 2-2 a b
        XADD u 3-3 a b
        XDEL u 3-3
        XADD u 3-4 a b
        XADD u 3-5 a b
        XDEL u 3-5
        XTRIM u MINID 3-5
        XINFO STREAM u
        XADD u 3-6 a b
        XINFO STREAM u
        XTRIM u MAXLEN ~ 1
        XINFO STREAM u
        XTRIM u MAXLEN ~ 0
        XINFO STREAM u
    """)
    both.check_keyspace()


@pytest.mark.parametrize("size", [1, 30, 60, 70, 150, 5000])
def test_approximate_trimming_drops_the_nodes_that_redis_drops(both: Both, size: int) -> None:
    """Nodes end after 100 entries or 4096 bytes as Redis packs them: numbers, fields that repeat, deleted entries."""
    for n in range(1, 451):
        fields = [b"n", b"%d" % (n * n * n * 1000 - 10**6), b"text", b"x" * (n % size)]
        if n % 7 == 0:
            fields = [b"other", b"-%d" % n]
        if n % 11 == 0:
            fields += [b"%d" % (n**7), b"1.5", b"%d" % (1 << n % 70), b"-0"] * (n % 3)
        entry = b"%d-%d" % (n // 3 * (1 if n < 200 else 10**9) + 1, n % 3)
        both.check([b"XADD", b"s", entry, *fields])
        if n % 5 == 0:
            both.check([b"XDEL", b"s", entry])
        if n % 50 == 0:
            both.check("XINFO STREAM s")
    both.check("COPY s twin")
    both.check("COPY s third")
    for line in (
        *("XTRIM s MAXLEN ~ 300", "XTRIM s MAXLEN ~ 200 LIMIT 50", "XTRIM s MAXLEN ~ 200 LIMIT 100"),
        *("XTRIM s MAXLEN ~ 150 LIMIT 0", "XTRIM s MINID ~ 90", "XTRIM s MINID ~ 100000000000", "XTRIM s MAXLEN ~ 0"),
        *("XTRIM twin MINID ~ 40", "XTRIM twin MINID ~ 100 LIMIT 30", "XTRIM twin MINID 45", "XTRIM twin MAXLEN ~ 90"),
        *("XTRIM third MAXLEN 133", "XADD third MAXLEN ~ 100 500000000000-0 a b", "XTRIM third MAXLEN ~ 99"),
    ):
        both.check(line)
        both.check(f"XINFO STREAM {line.split()[1]}")
        both.check(f"XRANGE {line.split()[1]} - + COUNT 3")


def test_trimming_stops_after_many_entries(both: Both) -> None:
    batch = [[b"XADD", b"s", b"%d-1" % n, b"a", b"b"] for n in range(1, 10_302)]
    both.real.execute_many(batch)
    for args in batch:
        both.ask_engine(args)
    both.check_all("""
        XINFO STREAM s
        XTRIM s MAXLEN ~ 0
        XINFO STREAM s
        XTRIM s MAXLEN ~ 0 LIMIT 0
        XINFO STREAM s
    """)


def test_setting_the_last_id(both: Both) -> None:
    both.check_all(rf"""
        XSETID nope 1-1
        XSETID nope x
        XADD s 1-1 a b
        XADD s 2-1 a b
        XADD s 3-1 a b
        XDEL s 3-1
        XSETID s
        XSETID s 1-1
        XSETID s 2-1
        XINFO STREAM s
        XSETID s 2-5
        XSETID s 3
        XSETID s x
        XSETID s $
        XSETID s +
        XSETID s -
        XSETID s 9-9 ENTRIESADDED
        XSETID s 9-9 ENTRIESADDED 7
        XSETID s 9-9 ENTRIESADDED 1
        XSETID s 9-9 ENTRIESADDED 0
        XSETID s 9-9 ENTRIESADDED -1
        XSETID s 9-9 ENTRIESADDED x
        XSETID s 9-9 MAXDELETEDID 8-8
        XSETID s 9-9 MAXDELETEDID 99-9
        XSETID s 9-9 MAXDELETEDID x
        XSETID s 9-9 MAXDELETEDID 0-0
        XSETID s 9-9 ENTRIESADDED 5 MAXDELETEDID 1-1
        XSETID s 9-9 MAXDELETEDID 1-2 ENTRIESADDED 6
        XSETID s 9-9 ENTRIESADDED 5 MAXDELETEDID
        XSETID s 9-9 ENTRIESADDED 5 MAXDELETEDID 99-9
        XSETID s 1-1 ENTRIESADDED 1 MAXDELETEDID 1-1
        XSETID s 9-9 FOO 1
        xsetid s 9-9 entriesadded 8
        XINFO STREAM s
        XADD s 9-9 a b
        XADD s 9-10 a b
        XDEL s 9-10 1-1 2-1
        XSETID s 1-1
        XINFO STREAM s
        XSETID s 0-0
        XINFO STREAM s
        XADD s 1-1 a b
        XSETID s {MAX}-{MAX}
        XADD s * a b
        SET str x
        XSETID str 1-1
        XSETID str x
    """)


def test_reading(both: Both) -> None:
    both.check_all(rf"""
        XREAD STREAMS nope 0
        XREAD BLOCK 1 STREAMS nope 0
        XREAD BLOCK 1 STREAMS nope $
        XADD s 1-1 a b
        XADD s 2-1 a b
        XADD s 3-1 a b c d
        XADD t 1-1 a b
        XREAD STREAMS s 0
        XREAD STREAMS s t 0 0
        XREAD STREAMS s nope t 2 0 0-5
        XREAD STREAMS s s 0 2-1
        XREAD STREAMS s t 3-1 5
        XREAD STREAMS s $
        XREAD BLOCK 1 STREAMS s $
        XREAD STREAMS s {MAX}-{MAX}
        XREAD STREAMS s {MAX}
        XREAD COUNT 1 STREAMS s t 0 0
        XREAD count 2 streams s 0
        XREAD COUNT 0 STREAMS s 0
        XREAD COUNT -1 STREAMS s 2
        XREAD COUNT x STREAMS s 0
        XREAD BLOCK 1 STREAMS s 0
        XREAD BLOCK x STREAMS s 0
        XREAD BLOCK -1 STREAMS s 0
        XREAD BLOCK 1.5 STREAMS s 0
        XREAD BLOCK STREAMS s 0
        XREAD COUNT 1 BLOCK 1 STREAMS s 0
        XREAD COUNT 1 BLOCK 1
        XREAD FOO STREAMS s 0
        XREAD STREAMS s 0 0
        XREAD STREAMS s
        XREAD STREAMS
        XREAD COUNT 1 STREAMS
        XREAD STREAMS s x
        XREAD STREAMS s >
        XREAD STREAMS s +
        XREAD STREAMS s -
        XREAD STREAMS nope x
        XREAD STREAMS nope >
        XREAD GROUP g c STREAMS s 0
        XREAD GROUP STREAMS s 0
        XREAD NOACK STREAMS s 0
        XDEL s 3-1
        XREAD STREAMS s 2-1
        XREAD STREAMS s 2-0
        XREAD STREAMS s $
        SET str x
        XREAD STREAMS s str 0 0
        XREAD STREAMS str x
        MULTI
        XREAD BLOCK 0 STREAMS s 0
        EXEC
    """)


def test_a_read_never_waits_inside_a_transaction(both: Both) -> None:
    for line in ("XGROUP CREATE s g 0 MKSTREAM", "MULTI", "XREAD BLOCK 0 STREAMS s $"):
        both.check(line)
    both.check("XREADGROUP GROUP g c BLOCK 0 STREAMS s >")
    for ask in (both.real.execute, both.ask_engine):
        assert [content for _, content in ask([b"EXEC"])[1]] in ([None, None], [b"", b""])


def test_groups(both: Both) -> None:
    both.check_all(r"""
        XGROUP CREATE s g $
        XGROUP CREATE s g 0 MKSTREAM FOO
        XGROUP CREATE s g x MKSTREAM
        EXISTS s
        XGROUP CREATE s g $ MKSTREAM
        XGROUP CREATE s g $ MKSTREAM
        XINFO STREAM s
        XINFO STREAM s FULL
        XADD s 1-1 a b
        XADD s 2-1 a b
        XADD s 3-1 a b
        XGROUP CREATE s g 0
        XGROUP CREATE s g2 2 mkstream
        XGROUP CREATE s a 0 ENTRIESREAD 5
        XGROUP CREATE s b 0 ENTRIESREAD -1 MKSTREAM
        XGROUP CREATE s c 0 ENTRIESREAD -2
        XGROUP CREATE s c 0 ENTRIESREAD x
        XGROUP CREATE s c 0 ENTRIESREAD
        XGROUP CREATE s c 0 FOO
        XGROUP CREATE s c -
        XGROUP CREATE s c +
        XGROUP CREATE s c x
        XGROUP CREATE s c >
        XGROUP CREATE nope c 0
        XGROUP CREATE nope c x
        XGROUP CREATE nope c 0 FOO
        XGROUP CREATE s
        XGROUP CREATE
        XGROUP
        XGROUP FOO s g
        XINFO GROUPS s
        XGROUP SETID s g 1
        XGROUP SETID s g -
        XGROUP SETID s g +
        XGROUP SETID s g $
        XGROUP SETID s g x
        XGROUP SETID s g 1-1 ENTRIESREAD 1
        XGROUP SETID s a 1-1 ENTRIESREAD -1
        XGROUP SETID s a 1-1 ENTRIESREAD -2
        XGROUP SETID s a 1-1 ENTRIESREAD x
        XGROUP SETID s a 1-1 ENTRIESREAD
        XGROUP SETID s a 1-1 MKSTREAM
        XGROUP SETID s nope 1
        XGROUP SETID s nope x
        XGROUP SETID nope g 1
        XGROUP SETID s g
        XINFO GROUPS s
        XGROUP CREATECONSUMER s g c
        XGROUP CREATECONSUMER s g c
        XGROUP CREATECONSUMER s g ""
        XGROUP CREATECONSUMER s nope c
        XGROUP CREATECONSUMER nope g c
        XGROUP CREATECONSUMER s g
        XINFO CONSUMERS s g
        XINFO CONSUMERS s nope
        XINFO CONSUMERS nope g
        XINFO CONSUMERS s
        XGROUP DELCONSUMER s g c
        XGROUP DELCONSUMER s g c
        XGROUP DELCONSUMER s nope c
        XGROUP DELCONSUMER nope g c
        XGROUP DESTROY s a
        XGROUP DESTROY s a
        XGROUP DESTROY nope a
        XGROUP DESTROY s a b
        XINFO GROUPS s
        XINFO GROUPS nope
        XINFO GROUPS
        XINFO STREAM nope
        XINFO STREAM nope FOO
        XINFO STREAM s FOO
        XINFO STREAM s FULL COUNT
        XINFO STREAM s FULL COUNT x
        XINFO STREAM s FULL COUNT -1
        XINFO STREAM s FULL COUNT 0
        XINFO STREAM s full count 1
        XINFO STREAM s FULL FOO 5
        XINFO STREAM s FULL COUNT 1 2
        XINFO FOO
        XINFO
        SET str x
        XGROUP CREATE str g 0
        XGROUP CREATE str g 0 MKSTREAM
        XGROUP CREATE str g 0 FOO
        XGROUP SETID str g 0
        XGROUP DESTROY str g
        XGROUP CREATECONSUMER str g c
        XGROUP DELCONSUMER str g c
        XINFO STREAM str
        XINFO GROUPS str
        XINFO CONSUMERS str g
        COPY s t
        XGROUP DESTROY s g
        XINFO STREAM t FULL
        RENAME t u
        XINFO GROUPS u
        MOVE u 1
        SCAN 0 TYPE stream COUNT 100
    """)
    both.check_keyspace()


def test_reading_as_a_group(both: Both) -> None:
    both.check_all(rf"""
        XADD s 1-1 a 1
        XADD s 2-1 a 2
        XADD s 3-1 a 3
        XADD s 4-1 a 4
        XGROUP CREATE s g 0
        XREADGROUP GROUP g c COUNT 1 STREAMS s >
        XINFO GROUPS s
        XREADGROUP GROUP g c COUNT 2 STREAMS s >
        XREADGROUP GROUP g d STREAMS s >
        XREADGROUP GROUP g d STREAMS s >
        XREADGROUP GROUP g e STREAMS s >
        XREADGROUP GROUP g e BLOCK 1 STREAMS s >
        XINFO CONSUMERS s g
        XINFO GROUPS s
        XINFO STREAM s FULL
        XREADGROUP GROUP g c STREAMS s 0
        XREADGROUP GROUP g c STREAMS s 1-1
        XREADGROUP GROUP g c COUNT 1 STREAMS s 0
        XREADGROUP GROUP g c STREAMS s 99
        XREADGROUP GROUP g c STREAMS s {MAX}
        XREADGROUP GROUP g c STREAMS s {MAX}-{MAX}
        XREADGROUP GROUP g new STREAMS s 0
        XREADGROUP GROUP g new2 NOACK STREAMS s 0
        XPENDING s g - + 10
        XPENDING s g
        XADD s 5-1 a 5
        XADD s 6-1 a 6
        XREADGROUP GROUP g c NOACK COUNT 1 STREAMS s >
        XREADGROUP GROUP g f NOACK STREAMS s >
        XREADGROUP GROUP g f NOACK STREAMS s >
        XREADGROUP GROUP g h NOACK STREAMS s >
        XINFO CONSUMERS s g
        XINFO GROUPS s
        XPENDING s g
        XDEL s 2-1
        XREADGROUP GROUP g c STREAMS s 0
        XREADGROUP GROUP g c COUNT 2 STREAMS s 0
        XPENDING s g - + 10
        XGROUP SETID s g 0
        XREADGROUP GROUP g z COUNT 2 STREAMS s >
        XPENDING s g - + 10
        XINFO STREAM s FULL
        XADD t 1-1 a b
        XREADGROUP GROUP g c STREAMS s t > >
        XGROUP CREATE t g $
        XREADGROUP GROUP g c STREAMS s t > >
        XREADGROUP GROUP g c STREAMS s t 0 >
        XADD t 2-1 a b
        XREADGROUP GROUP g c STREAMS s t > >
        XREADGROUP GROUP g c STREAMS t s 0 0
        XREADGROUP GROUP g c STREAMS s $
        XREADGROUP GROUP g c STREAMS s x
        XREADGROUP GROUP g c STREAMS s -
        XREADGROUP GROUP g c STREAMS s
        XREADGROUP GROUP g c STREAMS s t > > >
        XREADGROUP GROUP g STREAMS s > x
        XREADGROUP GROUP g c COUNT x STREAMS s >
        XREADGROUP GROUP g c BLOCK x STREAMS s >
        XREADGROUP GROUP g c BLOCK -1 STREAMS s >
        XREADGROUP GROUP g c FOO STREAMS s >
        XREADGROUP GROUP g c COUNT 1 STREAMS
        XREADGROUP COUNT 1 STREAMS s t > >
        XREADGROUP GROUP nope c STREAMS s >
        XREADGROUP GROUP g c STREAMS nope >
        XREADGROUP GROUP g c STREAMS nope x
        XREADGROUP GROUP g c STREAMS nope $
        XREADGROUP GROUP g c COUNT 0 STREAMS s >
        XREADGROUP GROUP g c COUNT -1 STREAMS s 0
        XADD s 7-1 a 7
        XDEL s 7-1
        XREADGROUP GROUP g c STREAMS s >
        XREADGROUP GROUP g nobody STREAMS s >
        XINFO GROUPS s
        SET str x
        XREADGROUP GROUP g c STREAMS str >
        XREADGROUP GROUP g c STREAMS s str > >
    """)
    both.check_keyspace()


def test_acknowledging_and_claiming(both: Both) -> None:
    both.check_all("\n".join(f"XADD s {n}-1 a {n}" for n in range(1, 9)))
    both.check_all(rf"""
        XGROUP CREATE s g 0
        XPENDING s g
        XREADGROUP GROUP g c COUNT 6 STREAMS s >
        XACK s g 1-1
        XACK s g 1-1 9-9 2-1
        XACK s g x
        XACK s g 3-1 x
        XACK s nope x
        XACK nope g x
        XACK s g
        XPENDING s g
        XPENDING s g - + 10
        XPENDING s g (3-1 (6-1 10
        XPENDING s g 4 5 10
        XPENDING s g - + 2
        XPENDING s g - + 0
        XPENDING s g - + -1
        XPENDING s g - + x
        XPENDING s g x + 1
        XPENDING s g x + x
        XPENDING s g - x 1
        XPENDING s g - (0 1
        XPENDING s g ({MAX}-{MAX} + 1
        XPENDING s g - + 10 c
        XPENDING s g - + 10 nope
        XPENDING s g - + 10 c d
        XPENDING s g - + 10 c d e
        XPENDING s g - + 10 c d e f
        XPENDING s g - +
        XPENDING s g -
        XPENDING s g IDLE 0
        XPENDING s g IDLE 0 - +
        XPENDING s g IDLE 0 - + 10
        XPENDING s g idle 1000000 - + 10
        XPENDING s g IDLE -5 - + 10
        XPENDING s g IDLE x - + 10
        XPENDING s g IDLE x
        XPENDING s g IDLE 0 - + 10 c
        XPENDING s g IDLE 0 - + 10 c d
        XPENDING s nope
        XPENDING nope g
        XPENDING nope g - + x
        XPENDING nope g - + 1
        XPENDING s
        XCLAIM s g d 0 3-1
        XCLAIM s g d 0 3-1 4-1 99-1
        XCLAIM s g d 1000000 5-1
        XCLAIM s g e 1000000 5-1
        XINFO CONSUMERS s g
        XCLAIM s g d -5 5-1 JUSTID
        XCLAIM s g d x 5-1
        XCLAIM s g d 0 x
        XCLAIM s g d 0 5-1 x
        XCLAIM s g d 0 JUSTID
        XCLAIM s g d 0 5-1 IDLE 5000
        XPENDING s g - + 10
        XCLAIM s g d 1000 5-1 TIME 1000
        XCLAIM s g d 1000 5-1 TIME -1
        XCLAIM s g d 0 5-1 TIME 99999999999999
        XCLAIM s g d 0 5-1 IDLE -1
        XCLAIM s g d 0 5-1 IDLE 99999999999999
        XCLAIM s g d 0 5-1 IDLE
        XCLAIM s g d 0 5-1 IDLE x
        XCLAIM s g d 0 5-1 TIME x
        XCLAIM s g d 0 5-1 RETRYCOUNT x
        XCLAIM s g d 0 5-1 LASTID x
        XCLAIM s g d 0 5-1 FOO
        XCLAIM s g d 0 5-1 FORCE FORCE JUSTID RETRYCOUNT 7 RETRYCOUNT 9
        XCLAIM s g d 0 5-1 RETRYCOUNT 0
        XCLAIM s g d 0 5-1 RETRYCOUNT -1
        XCLAIM s g d 0 5-1 retrycount 3 justid
        XCLAIM s g d 0 8-1
        XCLAIM s g d 0 8-1 FORCE
        XCLAIM s g d 99999 7-1 FORCE JUSTID
        XCLAIM s g d 0 99-1 FORCE
        XCLAIM s g d 0 5-1 LASTID 2-1
        XINFO GROUPS s
        XCLAIM s g d 0 5-1 LASTID 7-1
        XCLAIM s g d 0 99-1 LASTID 7-5
        XINFO GROUPS s
        XPENDING s g - + 10
        XDEL s 5-1 6-1
        XCLAIM s g d 0 5-1
        XCLAIM s g d 1000000 6-1
        XPENDING s g - + 10
        XCLAIM s g d 0 5-1 FORCE
        XCLAIM s nope d 0 5-1
        XCLAIM s nope d x 5-1
        XCLAIM nope g d 0 5-1
        XCLAIM s g d 0
        XINFO STREAM s FULL
        SET str x
        XACK str g 1
        XACK str g x
        XPENDING str g
        XPENDING str g - + x
        XPENDING str g - + 1
        XCLAIM str g c 0 1
        XCLAIM str g c x 1
        XGROUP DELCONSUMER s g d
        XPENDING s g
        XINFO STREAM s FULL
    """)
    both.check_keyspace()


def test_claiming_automatically(both: Both) -> None:
    both.check_all("\n".join(f"XADD s {n}-1 a {n}" for n in range(1, 41)))
    both.check_all(rf"""
        XGROUP CREATE s g 0
        XAUTOCLAIM s g d 0 0
        XREADGROUP GROUP g c STREAMS s >
        XAUTOCLAIM s g d 0 0 COUNT 3
        XAUTOCLAIM s g d 0 4-1 COUNT 2
        XAUTOCLAIM s g d 0 (4-1 COUNT 1
        XAUTOCLAIM s g d 0 38 JUSTID
        XAUTOCLAIM s g e 1000000 0
        XAUTOCLAIM s g e 1000000 0 COUNT 1
        XAUTOCLAIM s g e 1000000 0 COUNT 3
        XINFO CONSUMERS s g
        XAUTOCLAIM s g d 0 - COUNT 1
        XAUTOCLAIM s g d 0 + COUNT 1
        XDEL s 2-1 3-1 5-1
        XAUTOCLAIM s g d 0 0 COUNT 3 JUSTID
        XAUTOCLAIM s g d 1000000 0 COUNT 3
        XPENDING s g - + 10
        XAUTOCLAIM s g d 0 99
        XAUTOCLAIM s g d -5 39 justid count 1
        XAUTOCLAIM s g d x 0
        XAUTOCLAIM s g d 0 x
        XAUTOCLAIM s g d 0 (x
        XAUTOCLAIM s g d 0 ({MAX}-{MAX}
        XAUTOCLAIM s g d 0 0 COUNT 0
        XAUTOCLAIM s g d 0 0 COUNT -1
        XAUTOCLAIM s g d 0 0 COUNT x
        XAUTOCLAIM s g d 0 0 COUNT 576460752303423488
        XAUTOCLAIM s g d 0 0 COUNT 9223372036854775807
        XAUTOCLAIM s g d 0 0 COUNT
        XAUTOCLAIM s g d 0 0 FOO
        XAUTOCLAIM s nope d 0 0
        XAUTOCLAIM s nope d x 0
        XAUTOCLAIM nope g d 0 0
        XAUTOCLAIM s g d 0
        XAUTOCLAIM s g d 0 0 COUNT 100
        XINFO STREAM s FULL COUNT 3
        SET str x
        XAUTOCLAIM str g c 0 0
        XAUTOCLAIM str g c x 0
    """)
    both.check_keyspace()


def test_lag(both: Both) -> None:
    """What a group has still to read is known only where no deleted entry is in between."""
    script = ["XGROUP CREATE s start 0 MKSTREAM", "XGROUP CREATE s end $"]
    for n in range(1, 9):
        script += [f"XADD s {n}-0 a b", "XINFO GROUPS s"]
    for n in (0, 1, 2, 5, 8, 9):
        script += [f"XGROUP CREATE s at{n} {n}", f"XGROUP CREATE s read{n} {n} ENTRIESREAD {n}"]
    for line in ("XDEL s 1-0", "XDEL s 4-0", "XTRIM s MINID 3", "XDEL s 8-0", "XTRIM s MINID 6", "XTRIM s MAXLEN 0"):
        script += ["XINFO GROUPS s", line]
        for n in (0, 1, 2, 5, 8, 9):
            script += [
                f"XREADGROUP GROUP at{n} c COUNT 1 STREAMS s >",
                f"XREADGROUP GROUP read{n} c COUNT 1 STREAMS s >",
            ]
    script += [
        "XINFO GROUPS s",
        "XADD s 20-0 a b",
        "XINFO GROUPS s",
        "XSETID s 30-0 ENTRIESADDED 100",
        "XINFO GROUPS s",
    ]
    both.check_all("\n".join(script))


CHANGES = [
    *(
        "XADD s 9-9 a b",
        "XADD s NOMKSTREAM 9-9 a b",
        "XDEL s 1-1",
        "XDEL s 77-7",
        "XTRIM s MAXLEN 1",
        "XTRIM s MAXLEN 9",
    ),
    *("XTRIM s MAXLEN ~ 0", "XSETID s 99-1", "XGROUP CREATE s new 0", "XGROUP CREATE s g 0", "XGROUP SETID s g 0"),
    *("XGROUP CREATECONSUMER s g x", "XGROUP CREATECONSUMER s g c", "XGROUP DELCONSUMER s g c"),
    *("XGROUP DELCONSUMER s g x", "XGROUP DESTROY s g", "XGROUP DESTROY s x", "XREADGROUP GROUP g c STREAMS s >"),
    *("XREADGROUP GROUP g c STREAMS s 0", "XREADGROUP GROUP g new NOACK STREAMS s >", "XACK s g 1-1", "XACK s g 7-7"),
    *("XCLAIM s g d 0 1-1", "XCLAIM s g d 0 1-1 LASTID 9-9", "XAUTOCLAIM s g d 0 0", "XPENDING s g", "XLEN s"),
    "XGROUP CREATE fresh g 0 MKSTREAM",
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_watchers_hear_of(both: Both, change: str) -> None:
    both.check_all(f"""
        XADD s 1-1 a b
        XADD s 2-1 a b
        XGROUP CREATE s g 0
        XREADGROUP GROUP g c COUNT 1 STREAMS s >
        WATCH s fresh
        {change}
        MULTI
        PING
        EXEC
    """)
