"""The native twin of position.lua: where a page by cursor begins, and what lies on its side of that position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from redmodel.procedures.containers import scores_at
from redmodel.procedures.native_select import Program
from redmodel.procedures.registry import Context

Value: TypeAlias = Callable[[bytes], Any]


class Position:
    """After or before what; ``id`` is None at the start and at the end."""

    __slots__ = ("back", "id", "text", "values")

    def __init__(self, program: Program, orders: Sequence[bytes]) -> None:
        way, *words = program.words(1)
        self.back = way == b"b"
        self.id: bytes | None = words.pop() if words else None
        self.values: list[Any] = []
        self.text: bytes | None = None
        for word, kind in zip(words, orders[::3], strict=False):
            self.text = word[1:] if word[:1] == b"=" else None
            value: Any = self.text
            if value is not None and kind not in (b"$", b"@", b"<"):
                try:
                    value = float(value)
                except ValueError:
                    pass
            self.values.append(value)

    def beyond(self, orders: Sequence[bytes], values: Sequence[Value]) -> Callable[[bytes], bool]:
        """Whether a member lies on the side that is asked for; the position itself does not."""
        here, wanted = self.id, self.back
        directions = [(letter in b"dD", letter in b"AD") for letter in orders[2::3]]
        places = list(zip(self.values, values, directions, strict=True))
        last_down = directions[-1][0]

        def beyond(id: bytes) -> bool:
            for value, of, (down, nulls_first) in places:
                other = of(id)
                if value != other:
                    if value is None or other is None:
                        return ((other is None) is nulls_first) is wanted
                    return (other > value if down else other < value) is wanted
            assert here is not None
            return id != here and (id > here if last_down else id < here) is wanted

        return beyond

    def _rank(self, ctx: Context, key: bytes, score: bytes, id: bytes) -> tuple[int, bool]:
        if scores_at(ctx, key).get(id) == float(score):
            return ctx.call(b"ZRANK", key, id), True
        low, high = ctx.call(b"ZCOUNT", key, b"-inf", b"(" + score), ctx.call(b"ZCOUNT", key, b"-inf", score)
        while low < high:
            middle = (low + high) // 2
            if ctx.call(b"ZRANGE", key, b"%d" % middle, b"%d" % middle)[0] < id:
                low = middle + 1
            else:
                high = middle
        return low, False

    def cut(self, ctx: Context, key: bytes, low: int, high: int, up: bool) -> tuple[int, int]:
        """What of the ranks from low to below high of a sorted set lies on the side that is asked for."""
        if self.id is None or self.text is None:
            return low, high
        rank, there = self._rank(ctx, key, self.text, self.id)
        return (max(low, rank + there), high) if up else (low, min(high, rank))

    def spelled(self, values: Sequence[Value], id: bytes) -> list[bytes]:
        """A position as the cursor of a page holds it."""
        words: list[bytes] = []
        for of in values:
            value = of(id)
            words.append(b"-" if value is None else b"=" + (b"%.17g" % value if isinstance(value, float) else value))
        return [*words, id]
