"""Commands on ranges of a sorted set: by rank, by score, by member."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from redmodel.engine import texts
from redmodel.engine.arguments import integer, strtod
from redmodel.engine.context import Context
from redmodel.engine.conversions import shrink_sorted_set
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Pairs, Reply
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.errors import ReplyError

TABLE = Table(
    ("ZRANGE", -4, "readonly", (1, 1, 1)),
    ("ZRANGESTORE", -5, "write denyoom", (1, 2, 1)),
    ("ZRANGEBYSCORE", -4, "readonly", (1, 1, 1)),
    ("ZRANGEBYLEX", -4, "readonly", (1, 1, 1)),
    ("ZREVRANGE", -4, "readonly", (1, 1, 1)),
    ("ZREVRANGEBYSCORE", -4, "readonly", (1, 1, 1)),
    ("ZREVRANGEBYLEX", -4, "readonly", (1, 1, 1)),
    ("ZCOUNT", 4, "readonly fast", (1, 1, 1)),
    ("ZLEXCOUNT", 4, "readonly fast", (1, 1, 1)),
    ("ZREMRANGEBYRANK", 4, "write", (1, 1, 1)),
    ("ZREMRANGEBYSCORE", 4, "write", (1, 1, 1)),
    ("ZREMRANGEBYLEX", 4, "write", (1, 1, 1)),
)


_ScoreBound: TypeAlias = tuple[float, bool]
"""One end of a range by score, and whether it is exclusive."""

_MemberBound: TypeAlias = tuple[bytes, bool, int]
"""One end of a range by member, whether it is exclusive, and -1 for ``-``, 1 for ``+``."""


def _score_bound(text: bytes) -> _ScoreBound:
    if text.isdigit() and len(text) < 300:
        return float(text), False
    exclusive = text[:1] == b"("
    # Redis hands the rest to strtod as a C string: an empty one is 0, leading space is skipped, NUL ends it.
    digits = text[exclusive:].partition(b"\0")[0]
    if digits[-1:].isspace():
        raise ReplyError(texts.MIN_MAX_FLOAT)
    score = strtod(digits) if digits else 0.0
    if score is None:
        raise ReplyError(texts.MIN_MAX_FLOAT)
    return score, exclusive


def _member_bound(text: bytes) -> _MemberBound:
    if text in (b"-", b"+"):
        return b"", False, 1 if text == b"+" else -1
    if text[:1] not in (b"(", b"["):
        raise ReplyError(texts.MIN_MAX_LEX)
    return text[1:], text[:1] == b"(", 0


def _score_ranks(zset: SortedSet, low: _ScoreBound, high: _ScoreBound) -> tuple[int, int]:
    start = zset.above(low[0]) if low[1] else zset.below(low[0])
    stop = zset.below(high[0]) if high[1] else zset.above(high[0])
    return (start, stop) if start < stop else (0, 0)


def _member_ranks(zset: SortedSet, low: _MemberBound, high: _MemberBound) -> tuple[int, int]:
    size = len(zset)
    if low[2] > 0 or high[2] < 0:
        return 0, 0
    if not zset.one_score():
        return _walked_ranks(zset, low, high)
    start, stop = 0, size
    if not low[2]:
        start = zset.after_member(low[0]) if low[1] else zset.before_member(low[0])
    if not high[2]:
        stop = zset.before_member(high[0]) if high[1] else zset.after_member(high[0])
    return (start, stop) if start < stop else (0, 0)


def _walked_ranks(zset: SortedSet, low: _MemberBound, high: _MemberBound) -> tuple[int, int]:
    # Redis leaves open what a range by member is when scores differ; this is what walking its small encoding gives.
    def at_least(member: bytes) -> bool:
        return low[2] != 0 or (member > low[0] if low[1] else member >= low[0])

    def at_most(member: bytes) -> bool:
        return high[2] != 0 or (member < high[0] if high[1] else member <= high[0])

    members = zset.members(0, len(zset))
    if not at_least(members[-1]) or not at_most(members[0]):
        return 0, 0
    start = next(rank for rank, member in enumerate(members) if at_least(member))
    stop = start
    while stop < len(members) and at_most(members[stop]):
        stop += 1
    return start, stop


def _rank_ranks(zset: SortedSet, start: int, end: int, *, reverse: bool) -> tuple[int, int]:
    """Turn Redis' inclusive ranks, of which negative ones count from the end, into a half-open range."""
    size = len(zset)
    start = max(start + size, 0) if start < 0 else start
    stop = min((end + size if end < 0 else end) + 1, size)
    if start >= stop:
        return 0, 0
    return (size - stop, size - start) if reverse else (start, stop)


class _Range:
    """A range as a command's arguments describe it; `ranks` finds it in a sorted set."""

    __slots__ = ("by", "count", "find", "offset", "reverse", "with_scores")

    def __init__(self, by: bytes, *, reverse: bool) -> None:
        self.by = by
        self.reverse = reverse
        self.offset = 0
        self.count = -1
        self.with_scores = False
        self.find: Callable[[SortedSet], tuple[int, int]]

    def read_bounds(self, low: bytes, high: bytes) -> None:
        """Read the two ends; LIMIT and REV must be known."""
        if not self.by:
            self.find = partial(_rank_ranks, start=integer(low), end=integer(high), reverse=self.reverse)
            return
        if self.reverse:
            low, high = high, low
        if self.by == b"BYSCORE":
            self.find = partial(_score_ranks, low=_score_bound(low), high=_score_bound(high))
        else:
            self.find = partial(_member_ranks, low=_member_bound(low), high=_member_bound(high))

    def ranks(self, zset: SortedSet) -> tuple[int, int]:
        """The ranks, half-open and counted from the lowest, after LIMIT."""
        start, stop = self.find(zset)
        if self.by and (self.offset or self.count >= 0):
            if self.offset < 0:
                return 0, 0
            length = max(stop - start - self.offset, 0)
            if self.count >= 0:
                length = min(length, self.count)
            start = stop - self.offset - length if self.reverse else start + self.offset
            stop = start + length
        return start, stop


def _read(args: Args, at: int, by: bytes | None, reverse: bool | None, *, store: bool = False) -> _Range:
    """Read bounds at ``at`` and the options after them; ``by`` and ``reverse`` are None where options say them."""
    wanted = _Range(by or b"", reverse=bool(reverse))
    place = at + 2
    limited = False
    while place < len(args):
        option = args[place].upper()
        if option == b"WITHSCORES" and not store:
            wanted.with_scores = True
        elif option == b"LIMIT" and place + 2 < len(args):
            wanted.offset, wanted.count = integer(args[place + 1]), integer(args[place + 2])
            limited = wanted.count != -1
            place += 2
        elif option == b"REV" and reverse is None and not wanted.reverse:
            wanted.reverse = True
        elif option in (b"BYSCORE", b"BYLEX") and by is None and not wanted.by:
            wanted.by = option
        else:
            raise texts.syntax()
        place += 1
    if limited and not wanted.by:
        raise ReplyError(texts.LIMIT_ALONE)
    if wanted.with_scores and wanted.by == b"BYLEX":
        raise ReplyError(texts.WITHSCORES_BYLEX)
    wanted.read_bounds(args[at], args[at + 1])
    return wanted


def _answer(context: Context, args: Args, by: bytes | None, reverse: bool | None) -> Reply:
    wanted = _read(args, 2, by, reverse)
    zset = context.sorted_set_at(args[1])
    if zset is None:
        return Pairs() if wanted.with_scores else []
    start, stop = wanted.ranks(zset)
    if wanted.with_scores:
        return Pairs(zset.pairs(start, stop, reverse=wanted.reverse))
    return zset.members(start, stop, reverse=wanted.reverse)


@TABLE.handles("ZRANGE")
def zrange(context: Context, args: Args) -> Reply:
    if len(args) == 4:
        start, end = integer(args[2]), integer(args[3])
        zset = context.sorted_set_at(args[1])
        return [] if zset is None else zset.members(*_rank_ranks(zset, start, end, reverse=False))
    return _answer(context, args, None, None)


@TABLE.handles("ZREVRANGE")
def zrevrange(context: Context, args: Args) -> Reply:
    return _answer(context, args, b"", True)


@TABLE.handles("ZRANGEBYSCORE")
def zrangebyscore(context: Context, args: Args) -> Reply:
    if len(args) > 4:
        return _answer(context, args, b"BYSCORE", False)
    low, high = _score_bound(args[2]), _score_bound(args[3])
    zset = context.sorted_set_at(args[1])
    return [] if zset is None else zset.members(*_score_ranks(zset, low, high))


@TABLE.handles("ZREVRANGEBYSCORE")
def zrevrangebyscore(context: Context, args: Args) -> Reply:
    return _answer(context, args, b"BYSCORE", True)


@TABLE.handles("ZRANGEBYLEX")
def zrangebylex(context: Context, args: Args) -> Reply:
    return _answer(context, args, b"BYLEX", False)


@TABLE.handles("ZREVRANGEBYLEX")
def zrevrangebylex(context: Context, args: Args) -> Reply:
    return _answer(context, args, b"BYLEX", True)


@TABLE.handles("ZRANGESTORE")
def zrangestore(context: Context, args: Args) -> Reply:
    wanted = _read(args, 3, None, None, store=True)
    zset = context.sorted_set_at(args[2])
    found: list[tuple[bytes, float]] = [] if zset is None else zset.pairs(*wanted.ranks(zset))
    return store(context, args[1], dict(found), b"zrangestore")


def store(context: Context, key: bytes, scores: dict[bytes, float], event: bytes) -> int:
    """Put a new sorted set at a key, or remove the key if there are no members; return how many there are."""
    if scores:
        # Adding 0.0 turns -0.0 into the 0 that Redis keeps.
        context.find(key)
        context.put(key, SortedSet({member: score + 0.0 for member, score in scores.items()}))
        context.touch(key, event)
    elif context.find(key) is not None:
        context.database.remove(key)
        context.touch(key, b"del")
    return len(scores)


@TABLE.handles("ZCOUNT")
def zcount(context: Context, args: Args) -> Reply:
    low, high = _score_bound(args[2]), _score_bound(args[3])
    zset = context.sorted_set_at(args[1])
    if zset is None:
        return 0
    start, stop = _score_ranks(zset, low, high)
    return stop - start


@TABLE.handles("ZLEXCOUNT")
def zlexcount(context: Context, args: Args) -> Reply:
    low, high = _member_bound(args[2]), _member_bound(args[3])
    zset = context.sorted_set_at(args[1])
    if zset is None:
        return 0
    start, stop = _member_ranks(zset, low, high)
    return stop - start


def _remove(context: Context, args: Args, by: bytes) -> int:
    wanted = _Range(by, reverse=False)
    wanted.read_bounds(args[2], args[3])
    zset = context.sorted_set_at(args[1])
    if zset is None:
        return 0
    size = len(zset)
    found = zset.discard_ranks(*wanted.ranks(zset))
    gone = len(found)
    if gone:
        shrink_sorted_set(context, args[1], size, (member for member, _ in found))
        if not zset.scores:
            context.database.remove(args[1])
        context.touch(args[1], args[0].lower())
    return gone


@TABLE.handles("ZREMRANGEBYRANK")
def zremrangebyrank(context: Context, args: Args) -> Reply:
    return _remove(context, args, b"")


@TABLE.handles("ZREMRANGEBYSCORE")
def zremrangebyscore(context: Context, args: Args) -> Reply:
    return _remove(context, args, b"BYSCORE")


@TABLE.handles("ZREMRANGEBYLEX")
def zremrangebylex(context: Context, args: Args) -> Reply:
    return _remove(context, args, b"BYLEX")
