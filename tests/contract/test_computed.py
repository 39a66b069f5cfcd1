"""Computed fields: stored and indexed at each save, and never different from what the record says."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pytest
from pydantic import computed_field

from redmodel import (
    EncodingError,
    Indexed,
    Model,
    QueryError,
    SchemaError,
    UnindexedField,
    UniqueViolation,
    computed,
)


class Person(Model, prefix="computed-people"):
    first: str
    last: str
    height: float = 2.0
    weight: float = 80.0

    @computed(index=True, depends_on=["first", "last"])
    def name(self) -> str:
        return f"{self.first} {self.last}"

    @computed(index=True, depends_on=["height", "weight"])
    def mass(self) -> float:
        return round(self.weight / self.height**2, 3)

    @computed(depends_on=["last"])
    def sorts_as(self) -> str | None:
        return self.last.casefold() or None


class Shop(Model, prefix="computed-shops"):
    title: str
    tags: list[str] = []

    @computed_field
    def slug(self) -> Indexed[str]:
        return self.title.lower().replace(" ", "-")

    @computed_field
    @cached_property
    def length(self) -> int:
        return len(self.title)

    @computed(index=True)
    def initials(self) -> list[str]:
        return [word[0] for word in self.title.split()]

    @computed(unique=True)
    def sign(self) -> str | None:
        return self.title[::-1] or None


class Careless(Model, prefix="computed-careless"):
    a: int
    b: int

    @computed(index=True, depends_on=["a"])
    def total(self) -> int:
        return self.a + self.b


def test_they_are_stored_asked_for_and_not_read_back(db: Any, raw: Any) -> None:
    db.save(Person(id="1", first="Ada", last="Lovelace"))
    assert raw("HMGET", "computed-people:1", "name", "mass", "sorts_as") == [b"Ada Lovelace", b"20.0", b"lovelace"]
    found = db.find(Person, Person.name == "Ada Lovelace", Person.mass >= 20).one()
    assert found == Person(id="1", first="Ada", last="Lovelace") and found.mass == 20.0
    raw("HSET", "computed-people:1", "name", "Somebody Else")
    assert db.get(Person, "1").name == "Ada Lovelace"
    assert [one.id for one in db.find(Person).order_by(-Person.mass).all()] == ["1"]


def test_each_save_works_them_out_anew(db: Any, raw: Any) -> None:
    db.save(Person(id="1", first="Ada", last="Lovelace"))
    person = db.get(Person, "1")
    person.last = ""
    db.save(person)
    assert raw("HGET", "computed-people:1", "sorts_as") is None
    assert db.count(Person, Person.name == "Ada Lovelace") == 0 and db.count(Person, Person.name == "Ada ") == 1
    person.weight = 100
    db.save(person)
    assert db.count(Person, Person.mass == 25) == 1 and db.count(Person, Person.mass == 20) == 0
    assert db.check(Person).clean


def test_an_update_without_a_read_writes_them_or_is_refused(db: Any, raw: Any) -> None:
    db.save(Person(id="1", first="Ada", last="Lovelace"))
    db.update(Person, "1", first="Ida", last="Noddack")
    assert db.count(Person, Person.name == "Ida Noddack") == 1 and db.count(Person, Person.name == "Ada Lovelace") == 0
    before = raw("HGETALL", "computed-people:1")
    for ask in (
        lambda: db.update(Person, "1", first="Eva"),
        lambda: db.increment(Person, "1", weight=1.0),
        lambda: db.update(Shop, "1", tags=["new"]),
    ):
        with pytest.raises(QueryError, match="compute"):
            ask()
    assert raw("HGETALL", "computed-people:1") == before and db.check(Person).clean


def test_pydantic_s_own_are_stored_and_indexed_too(db: Any, raw: Any) -> None:
    shop = Shop(id="1", title="Blue Door")
    assert shop.length == 9
    db.save(shop)
    assert raw("HMGET", "computed-shops:1", "slug", "length") == [b"blue-door", b"9"]
    assert db.find(Shop, Shop.slug == "blue-door").one() == shop
    assert db.count(Shop, Shop.initials.contains("D")) == 1
    assert [one.id for one in db.find(Shop).order_by(Shop.slug)] == ["1"]
    shop.title = "Red Door"
    db.save(shop)  # whatever a cached property still says
    assert raw("HGET", "computed-shops:1", "length") == b"8"
    assert db.find(Shop, Shop.slug == "blue-door").all() == []
    with pytest.raises(UniqueViolation) as caught:
        db.save(Shop(id="2", title="Red Door"))
    assert (caught.value.field, caught.value.owner) == ("sign", "1")
    assert db.check(Shop).clean


def test_one_that_looks_at_more_than_it_says_is_refused(db: Any, raw: Any) -> None:
    with pytest.raises(EncodingError, match=r"depends on a.*'b'"):
        db.save(Careless(id="1", a=1, b=2))
    assert raw("KEYS", "computed-careless*") in ([], [b"computed-careless@schema"])


def test_a_question_to_one_without_an_index_says_what_to_do(db: Any) -> None:
    with pytest.raises(UnindexedField, match="computed"):
        db.find(Person, Person.sorts_as == "lovelace")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="no field"):

        class Wrong(Model, prefix="computed-wrong"):
            @computed(depends_on=["nothing"])
            def x(self) -> int:
                return 1


class Weighed(Model, prefix="weighed"):
    level: Indexed[int]
    name: str = ""

    @computed(index=True, depends_on=["level"])
    def high(self) -> bool:
        return self.level > 3


def test_what_is_computed_follows_the_fields_that_are_written_and_no_others(db: Any) -> None:
    mine = Weighed(id="1", level=2)
    db.save(mine)
    loaded = db.get(Weighed, "1")
    db.update(Weighed, "1", level=4)
    for record in (mine, loaded):
        record.name += "x"
        db.save(record)  # tells nothing of the level, and so nothing of what follows from it
        assert [high.id for high in db.find(Weighed, Weighed.high == True)] == ["1"]
    mine.level = 3
    db.save(mine)  # not high, as when it was saved; but the stored record was
    assert db.find(Weighed, Weighed.high == True).all() == []
    assert db.check(Weighed).drift == 0
