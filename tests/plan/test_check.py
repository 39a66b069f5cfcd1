"""Check and repair with a write between any two of their round trips: nothing is undone, nothing untrue is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from redmodel import Database
from redmodel.database.driver import run
from redmodel.plan.check import Walk
from redmodel.plan.check_report import CheckReport
from redmodel.plan.core import Batch, Reply
from tests.contract.models import User, user


class Between:
    """An executor with which something happens just before one of its round trips."""

    def __init__(self, executor: Any, trip: int, action: Callable[[], object]) -> None:
        self._executor = executor
        self._trip = trip
        self._action = action
        self.trips = 0

    def execute(self, batch: Batch) -> Sequence[Reply]:
        if self.trips == self._trip:
            self._action()
        self.trips += 1
        replies: Sequence[Reply] = self._executor.execute(batch)
        return replies

    def close(self) -> None:
        """Nothing of its own."""


def walked(db: Database, trip: int, action: Callable[[], object], *, write: bool) -> tuple[CheckReport, int]:
    between = Between(db._executor, trip, action)
    return run(Walk(User, write=write).plan(), between), between.trips


def change(db: Database) -> None:
    """What an application may do at once: change, swap a unique value, delete, create."""
    first, second = db.get(User, "1"), db.get(User, "2")
    first.age, first.name, first.tags = 60, "Other", ["y"]
    db.save(first)
    second.email = "moved@example.org"
    db.save(second)
    first.email = "u2@example.org"
    db.save(first)
    db.delete(User, "3")
    db.save(user(3, id="30"))


def damage(db: Database) -> None:
    raw: Any = db.client
    raw.hset("users:1", "age", 70)
    raw.hset("users:2", "name", "Raw")
    raw.delete("users@tags:x", "users:4")
    raw.sadd("users@name:N5", "2", "30", "ghost")
    raw.hdel("users@log", "5")


def test_a_check_beside_a_writer_finds_nothing() -> None:
    trip, trips = 0, 1
    while trip < trips:
        with Database("memory://") as db:
            db.save_many(user(n, id=str(n), tags=["x"]) for n in range(8))
            report, trips = walked(db, trip, lambda db=db: change(db), write=False)  # type: ignore[misc]
            assert report.clean, f"before round trip {trip}: {report}"
        trip += 1
    assert trips > 10


@pytest.mark.parametrize("damaged", [False, True])
def test_a_repair_beside_a_writer_undoes_nothing(damaged: bool) -> None:
    trip, trips = 0, 1
    while trip < trips:
        with Database("memory://") as db:
            db.save_many(user(n, id=str(n), tags=["x"]) for n in range(8))
            if damaged:
                damage(db)
            report, trips = walked(db, trip, lambda db=db: change(db), write=True)  # type: ignore[misc]
            assert report.drift or not damaged
            assert damaged or not report.drift, f"before round trip {trip}: {report}"
            again = db.check(User)
            assert again.clean, f"before round trip {trip}: {again}"
            first = db.find(User, User.name == "Other", User.age == 60, User.tags.contains("y")).one()
            assert (first.id, first.email) == ("1", "u2@example.org")
            assert db.find(User, User.email == "moved@example.org").one().id == "2"
            assert not db.exists(User, "3") and db.count(User, User.email == "u3@example.org") == 1
        trip += 1


def test_damage_at_any_moment_is_gone_after_the_next_repair() -> None:
    trip, trips = 0, 1
    while trip < trips:
        with Database("memory://") as db:
            db.save_many(user(n, id=str(n), tags=["x"]) for n in range(8))
            _, trips = walked(db, trip, lambda db=db: damage(db), write=True)  # type: ignore[misc]
            assert db.repair(User).whole
            assert db.check(User).clean
        trip += 1


def test_a_record_that_never_stands_still_is_busy() -> None:
    with Database("memory://") as db:
        db.save_many(user(n, id=str(n)) for n in range(3))
        raw: Any = db.client
        raw.delete("users@name:N1")
        ticks = iter(range(10_000))

        class Restless(Between):
            def execute(self, batch: Batch) -> Sequence[Reply]:
                raw.hset("users:1", "bio", next(ticks))
                return super().execute(batch)

        report = run(Walk(User, write=True).plan(), Restless(db._executor, -1, lambda: None))
        assert report.busy and not report.whole and "too often" in str(report)
        assert db.repair(User).whole


def test_a_clean_check_costs_few_round_trips() -> None:
    with Database("memory://") as db:
        db.save_many(user(n, id=str(n)) for n in range(400))
        _, trips = walked(db, -1, lambda: None, write=False)
        assert trips < 40
