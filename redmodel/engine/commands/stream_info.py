"""XINFO: what a stream, its groups and their consumers look like inside."""

from __future__ import annotations

from itertools import islice
from typing import Any

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.commands.streams import entry_replies
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.engine.values.stream import MAX_ID, Stream, id_text
from redmodel.engine.values.stream_groups import Consumer, Group
from redmodel.errors import ReplyError

TABLE = Table(
    ("XINFO", -2, "", (0, 0, 0)),
    ("XINFO|CONSUMERS", 4, "readonly", (2, 2, 1)),
    ("XINFO|GROUPS", 3, "readonly", (2, 2, 1)),
    ("XINFO|STREAM", -3, "readonly", (2, 2, 1)),
    ("XINFO|HELP", 2, "loading stale", (0, 0, 0)),
)

_HELP = """
CONSUMERS <key> <groupname>
    Show consumers of <groupname>.
GROUPS <key>
    Show the stream consumer groups.
STREAM <key> [FULL [COUNT <count>]
    Show information about the stream.
"""

_COUNT = 10


def _stream(context: Context, key: bytes) -> Stream:
    stream = context.stream_at(key)
    if stream is None:
        raise ReplyError(texts.NO_SUCH_KEY)
    return stream


@TABLE.handles("XINFO|CONSUMERS")
def xinfo_consumers(context: Context, args: Args) -> Reply:
    group = _stream(context, args[2]).groups.get(args[3])
    if group is None:
        raise texts.no_group_for_key(args[3], args[2])
    now = context.now()
    return [
        {b"name": one.name, b"pending": len(one.pending), b"idle": max(now - one.seen, 0)}
        for one in group.sorted_consumers()
    ]


@TABLE.handles("XINFO|GROUPS")
def xinfo_groups(context: Context, args: Args) -> Reply:
    stream = _stream(context, args[2])
    return [
        {
            b"name": name,
            b"consumers": len(group.consumers),
            b"pending": len(group.pending),
            b"last-delivered-id": id_text(group.last_id),
            b"entries-read": group.entries_read,
            b"lag": stream.lag(group),
        }
        for name, group in stream.sorted_groups()
    ]


@TABLE.handles("XINFO|STREAM")
def xinfo_stream(context: Context, args: Args) -> Reply:
    stream = _stream(context, args[2])
    told: dict[bytes, Any] = {
        b"length": len(stream),
        b"radix-tree-keys": len(stream.nodes),
        b"radix-tree-nodes": stream.radix_nodes,
        b"last-generated-id": id_text(stream.last_id),
        b"max-deleted-entry-id": id_text(stream.max_deleted_id),
        b"entries-added": stream.entries_added,
        b"recorded-first-entry-id": id_text(stream.first_id),
    }
    if len(args) == 3:
        first = entry_replies(stream.range(0, MAX_ID, 1))
        last = entry_replies(stream.reversed_range(0, MAX_ID, 1))
        told[b"groups"] = len(stream.groups)
        told[b"first-entry"] = first[0] if first else None
        told[b"last-entry"] = last[0] if last else None
        return told
    count = _full_count(args)
    told[b"entries"] = entry_replies(stream.range(0, MAX_ID, count))
    told[b"groups"] = [_group_in_full(stream, name, group, count) for name, group in stream.sorted_groups()]
    return told


def _full_count(args: Args) -> int | None:
    """Read ``FULL [COUNT n]``: the most entries to show of each kind, None for all."""
    if args[3].upper() != b"FULL" or len(args) not in (4, 6):
        raise texts.subcommand_syntax(b"xinfo", args[1])
    count = _COUNT
    if len(args) == 6:
        if args[4].upper() != b"COUNT":
            raise texts.subcommand_syntax(b"xinfo", args[1])
        count = integer(args[5])
        if count < 0:
            count = _COUNT
    return count or None


def _group_in_full(stream: Stream, name: bytes, group: Group, count: int | None) -> dict[bytes, Any]:
    pending: list[Any] = []
    for entry in islice(group.pending_since(0), count):
        one = group.pending[entry]
        pending.append([id_text(entry), one.consumer.name, one.delivered, one.count])
    return {
        b"name": name,
        b"last-delivered-id": id_text(group.last_id),
        b"entries-read": group.entries_read,
        b"lag": stream.lag(group),
        b"pel-count": len(group.pending),
        b"pending": pending,
        b"consumers": [_consumer_in_full(group, consumer, count) for consumer in group.sorted_consumers()],
    }


def _consumer_in_full(group: Group, consumer: Consumer, count: int | None) -> dict[bytes, Any]:
    pending: list[Any] = []
    for entry in islice(consumer.pending, count):
        one = group.pending[entry]
        pending.append([id_text(entry), one.delivered, one.count])
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen,
        b"pel-count": len(consumer.pending),
        b"pending": pending,
    }


@TABLE.handles("XINFO|HELP")
def xinfo_help(context: Context, args: Args) -> Reply:
    return help_lines("XINFO", _HELP)
