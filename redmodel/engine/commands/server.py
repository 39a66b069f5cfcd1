"""What the engine says about itself: TIME, INFO, COMMAND."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from redmodel.engine import texts
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Command, Table
from redmodel.engine.replies import Reply, SetReply, Status, Verbatim
from redmodel.engine.version import REDIS_VERSION
from redmodel.errors import ReplyError

TABLE = Table(
    ("BGREWRITEAOF", 1, "admin noscript no_async_loading", (0, 0, 0)),
    ("TIME", 1, "loading stale fast", (0, 0, 0)),
    ("INFO", -1, "loading stale", (0, 0, 0)),
    ("COMMAND", -1, "loading stale", (0, 0, 0)),
    ("COMMAND|COUNT", 2, "loading stale", (0, 0, 0)),
    ("COMMAND|DOCS", -2, "loading stale", (0, 0, 0)),
    ("COMMAND|INFO", -2, "loading stale", (0, 0, 0)),
    ("COMMAND|LIST", -2, "loading stale", (0, 0, 0)),
)

COMMANDS: dict[bytes, Command] = {}
"""Every command by its name in lower case; filled once all tables are joined."""

_INTERNAL_FLAGS = frozenset(("immediate", "nil_array", "nil_array_of_count"))


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


def _described(command: Command | None) -> list[Any] | None:
    if command is None:
        return None
    flags = SetReply(Status(flag.encode()) for flag in sorted(command.flags - _INTERNAL_FLAGS))
    subcommands = [_described(sub) for sub in command.subcommands.values()]
    return [command.name, command.arity, flags, *command.keys, SetReply(), SetReply(), SetReply(), subcommands]


def _named(name: bytes) -> Command | None:
    container, _, sub = name.lower().partition(b"|")
    command = COMMANDS.get(container)
    return command.subcommands.get(sub) if command is not None and sub else command


@TABLE.handles("COMMAND")
def command_(context: Context, args: Args) -> Reply:
    return [_described(command) for command in COMMANDS.values()]


@TABLE.handles("COMMAND|COUNT")
def command_count(context: Context, args: Args) -> Reply:
    return len(COMMANDS)


@TABLE.handles("COMMAND|INFO")
def command_info(context: Context, args: Args) -> Reply:
    if len(args) == 2:
        return command_(context, args)
    return [_described(_named(name)) for name in args[2:]]


@TABLE.handles("COMMAND|LIST")
def command_list(context: Context, args: Args) -> Reply:
    if len(args) > 2:
        raise texts.syntax()
    return SetReply(COMMANDS)


@TABLE.handles("COMMAND|DOCS")
def command_docs(context: Context, args: Args) -> Reply:
    names = [name.lower() for name in args[2:]] or list(COMMANDS)
    return {name: {b"arity": command.arity} for name in names if (command := _named(name)) is not None}
