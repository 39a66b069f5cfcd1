"""Texts in order and conditions through references, where random queries do not look: trips, damage, changed models."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from redmodel import (
    Field,
    Folded,
    Geo,
    Indexed,
    IndexNotReady,
    Model,
    Ordered,
    Point,
    QueryError,
    Ref,
    Refs,
    SchemaError,
    Text,
    via,
)

NAMES = ["Oslo", "oslo", "Osl", "", "\x00", "\x00a", "a\x1eb\x1f\x1d\x01", "é", "x" * 5000 + "a", "x" * 5000 + "b"]


class City(Model, prefix="ordered-cities"):
    id: str
    name: Ordered[str]
    nick: Folded[str | None] = Field(default=None)


class Person(Model, prefix="through-people"):
    id: str
    name: Indexed[str]
    home: Ref[City | None] = Field(default=None)
    boss: Ref[Person | None] = Field(default=None)


class Visit(Model, prefix="through-visits"):
    id: str
    who: Ref[Person | None] = Field(default=None)
    others: Refs[Person] = Field(default_factory=list)


@pytest.fixture
def cities(db: Any) -> list[City]:
    made = [City(id=f"{n}\x00:", name=name, nick=name) for n, name in enumerate(NAMES)]
    db.save_many(made)
    return made


def names(query: Any) -> list[str]:
    return [city.name for city in query]


def test_an_order_by_text_is_by_code_points_and_exact(db: Any, cities: list[City]) -> None:
    assert names(db.find(City).order_by(City.name)) == sorted(NAMES)
    assert names(db.find(City).order_by(-City.name).limit(3)) == sorted(NAMES, reverse=True)[:3]
    assert names(db.find(City, City.name.startswith("x" * 5000)).order_by(City.name)) == sorted(NAMES)[-3:-1]
    assert db.count(City, City.name == "x" * 5000 + "a") == 1
    assert sorted(names(db.find(City, City.nick == "OSLO"))) == ["Oslo", "oslo"]
    assert db.find(City).min(City.name) == "" and db.find(City).max(City.name) == "é"
    assert db.find(City, City.name.startswith("Os")).distinct(City.name) == ["Osl", "Oslo"]


def test_damage_to_the_order_is_found_and_mended(db: Any, cities: list[City], raw: Callable[..., Any]) -> None:
    assert db.check(City).clean
    raw("ZREM", "ordered-cities@name", b"Oslo\x000\x00:")
    raw(
        "ZADD",
        "ordered-cities@name",
        "0",
        b"Bergen\x001\x00:",
        "1",
        b"oslo\x001\x00:",
        "0",
        b"gone\x00nobody",
        "3",
        "odd",
    )
    raw("DEL", "ordered-cities:2\x00:")
    report = db.check(City)
    found = next(row for row in report.indexes if row.path == "name")
    assert (found.missing, found.misplaced, found.stale) == (1, 2, 4)
    db.repair(City)
    assert db.check(City).clean
    assert names(db.find(City, City.name.like("%sl%")).order_by(City.name)) == ["Oslo", "oslo"]
    db.delete_many(City, [city.id for city in cities])
    assert raw("EXISTS", "ordered-cities@name", "ordered-cities@nick", "ordered-cities@log") == 0


def test_what_changes_or_expires_leaves_the_order(db: Any, cities: list[City]) -> None:
    cities[0].name = "Rome"
    db.save(cities[0])
    db.update(City, cities[1].id, name="Romeo")
    db.save(cities[2], ttl=timedelta(milliseconds=1))
    time.sleep(0.005)
    assert names(db.find(City, City.name.startswith("Ro")).order_by(City.name)) == ["Rome", "Romeo"]
    assert db.count(City, City.name.like("Os%")) == 0 and db.count(City, City.name < "a") == 5


def test_the_mark_is_added_and_taken_away_while_records_are_there(db: Any) -> None:
    class Before(Model, prefix="ordered-evolution"):
        id: str
        name: Indexed[str]

    db.save_many(Before(id=name, name=name) for name in ("Oslo", "Rome"))

    class After(Model, prefix="ordered-evolution"):
        __qualname__ = Before.__qualname__
        id: str
        name: Ordered[str]

    with pytest.raises(IndexNotReady):
        db.find(After, After.name.startswith("O")).all()
    assert db.sync(After).ready
    db.save(Before(id="Ostia", name="Ostia"))  # an older version still writes
    assert sorted(db.find(After, After.name.startswith("O")).ids()) == ["Oslo", "Ostia"]
    assert db.sync(Before).ready
    assert db.count(Before, Before.name == "Ostia") == 1
    assert db.repair(Before).whole and db.check(Before).clean


def test_only_single_texts_have_an_order(db: Any) -> None:
    for annotation in (Ordered[int], Ordered[list[str]], Folded[bool]):
        with pytest.raises(SchemaError, match="Ordered"):
            type("Wrong", (Model,), {"__annotations__": {"field": annotation}, "__module__": __name__}, prefix="wrong")
    with pytest.raises(QueryError, match=r"Ordered\[str\]"):
        Person.name.startswith("a")
    with pytest.raises(QueryError, match=r"Ordered\[str\]"):
        db.find(Person, Person.name < "a").all()
    for wrong in (
        lambda: City.name.like("a\\"),
        lambda: City.name.like("a", escape="%"),
        lambda: City.name.like("a" * 1001),
    ):
        with pytest.raises(QueryError):
            db.find(City, wrong()).all()


def test_a_condition_through_references_is_one_round_trip(db: Any) -> None:
    db.save_many([City(id="o", name="Oslo"), City(id="r", name="Rome")])
    db.save_many([Person(id="ada", name="Ada", home="o"), Person(id="bob", name="Bob", home="r", boss="ada")])
    db.save_many(
        [Visit(id="1", who="ada"), Visit(id="2", who="bob", others=["ada"]), Visit(id="3"), Visit(id="4", who="x")]
    )
    wanted = {
        "1": Visit.who.name == "Ada",
        "2": Visit.who.boss.home.name.startswith("Os"),
        "134": Visit.who.name != "Bob",
        "12": Visit.who.home != None,
        "23": (via(Visit.others).name == "Ada") | (Visit.who == None),
        "34": ~(Visit.who.name.in_(["Ada", "Bob"])),
        "": (Visit.who.name == "Ada") & (Visit.who.home.name == "Rome"),
    }
    db.find(Visit, Visit.who.name == "Ada").all()  # the script is loaded
    for ids, condition in wanted.items():
        before = db._executor.round_trips
        assert "".join(sorted(db.find(Visit, condition).ids().all())) == ids, condition
        assert db._executor.round_trips == before + 1
        assert db.count(Visit, condition) == len(ids)
    assert db.find(Visit, Visit.who.name == "Ada").update(others=["bob"]) == 1
    assert db.find(Visit, Visit.who.name == "Bob").delete() == 1


def test_who_is_gone_meets_no_condition(db: Any, raw: Callable[..., Any]) -> None:
    people = [Person(id=str(n), name="Ada", boss="0") for n in range(4)]
    db.save_many(people)
    db.save_many(Visit(id=str(n), who=str(n), others=[str(n)]) for n in range(4))
    db.save(people[0], ttl=timedelta(milliseconds=1))
    db.delete(people[1])
    raw("DEL", "through-people:2")
    time.sleep(0.005)
    assert db.find(Visit, Visit.who.name == "Ada").ids().all() == ["3"]
    assert db.count(Visit, Visit.who.name == "Ada") == db.count(Visit, Visit.others.name == "Ada") == 1
    assert db.count(Visit, Visit.who.boss.name == "Ada") == 0
    assert db.check(Person).drift == 0 or db.repair(Person).whole


def test_a_reference_through_an_index_that_is_not_ready_is_refused(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many([Person(id="ada", name="Ada"), Visit(id="1", who="ada")])
    raw("HSET", "through-people@schema", "index:name", "-set str")
    with pytest.raises(IndexNotReady, match="Person"):
        db.find(Visit, Visit.who.name == "Ada").all()
    assert db.sync(Person).ready
    assert db.count(Visit, Visit.who.name == "Ada") == 1


class Cafe(Model, prefix="through-cafes"):
    id: str
    place: Geo[Point]
    about: Text[str]


class Review(Model, prefix="through-reviews"):
    id: str
    cafe: Ref[Cafe]


def test_places_and_words_are_asked_through_references(db: Any) -> None:
    db.save(Cafe(id="near", place=Point(lat=1.5, lon=1.5), about="a quick fox"))
    db.save(Cafe(id="far", place=Point(lat=50.5, lon=1.5), about="a dog"))
    db.save_many([Review(id="1", cafe="near"), Review(id="2", cafe="far")])
    near = Review.cafe.place.within(Point(lat=1.5, lon=1.5), 1000)
    assert db.find(Review, near).ids().all() == ["1"] and db.find(Review, ~near).ids().all() == ["2"]
    assert db.find(Review, Review.cafe.about.matches("fox")).ids().all() == ["1"]
    with pytest.raises(QueryError):
        Review.cafe.about.rank("fox")


def test_what_cannot_be_asked_through_a_reference(db: Any) -> None:
    with pytest.raises(QueryError):
        db.find(Visit).order_by(Visit.who.name)
    with pytest.raises(QueryError):
        db.find(Visit).group_by(Visit.who.name).count()
    with pytest.raises(QueryError):
        db.find(Person, Visit.who.name == "Ada")
    with pytest.raises(AttributeError):
        Visit.who.nothing
    with pytest.raises(QueryError):
        via("who")  # type: ignore[call-overload]
