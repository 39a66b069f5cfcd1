"""Changing records without reading them: some fields, a number, and get-or-create."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from redmodel import Database, Field, Indexed, Model
from redmodel.errors import EncodingError, NotFound, QueryError, UniqueViolation
from tests.contract.models import Code, Session, User, user
from tests.contract.test_verbs import keyspace


class Stock(Model, prefix="stock"):
    units: Indexed[int] = Field(default=0, ge=0, le=1000)
    weight: float = 0.0
    note: int | None = None


def test_update_by_id_changes_fields_and_indexes(db: Any) -> None:
    db.save(user(1, id="1", tags=["a"], nickname="x"))
    db.update(User, "1", age=77, tags=["b"], nickname=None)
    found = db.get(User, "1")
    assert (found.age, found.tags, found.nickname, found.email) == (77, ["b"], None, "u1@example.org")
    assert db.find(User, User.age == 77, User.tags.contains("b"), User.nickname.is_null()).one() == found
    assert db.count(User, User.tags.contains("a")) == 0


def test_update_of_a_record_at_hand_shows_it_and_leaves_the_rest_unsaved(db: Any) -> None:
    record = user(1, id="1")
    db.save(record)
    record.bio = "not yet"
    db.update(record, age=50)
    assert record.age == 50
    assert db.get(User, "1").age == 50
    assert db.get(User, "1").bio is None
    db.save(record)
    assert db.get(User, "1") == record


def test_update_refuses_and_writes_nothing(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many([user(1, id="1"), user(2, id="2")])
    before = keyspace(raw)
    for error, changes in (
        (QueryError, {}),
        (QueryError, {"shoe_size": 4}),
        (QueryError, {"id": "3"}),
        (EncodingError, {"age": "old"}),
        (EncodingError, {"score": float("nan")}),
        (UniqueViolation, {"age": 4, "email": "u2@example.org"}),
    ):
        with pytest.raises(error):
            db.update(User, "1", **changes)
    with pytest.raises(NotFound):
        db.update(User, "nobody", age=3)
    assert keyspace(raw) == before


def test_update_keeps_the_time_to_live_and_renews_a_fields_own(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Session(id="1", token="t", user="u"), ttl=100)
    db.update(Session, "1", note="x")
    assert 90_000 < raw("PTTL", "sessions:1") <= 100_000
    db.save(Code(id="1", number="1"))
    db.update(Code, "1", hint="soon")
    assert db.get(Code, "1").hint == "soon"
    assert raw("HEXISTS", "codes:1", "hint@expires") == 1


def test_increment_counts_and_moves_the_index(db: Any) -> None:
    item = Stock(id="1", units=5)
    db.save(item)
    assert db.increment(Stock, "1", units=3) == 8
    assert db.increment(item, units=-1) == 7
    assert item.units == 7
    assert db.find(Stock, Stock.units == 7).one() == item
    assert db.increment(Stock, "1", weight=0.5) == 0.5
    db.save(item)  # what was counted is not taken back
    assert (db.get(Stock, "1").units, db.get(Stock, "1").weight) == (7, 0.5)


def test_increment_refuses_and_writes_nothing(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many([Stock(id="1", units=5), user(1, id="1")])
    before = keyspace(raw)
    for error, model, amount in (
        (EncodingError, Stock, {"units": -6}),
        (EncodingError, Stock, {"units": 996}),
        (EncodingError, Stock, {"units": 0.5}),
        (EncodingError, Stock, {"units": True}),
        (EncodingError, Stock, {"weight": float("inf")}),
        (EncodingError, Stock, {"units": 2**63}),
        (EncodingError, User, {"age": 2**53}),
        (QueryError, Stock, {"note": 1, "units": 1}),
        (QueryError, Stock, {}),
        (QueryError, User, {"name": 1}),
        (QueryError, User, {"nothing": 1}),
        (EncodingError, Stock, {"note": 1}),
    ):
        with pytest.raises(error):
            db.increment(model, "1", **amount)
    with pytest.raises(NotFound):
        db.increment(Stock, "2", units=1)
    assert keyspace(raw) == before


def test_get_or_create(db: Any) -> None:
    first, created = db.get_or_create(User, {"age": 30}, email="a@x")
    assert created
    assert (first.email, first.age) == ("a@x", 30)
    again, created = db.get_or_create(User, {"age": 99}, email="a@x")
    assert (again, created) == (first, False)
    by_id, created = db.get_or_create(Stock, {"units": 4}, id="7")
    assert (by_id.id, by_id.units, created) == ("7", 4, True)
    with pytest.raises(QueryError):
        db.get_or_create(User)


def test_of_many_that_create_at_once_one_does(redis7: Any) -> None:
    redis7.flush()
    results: list[tuple[User, bool]] = []
    with Database(redis7.unix_url) as db:
        for n in range(10):
            results.clear()

            def one(n: int = n) -> None:
                results.append(db.get_or_create(User, {"age": 1}, email=f"race{n}@x"))

            threads = [threading.Thread(target=one) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(created for _, created in results) == [False] * 7 + [True]
            assert len({record.id for record, _ in results}) == 1


def test_increments_of_many_all_count(redis7: Any) -> None:
    redis7.flush()
    with Database(redis7.unix_url) as db:
        db.save(Stock(id="1"))
        threads = [
            threading.Thread(target=lambda: [db.increment(Stock, "1", units=1) for _ in range(50)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.get(Stock, "1").units == 400
        assert db.count(Stock, Stock.units == 400) == 1
