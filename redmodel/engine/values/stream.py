"""A stream: entries in the order of their ids, and the groups that consume them.

An id is one integer of 128 bits, its milliseconds in the upper half and its sequence in the lower, so that ids compare
and count as plain numbers; `id_text` is its form in replies. Nothing here knows of keys, commands or the time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

from redmodel.engine.arguments import INT_MAX
from redmodel.engine.values.stream_groups import Group
from redmodel.engine.values.stream_nodes import MAX_BYTES, MAX_ENTRIES, Node, radix_nodes

MAX_ID = (1 << 128) - 1
_SEQUENCES = 1 << 64

Entry = tuple[int, tuple[bytes, ...]]
"""An id, and the fields and values behind it, flat."""


def make_id(milliseconds: int, sequence: int) -> int:
    """Join the two halves of an id.

    >>> make_id(5, 1) - make_id(5, 0), make_id(0, 2**64 - 1) + 1 == make_id(1, 0)
    (1, True)
    """
    return milliseconds << 64 | sequence


def id_text(entry: int) -> bytes:
    """The id as Redis writes it.

    >>> id_text(make_id(1526919030474, 55))
    b'1526919030474-55'
    """
    return b"%d-%d" % (entry >> 64, entry % _SEQUENCES)


class Stream:
    """Entries with ascending ids, and consumer groups.

    Attributes:
        nodes: the entries, in the nodes in which Redis would keep them. Read them, or iterate over the stream for
            ``(id, fields)``; write through the methods.
        last_id: the highest id ever given; 0 for a new stream.
        max_deleted_id: the highest id that XDEL removed, 0 if none; XSETID can bring ``last_id`` below it.
        entries_added: how many entries were ever added.
        groups: by name, each with ``last_id``, ``entries_read``, ``pending`` and ``consumers``.

    >>> stream = Stream()
    >>> stream.add(make_id(1, 0), (b"name", b"ada"))
    >>> stream.add(make_id(2, 0), (b"name", b"bob"))
    >>> [(id_text(entry), fields) for entry, fields in stream.range(make_id(2, 0), MAX_ID)]
    [(b'2-0', (b'name', b'bob'))]
    """

    __slots__ = ("_masters", "entries_added", "groups", "last_id", "length", "max_deleted_id", "nodes")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        #: The master id of each node, for bisection.
        self._masters: list[int] = []
        self.length = 0
        self.last_id = 0
        self.max_deleted_id = 0
        self.entries_added = 0
        self.groups: dict[bytes, Group] = {}

    def __len__(self) -> int:
        return self.length

    def __bool__(self) -> bool:
        return True  # an empty stream is still a value

    def __iter__(self) -> Iterator[Entry]:
        for node in self.nodes:
            yield from zip(node.ids, node.fields, strict=True)

    def __contains__(self, entry: object) -> bool:
        return isinstance(entry, int) and self.fields(entry) is not None

    def __eq__(self, other: object) -> bool:
        """Whether another stream has the same entries, counters and groups; how they lie in nodes doesn't matter."""
        return isinstance(other, Stream) and self._state() == other._state()

    __hash__ = None  # type: ignore[assignment]

    def _state(self) -> object:
        groups = {
            name: (
                group.last_id,
                group.entries_read,
                group.consumers.keys(),
                {entry: (one.consumer.name, one.delivered, one.count) for entry, one in group.pending.items()},
            )
            for name, group in self.groups.items()
        }
        return list(self), self.last_id, self.max_deleted_id, self.entries_added, groups

    def copy(self) -> Stream:
        """A stream that shares nothing that can change. Cost: O(n)."""
        twin = Stream()
        twin.nodes = [node.copy() for node in self.nodes]
        twin._masters = self._masters.copy()
        twin.length, twin.last_id, twin.entries_added = self.length, self.last_id, self.entries_added
        twin.max_deleted_id = self.max_deleted_id
        twin.groups = {name: group.copy() for name, group in self.groups.items()}
        return twin

    # Reading.

    @property
    def first_id(self) -> int:
        """The id of the first entry, 0 if there is none."""
        return next((node.ids[0] for node in self.nodes if node.ids), 0)

    @property
    def top_id(self) -> int:
        """The id of the last entry, 0 if there is none."""
        return next((node.ids[-1] for node in reversed(self.nodes) if node.ids), 0)

    @property
    def radix_nodes(self) -> int:
        """How many nodes Redis' radix tree over the stream's nodes has. Cost: O(nodes)."""
        return radix_nodes(self._masters)

    def fields(self, entry: int) -> tuple[bytes, ...] | None:
        """The fields and values of an entry, or None. Cost: O(log n)."""
        number = bisect_right(self._masters, entry) - 1
        if number >= 0:
            node = self.nodes[number]
            at = bisect_left(node.ids, entry)
            if at < len(node.ids) and node.ids[at] == entry:
                return node.fields[at]
        return None

    def range(self, low: int, high: int, count: int | None = None) -> list[Entry]:
        """At most ``count`` entries from ``low`` to ``high``, both included, ascending. Cost: O(log n + found)."""
        found: list[Entry] = []
        for number in range(max(bisect_right(self._masters, low) - 1, 0), len(self.nodes)):
            node = self.nodes[number]
            if node.master > high:
                break
            start, stop = bisect_left(node.ids, low), bisect_right(node.ids, high)
            if count is not None:
                stop = min(stop, start + count - len(found))
            found.extend(zip(node.ids[start:stop], node.fields[start:stop], strict=True))
            if len(found) == count:
                break
        return found

    def reversed_range(self, low: int, high: int, count: int | None = None) -> list[Entry]:
        """At most ``count`` entries from ``high`` down to ``low``, both included. Cost: O(log n + found)."""
        found: list[Entry] = []
        for number in range(bisect_right(self._masters, high) - 1, -1, -1):
            node = self.nodes[number]
            if node.last < low:
                break
            start, stop = bisect_left(node.ids, low), bisect_right(node.ids, high)
            if count is not None:
                start = max(start, stop - count + len(found))
            if start < stop:
                found.extend(zip(reversed(node.ids[start:stop]), reversed(node.fields[start:stop]), strict=True))
            if len(found) == count:
                break
        return found

    def has_tombstones_since(self, entry: int) -> bool:
        """Whether an entry at or behind this id may have been deleted from among those that are there."""
        deleted = self.max_deleted_id
        return bool(self.length and deleted and self.first_id <= deleted and entry <= deleted)

    def entries_up_to(self, entry: int) -> int | None:
        """How many of the entries ever added lie at or before an id, or None where only counting could tell."""
        if not self.entries_added:
            return 0
        if not self.length and entry <= self.last_id:
            return self.entries_added
        if entry >= self.last_id:
            return self.entries_added if entry == self.last_id else None
        first = self.first_id
        if (not self.max_deleted_id or self.max_deleted_id < first) and entry <= first:
            return self.entries_added - self.length + (entry == first)
        return None

    def lag(self, group: Group) -> int | None:
        """How many entries the group has still to read, or None where only counting could tell."""
        if not self.entries_added:
            return 0
        read = group.entries_read
        if read is None or self.has_tombstones_since(group.last_id):
            read = self.entries_up_to(group.last_id)
        return None if read is None else self.entries_added - read

    def sorted_groups(self) -> list[tuple[bytes, Group]]:
        """The groups in the order of their names' bytes, as Redis lists them."""
        return sorted(self.groups.items(), key=lambda item: item[0])

    # Writing.

    def add(self, entry: int, fields: tuple[bytes, ...], most: int = MAX_ENTRIES, most_bytes: int = MAX_BYTES) -> None:
        """Append an entry whose id is above `last_id`; a node holds so many entries and bytes. Cost: O(fields)."""
        if self.nodes and self.nodes[-1].takes(fields, most, most_bytes):
            self.nodes[-1].add(entry, fields)
        else:
            self.nodes.append(Node(entry, fields))
            self._masters.append(entry)
        self.length += 1
        self.entries_added = min(self.entries_added + 1, INT_MAX)
        self.last_id = entry

    def remove(self, entry: int) -> bool:
        """Delete an entry and say whether it was there. Cost: O(log n)."""
        number = bisect_right(self._masters, entry) - 1
        if number < 0:
            return False
        node = self.nodes[number]
        at = bisect_left(node.ids, entry)
        if at == len(node.ids) or node.ids[at] != entry:
            return False
        node.remove(at, at + 1)
        if not node.ids:
            del self.nodes[number], self._masters[number]
        self.length -= 1
        self.max_deleted_id = max(self.max_deleted_id, entry)
        return True

    def trim_to(self, length: int, *, whole_nodes: bool = False, limit: int = 0) -> int:
        """Drop the oldest entries until this many are left.

        Args:
            length: how many entries should stay.
            whole_nodes: drop only whole nodes, and so keep up to a node more.
            limit: the most entries to drop, 0 for no limit; a node that goes beyond it stays whole.

        Returns:
            How many entries were dropped.
        """
        excess = self.length - length
        if excess <= 0:
            return 0
        gone = nodes = 0
        for node in self.nodes:
            entries = len(node.ids)
            if gone == excess or (limit and gone + entries > limit) or gone + entries > excess:
                break
            gone += entries
            nodes += 1
        self._drop(nodes, gone)
        rest = excess - gone
        if rest and not whole_nodes:
            self.nodes[0].remove(0, rest)
            self.length -= rest
            gone += rest
        return gone

    def trim_below(self, entry: int, *, whole_nodes: bool = False, limit: int = 0) -> int:
        """Drop the entries before an id; the rest as in `trim_to`."""
        gone = nodes = 0
        for node in self.nodes:
            if node.last >= entry or (limit and gone + len(node.ids) > limit):
                break
            gone += len(node.ids)
            nodes += 1
        self._drop(nodes, gone)
        if self.nodes and not whole_nodes:
            rest = bisect_left(self.nodes[0].ids, entry)
            if rest:
                self.nodes[0].remove(0, rest)
                self.length -= rest
                gone += rest
        return gone

    def _drop(self, nodes: int, entries: int) -> None:
        if nodes:
            del self.nodes[:nodes], self._masters[:nodes]
            self.length -= entries

    def check(self) -> None:
        """Assert every invariant: ids ascend and are not above the last, counters fit, nodes follow each other."""
        ids = [entry for entry, _ in self]
        assert len(ids) == self.length, (len(ids), self.length)
        assert all(one < other for one, other in pairwise(ids)), ids
        assert not ids or (ids[0] > 0 and ids[-1] <= self.last_id), (ids, self.last_id)
        assert self._masters == [node.master for node in self.nodes]
        assert all(fields and len(fields) % 2 == 0 for _, fields in self)
        for node in self.nodes:
            assert len(node.ids) == len(node.fields), node.ids
            assert not node.ids or (node.master <= node.ids[0] and node.ids[-1] <= node.last), node.ids
        assert all(one.last < other.master for one, other in pairwise(self.nodes))
        assert self.length <= self.entries_added
        for group in self.groups.values():
            group.check()
