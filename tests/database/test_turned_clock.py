"""Every millisecond around an expiry, with the engine's own clock turned by hand: nothing is wrong at any of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest

from redmodel import Database, ExpiresAt, Field, Indexed, Model, NotFound, Ref, Restricted, Unique, UniqueViolation

START = 1_800_000_000_000


class Ticket(Model, prefix="clock-tickets"):
    code: Unique[str]
    city: Indexed[str] = "Oslo"
    price: Indexed[int] = 1
    ends: Annotated[datetime | None, ExpiresAt()] = None


class Seat(Model, prefix="clock-seats", ttl=timedelta(milliseconds=50), sliding=True):
    ticket: Ref[Ticket | None] = Field(default=None, on_delete="restrict")


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(clock: Clock) -> Iterator[Database]:
    with Database("memory://") as db:
        executor: Any = db._executor
        inner = getattr(executor, "_executor", executor)
        inner.holder.engine._context.clock = clock
        yield db


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp((START + milliseconds) / 1000, UTC)


def test_a_record_is_there_to_its_last_millisecond_and_not_one_more(db: Database, clock: Clock) -> None:
    db.save_many([Ticket(id="1", code="a", ends=at(10)), Ticket(id="2", code="b", price=2)])
    db.save(Seat(id="s", ticket="1"), ttl=None)
    for moment in range(14):
        clock.now = START + moment
        alive = moment <= 10
        assert db.count(Ticket) == 1 + alive == db.count(Ticket, Ticket.city == "Oslo")
        assert (
            db.count(Ticket, Ticket.price <= 5)
            == 1 + alive
            == len(db.find(Ticket).order_by(-Ticket.price).page().items)
        )
        assert db.exists(Ticket, "1") is alive
        assert (db.find(Ticket, Ticket.code == "a").first() is not None) is alive
        assert db.get(Seat, "s", prefetch=[Seat.ticket]).ticket.missing is not alive  # type: ignore[union-attr]
        assert db.count(Seat, Seat.ticket == "1") == 1
        if alive:
            assert db.ttl(Ticket, "1") == timedelta(milliseconds=10 - moment)
            with pytest.raises(UniqueViolation):
                db.save(Ticket(id="3", code="a"))
        else:
            with pytest.raises(NotFound):
                db.ttl(Ticket, "1")
    db.save(Ticket(id="3", code="a"))
    assert db.check(Ticket).clean and db.count(Ticket) == 2


def test_reading_at_the_last_millisecond_is_in_time(db: Database, clock: Clock) -> None:
    db.save(Seat(id="1"))
    for turn in range(1, 4):
        clock.now = START + turn * 50
        assert db.get(Seat, "1").id == "1"
        assert db.ttl(Seat, "1") == timedelta(milliseconds=50)
    clock.now += 51
    with pytest.raises(NotFound):
        db.get(Seat, "1")
    assert db.count(Seat) == 0 and db.check(Seat).clean


def test_one_who_refers_stands_in_the_way_to_its_last_millisecond(db: Database, clock: Clock) -> None:
    db.save(Ticket(id="1", code="a"))
    db.save(Seat(id="s", ticket="1"))
    clock.now += 50
    with pytest.raises(Restricted):
        db.delete(Ticket, "1")
    clock.now += 1
    assert db.delete(Ticket, "1") and db.count(Seat) == 0
    assert db.check(Seat).clean and db.check(Ticket).clean


def test_what_moves_the_end_moves_all_of_it(db: Database, clock: Clock) -> None:
    db.save(Ticket(id="1", code="a", ends=at(10)))
    db.update(Ticket, "1", ends=at(20))
    clock.now = START + 15
    assert db.count(Ticket) == 1
    db.update(Ticket, "1", ends=at(16))
    clock.now = START + 17
    assert db.count(Ticket) == 0 and not db.exists(Ticket, "1")
    db.save(Ticket(id="1", code="a", ends=at(30)))
    db.update(Ticket, "1", ends=None)
    clock.now = START + 1_000_000
    assert db.count(Ticket, Ticket.code == "a") == 1 and db.check(Ticket).clean
