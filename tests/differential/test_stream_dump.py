"""A rewritten log rebuilds streams: in the words of a real server's own rewrite, and there as well as here."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.dump import dump
from redmodel.engine.values.stream import Stream
from redmodel.errors import ReplyError
from tests.differential.both import Both, without_times, words
from tests.differential.random_commands import Generator
from tests.differential.test_effects import alike, logging_server, units_of
from tests.differential.wire import Connection
from tests.servers import RealServer

__all__ = ["logging_server"]

SCRIPT = r"""
    XADD s 1-1 a b
    XADD s 2-1 a b c d
    XADD s 3-1 a b
    XDEL s 2-1
    XGROUP CREATE s g 0
    XGROUP CREATE s h $ ENTRIESREAD 7
    XGROUP CREATE s a 2
    XGROUP CREATECONSUMER s a nobody
    XREADGROUP GROUP g c COUNT 1 STREAMS s >
    XREADGROUP GROUP g d STREAMS s >
    XREADGROUP GROUP g d STREAMS s 0
    XGROUP CREATECONSUMER s g b
    XSETID s 9-9 ENTRIESADDED 50
    XGROUP CREATE made g 0 MKSTREAM
    XADD emptied 5-5 a b
    XADD emptied MAXLEN 0 6-6 a b
    XADD deleted 5-5 a b
    XDEL deleted 5-5
    EXPIREAT deleted 4102444800
"""


def test_streams_are_rewritten_as_redis_does(logging_server: RealServer) -> None:
    engine, session = Engine(), Session()
    real = Connection(logging_server.socket_path)
    for line in filter(None, map(str.strip, SCRIPT.splitlines())):
        real.execute(words(line))
        engine.execute(session, words(line))
    real.execute([b"BGREWRITEAOF"])
    base = Path(logging_server.directory, "appendonlydir", "appendonly.aof.2.base.aof")
    until = time.monotonic() + 20
    while not base.exists() and time.monotonic() < until:
        time.sleep(0.05)
    real.close()
    by_key: dict[bytes, list[list[tuple[int, tuple[bytes, ...]]]]] = {}
    for unit in units_of(base.read_bytes()):
        args = unit[0][1]
        by_key.setdefault(args[2] if args[0] == b"XGROUP" else args[1], []).append(unit)
    for key in (b"s", b"made", b"emptied", b"deleted"):
        ours = [[(0, args)] for number, args in dump(engine.databases) if key in args[1:3]]
        assert alike(by_key[key], ours), f"{key}\n  redis  {by_key[key]}\n  engine {ours}"


@pytest.mark.parametrize("size", [0, 1])
def test_a_last_id_below_a_deleted_one(both: Both, size: int) -> None:
    both.check_all("XADD s 1-1 a b" if size else "XGROUP CREATE s g 0 MKSTREAM")
    both.check_all("""
        XADD s 9-9 a b
        XDEL s 9-9
        XSETID s 2-2
        XINFO STREAM s
    """)
    commands = [list(args) for _, args in dump(both.engine.databases)]
    both.check("DEL s")
    for args in commands:
        both.check(args)
    both.check_all("""
        XINFO STREAM s FULL
        XADD s 2-1 a b
        XADD s 2-3 a b
        XINFO STREAM s
    """)
    both.check_keyspace()
    assert [args[2] for args in commands if args[0] == b"XSETID"] == [b"9-9", b"2-2"]


def test_an_entry_that_is_pending_behind_the_last_one(both: Both) -> None:
    """A trim does not tell the highest deleted id, so nothing may raise it on the way back."""
    both.check_all("""
        XADD s 1-1 a b
        XADD s 5-5 a b
        XGROUP CREATE s g 0
        XREADGROUP GROUP g c STREAMS s >
        XTRIM s MAXLEN 0
        XSETID s 1-0
        XADD s 2-2 a b
        XREADGROUP GROUP g d STREAMS s >
    """)
    commands = [list(args) for _, args in dump(both.engine.databases)]
    ask = words("XINFO STREAM s FULL")
    before = without_times(both.ask_engine(ask), [])
    both.check("DEL s")
    for args in commands:
        both.check(args)
    assert without_times(both.ask_engine(ask), []) == before
    both.check_keyspace()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rewritten_streams_are_what_they_were(both: Both, seed: int) -> None:
    """Also entries that are pending though they were deleted, which Redis' own rewrite loses."""
    engine, session = Engine(), Session()
    generator = Generator(random.Random(seed))
    dangling = 0
    for step in range(3000):
        try:
            engine.execute(session, generator.stream() if step % 2 else generator.group())
        except ReplyError:
            continue
        if step % 100:
            continue
        again, other = Engine(), Session()
        both.real.execute([b"FLUSHALL"])
        for number, args in dump(engine.databases):
            assert number == 0
            again.execute(other, args)
            real = both.real.execute(list(args))
            assert real[0] != "-", (args, real)
        for key, stream in engine.databases[0].values.items():
            assert isinstance(stream, Stream)
            dangling += sum(entry not in stream for group in stream.groups.values() for entry in group.pending)
            twin = again.databases[0].values[key]
            assert isinstance(twin, Stream)
            twin.check()
            assert twin == stream
            ask = [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]
            both.engine = again
            assert without_times(both.real.execute(ask), []) == without_times(both.ask_engine(ask), [])
    assert dangling > 10
