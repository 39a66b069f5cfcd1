"""Streams as RDB files hold them: entries in nodes that are listpacks, then the counters, then the groups. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from redmodel.engine.arguments import parse_integer
from redmodel.engine.storage.rdb import packed
from redmodel.engine.storage.rdb.primitives import (
    BadData,
    NeedMore,
    length,
    read_count,
    read_length,
    read_string,
    string,
)
from redmodel.engine.values.stream import Stream
from redmodel.engine.values.stream_groups import Consumer, Group
from redmodel.engine.values.stream_nodes import Node

_DELETED, _SAME_FIELDS = 1, 2
_UNKNOWN = (1 << 64) - 1  # how many entries a group has read, where that can't be known
_WORD = 1 << 64
_ID_BYTES = 16


def stream_decoder(version: int) -> Callable[[bytes, int], tuple[Stream, int]]:
    """The decoder of streams as Redis 5 (1), 7.0 (2) or 7.2 (3) writes them."""

    def decode(buffer: bytes, position: int) -> tuple[Stream, int]:
        start = position
        nodes, position = read_count(buffer, position)
        stream = Stream()
        for _ in range(nodes):
            at = position
            key, position = read_string(buffer, position)
            blob, position = read_string(buffer, position)
            try:
                node = _node(key, blob)
            except (ValueError, IndexError) as error:
                raise BadData(at, f"a node of a stream that is not as Redis writes it ({error})") from None
            if stream.nodes and node.master <= stream.nodes[-1].last:
                raise BadData(at, "a stream whose nodes are out of order")
            stream.nodes.append(node)
            stream._masters.append(node.master)  # pyright: ignore[reportPrivateUsage]
            stream.length += len(node.ids)
        stated, position = read_length(buffer, position)
        if stated != stream.length:
            raise BadData(start, "a stream with another number of entries than it says")
        stream.last_id, position = _split_id(buffer, position)
        stream.entries_added = stream.length
        if version > 1:
            _, position = _split_id(buffer, position)  # the first id: it is that of the first entry
            stream.max_deleted_id, position = _split_id(buffer, position)
            stream.entries_added, position = read_length(buffer, position)
        if max(stream.top_id, stream.max_deleted_id) > stream.last_id or (stream.length and not stream.first_id):
            raise BadData(start, "a stream with an id that it can't have given")
        if stream.entries_added < stream.length:
            raise BadData(start, "a stream with more entries than were ever added")
        groups, position = read_count(buffer, position)
        for _ in range(groups):
            position = _read_group(buffer, position, stream, version)
        return stream, position

    return decode


def _node(key: bytes, blob: bytes) -> Node:
    if len(key) != _ID_BYTES:
        raise ValueError("its key is no id")
    elements = packed.listpack(blob)
    number = _number
    count, deleted, fields = number(elements[0]), number(elements[1]), number(elements[2])
    names = tuple(elements[3 : 3 + fields])
    node = Node.__new__(Node)
    node.master = node.last = int.from_bytes(key, "big")
    node.names, node.deleted, node.size = names, deleted, len(blob)
    at = 3 + fields
    if fields < 1 or len(names) != fields or elements[at] != b"0":
        raise ValueError("its first part")
    at += 1
    ids: list[int] = []
    contents: list[tuple[bytes, ...]] = []
    gone = 0
    last = node.master - 1
    while at < len(elements):
        begin = at
        flags = number(elements[at])
        milliseconds = (node.master >> 64) + number(elements[at + 1])
        sequence = (node.master + number(elements[at + 2])) % _WORD
        at += 3
        if flags & _SAME_FIELDS:
            flat = [part for pair in zip(names, elements[at : at + fields], strict=True) for part in pair]
            at += fields
        else:
            pairs = number(elements[at])
            flat = elements[at + 1 : at + 1 + 2 * pairs]
            at += 1 + 2 * pairs
            if pairs < 1 or len(flat) != 2 * pairs:
                raise ValueError("the fields of an entry")
        if number(elements[at]) != at - begin:
            raise ValueError("the size of an entry")
        at += 1
        entry = milliseconds << 64 | sequence
        if entry <= last or not 0 <= milliseconds < _WORD:
            raise ValueError("the order of its entries")
        last = entry
        if flags & _DELETED:
            gone += 1
        else:
            ids.append(entry)
            contents.append(tuple(flat))
    if len(ids) != count or gone != deleted:
        raise ValueError("the number of its entries")
    node.ids, node.fields = ids, contents
    node.last = max(last, node.master)
    return node


def _number(text: bytes) -> int:
    number = parse_integer(text)
    if number is None:
        raise ValueError("something that should be a number")
    return number


def _split_id(buffer: bytes, position: int) -> tuple[int, int]:
    milliseconds, position = read_length(buffer, position)
    sequence, position = read_length(buffer, position)
    return milliseconds << 64 | sequence, position


def _read_group(buffer: bytes, position: int, stream: Stream, version: int) -> int:
    start = position
    name, position = read_string(buffer, position)
    last_id, position = _split_id(buffer, position)
    if version > 1:
        read, position = read_length(buffer, position)
        entries_read = None if read == _UNKNOWN else read
    else:
        entries_read = stream.entries_up_to(last_id)
    if name in stream.groups:
        raise BadData(start, "a stream with two groups of one name")
    group = stream.groups[name] = Group(last_id, entries_read)
    pending: dict[int, tuple[int, int]] = {}
    size, position = read_count(buffer, position)
    for _ in range(size):
        entry, position = _raw(buffer, position, _ID_BYTES, "big")
        delivered, position = _raw(buffer, position, 8, "little")
        times, position = read_length(buffer, position)
        pending[entry] = (delivered, times)
    consumers, position = read_count(buffer, position)
    for _ in range(consumers):
        consumer, seen_at = _read_consumer(buffer, position, version)
        if consumer.name in group.consumers:
            raise BadData(position, "Duplicate stream consumer detected")
        group.consumers[consumer.name] = consumer
        owned, position = read_count(buffer, seen_at)
        for _ in range(owned):
            entry, position = _raw(buffer, position, _ID_BYTES, "big")
            if entry not in pending:
                raise BadData(position, "a consumer with a pending entry that its group doesn't know")
            group.give(entry, consumer, *pending.pop(entry))
    if pending:
        raise BadData(start, "a group with a pending entry that no consumer has")
    if len(group.pending) != size:
        raise BadData(start, "a group with an entry that is pending twice")
    return position


def _read_consumer(buffer: bytes, position: int, version: int) -> tuple[Consumer, int]:
    name, position = read_string(buffer, position)
    seen, position = _raw(buffer, position, 8, "little")
    if version > 2:
        _, position = _raw(buffer, position, 8, "little")  # when it was last given something
    return Consumer(name, seen), position


def _raw(buffer: bytes, position: int, size: int, order: str) -> tuple[int, int]:
    end = position + size
    if end > len(buffer):
        raise NeedMore(end)
    return int.from_bytes(buffer[position:end], "big" if order == "big" else "little"), end


def stream_pieces(stream: Stream) -> Iterator[bytes]:
    """What stands behind the key of a stream, as redis-server 7.0 writes it."""
    nodes = [node for node in stream.nodes if node.ids]
    yield length(len(nodes))
    for node in nodes:
        yield string(node.master.to_bytes(_ID_BYTES, "big")) + string(_packed_node(node))
    yield length(stream.length)
    for entry in (stream.last_id, stream.first_id, stream.max_deleted_id):
        yield _id(entry)
    yield length(stream.entries_added)
    groups = stream.sorted_groups()
    yield length(len(groups))
    for name, group in groups:
        read = _UNKNOWN if group.entries_read is None else group.entries_read
        yield string(name) + _id(group.last_id) + length(read) + length(len(group.pending))
        for entry in group.pending_since(0):
            one = group.pending[entry]
            yield entry.to_bytes(_ID_BYTES, "big") + one.delivered.to_bytes(8, "little") + length(one.count)
        consumers = group.sorted_consumers()
        yield length(len(consumers))
        for consumer in consumers:
            yield string(consumer.name) + consumer.seen.to_bytes(8, "little") + length(len(consumer.pending))
            yield b"".join(entry.to_bytes(_ID_BYTES, "big") for entry in consumer.pending)


def _id(entry: int) -> bytes:
    return length(entry >> 64) + length(entry % _WORD)


def _packed_node(node: Node) -> bytes:
    """The node's listpack, without what was deleted from it."""
    names, master = node.names, node.master
    head = (len(node.ids), 0, len(names))
    elements = [b"%d" % number for number in head]
    elements += names
    elements.append(b"0")
    for entry, fields in zip(node.ids, node.fields, strict=True):
        same = fields[::2] == names
        stored = fields[1::2] if same else (b"%d" % (len(fields) // 2), *fields)
        elements.append(b"2" if same else b"0")
        elements.append(b"%d" % ((entry >> 64) - (master >> 64)))
        elements.append(b"%d" % _signed(entry % _WORD - master % _WORD))
        elements += stored
        elements.append(b"%d" % (len(stored) + 3))
    return packed.to_listpack(elements)


def _signed(number: int) -> int:
    """A difference of two 64-bit numbers as C's signed type holds it."""
    return (number + (1 << 63)) % _WORD - (1 << 63)
