"""The nodes of a stream: runs of entries as Redis packs them, which decide what a trim with ``~`` leaves.

Redis cuts a stream into listpacks of at most 100 entries and about 4096 bytes, and ``~`` only drops whole ones. So a
node here counts the bytes its listpack would have. Nothing here knows of groups, keys or commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from redmodel.engine.arguments import parse_integer

#: Redis' defaults of stream-node-max-entries and stream-node-max-bytes.
MAX_ENTRIES = 100
MAX_BYTES = 4096

_SEQUENCES = 1 << 64
_LISTPACK_BYTES = 1 << 30
_KEY_BYTES = 16


class Node:
    """Entries that stand together. A trim can leave none of them, and then the node stays until it is trimmed.

    Attributes:
        master: the id of the first entry the node ever had.
        last: the id of the last entry the node ever had.
        ids: the ids of the live entries, ascending.
        fields: their fields and values, flat, in the same order.
        deleted: how many entries were removed from it.
        size: bytes of its listpack.
    """

    __slots__ = ("deleted", "fields", "ids", "last", "master", "names", "size")

    def __init__(self, entry: int, fields: tuple[bytes, ...]) -> None:
        self.master = self.last = entry
        self.ids = [entry]
        self.fields = [fields]
        self.deleted = 0
        #: The names of the first entry; others that have the same don't store theirs.
        self.names = fields[::2]
        count = len(self.names)
        # Header and end, the counts of live and of deleted entries, the count of names, the names, the end of names.
        self.size = 7 + 2 + 2 + _integer_size(count) + sum(map(_size, self.names)) + 2
        self.size += self._entry_size(entry, fields)

    def copy(self) -> Node:
        """A node that shares nothing that can change."""
        twin = Node.__new__(Node)
        twin.master, twin.last, twin.names = self.master, self.last, self.names
        twin.ids, twin.fields = self.ids.copy(), self.fields.copy()
        twin.deleted, twin.size = self.deleted, self.size
        return twin

    def takes(self, fields: Sequence[bytes], most: int, most_bytes: int) -> bool:
        """Whether one more entry goes into this node, if it is the last; 0 stands for no limit."""
        if most and len(self.ids) + self.deleted >= most:
            return False
        return self.size + sum(map(len, fields)) < (min(most_bytes, _LISTPACK_BYTES) or _LISTPACK_BYTES)

    def add(self, entry: int, fields: tuple[bytes, ...]) -> None:
        """Append an entry whose id is above all others."""
        self.ids.append(entry)
        self.fields.append(fields)
        self.last = entry
        self.size += self._entry_size(entry, fields)

    def remove(self, start: int, stop: int) -> None:
        """Remove the live entries of these positions; their bytes stay, as in Redis."""
        del self.ids[start:stop]
        del self.fields[start:stop]
        self.deleted += stop - start

    def _entry_size(self, entry: int, fields: tuple[bytes, ...]) -> int:
        count = len(fields) // 2
        time = (entry >> 64) - (self.master >> 64)
        sequence = entry % _SEQUENCES - self.master % _SEQUENCES
        size = (
            2 + _integer_size(_wrapped(time)) + _integer_size(_wrapped(sequence))
        )  # the flags, and both parts of the id
        if fields[::2] == self.names:
            return size + sum(map(_size, fields[1::2])) + _integer_size(count + 3)
        return size + _integer_size(count) + sum(map(_size, fields)) + _integer_size(2 * count + 4)


def _wrapped(number: int) -> int:
    """A difference of two 64-bit numbers as C's signed type holds it."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _integer_size(number: int) -> int:
    """Bytes of an integer in a listpack, with its length behind it."""
    if 0 <= number <= 127:
        return 2
    if -4096 <= number <= 4095:
        return 3
    if -(1 << 15) <= number < 1 << 15:
        return 4
    if -(1 << 23) <= number < 1 << 23:
        return 5
    return 6 if -(1 << 31) <= number < 1 << 31 else 10


def _size(text: bytes) -> int:
    """Bytes of a string in a listpack, with its length behind it; a number is kept as an integer."""
    length = len(text)
    if length <= 20 and text[:1] in b"-0123456789" and (number := parse_integer(text)) is not None:
        return _integer_size(number)
    if length < 64:
        return length + 2
    length += 2 if length < 4096 else 5
    if length < 128:
        return length + 1
    if length < 16_383:
        return length + 2
    if length < 2_097_151:
        return length + 3
    return length + (4 if length < 268_435_455 else 5)


def radix_nodes(masters: Iterable[int]) -> int:
    """How many nodes a radix tree has that holds these ids as keys of 16 bytes: what XINFO STREAM tells.

    A run of bytes without a fork is one node, each fork is one, and each key ends in one.

    >>> radix_nodes([]), radix_nodes([1]), radix_nodes([1, 2]), radix_nodes([1, 256])
    (1, 2, 4, 6)
    """
    ids = list(masters)
    if len(ids) < 2:
        return 1 + len(ids)
    # How many bytes each two neighbours have in common: there the tree forks.
    forks = [(128 - (one ^ other).bit_length()) // 8 for one, other in pairwise(ids)]
    nodes = len(ids)
    # Below a fork one byte stands in the fork itself; bytes beyond it make a node of their own.
    nodes += sum(_KEY_BYTES - max(sides) > 1 for sides in zip([-1, *forks], [*forks, -1], strict=True))
    open_forks: list[int] = []
    for fork in [*forks, -1]:
        while open_forks and open_forks[-1] > fork:
            depth = open_forks.pop()
            above = max(fork, open_forks[-1] if open_forks else -1)
            nodes += 1 + (depth - above > 1)
        if not open_forks or open_forks[-1] < fork:
            open_forks.append(fork)
    return nodes
