"""What keeping data on a disk costs: a save with a log against one without, and many writers against one."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from itertools import count
from statistics import median

from benchmarks.rounds import Case, measure, table
from redmodel import AsyncDatabase, Database, Indexed, Model, Unique

TASKS = 50


class Person(Model, prefix="durable-people"):
    email: Unique[str]
    age: Indexed[int]
    city: Indexed[str]
    name: str


_NUMBERS = count()


def _person() -> Person:
    n = next(_NUMBERS)
    return Person(email=f"p{n}@example.org", age=n % 90, city=f"City {n % 50}", name="Ada Lovelace")


def _saving(db: Database) -> Callable[[], object]:
    return lambda: db.save(_person())


async def _rate(db: AsyncDatabase, tasks: int, each: int) -> float:
    """Saves in a second by so many tasks."""

    async def save() -> None:
        for person in people.pop():
            await db.save(person)

    people = [[_person() for _ in range(each)] for _ in range(tasks)]
    began = time.perf_counter()
    await asyncio.gather(*(save() for _ in range(tasks)))
    return tasks * each / (time.perf_counter() - began)


async def _groups(directory: str, rounds: int) -> str:
    async with AsyncDatabase(f"embedded://{directory}?appendfsync=always") as db:
        await _rate(db, TASKS, 5)
        rates = [(await _rate(db, 1, 50), await _rate(db, TASKS, 20)) for _ in range(rounds)]
    return (
        f"With `appendfsync=always`: one task {median(one for one, _ in rates):,.0f} saves a second, {TASKS} tasks "
        f"{median(many for _, many in rates):,.0f}: {median(many / one for one, many in rates):.1f} times as many. "
        f"An fsync takes {_fsync(directory):,.0f} µs here."
    )


def _fsync(directory: str) -> float:
    """Median microseconds of writing 500 bytes behind a file and waiting for the disk."""
    samples: list[float] = []
    with open(f"{directory}/sample", "ab", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 500)
            began = time.perf_counter()
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            samples.append((time.perf_counter() - began) * 1e6)
    return median(samples)


def report(rounds: int) -> str:
    """Both comparisons, as Markdown."""
    with tempfile.TemporaryDirectory() as directory:
        with Database("memory://") as memory, Database(f"embedded://{directory}/a") as logged:
            contenders = {"everysec": _saving(logged), "memory": _saving(memory)}
            saves = table([measure(Case("save new", contenders, 200, target=1.3), 4 * rounds)])
        return f"{saves}\n\n{asyncio.run(_groups(f'{directory}/b', rounds))}"
