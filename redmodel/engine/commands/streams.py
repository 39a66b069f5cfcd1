"""Commands on streams themselves: adding, ranges, deleting, trimming. Groups, reading and XINFO are in other files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.commands.stream_arguments import (
    add_options,
    count_option,
    interval_end,
    interval_start,
    new_id,
    stream_id,
    trim_options,
)
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply
from redmodel.engine.values.stream import Entry, Stream, id_text
from redmodel.errors import ReplyError

TABLE = Table(
    ("XADD", -5, "write denyoom fast", (1, 1, 1)),
    ("XLEN", 2, "readonly fast", (1, 1, 1)),
    ("XRANGE", -4, "readonly nil_array", (1, 1, 1)),
    ("XREVRANGE", -4, "readonly nil_array", (1, 1, 1)),
    ("XDEL", -3, "write fast", (1, 1, 1)),
    ("XTRIM", -4, "write", (1, 1, 1)),
    ("XSETID", -3, "write denyoom fast", (1, 1, 1)),
)

# More than this doesn't fit into one of Redis' listpacks.
_LARGEST = 1 << 30


def entry_replies(entries: Iterable[Entry]) -> list[Any]:
    """Entries as replies show them: pairs of an id and the flat fields and values."""
    return [[id_text(entry), list(fields)] for entry, fields in entries]


@TABLE.handles("XADD")
def xadd(context: Context, args: Args) -> Reply:
    if args[2] == b"*" and len(args) % 2:
        trimming, create, at = None, True, 2
    else:
        options = add_options(args, loading=context.loading, node=context.engine.limits.stream_entries)
        trimming, create, at = options.trimming, options.create, options.at
        if len(args) - at < 3 or (len(args) - at) % 2 == 0:
            raise texts.arity(b"xadd")
        if args[at] != b"*" and not args[at].endswith(b"-*") and stream_id(args[at]) == 0:
            raise ReplyError(texts.XADD_ZERO)
    key = args[1]
    stream = context.stream_at(key)
    if stream is None:
        if not create:
            return None
        stream = Stream()
    entry = new_id(args[at], stream.last_id, context.now())
    fields = tuple(args[at + 1 :])
    if sum(map(len, fields)) > _LARGEST:
        raise ReplyError(texts.XADD_TOO_LARGE)
    limits = context.engine.limits
    stream.add(entry, fields, limits.stream_entries, limits.stream_bytes)
    if key not in context.database.values:
        context.notify(b"new", key)
    context.database.values[key] = stream
    name = id_text(entry)
    context.touch(key, b"xadd")
    if trimming is not None and trimming.apply(stream):
        context.notify(b"xtrim", key)
    if context.logging:
        settled = list(args) if trimming is None else trimming.settled(stream, args)
        if settled[at].endswith(b"*"):
            settled[at] = name
        context.effect(*settled)
    return name


@TABLE.handles("XLEN")
def xlen(context: Context, args: Args) -> Reply:
    stream = context.stream_at(args[1])
    return 0 if stream is None else len(stream)


@TABLE.handles("XRANGE")
def xrange(context: Context, args: Args) -> Reply:
    low, high = interval_start(args[2]), interval_end(args[3])
    return _range(context, args, low, high, backwards=False)


@TABLE.handles("XREVRANGE")
def xrevrange(context: Context, args: Args) -> Reply:
    low, high = interval_start(args[3]), interval_end(args[2])
    return _range(context, args, low, high, backwards=True)


def _range(context: Context, args: Args, low: int, high: int, *, backwards: bool) -> Reply:
    count: int | None = None
    for at in range(4, len(args), 2):
        if args[at].upper() != b"COUNT" or at + 1 == len(args):
            raise texts.syntax()
        count = count_option(args[at + 1])
    stream = context.stream_at(args[1])
    if stream is None:
        return []
    if count == 0:
        return None
    find = stream.reversed_range if backwards else stream.range
    return entry_replies(find(low, high, count))


@TABLE.handles("XDEL")
def xdel(context: Context, args: Args) -> Reply:
    stream = context.stream_at(args[1])
    if stream is None:
        return 0
    entries = [stream_id(text) for text in args[2:]]
    gone = sum(map(stream.remove, entries))
    if gone:
        context.touch(args[1], b"xdel")
    return gone


@TABLE.handles("XTRIM")
def xtrim(context: Context, args: Args) -> Reply:
    trimming = trim_options(args, loading=context.loading, node=context.engine.limits.stream_entries)
    stream = context.stream_at(args[1])
    if stream is None:
        return 0
    gone = trimming.apply(stream)
    if gone:
        context.touch(args[1], b"xtrim")
        if trimming.approximate:
            context.effect(*trimming.settled(stream, args))
    return gone


@TABLE.handles("XSETID")
def xsetid(context: Context, args: Args) -> Reply:
    last = stream_id(args[2])
    added: int | None = None
    deleted: int | None = None
    at = 3
    while at < len(args):
        option = args[at].upper()
        if at + 1 == len(args):
            raise texts.syntax()
        if option == b"ENTRIESADDED":
            added = integer(args[at + 1])
            if added < 0:
                raise ReplyError(texts.XSETID_ADDED)
        elif option == b"MAXDELETEDID":
            deleted = stream_id(args[at + 1])
            if last < deleted:
                raise ReplyError(texts.XSETID_BELOW_DELETED)
        else:
            raise texts.syntax()
        at += 2
    stream = context.stream_at(args[1])
    if stream is None:
        raise ReplyError(texts.NO_SUCH_KEY)
    if len(stream):
        if last < stream.top_id:
            raise ReplyError(texts.XSETID_BELOW_TOP)
        if added is not None and added < len(stream):
            raise ReplyError(texts.XSETID_ADDED_SMALL)
    stream.last_id = last
    if added is not None:
        stream.entries_added = added
    if deleted:
        stream.max_deleted_id = deleted
    context.changed = True  # watchers don't hear of it
    context.notify(b"xsetid", args[1])
    return OK
