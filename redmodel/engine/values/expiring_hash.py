"""A hash some of whose fields have deadlines. It knows nothing of keys, commands or the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush


class ExpiringHash(dict[bytes, bytes]):
    """Fields and values as in any hash, which is a plain dict, and the deadlines of some fields beside them.

    Writing a field as one writes to a dict leaves its deadline as it is: `forget` the fields that were replaced or
    removed. A field whose deadline has passed is there until `take_due` takes it.

    >>> fields = ExpiringHash({b"a": b"1", b"b": b"2"})
    >>> fields.set_deadline(b"a", 1000)
    >>> fields.take_due(1000), fields.take_due(1001), fields
    ([], [b'a'], {b'b': b'2'})
    """

    __slots__ = ("_due", "deadlines", "queued")

    def __init__(self, fields: Mapping[bytes, bytes] | None = None) -> None:
        super().__init__(fields or {})
        #: Unix milliseconds after which a field is gone; may be read directly.
        self.deadlines: dict[bytes, int] = {}
        #: The earliest deadline that the database has been told of for the key this is kept at.
        self.queued: int | None = None
        self._due: list[tuple[int, bytes]] = []  # a heap; outdated entries are skipped

    def twin(self) -> ExpiringHash:
        """A copy that shares nothing that can change."""
        other = ExpiringHash(self)
        other.deadlines = self.deadlines.copy()
        other._due = self._due.copy()
        return other

    def set_deadline(self, field: bytes, deadline: int) -> None:
        """Give a field that is there a deadline. Cost: O(log n)."""
        if self.deadlines.get(field) == deadline:
            return
        self.deadlines[field] = deadline
        heappush(self._due, (deadline, field))
        if len(self._due) > 2 * len(self.deadlines) + 64:
            self._due = [(when, name) for name, when in self.deadlines.items()]
            heapify(self._due)

    def forget(self, fields: Iterable[bytes]) -> None:
        """Drop the deadlines of fields that were replaced or removed."""
        deadlines = self.deadlines
        if deadlines:
            for field in fields:
                deadlines.pop(field, None)

    def earliest(self) -> int | None:
        """The first deadline; None where no field has one. Cost: O(log n), amortised over outdated entries."""
        due, deadlines = self._due, self.deadlines
        while due and deadlines.get(due[0][1]) != due[0][0]:
            heappop(due)
        return due[0][0] if due else None

    def take_due(self, now: int) -> list[bytes]:
        """Remove the fields whose deadline is before ``now``, and return them. Cost: O(removed * log n)."""
        due, deadlines = self._due, self.deadlines
        gone: list[bytes] = []
        while due and due[0][0] < now:
            deadline, field = heappop(due)
            if deadlines.get(field) == deadline:
                del deadlines[field], self[field]
                gone.append(field)
        return gone

    def check(self) -> None:
        """Assert every invariant: no deadline without a field, each in the heap."""
        assert self.deadlines.keys() <= self.keys(), self.deadlines.keys() - self.keys()
        queued = set(self._due)
        for field, deadline in self.deadlines.items():
            assert (deadline, field) in queued, (field, deadline)
