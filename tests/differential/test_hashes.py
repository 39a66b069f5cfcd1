"""Hashes: every option and every error of their commands, against a real server."""

from __future__ import annotations

from tests.differential.both import Both


def test_fields(both: Both) -> None:
    both.check_all(r"""
        HSET h a 1
        HSET h a 2 b 3 c 4
        HSET h a 1 a 2 z 1 z 2
        HSET h a
        HSET h a 1 b
        HMSET h d 5
        HMSET h d
        HMSET h d 1 e
        HGET h a
        HGET h nope
        HGET nope a
        HMGET h a b nope a
        HMGET nope a b
        HMGET h
        HGETALL h
        HGETALL nope
        HKEYS h
        HKEYS nope
        HVALS h
        HVALS nope
        HLEN h
        HLEN nope
        HSTRLEN h a
        HSTRLEN h nope
        HSTRLEN nope a
        HEXISTS h a
        HEXISTS h nope
        HEXISTS nope a
        HSETNX h a 9
        HSETNX h n 9
        HSETNX m n 9
        HDEL h a nope a
        HDEL nope a
        HDEL m n
        EXISTS m
        HDEL h
        SET s v
        HSET s a 1
        HSET s a
        HMSET s a 1
        HSETNX s a 1
        HGET s a
        HMGET s a
        HGETALL s
        HKEYS s
        HVALS s
        HLEN s
        HSTRLEN s a
        HEXISTS s a
        HDEL s a
        HINCRBY s a 1
        HINCRBYFLOAT s a 1
        HRANDFIELD s
        HRANDFIELD s 1
        HSCAN s 0
    """)


def test_numbers(both: Both) -> None:
    both.check_all(r"""
        HINCRBY h n 5
        HINCRBY h n -7
        HINCRBY h n x
        HINCRBY h n 1.5
        HSET h t abc e "" f 1.5 sp " 1"
        HINCRBY h t 1
        HINCRBY h t x
        HINCRBY h e 1
        HINCRBY h f 1
        HINCRBY h sp 1
        HINCRBYFLOAT h sp 1
        HSET h n 9223372036854775807
        HINCRBY h n 1
        HSET h n -9223372036854775808
        HINCRBY h n -1
        HINCRBYFLOAT h f 0.1
        HINCRBYFLOAT h f 1e-19
        HINCRBYFLOAT h f x
        HINCRBYFLOAT h f nan
        HINCRBYFLOAT h f inf
        HINCRBYFLOAT h f -inf
        HINCRBYFLOAT h t 1
        HINCRBYFLOAT h t x
        HINCRBYFLOAT h e 1
        HINCRBYFLOAT h new 5.0e3
        HINCRBYFLOAT h new -5000
        HINCRBYFLOAT h i 1e300
        HSET h inf inf
        HINCRBYFLOAT h inf 1
        HINCRBYFLOAT h f 1 2
        HGETALL h
        HINCRBYFLOAT fresh a x
        EXISTS fresh
    """)


def test_random_fields(both: Both) -> None:
    both.check_all(r"""
        HRANDFIELD nope
        HRANDFIELD nope 5
        HRANDFIELD nope 5 WITHVALUES
        HSET h a 1
        HRANDFIELD h
        HRANDFIELD h 1
        HRANDFIELD h 5
        HRANDFIELD h -3
        HRANDFIELD h 0
        HRANDFIELD h 0 WITHVALUES
        HRANDFIELD h 2 WITHVALUES
        HRANDFIELD h -2 WITHVALUES
        HRANDFIELD h 2 withvalues
        HRANDFIELD h 2 FOO
        HRANDFIELD h 2 WITHVALUES x
        HRANDFIELD h x
        HRANDFIELD h 9223372036854775807 WITHVALUES
        HRANDFIELD h -9223372036854775808 WITHVALUES
        HRANDFIELD h -9223372036854775808
        HRANDFIELD h 9223372036854775807
    """)


def test_scan(both: Both) -> None:
    both.check_all(r"""
        HSET h a 1 b 2 ab 3
        HSCAN h 0
        HSCAN h 0 MATCH a*
        HSCAN h 0 COUNT 1
        HSCAN h 5
        HSCAN h 0 COUNT 0
        HSCAN h 0 COUNT x
        HSCAN h 0 COUNT
        HSCAN h 0 TYPE string
        HSCAN h 0 FOO bar
        HSCAN h x
        HSCAN h " 1"
        HSCAN h -1
        HSCAN h +0
        HSCAN h 18446744073709551616
        HSCAN h 18446744073709551615
        HSCAN h ""
        HSCAN nope 0
        HSCAN nope x
        HSCAN nope 0 FOO
        HSCAN h
    """)
