"""COMMAND: what this engine has, from the tables that commands are dispatched by, and Redis' facts about them."""

from __future__ import annotations

from typing import Any, cast

from redmodel.engine import texts
from redmodel.engine.command_keys import keys_of
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.facts import categories, facts
from redmodel.engine.glob import compile_glob
from redmodel.engine.registry import Args, Command, Table
from redmodel.engine.replies import Reply, SetReply, Status
from redmodel.errors import ReplyError

TABLE = Table(
    ("COMMAND", -1, "loading stale", (0, 0, 0)),
    ("COMMAND|COUNT", 2, "loading stale", (0, 0, 0)),
    ("COMMAND|DOCS", -2, "loading stale", (0, 0, 0)),
    ("COMMAND|GETKEYS", -4, "loading stale", (0, 0, 0)),
    ("COMMAND|GETKEYSANDFLAGS", -4, "loading stale", (0, 0, 0)),
    ("COMMAND|HELP", 2, "loading stale", (0, 0, 0)),
    ("COMMAND|INFO", -2, "loading stale", (0, 0, 0)),
    ("COMMAND|LIST", -2, "loading stale", (0, 0, 0)),
)

# Flags of ours that Redis' COMMAND doesn't show.
_INTERNAL_FLAGS = frozenset(("immediate", "may_replicate", "nil_array", "nil_array_of_count"))
_STATUS_SETS = frozenset(("flags", "doc_flags"))

_HELP = """
(no subcommand)
    Return details about all Redis commands.
COUNT
    Return the total number of commands in this Redis server.
LIST
    Return a list of all commands in this Redis server.
INFO [<command-name> ...]
    Return details about multiple Redis commands.
    If no command names are given, documentation details for all
    commands are returned.
DOCS [<command-name> ...]
    Return documentation details about multiple Redis commands.
    If no command names are given, documentation details for all
    commands are returned.
GETKEYS <full-command>
    Return the keys from a full Redis command.
GETKEYSANDFLAGS <full-command>
    Return the keys and the access flags from a full Redis command.
"""


def _all(context: Context) -> list[Command]:
    found = {command.name: command for command in context.engine.commands.values()}
    return list(found.values())


def _named(context: Context, name: bytes) -> Command | None:
    container, bar, sub = name.lower().partition(b"|")
    command = context.engine.commands.get(container)
    return command.subcommands.get(sub) if command is not None and bar else command


def _described(command: Command | None) -> list[Any] | None:
    if command is None:
        return None
    fact = facts().get(command.name.decode(), {})
    flags = SetReply(Status(flag.encode()) for flag in sorted(command.flags - _INTERNAL_FLAGS))
    return [
        command.name,
        command.arity,
        flags,
        *command.keys,
        SetReply(Status(name.encode()) for name in fact.get("acl", ())),
        SetReply(tip.encode() for tip in fact.get("tips", ())),
        SetReply(_shown(spec) for spec in fact.get("specs", ())),
        SetReply(_described(sub) for sub in command.subcommands.values()),
    ]


def _shown(data: Any, name: str = "") -> Any:
    """A piece of the facts as a reply."""
    if isinstance(data, dict):
        return {key.encode(): _shown(value, key) for key, value in cast("dict[str, Any]", data).items()}
    if isinstance(data, list):
        if name in _STATUS_SETS:
            return SetReply(Status(word.encode()) for word in cast("list[str]", data))
        items = [_shown(item) for item in cast("list[object]", data)]
        return SetReply(items) if name == "history" else items
    return data.encode() if isinstance(data, str) else data


@TABLE.handles("COMMAND")
def command_(context: Context, args: Args) -> Reply:
    return [_described(command) for command in _all(context)]


@TABLE.handles("COMMAND|COUNT")
def command_count(context: Context, args: Args) -> Reply:
    return len(_all(context))


@TABLE.handles("COMMAND|INFO")
def command_info(context: Context, args: Args) -> Reply:
    if len(args) == 2:
        return command_(context, args)
    return [_described(_named(context, name)) for name in args[2:]]


@TABLE.handles("COMMAND|LIST")
def command_list(context: Context, args: Args) -> Reply:
    names = [each.name for command in _all(context) for each in (command, *command.subcommands.values())]
    if len(args) == 2:
        return SetReply(names)
    if len(args) != 5 or args[2].upper() != b"FILTERBY":
        raise texts.syntax()
    by, wanted = args[3].upper(), args[4]
    if by == b"MODULE":
        return []
    if by == b"ACLCAT":
        members = categories().get(wanted.decode("utf-8", "replace").lower(), frozenset())
        return [name for name in names if name.decode() in members]
    if by == b"PATTERN":
        matches = compile_glob(wanted.lower())
        return [name for name in names if matches(name)]
    raise texts.syntax()


@TABLE.handles("COMMAND|DOCS")
def command_docs(context: Context, args: Args) -> Reply:
    named = [_named(context, name) for name in args[2:]] if len(args) > 2 else _all(context)
    return {command.name: _docs(command) for command in named if command is not None}


def _docs(command: Command) -> dict[bytes, Any]:
    doc: dict[bytes, Any] = _shown(facts().get(command.name.decode(), {}).get("doc", {}))
    if command.subcommands:
        doc[b"subcommands"] = {sub.name: _docs(sub) for sub in command.subcommands.values()}
    return doc


def _asked(context: Context, args: Args) -> tuple[Args, list[Any]]:
    """The command that COMMAND GETKEYS is asked about, and its keys."""
    asked = args[2:]
    command = context.engine.commands.get(asked[0].upper())
    if command is not None and command.subcommands and len(asked) > 1:
        command = command.subcommands.get(asked[1].lower())
    if command is None:
        raise ReplyError("ERR Invalid command specified")
    name = command.name.decode()
    specs = facts().get(name, {}).get("specs", ())
    if all("not_key" in spec["flags"] for spec in specs) and (specs or command.keys == (0, 0, 0)):
        raise ReplyError("ERR The command has no key arguments")
    if not command.minimum <= len(asked) <= command.maximum:
        raise ReplyError("ERR Invalid number of arguments specified for command")
    found = keys_of(name, asked)
    if found is None:
        if "no_mandatory_keys" in command.flags:
            return asked, []
        raise ReplyError("ERR Invalid arguments specified for command")
    return asked, found


@TABLE.handles("COMMAND|GETKEYS")
def command_getkeys(context: Context, args: Args) -> Reply:
    asked, found = _asked(context, args)
    return [asked[key.at] for key in found]


@TABLE.handles("COMMAND|GETKEYSANDFLAGS")
def command_getkeysandflags(context: Context, args: Args) -> Reply:
    asked, found = _asked(context, args)
    return [[asked[key.at], SetReply(Status(flag.encode()) for flag in sorted(key.flags))] for key in found]


@TABLE.handles("COMMAND|HELP")
def command_help(context: Context, args: Args) -> Reply:
    return help_lines("COMMAND", _HELP)
