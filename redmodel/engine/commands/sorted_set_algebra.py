"""Union, intersection and difference of sorted sets; plain sets count as sorted sets whose scores are all 1."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import TypeAlias

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, double, integer, integer_between
from redmodel.engine.commands.sorted_set_ranges import store
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Pairs, Reply
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.errors import ReplyError

TABLE = Table(
    ("ZUNION", -3, "readonly movablekeys", (0, 0, 0)),
    ("ZINTER", -3, "readonly movablekeys", (0, 0, 0)),
    ("ZDIFF", -3, "readonly movablekeys", (0, 0, 0)),
    ("ZUNIONSTORE", -4, "write denyoom movablekeys", (1, 1, 1)),
    ("ZINTERSTORE", -4, "write denyoom movablekeys", (1, 1, 1)),
    ("ZDIFFSTORE", -4, "write denyoom movablekeys", (1, 1, 1)),
    ("ZINTERCARD", -3, "readonly movablekeys", (0, 0, 0)),
)


def _sum(one: float, other: float) -> float:
    total = one + other
    return 0.0 if isnan(total) else total


def _least(one: float, other: float) -> float:
    return min(one, other)


def _most(one: float, other: float) -> float:
    return max(one, other)


_Aggregate: TypeAlias = Callable[[float, float], float]
_AGGREGATES: dict[bytes, _Aggregate] = {b"SUM": _sum, b"MIN": _least, b"MAX": _most}


class _Wish:
    """The sources of one command with their weights, and its options."""

    __slots__ = ("aggregate", "limit", "sources", "weights", "with_scores")

    def __init__(self, sources: list[dict[bytes, float]]) -> None:
        self.sources = sources
        self.weights = [1.0] * len(sources)
        self.aggregate: _Aggregate = _sum
        self.limit = 0
        self.with_scores = False


def _scores(context: Context, key: bytes) -> dict[bytes, float]:
    value = context.find(key)
    if value is None:
        return {}
    if type(value) is SortedSet:
        return value.scores
    if type(value) is set:
        return dict.fromkeys(value, 1.0)
    raise texts.wrong_type()


def _read(context: Context, args: Args, at: int, name: str, allowed: str) -> _Wish:
    """Read ``numkeys key … options`` from ``at``; ``allowed`` names the options that this command takes."""
    number = integer(args[at])
    if number < 1:
        raise ReplyError(f"ERR at least 1 input key is needed for '{name}' command")
    if number > len(args) - at - 1:
        raise texts.syntax()
    wish = _Wish([_scores(context, key) for key in args[at + 1 : at + 1 + number]])
    at += 1 + number
    while at < len(args):
        option = args[at].decode("latin-1").upper()
        left = len(args) - at - 1
        if option not in allowed.split():
            raise texts.syntax()
        if option == "WEIGHTS" and left >= number:
            wish.weights = [double(text, texts.WEIGHT_NOT_A_FLOAT) for text in args[at + 1 : at + 1 + number]]
            at += number
        elif option == "AGGREGATE" and left and args[at + 1].upper() in _AGGREGATES:
            wish.aggregate = _AGGREGATES[args[at + 1].upper()]
            at += 1
        elif option == "LIMIT" and left:
            wish.limit = integer_between(args[at + 1], 0, INT_MAX, texts.LIMIT_NEGATIVE)
            at += 1
        elif option == "WITHSCORES":
            wish.with_scores = True
        else:
            raise texts.syntax()
        at += 1
    return wish


def _weighted(score: float, weight: float) -> float:
    value = score * weight
    return 0.0 if isnan(value) else value


def _by_size(wish: _Wish) -> list[tuple[dict[bytes, float], float]]:
    # Redis joins the smallest first, which shows in the last digits of sums.
    return sorted(zip(wish.sources, wish.weights, strict=True), key=lambda source: len(source[0]))


def _union(wish: _Wish) -> dict[bytes, float]:
    aggregate = wish.aggregate
    result: dict[bytes, float] = {}
    for source, weight in _by_size(wish):
        for member, score in source.items():
            value = _weighted(score, weight)
            result[member] = aggregate(result[member], value) if member in result else value
    return result


def _common(sources: list[dict[bytes, float]]) -> set[bytes]:
    first, *others = sources
    return set(first).intersection(*others)


def _intersection(wish: _Wish) -> dict[bytes, float]:
    aggregate = wish.aggregate
    (first, first_weight), *others = _by_size(wish)
    result: dict[bytes, float] = {}
    for member in _common([first, *(source for source, _ in others)]):
        value = _weighted(first[member], first_weight)
        for source, weight in others:
            value = aggregate(value, source[member] * weight)
        result[member] = value
    return result


def _difference(wish: _Wish) -> dict[bytes, float]:
    first, *others = wish.sources
    left = first.keys() - set[bytes]().union(*others)
    return {member: first[member] for member in left}


def _answer(wish: _Wish, scores: dict[bytes, float]) -> Reply:
    zset = SortedSet(scores)
    if wish.with_scores:
        return Pairs(zset.pairs(0, len(zset)))
    return zset.members(0, len(zset))


@TABLE.handles("ZUNION")
def zunion(context: Context, args: Args) -> Reply:
    wish = _read(context, args, 1, "zunion", "WEIGHTS AGGREGATE WITHSCORES")
    return _answer(wish, _union(wish))


@TABLE.handles("ZINTER")
def zinter(context: Context, args: Args) -> Reply:
    wish = _read(context, args, 1, "zinter", "WEIGHTS AGGREGATE WITHSCORES")
    return _answer(wish, _intersection(wish))


@TABLE.handles("ZDIFF")
def zdiff(context: Context, args: Args) -> Reply:
    wish = _read(context, args, 1, "zdiff", "WITHSCORES")
    return _answer(wish, _difference(wish))


@TABLE.handles("ZUNIONSTORE")
def zunionstore(context: Context, args: Args) -> Reply:
    return store(context, args[1], _union(_read(context, args, 2, "zunionstore", "WEIGHTS AGGREGATE")), b"zunionstore")


@TABLE.handles("ZINTERSTORE")
def zinterstore(context: Context, args: Args) -> Reply:
    scores = _intersection(_read(context, args, 2, "zinterstore", "WEIGHTS AGGREGATE"))
    return store(context, args[1], scores, b"zinterstore")


@TABLE.handles("ZDIFFSTORE")
def zdiffstore(context: Context, args: Args) -> Reply:
    return store(context, args[1], _difference(_read(context, args, 2, "zdiffstore", "")), b"zdiffstore")


@TABLE.handles("ZINTERCARD")
def zintercard(context: Context, args: Args) -> Reply:
    wish = _read(context, args, 1, "zintercard", "LIMIT")
    common = len(_common(sorted(wish.sources, key=len)))
    return min(common, wish.limit) if wish.limit else common
