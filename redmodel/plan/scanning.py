"""Looking at every record, for what no index answers: tests in Python, in bounded steps, only where asked for."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from redmodel.errors import QueryError, UnindexedField
from redmodel.model import And, Compare, Condition, FieldCondition, Not, Or, Schema, schema_of
from redmodel.model.matching import matcher
from redmodel.plan.bulk import Told
from redmodel.plan.core import Plan
from redmodel.plan.find import Selection
from redmodel.plan.projection import value_at
from redmodel.plan.stream import Stream

R = TypeVar("R")

_KEPT = 1000
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Scanning(Generic[R]):
    """What is looked for: conditions that indexes answer narrow what is looked at, tests judge each record of that."""

    __slots__ = ("key", "limit", "progress", "reverse", "selection", "tests")

    def __init__(
        self,
        model: type[R],
        conditions: Sequence[Condition | Callable[[R], object]],
        progress: Told | None,
        writes: bool,
    ) -> None:
        schema: Schema[Any] = schema_of(cast("Any", model))
        indexed: list[Condition] = []
        self.tests: list[Callable[[R], object]] = []
        for condition in conditions:
            if not isinstance(condition, Condition):
                if not callable(condition):
                    raise QueryError(f"a scan takes conditions, and functions of a record, not {condition!r}")
                self.tests.append(condition)
                continue
            try:
                Selection(model, (condition,))
                indexed.append(condition)
            except UnindexedField:
                self.tests.append(_test(condition, schema))
        self.selection: Selection[R] = Selection(model, tuple(indexed), writes=writes)
        self.progress = progress
        self.limit: int | None = None
        self.key: Callable[[R], Any] | None = None
        self.reverse = False

    def with_(self, **changes: Any) -> Scanning[R]:
        """The same, but for these."""
        copy = cast("Scanning[R]", object.__new__(Scanning))
        for name in Scanning.__slots__:
            setattr(copy, name, changes.get(name, getattr(self, name)))
        return copy


class Scanned(Generic[R]):
    """One run of a scan: ``step`` gives what it finds until ``over``, then ``last`` what had to be ordered first."""

    def __init__(self, scanning: Scanning[R], batch: int) -> None:
        self._scanning = scanning
        self._stream = Stream(scanning.selection, batch)
        self._left = scanning.limit
        self._best: list[R] = []
        self.over = self._left == 0

    def step(self) -> Plan[list[R]]:
        """Look at the next records: one round trip."""
        scanning = self._scanning
        records = yield from self._stream.step()
        found = [record for record in records if all(test(record) for test in scanning.tests)]
        self.over = self._stream.over
        if scanning.progress is not None and scanning.progress(self._stream.seen, self._stream.total) is False:
            self.over = True
        if scanning.key is not None:
            self._best += found
            if scanning.limit is not None and len(self._best) > scanning.limit + _KEPT:
                self._best = self._ordered()
            return []
        if self._left is not None:
            found = found[: self._left]
            self._left -= len(found)
            self.over = self.over or not self._left
        return found

    def last(self) -> list[R]:
        """What an order gives, once all was looked at."""
        return self._ordered() if self._scanning.key is not None else []

    def _ordered(self) -> list[R]:
        assert self._scanning.key is not None
        self._best.sort(key=self._scanning.key, reverse=self._scanning.reverse)
        return self._best[: self._scanning.limit]


def _test(condition: Condition, schema: Schema[Any]) -> Callable[[Any], bool]:
    """The test of a condition on fields of which some have no index."""
    if isinstance(condition, And | Or):
        parts = [_test(part, schema) for part in condition.conditions]
        every = isinstance(condition, And)
        return lambda record: all(part(record) for part in parts) if every else any(part(record) for part in parts)
    if isinstance(condition, Not):
        inner = _test(condition.condition, schema)
        return lambda record: not inner(record)
    if not isinstance(condition, FieldCondition):
        raise QueryError(f"{condition!r} is no condition")
    try:
        schema.index(condition.path)
    except UnindexedField:
        if not isinstance(condition, Compare):
            raise
        return _compare(condition, value_at(schema, condition.path))
    return matcher((condition,), schema)


def _compare(condition: Compare, value: Callable[[Any], Any]) -> Callable[[Any], bool]:
    wanted, op = cast("Any", condition.value), condition.op

    def values(record: Any) -> Sequence[Any]:
        found = value(record)
        return cast("Sequence[Any]", found) if isinstance(found, list | tuple | set | frozenset) else (found,)

    if op in ("==", "!="):
        return lambda record: (wanted in values(record)) is (op == "==")
    if op == "in":
        return lambda record: any(one in wanted for one in values(record))
    holds = _ORDER[op]
    return lambda record: any(one is not None and holds(one, wanted) for one in values(record))
