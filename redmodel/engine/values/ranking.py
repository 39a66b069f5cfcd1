"""Members in the order of their scores: the part of a sorted set that answers for ranks and ranges.

Members stand in buckets of at most `_LIMIT`, each bucket a list of scores beside a list of members. A place is found by
C's bisection over plain floats, members are compared only where scores are equal, and a range of members is a slice.
With pairs in a `sortedcontainers.SortedList` a range of 100 took twice as long, and each member held a tuple more.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise

_LIMIT = 1024


class Ranking:
    """An ordered collection of ``(member, score)``. Its owner knows each member's score, and never adds one twice.

    A range is half-open and must lie within the ranking's length, which the owner knows.

    >>> ranking = Ranking([(b"ada", 36.0), (b"bob", 7.0)])
    >>> ranking.add(b"cid", 7.0)
    >>> ranking.members(0, 2), ranking.rank(b"ada", 36.0), ranking.above(7.0)
    ([b'bob', b'cid'], 2, 2)
    """

    __slots__ = ("_highs", "_lasts", "_members", "_offsets", "_scores")

    def __init__(self, pairs: Iterable[tuple[bytes, float]] = ()) -> None:
        order = sorted((score, member) for member, score in pairs)
        chunks = [order[at : at + _LIMIT // 2] for at in range(0, len(order), _LIMIT // 2)]
        self._scores = [[score for score, _ in chunk] for chunk in chunks]
        self._members = [[member for _, member in chunk] for chunk in chunks]
        #: The last score and the last member of each bucket.
        self._highs = [scores[-1] for scores in self._scores]
        self._lasts = [members[-1] for members in self._members]
        #: The rank at which each bucket starts; None when that has to be counted anew.
        self._offsets: list[int] | None = None

    def __iter__(self) -> Iterator[tuple[bytes, float]]:
        for members, scores in zip(self._members, self._scores, strict=True):
            yield from zip(members, scores, strict=True)

    def _starts(self) -> list[int]:
        if self._offsets is None:
            self._offsets = list(accumulate(map(len, self._members), initial=0))
        return self._offsets

    def _place(self, member: bytes, score: float) -> tuple[int, int]:
        """The bucket and the index of the first pair that is not before this one; the bucket may be one too many."""
        highs = self._highs
        bucket = bisect_left(highs, score)
        if bucket == len(highs):
            return bucket, 0
        if highs[bucket] == score and self._lasts[bucket] < member:
            bucket = bisect_left(self._lasts, member, bucket, bisect_right(highs, score, bucket))
            if bucket == len(highs):
                return bucket, 0
        scores = self._scores[bucket]
        at = bisect_left(scores, score)
        if scores[at] == score:
            members = self._members[bucket]
            if members[at] < member:
                at = bisect_left(members, member, at + 1, bisect_right(scores, score, at + 1))
        return bucket, at

    def add(self, member: bytes, score: float) -> None:
        """Add a member that is not there. Cost: O(log n)."""
        self._offsets = None
        bucket, at = self._place(member, score)
        if bucket < len(self._highs):
            self._scores[bucket].insert(at, score)
            self._members[bucket].insert(at, member)
        elif bucket:
            bucket -= 1
            self._scores[bucket].append(score)
            self._members[bucket].append(member)
            self._highs[bucket] = score
            self._lasts[bucket] = member
        else:
            self._scores.append([score])
            self._members.append([member])
            self._highs.append(score)
            self._lasts.append(member)
            return
        if len(self._members[bucket]) > _LIMIT:
            self._split(bucket)

    def _split(self, bucket: int) -> None:
        scores, members = self._scores[bucket], self._members[bucket]
        half = len(members) // 2
        self._scores[bucket : bucket + 1] = [scores[:half], scores[half:]]
        self._members[bucket : bucket + 1] = [members[:half], members[half:]]
        self._highs.insert(bucket, scores[half - 1])
        self._lasts.insert(bucket, members[half - 1])

    def remove(self, member: bytes, score: float) -> None:
        """Remove a member that is there with this score. Cost: O(log n)."""
        bucket, at = self._place(member, score)
        members = self._members[bucket]
        if at + 1 < len(members):
            self._offsets = None
            del members[at], self._scores[bucket][at]
        else:
            self._cut(bucket, at, at + 1)

    def _cut(self, bucket: int, start: int, stop: int) -> None:
        """Remove a range of one bucket."""
        self._offsets = None
        scores, members = self._scores[bucket], self._members[bucket]
        last = stop >= len(members)
        del scores[start:stop]
        del members[start:stop]
        if not members:
            del self._scores[bucket], self._members[bucket], self._highs[bucket], self._lasts[bucket]
        elif last:
            self._highs[bucket] = scores[-1]
            self._lasts[bucket] = members[-1]

    def rank(self, member: bytes, score: float) -> int:
        """How many pairs stand before this one, which need not be there. Cost: O(log n)."""
        bucket, at = self._place(member, score)
        return self._starts()[bucket] + at

    def below(self, score: float) -> int:
        """How many members have a smaller score. Cost: O(log n)."""
        bucket = bisect_left(self._highs, score)
        start = self._starts()[bucket]
        return start + bisect_left(self._scores[bucket], score) if bucket < len(self._highs) else start

    def above(self, score: float) -> int:
        """How many members have this score or a smaller one: the rank after them. Cost: O(log n)."""
        bucket = bisect_right(self._highs, score)
        start = self._starts()[bucket]
        return start + bisect_right(self._scores[bucket], score) if bucket < len(self._highs) else start

    def before_member(self, member: bytes) -> int:
        """The rank of the first member >= ``member``, when all scores are equal. Cost: O(log n)."""
        bucket = bisect_left(self._lasts, member)
        start = self._starts()[bucket]
        return start + bisect_left(self._members[bucket], member) if bucket < len(self._lasts) else start

    def after_member(self, member: bytes) -> int:
        """The rank after the last member <= ``member``, when all scores are equal. Cost: O(log n)."""
        bucket = bisect_right(self._lasts, member)
        start = self._starts()[bucket]
        return start + bisect_right(self._members[bucket], member) if bucket < len(self._lasts) else start

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """The buckets that a range of ranks covers, each with the part of it."""
        starts = self._starts()
        bucket = bisect_right(starts, start) - 1
        while start < stop:
            offset, end = starts[bucket], min(starts[bucket + 1], stop)
            yield bucket, start - offset, end - offset
            start, bucket = end, bucket + 1

    def members(self, start: int, stop: int) -> list[bytes]:
        """The members of a range of ranks, as a new list. Cost: O(log n + stop - start)."""
        if start >= stop:
            return []
        starts = self._starts()
        bucket = bisect_right(starts, start) - 1
        if stop <= starts[bucket + 1]:
            offset = starts[bucket]
            return self._members[bucket][start - offset : stop - offset]
        found: list[bytes] = []
        for piece, first, last in self._pieces(start, stop):
            found += self._members[piece][first:last]
        return found

    def pairs(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        """The ``(member, score)`` of a range of ranks. Cost: O(log n + stop - start)."""
        found: list[tuple[bytes, float]] = []
        for piece, first, last in self._pieces(start, stop):
            found += zip(self._members[piece][first:last], self._scores[piece][first:last], strict=True)
        return found

    def remove_range(self, start: int, stop: int) -> None:
        """Remove a range of ranks. Cost: O(log n + stop - start)."""
        for piece, first, last in reversed(list(self._pieces(start, stop))):
            self._cut(piece, first, last)

    def check(self) -> None:
        """Assert every invariant: buckets filled and not too big, their ends known, everything in order."""
        sizes = [len(members) for members in self._members]
        assert all(0 < size <= _LIMIT for size in sizes), sizes
        assert sizes == [len(scores) for scores in self._scores]
        assert self._highs == [scores[-1] for scores in self._scores]
        assert self._lasts == [members[-1] for members in self._members]
        assert self._offsets in (None, list(accumulate(sizes, initial=0)))
        order = [(score, member) for member, score in self]
        assert all(one < other for one, other in pairwise(order))
