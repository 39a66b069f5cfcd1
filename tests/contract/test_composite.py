"""Composite indexes: kept right by every write, asked where they fit, and built, filled and mended like others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from redmodel import Embedded, Field, Indexed, Model, Ref, Unique
from redmodel.errors import EncodingError, QueryError, SchemaError
from redmodel.model import Compare
from redmodel.plan.find import Selection, compiled


class Home(BaseModel):
    street: Indexed[str]
    floor: Indexed[int | None] = Field(default=None)


class Firm(Model, prefix="composite-firms"):
    id: str


class Person(
    Model,
    prefix="composite-people",
    index_together=[("city", "age"), ("city", "team", "born"), ("home.street", "home.floor"), ("firm", "age")],
):
    id: str
    city: Indexed[str | None]
    age: Indexed[int]
    team: Indexed[int] = Field(default=0)
    born: Indexed[date | None] = Field(default=None)
    home: Embedded[Home | None] = Field(default=None)
    firm: Ref[Firm | None] = Field(default=None, on_delete="set_null")
    note: str = ""


def words(*conditions: Any, by: Any = ()) -> tuple[list[bytes], list[bytes]]:
    """The keys of a query's program but the first two, and the kinds of its words."""
    made = compiled(Selection(Person, conditions, (by,) if by else ()), by_id=False, plain=False)
    return made.program.keys[2:], made.conditions


def people() -> list[Person]:
    cities = ["Oslo", "a,b", "a%2Cb", "~x", "é" * 60, "", None]
    return [
        Person(id=f"{n:02}", city=cities[n % 7], age=n * 7 % 10, team=n // 7 % 2, born=born)
        for n in range(70)
        for born in [date(2000, 1, n % 28 + 1) if n % 5 else None]
    ]


def test_a_page_comes_from_one_sorted_set() -> None:
    side = b"composite-people@"
    assert words(Person.city == "Oslo", Person.age > 3) == ([side + b"city+age:Oslo"], [b"#", b"3", b"(3", b"+inf"])
    assert words(Person.city == "Oslo", Person.age.between(1, 5), Person.age < 5)[1] == [b"#", b"3", b"1", b"(5"]
    assert words(Person.city == "Oslo", Person.age == 4)[1] == [b"#", b"3", b"4", b"4"]
    assert words(Person.city == "Oslo", by=-Person.age)[1] == [b"#", b"3", b"-inf", b"+inf"]
    three = words(Person.city == "Oslo", Person.team == 1, Person.born > date(1970, 1, 2), Person.age > 2)
    assert three[0][0] == side + b"city+team+born:Oslo,1"
    assert three[1] == [b"&", b"2", b"#", b"3", b"(1", b"+inf", b"#", b"4", b"(2", b"+inf"]
    assert words(Person.home.street == "x", Person.home.floor >= 1)[0] == [side + b"home.street+home.floor:x"]


def test_other_queries_go_as_before() -> None:
    for query in (
        words(Person.city == "Oslo"),
        words(Person.age > 3),
        words((Person.city == "Oslo") | (Person.age > 3)),
        words(Person.city != "Oslo", Person.age > 3),
        words(Person.city == None, Person.age > 3),
        words(Person.city.in_(["a", "b"]), Person.age > 3),
        words(Person.city == "Oslo", Person.age != 3),
        words(Person.city == "Oslo", Person.team == 1, by=+Person.born),  # born may be None: those would be left out
    ):
        assert not any(b"+" in key for key in query[0])


def test_answers_are_those_of_python(db: Any) -> None:
    records = people()
    db.save_many(records)
    for city in {record.city for record in records}:
        for low in (0, 4):
            found = db.find(Person, Person.city == city, Person.age >= low).order_by(-Person.age, Person.id)
            wanted = [record for record in records if record.city == city and record.age >= low]
            wanted.sort(key=lambda record: (-record.age, record.id))
            assert found.all() == wanted
            assert found.count() == found.page().total == len(wanted)
            assert found.page(2, size=3).items == wanted[3:6]
            assert found.sum(Person.age) == sum(record.age for record in wanted)
            first = found.after(size=2)
            assert first.items + (found.after(first.next, size=2).items if first.next else []) == wanted[:4]
            young = Person.born > date(2000, 1, 9)
            some = db.find(Person, Person.city == city, Person.team == 1, Person.age >= low, young)
            assert {record.id for record in some} == {
                one.id for one in wanted if one.team == 1 and one.born is not None and one.born > date(2000, 1, 9)
            }


def test_every_write_keeps_it(db: Any, raw: Callable[..., Any]) -> None:
    firm = Firm(id="f")
    db.save(firm)
    db.save(Person(id="1", city="Oslo", age=3, home=Home(street="s", floor=2), firm=firm))

    assert db.find(Person, Person.firm == firm, Person.age == 3).count() == 1
    db.update(Person, "1", age=5)
    assert db.find(Person, Person.city == "Oslo", Person.age > 4).one().age == 5
    person = db.get(Person, "1")
    person.city = "Rome"
    db.save(person)
    assert db.find(Person, Person.city == "Oslo", Person.age > 0).all() == []
    assert db.find(Person, Person.city == "Rome", Person.age > 0).count() == 1
    db.update(Person, "1", home=None)
    assert db.find(Person, Person.home.street == "s", Person.home.floor > 0).all() == []
    with pytest.raises(QueryError, match="indexed together"):
        db.increment(Person, "1", age=1)
    with pytest.raises(QueryError, match="indexed together"):
        db.find(Person).update(age=1)
    db.delete(Firm, "f")
    assert db.get(Person, "1").firm is None
    assert db.find(Person, Person.firm == firm, Person.age > 0).all() == []
    assert db.check(Person).clean
    db.update(Person, "1", city=None)
    assert db.find(Person, Person.city == "Rome", Person.age > 0).all() == []
    assert db.check(Person).clean
    db.delete(Person, "1")
    assert db.check(Person).clean
    assert not [name for name in raw("KEYS", "composite-people*") if b"+" in name]


def test_drift_is_found_and_repaired(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many(people())
    raw("ZADD", "composite-people@city+age:Oslo", 99, "00")
    raw("ZREM", "composite-people@city+age:Oslo", "07")
    raw("ZADD", "composite-people@city+age:Nowhere", 1, "01")
    assert not db.check(Person).clean
    db.repair(Person)
    assert db.check(Person).clean
    assert db.find(Person, Person.city == "Oslo", Person.age < 99).count() == 10


def test_a_record_that_went_is_not_given_and_its_entry_goes(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many(people())
    raw("DEL", "composite-people:00")
    query = db.find(Person, Person.city == "Oslo", Person.age >= 0).order_by(Person.age)
    assert "00" not in [record.id for record in query.page().items]
    assert query.count() == 9
    assert raw("ZSCORE", "composite-people@city+age:Oslo", "00") is None


def tree_of(version: int) -> Any:
    """The model Tree before it had the composite index, and with it: one name, so that it is one model."""
    if version == 1:

        class Tree(Model, prefix="composite-trees"):
            id: str
            wood: Indexed[str]
            height: Indexed[int]

        return Tree

    class Tree(Model, prefix="composite-trees", index_together=[("wood", "height")]):  # type: ignore[no-redef]
        id: str
        wood: Indexed[str]
        height: Indexed[int]

    return Tree


def test_queries_go_on_while_it_does_not_hold_every_record(db: Any, raw: Callable[..., Any]) -> None:
    old = tree_of(1)
    db.save_many([old(id=str(n), wood="ash", height=n) for n in range(8)])
    tree = tree_of(2)
    db.save(tree(id="8", wood="ash", height=8))
    high = db.find(tree, tree.wood == "ash", tree.height > 3).order_by(-tree.height)
    ids = ["8", "7", "6", "5", "4"]
    first = high.after(size=2)
    assert [one.id for one in high] == ids
    assert (high.count(), high.sum(tree.height)) == (5, 30)
    assert db.sync(tree).ready
    assert raw("ZCARD", "composite-trees@wood+height:ash") == 9
    assert [one.id for one in high] == ids
    assert [one.id for one in first.items + high.after(first.next).items] == ids
    assert (high.count(), high.sum(tree.height)) == (5, 30)
    old.__redmodel_schema__ = None
    db.save(tree_of(1)(id="9", wood="ash", height=9))  # what an older program writes is entered before it is asked
    assert [one.id for one in high] == ["9", *ids]
    assert db.check(tree).clean


def test_what_cannot_be_indexed_together() -> None:
    for groups in (
        ["city"],
        [("city",)],
        [("city", "city")],
        [("city", "nothing")],
        [("city", "plain")],
        [("city", "tags")],
        [("tags", "age")],
        [("age", "city")],
        [("email", "age")],
        [("id", "age")],
        [("city", "age"), 3],
        "city",
    ):
        with pytest.raises(SchemaError):

            class Refused(Model, prefix="refused-composites", index_together=groups):  # type: ignore[arg-type]
                city: Indexed[str]
                age: Indexed[int]
                email: Unique[str]
                plain: int = 0
                tags: Indexed[list[str]] = Field(default_factory=list)

    with pytest.raises(SchemaError, match="already"):

        class Twice(Model, prefix="refused-twice", index_together=[("a", "b")], unique_together=[("a", "b")]):
            a: Indexed[int]
            b: Indexed[int]


def test_its_own_name_is_no_field() -> None:
    with pytest.raises(QueryError, match="each of them"):
        words(Compare("city+age", "==", "Oslo,3", Person))


def test_a_value_without_a_place_is_refused(db: Any) -> None:
    with pytest.raises(EncodingError, match=r"2\*\*53"):
        db.save(Person(id="1", city="Oslo", age=2**53 + 1))
    assert db.count(Person) == 0
