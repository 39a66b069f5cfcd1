"""Explained queries: the plan that was picked on chosen data, on every back end; nothing is written for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from redmodel import Explanation, Field, Indexed, Model, Ordered, QueryError, Unique
from tests.contract.test_verbs import keyspace


class Thing(Model, prefix="explained", index_together=[("city", "age")]):
    id: str
    city: Indexed[str]
    team: Indexed[str]
    age: Indexed[int]
    rank: Indexed[int]
    code: Unique[str]
    name: Ordered[str] = Field(default="")
    tags: Indexed[list[str]] = Field(default_factory=list)


@pytest.fixture
def things(db: Any) -> Any:
    """600 records: half in Oslo, 6 in Rome, a third of each in team a."""
    cities = ["Oslo" if n % 2 else "Rome" if n < 12 else f"c{n}" for n in range(600)]
    db.save_many(
        [
            Thing(id=f"{n:03}", city=city, team="abc"[n % 3], age=n % 50, rank=n, code=f"x{n}", name=f"n{n}")
            for n, city in enumerate(cities)
        ]
    )
    return db


def key(rest: str) -> str:
    return f"explained@{rest}"


def test_a_page_of_a_composite_index(things: Any) -> None:
    told = things.find(Thing, Thing.city == "Oslo", Thing.age < 10).order_by(-Thing.age).limit(5).explain()
    assert isinstance(told, Explanation)
    (branch,) = [branch for _, branch in told.conditions.lines()]
    assert (branch.index, branch.keys, branch.drives) == ("city+age", (key("city+age:Oslo"),), True)
    assert branch.estimate == branch.rows == 60
    assert (told.order, told.order_by, told.driver) == ("index", ("-age",), (key("city+age:Oslo"),))
    assert (told.records, told.round_trips) == (5, 1)
    assert not any(key("city:Oslo") in work.keys or key("age") in work.keys for work in told.commands)
    assert sum(work.items for work in told.commands if work.command == "ZREVRANGE") <= 20


def test_the_smallest_condition_drives(things: Any) -> None:
    told = things.find(Thing, Thing.team == "a", Thing.city == "Rome", Thing.rank < 400).explain()
    assert told.model == "Thing"
    assert told.conditions.text == "all of"
    team, city, rank = told.conditions.parts
    assert [part.estimate for part in (told.conditions, team, city, rank)] == [6, 200, 6, 400]
    assert [part.rows for part in (told.conditions, team, city, rank)] == [2, 200, 6, 400]
    assert city.drives
    assert not rank.drives
    assert key("city:Rome") in told.driver
    assert (told.order, told.order_by, told.records) == (None, (), 2)


def test_an_order_is_read_or_sorted(things: Any) -> None:
    many = things.find(Thing, Thing.city == "Oslo").order_by(Thing.rank).limit(5).explain()
    assert (many.order, many.driver, many.records) == ("index", (key("rank"),), 5)
    few = things.find(Thing, Thing.city == "Rome").order_by(Thing.rank).limit(5).explain()
    assert (few.order, few.records) == ("sort", 5)
    assert things.find(Thing).order_by(Thing.team, Thing.rank).limit(5).explain().order == "sort"


@pytest.mark.parametrize(
    ("ask", "rows"),
    [
        (lambda: Thing.city != "Oslo", 300),
        (lambda: ~(Thing.city == "Oslo") | (Thing.rank == 1), 301),
        (lambda: Thing.city.in_(["Oslo", "Rome"]), 306),
        (lambda: Thing.code == "x7", 1),
        (lambda: Thing.code == "nobody", 0),
        (lambda: Thing.name.startswith("n59"), 11),
        (lambda: Thing.tags.contains("none"), 0),
        (lambda: (Thing.rank < 3) & ((Thing.team == "b") | (Thing.team == "a")), 2),
    ],
)
def test_each_condition_says_how_many_meet_it(things: Any, ask: Callable[[], Any], rows: int) -> None:
    told = things.find(Thing, ask()).explain()
    assert told.conditions.rows == told.records == rows
    for _, branch in told.conditions.lines():
        assert branch.estimate is None or branch.estimate >= (branch.rows or 0)
    assert told.conditions.text in str(told)
    guess = things.find(Thing, ask()).explain(analyze=False)
    assert guess.conditions.estimate == told.conditions.estimate
    assert (guess.records, guess.commands, guess.seconds, guess.conditions.rows) == (None, (), None, None)
    assert "not run" in str(guess)


def test_every_record(things: Any) -> None:
    told = things.find(Thing).explain(total=True)
    assert (told.conditions.estimate, told.conditions.rows, told.records) == (600, 600, 600)
    assert any(work.keys == ("explained:*",) and work.calls == 600 for work in told.commands)
    assert told.seconds is not None
    assert told.seconds > 0


def test_nothing_is_written(things: Any, raw: Callable[..., Any]) -> None:
    raw("DEL", "explained:001")
    before = keyspace(raw)
    assert things.find(Thing, Thing.city == "Oslo").explain().records == 299
    assert keyspace(raw) == before


def test_what_cannot_be_asked(db: Any) -> None:
    with pytest.raises(QueryError):
        db.find(Thing, Thing.team > "a").explain()


def test_more_records_than_one_reply_holds(db: Any) -> None:
    db.save_many([Thing(id=str(n), city="x", team="a", age=1, rank=n, code=str(n)) for n in range(1500)])
    assert db.find(Thing, Thing.city == "x").explain().round_trips == 2


def test_what_is_too_much_for_one_call(things: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redmodel.plan.explain.PIECES", (b"50", b"100"))
    told = things.find(Thing, Thing.city != "Oslo", Thing.rank >= 0).explain(total=True)
    assert (told.conditions.rows, told.records) == (300, 300)
    assert told.round_trips is not None
    assert told.round_trips >= 1
