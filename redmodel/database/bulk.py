"""Bulk verbs over what comes bit by bit: an async iterable is read a batch at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import TypeVar

from redmodel.database.driver import AsyncExecutor, Executor, run, run_async
from redmodel.plan.bulk import Tally, Told
from redmodel.plan.core import Plan
from redmodel.plan.save import BATCH
from redmodel.plan.transaction import LIMIT

T = TypeVar("T")


def run_bulk(
    make: Callable[[Iterable[T], Tally], Plan[None]], source: Iterable[T], told: Told | None, executor: Executor
) -> int:
    """Run a bulk verb to its end: how many were done. Raises BulkError."""
    tally = Tally(source, told)
    run(make(source, tally), executor)
    return tally.result()


async def run_bulk_async(
    make: Callable[[Iterable[T], Tally], Plan[None]],
    source: Iterable[T] | AsyncIterable[T],
    told: Told | None,
    executor: AsyncExecutor,
) -> int:
    """The same, awaited; an async iterable is read as far as the next batch needs it."""
    tally = Tally(source, told)
    if not isinstance(source, AsyncIterable):
        await run_async(make(source, tally), executor)
        return tally.result()
    chunk: list[T] = []
    async for one in source:
        chunk.append(one)
        if len(chunk) == BATCH:
            await run_async(make(chunk, tally), executor)
            chunk = []
            if tally.over:
                break
    if chunk:
        await run_async(make(chunk, tally), executor)
    return tally.result()


async def gathered(source: Iterable[T] | AsyncIterable[T]) -> Iterable[T]:
    """What is meant for one transaction, which refuses it if there is more than it may hold."""
    if not isinstance(source, AsyncIterable):
        return source
    found: list[T] = []
    async for one in source:
        found.append(one)
        if len(found) > LIMIT:
            break
    return found
