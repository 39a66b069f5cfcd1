"""Commands on consumer groups: making and removing them, acknowledging, and moving entries between consumers."""

from __future__ import annotations

from itertools import islice, takewhile
from typing import Any

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, integer, integer_between
from redmodel.engine.commands.help import help_lines
from redmodel.engine.commands.stream_arguments import count_option, interval_end, interval_start, parse_id, stream_id
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import NIL_ARRAY, OK, Reply
from redmodel.engine.values.stream import Stream, id_text
from redmodel.engine.values.stream_groups import Consumer, Group
from redmodel.errors import ReplyError

TABLE = Table(
    ("XGROUP", -2, "", (0, 0, 0)),
    ("XGROUP|CREATE", -5, "write denyoom", (2, 2, 1)),
    ("XGROUP|CREATECONSUMER", 5, "write denyoom", (2, 2, 1)),
    ("XGROUP|DELCONSUMER", 5, "write", (2, 2, 1)),
    ("XGROUP|DESTROY", 4, "write", (2, 2, 1)),
    ("XGROUP|SETID", -5, "write", (2, 2, 1)),
    ("XGROUP|HELP", 2, "loading stale", (0, 0, 0)),
    ("XACK", -4, "write fast", (1, 1, 1)),
    ("XPENDING", -3, "readonly", (1, 1, 1)),
    ("XCLAIM", -6, "write fast", (1, 1, 1)),
    ("XAUTOCLAIM", -6, "write fast", (1, 1, 1)),
)

_HELP = """
CREATE <key> <groupname> <id|$> [option]
    Create a new consumer group. Options are:
    * MKSTREAM
      Create the empty stream if it does not exist.
    * ENTRIESREAD entries_read
      Set the group's entries_read counter (internal use).
CREATECONSUMER <key> <groupname> <consumer>
    Create a new consumer in the specified group.
DELCONSUMER <key> <groupname> <consumer>
    Remove the specified consumer.
DESTROY <key> <groupname>
    Remove the specified group.
SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]
    Set the current group ID and entries_read counter.
"""

# XAUTOCLAIM looks at this many entries for each that it may claim.
_ATTEMPTS = 10
_MOST_AUTOCLAIMED = INT_MAX // 16


def log_claim(context: Context, key: bytes, name: bytes, group: Group, entry: int) -> None:
    """Tell the log who has a pending entry, as Redis tells it."""
    if not context.logging:
        context.changed = True
        return
    pending = group.pending[entry]
    time, count = b"%d" % pending.delivered, b"%d" % pending.count
    context.effect(
        *(b"XCLAIM", key, name, pending.consumer.name, b"0", id_text(entry), b"TIME", time),
        *(b"RETRYCOUNT", count, b"FORCE", b"JUSTID", b"LASTID", id_text(group.last_id)),
    )


def log_group(context: Context, key: bytes, name: bytes, group: Group) -> None:
    """Tell the log how far a group has read."""
    read = -1 if group.entries_read is None else group.entries_read
    context.effect(b"XGROUP", b"SETID", key, name, id_text(group.last_id), b"ENTRIESREAD", b"%d" % read)


def _group(context: Context, key: bytes, name: bytes) -> tuple[Stream, Group]:
    stream = context.stream_at(key)
    group = None if stream is None else stream.groups.get(name)
    if stream is None or group is None:
        raise texts.no_key_or_group(key, name)
    return stream, group


# XGROUP.


def _xgroup_stream(context: Context, args: Args) -> Stream:
    stream = context.stream_at(args[2])
    if stream is None:
        raise ReplyError(texts.XGROUP_NO_KEY)
    return stream


def _xgroup_group(context: Context, args: Args) -> tuple[Stream, Group]:
    stream = _xgroup_stream(context, args)
    group = stream.groups.get(args[3])
    if group is None:
        raise texts.no_group_for_key(args[3], args[2])
    return stream, group


def _xgroup_options(args: Args, *, creates: bool) -> tuple[bool, int | None]:
    """Read MKSTREAM and ENTRIESREAD."""
    make, read = False, -1
    at = 5
    while at < len(args):
        option = args[at].upper()
        if creates and option == b"MKSTREAM":
            make = True
            at += 1
        elif option == b"ENTRIESREAD" and at + 1 < len(args):
            read = integer(args[at + 1])
            if read < -1:
                raise ReplyError(texts.ENTRIES_READ)
            at += 2
        else:
            raise texts.subcommand_syntax(b"xgroup", args[1])
    return make, None if read < 0 else read


@TABLE.handles("XGROUP|CREATE")
def xgroup_create(context: Context, args: Args) -> Reply:
    make, read = _xgroup_options(args, creates=True)
    key, name = args[2], args[3]
    stream = context.stream_at(key) if make else _xgroup_stream(context, args)
    at_end = args[4] == b"$"
    last = stream_id(args[4]) if not at_end else stream.last_id if stream else 0
    if stream is None:
        context.notify(b"new", key)
        stream = context.database.values[key] = Stream()
        context.touch(key)
    if name in stream.groups:
        raise ReplyError(texts.BUSY_GROUP)
    stream.groups[name] = Group(last, read)
    context.changed = True
    context.notify(b"xgroup-create", key)
    return OK


@TABLE.handles("XGROUP|SETID")
def xgroup_setid(context: Context, args: Args) -> Reply:
    _, read = _xgroup_options(args, creates=False)
    stream, group = _xgroup_group(context, args)
    group.last_id = stream.last_id if args[4] == b"$" else stream_id(args[4], bounds=True)
    group.entries_read = read
    context.changed = True
    context.notify(b"xgroup-setid", args[2])
    return OK


@TABLE.handles("XGROUP|DESTROY")
def xgroup_destroy(context: Context, args: Args) -> Reply:
    stream = _xgroup_stream(context, args)
    if stream.groups.pop(args[3], None) is None:
        return 0
    context.changed = True
    context.notify(b"xgroup-destroy", args[2])
    context.engine.waiters.heed(context.database.number, args[2])
    return 1


@TABLE.handles("XGROUP|CREATECONSUMER")
def xgroup_createconsumer(context: Context, args: Args) -> Reply:
    _, group = _xgroup_group(context, args)
    if args[4] in group.consumers:
        return 0
    group.add_consumer(args[4], context.now())
    context.changed = True
    context.notify(b"xgroup-createconsumer", args[2])
    return 1


@TABLE.handles("XGROUP|DELCONSUMER")
def xgroup_delconsumer(context: Context, args: Args) -> Reply:
    _, group = _xgroup_group(context, args)
    gone = group.remove_consumer(args[4])
    if gone is None:
        return 0
    context.changed = True
    context.notify(b"xgroup-delconsumer", args[2])
    return gone


# What is pending.


@TABLE.handles("XACK")
def xack(context: Context, args: Args) -> Reply:
    stream = context.stream_at(args[1])
    group = None if stream is None else stream.groups.get(args[2])
    if group is None:
        return 0
    entries = [stream_id(text) for text in args[3:]]
    gone = sum(map(group.forget, entries))
    if gone:
        context.changed = True
    return gone


@TABLE.handles("XPENDING")
def xpending(context: Context, args: Args) -> Reply:
    if len(args) == 3:
        return _summary(_group(context, args[1], args[2])[1])
    if not 6 <= len(args) <= 9:
        raise texts.syntax()
    idle, at = 0, 3
    if args[3].upper() == b"IDLE":
        idle, at = integer(args[4]), 5
        if len(args) < 8:
            raise texts.syntax()
    count = count_option(args[at + 2])
    low, high = interval_start(args[at]), interval_end(args[at + 1])
    _, group = _group(context, args[1], args[2])
    who: Consumer | None = None
    if len(args) > at + 3:
        who = group.consumers.get(args[at + 3])
        if who is None:
            return []
    now = context.now()
    found: list[Any] = []
    for entry in takewhile(lambda entry: entry <= high, group.pending_since(low, who)):
        if len(found) >= count:
            break
        pending = group.pending[entry]
        elapsed = now - pending.delivered
        if elapsed >= idle or idle <= 0:
            found.append([id_text(entry), pending.consumer.name, max(elapsed, 0), pending.count])
    return found


def _summary(group: Group) -> Reply:
    if not group.pending:
        return [0, None, None, NIL_ARRAY]
    first, last = group.pending_bounds()
    consumers = [[one.name, b"%d" % len(one.pending)] for one in group.sorted_consumers() if len(one.pending)]
    return [len(group.pending), id_text(first), id_text(last), consumers]


@TABLE.handles("XCLAIM")
def xclaim(context: Context, args: Args) -> Reply:
    key, name = args[1], args[2]
    stream, group = _group(context, key, name)
    idle = max(integer(args[4], "ERR Invalid min-idle-time argument for XCLAIM"), 0)
    entries: list[int] = []
    for text in args[5:]:
        entry = parse_id(text)
        if entry is None:
            break
        entries.append(entry)
    delivered, count, force, just_id, last = _claim_options(context, args, 5 + len(entries))
    moved = last > group.last_id
    if moved:
        group.last_id = last
    claims = _Claims(context, key, name, args[3], group, just_id=just_id)
    for entry in entries:
        pending = group.pending.get(entry)
        fields = stream.fields(entry)
        if fields is None:
            if pending is not None:
                claims.clear(entry)
                moved = False
            continue
        if pending is None and not force:
            continue
        if pending is not None and idle and context.now() - pending.delivered < idle:
            continue
        before = 1 if pending is None else pending.count
        claims.claim(entry, fields, delivered, before + (not just_id) if count < 0 else count)
        moved = False
    if moved:
        log_group(context, key, name, group)
    return claims.replies


def _claim_options(context: Context, args: Args, at: int) -> tuple[int, int, bool, bool, int]:
    """Read what follows the ids: time of delivery, count (-1 for one more), FORCE, JUSTID, LASTID."""
    now = context.now()
    delivered, count, force, just_id, last = -1, -1, False, False, 0
    while at < len(args):
        option = args[at].upper()
        more = at + 1 < len(args)
        if option == b"FORCE":
            force = True
        elif option == b"JUSTID":
            just_id = True
        elif option in (b"IDLE", b"TIME", b"RETRYCOUNT", b"LASTID") and more:
            at += 1
            if option == b"LASTID":
                last = stream_id(args[at])
            else:
                number = integer(args[at], f"ERR Invalid {option.decode()} option argument for XCLAIM")
                if option == b"IDLE":
                    delivered = now - number
                elif option == b"TIME":
                    delivered = number
                else:
                    count = number
        else:
            raise ReplyError(f"ERR Unrecognized XCLAIM option '{texts.shown(args[at])}'")
        at += 1
    # A time that can't be is taken for now, as in Redis: clients' clocks differ.
    return delivered if 0 <= delivered <= now else now, count, force, just_id, last


class _Claims:
    """The claims of one command for one consumer, who is made when the first succeeds."""

    __slots__ = ("context", "group", "just_id", "key", "name", "replies", "who")

    def __init__(self, context: Context, key: bytes, name: bytes, who: bytes, group: Group, *, just_id: bool) -> None:
        self.context, self.key, self.name, self.who, self.group = context, key, name, who, group
        self.just_id = just_id
        self.replies: list[Any] = []

    def claim(self, entry: int, fields: tuple[bytes, ...], delivered: int, count: int) -> None:
        consumer = self.group.consumers.get(self.who)
        if consumer is None:
            consumer = self.group.add_consumer(self.who, 0)
            self.context.notify(b"xgroup-createconsumer", self.key)
        consumer.seen = self.context.now()
        self.group.give(entry, consumer, delivered, min(count, INT_MAX))
        name = id_text(entry)
        self.replies.append(name if self.just_id else [name, list(fields)])
        log_claim(self.context, self.key, self.name, self.group, entry)

    def clear(self, entry: int) -> None:
        """Forget an entry that was deleted from the stream; the log hears of it as of a claim."""
        log_claim(self.context, self.key, self.name, self.group, entry)
        self.group.forget(entry)


@TABLE.handles("XAUTOCLAIM")
def xautoclaim(context: Context, args: Args) -> Reply:
    key, name = args[1], args[2]
    idle = max(integer(args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM"), 0)
    start = interval_start(args[5])
    count, just_id = 100, False
    at = 6
    while at < len(args):
        option = args[at].upper()
        if option == b"COUNT" and at + 1 < len(args):
            count = integer_between(args[at + 1], 1, _MOST_AUTOCLAIMED, texts.XAUTOCLAIM_COUNT)
            at += 1
        elif option == b"JUSTID":
            just_id = True
        else:
            raise texts.syntax()
        at += 1
    stream, group = _group(context, key, name)
    now = context.now()
    claims = _Claims(context, key, name, args[3], group, just_id=just_id)
    deleted: list[bytes] = []
    cursor = 0
    for number, entry in enumerate(list(islice(group.pending_since(start), count * _ATTEMPTS + 1))):
        if number == count * _ATTEMPTS or len(claims.replies) + len(deleted) == count:
            cursor = entry
            break
        pending = group.pending[entry]
        fields = stream.fields(entry)
        if fields is None:
            claims.clear(entry)
            deleted.append(id_text(entry))
        elif not idle or now - pending.delivered >= idle:
            claims.claim(entry, fields, now, pending.count + (not just_id))
    return [id_text(cursor), claims.replies, deleted]


@TABLE.handles("XGROUP|HELP")
def xgroup_help(context: Context, args: Args) -> Reply:
    return help_lines("XGROUP", _HELP)
