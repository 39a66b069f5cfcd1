"""Counts, queries and uniques are exact at every moment around expiry, and idle traces go."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from redmodel import ReadOnly
from tests.contract.models import Session, User, user
from tests.contract.test_verbs import keyspace


def test_everything_is_exact_after_expiry(db: Any) -> None:
    db.save_many(Session(id=f"p{n}", token=f"p{n}", user="u") for n in range(300))
    db.save_many(Session(id=f"t{n}", token=f"t{n}", user="u") for n in range(300))
    assert db.count(Session) == 600
    db.save_many((Session(id=f"t{n}", token=f"t{n}", user="u") for n in range(300)), ttl=0.01)
    time.sleep(0.02)
    query = db.find(Session, Session.user == "u")
    assert query.count() == 300
    assert db.count(Session) == 300
    page = query.page(2, size=100)
    assert page.total == 300 and len(page.items) == 100
    assert {s.id for s in query} == {f"p{n}" for n in range(300)}
    assert db.find(Session, Session.token == "t5").first() is None
    assert db.count(Session, ~(Session.user == "x")) == 300


def test_a_unique_value_is_free_as_soon_as_its_owner_expires(db: Any) -> None:
    db.save(Session(id="1", token="t", user="a"), ttl=0.02)
    time.sleep(0.03)
    db.save(Session(id="2", token="t", user="b"))
    assert db.find(Session, Session.token == "t").one().id == "2"


def test_reads_clear_what_expired(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many((Session(id=str(n), token=str(n), user="u") for n in range(50)), ttl=0.05)
    time.sleep(0.06)
    assert db.count(Session) == 0
    assert keyspace(raw) == {}


def test_purge_clears_any_number(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many((Session(id=str(n), token=str(n), user="u") for n in range(2500)), ttl=0.5)
    time.sleep(0.55)
    db.purge(Session)
    assert keyspace(raw) == {}


def test_a_read_only_handle_is_exact_and_writes_nothing(make_db: Callable[..., Any]) -> None:
    db, reader = make_db(), make_db(read_only=True)
    db.save_many((Session(id=str(n), token=str(n), user="u") for n in range(20)), ttl=0.05)
    db.save(Session(id="stays", token="s", user="u"))
    time.sleep(0.06)
    assert reader.count(Session) == 1 and reader.count(Session, Session.user == "u") == 1
    assert [s.id for s in reader.find(Session).page().items] == ["stays"]


def test_a_read_only_handle_refuses_the_verbs_that_write(make_db: Callable[..., Any], raw: Callable[..., Any]) -> None:
    db, reader = make_db(), make_db(read_only=True)
    db.save(Session(id="1", token="1", user="u"))
    record = reader.get(Session, "1")
    record.user = "other"
    before = keyspace(raw)
    for attempt in (
        lambda: reader.save(record),
        lambda: reader.save(user(1)),
        lambda: reader.save_many([record]),
        lambda: reader.delete(record),
        lambda: reader.delete_many(Session, ["1"]),
        lambda: reader.touch(record, ttl=9),
        lambda: reader.purge(Session),
    ):
        with pytest.raises(ReadOnly, match="read_only"):
            attempt()
    assert keyspace(raw) == before
    assert reader.refresh(record).user == "u" and reader.exists(record)


def test_a_save_keeps_or_renews_the_time_to_live(db: Any, raw: Callable[..., Any]) -> None:
    db.save(user(1, id="1"), ttl=100)
    loaded = db.get(User, "1")
    loaded.age = 30
    db.save(loaded)
    assert 90_000 < raw("PTTL", "users:1") <= 100_000
    db.save(loaded, ttl=None)
    assert raw("PTTL", "users:1") == -1 and raw("EXISTS", "users@expires") == 0
    db.save(loaded, ttl=100)
    db.save(user(1, id="1"))  # a new object: the record is written anew, without a time to live
    assert raw("PTTL", "users:1") == -1
