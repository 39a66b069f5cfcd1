"""A sorted set: members with scores, in the order of Redis (by score, then by the member's bytes).

It knows nothing of keys or commands. Positions are ranks from 0; a range of ranks is half-open, as in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf, isnan, nextafter
from typing import Protocol, TypeAlias, cast, overload

from sortedcontainers import SortedList

Pair: TypeAlias = tuple[float, bytes]


class Order(Protocol):
    """What is used of `SortedList`, which comes without types."""

    def __iter__(self) -> Iterator[Pair]: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, where: int) -> Pair: ...
    @overload
    def __getitem__(self, where: slice) -> list[Pair]: ...
    def __delitem__(self, where: slice) -> None: ...
    def add(self, value: Pair) -> None: ...
    def remove(self, value: Pair) -> None: ...
    def bisect_left(self, value: Pair) -> int: ...
    def bisect_right(self, value: Pair) -> int: ...


class SortedSet:
    """Members and their scores, as a dict for look-ups and a `SortedList` of ``(score, member)`` for order.

    >>> scores = SortedSet({b"ada": 36.0, b"bob": 7.0})
    >>> scores.add(b"cid", 7.0)
    >>> scores.members(0, 2), scores.rank(b"ada"), scores.above(7.0)
    ([b'bob', b'cid'], 2, 2)
    """

    __slots__ = ("order", "scores")

    def __init__(self, scores: dict[bytes, float] | None = None) -> None:
        self.scores: dict[bytes, float] = {} if scores is None else scores
        pairs = [(score, member) for member, score in self.scores.items()]
        self.order = cast("Order", SortedList(pairs))

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.scores)

    def __contains__(self, member: object) -> bool:
        return member in self.scores

    def copy(self) -> SortedSet:
        """A sorted set of the same members and scores. Cost: O(n log n)."""
        return SortedSet(self.scores.copy())

    def add(self, member: bytes, score: float) -> None:
        """Add a member, or move it to another score. Cost: O(log n)."""
        score += 0.0  # turns -0.0 into the 0 that Redis keeps
        old = self.scores.get(member)
        if old is not None:
            if old == score:
                return
            self.order.remove((old, member))
        self.scores[member] = score
        self.order.add((score, member))

    def discard(self, member: bytes) -> bool:
        """Remove a member if it is there, and say whether it was. Cost: O(log n)."""
        score = self.scores.pop(member, None)
        if score is None:
            return False
        self.order.remove((score, member))
        return True

    def discard_ranks(self, start: int, stop: int) -> list[Pair]:
        """Remove the members of these ranks and return them in order. Cost: O(log n + removed)."""
        gone = self.order[start:stop]
        for _, member in gone:
            del self.scores[member]
        del self.order[start:stop]
        return gone

    def rank(self, member: bytes) -> int | None:
        """How many members stand before this one; None if it is not there. Cost: O(log n)."""
        score = self.scores.get(member)
        return None if score is None else self.order.bisect_left((score, member))

    def at(self, rank: int) -> Pair:
        """The score and member at a rank, which must exist. Cost: O(log n)."""
        return self.order[rank]

    def below(self, score: float) -> int:
        """How many members have a smaller score. Cost: O(log n)."""
        return self.order.bisect_left((score, b""))

    def above(self, score: float) -> int:
        """How many members have this score or a smaller one: the rank after them. Cost: O(log n)."""
        if score == inf:
            return len(self.scores)
        return self.order.bisect_left((nextafter(score, inf), b""))

    def before_member(self, member: bytes) -> int:
        """The rank of the first member >= ``member``, when all scores are equal. Cost: O(log n)."""
        return self.order.bisect_left((self._only_score(), member))

    def after_member(self, member: bytes) -> int:
        """The rank after the last member <= ``member``, when all scores are equal. Cost: O(log n)."""
        return self.order.bisect_right((self._only_score(), member))

    def _only_score(self) -> float:
        return self.order[0][0] if self.scores else 0.0

    def members(self, start: int, stop: int, *, reverse: bool = False) -> list[bytes]:
        """The members of a range of ranks, in order or in reverse. Cost: O(log n + stop - start)."""
        # A slice of the list is copied in C; its own iterator over a range goes through Python.
        found = self.order[start:stop]
        if reverse:
            found.reverse()
        return [member for _, member in found]

    def pairs(self, start: int, stop: int, *, reverse: bool = False) -> list[tuple[bytes, float]]:
        """The ``(member, score)`` of a range of ranks. Cost: O(log n + stop - start)."""
        found = self.order[start:stop]
        if reverse:
            found.reverse()
        return [(member, score) for score, member in found]

    def update(self, scores: Iterable[tuple[bytes, float]]) -> None:
        """Add many members. Cost: O(log n) each."""
        for member, score in scores:
            self.add(member, score)

    def check(self) -> None:
        """Assert every invariant: both sides hold the same pairs, no NaN, and the order is right. Cost: O(n log n)."""
        assert len(self.order) == len(self.scores), (len(self.order), len(self.scores))
        previous = (-inf, b"")
        for score, member in self.order:
            assert type(score) is float, (score, member)
            assert not isnan(score), (score, member)
            assert type(member) is bytes, (score, member)
            assert (score, member) >= previous, (previous, score, member)
            assert self.scores.get(member) == score, (member, score, self.scores.get(member))
            previous = (score, member)
