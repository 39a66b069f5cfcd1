"""Which composite index serves a query; and asking without one for as long as it can't answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from redmodel.errors import IndexNotReady
from redmodel.model import And, Compare, Composite, Condition, Order, Schema
from redmodel.plan.core import Plan

R = TypeVar("R")

_BOUNDS = frozenset(("==", "<", "<=", ">", ">="))


class Served(NamedTuple):
    """``by`` which index, the values of its leading fields, the comparisons of the last one, and other conditions."""

    by: Composite
    values: list[object]
    bounds: list[Compare]
    rest: list[Condition]


def serving(composites: Sequence[Composite], conditions: Sequence[Condition], orders: Sequence[Order]) -> Served | None:
    """The index with the most fields of which each leading one is asked for, and the last one bounds or orders."""
    parts: list[Condition] = []
    for condition in conditions:
        parts.extend(condition.conditions if isinstance(condition, And) else (condition,))
    bounded = [part for part in parts if type(part) is Compare and part.op in _BOUNDS and part.value is not None]
    equal = {part.path: part for part in bounded if part.op == "=="}
    paths = {part.path for part in bounded}
    first = orders[0].path if orders and type(orders[0]) is Order else None
    best: Composite | None = None
    for index in composites:
        last = index.last
        # An order alone does not leave those out that lack a value, and these have no place in the index.
        if (last.path in paths or (last.path == first and not last.nullable)) and all(
            part.path in equal for part in index.leading
        ):
            best = index if best is None or len(index.leading) > len(best.leading) else best
    if best is None:
        return None
    used = [equal[part.path] for part in best.leading]
    bounds = [part for part in bounded if part.path == best.last.path]
    taken = {id(part) for part in (*used, *bounds)}
    return Served(best, [part.value for part in used], bounds, [part for part in parts if id(part) not in taken])


def with_or_without(schema: Schema[Any], ask: Callable[[bool], Plan[R]]) -> Plan[R]:
    """Ask, and once more with True, for a program without composite indexes, where one does not hold every record yet.

    Queries that other indexes can answer must not stop while a new one is being filled.
    """
    try:
        return (yield from ask(False))
    except IndexNotReady as error:
        if not any(index.path == error.field for index in schema.composites):
            raise
    return (yield from ask(True))
