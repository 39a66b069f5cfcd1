"""Groups of records, for both colours: one selection and the field whose values are the groups."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from redmodel.database.driver import AsyncExecutor, Executor, run, run_async
from redmodel.model import FieldRef
from redmodel.plan import aggregate
from redmodel.plan.find import Selection

V = TypeVar("V")
W = TypeVar("W")


class _Grouped(Generic[V]):
    __slots__ = ("_executor", "_field", "_selection")

    def __init__(self, executor: Any, selection: Selection[Any], field: FieldRef[V]) -> None:
        self._executor = executor
        self._selection = selection
        self._field = field


class Groups(_Grouped[V]):
    """The records of a query in groups, by the values of a field; each of its verbs is one round trip.

    Records without a value are in the group None; a record with several tags is in the group of each.
    """

    __slots__ = ()
    _executor: Executor

    def count(self) -> dict[V, int]:
        """Count the records of each group, the largest first."""
        return run(aggregate.group_counts(self._selection, self._field), self._executor)

    @overload
    def sum(self, field: FieldRef[W | None]) -> dict[V, W]: ...
    @overload
    def sum(self, field: FieldRef[W]) -> dict[V, W]: ...
    def sum(self, field: FieldRef[Any]) -> dict[V, Any]:
        """Sum a number of each group's records."""
        return run(aggregate.group_measure(self._selection, self._field, field, "sum"), self._executor)

    def avg(self, field: FieldRef[Any]) -> dict[V, Any]:
        """Average a number of each group's records; None for a group without any."""
        return run(aggregate.group_measure(self._selection, self._field, field, "avg"), self._executor)

    @overload
    def min(self, field: FieldRef[W | None]) -> dict[V, W | None]: ...
    @overload
    def min(self, field: FieldRef[W]) -> dict[V, W | None]: ...
    def min(self, field: FieldRef[Any]) -> dict[V, Any]:
        """Give the smallest number or time of each group's records; None for a group without any."""
        return run(aggregate.group_measure(self._selection, self._field, field, "min"), self._executor)

    @overload
    def max(self, field: FieldRef[W | None]) -> dict[V, W | None]: ...
    @overload
    def max(self, field: FieldRef[W]) -> dict[V, W | None]: ...
    def max(self, field: FieldRef[Any]) -> dict[V, Any]:
        """Give the largest number or time of each group's records; None for a group without any."""
        return run(aggregate.group_measure(self._selection, self._field, field, "max"), self._executor)


class AsyncGroups(_Grouped[V]):
    """The records of a query in groups, by the values of a field; each of its verbs is one round trip.

    Records without a value are in the group None; a record with several tags is in the group of each.
    """

    __slots__ = ()
    _executor: AsyncExecutor

    async def count(self) -> dict[V, int]:
        """Count the records of each group, the largest first."""
        return await run_async(aggregate.group_counts(self._selection, self._field), self._executor)

    @overload
    async def sum(self, field: FieldRef[W | None]) -> dict[V, W]: ...
    @overload
    async def sum(self, field: FieldRef[W]) -> dict[V, W]: ...
    async def sum(self, field: FieldRef[Any]) -> dict[V, Any]:
        """Sum a number of each group's records."""
        return await run_async(aggregate.group_measure(self._selection, self._field, field, "sum"), self._executor)

    async def avg(self, field: FieldRef[Any]) -> dict[V, Any]:
        """Average a number of each group's records; None for a group without any."""
        return await run_async(aggregate.group_measure(self._selection, self._field, field, "avg"), self._executor)

    @overload
    async def min(self, field: FieldRef[W | None]) -> dict[V, W | None]: ...
    @overload
    async def min(self, field: FieldRef[W]) -> dict[V, W | None]: ...
    async def min(self, field: FieldRef[Any]) -> dict[V, Any]:
        """Give the smallest number or time of each group's records; None for a group without any."""
        return await run_async(aggregate.group_measure(self._selection, self._field, field, "min"), self._executor)

    @overload
    async def max(self, field: FieldRef[W | None]) -> dict[V, W | None]: ...
    @overload
    async def max(self, field: FieldRef[W]) -> dict[V, W | None]: ...
    async def max(self, field: FieldRef[Any]) -> dict[V, Any]:
        """Give the largest number or time of each group's records; None for a group without any."""
        return await run_async(aggregate.group_measure(self._selection, self._field, field, "max"), self._executor)
