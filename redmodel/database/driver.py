"""The two drivers: they run a plan to its end, one blocking, one awaiting. Nothing here knows what a plan is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from redmodel.plan.core import Batch, Plan, Reply

R = TypeVar("R")


class Executor(Protocol):
    """Sends a batch and brings its replies: one round trip. Error replies are values in the list."""

    def execute(self, batch: Batch) -> Sequence[Reply]: ...

    def close(self) -> None: ...


class AsyncExecutor(Protocol):
    """The same, awaited."""

    async def execute(self, batch: Batch) -> Sequence[Reply]: ...

    async def close(self) -> None: ...


def run(plan: Plan[R], executor: Executor) -> R:
    """Run a plan, blocking. An error of the executor is raised inside the plan, which may answer it."""
    execute = executor.execute
    try:
        batch = next(plan)
        while True:
            try:
                replies = execute(batch)
            except Exception as error:
                batch = plan.throw(error)
            else:
                batch = plan.send(replies)
    except StopIteration as stop:
        result: R = stop.value
        return result
    finally:
        plan.close()


async def run_async(plan: Plan[R], executor: AsyncExecutor) -> R:
    """Run a plan, awaiting. Cancelling it closes the plan; the executor consumes replies that nobody waits for."""
    execute = executor.execute
    try:
        batch = next(plan)
        while True:
            try:
                replies = await execute(batch)
            except Exception as error:
                batch = plan.throw(error)
            else:
                batch = plan.send(replies)
    except StopIteration as stop:
        result: R = stop.value
        return result
    finally:
        plan.close()
