"""Run the comparisons and print them as Markdown: ``python -m benchmarks [PART ...] [--rounds N]``.

Client and server are pinned to one CPU, so that a round trip costs the same in each run.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib.metadata import version

from benchmarks import commands, durability, large, memory, models, queries, startup
from benchmarks.hand import Hand
from benchmarks.rounds import measure, table
from redmodel import Database
from tests.servers import RealServer, redis7_binary

ON_REDIS = {
    "save new": 0.70,
    "save changed": 0.75,
    "get": 0.75,
    "save_many": 0.75,
    "get_many": 0.85,
    "find": 0.85,
    "find range": 0.80,
    "count": 0.75,
    "page": 0.85,
    "delete": 0.60,
}
EMBEDDED = {"save new": 0.10, "get": 0.20, "find": 0.25, "find range": 0.02, "count": 0.01}


def on_redis(rounds: int) -> str:
    """Redmodel and hand-written redis-py on one redis-server over a unix socket."""
    import redis

    binary = redis7_binary()
    if binary is None:
        return "No redis-server 7 was found."
    with RealServer(binary) as server:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(server.pid, {0})
        client = redis.Redis(unix_socket_path=server.socket_path, decode_responses=True)
        with Database(server.unix_url) as db:
            hand = Hand(client)
            models.load(db, hand)
            return table([measure(case, rounds) for case in models.cases(db, hand, ON_REDIS)])


def embedded(rounds: int) -> str:
    """Redmodel on the embedded engine, and the same hand-written code on fakeredis."""
    import fakeredis

    with Database("memory://") as db:
        hand = Hand(fakeredis.FakeRedis(decode_responses=True))
        models.load(db, hand)
        return table([measure(case, rounds) for case in models.cases(db, hand, EMBEDDED, scale=0.2)])


def engine_commands(rounds: int) -> str:
    """Single commands: the engine's own call and fakeredis through its client."""
    import fakeredis

    return table([measure(case, rounds) for case in commands.cases(fakeredis.FakeRedis(), 0.067)])


def engine_and_server(rounds: int) -> str:
    """Large collections: the engine's own call, and redis-server asked through redis-py over a unix socket."""
    import redis

    binary = redis7_binary()
    if binary is None:
        return "No redis-server 7 was found."
    with RealServer(binary) as server:
        client = redis.Redis(unix_socket_path=server.socket_path)
        timed = table([measure(case, rounds) for case in large.cases(client, 3.0)])
        return f"{timed}\n\n{large.memory(client)}"


def a_million(rounds: int) -> str:
    """Queries over a million records, on redis-server and embedded."""
    import redis

    binary = redis7_binary()
    if binary is None:
        return "No redis-server 7 was found."
    with (
        RealServer(binary) as large_one,
        RealServer(binary) as small_one,
        Database(large_one.unix_url) as many,
        Database(small_one.unix_url) as few,
        Database("memory://") as embedded,
    ):
        many.save_many(queries.people(queries.MANY))
        few.save_many(queries.people(queries.FEW))
        sizes = table([measure(case, rounds) for case in queries.by_size(many, few)])
        client = redis.Redis(unix_socket_path=large_one.socket_path)
        hand = table([measure(case, rounds) for case in queries.by_hand(many, client)])
        embedded.save_many(queries.people(queries.MANY))
        engines = table([measure(case, rounds) for case in queries.by_engine(embedded, many)])
    return f"{sizes}\n\n{hand}\n\n{engines}"


PARTS = {
    "models": ("On redis-server over a unix socket: redmodel and hand-written redis-py", on_redis),
    "embedded": ("Without a server: redmodel on the embedded engine, hand-written redis-py on fakeredis", embedded),
    "commands": ("Single commands: engine.execute and fakeredis through its client", engine_commands),
    "large": ("Large collections: engine.execute, and redis-server through redis-py", engine_and_server),
    "queries": ("Queries over a million records (some minutes, 4 GB)", a_million),
    "durability": ("On the disk: the log of an embedded store", durability.report),
    "memory": ("Memory on redis-server: four fields and three indexes, ids of 26 characters", memory.report),
    "startup": ("Start-up", startup.report),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (default: 15)")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {min(unknown)!r}")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    versions = ", ".join(f"{name} {version(name)}" for name in ("redis", "hiredis", "pydantic", "fakeredis"))
    print(f"Python {platform.python_version()}, {versions}; {options.rounds} interleaved rounds, medians, one CPU.\n")
    for part in options.parts or PARTS:
        title, run = PARTS[part]
        print(f"## {title}\n\n{run(options.rounds)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
