"""The two query builders: one frozen selection, two ways to run it. A terminal is one line, or it belongs in a plan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from datetime import timedelta
from typing import Any, Generic, NoReturn, Self, TypeVar, overload

from redmodel.database.bulk import run_bulk, run_bulk_async
from redmodel.database.driver import AsyncExecutor, Executor, run, run_async
from redmodel.database.groups import AsyncGroups, Groups
from redmodel.errors import QueryError
from redmodel.model import Condition, FieldRef, Order, order_of
from redmodel.model.refs import Reference
from redmodel.plan import aggregate, projection
from redmodel.plan import find as plans
from redmodel.plan import writing_queries as writing
from redmodel.plan.bulk import Told
from redmodel.plan.cursor import CursorPage, find_beside
from redmodel.plan.explain import Explanation, explain_find
from redmodel.plan.find import Page, Selection
from redmodel.plan.stream import BATCH, Stream

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class _Builder(Generic[R]):
    """What both builders share: each step gives a new builder, and none of them asks Redis anything."""

    __slots__ = ("_executor", "_selection")

    def __init__(self, executor: Any, selection: Selection[R]) -> None:
        self._executor = executor
        self._selection = selection

    def where(self, *conditions: Condition) -> Self:
        """Add conditions; all of them must be met."""
        return type(self)(self._executor, self._selection.where(*conditions))

    def order_by(self, *orders: Order | FieldRef[Any]) -> Self:
        """Order by indexed fields, ``-User.age`` for the largest first; records without a value come last.

        Ties are broken by id, so that the order is always the same.
        """
        return type(self)(self._executor, self._selection.order_by(*[order_of(order) for order in orders]))

    def limit(self, limit: int) -> Self:
        """Return at most ``limit`` records."""
        return type(self)(self._executor, self._selection.slice(limit=limit))

    def offset(self, offset: int) -> Self:
        """Skip the first ``offset`` records of the order, or of the order by id where none is named."""
        return type(self)(self._executor, self._selection.slice(offset=offset))

    def prefetch(self, *fields: Reference) -> Self:
        """Load what these references lead to along with the records: one more round trip for each level.

        ``prefetch(Order.user, User.team)`` follows the orders' users, and from those on their teams.
        """
        return type(self)(self._executor, self._selection.prefetch(fields))

    def trusted(self) -> Self:
        """Read whole records without the model's validators, which saw the values when they were saved.

        For records that nobody else writes: rules of the model (``ge=``, validators) are not asked again, types are.
        A value that can't be its type is a DecodeError as ever.
        """
        return type(self)(self._executor, self._selection.trusted())

    def __bool__(self) -> NoReturn:
        raise QueryError("a query has no truth value before it is asked: use exists(), count() or first()")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._selection!r}>"


class Query(_Builder[R]):
    """Records that meet conditions, for a `Database`; iterate over it, or call one of its terminals.

    >>> from redmodel import Database, Indexed, Model
    >>> class Tree(Model, prefix="query-trees"):
    ...     height: Indexed[int]
    >>> with Database("memory://") as db:
    ...     _ = db.save_many(Tree(height=h) for h in (3, 12, 30))
    ...     [tree.height for tree in db.find(Tree, Tree.height > 10).order_by(-Tree.height)]
    [30, 12]
    """

    __slots__ = ()
    _executor: Executor

    def only(self, *fields: FieldRef[Any] | str) -> Query[R]:
        """Give records with their ids and these fields alone; they can be looked at, but not saved."""
        return Query(self._executor, self._selection.project(projection.only(self._selection.model, fields)))

    @overload
    def values(self, a: FieldRef[A], /) -> Query[tuple[A]]: ...
    @overload
    def values(self, a: FieldRef[A], b: FieldRef[B], /) -> Query[tuple[A, B]]: ...
    @overload
    def values(self, a: FieldRef[A], b: FieldRef[B], c: FieldRef[C], /) -> Query[tuple[A, B, C]]: ...
    @overload
    def values(self, a: FieldRef[A], b: FieldRef[B], c: FieldRef[C], d: FieldRef[D], /) -> Query[tuple[A, B, C, D]]: ...
    @overload
    def values(self, *fields: FieldRef[Any] | str) -> Query[tuple[Any, ...]]: ...
    def values(self, *fields: FieldRef[Any] | str) -> Query[Any]:
        """Give a tuple of these fields' values for each record; name fields without an index as text."""
        return Query(self._executor, self._selection.project(projection.values(self._selection.model, fields)))

    def as_dicts(self, *fields: FieldRef[Any] | str) -> Query[dict[str, Any]]:
        """Give a dictionary for each record, of all its fields or of these."""
        return Query(self._executor, self._selection.project(projection.as_dicts(self._selection.model, fields)))

    def ids(self) -> Query[Any]:
        """Give the records' ids."""
        return Query(self._executor, self._selection.project(projection.ids(self._selection.model)))

    def scored(self) -> Query[tuple[R, float | None]]:
        """Give pairs with the value of the first order: a distance in metres, a rank; None where there is none.

        To be called last. QueryError where the first order is by a field's own value, which the record tells.
        """
        return Query(self._executor, self._selection.with_scores())

    def all(self) -> list[R]:
        """Return all records: one round trip for the first thousand, one more for each further thousand."""
        return run(plans.find_all(self._selection), self._executor)

    def first(self) -> R | None:
        """Return the first record, or None: one round trip."""
        return run(plans.find_first(self._selection), self._executor)

    def one(self) -> R:
        """Return the only record: one round trip; raises NotFound or MultipleFound."""
        return run(plans.find_one(self._selection), self._executor)

    def one_or_none(self) -> R | None:
        """Return the only record, or None: one round trip; raises MultipleFound."""
        return run(plans.find_one_or_none(self._selection), self._executor)

    def count(self) -> int:
        """Count the records that meet the conditions: one round trip."""
        return run(plans.find_count(self._selection), self._executor)

    def explain(self, *, analyze: bool = True, total: bool = False) -> Explanation:
        """Tell how this query is answered, by running it once for that: one round trip.

        Args:
            analyze: False only estimates what meets each condition, and does not run the query.
            total: True counts all that meets the conditions, as ``page`` does.

        Cost: that of the query, and of a count for each condition; nothing is written or repaired.
        """
        return run(explain_find(self._selection, analyze=analyze, total=total), self._executor)

    def update(self, progress: Told | None = None, /, **changes: Any) -> int:
        """Write these fields of all records that meet the conditions: two round trips a thousand; how many.

        Each record is judged again as it is written: one that no longer meets the conditions is left alone. A call
        that was broken off is simply made again.

        Args:
            progress: called after each thousand with how many were looked at, and of how many; False stops the work.
            **changes: the fields and their new values.

        Raises:
            BulkError: when some were refused, after the others were written; ``failures`` has id and error.
        """
        return run_bulk(
            lambda _, tally: writing.update_found(self._selection, changes, tally), (), progress, self._executor
        )

    def delete(self, progress: Told | None = None, /) -> int:
        """Delete all records that meet the conditions: two round trips a thousand; how many.

        One that others write meanwhile is judged again, and left alone if it no longer meets the conditions. A call
        that was broken off is simply made again.

        Args:
            progress: called after each thousand with how many were looked at, and of how many; False stops the work.

        Raises:
            BulkError: when some were refused, after the others were deleted; ``failures`` has id and error.
        """
        return run_bulk(lambda _, tally: writing.delete_found(self._selection, tally), (), progress, self._executor)

    def exists(self) -> bool:
        """Tell whether any record meets the conditions: one round trip."""
        return run(plans.find_exists(self._selection), self._executor)

    def page(self, number: int = 1, *, size: int = 20) -> Page[R]:
        """Return one page with its total, by id without an order: one round trip, more if 50,000 must be looked at."""
        return run(plans.find_page(self._selection, number, size), self._executor)

    def after(self, cursor: str | None = None, *, size: int = 20) -> CursorPage[R]:
        """Return the records that come after a cursor, from the start without one: one round trip.

        A record that stays as it is is neither skipped nor given twice, whatever others insert, change or delete
        between two pages. In the order of one indexed number or time a page costs about what it holds, where many meet
        the conditions; in other orders what follows is sorted for each page. Without an order, pages go by id.

        Args:
            cursor: ``next`` of a page that the same query gave; None begins at the start.
            size: records of a page, 1 to 1,000.

        Raises:
            InvalidCursor: the cursor is not one of this query.
        """
        return run(find_beside(self._selection, cursor, size, back=False), self._executor)

    def before(self, cursor: str | None = None, *, size: int = 20) -> CursorPage[R]:
        """Return the records that come just before a cursor, in their order: one round trip; see ``after``.

        Args:
            cursor: ``previous`` of a page that the same query gave; None gives the last page.
            size: records of a page, 1 to 1,000.

        Raises:
            InvalidCursor: the cursor is not one of this query.
        """
        return run(find_beside(self._selection, cursor, size, back=True), self._executor)

    @overload
    def sum(self, field: FieldRef[A | None]) -> A: ...
    @overload
    def sum(self, field: FieldRef[A]) -> A: ...
    def sum(self, field: FieldRef[Any]) -> Any:
        """Sum an indexed number of all the records, exactly; zero where there is none: one round trip."""
        return run(aggregate.find_sum(self._selection, field), self._executor)

    def avg(self, field: FieldRef[Any]) -> Any:
        """Average an indexed number of all the records, None where there is none: one round trip."""
        return run(aggregate.find_average(self._selection, field), self._executor)

    @overload
    def min(self, field: FieldRef[A | None]) -> A | None: ...
    @overload
    def min(self, field: FieldRef[A]) -> A | None: ...
    def min(self, field: FieldRef[Any]) -> Any:
        """Return the smallest value of a field that can be ordered by, None where there is none: one round trip."""
        return run(aggregate.find_least(self._selection, field, descending=False), self._executor)

    @overload
    def max(self, field: FieldRef[A | None]) -> A | None: ...
    @overload
    def max(self, field: FieldRef[A]) -> A | None: ...
    def max(self, field: FieldRef[Any]) -> Any:
        """Return the largest value of a field that can be ordered by, None where there is none: one round trip."""
        return run(aggregate.find_least(self._selection, field, descending=True), self._executor)

    @overload
    def distinct(self, field: FieldRef[A | None]) -> list[A]: ...
    @overload
    def distinct(self, field: FieldRef[A]) -> list[A]: ...
    def distinct(self, field: FieldRef[Any]) -> list[Any]:
        """Return the different values of an indexed field, in their order: one round trip."""
        return run(aggregate.find_distinct(self._selection, field), self._executor)

    def facets(self, *fields: FieldRef[Any]) -> dict[str, dict[Any, int]]:
        """Count the records by the values of several fields at once, the most frequent first: one round trip."""
        return run(aggregate.find_facets(self._selection, fields), self._executor)

    def histogram(self, field: FieldRef[A], width: float | timedelta, *, start: A | None = None) -> dict[A, int]:
        """Count the records by steps of a number or time, from ``start`` (else zero, or 1970): one round trip.

        The keys are the lower ends of the steps that hold records, in order.
        """
        return run(aggregate.find_histogram(self._selection, field, width, start), self._executor)

    def group_by(self, field: FieldRef[A]) -> Groups[A]:
        """Group the records by the values of an indexed field; then ``count``, ``sum``, ``avg``, ``min`` or ``max``."""
        return Groups(self._executor, self._selection, field)

    def stream(self, batch: int = BATCH) -> Iterator[R]:
        """Give the records a batch at a time, one round trip for each, in bounded memory whatever their number.

        A record that meets the conditions from the first to the last batch, and keeps its place in the order, is given
        exactly once. Up to 10,000 without an order are those of one moment. Iterating over the query is the same.

        Args:
            batch: records, or without an order members of an index, of each round trip, 1 to 1,000.

        Raises:
            ConnectionFailed: also when the server was restarted in the middle of a walk without an order.
        """
        stream = Stream(self._selection, batch)
        return _records(stream, self._executor)

    def __iter__(self) -> Iterator[R]:
        return self.stream()


def _records(stream: Stream[R], executor: Executor) -> Iterator[R]:
    while not stream.over:
        yield from run(stream.step(), executor)


class AsyncQuery(_Builder[R]):
    """Records that meet conditions, for an `AsyncDatabase`; ``async for`` over it, await it, or await a terminal."""

    __slots__ = ()
    _executor: AsyncExecutor

    def only(self, *fields: FieldRef[Any] | str) -> AsyncQuery[R]:
        """Give records with their ids and these fields alone; they can be looked at, but not saved."""
        return AsyncQuery(self._executor, self._selection.project(projection.only(self._selection.model, fields)))

    @overload
    def values(self, a: FieldRef[A], /) -> AsyncQuery[tuple[A]]: ...
    @overload
    def values(self, a: FieldRef[A], b: FieldRef[B], /) -> AsyncQuery[tuple[A, B]]: ...
    @overload
    def values(self, a: FieldRef[A], b: FieldRef[B], c: FieldRef[C], /) -> AsyncQuery[tuple[A, B, C]]: ...
    @overload
    def values(
        self, a: FieldRef[A], b: FieldRef[B], c: FieldRef[C], d: FieldRef[D], /
    ) -> AsyncQuery[tuple[A, B, C, D]]: ...
    @overload
    def values(self, *fields: FieldRef[Any] | str) -> AsyncQuery[tuple[Any, ...]]: ...
    def values(self, *fields: FieldRef[Any] | str) -> AsyncQuery[Any]:
        """Give a tuple of these fields' values for each record; name fields without an index as text."""
        return AsyncQuery(self._executor, self._selection.project(projection.values(self._selection.model, fields)))

    def as_dicts(self, *fields: FieldRef[Any] | str) -> AsyncQuery[dict[str, Any]]:
        """Give a dictionary for each record, of all its fields or of these."""
        return AsyncQuery(self._executor, self._selection.project(projection.as_dicts(self._selection.model, fields)))

    def ids(self) -> AsyncQuery[Any]:
        """Give the records' ids."""
        return AsyncQuery(self._executor, self._selection.project(projection.ids(self._selection.model)))

    def scored(self) -> AsyncQuery[tuple[R, float | None]]:
        """Give pairs with the value of the first order: a distance in metres, a rank; None where there is none.

        To be called last. QueryError where the first order is by a field's own value, which the record tells.
        """
        return AsyncQuery(self._executor, self._selection.with_scores())

    async def all(self) -> list[R]:
        """Return all records: one round trip for the first thousand, one more for each further thousand."""
        return await run_async(plans.find_all(self._selection), self._executor)

    async def first(self) -> R | None:
        """Return the first record, or None: one round trip."""
        return await run_async(plans.find_first(self._selection), self._executor)

    async def one(self) -> R:
        """Return the only record: one round trip; raises NotFound or MultipleFound."""
        return await run_async(plans.find_one(self._selection), self._executor)

    async def one_or_none(self) -> R | None:
        """Return the only record, or None: one round trip; raises MultipleFound."""
        return await run_async(plans.find_one_or_none(self._selection), self._executor)

    async def count(self) -> int:
        """Count the records that meet the conditions: one round trip."""
        return await run_async(plans.find_count(self._selection), self._executor)

    async def explain(self, *, analyze: bool = True, total: bool = False) -> Explanation:
        """Tell how this query is answered, by running it once for that: one round trip.

        Args:
            analyze: False only estimates what meets each condition, and does not run the query.
            total: True counts all that meets the conditions, as ``page`` does.

        Cost: that of the query, and of a count for each condition; nothing is written or repaired.
        """
        return await run_async(explain_find(self._selection, analyze=analyze, total=total), self._executor)

    async def update(self, progress: Told | None = None, /, **changes: Any) -> int:
        """Write these fields of all records that meet the conditions: two round trips a thousand; how many.

        Each record is judged again as it is written: one that no longer meets the conditions is left alone. A call
        that was broken off is simply made again.

        Args:
            progress: called after each thousand with how many were looked at, and of how many; False stops the work.
            **changes: the fields and their new values.

        Raises:
            BulkError: when some were refused, after the others were written; ``failures`` has id and error.
        """
        return await run_bulk_async(
            lambda _, tally: writing.update_found(self._selection, changes, tally), (), progress, self._executor
        )

    async def delete(self, progress: Told | None = None, /) -> int:
        """Delete all records that meet the conditions: two round trips a thousand; how many.

        One that others write meanwhile is judged again, and left alone if it no longer meets the conditions. A call
        that was broken off is simply made again.

        Args:
            progress: called after each thousand with how many were looked at, and of how many; False stops the work.

        Raises:
            BulkError: when some were refused, after the others were deleted; ``failures`` has id and error.
        """
        return await run_bulk_async(
            lambda _, tally: writing.delete_found(self._selection, tally), (), progress, self._executor
        )

    async def exists(self) -> bool:
        """Tell whether any record meets the conditions: one round trip."""
        return await run_async(plans.find_exists(self._selection), self._executor)

    async def page(self, number: int = 1, *, size: int = 20) -> Page[R]:
        """Return one page with its total, by id without an order: one round trip, more if 50,000 must be looked at."""
        return await run_async(plans.find_page(self._selection, number, size), self._executor)

    async def after(self, cursor: str | None = None, *, size: int = 20) -> CursorPage[R]:
        """Return the records that come after a cursor, from the start without one: one round trip.

        A record that stays as it is is neither skipped nor given twice, whatever others insert, change or delete
        between two pages. In the order of one indexed number or time a page costs about what it holds, where many meet
        the conditions; in other orders what follows is sorted for each page. Without an order, pages go by id.

        Args:
            cursor: ``next`` of a page that the same query gave; None begins at the start.
            size: records of a page, 1 to 1,000.

        Raises:
            InvalidCursor: the cursor is not one of this query.
        """
        return await run_async(find_beside(self._selection, cursor, size, back=False), self._executor)

    async def before(self, cursor: str | None = None, *, size: int = 20) -> CursorPage[R]:
        """Return the records that come just before a cursor, in their order: one round trip; see ``after``.

        Args:
            cursor: ``previous`` of a page that the same query gave; None gives the last page.
            size: records of a page, 1 to 1,000.

        Raises:
            InvalidCursor: the cursor is not one of this query.
        """
        return await run_async(find_beside(self._selection, cursor, size, back=True), self._executor)

    @overload
    async def sum(self, field: FieldRef[A | None]) -> A: ...
    @overload
    async def sum(self, field: FieldRef[A]) -> A: ...
    async def sum(self, field: FieldRef[Any]) -> Any:
        """Sum an indexed number of all the records, exactly; zero where there is none: one round trip."""
        return await run_async(aggregate.find_sum(self._selection, field), self._executor)

    async def avg(self, field: FieldRef[Any]) -> Any:
        """Average an indexed number of all the records, None where there is none: one round trip."""
        return await run_async(aggregate.find_average(self._selection, field), self._executor)

    @overload
    async def min(self, field: FieldRef[A | None]) -> A | None: ...
    @overload
    async def min(self, field: FieldRef[A]) -> A | None: ...
    async def min(self, field: FieldRef[Any]) -> Any:
        """Return the smallest value of a field that can be ordered by, None where there is none: one round trip."""
        return await run_async(aggregate.find_least(self._selection, field, descending=False), self._executor)

    @overload
    async def max(self, field: FieldRef[A | None]) -> A | None: ...
    @overload
    async def max(self, field: FieldRef[A]) -> A | None: ...
    async def max(self, field: FieldRef[Any]) -> Any:
        """Return the largest value of a field that can be ordered by, None where there is none: one round trip."""
        return await run_async(aggregate.find_least(self._selection, field, descending=True), self._executor)

    @overload
    async def distinct(self, field: FieldRef[A | None]) -> list[A]: ...
    @overload
    async def distinct(self, field: FieldRef[A]) -> list[A]: ...
    async def distinct(self, field: FieldRef[Any]) -> list[Any]:
        """Return the different values of an indexed field, in their order: one round trip."""
        return await run_async(aggregate.find_distinct(self._selection, field), self._executor)

    async def facets(self, *fields: FieldRef[Any]) -> dict[str, dict[Any, int]]:
        """Count the records by the values of several fields at once, the most frequent first: one round trip."""
        return await run_async(aggregate.find_facets(self._selection, fields), self._executor)

    async def histogram(self, field: FieldRef[A], width: float | timedelta, *, start: A | None = None) -> dict[A, int]:
        """Count the records by steps of a number or time, from ``start`` (else zero, or 1970): one round trip.

        The keys are the lower ends of the steps that hold records, in order.
        """
        return await run_async(aggregate.find_histogram(self._selection, field, width, start), self._executor)

    def group_by(self, field: FieldRef[A]) -> AsyncGroups[A]:
        """Group the records by the values of an indexed field; then ``count``, ``sum``, ``avg``, ``min`` or ``max``."""
        return AsyncGroups(self._executor, self._selection, field)

    def __await__(self) -> Generator[Any, None, list[R]]:
        return self.all().__await__()

    def stream(self, batch: int = BATCH) -> AsyncIterator[R]:
        """Give the records a batch at a time, one round trip for each, in bounded memory whatever their number.

        A record that meets the conditions from the first to the last batch, and keeps its place in the order, is given
        exactly once. Up to 10,000 without an order are those of one moment. Iterating over the query is the same.

        Args:
            batch: records, or without an order members of an index, of each round trip, 1 to 1,000.

        Raises:
            ConnectionFailed: also when the server was restarted in the middle of a walk without an order.
        """
        stream = Stream(self._selection, batch)
        return _records_async(stream, self._executor)

    def __aiter__(self) -> AsyncIterator[R]:
        return self.stream()


async def _records_async(stream: Stream[R], executor: AsyncExecutor) -> AsyncIterator[R]:
    while not stream.over:
        for record in await run_async(stream.step(), executor):
            yield record
