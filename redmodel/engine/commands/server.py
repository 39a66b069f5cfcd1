"""What the engine says about itself: TIME, INFO, COMMAND."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

from redmodel.engine import texts
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply, Status, Verbatim
from redmodel.engine.version import REDIS_VERSION
from redmodel.errors import ReplyError

TABLE = Table(
    ("BGREWRITEAOF", 1, "admin noscript no_async_loading", (0, 0, 0)),
    ("TIME", 1, "loading stale fast", (0, 0, 0)),
    ("INFO", -1, "loading stale", (0, 0, 0)),
)


@TABLE.handles("BGREWRITEAOF")
def bgrewriteaof(context: Context, args: Args) -> Reply:
    if not context.engine.rewrite():
        raise ReplyError(texts.REWRITING)
    return Status(b"Background append only file rewriting started")


@TABLE.handles("TIME")
def time(context: Context, args: Args) -> Reply:
    now = context.now()
    return [b"%d" % (now // 1000), b"%d" % (now % 1000 * 1000)]


@TABLE.handles("INFO")
def info(context: Context, args: Args) -> Reply:
    wanted = {section.decode("latin-1").lower() for section in args[1:]} or {"default"}
    everything = not wanted.isdisjoint(("default", "all", "everything"))
    parts: list[str] = []
    for title, lines in _sections(context).items():
        if everything or title.lower() in wanted:
            body = "".join(f"{name}:{value}\r\n" for name, value in lines.items())
            parts.append(f"# {title}\r\n{body}")
    return Verbatim("\r\n".join(parts).encode())


def _sections(context: Context) -> dict[str, dict[str, object]]:
    uptime = max(context.now() - context.engine.started, 0) // 1000
    keyspace: dict[str, object] = {}
    for database in context.engine.databases:
        if database.values:
            keyspace[f"db{database.number}"] = (
                f"keys={len(database.values)},expires={len(database.deadlines)},avg_ttl=0"
            )
    return {
        "Server": {
            "redis_version": REDIS_VERSION,
            "redmodel_version": _version(),
            "redis_mode": "standalone",
            "process_id": os.getpid(),
            "uptime_in_seconds": uptime,
            "uptime_in_days": uptime // 86400,
        },
        "Persistence": {
            "loading": int(context.loading),
            **context.engine.saves.info(),
            "aof_enabled": int(context.engine.durable),
            **context.engine.log_info(),
        },
        "Replication": {"role": "master", "connected_slaves": 0},
        "Cluster": {"cluster_enabled": 0},
        "Keyspace": keyspace,
    }


def _version() -> str:
    try:
        return version("redmodel")
    except PackageNotFoundError:
        return "0"
