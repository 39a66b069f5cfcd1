"""One database: its keys, their values and deadlines, and who watches them. No clock, no commands, no log.

Whether a deadline has passed is the context's to judge: here it is only a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from redmodel.engine.scan_order import ScanOrders
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.stream import Stream

if TYPE_CHECKING:
    from redmodel.engine.session import Session
    from redmodel.engine.values.types import Value

_FEW = 64


class Keyspace:
    """The keys of one database.

    ``values`` and ``deadlines`` may be read directly; a key whose deadline has passed may still be in them. Write
    through the methods, so that a deadline never outlives its key.
    """

    __slots__ = (
        "_field_due_most",
        "accessed",
        "deadlines",
        "due",
        "field_due",
        "kept",
        "number",
        "scans",
        "sizes",
        "values",
        "watchers",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.values: dict[bytes, Value] = {}
        #: Unix milliseconds after which a key is gone.
        self.deadlines: dict[bytes, int] = {}
        #: A heap of (deadline, key) with at least one entry for each of ``deadlines``; outdated entries are skipped.
        self.due: list[tuple[int, bytes]] = []
        #: A heap of (deadline, key) for the hashes some of whose fields expire; outdated entries are skipped.
        self.field_due: list[tuple[int, bytes]] = []
        self._field_due_most = _FEW
        #: When each key was used last (unix seconds), or how often (count, minute); of `memory`, as are the sizes.
        self.accessed: dict[bytes, int | tuple[int, int]] = {}
        self.sizes: dict[bytes, int] = {}
        #: The encodings that keys keep though their content alone would not need them: see `values.encodings`.
        self.kept: dict[bytes, bytes] = {}
        self.watchers: dict[bytes, set[Session]] = {}
        self.scans = ScanOrders()

    def put(self, key: bytes, value: Value) -> None:
        """Set a key to a new value, without a deadline."""
        self.values[key] = value
        if self.deadlines:
            self.deadlines.pop(key, None)
        if self.kept:
            self.kept.pop(key, None)
        if type(value) is ExpiringHash:
            value.queued = None
            self.queue_fields(key, value)

    def remove(self, key: bytes) -> None:
        """Remove a key that is there."""
        del self.values[key]
        if self.accessed:
            self.accessed.pop(key, None)
        if self.deadlines:
            self.deadlines.pop(key, None)
        if self.kept:
            self.kept.pop(key, None)

    def put_raw(self, key: bytes, value: bytes) -> None:
        """Set a key to a string that was changed in place, or made by bits; a deadline stays."""
        self.values[key] = value
        self.kept[key] = b"raw"

    def replace(self, key: bytes, value: bytes) -> None:
        """Set a key to another string; a deadline stays."""
        self.values[key] = value
        if self.kept:
            self.kept.pop(key, None)

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

    def queue_fields(self, key: bytes, fields: ExpiringHash) -> None:
        """Note when the next field of a hash is due, after its deadlines have changed. Cost: O(log n)."""
        earliest = fields.earliest()
        if earliest is None or (fields.queued is not None and fields.queued <= earliest):
            return
        fields.queued = earliest
        heappush(self.field_due, (earliest, key))
        if len(self.field_due) > self._field_due_most:
            living = {(value.queued, name): value for _, name in self.field_due if (value := self._expiring(name))}
            self.field_due = [(when, name) for when, name in living if when is not None]
            heapify(self.field_due)
            self._field_due_most = 2 * len(self.field_due) + _FEW

    def _expiring(self, key: bytes) -> ExpiringHash | None:
        value = self.values.get(key)
        return value if type(value) is ExpiringHash else None

    def next_fields_due(self, now: int) -> tuple[bytes, ExpiringHash] | None:
        """Take a hash of which a field's deadline is before ``now`` off the heap; None if there is none.

        Cost: O(log n), amortised over outdated entries.
        """
        due = self.field_due
        while due and due[0][0] < now:
            deadline, key = heappop(due)
            fields = self._expiring(key)
            if fields is not None and fields.queued == deadline:
                fields.queued = None
                return key, fields
        return None

    def has_expiring_fields(self) -> bool:
        """Whether any field of any hash has a deadline. Cost: O(hashes that have or had one)."""
        return any(fields.deadlines for _, key in self.field_due if (fields := self._expiring(key)) is not None)

    def clear(self) -> None:
        """Remove every key."""
        self.values.clear()
        self.deadlines.clear()
        self.due.clear()
        self.field_due.clear()
        self.kept.clear()
        self.scans.clear()
        self.accessed.clear()
        # `sizes` stays: that it no longer fits tells the account of memory that keys have gone.

    def swap(self, other: Keyspace) -> None:
        """Exchange all keys with another database; watchers stay."""
        self.values, other.values = other.values, self.values
        self.deadlines, other.deadlines = other.deadlines, self.deadlines
        self.due, other.due = other.due, self.due
        self.kept, other.kept = other.kept, self.kept
        self.field_due, other.field_due = other.field_due, self.field_due
        self.scans, other.scans = other.scans, self.scans
        self.accessed, other.accessed = other.accessed, self.accessed
        self.sizes, other.sizes = other.sizes, self.sizes

    def wake(self, keys: Iterable[bytes]) -> None:
        """Tell the sessions that watch any of these keys that it has changed."""
        for key in keys:
            for session in self.watchers.get(key, ()):
                session.dirty = True

    def check(self) -> None:
        """Assert every invariant: no deadline without a key, only streams are empty, each deadline in the heap."""
        assert self.deadlines.keys() <= self.values.keys(), self.deadlines.keys() - self.values.keys()
        assert self.kept.keys() <= self.values.keys(), self.kept.keys() - self.values.keys()
        queued = set(self.due)
        for key, deadline in self.deadlines.items():
            assert (deadline, key) in queued, (key, deadline)
        for key, value in self.values.items():
            assert type(key) is bytes, key
            if isinstance(value, Stream):
                value.check()
            else:
                assert type(value) is bytes or len(value) > 0, key
            if type(value) is ExpiringHash:
                value.check()
                assert not value.deadlines or (value.queued, key) in self.field_due, key
