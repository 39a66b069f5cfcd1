"""Streams as commands, for a rewrite of the log: what redis-server's own rewrite writes, and what that one loses."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from redmodel.engine.values.stream import Stream, id_text
from redmodel.engine.values.stream_groups import Group

Command = tuple[bytes, ...]

_NO_FIELDS = (b"", b"")


def stream_commands(key: bytes, stream: Stream) -> Iterator[Command]:
    """Yield the commands that rebuild a stream with its groups. When consumers were last seen is not kept."""
    # An entry that is pending though it was deleted can't be claimed, and Redis' rewrite loses it: here such entries
    # are added alone, claimed, and trimmed before the stream is filled. XDEL would raise the highest deleted id.
    gone = sorted({entry for group in stream.groups.values() for entry in group.pending if entry not in stream})
    if gone:
        for entry in gone:
            yield (b"XADD", key, id_text(entry), *_NO_FIELDS)
        for name, group in stream.sorted_groups():
            yield _group(key, name, group)
            yield from _claims(key, name, group, {entry for entry in group.pending if entry not in stream})
        yield (b"XTRIM", key, b"MAXLEN", b"0")
        if len(stream):
            yield (b"XSETID", key, b"0-0")
    for entry, fields in stream:
        yield (b"XADD", key, id_text(entry), *fields)
    if not len(stream) and not gone:
        yield (b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y")
    yield from _counters(key, stream)
    for name, group in stream.sorted_groups():
        if not gone:
            yield _group(key, name, group)
        yield from _claims(key, name, group, group.pending if not gone else {e for e in group.pending if e in stream})


def _counters(key: bytes, stream: Stream) -> Iterator[Command]:
    added, deleted = b"%d" % stream.entries_added, stream.max_deleted_id
    highest = id_text(max(stream.last_id, deleted))
    yield (b"XSETID", key, highest, b"ENTRIESADDED", added, b"MAXDELETEDID", id_text(deleted))
    if deleted > stream.last_id:
        # The two are refused together, and so Redis' rewrite loses them.
        yield (b"XSETID", key, id_text(stream.last_id))


def _group(key: bytes, name: bytes, group: Group) -> Command:
    read = -1 if group.entries_read is None else group.entries_read
    return (b"XGROUP", b"CREATE", key, name, id_text(group.last_id), b"ENTRIESREAD", b"%d" % read)


def _claims(key: bytes, name: bytes, group: Group, entries: Collection[int]) -> Iterator[Command]:
    """The consumers of a group, and those of its pending entries that are among these."""
    for consumer in group.sorted_consumers():
        if not len(consumer.pending):
            yield (b"XGROUP", b"CREATECONSUMER", key, name, consumer.name)
        for entry in consumer.pending:
            if entry not in entries:
                continue
            pending = group.pending[entry]
            time, count = b"%d" % pending.delivered, b"%d" % pending.count
            claim = (b"XCLAIM", key, name, consumer.name, b"0", id_text(entry))
            yield (*claim, b"TIME", time, b"RETRYCOUNT", count, b"JUSTID", b"FORCE")
