"""The two transaction blocks: what `Operations` gathered is sent where the block ends, blocking or awaiting."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar

from redmodel.database.driver import AsyncExecutor, Executor, run, run_async
from redmodel.model import Model
from redmodel.plan.registration import Registered
from redmodel.plan.transaction import Operations

M = TypeVar("M", bound=Model)


class Transaction(Operations):
    """Writes that all happen or none: gathered in a ``with db.transaction() as tx:`` block, sent once where it ends.

    The verbs take what those of the handle take, and nothing is sent before the end of the block; an exception in it
    means that nothing is sent at all.

    >>> from redmodel import Database, Model
    >>> class Account(Model, prefix="transaction-accounts"):
    ...     cents: int
    >>> with Database("memory://") as db:
    ...     ada, bob = Account(cents=900), Account(cents=100)
    ...     with db.transaction() as tx:
    ...         tx.save(ada)
    ...         tx.save(bob)
    ...     with db.transaction() as tx:
    ...         tx.increment(ada, cents=-300)
    ...         tx.increment(bob, cents=300)
    ...     ada.cents, bob.cents
    (600, 400)
    """

    def __init__(self, executor: Executor, writer: Executor, registered: Registered) -> None:
        super().__init__(getattr(executor, "keyspace", None))
        self._executor = executor
        self._writer = writer
        self._registered = registered

    def get(self, model: type[M], id: object) -> M:
        """Load a record now: one round trip; the transaction is refused if it is changed or deleted before the end.

        Raises:
            NotFound: there is no such record.
        """
        return run(self._read(model, id), self._executor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            run(self._commit(self._registered), self._writer)
        self._end()


class AsyncTransaction(Operations):
    """Writes that all happen or none: gathered in an ``async with db.transaction() as tx:`` block, sent where it ends.

    Only ``get`` is awaited: the other verbs send nothing. An exception in the block means that nothing is sent at all.
    """

    def __init__(self, executor: AsyncExecutor, writer: AsyncExecutor, registered: Registered) -> None:
        super().__init__(getattr(executor, "keyspace", None))
        self._executor = executor
        self._writer = writer
        self._registered = registered

    async def get(self, model: type[M], id: object) -> M:
        """Load a record now: one round trip; the transaction is refused if it is changed or deleted before the end.

        Raises:
            NotFound: there is no such record.
        """
        return await run_async(self._read(model, id), self._executor)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await run_async(self._commit(self._registered), self._writer)
        self._end()
