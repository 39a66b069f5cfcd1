"""OBJECT: how a value is kept, and how often it was used."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import parse_integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.errors import ReplyError

TABLE = Table(
    ("OBJECT", -2, "", (0, 0, 0)),
    ("OBJECT|ENCODING", 3, "readonly", (2, 2, 1)),
    ("OBJECT|FREQ", 3, "readonly", (2, 2, 1)),
    ("OBJECT|IDLETIME", 3, "readonly", (2, 2, 1)),
    ("OBJECT|REFCOUNT", 3, "readonly", (2, 2, 1)),
    ("OBJECT|HELP", 2, "loading stale", (0, 0, 0)),
)

# Redis shares the integers below 10,000 between keys, and shows that as this count of references.
_SHARED_INTEGERS = 10_000
_SHARED_REFERENCES = 2**31 - 1

_HELP = """
ENCODING <key>
    Return the kind of internal representation used in order to store the value
    associated with a <key>.
FREQ <key>
    Return the access frequency index of the <key>. The returned integer is
    proportional to the logarithm of the recent access frequency of the key.
IDLETIME <key>
    Return the idle time of the <key>, that is the approximated number of
    seconds elapsed since the last access to the key.
REFCOUNT <key>
    Return the number of references of the value associated with the specified
    <key>.
"""


@TABLE.handles("OBJECT|ENCODING")
def object_encoding(context: Context, args: Args) -> Reply:
    value = context.find(args[2])
    return None if value is None else context.encoding(args[2], value)


@TABLE.handles("OBJECT|REFCOUNT")
def object_refcount(context: Context, args: Args) -> Reply:
    value = context.find(args[2])
    if value is None:
        return None
    # Redis needs integers of one owner where each keeps the moment of its last use.
    settings = context.engine.settings
    alone = settings.number("maxmemory") and settings.text("maxmemory-policy").endswith(("lru", "lfu"))
    in_place = args[2] in context.database.kept
    number = parse_integer(value) if type(value) is bytes and not in_place and not alone else None
    return _SHARED_REFERENCES if number is not None and 0 <= number < _SHARED_INTEGERS else 1


@TABLE.handles("OBJECT|IDLETIME")
def object_idletime(context: Context, args: Args) -> Reply:
    if context.find(args[2]) is None:
        return None
    memory = context.engine.memory
    if memory.frequencies:
        raise ReplyError(texts.LFU_ON)
    return memory.idle(context.database, args[2])


@TABLE.handles("OBJECT|FREQ")
def object_freq(context: Context, args: Args) -> Reply:
    if context.find(args[2]) is None:
        return None
    memory = context.engine.memory
    if not memory.frequencies:
        raise ReplyError(texts.LFU_OFF)
    return memory.frequency(context.database, args[2])


@TABLE.handles("OBJECT|HELP")
def object_help(context: Context, args: Args) -> Reply:
    return help_lines("OBJECT", _HELP)
