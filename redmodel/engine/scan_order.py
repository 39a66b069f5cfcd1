"""How SCAN, SSCAN, HSCAN and ZSCAN walk a collection that changes under them. No command and no key lives here.

Elements are walked in the order of their hashes, and a cursor is the hash at which to go on. So a cursor stays right
whatever is added or removed meanwhile, and an element which is there from the first call to the last is returned. A
sorted copy is kept per walked collection, and made anew when a walk begins; a walk that finds no copy makes one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection

_KEPT = 16


class _Order:
    __slots__ = ("elements", "hashes", "source")

    def __init__(self, source: Collection[bytes]) -> None:
        pairs = sorted((_place(element), element) for element in source)
        self.source = source
        self.hashes = [place for place, _ in pairs]
        self.elements = [element for _, element in pairs]


def _place(element: bytes) -> int:
    # Never 0: that cursor means the beginning and the end. 53 bits are exact in a double, as which scripts may keep it.
    return (hash(element) & 0x1FFFFFFFFFFFFF) or 1


class ScanOrders:
    """The walks of one database: a few sorted copies, oldest dropped first.

    >>> orders = ScanOrders()
    >>> cursor, found = orders.step(b"key", {b"a", b"b", b"c"}, 0, 2)
    >>> len(found), orders.step(b"key", {b"a", b"b", b"c"}, cursor, 2)[0]
    (2, 0)
    """

    __slots__ = ("_orders",)

    def __init__(self) -> None:
        self._orders: dict[bytes | None, _Order] = {}

    def clear(self) -> None:
        """Forget every walk; cursors stay good."""
        self._orders.clear()

    def step(self, key: bytes | None, source: Collection[bytes], cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Take the next elements of a walk.

        Args:
            key: where the collection is kept; None for the keys of the database.
            source: the collection itself; elements of it that are gone since the walk began may be returned too.
            cursor: 0 to begin, then what the previous step returned.
            count: how many elements at least, if there are so many.

        Returns:
            The next cursor, 0 at the end, and the elements.

        Cost: O(count + log n); O(n log n) when the walk begins.
        """
        order = self._orders.get(key)
        if order is None or cursor == 0 or order.source is not source:
            self._orders.pop(key, None)
            order = self._orders[key] = _Order(source)
            if len(self._orders) > _KEPT:
                del self._orders[next(iter(self._orders))]
        hashes = order.hashes
        start = bisect_left(hashes, cursor)
        stop = min(start + count, len(hashes))
        while stop < len(hashes) and hashes[stop] == hashes[stop - 1]:
            stop += 1
        found = order.elements[start:stop]
        if stop < len(hashes):
            return hashes[stop], found
        del self._orders[key]
        return 0, found
