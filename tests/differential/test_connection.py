"""The connection, transactions, scripts by SHA and what the server tells of itself, against a real server."""

from __future__ import annotations

import pytest

from tests.differential.both import Both, words
from tests.differential.wire import Connection
from tests.servers import RealServer


def test_connection(both: Both) -> None:
    both.check_all(r"""
        PING
        ping
        PING hello
        PING a b
        ECHO hi
        ECHO
        NOSUCH
        nosuch a "b\nc" d
        "bad\r\ncommand" x
        NOSUCH "quoted ' inside"
        HELLO 4
        HELLO x
        HELLO 3 FOO
        HELLO 3 AUTH default
        HELLO 3 AUTH nope pw
        HELLO 3 SETNAME
        HELLO 3 SETNAME "a b"
        AUTH pw
        AUTH default pw
        AUTH nope pw
        AUTH a b c
        AUTH
        CLIENT
        CLIENT NOSUCH
        CLIENT GETNAME
        CLIENT SETNAME me
        CLIENT GETNAME
        CLIENT SETNAME "a b"
        CLIENT SETNAME "a\x7f"
        CLIENT SETNAME ""
        CLIENT GETNAME
        CLIENT SETNAME
        CLIENT ID x
        CLIENT NO-EVICT on
        CLIENT NO-EVICT foo
        COMMAND NOSUCH
        COMMAND INFO nosuch
        COMMAND COUNT x
        CONFIG
        CONFIG NOSUCH
        CONFIG GET
        CONFIG GET nosuch
        CONFIG GET maxmemory-policy
        CONFIG GET maxmemory databases
        CONFIG RESETSTAT
        TIME x
        INFO nosuch
        SCRIPT
        SCRIPT NOSUCH
        SCRIPT EXISTS abc def
        SCRIPT FLUSH
        SCRIPT FLUSH FOO
        SCRIPT FLUSH ASYNC SYNC
        SCRIPT EXISTS
        EVALSHA abc 0
        EVALSHA abc
        EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
        EVALSHA ffffffffffffffffffffffffffffffffffffffff 1
        EVALSHA ffffffffffffffffffffffffffffffffffffffff -1
        EVALSHA ffffffffffffffffffffffffffffffffffffffff x
        EVALSHA_RO ffffffffffffffffffffffffffffffffffffffff 0
    """)


def test_reset(both: Both) -> None:
    both.check_all(r"""
        SELECT 3
        SET a 1
        WATCH a
        MULTI
        SET a 2
        RESET
    """)
    both.real.execute([b"HELLO", b"%d" % both.writer.protocol])
    both.check_all(r"""
        GET a
        EXEC
        CLIENT GETNAME
    """)


def test_transactions(both: Both) -> None:
    both.check_all(r"""
        EXEC
        DISCARD
        MULTI
        EXEC
        MULTI
        SET a 1
        GET a
        INCR a
        EXEC
        MULTI
        SET a x
        INCR a
        HGET a f
        SET a y
        EXEC
        GET a
        MULTI
        MULTI
        SET a z
        EXEC
        GET a
        MULTI
        SET a
        SET a q
        EXEC
        GET a
        MULTI
        NOSUCH
        EXEC
        MULTI
        SET a q
        DISCARD
        GET a
        MULTI x
        EXEC x
        MULTI
        WATCH a
        SET a w
        EXEC
        MULTI
        CLIENT NOSUCH
        EXEC
        MULTI
        CLIENT SETNAME
        EXEC
        MULTI
        CLIENT
        EXEC
        MULTI
        SELECT 1
        SET a one
        EXEC
        GET a
        SELECT 0
        GET a
        MULTI
        UNWATCH
        PING
        ZMPOP 1 nope MIN
        DISCARD
        UNWATCH
        WATCH
        WATCH a
        MULTI
        SET a own
        EXEC
    """)


@pytest.mark.parametrize(
    ("prepare", "meddle"),
    [
        ("SET k 1", "SET k 2"),
        ("SET k 1", "SET k 1"),
        ("SET k 1", "GET k"),
        ("SET k 1", "SET other 1"),
        ("SET k 1", "SETNX k 2"),
        ("SET k 1", "DEL k"),
        ("SET k 1", "DEL nope"),
        ("PING", "SET k 1"),
        ("PING", "DEL k"),
        ("SET k 1", "EXPIRE k 100"),
        ("SET k 1", "EXPIRE k -1"),
        ("SET k 1", "PERSIST k"),
        ("SET k 1 EX 100", "PERSIST k"),
        ("SET k 1 EX 100", "GETEX k PERSIST"),
        ("SET k 1", "GETEX k"),
        ("SET k 1", "GETEX k EX 100"),
        ("SET k 1", "RENAME k other"),
        ("SET x 1", "RENAME x k"),
        ("SET k 1", "RENAME k k"),
        ("SET k 1", "MOVE k 3"),
        ("SET k 1", "COPY k other"),
        ("SET x 1", "COPY x k"),
        ("SET k 1", "FLUSHDB"),
        ("SET x 1", "FLUSHDB"),
        ("SET k 1", "FLUSHALL"),
        ("SET k 1", "SWAPDB 0 1"),
        ("SET x 1", "SWAPDB 0 1"),
        ("SET k 1", "SWAPDB 1 2"),
        ("SET k 1", "SWAPDB 0 0"),
        ("HSET k a 1", "HSET k a 1"),
        ("HSET k a 1", "HDEL k nope"),
        ("HSET k a 1", "HDEL k a"),
        ("HSET k a 1", "HSETNX k a 1"),
        ("HSET k a 1", "HINCRBY k a 0"),
        ("SADD k a", "SADD k a"),
        ("SADD k a", "SADD k b"),
        ("SADD k a", "SREM k b"),
        ("SADD k a", "SPOP k"),
        ("SADD k a", "SPOP k 0"),
        ("SADD k a", "SMOVE k other a"),
        ("SADD k a", "SMOVE k k a"),
        ("SADD x a", "SMOVE x k a"),
        ("SADD k a", "SINTERSTORE k nope"),
        ("PING", "SINTERSTORE k nope"),
        ("SADD k a", "SUNIONSTORE k k"),
        ("ZADD k 1 a", "ZADD k 1 a"),
        ("ZADD k 1 a", "ZADD k 2 a"),
        ("ZADD k 1 a", "ZADD k NX 2 a"),
        ("ZADD k 1 a", "ZINCRBY k 0 a"),
        ("ZADD k 1 a", "ZREM k b"),
        ("ZADD k 1 a", "ZPOPMIN k"),
        ("ZADD k 1 a", "ZPOPMIN k 0"),
        ("ZADD k 1 a", "ZREMRANGEBYSCORE k 5 6"),
        ("ZADD k 1 a", "ZRANGESTORE k k 5 6"),
        ("RPUSH k a b", "LTRIM k 0 -1"),
        ("RPUSH k a b", "LTRIM k 0 0"),
        ("RPUSH k a b", "LSET k 0 a"),
        ("RPUSH k a b", "LREM k 0 x"),
        ("RPUSH k a b", "LPOP k 0"),
        ("RPUSH k a b", "RPOPLPUSH k k"),
        ("RPUSH k a b", "LPUSHX k a"),
        ("SET k abc", "SETRANGE k 0 a"),
        ("SET k abc", 'SETRANGE k 0 ""'),
        ("SET k abc", 'APPEND k ""'),
        ("SET k 1", "INCRBY k 0"),
        ("SET k 1", "MSETNX k 2 z 3"),
        ("SET k 1", "TOUCH k"),
        ("SADD k 1", "INCR k"),
    ],
)
def test_watch(both: Both, truth: RealServer, prepare: str, meddle: str) -> None:
    """Another connection's command between WATCH and EXEC breaks the transaction on both sides, or on neither."""
    both.check(prepare)
    both.check("WATCH k")
    other = Connection(truth.socket_path)
    other.execute(words(meddle))
    other.close()
    mine, both.session = both.session, type(both.session)()
    both.ask_engine(words(meddle))
    both.session = mine
    both.check_all("MULTI\nPING\nEXEC")
