"""The native twin of select_words.lua: words by their beginning, words in a row, and the order by BM25."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from heapq import nsmallest

from redmodel.procedures.containers import Ids, hash_at, scores_at, set_at
from redmodel.procedures.native_find import Value, number_of
from redmodel.procedures.native_select import InRange, Node, Program
from redmodel.procedures.native_words import length_of
from redmodel.procedures.registry import Context

LENGTHS = 1 << 24
_END = len(b"~words")


class Beginning:
    """The records that have a word which begins so."""

    __slots__ = ("key", "start")

    def __init__(self, key: bytes, start: bytes) -> None:
        self.key, self.start = key, start

    def words(self, ctx: Context) -> list[dict[bytes, float]]:
        """What is kept of each such word."""
        found = ctx.call(b"ZRANGEBYLEX", self.key, b"[" + self.start, b"[" + self.start + b"\xff")
        return [scores_at(ctx, self.key[:-_END] + word) for word in found]

    def estimate(self, ctx: Context) -> int:
        return sum(map(len, self.words(ctx)))

    def collect(self, ctx: Context) -> Ids:
        found: set[bytes] = set()
        return found.union(*self.words(ctx))

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        words = self.words(ctx)
        return {id for id in ids if any(id in word for word in words)}


class Row:
    """The records of which a text has words in a row."""

    __slots__ = ("found", "key", "universe")

    def __init__(self, key: bytes, gaps: bytes, row: bytes, universe: bytes) -> None:
        self.key, self.universe = key, universe
        self.found: Callable[[bytes], object] = re.compile(row if gaps == b"1" else re.escape(row)).search

    def estimate(self, ctx: Context) -> int:
        return 1 << 62

    def collect(self, ctx: Context) -> Ids:
        return self.keep(ctx, set_at(ctx, self.universe))

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        texts, found = hash_at(ctx, self.key), self.found
        return {id for id in ids if (text := texts.get(id)) is not None and found(text + b" ")}


def _weigher(ctx: Context, texts: bytes, word: dict[bytes, float], weight: float) -> Callable[[float], float]:
    """How much an occurrence counts: a function of the score in the sorted set of a word."""
    held = hash_at(ctx, texts)
    n = max(1, len(held) - 1)
    average = length_of(held.get(b"")) / n
    occurs = min(len(word), n)
    rarity = weight * math.log(1 + (n - occurs + 0.5) / (occurs + 0.5))

    def weigh(score: float) -> float:
        times = (LENGTHS - 1 - score) // LENGTHS
        length = score + times * LENGTHS
        if average <= 0:
            return 0.0  # not so, unless another program has been here
        return rarity * (times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / average)))

    return weigh


def bm25(ctx: Context, keys: list[bytes], source: bytes) -> Value:
    """What an id counts by the words of a search; see select_words.lua."""
    told = source.split()
    words: list[tuple[dict[bytes, float], Callable[[float], float]]] = []
    for n in range(0, len(told), 4):
        kind, first, second, weight = told[n : n + 4]
        key = keys[int(first) - 1]
        if kind == b"w":
            word = scores_at(ctx, keys[int(second) - 1])
            if word:
                words.append((word, _weigher(ctx, key, word, float(weight))))
        else:
            # Of a beginning the weight itself counts, which stands as a score here.
            words.append((dict.fromkeys(Beginning(key, second).collect(ctx), float(weight)), float))

    def value(id: bytes) -> float:
        total = 0.0
        for word, weigh in words:
            score = word.get(id)
            if score is not None:
                total += weigh(score)
        return total

    return value


def beginning(program: Program) -> Beginning:
    """Reads the node of a beginning."""
    return Beginning(program.key(), program.word())


def row(program: Program) -> Row:
    """Reads the node of words in a row."""
    return Row(program.key(), program.word(), program.word(), program.keys[0])


def _candidates(ctx: Context, key: bytes, wanted: int) -> list[bytes]:
    """Those of one word that can be among the best: of each number of occurrences the shortest texts."""
    members: list[bytes] = []
    low = b"-inf"
    while found := ctx.call(b"ZRANGEBYSCORE", key, low, b"+inf", b"LIMIT", b"0", b"1", b"WITHSCORES"):
        first = found[0]
        times = (LENGTHS - 1 - scores_at(ctx, key)[first[0] if isinstance(first, tuple) else first]) // LENGTHS
        high = b"%d" % (LENGTHS - 1 - times * LENGTHS)
        members += ctx.call(b"ZRANGEBYSCORE", key, low, high, b"LIMIT", b"0", b"%d" % wanted)
        low = b"(" + high
    return members


def best_by_bm25(
    ctx: Context, root: Node, keys: list[bytes], source: bytes, direction: bytes, offset: int, limit: int
) -> tuple[list[bytes] | None, int]:
    """The page of those that come first, and the total, without sorting all; None where that can't be."""
    wanted = offset + limit
    if direction[:1] != b"d" or not 1 <= wanted <= 1000:
        return None, 0
    told = source.split()
    found: Iterable[bytes]
    if len(told) == 4 and told[0] == b"w" and direction == b"d@" and isinstance(root, InRange):
        word = keys[int(told[2]) - 1]
        if root.key == word and root.low == b"-inf":
            found, total = _candidates(ctx, word, wanted), len(scores_at(ctx, word))
            return _first(found, bm25(ctx, keys, source), wanted, direction)[offset:], total
    met = root.collect(ctx)
    return _first(met, bm25(ctx, keys, source), wanted, direction)[offset:], len(met)


def _first(ids: Iterable[bytes], value: Value, wanted: int, direction: bytes) -> list[bytes]:
    if direction == b"d%":
        return nsmallest(wanted, ids, key=lambda each: (-value(each), number_of(each) or 0.0, each))
    return nsmallest(wanted, ids, key=lambda each: (-value(each), each))
