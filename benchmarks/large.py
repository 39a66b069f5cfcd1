"""The embedded engine beside redis-server: large sets and sorted sets, and the memory that many small hashes take."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from benchmarks.rounds import Action, Case
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session

MEMBERS = 10_000
SCORES = 1_000_000
HASHES = 100_000
_STEP = 1000


def cases(client: Any, target: float) -> list[Case]:
    """The same large collections in an engine and on a server, which is asked through redis-py."""
    engine, session = Engine(), Session()

    def both(*args: bytes) -> None:
        engine.execute(session, args)
        client.execute_command(*args)

    for name, first in ((b"a", 0), (b"b", MEMBERS - 100), (b"c", 0)):
        both(b"SADD", name, *[b"member:%d" % number for number in range(first, first + MEMBERS)])
    for first in range(0, SCORES, _STEP):
        both(b"ZADD", b"z", *[part for n in range(first, first + _STEP) for part in (b"%d" % n, b"m:%d" % n)])

    def case(name: str, times: int, *args: bytes) -> Case:
        contenders: dict[str, Action] = {
            "engine": lambda: engine.execute(session, args),
            "redis-server": lambda: client.execute_command(*args),
        }
        return Case(name, contenders, times, target)

    return [
        case("SINTER, 2 of 10,000 → 100", 10, b"SINTER", b"a", b"b"),
        case("SINTER, 2 of 10,000 → 10,000", 5, b"SINTER", b"a", b"c"),
        case("ZRANGEBYSCORE, 100 of 1,000,000", 200, b"ZRANGEBYSCORE", b"z", b"500000", b"500099"),
    ]


def memory(client: Any) -> str:
    """The bytes that a hash of eight short fields takes, in the engine and on the server."""

    def fields(number: int) -> list[bytes]:
        return [part for n in range(8) for part in (b"field%d" % n, b"value:%d" % (number * 7 + n))]

    client.flushall()
    before = client.info("memory")["used_memory"]
    pipe = client.pipeline(transaction=False)
    for number in range(HASHES):
        pipe.execute_command("HSET", b"user:%d" % number, *fields(number))
        if number % _STEP == _STEP - 1:
            pipe.execute()
    theirs = (client.info("memory")["used_memory"] - before) / HASHES
    engine, session = Engine(), Session()
    gc.collect()
    tracemalloc.start()
    for number in range(HASHES):
        engine.execute(session, [b"HSET", b"user:%d" % number, *fields(number)])
    ours = tracemalloc.get_traced_memory()[0] / HASHES
    tracemalloc.stop()
    return (
        f"A hash of 8 short fields takes {ours:,.0f} bytes in the engine and {theirs:,.0f} on redis-server: "
        f"{ours / theirs:.1f} times as much (to reach: at most 4)."
    )
