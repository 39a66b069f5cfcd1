"""MEMORY: how much the keys take, as `redmodel.engine.memory` estimates it."""

from __future__ import annotations

import gc
from itertools import islice

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.commands.info import resident
from redmodel.engine.context import Context
from redmodel.engine.memory import BASE, of_key
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, Verbatim

TABLE = Table(
    ("MEMORY", -2, "", (0, 0, 0)),
    ("MEMORY|DOCTOR", 2, "", (0, 0, 0)),
    ("MEMORY|HELP", 2, "loading stale", (0, 0, 0)),
    ("MEMORY|MALLOC-STATS", 2, "", (0, 0, 0)),
    ("MEMORY|PURGE", 2, "", (0, 0, 0)),
    ("MEMORY|STATS", 2, "", (0, 0, 0)),
    ("MEMORY|USAGE", -3, "readonly", (2, 2, 1)),
)

_ENOUGH = 5 << 20  # bytes below which Redis' doctor sees nothing to look at

_HELP = """
DOCTOR
    Return memory problems reports.
MALLOC-STATS
    Return internal statistics report from the memory allocator.
PURGE
    Attempt to purge dirty pages for reclamation by the allocator.
STATS
    Return information about the memory usage of the server.
USAGE <key> [SAMPLES <count>]
    Return memory in bytes used by <key> and its value. Nested values are
    sampled up to <count> times (default: 5, 0 means sample all).
"""


@TABLE.handles("MEMORY|USAGE")
def memory_usage(context: Context, args: Args) -> Reply:
    samples = 5
    at = 3
    while at < len(args):
        if args[at].lower() != b"samples" or at + 1 >= len(args):
            raise texts.syntax()
        samples = integer(args[at + 1])
        if samples < 0:
            raise texts.syntax()
        at += 2
    value = context.find(args[2])
    return None if value is None else of_key(args[2], value, samples)


@TABLE.handles("MEMORY|STATS")
def memory_stats(context: Context, args: Args) -> Reply:
    engine = context.engine
    used, held = engine.memory.used(), resident()
    peak = engine.statistics.peak_memory = max(engine.statistics.peak_memory, used)
    keys = sum(len(database.values) for database in engine.databases)
    databases = {
        b"db.%d" % database.number: {
            b"overhead.hashtable.main": 64 * len(database.values),
            b"overhead.hashtable.expires": 64 * len(database.deadlines),
            b"overhead.hashtable.slot-to-keys": 0,
        }
        for database in engine.databases
        if database.values
    }
    return {
        b"peak.allocated": peak,
        b"total.allocated": used,
        b"startup.allocated": BASE,
        b"replication.backlog": 0,
        b"clients.slaves": 0,
        b"clients.normal": 0,
        b"cluster.links": 0,
        b"aof.buffer": 0,
        b"lua.caches": 0,
        b"functions.caches": 0,
        **databases,
        b"overhead.total": BASE,
        b"keys.count": keys,
        b"keys.bytes-per-key": (used - BASE) // keys if keys else 0,
        b"dataset.bytes": used - BASE,
        b"dataset.percentage": 100.0 if keys else 0.0,
        b"peak.percentage": 100.0 * used / peak,
        b"allocator.allocated": used,
        b"allocator.active": held,
        b"allocator.resident": held,
        b"allocator-fragmentation.ratio": 1.0,
        b"allocator-fragmentation.bytes": 0,
        b"allocator-rss.ratio": 1.0,
        b"allocator-rss.bytes": 0,
        b"rss-overhead.ratio": 1.0,
        b"rss-overhead.bytes": 0,
        b"fragmentation": held / used,
        b"fragmentation.bytes": held - used,
    }


@TABLE.handles("MEMORY|DOCTOR")
def memory_doctor(context: Context, args: Args) -> Reply:
    if context.engine.memory.used() < _ENOUGH:
        return Verbatim(
            b"Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these "
            b"conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will "
            b"be back to our programming as soon as I finished rebooting.\n"
        )
    biggest = max(
        (of_key(key, value), key)
        for database in context.engine.databases
        for key, value in islice(database.values.items(), 10_000)
    )
    return Verbatim(b"The largest of the first keys is %b with about %d bytes.\n" % (biggest[1], biggest[0]))


@TABLE.handles("MEMORY|PURGE")
def memory_purge(context: Context, args: Args) -> Reply:
    gc.collect()
    return OK


@TABLE.handles("MEMORY|MALLOC-STATS")
def memory_malloc_stats(context: Context, args: Args) -> Reply:
    return Verbatim(b"Stats not supported for the current allocator")


@TABLE.handles("MEMORY|HELP")
def memory_help(context: Context, args: Args) -> Reply:
    return help_lines("MEMORY", _HELP)
