"""Keys of any type, databases, deadlines and the walk over keys, against a real server."""

from __future__ import annotations

from tests.differential.both import Both


def test_keys(both: Both) -> None:
    both.check_all(r"""
        MSET a 1 b 2 c 3
        SADD s x
        HSET h f v
        ZADD z 1 m
        TYPE a
        TYPE s
        TYPE h
        TYPE z
        TYPE nope
        EXISTS a a b nope
        EXISTS nope
        TOUCH a a nope
        DEL a a nope
        UNLINK b nope
        DEL nope
        DEL
        DBSIZE
        KEYS *
        KEYS ?
        KEYS [a-c]
        KEYS nope*
        KEYS ""
        RENAME c d
        RENAME nope e
        RENAME d d
        RENAME nope nope
        RENAMENX d d
        RENAMENX nope d
        RENAMENX d s
        RENAMENX d e
        GET e
        RENAME e s
        TYPE s
        EXPIRE s 100
        RENAME s t
        TTL t
        SET u v
        RENAME u t
        TTL t
        RENAMENX t
        COPY t cp
        COPY t cp
        COPY t cp REPLACE
        COPY t t
        COPY t t DB 0
        COPY t t DB 1
        COPY t cp DB 1
        COPY t cp DB 1
        COPY t cp DB 1 REPLACE
        COPY t cp replace db 2
        COPY t cp DB 99
        COPY t cp DB -1
        COPY t cp DB x
        COPY t cp DB 4294967296
        COPY t cp DB
        COPY t cp FOO
        COPY nope cp
        COPY nope nope
        COPY z z2
        ZADD z2 9 new
        ZRANGE z 0 -1 WITHSCORES
        COPY h h2
        HSET h2 f changed
        HGETALL h
        EXPIRE h 100
        COPY h h3
        TTL h3
        COPY h z REPLACE
        TYPE z
        RANDOMKEY x
        OBJECT ENCODING nope
        OBJECT REFCOUNT nope
        OBJECT FREQ nope
        OBJECT FREQ t
        OBJECT IDLETIME nope
        OBJECT FOO t
        OBJECT
        OBJECT ENCODING
        OBJECT ENCODING a b
        FLUSHDB x
        FLUSHDB SYNC ASYNC
        FLUSHDB ASYNC
        RANDOMKEY
        DBSIZE
        SET only 1
        RANDOMKEY
        FLUSHALL x
        FLUSHALL SYNC
        KEYS *
    """)


def test_encodings(both: Both) -> None:
    both.check_all(rf"""
        SET i 12345
        OBJECT ENCODING i
        SET e hello
        OBJECT ENCODING e
        SET e44 {"x" * 44}
        OBJECT ENCODING e44
        SET r {"x" * 45}
        OBJECT ENCODING r
        SET big 9223372036854775808
        OBJECT ENCODING big
        SET zero 007
        OBJECT ENCODING zero
        SADD ints 1 2 3
        OBJECT ENCODING ints
        SADD strs a
        OBJECT ENCODING strs
        HSET h a b
        OBJECT ENCODING h
        HSET hb a {"x" * 65}
        OBJECT ENCODING hb
        ZADD z 1 a
        OBJECT ENCODING z
        ZADD zb 1 {"x" * 65}
        OBJECT ENCODING zb
        OBJECT REFCOUNT e
    """)


def test_databases(both: Both) -> None:
    both.check_all(r"""
        SET a 0
        SELECT 1
        GET a
        SET a 1
        MOVE a 0
        MOVE a 2
        EXISTS a
        MOVE nope 2
        SET b 1 EX 100
        MOVE b 2
        SELECT 2
        TTL b
        GET a
        MOVE a 2
        MOVE a 99
        MOVE a -1
        MOVE a x
        MOVE nope x
        MOVE nope 2
        SELECT 99
        SELECT -1
        SELECT x
        SELECT 1.5
        SELECT 4294967296
        SELECT
        SELECT 0
        SWAPDB 0 2
        GET a
        TTL b
        SWAPDB 0 0
        SWAPDB 0 99
        SWAPDB -1 0
        SWAPDB x 0
        SWAPDB 0 x
        SWAPDB x y
        SWAPDB 0 4294967296
        SWAPDB 99999999999999999999 0
        SWAPDB 0
        SELECT 2
        GET a
        FLUSHDB
        SELECT 0
        DBSIZE
        FLUSHALL
        DBSIZE
    """)


def test_expire(both: Both) -> None:
    both.check_all(r"""
        EXPIRE nope 10
        TTL nope
        PTTL nope
        EXPIRETIME nope
        PEXPIRETIME nope
        PERSIST nope
        SET a v
        TTL a
        PTTL a
        EXPIRETIME a
        PEXPIRETIME a
        PERSIST a
        EXPIRE a 100
        TTL a
        PEXPIRE a 100500
        PTTL a
        EXPIREAT a 4102444800
        EXPIRETIME a
        PEXPIREAT a 4102444800500
        EXPIRETIME a
        PEXPIRETIME a
        PEXPIREAT a 4102444800499
        EXPIRETIME a
        PERSIST a
        PERSIST a
        EXPIRE a 100 NX
        EXPIRE a 200 NX
        EXPIRE a 200 XX
        EXPIRE a 100 GT
        EXPIRE a 300 GT
        EXPIRE a 400 LT
        EXPIRE a 200 LT
        EXPIRE a 250 XX GT
        EXPIRE a 300 xx gt
        PERSIST a
        EXPIRE a 100 XX
        EXPIRE a 100 GT
        TTL a
        EXPIRE a 100 LT
        TTL a
        EXPIRE a 100 NX XX
        EXPIRE a 100 NX GT
        EXPIRE a 100 NX LT
        EXPIRE a 100 GT LT
        EXPIRE a 100 NX NX
        EXPIRE a 100 FOO
        EXPIRE a 100 NX FOO
        EXPIRE nope 100 FOO
        EXPIRE a x
        EXPIRE a x FOO
        EXPIRE nope x
        EXPIRE a 1.5
        EXPIRE a 9223372036854775807
        EXPIRE a 9223372036854775
        EXPIRE a 9223372036854776
        EXPIRE a -9223372036854775808
        PEXPIRE a 9223372036854775807
        PEXPIRE a 9223372036854770000
        EXPIREAT a 9223372036854775807
        EXPIREAT a 9223372036854775
        PEXPIREAT a 9223372036854775807
        PTTL a
        EXPIRE a
        TTL
        EXPIRE a 0
        EXISTS a
        SET a v
        EXPIRE a -1
        EXISTS a
        SET a v
        EXPIREAT a 1
        EXISTS a
        SET a v
        PEXPIREAT a 1
        EXISTS a
        SET a v
        PEXPIRE a -9223372036854775808
        EXISTS a
        SET a v EX 100
        EXPIRE a -1 GT
        EXPIRE a -1 NX
        EXPIRE a -1 LT
        EXISTS a
        HSET h a b
        EXPIRE h 100
        HSET h c d
        TTL h
        HDEL h a c
        HSET h a b
        TTL h
        SADD s a
        EXPIRE s 100
        SREM s a
        SADD s a
        TTL s
    """)


def test_scan(both: Both) -> None:
    both.check_all(r"""
        MSET a 1 b 2 ab 3
        SADD s x
        SCAN 0 COUNT 100
        SCAN 0 MATCH a* COUNT 100
        SCAN 0 TYPE string COUNT 100
        SCAN 0 TYPE SET COUNT 100
        SCAN 0 TYPE nope COUNT 100
        SCAN 0 COUNT 0
        SCAN 0 COUNT -1
        SCAN 0 COUNT x
        SCAN 0 COUNT
        SCAN 0 MATCH
        SCAN 0 FOO x
        SCAN x
        SCAN 0x1
        SCAN 1.5
        SCAN -
        SCAN "0 "
        SCAN " 0"
        SCAN 99999999999999999999
        SCAN
    """)


def test_patterns(both: Both) -> None:
    names = rb"""a b ab abc aXb a*b a?b [a] a] \ a\b ^ - a-b hello hallo hxllo hllo heello""".split()
    for name in [*names, b"", b"\0", b"\xff", b"\x80", b"a\r\nb"]:
        both.check([b"SET", name, b"v"])
    patterns = rb"""
        * ** a* *a *b a*b a**b ? ?? ??? a? [ab] [a-b] [b-a] [^a] [^a-b]* [ [a [^ [^a [] [^] [] ] []] [[]a] [\]]
        [a\-b] \* a\*b a\?b \[a\] \\ a\\b \ a\ h?llo h[ae]llo h*llo h[^e]llo h[a-b]llo *l*o* *x* a[*]b a[?]b
        [a- [a-] [-a] [a-b-c] [a- *[ a*? ?* *?*?* ^ [\ [^\\] [a-z]*[a-z] a*b*c ***b ?*b [^a]* *[^a] a\bc *\
    """.split()
    odd = [b"", b"[\x01-\xff]", b"[\x80-\xff]", b"[\xff]", b"\xff", b"a\r*", b"*\0*", b"[\0]"]
    for pattern in [*patterns, *odd]:
        both.check([b"KEYS", pattern])
