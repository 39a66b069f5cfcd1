"""Whether a record meets a condition, decided in Python by the very rules of the indexes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, cast

from redmodel.errors import QueryError
from redmodel.model.base import Model, schema_of
from redmodel.model.expressions import And, Compare, Condition, FieldCondition, Not, Or, Through
from redmodel.model.indexes import Index
from redmodel.model.schema import Schema

Test: TypeAlias = Callable[[Any], bool]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(condition: Condition, obj: Model) -> bool:
    """Whether a record meets a condition; the answer is the one that the indexes give.

    Values are compared exactly, also where an index holds a hash. None equals None and is neither above nor below
    anything; ``!=`` and ``~`` are complements, so they hold for records without a value. Of a collection, one item
    decides.
    A condition through a reference needs what it leads to: NotLoaded unless that was loaded.
    Raises UnindexedField or QueryError as a query would.
    """
    return matcher((condition,), schema_of(obj), None)(obj)


def matcher(conditions: Sequence[Condition], schema: Schema[Any], assumed: bool | None = True) -> Test:
    """The test of all conditions at once, made ready for many records: the values asked for are read only here.

    ``assumed`` is what is taken for the answer of conditions through references, which the record alone can't tell;
    None follows them, which needs links that are loaded.
    """
    tests = [_test(condition, schema, assumed) for condition in conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda obj: all([test(obj) for test in tests])  # noqa: C419 - a list is faster


def _test(condition: Condition, schema: Schema[Any], assumed: bool | None) -> Test:
    if isinstance(condition, And):
        return matcher(condition.conditions, schema, assumed)
    if isinstance(condition, Or):
        either = [_test(part, schema, assumed) for part in condition.conditions]
        return lambda obj: any([test(obj) for test in either])  # noqa: C419
    if isinstance(condition, Not):
        # What is in doubt is in favour of the record, also where it is negated.
        inner = _test(condition.condition, schema, None if assumed is None else not assumed)
        return lambda obj: not inner(obj)
    if isinstance(condition, Through):
        if assumed is not None:
            return lambda _: assumed
        return _follow(condition, schema.index(condition.path))
    if isinstance(condition, Compare):
        return _compare(condition, schema.index(condition.path))
    if isinstance(condition, FieldCondition):
        return condition.test(schema.index)
    raise QueryError(f"find() takes conditions such as User.age >= 18, not {type(condition).__name__}.")


def _follow(condition: Through, index: Index) -> Test:
    meets = _test(condition.condition, schema_of(cast("type[Model]", index.target)), None)

    def test(obj: Any) -> bool:
        return any(link is not None and not link.missing and meets(link.value) for link in index.values(obj))

    return test


def _compare(compare: Compare, index: Index) -> Test:
    if compare.op == "!=":
        equal = _equals(index, (compare.value,))
        return lambda obj: not equal(obj)
    if compare.op == "==":
        return _equals(index, (compare.value,))
    if compare.op == "in":
        return _equals(index, cast("Iterable[object]", compare.value))
    if index.kind == "ordered":
        return _compare_texts(compare, index)
    index.score(compare.value)  # refuses what has no order
    bound, holds, number = index.number(index.read(compare.value)), _ORDER[compare.op], index.number
    if (name := index.plain_field) is not None:
        if index.type_name in ("int", "float"):  # its own number
            return lambda obj: (value := obj.__dict__[name]) is not None and holds(value, bound)
        return lambda obj: (value := obj.__dict__[name]) is not None and holds(number(value), bound)
    return lambda obj: any(value is not None and holds(number(value), bound) for value in index.values(obj))


def _compare_texts(compare: Compare, index: Index) -> Test:
    index.place(compare.value)  # refuses None
    # UTF-8 has the order of the code points.
    bound, holds, text = index.text(index.read(compare.value)), _ORDER[compare.op], index.text
    return lambda obj: any(value is not None and holds(text(value), bound) for value in index.values(obj))


def _equals(index: Index, values: Iterable[object]) -> Test:
    read = [None if value is None else index.read(value) for value in values]
    name = index.plain_field
    if name is not None and index.type_name in ("str", "int", "bool"):
        wanted = frozenset(read)
        return lambda obj: obj.__dict__[name] in wanted
    text = index.text
    texts = {None if value is None else text(value) for value in read}
    return lambda obj: any((None if value is None else text(value)) in texts for value in index.values(obj))
