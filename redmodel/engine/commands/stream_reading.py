"""XREAD and XREADGROUP: what is new in streams, for anybody or for one consumer of a group."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, integer
from redmodel.engine.commands.blocking import checked_milliseconds
from redmodel.engine.commands.stream_arguments import count_option, stream_id
from redmodel.engine.commands.stream_groups import log_claim, log_group
from redmodel.engine.commands.streams import entry_replies
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import NIL_ARRAY, Keyed, Reply
from redmodel.engine.values.stream import MAX_ID, Entry, Stream, id_text
from redmodel.engine.values.stream_groups import Consumer, Group
from redmodel.engine.waiting import NOT_YET, NotYet
from redmodel.errors import ReplyError

TABLE = Table(
    ("XREAD", -4, "readonly blocking movablekeys nil_array", (0, 0, 0)),
    ("XREADGROUP", -7, "write blocking movablekeys nil_array", (0, 0, 0)),
)

# What ">" stands for until it is known what the group has read; as in Redis the greatest id means the same.
_NEW = MAX_ID


@dataclass(slots=True)
class _Options:
    """What stands before the keys; ``timeout`` is None without BLOCK, ``count`` None for no bound."""

    keys: Args
    places: Args
    count: int | None = None
    timeout: int | None = None
    group: bytes | None = None
    consumer: bytes = b""
    silent: bool = False


@TABLE.handles("XREAD")
def xread(context: Context, args: Args) -> Reply:
    options = _options(context, args, groups=False)
    wanted = [_place(context, key, text) for key, text in zip(options.keys, options.places, strict=True)]
    found = Keyed()
    for key, (stream, after) in zip(options.keys, wanted, strict=True):
        if stream is not None and len(stream) and stream.top_id > after:
            found.append((key, entry_replies(stream.range(after + 1, MAX_ID, options.count))))
    if found or options.timeout is None:
        return found or None

    behind = {key: after for key, (_, after) in zip(options.keys, wanted, strict=True)}

    def attempt(context: Context, key: bytes) -> Reply | NotYet:
        stream = context.find(key)
        if type(stream) is not Stream or stream.top_id <= behind[key]:
            return NOT_YET
        return Keyed([(key, entry_replies(stream.range(behind[key] + 1, MAX_ID, options.count)))])

    return context.wait(options.keys, checked_milliseconds(options.timeout), attempt, NIL_ARRAY)


@TABLE.handles("XREADGROUP")
def xreadgroup(context: Context, args: Args) -> Reply:
    options = _options(context, args, groups=True)
    name = options.group
    if name is None:
        raise ReplyError(texts.XREADGROUP_NO_GROUP)
    wanted = [_group_place(context, key, name, text) for key, text in zip(options.keys, options.places, strict=True)]
    found = Keyed()
    for key, (stream, group, after) in zip(options.keys, wanted, strict=True):
        if after != _NEW:
            reader = _Reader(context, key, name, group, options)
            found.append((key, reader.history(stream, after)))
        elif len(stream) and stream.top_id > group.last_id:
            reader = _Reader(context, key, name, group, options)
            found.append((key, reader.news(stream)))
    if found or options.timeout is None:
        return found or None

    def attempt(context: Context, key: bytes) -> Reply | NotYet:
        stream = context.find(key)
        if type(stream) is not Stream:
            raise ReplyError(texts.STREAM_GONE)
        group = stream.groups.get(name)
        if group is None:
            raise ReplyError(texts.GROUP_GONE)
        if stream.top_id <= group.last_id:
            return NOT_YET
        return Keyed([(key, _Reader(context, key, name, group, options).news(stream))])

    return context.wait(options.keys, checked_milliseconds(options.timeout), attempt, NIL_ARRAY)


def _options(context: Context, args: Args, *, groups: bool) -> _Options:
    options = _Options((), ())
    at = 1
    while at < len(args):
        option = args[at].upper()
        more = len(args) - at - 1
        if option == b"BLOCK" and more:
            if context.engine.scripting.running is not None:
                raise texts.no_block_in_scripts(args[0])
            at += 1
            options.timeout = integer(args[at], texts.TIMEOUT)
            if options.timeout < 0:
                raise ReplyError(texts.TIMEOUT_NEGATIVE)
        elif option == b"COUNT" and more:
            at += 1
            options.count = count_option(args[at]) or None
        elif option == b"STREAMS" and more:
            half, odd = divmod(more, 2)
            if odd:
                raise ReplyError(texts.XREAD_UNBALANCED)
            options.keys, options.places = args[at + 1 : at + 1 + half], args[at + 1 + half :]
            return options
        elif option == b"GROUP" and more >= 2:
            if not groups:
                raise texts.only_xreadgroup("GROUP")
            options.group, options.consumer = args[at + 1], args[at + 2]
            at += 2
        elif option == b"NOACK":
            if not groups:
                raise texts.only_xreadgroup("NOACK")
            options.silent = True
        else:
            raise texts.syntax()
        at += 1
    raise texts.syntax()


def _place(context: Context, key: bytes, text: bytes) -> tuple[Stream | None, int]:
    """The stream of XREAD, and the id behind which to read."""
    stream = context.stream_at(key)
    if text == b"$":
        return stream, 0 if stream is None else stream.last_id
    if text == b">":
        raise ReplyError(texts.XREAD_NEW)
    return stream, stream_id(text)


def _group_place(context: Context, key: bytes, name: bytes, text: bytes) -> tuple[Stream, Group, int]:
    """The stream and the group of XREADGROUP, and the id behind which to read."""
    stream = context.stream_at(key)
    group = None if stream is None else stream.groups.get(name)
    if stream is None or group is None:
        raise texts.no_key_or_group(key, name, " in XREADGROUP with GROUP option")
    if text == b"$":
        raise ReplyError(texts.XREADGROUP_LAST)
    return stream, group, _NEW if text == b">" else stream_id(text)


class _Reader:
    """One consumer's reading from one stream."""

    __slots__ = ("context", "group", "key", "name", "options", "who")

    def __init__(self, context: Context, key: bytes, name: bytes, group: Group, options: _Options) -> None:
        self.context, self.key, self.name, self.group, self.options = context, key, name, group, options
        who = group.consumers.get(options.consumer)
        if who is None:
            who = group.add_consumer(options.consumer, context.now())
            context.notify(b"xgroup-createconsumer", key)
            if options.silent:
                context.effect(b"XGROUP", b"CREATECONSUMER", key, name, options.consumer)
        who.seen = context.now()
        self.who: Consumer = who

    def history(self, stream: Stream, after: int) -> list[Any]:
        """What the consumer has pending behind an id; each counts as given once more."""
        found: list[Any] = []
        for entry in islice(self.group.pending_since(after + 1, self.who), self.options.count):
            fields = stream.fields(entry)
            if fields is None:
                found.append([id_text(entry), NIL_ARRAY])
                continue
            pending = self.group.pending[entry]
            pending.delivered = self.context.now()
            pending.count = min(pending.count + 1, INT_MAX)
            found.append([id_text(entry), list(fields)])
        return found

    def news(self, stream: Stream) -> list[Any]:
        """What nobody in the group was given yet; it becomes pending unless NOACK was said."""
        group = self.group
        entries: list[Entry] = stream.range(group.last_id + 1, MAX_ID, self.options.count)
        for entry, _ in entries:
            if group.entries_read is not None and not stream.has_tombstones_since(entry):
                group.entries_read = min(group.entries_read + 1, INT_MAX)
            elif stream.entries_added:
                group.entries_read = stream.entries_up_to(entry)
            group.last_id = entry
            if not self.options.silent:
                group.give(entry, self.who, self.context.now())
                log_claim(self.context, self.key, self.name, group, entry)
        if self.options.silent and entries:
            log_group(self.context, self.key, self.name, group)
        return entry_replies(entries)
