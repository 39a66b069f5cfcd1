"""Commands on single members of sorted sets, and those that pop; ranges and algebra have files of their own."""

from __future__ import annotations

from math import isnan
from random import randrange
from typing import cast

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, double, integer, integer_between, keys_side_count
from redmodel.engine.commands.hashes import check_sample, sampled
from redmodel.engine.context import Context
from redmodel.engine.conversions import shrink_sorted_set
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Pairs, Reply
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.errors import ReplyError

TABLE = Table(
    ("ZADD", -4, "write denyoom fast", (1, 1, 1)),
    ("ZINCRBY", 4, "write denyoom fast", (1, 1, 1)),
    ("ZREM", -3, "write fast", (1, 1, 1)),
    ("ZCARD", 2, "readonly fast", (1, 1, 1)),
    ("ZSCORE", 3, "readonly fast", (1, 1, 1)),
    ("ZMSCORE", -3, "readonly fast", (1, 1, 1)),
    ("ZRANK", 3, "readonly fast", (1, 1, 1)),
    ("ZREVRANK", 3, "readonly fast", (1, 1, 1)),
    ("ZRANDMEMBER", -2, "readonly", (1, 1, 1)),
    ("ZPOPMIN", -2, "write fast", (1, 1, 1)),
    ("ZPOPMAX", -2, "write fast", (1, 1, 1)),
    ("ZMPOP", -4, "write movablekeys nil_array", (0, 0, 0)),
)

_ZADD_OPTIONS = frozenset((b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"))
_NO_OPTIONS = frozenset[bytes]()


@TABLE.handles("ZADD")
def zadd(context: Context, args: Args) -> Reply:
    if len(args) == 4 and args[2].isdigit() and len(args[2]) < 300:
        return _zadd_one(context, args[1], float(args[2]), args[3])
    at = 2
    while at < len(args) and args[at].upper() in _ZADD_OPTIONS:
        at += 1
    options = _NO_OPTIONS if at == 2 else frozenset(option.upper() for option in args[2:at])
    if at == len(args) or (len(args) - at) % 2:
        raise texts.syntax()
    if options:
        _check_zadd(options, (len(args) - at) // 2)
    scores = [double(text) for text in args[at::2]]
    return _zadd(context, args[1], options, scores, args[at + 1 :: 2])


def _zadd_one(context: Context, key: bytes, score: float, member: bytes) -> int:
    zset = context.sorted_set_at(key)
    if zset is None:
        context.notify(b"new", key)
        zset = context.database.values[key] = SortedSet()
    old = zset.scores.get(member)
    if old != score:
        zset.add(member, score)
        context.touch(key, b"zadd")
    return int(old is None)


def _check_zadd(options: frozenset[bytes], pairs: int) -> None:
    if {b"NX", b"XX"} <= options:
        raise ReplyError(texts.ZADD_NX_XX)
    if len(options & {b"NX", b"GT", b"LT"}) > 1:
        raise ReplyError(texts.ZADD_NX_GT_LT)
    if b"INCR" in options and pairs > 1:
        raise ReplyError(texts.ZADD_INCR_PAIR)


@TABLE.handles("ZINCRBY")
def zincrby(context: Context, args: Args) -> Reply:
    return _zadd(context, args[1], frozenset((b"INCR",)), [double(args[2])], args[3:])


def _zadd(context: Context, key: bytes, options: frozenset[bytes], scores: list[float], members: Args) -> Reply:
    zset = context.sorted_set_at(key)
    if zset is None:
        if b"XX" in options:
            return None if b"INCR" in options else 0
        context.notify(b"new", key)
        zset = context.database.values[key] = SortedSet()
    current = zset.scores
    if not options:
        before, changed = len(current), False
        for score, member in zip(scores, members, strict=True):
            if current.get(member) != score:
                zset.add(member, score)
                changed = True
        if changed:
            context.touch(key, b"zadd")
        return len(current) - before

    added = updated = 0
    answer: float | None = None
    for score, member in zip(scores, members, strict=True):
        old = current.get(member)
        wanted = _wanted_score(options, old, score)
        if wanted is None:
            continue
        answer = wanted
        if old is None:
            added += 1
            zset.add(member, wanted)
        elif old != wanted:
            updated += 1
            zset.add(member, wanted)
    if added or updated:
        context.touch(key, b"zincr" if b"INCR" in options else b"zadd")
    if b"INCR" in options:
        return answer
    return added + updated if b"CH" in options else added


def _wanted_score(options: frozenset[bytes], old: float | None, score: float) -> float | None:
    """The score that a member shall have under ZADD's options; None if they leave it as it is."""
    if old is None:
        return None if b"XX" in options else score
    if b"NX" in options:
        return None
    if b"INCR" in options:
        score += old
        if isnan(score):
            raise ReplyError(texts.SCORE_NAN)
    if (b"LT" in options and score >= old) or (b"GT" in options and score <= old):
        return None
    return score


@TABLE.handles("ZREM")
def zrem(context: Context, args: Args) -> Reply:
    key = args[1]
    zset = context.sorted_set_at(key)
    if zset is None:
        return 0
    shrink_sorted_set(context, key, len(zset), filter(zset.scores.__contains__, args[2:]))
    gone = sum(map(zset.discard, args[2:]))
    if gone:
        if not zset.scores:
            context.database.remove(key)
        context.touch(key, b"zrem")
    return gone


@TABLE.handles("ZCARD")
def zcard(context: Context, args: Args) -> Reply:
    return len(context.sorted_set_at(args[1]) or ())


@TABLE.handles("ZSCORE")
def zscore(context: Context, args: Args) -> Reply:
    zset = context.sorted_set_at(args[1])
    return None if zset is None else zset.scores.get(args[2])


@TABLE.handles("ZMSCORE")
def zmscore(context: Context, args: Args) -> Reply:
    zset = context.sorted_set_at(args[1])
    if zset is None:
        return [None] * (len(args) - 2)
    return list(map(zset.scores.get, args[2:]))


@TABLE.handles("ZRANK")
def zrank(context: Context, args: Args) -> Reply:
    zset = context.sorted_set_at(args[1])
    return None if zset is None else zset.rank(args[2])


@TABLE.handles("ZREVRANK")
def zrevrank(context: Context, args: Args) -> Reply:
    zset = context.sorted_set_at(args[1])
    rank = None if zset is None else zset.rank(args[2])
    return None if zset is None or rank is None else len(zset) - 1 - rank


@TABLE.handles("ZRANDMEMBER")
def zrandmember(context: Context, args: Args) -> Reply:
    if len(args) == 2:
        zset = context.sorted_set_at(args[1])
        return zset.at(randrange(len(zset)))[0] if zset else None
    count = integer(args[2])
    if len(args) > 4 or (len(args) == 4 and args[3].upper() != b"WITHSCORES"):
        raise texts.syntax()
    check_sample(count, with_values=len(args) == 4)
    zset = context.sorted_set_at(args[1])
    if zset is None:
        return Pairs() if len(args) == 4 else []
    chosen = sampled(list(zset), count)
    if len(args) == 4:
        return Pairs((member, zset.scores[member]) for member in chosen)
    return chosen


def pop(context: Context, key: bytes, zset: SortedSet, count: int, *, highest: bool) -> Pairs:
    size = len(zset)
    count = min(count, size)
    gone = zset.discard_ranks(size - count, size) if highest else zset.discard_ranks(0, count)
    shrink_sorted_set(context, key, size, (member for member, _ in gone))
    if highest:
        gone.reverse()
    if not zset.scores:
        context.database.remove(key)
    context.touch(key, b"zpopmax" if highest else b"zpopmin")
    return Pairs(gone)


def _zpop(context: Context, args: Args, *, highest: bool) -> Reply:
    if len(args) > 3:
        raise texts.syntax()
    count = integer_between(args[2], 0, INT_MAX, texts.NOT_POSITIVE) if len(args) == 3 else None
    zset = context.sorted_set_at(args[1])
    if zset is None or count == 0:
        return []
    found = pop(context, args[1], zset, 1 if count is None else count, highest=highest)
    return list(found[0]) if count is None else found


@TABLE.handles("ZPOPMIN")
def zpopmin(context: Context, args: Args) -> Reply:
    return _zpop(context, args, highest=False)


@TABLE.handles("ZPOPMAX")
def zpopmax(context: Context, args: Args) -> Reply:
    return _zpop(context, args, highest=True)


@TABLE.handles("ZMPOP")
def zmpop(context: Context, args: Args) -> Reply:
    keys, where, count = keys_side_count(args, (b"MIN", b"MAX"))
    for key in keys:
        zset = context.sorted_set_at(key)
        if zset is not None:
            found = pop(context, key, zset, count, highest=where == b"MAX")
            context.effect(b"ZPOP" + where, key, b"%d" % len(found))
            return [key, [list(cast("tuple[bytes, float]", pair)) for pair in found]]
    return None
