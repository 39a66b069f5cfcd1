"""References: what they hold, how they are stored and found, and how their records are loaded, on every back end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, ValidationError

from redmodel import Embedded, Field, Indexed, Key, Link, Model, NotFound, NotLoaded, QueryError, Ref, Refs, SchemaError


class Country(BaseModel):
    name: str = ""
    capital: Ref[Town]


class Town(Model, prefix="rel-towns"):
    name: Indexed[str] = ""
    mayor: Ref[Person | None] = Field(default=None)


class Person(Model, prefix="rel-people"):
    name: Indexed[str] = ""
    home: Ref[Town]
    friends: Refs[Person] = Field(default_factory=list)
    parent: Ref[Person | None] = Field(default=None)
    country: Embedded[Country | None] = Field(default=None)


class Parcel(Model, prefix="rel-parcels"):
    person: Ref[Person]
    weight: Indexed[int] = 1


class Numbered(Model, prefix="rel-numbered"):
    id: int


class Coded(Model, prefix="rel-coded"):
    code: Key[UUID] = Field(default_factory=uuid4)


class Dated(Model, prefix="rel-dated"):
    day: Key[date]


class Timed(Model, prefix="rel-timed"):
    id: datetime


class Odd(Model, prefix="rel-odd"):
    number: Ref[Numbered | None] = Field(default=None)
    numbers: Refs[Numbered] = Field(default_factory=list)
    coded: Ref[Coded | None] = Field(default=None)
    codes: Refs[Coded] = Field(default_factory=list)
    dated: Ref[Dated | None] = Field(default=None)
    timed: Ref[Timed | None] = Field(default=None)


def town(n: int, **changes: Any) -> Town:
    return Town(**{"id": f"t{n}", "name": f"T{n}", **changes})


def person(n: int, **changes: Any) -> Person:
    return Person(**{"id": f"p{n}", "name": f"P{n}", "home": f"t{n % 3}", **changes})


def filled(db: Any) -> list[Parcel]:
    """Three towns with mayors, nine people who live there, thirty parcels of theirs."""
    towns = [town(n, mayor=f"p{n}") for n in range(3)]
    people = [
        person(n, friends=[f"p{(n + 1) % 9}", f"p{(n + 2) % 9}"], parent=f"p{n - 1}" if n else None) for n in range(9)
    ]
    parcels = [Parcel(id=f"x{n:02}", person=people[n % 9], weight=n) for n in range(30)]
    for records in (towns, people, parcels):
        db.save_many(records)
    return parcels


class Trips:
    """Counts the batches that a handle sends."""

    def __init__(self, db: Any) -> None:
        handle = getattr(db, "_database", db)
        self._inner = handle._executor
        handle._executor = handle._writer = self
        self.count = 0

    def execute(self, batch: Any) -> Any:
        self.count += 1
        return self._inner.execute(batch)

    def close(self) -> Any:
        return self._inner.close()

    @property
    def round_trips(self) -> int:
        found, self.count = self.count, 0
        return found


def test_a_reference_is_kept_as_the_id_and_read_back_equal(db: Any, raw: Callable[..., Any]) -> None:
    oslo = town(1)
    ada = person(1, home=oslo, friends=["~odd\x00", oslo.mayor or "p2"])
    assert ada.home.value is oslo and ada.home.loaded
    db.save(ada)
    assert raw("HGET", "rel-people:p1", "home") == b"t1"
    assert raw("HGET", "rel-people:p1", "friends") == b'["~odd\\u0000","p2"]'
    assert raw("SMEMBERS", "rel-people@home:t1") in ({b"p1"}, [b"p1"])
    again = db.get(Person, "p1")
    assert again == ada and again.home.id == "t1" and not again.home.loaded and again.parent is None
    assert again.home == ada.home and {again.home} == {ada.home}
    assert db.find(Person, Person.friends.contains("~odd\x00")).one() == ada
    assert db.check(Person).clean


def test_the_way_back(db: Any) -> None:
    filled(db)
    t1, p1 = db.get(Town, "t1"), db.get(Person, "p1")
    assert {p.id for p in db.find(Person, Person.home == t1)} == {"p1", "p4", "p7"}
    assert db.count(Person, Person.home == "t1") == db.count(Person, Person.home == p1.home) == 3
    assert db.count(Person, Person.home.in_([t1, "t2"])) == 6 and db.count(Person, Person.home != "t1") == 6
    assert {p.id for p in db.find(Person, Person.friends.contains(p1))} == {"p0", "p8"}
    assert [p.id for p in db.find(Person, Person.parent == None)] == ["p0"]
    assert db.count(Person, Person.parent.is_null()) == 1
    assert db.find(Parcel, Parcel.person == p1, Parcel.weight > 5).order_by(-Parcel.weight).first().id == "x28"


def test_a_reference_that_changes_moves_in_its_index(db: Any) -> None:
    filled(db)
    p1 = db.get(Person, "p1")
    p1.home, p1.parent = "t2", None
    db.save(p1)
    db.update(Person, "p4", home=town(0), friends=["p1"])
    assert {p.id for p in db.find(Person, Person.home == "t1")} == {"p7"}
    assert db.count(Person, Person.home == "t2") == 4 and db.count(Person, Person.home == "t0") == 4
    assert db.count(Person, Person.parent == None) == 2
    assert {p.id for p in db.find(Person, Person.friends.contains("p1"))} == {"p0", "p4", "p8"}
    assert db.check(Person).clean


def test_every_type_of_id_can_be_referred_to(db: Any) -> None:
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    coded = Coded()
    odd = Odd(
        number=7, numbers=[1, -2], coded=coded, codes=[coded, uuid4()], dated=date(2026, 3, 1), timed=Timed(id=moment)
    )
    db.save_many([Numbered(id=7), coded, Dated(day=date(2026, 3, 1)), Timed(id=moment)])
    db.save(odd)
    back = db.get(Odd, odd.id)
    assert back == odd
    assert (back.number.id, back.numbers[1].id, back.coded.id, back.dated.id) == (7, -2, coded.code, date(2026, 3, 1))
    assert back.timed.id == moment
    assert (
        db.count(Odd, Odd.number == 7, Odd.codes.contains(coded), Odd.timed == moment, Odd.dated == date(2026, 3, 1))
        == 1
    )
    db.prefetch([back], Odd.number, Odd.numbers, Odd.coded, Odd.codes, Odd.dated, Odd.timed)
    assert back.coded.value == coded and back.timed.value.id == moment and back.number.value.id == 7
    assert [link.missing for link in back.numbers] == [True, True] and back.codes[1].missing


def test_a_link_that_is_not_loaded_says_how_to(db: Any) -> None:
    filled(db)
    parcel = db.get(Parcel, "x01")
    with pytest.raises(NotLoaded, match=r"prefetch") as caught:
        _ = parcel.person.value
    assert (caught.value.model, caught.value.id) == ("Person", "p1")
    assert db.load(parcel.person).name == "P1" and parcel.person.value.name == "P1"
    db.delete(Person, "p2")
    lost = db.get(Parcel, "x02")
    with pytest.raises(NotFound, match="leads nowhere") as missing:
        db.load(lost.person)
    assert (missing.value.model, missing.value.id) == ("Person", "p2")
    assert lost.person.missing and lost.person.loaded
    db.save(person(2))
    assert db.load(lost.person).id == "p2"


def test_prefetch_takes_one_trip_a_level_and_loads_each_target_once(db: Any) -> None:
    filled(db)
    trips = Trips(db)
    found = (
        db.find(Parcel).order_by(Parcel.weight).prefetch(Parcel.person, Person.home, Person.friends, Town.mayor).all()
    )
    assert trips.round_trips == 4
    assert found[0].person.value is found[9].person.value
    assert [p.person.value.home.value.name for p in found[:4]] == ["T0", "T1", "T2", "T0"]
    assert found[0].person.value.home.value.mayor.value.name == "P0"
    assert [f.value.id for f in found[7].person.value.friends] == ["p8", "p0"]
    one = db.get(Parcel, "x05", prefetch=[Parcel.person])
    assert trips.round_trips == 2 and one.person.value.name == "P5"
    several = db.get_many(Parcel, ["x05", "none", "x06"], prefetch=[Parcel.person, Person.home])
    assert trips.round_trips == 3 and several[1] is None and several[2].person.value.home.value.id == "t0"
    page = db.find(Parcel).prefetch(Parcel.person).page(size=5)
    assert trips.round_trips == 2 and all(parcel.person.loaded for parcel in page.items)
    listed = [parcel.person.value.id for parcel in db.find(Parcel, Parcel.weight < 3).prefetch(Parcel.person)]
    assert trips.round_trips == 2 and sorted(listed) == ["p0", "p1", "p2"]
    assert db.prefetch(found, Parcel.person, Person.home) is not found and trips.round_trips == 0


def test_one_reference_followed_again_and_again(db: Any) -> None:
    filled(db)
    trips = Trips(db)
    p8 = db.get(Person, "p8", prefetch=[Person.parent] * 3)
    assert trips.round_trips == 4
    third = p8.parent.value.parent.value.parent.value
    assert third.id == "p5" and not third.parent.loaded


def test_a_thousand_targets_take_one_trip_more_for_each_thousand(db: Any) -> None:
    db.save_many(Numbered(id=n) for n in range(1500))
    db.save(Odd(id="many", numbers=list(range(1500))))
    trips = Trips(db)
    odd = db.get(Odd, "many", prefetch=[Odd.numbers])
    assert trips.round_trips == 3 and [link.value.id for link in odd.numbers] == list(range(1500))


def test_references_inside_a_nested_model(db: Any, raw: Callable[..., Any]) -> None:
    db.save(town(1))
    db.save(person(1, country=Country(name="No", capital="t1")))
    db.save(person(2))
    assert raw("HGET", "rel-people:p1", "country") == b'{"name":"No","capital":"t1"}'
    found = db.find(Person, Person.country.capital == "t1").prefetch(Person.country.capital).one()
    assert found.country.capital.value.name == "T1"
    assert db.prefetch([found, db.get(Person, "p2")], Person.country.capital)[1].country is None


def test_only_some_fields_can_be_read_beside(db: Any) -> None:
    filled(db)
    found = db.find(Parcel, Parcel.weight == 4).prefetch(Parcel.person).only(Parcel.weight).one()
    assert found.weight == 4 and found.person.value.name == "P4"
    assert db.find(Parcel, Parcel.weight == 4).values(Parcel.person).one()[0].id == "p4"
    for query in (lambda q: q.prefetch(Parcel.person).ids(), lambda q: q.values(Parcel.weight).prefetch(Parcel.person)):
        with pytest.raises(QueryError, match="leave one out"):
            query(db.find(Parcel))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ((Parcel.weight,), "no reference"),
        ((Person.home,), "can't be followed from records of Parcel"),
        ((Parcel.person, Town.mayor), "can't be followed"),
        (("person",), "takes references"),
    ],
)
def test_what_can_not_be_followed_is_refused_unasked(db: Any, fields: tuple[Any, ...], why: str) -> None:
    with pytest.raises(QueryError, match=why):
        db.find(Parcel).prefetch(*fields)
    with pytest.raises(QueryError, match=why):
        db.prefetch([Parcel(person="p1")], *fields)


@pytest.mark.parametrize(
    "given",
    [None, "", 5, {"id": "t1"}, ["t1"], Numbered(id=1), Odd(number=1).number, "x" * 513],
    ids=["None", "empty", "int", "dict", "list", "other model", "other link", "long"],
)
def test_what_is_no_reference_is_refused(db: Any, given: Any) -> None:
    with pytest.raises(ValidationError):
        Person(home=given)
    ada = person(1)
    with pytest.raises(ValidationError):
        ada.home = given
    if given is not None:
        with pytest.raises(QueryError):
            db.find(Person, Person.home == given).all()


def test_a_reference_can_not_be_ordered_by(db: Any) -> None:
    with pytest.raises(QueryError, match="ordered"):
        db.find(Person).order_by(Person.home)
    with pytest.raises(QueryError, match="compared"):
        db.find(Person, Person.home < "x").all()


@pytest.mark.parametrize("wanted", [str, "str | None", list, Model, "Town | Person", "None"])
def test_a_reference_leads_to_one_model(wanted: Any) -> None:
    with pytest.raises(SchemaError, match="refers to no model"):

        class Wrong(Model, prefix="rel-wrong"):
            x: Ref[eval(wanted) if isinstance(wanted, str) else wanted]


def test_links_are_ids_to_the_outside() -> None:
    ada = person(1, friends=["p2"])
    assert ada.model_dump() == {
        "id": "p1",
        "name": "P1",
        "home": "t1",
        "friends": ["p2"],
        "parent": None,
        "country": None,
    }
    assert Person.model_validate_json(ada.model_dump_json()) == ada
    shown = Person.model_json_schema()["properties"]
    assert shown["home"] == {"title": "Home", "type": "string"}
    assert shown["parent"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert shown["friends"]["items"] == {"type": "string"}
    assert Odd.model_json_schema()["properties"]["codes"]["items"] == {"type": "string", "format": "uuid"}
    assert isinstance(ada.home, Link) and repr(ada.home) == "<Link Town 't1' not loaded>"


def test_links_are_copied_and_pickled_as_they_are() -> None:
    import copy
    import pickle

    loaded, bare = person(1, home=town(1)), person(1)
    for again in (pickle.loads(pickle.dumps(loaded)), copy.deepcopy(loaded), loaded.model_copy(deep=True)):
        assert again == loaded and again.home.value == loaded.home.value
    for again in (pickle.loads(pickle.dumps(bare)), copy.deepcopy(bare)):
        assert again == bare and not again.home.loaded and again.home.id == "t1"
