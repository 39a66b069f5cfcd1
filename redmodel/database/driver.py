"""The two drivers: they run a plan to its end, one blocking, one awaiting. Nothing here knows what a plan is about.

Beside them what they ask of an executor, and the executors that refuse.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, NoReturn, Protocol, TypeVar, cast

from redmodel.errors import QueryError, ReadOnly
from redmodel.model import KEYSPACE
from redmodel.plan.core import Batch, Plan, Reply, Waiting

R = TypeVar("R")


class Executor(Protocol):
    """Sends a batch and brings its replies: one round trip. Error replies are values in the list.

    One that leads to data says in ``keyspace`` to which: equal for two executors on the same, else different.
    """

    def execute(self, batch: Batch) -> Sequence[Reply]: ...

    def close(self) -> None: ...


class AsyncExecutor(Protocol):
    """The same, awaited."""

    async def execute(self, batch: Batch) -> Sequence[Reply]: ...

    async def close(self) -> None: ...


class Refusing:
    """Stands where a read-only handle's verbs that write look for an executor: it refuses all work unsent."""

    def execute(self, batch: Batch) -> NoReturn:
        raise _refusal()

    def close(self) -> None:
        """Do nothing: there is nothing open."""


class AsyncRefusing:
    """The same, awaited."""

    async def execute(self, batch: Batch) -> NoReturn:
        raise _refusal()

    async def close(self) -> None:
        """Do nothing: there is nothing open."""


def _refusal() -> ReadOnly:
    return ReadOnly("this handle was opened with read_only=True, so it never writes: write through another handle")


def _refuse_to_wait(step: Waiting) -> NoReturn:
    if step.coroutine is not None:
        cast("Coroutine[Any, Any, object]", step.coroutine).close()
    raise QueryError(f"{step.what}: a Database can't await them, so nothing was done; use an AsyncDatabase")


async def _wait(step: Waiting) -> Sequence[Reply]:
    if step.coroutine is not None:
        await step.coroutine
    return ()


def run(plan: Plan[R], executor: Executor) -> R:
    """Run a plan, blocking. An error of the executor is raised inside the plan, which may answer it."""
    execute = executor.execute
    around = KEYSPACE.get()
    KEYSPACE.set(getattr(executor, "keyspace", None))
    try:
        batch = next(plan)
        while True:
            try:
                replies = execute(batch) if type(batch) is Batch else _refuse_to_wait(cast("Waiting", batch))
            except Exception as error:
                batch = plan.throw(error)
            else:
                batch = plan.send(replies)
    except StopIteration as stop:
        result: R = stop.value
        return result
    finally:
        plan.close()
        KEYSPACE.set(around)


async def run_async(plan: Plan[R], executor: AsyncExecutor) -> R:
    """Run a plan, awaiting. Cancelling it closes the plan; the executor consumes replies that nobody waits for."""
    execute = executor.execute
    around, here = KEYSPACE.get(), getattr(executor, "keyspace", None)
    KEYSPACE.set(here)
    try:
        batch = next(plan)
        while True:
            try:
                replies = await (execute(batch) if type(batch) is Batch else _wait(cast("Waiting", batch)))
            except Exception as error:
                KEYSPACE.set(here)
                batch = plan.throw(error)
            else:
                KEYSPACE.set(here)  # one task may await several plans by turns
                batch = plan.send(replies)
    except StopIteration as stop:
        result: R = stop.value
        return result
    finally:
        plan.close()
        KEYSPACE.set(around)
