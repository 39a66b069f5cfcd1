"""An `AsyncDatabase` worn as a blocking one, so that one suite asks both colours the same questions."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from redmodel import AsyncDatabase, AsyncScan, AsyncTransaction
from redmodel.database.query import AsyncQuery


class Blocking:
    """Every verb of the handle, run to its end on one event loop."""

    def __init__(self, database: AsyncDatabase, loop: asyncio.AbstractEventLoop) -> None:
        self._database = database
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._database, name)
        if not callable(member):
            return member

        def verb(*args: Any, **kwargs: Any) -> Any:
            result = member(*args, **kwargs)
            if inspect.iscoroutine(result):
                return self._loop.run_until_complete(result)
            if isinstance(result, AsyncTransaction):
                return BlockingTransaction(result, self._loop)
            return BlockingQuery(result, self._loop) if isinstance(result, AsyncQuery | AsyncScan) else result

        return verb


class BlockingQuery:
    """Every step and terminal of a query, and iteration."""

    def __init__(self, query: AsyncQuery[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._query = query
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._query, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            result = member(*args, **kwargs)
            if inspect.iscoroutine(result):
                return self._loop.run_until_complete(result)
            if inspect.isasyncgen(result):
                return self._each(result)
            return BlockingQuery(result, self._loop)

        return step

    def __iter__(self) -> Iterator[Any]:
        return self._each(self._query.__aiter__())

    def _each(self, records: AsyncIterator[Any]) -> Iterator[Any]:
        while True:
            try:
                yield self._loop.run_until_complete(records.__anext__())
            except StopAsyncIteration:
                return


class BlockingTransaction:
    """The block, entered and left; of its verbs only ``get`` asks anything."""

    def __init__(self, transaction: AsyncTransaction, loop: asyncio.AbstractEventLoop) -> None:
        self._transaction = transaction
        self._loop = loop

    def __enter__(self) -> BlockingTransaction:
        self._loop.run_until_complete(self._transaction.__aenter__())
        return self

    def __exit__(self, *error: Any) -> None:
        self._loop.run_until_complete(self._transaction.__aexit__(*error))

    def get(self, *args: Any) -> Any:
        return self._loop.run_until_complete(self._transaction.get(*args))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)
