"""A sorted set: members with scores, in the order of Redis (by score, then by the member's bytes).

It knows nothing of keys or commands. Positions are ranks from 0; a range of ranks is half-open, as in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from redmodel.engine.values.ranking import Ranking


class SortedSet:
    """Members and their scores, as a dict for look-ups and a `Ranking` for order.

    ``scores`` may be read directly, and iterating gives the members in no order; write through the methods.

    >>> scores = SortedSet({b"ada": 36.0, b"bob": 7.0})
    >>> scores.add(b"cid", 7.0)
    >>> scores.members(0, 2), scores.rank(b"ada"), scores.above(7.0)
    ([b'bob', b'cid'], 2, 2)
    """

    __slots__ = ("_ranking", "scores")

    def __init__(self, scores: dict[bytes, float] | None = None) -> None:
        self.scores: dict[bytes, float] = {} if scores is None else scores
        self._ranking = Ranking(self.scores.items())

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
            self._ranking.remove(member, old)
        self.scores[member] = score
        self._ranking.add(member, score)

    def rank_all(self) -> None:
        """Make the order anew after ``scores`` was written to directly. Cost: O(n log n)."""
        self._ranking = Ranking(self.scores.items())

    def discard(self, member: bytes) -> bool:
        """Remove a member if it is there, and say whether it was. Cost: O(log n)."""
        score = self.scores.pop(member, None)
        if score is None:
            return False
        self._ranking.remove(member, score)
        return True

    def discard_ranks(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        """Remove the members of these ranks and return them in order. Cost: O(log n + removed)."""
        gone = self.pairs(start, stop)
        self._ranking.remove_range(start, start + len(gone))
        for member, _ in gone:
            del self.scores[member]
        return gone

    def rank(self, member: bytes) -> int | None:
        """How many members stand before this one; None if it is not there. Cost: O(log n)."""
        score = self.scores.get(member)
        return None if score is None else self._ranking.rank(member, score)

    def at(self, rank: int) -> tuple[bytes, float]:
        """The member at a rank, which must exist, and its score. Cost: O(log n)."""
        return self._ranking.pairs(rank, rank + 1)[0]

    def below(self, score: float) -> int:
        """How many members have a smaller score. Cost: O(log n)."""
        return self._ranking.below(score)

    def above(self, score: float) -> int:
        """How many members have this score or a smaller one: the rank after them. Cost: O(log n)."""
        return self._ranking.above(score)

    def one_score(self) -> bool:
        """Whether all members have the same score, so that they stand in the order of their bytes. Cost: O(log n)."""
        return not self.scores or self.at(0)[1] == self.at(len(self.scores) - 1)[1]

    def before_member(self, member: bytes) -> int:
        """The rank of the first member >= ``member``, when all scores are equal. Cost: O(log n)."""
        return self._ranking.before_member(member)

    def after_member(self, member: bytes) -> int:
        """The rank after the last member <= ``member``, when all scores are equal. Cost: O(log n)."""
        return self._ranking.after_member(member)

    def members(self, start: int, stop: int, *, reverse: bool = False) -> list[bytes]:
        """The members of a range of ranks, in order or in reverse. Cost: O(log n + stop - start)."""
        found = self._ranking.members(start, min(stop, len(self.scores)))
        if reverse:
            found.reverse()
        return found

    def pairs(self, start: int, stop: int, *, reverse: bool = False) -> list[tuple[bytes, float]]:
        """The ``(member, score)`` of a range of ranks. Cost: O(log n + stop - start)."""
        found = self._ranking.pairs(start, min(stop, len(self.scores)))
        if reverse:
            found.reverse()
        return found

    def check(self) -> None:
        """Assert every invariant: both sides hold the same pairs, and no score is NaN. Cost: O(n log n)."""
        self._ranking.check()
        ranked = dict(self._ranking)
        assert ranked == self.scores, (ranked, self.scores)
        for member, score in ranked.items():
            assert type(member) is bytes, (score, member)
            assert type(score) is float, (score, member)
            assert not isnan(score), (score, member)
