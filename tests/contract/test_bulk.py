"""Bulk verbs: any number, from any iterable, told of progress, one by one or all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from redmodel import AsyncDatabase, BulkError, QueryError, UniqueViolation
from tests.contract.models import User, user


def test_a_generator_of_any_length_and_its_progress(db: Any) -> None:
    told: list[tuple[int, int | None]] = []
    assert db.save_many((user(n, id=str(n)) for n in range(2200)), progress=lambda *step: told.append(step)) == 2200
    assert told == [(1000, None), (2000, None), (2200, None)]
    told.clear()
    ids = [str(n) for n in range(2100)]
    assert db.delete_many(User, ids, progress=lambda *step: told.append(step)) == 2100
    assert told == [(1000, 2100), (2000, 2100), (2100, 2100)]
    assert db.count(User) == 100
    assert db.save_many((user(n, id=str(n)) for n in range(3000)), progress=lambda done, _: done < 1000) == 1000
    assert db.save_many([]) == 0


def test_each_refusal_is_told_and_the_others_are_written(db: Any) -> None:
    db.save(user(0, id="0"))
    records = [user(n, id=f"x{n}") for n in range(5)]
    with pytest.raises(BulkError) as caught:
        db.save_many(iter(records))
    ((place, error),) = caught.value.failures
    assert (place, type(error), caught.value.done, db.count(User)) == (0, UniqueViolation, 4, 5)


def test_all_or_nothing(db: Any) -> None:
    db.save(user(3, id="taken"))
    with pytest.raises(UniqueViolation) as caught:
        db.save_many((user(n, id=str(n)) for n in range(5)), atomic=True)
    assert (caught.value.operation, db.count(User)) == (3, 1)
    db.delete(User, "taken")
    assert db.save_many((user(n, id=str(n)) for n in range(1000)), atomic=True) == 1000
    assert db.delete_many(User, ["1", "none", db.get(User, "2")], atomic=True) == 2
    with pytest.raises(QueryError, match="at most 1,000"):
        db.save_many((user(n, id=str(n)) for n in range(1001)), atomic=True)
    assert db.count(User) == 998
    assert db.check(User).clean


def test_an_async_iterable_is_read_a_batch_at_a_time() -> None:
    read = 0

    async def source(count: int) -> AsyncIterator[User]:
        nonlocal read
        for n in range(count):
            read += 1
            yield user(n, id=str(n))

    async def main() -> None:
        async with AsyncDatabase("memory://bulk-async") as db:
            seen: list[tuple[int, int]] = []
            assert await db.save_many(source(1500), progress=lambda done, _: seen.append((done, read))) == 1500
            assert seen == [(1000, 1000), (1500, 1500)]
            assert await db.delete_many(User, source(700)) == 700
            with pytest.raises(QueryError, match="at most 1,000"):
                await db.save_many(source(5000), atomic=True)
            assert read == 1500 + 700 + 1001
            assert await db.save_many(source(10), atomic=True) == 10
            assert await db.count(User) == 810

    asyncio.run(main())
