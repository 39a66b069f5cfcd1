"""Streams as commands, for a rewrite of the log: what redis-server's own rewrite writes, and what that one loses."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from redmodel.engine.values.stream import Stream, id_text
from redmodel.engine.values.stream_groups import Group

Command = tuple[bytes, ...]

_NO_FIELDS = (b"", b"")


def stream_commands(key: bytes, stream: Stream) -> Iterator[Command]:
    """Yield the commands that rebuild a stream with its groups. When consumers were last seen is not kept."""
    # An entry that is pending though it was deleted can't be claimed, and Redis' rewrite loses it: here it is added
    # with the others, and deleted again once it is claimed.
    gone = sorted({entry for group in stream.groups.values() for entry in group.pending if entry not in stream})
    for entry, fields in merge(stream, ((entry, _NO_FIELDS) for entry in gone)):
        yield (b"XADD", key, id_text(entry), *fields)
    if not len(stream) and not gone:
        yield (b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y")
    if not gone:
        yield from _counters(key, stream)
    for name, group in stream.sorted_groups():
        yield from _group_commands(key, name, group)
    if gone:
        yield from _deletions(key, stream, gone)
        yield from _counters(key, stream)


def _counters(key: bytes, stream: Stream) -> Iterator[Command]:
    added, deleted = b"%d" % stream.entries_added, stream.max_deleted_id
    highest = id_text(max(stream.last_id, deleted))
    yield (b"XSETID", key, highest, b"ENTRIESADDED", added, b"MAXDELETEDID", id_text(deleted))
    if deleted > stream.last_id:
        # The two are refused together, and so Redis' rewrite loses them.
        yield (b"XSETID", key, id_text(stream.last_id))


def _deletions(key: bytes, stream: Stream, gone: list[int]) -> Iterator[Command]:
    """Remove entries again: by a trim those before all others, since XDEL would raise the highest deleted id."""
    if not len(stream):
        yield (b"XTRIM", key, b"MAXLEN", b"0")
        return
    first = stream.first_id
    if gone[0] < first:
        yield (b"XTRIM", key, b"MINID", id_text(first))
    later = [id_text(entry) for entry in gone if entry > first]
    if later:
        yield (b"XDEL", key, *later)


def _group_commands(key: bytes, name: bytes, group: Group) -> Iterator[Command]:
    read = -1 if group.entries_read is None else group.entries_read
    yield (b"XGROUP", b"CREATE", key, name, id_text(group.last_id), b"ENTRIESREAD", b"%d" % read)
    for consumer in group.sorted_consumers():
        if not len(consumer.pending):
            yield (b"XGROUP", b"CREATECONSUMER", key, name, consumer.name)
        for entry in consumer.pending:
            pending = group.pending[entry]
            time, count = b"%d" % pending.delivered, b"%d" % pending.count
            claim = (b"XCLAIM", key, name, consumer.name, b"0", id_text(entry))
            yield (*claim, b"TIME", time, b"RETRYCOUNT", count, b"JUSTID", b"FORCE")
