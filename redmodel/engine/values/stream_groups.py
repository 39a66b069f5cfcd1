"""The consumer groups of a stream: who was given which entry, when, how often, and has not acknowledged it yet.

Nothing here knows of entries' contents, of keys or of commands.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import pairwise

_LIMIT = 512


class OrderedIds:
    """Distinct ids in ascending order, in buckets, so that each change costs O(log n + bucket).

    >>> ids = OrderedIds()
    >>> for entry in (5, 1, 3):
    ...     ids.add(entry)
    >>> list(ids), list(ids.since(2))
    ([1, 3, 5], [3, 5])
    """

    __slots__ = ("_buckets", "_highs", "_size")

    def __init__(self) -> None:
        self._buckets: list[list[int]] = []
        self._highs: list[int] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[int]:
        for bucket in self._buckets:
            yield from bucket

    def since(self, low: int) -> Iterator[int]:
        """The ids from ``low`` on, ascending; nothing may change meanwhile."""
        first = bisect_left(self._highs, low)
        for number in range(first, len(self._buckets)):
            bucket = self._buckets[number]
            yield from bucket[bisect_left(bucket, low) :] if number == first else bucket

    def first(self) -> int:
        """The lowest id; there must be one."""
        return self._buckets[0][0]

    def last(self) -> int:
        """The highest id; there must be one."""
        return self._highs[-1]

    def add(self, entry: int) -> None:
        """Add an id that is not there."""
        self._size += 1
        highs = self._highs
        at = bisect_left(highs, entry)
        if at == len(highs):
            if not highs or len(self._buckets[-1]) >= _LIMIT:
                self._buckets.append([entry])
                highs.append(entry)
            else:
                self._buckets[-1].append(entry)
                highs[-1] = entry
            return
        bucket = self._buckets[at]
        insort(bucket, entry)
        if len(bucket) > 2 * _LIMIT:
            self._buckets[at : at + 1] = bucket[:_LIMIT], bucket[_LIMIT:]
            highs.insert(at, bucket[_LIMIT - 1])

    def remove(self, entry: int) -> None:
        """Remove an id that is there."""
        self._size -= 1
        at = bisect_left(self._highs, entry)
        bucket = self._buckets[at]
        del bucket[bisect_left(bucket, entry)]
        if not bucket:
            del self._buckets[at], self._highs[at]
        else:
            self._highs[at] = bucket[-1]

    def check(self) -> None:
        """Assert every invariant: ids ascend, each bucket's highest is known."""
        ids = list(self)
        assert all(one < other for one, other in pairwise(ids)), ids
        assert self._highs == [bucket[-1] for bucket in self._buckets]
        assert self._size == len(ids)


class Pending:
    """One entry that a consumer was given and has not acknowledged.

    Attributes:
        consumer: who has it.
        delivered: when it was last given, in unix milliseconds.
        count: how often it was given.
    """

    __slots__ = ("consumer", "count", "delivered")

    def __init__(self, consumer: Consumer, delivered: int, count: int = 1) -> None:
        self.consumer = consumer
        self.delivered = delivered
        self.count = count


class Consumer:
    """One consumer of a group: its name, when it was last seen (unix milliseconds), and the ids it has pending."""

    __slots__ = ("name", "pending", "seen")

    def __init__(self, name: bytes, seen: int) -> None:
        self.name = name
        self.seen = seen
        self.pending = OrderedIds()


class Group:
    """A consumer group.

    Attributes:
        last_id: the last entry given to any consumer.
        entries_read: how many of the entries ever added lie at or before ``last_id``; None if that can't be known.
        pending: every entry that is pending, in no order; change it through the methods.
        consumers: by name; change it through the methods.
    """

    __slots__ = ("_order", "consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: int, entries_read: int | None) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        self.pending: dict[int, Pending] = {}
        self.consumers: dict[bytes, Consumer] = {}
        self._order = OrderedIds()

    def add_consumer(self, name: bytes, seen: int) -> Consumer:
        """Make a consumer that is not there."""
        consumer = self.consumers[name] = Consumer(name, seen)
        return consumer

    def remove_consumer(self, name: bytes) -> int | None:
        """Remove a consumer with all it has pending; return how many entries that were, None without a consumer."""
        consumer = self.consumers.pop(name, None)
        if consumer is None:
            return None
        for entry in consumer.pending:
            del self.pending[entry]
            self._order.remove(entry)
        return len(consumer.pending)

    def sorted_consumers(self) -> list[Consumer]:
        """The consumers in the order of their names' bytes, as Redis lists them."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    def give(self, entry: int, consumer: Consumer, delivered: int, count: int = 1) -> Pending:
        """Make an entry pending for a consumer, whoever had it before; return its record."""
        pending = self.pending.get(entry)
        if pending is None:
            pending = self.pending[entry] = Pending(consumer, delivered, count)
            self._order.add(entry)
        else:
            pending.consumer.pending.remove(entry)
            pending.consumer, pending.delivered, pending.count = consumer, delivered, count
        consumer.pending.add(entry)
        return pending

    def forget(self, entry: int) -> bool:
        """Take an entry off those pending, and say whether it was one. Cost: O(log n)."""
        pending = self.pending.pop(entry, None)
        if pending is None:
            return False
        self._order.remove(entry)
        pending.consumer.pending.remove(entry)
        return True

    def pending_since(self, low: int, consumer: Consumer | None = None) -> Iterator[int]:
        """The pending ids from ``low`` on, ascending, of one consumer or of all; nothing may change meanwhile."""
        return (consumer.pending if consumer else self._order).since(low)

    def pending_bounds(self) -> tuple[int, int]:
        """The lowest and the highest pending id; there must be one."""
        return self._order.first(), self._order.last()

    def copy(self) -> Group:
        """A group that shares nothing that can change."""
        twin = Group(self.last_id, self.entries_read)
        for name, consumer in self.consumers.items():
            twin.add_consumer(name, consumer.seen)
        for entry in self._order:
            pending = self.pending[entry]
            twin.give(entry, twin.consumers[pending.consumer.name], pending.delivered, pending.count)
        return twin

    def check(self) -> None:
        """Assert every invariant: each pending entry is exactly one known consumer's."""
        assert self.entries_read is None or self.entries_read >= 0, self.entries_read
        self._order.check()
        assert list(self._order) == sorted(self.pending)
        owned: dict[int, Consumer] = {}
        for name, consumer in self.consumers.items():
            assert consumer.name == name
            consumer.pending.check()
            ids = list(consumer.pending)
            assert owned.keys().isdisjoint(ids), name
            owned.update(dict.fromkeys(ids, consumer))
        assert owned == {entry: pending.consumer for entry, pending in self.pending.items()}
