"""The native twin of select_places.lua: which records lie in a shape, and how far they are from a place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from redmodel.arithmetic.places import distance, place_of, rounded
from redmodel.arithmetic.shapes import Shape, shape_from
from redmodel.procedures.containers import Ids, scores_at
from redmodel.procedures.registry import Context

if TYPE_CHECKING:
    from redmodel.procedures.native_select import Program


class InShape:
    """The members of a sorted set of places that lie in a shape."""

    __slots__ = ("key", "ranges", "shape")

    def __init__(self, program: Program) -> None:
        self.key = program.key()
        words = program.words(3)
        self.ranges = [(words[at], words[at + 1], words[at + 2] == b"1") for at in range(0, len(words), 3)]
        kind = program.word()
        self.shape: Shape = shape_from(kind, [program.word() for _ in range(4 if kind == b"b" else 3)])

    def estimate(self, ctx: Context) -> int:
        return 4 * sum(int(ctx.call(b"ZCOUNT", self.key, low, high)) for low, high, _ in self.ranges)

    def collect(self, ctx: Context) -> Ids:
        found: set[bytes] = set()
        holds = self.shape.holds
        score = scores_at(ctx, self.key).__getitem__
        for low, high, whole in self.ranges:
            ids: list[bytes] = ctx.call(b"ZRANGEBYSCORE", self.key, low, high)
            found.update(ids if whole else (id for id in ids if holds(int(score(id)))))
        return found

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        holds = self.shape.holds
        score = scores_at(ctx, self.key).get
        return {id for id in ids if (found := score(id)) is not None and holds(int(found))}


def by_distance(ctx: Context, keys: list[bytes], source: bytes) -> Callable[[bytes], float | None]:
    """From an id to the metres between its place and another."""
    place, *numbers = source.split(b" ")
    longitude, latitude = (float(number) for number in numbers)
    score = scores_at(ctx, keys[int(place) - 1]).get

    def metres(id: bytes) -> float | None:
        found = score(id)
        return None if found is None else rounded(distance(*place_of(found), longitude, latitude))

    return metres
