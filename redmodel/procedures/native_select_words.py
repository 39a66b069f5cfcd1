"""The native twin of select_words.lua: words by their beginning, words in a row, and the order by BM25."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from redmodel.procedures.containers import Ids, hash_at, scores_at, set_at
from redmodel.procedures.native_find import Value
from redmodel.procedures.native_select import Program
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
    n = len(held) - 1
    average = int(held.get(b"", b"0")) / n if n > 0 else math.nan
    occurs = min(len(word), n)
    rarity = weight * math.log(1 + (n - occurs + 0.5) / (occurs + 0.5))

    def weigh(score: float) -> float:
        times = (LENGTHS - 1 - score) // LENGTHS
        length = score + times * LENGTHS
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
