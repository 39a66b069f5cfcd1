"""The words of a query's program that ask for places: conditions by shape, and the order by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redmodel.arithmetic.shapes import ranges
from redmodel.errors import QueryError
from redmodel.model import Distance, Index, Inside

if TYPE_CHECKING:
    from redmodel.plan.program import Program


def inside(program: Program, condition: Inside) -> list[bytes]:
    """The node of a condition: ``o``, the sorted set, the ranges of scores to look among, the shape."""
    place = program.place(_index(program, condition.path))
    found = ranges(condition.shape)
    words = [b"o", place, b"%d" % len(found)]
    for low, high, whole in found:
        words += (b"%d" % low, b"%d" % high, b"1" if whole else b"0")
    return words + condition.shape.words()


def by_distance(program: Program, order: Distance) -> tuple[bytes, bytes]:
    """The kind and the source of the order by distance."""
    place = program.place(_index(program, order.path))
    return b"o", b" ".join((place, repr(order.lon).encode(), repr(order.lat).encode()))


def _index(program: Program, path: str) -> Index:
    index = program.schema.index(path)
    if index.kind != "geo":
        raise QueryError(f"{program.schema.name}.{path} holds no places: declare it as Geo[Point]")
    program.use(index)
    return index
