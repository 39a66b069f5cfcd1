"""Whether a record meets a condition, decided in Python by the very rules of the indexes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from redmodel.errors import QueryError
from redmodel.model.base import Model, schema_of
from redmodel.model.expressions import And, Compare, Condition, Not, Or
from redmodel.model.indexes import Index
from redmodel.model.schema import Schema

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(condition: Condition, obj: Model) -> bool:
    """Whether a record meets a condition; the answer is the one that the indexes give.

    Values are compared exactly, also where an index holds a hash. None equals None and is neither above nor below
    anything; ``!=`` and ``~`` are complements, so they hold for records without a value. Of a collection, one item decides.
    Raises UnindexedField or QueryError as a query would.
    """
    return _meets(condition, obj, schema_of(obj))


def _meets(condition: Condition, obj: Model, schema: Schema[Any]) -> bool:
    if isinstance(condition, And):
        return all(_meets(part, obj, schema) for part in condition.conditions)
    if isinstance(condition, Or):
        return any(_meets(part, obj, schema) for part in condition.conditions)
    if isinstance(condition, Not):
        return not _meets(condition.condition, obj, schema)
    if isinstance(condition, Compare):
        return _compare(condition, obj, schema.index(condition.path))
    raise QueryError(f"find() takes conditions such as User.age >= 18, not {type(condition).__name__}.")


def _compare(compare: Compare, obj: Model, index: Index) -> bool:
    if compare.op == "!=":
        return not _equals(index, obj, (compare.value,))
    if compare.op == "==":
        return _equals(index, obj, (compare.value,))
    if compare.op == "in":
        return _equals(index, obj, tuple(compare.value))  # type: ignore[arg-type]
    index.score(compare.value)  # refuses what has no order
    bound = index.number(index.read(compare.value))
    holds = _ORDER[compare.op]
    return any(value is not None and holds(index.number(value), bound) for value in index.values(obj))


def _equals(index: Index, obj: Model, wanted: tuple[object, ...]) -> bool:
    texts = {None if value is None else index.text(index.read(value)) for value in wanted}
    return any((None if value is None else index.text(value)) in texts for value in index.values(obj))
