"""One database: its keys, their values and deadlines, and who watches them. No clock, no commands, no log.

Whether a deadline has passed is the context's to judge: here it is only a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from redmodel.engine.scan_order import ScanOrders
from redmodel.engine.values.stream import Stream

if TYPE_CHECKING:
    from redmodel.engine.session import Session
    from redmodel.engine.values.types import Value


class Keyspace:
    """The keys of one database.

    ``values`` and ``deadlines`` may be read directly; a key whose deadline has passed may still be in them. Write
    through the methods, so that a deadline never outlives its key.
    """

    __slots__ = ("deadlines", "due", "number", "scans", "values", "watchers")

    def __init__(self, number: int) -> None:
        self.number = number
        self.values: dict[bytes, Value] = {}
        #: Unix milliseconds after which a key is gone.
        self.deadlines: dict[bytes, int] = {}
        #: A heap of (deadline, key) with at least one entry for each of ``deadlines``; outdated entries are skipped.
        self.due: list[tuple[int, bytes]] = []
        self.watchers: dict[bytes, set[Session]] = {}
        self.scans = ScanOrders()

    def put(self, key: bytes, value: Value) -> None:
        """Set a key to a new value, without a deadline."""
        self.values[key] = value
        if self.deadlines:
            self.deadlines.pop(key, None)

    def remove(self, key: bytes) -> None:
        """Remove a key that is there."""
        del self.values[key]
        if self.deadlines:
            self.deadlines.pop(key, None)

    def set_deadline(self, key: bytes, deadline: int) -> None:
        """Give a key that is there a deadline. Cost: O(log n)."""
        if self.deadlines.get(key) == deadline:
            return
        self.deadlines[key] = deadline
        heappush(self.due, (deadline, key))
        if len(self.due) > 2 * len(self.deadlines) + 64:
            self.due = [(when, name) for name, when in self.deadlines.items()]
            heapify(self.due)

    def next_due(self, now: int) -> bytes | None:
        """Take a key whose deadline is before ``now`` off the heap; None if there is none. The key stays.

        Cost: O(log n), amortised over outdated entries.
        """
        due = self.due
        while due and due[0][0] < now:
            deadline, key = heappop(due)
            if self.deadlines.get(key) == deadline:
                return key
        return None

    def clear(self) -> None:
        """Remove every key."""
        self.values.clear()
        self.deadlines.clear()
        self.due.clear()
        self.scans.clear()

    def swap(self, other: Keyspace) -> None:
        """Exchange all keys with another database; watchers stay."""
        self.values, other.values = other.values, self.values
        self.deadlines, other.deadlines = other.deadlines, self.deadlines
        self.due, other.due = other.due, self.due
        self.scans, other.scans = other.scans, self.scans

    def wake(self, keys: Iterable[bytes]) -> None:
        """Tell the sessions that watch any of these keys that it has changed."""
        for key in keys:
            for session in self.watchers.get(key, ()):
                session.dirty = True

    def check(self) -> None:
        """Assert every invariant: no deadline without a key, only streams are empty, each deadline in the heap."""
        assert self.deadlines.keys() <= self.values.keys(), self.deadlines.keys() - self.values.keys()
        queued = set(self.due)
        for key, deadline in self.deadlines.items():
            assert (deadline, key) in queued, (key, deadline)
        for key, value in self.values.items():
            assert type(key) is bytes, key
            if isinstance(value, Stream):
                value.check()
            else:
                assert type(value) is bytes or len(value) > 0, key
