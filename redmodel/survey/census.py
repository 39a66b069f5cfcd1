"""Counting keys by prefix: a tree of groups that stays small however many keys there are, and the report of it."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median_low
from typing import NamedTuple

from redmodel.plan.scan import KeyRow, SchemaRow

MOST_NAMES = 100
"""Groups kept right under one group; keys of further ones are counted in the group above only."""

MOST_LEVELS = 8
"""How deep groups are told apart."""

SAMPLE = 1024
"""Times to live kept of one group, drawn evenly from all of its keys: the median comes from them."""

# An id rather than a name: what holds a digit, is empty, or is long.
_VARIES = re.compile(rb"[0-9]|^$|^.{65}", re.DOTALL)


class GroupRow(NamedTuple):
    """One group of keys in a report.

    Attributes:
        pattern: ``users:*``, ``users@city:*``, or the key itself where it stands alone.
        depth: 1 for the outermost groups; a group follows the one that holds it, which counts its keys too.
        keys, memory: how many keys, and the bytes they take; None where the server said it of none of them.
        types: how many keys of each type.
        without_ttl: the share of keys that never expire, from 0 to 1.
        ttl_median_ms: the median time to live of the others; None if there are none.
        model: the class name of the model whose records or, with ``side``, index keys they are.
        more: how many groups under this one the report leaves out.
    """

    pattern: bytes
    depth: int
    keys: int
    memory: int | None
    types: dict[str, int]
    without_ttl: float
    ttl_median_ms: int | None
    model: str | None
    side: bool
    more: int


class Report(NamedTuple):
    """What a census found: its groups in the order to show them, the keys and bytes seen, and whether that was all.

    ``total`` is what the server says that it holds; ``more`` counts outermost groups that were left out.
    """

    groups: tuple[GroupRow, ...]
    keys: int
    memory: int | None
    total: int
    complete: bool
    more: int
    schemas: tuple[SchemaRow, ...]


class _Group:
    """The keys under one part of the keyspace, while they are counted."""

    __slots__ = ("_rng", "children", "expiring", "keys", "memory", "model", "pattern", "side", "ttls", "types")

    def __init__(self, pattern: bytes, model: bytes | None, side: bool) -> None:
        self.pattern = pattern
        self.model = model
        self.side = side
        self.keys = 0
        self.memory: int | None = None
        self.types: Counter[str] = Counter()
        self.expiring = 0
        self.ttls: list[int] = []
        self.children: dict[bytes, _Group] = {}
        self._rng: random.Random | None = None

    def add(self, row: KeyRow) -> None:
        self.keys += 1
        self.types[row.type] += 1
        if row.memory is not None:
            self.memory = (self.memory or 0) + row.memory
        if row.ttl_ms is None:
            return
        self.expiring += 1
        if len(self.ttls) < SAMPLE:
            self.ttls.append(row.ttl_ms)
            return
        if self._rng is None:
            self._rng = random.Random(0)  # not random at all: the same keyspace gives the same report
        at = self._rng.randrange(self.expiring)
        if at < SAMPLE:
            self.ttls[at] = row.ttl_ms

    def ordered(self) -> list[_Group]:
        """The groups right under this one, the largest first; the index keys of a model follow its records."""
        weight = {child.pattern: (child.memory or 0, child.keys) for child in self.children.values()}

        def order(child: _Group) -> tuple[int, int, bytes, bytes]:
            leader = child.model + b":*" if child.side and child.model is not None else child.pattern
            size, keys = weight.get(leader, weight[child.pattern])
            return -size, -keys, leader, b"" if leader == child.pattern else child.pattern

        return sorted(self.children.values(), key=order)


class Census:
    """Counts rows by prefix; give its `add` to ``redmodel.plan.scan.walk``, and ask for a `report` at any time.

    >>> census = Census()
    >>> page = KeyRow(b"cache:page:1", "string", 80, 1000, None, False)
    >>> census.add([page, KeyRow(b"lock", "string", 60, None, None, False)])
    >>> [row.pattern for row in census.report(depth=2).groups]
    [b'cache:*', b'cache:page:*', b'lock']
    """

    def __init__(self) -> None:
        self._root = _Group(b"*", None, False)

    @property
    def keys(self) -> int:
        """How many keys were counted."""
        return self._root.keys

    def add(self, rows: Sequence[KeyRow]) -> None:
        """Count keys. Cost: a few microseconds each; the memory taken does not grow with them."""
        for row in rows:
            group = self._root
            group.add(row)
            for pattern in _patterns(row):
                child = group.children.get(pattern)
                if child is None:
                    if len(group.children) >= MOST_NAMES:
                        break
                    model = row.prefix if row.prefix is not None and len(pattern) > len(row.prefix) + 1 else None
                    child = group.children[pattern] = _Group(pattern, model, row.side)
                child.add(row)
                group = child

    def report(
        self,
        *,
        depth: int = 2,
        most: int = 40,
        total: int | None = None,
        complete: bool = True,
        schemas: Sequence[SchemaRow] = (),
    ) -> Report:
        """Say what was counted.

        Args:
            depth: how many levels of groups to tell.
            most: groups to tell right under one group, the largest ones.
            total: the keys that the server says it holds; the keys counted when it did not say.
            complete: whether the keyspace was walked to its end.
            schemas: what the models wrote about themselves, for their names.
        """
        names = {schema.prefix: schema.model for schema in schemas}
        root = self._root
        rows = tuple(_told(root, 1, depth, most, names))
        seen = root.keys
        hidden = max(0, len(root.children) - most)
        return Report(
            rows, seen, root.memory, seen if total is None else total, complete, hidden, tuple(sorted(schemas))
        )


def _patterns(row: KeyRow) -> Iterator[bytes]:
    """The groups that a key belongs to, from the outermost on."""
    key, prefix = row.key, row.prefix
    if prefix is not None:
        at = prefix.find(b":")
        while at >= 0:
            yield prefix[: at + 1] + b"*"
            at = prefix.find(b":", at + 1)
        if not row.side:
            yield prefix + b":*"
            return
        yield prefix + b"@*"
        name, value, _ = key[len(prefix) + 1 :].partition(b":")
        yield prefix + b"@" + name + (b":*" if value else b"")
        return
    parts = key.split(b":", MOST_LEVELS)
    if len(parts) == 1:
        yield key
        return
    start = b""
    for level, part in enumerate(parts[:-1]):
        start += b"*:" if level and _VARIES.search(part) else part + b":"
        yield start + b"*"


def _told(group: _Group, depth: int, deepest: int, most: int, names: dict[bytes, str]) -> Iterator[GroupRow]:
    for child in group.ordered()[:most]:
        below = child.children if depth < deepest else {}
        yield GroupRow(
            child.pattern,
            depth,
            child.keys,
            child.memory,
            dict(sorted(child.types.items(), key=lambda kind: (-kind[1], kind[0]))),
            (child.keys - child.expiring) / child.keys,
            median_low(child.ttls) if child.ttls else None,
            None if child.model is None else names.get(child.model),
            child.side and child.model is not None,
            max(0, len(below) - most),
        )
        if depth < deepest:
            yield from _told(child, depth + 1, deepest, most, names)
