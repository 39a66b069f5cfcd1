"""Areas of the earth that are asked for: which cells lie in them, and in which ranges of numbers to look."""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, pi, sin
from typing import NamedTuple, TypeAlias

from redmodel.arithmetic.places import (
    DEGREE,
    RADIUS,
    STEPS,
    distance,
    east_of,
    gather,
    middle,
    north_of,
    place_of,
    rounded,
    spread,
)

MOST = 25
"""Boxes that an area is covered by at most; more would lie closer, and each costs a look."""
_LAST = (1 << STEPS) - 1
_LATITUDE_END = 90.0


class Range(NamedTuple):
    """Numbers from ``low`` to ``high``, both included; ``whole`` says that all their cells lie in the area."""

    low: int
    high: int
    whole: bool


class Box(NamedTuple):
    """Rows and columns of cells, ends included; across the antimeridian where ``west`` is more than ``east``."""

    west: int
    south: int
    east: int
    north: int

    def holds(self, number: int) -> bool:
        """Whether the cell of a number lies in it."""
        east, north = gather(number >> 1), gather(number)
        if not self.south <= north <= self.north:
            return False
        return self.west <= east <= self.east if self.west <= self.east else east >= self.west or east <= self.east

    def holds_all(self, west: int, south: int, east: int, north: int) -> bool:
        """Whether a box that does not cross the antimeridian lies in it."""
        if not (self.south <= south and north <= self.north):
            return False
        return any(first <= west and east <= last for first, last in self.spans())

    def spans(self) -> list[tuple[int, int]]:
        """Its columns from west to east; those of two parts where it crosses the antimeridian."""
        if self.west <= self.east:
            return [(self.west, self.east)]
        return [(self.west, _LAST), (0, self.east)]

    def bounds(self) -> Box:
        """A box around it."""
        return self

    def words(self) -> list[bytes]:
        """How procedures read it."""
        return [b"b", *(b"%d" % end for end in self)]


class Circle(NamedTuple):
    """All that is at most ``radius`` metres from a place; distances are told in whole millimetres."""

    longitude: float
    latitude: float
    radius: float

    def holds(self, number: int) -> bool:
        """Whether the cell of a number lies in it."""
        return rounded(distance(*place_of(number), self.longitude, self.latitude)) <= self.radius

    def holds_all(self, west: int, south: int, east: int, north: int) -> bool:
        """Whether a box lies in it; False also where that is hard to tell."""
        corners = [middle(x, y) for x in (west, east) for y in (south, north)]
        # Further than a quarter of the way around, a box may reach further out than its corners do.
        if corners[2][0] - corners[0][0] > 90.0 or any(_apart(x, self.longitude) > 90.0 for x, _ in corners):
            return False
        return all(distance(*corner, self.longitude, self.latitude) <= self.radius - 0.01 for corner in corners)

    def bounds(self) -> Box:
        """A box around it."""
        reach = (self.radius + 1.0) / RADIUS
        south, north = self.latitude - reach / DEGREE, self.latitude + reach / DEGREE
        bottom, top = north_of(max(south, -85.0511)) if south > -85.0511 else 0, _LAST
        if north < 85.0511:
            top = north_of(north)
        if reach >= pi / 2 or south <= -_LATITUDE_END or north >= _LATITUDE_END:
            return Box(0, bottom, _LAST, top)
        wide = asin(sin(reach) / cos(self.latitude * DEGREE)) / DEGREE
        west, east = self.longitude - wide, self.longitude + wide
        return Box(
            east_of(west if west >= -180.0 else west + 360.0),
            bottom,
            east_of(east if east <= 180.0 else east - 360.0),
            top,
        )

    def words(self) -> list[bytes]:
        """How procedures read it."""
        return [b"c", *(repr(number).encode() for number in self)]


Shape: TypeAlias = Box | Circle


def shape_from(kind: bytes, words: Sequence[bytes]) -> Shape:
    """The shape that ``words()`` spelled."""
    if kind == b"b":
        return Box(*(int(word) for word in words))
    return Circle(*(float(word) for word in words))


def _apart(longitude: float, other: float) -> float:
    found = abs(longitude - other)
    return min(found, 360.0 - found)


def ranges(shape: Shape) -> list[Range]:
    """The numbers to look among for all that lies in a shape, in order. Cost: some microseconds for each of 25 boxes.

    >>> ranges(Box(2, 2, 3, 3))
    [Range(low=12, high=15, whole=True)]
    """
    box = shape.bounds()
    spans = box.spans()
    shift = 0
    while (
        sum(((e >> shift) - (w >> shift) + 1) for w, e in spans) * ((box.north >> shift) - (box.south >> shift) + 1)
        > MOST
    ):
        shift += 1
    rows = range(box.south >> shift, (box.north >> shift) + 1)
    columns = {x for west, east in spans for x in range(west >> shift, (east >> shift) + 1)}
    size = (1 << shift) - 1
    found: list[Range] = []
    for low, x, y in sorted((spread(y) | spread(x) << 1, x, y) for x in columns for y in rows):
        west, south = x << shift, y << shift
        whole = shape.holds_all(west, south, west + size, south + size)
        first, last = low << 2 * shift, (low + 1 << 2 * shift) - 1
        if found and found[-1].high + 1 == first and found[-1].whole == whole:
            found[-1] = Range(found[-1].low, last, whole)
        else:
            found.append(Range(first, last, whole))
    return found
