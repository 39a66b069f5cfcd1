"""What a query gives for each record: on every back end the same fields, values and ids as the whole records have."""

from __future__ import annotations

import time
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, model_validator

from redmodel import TTL, Embedded, Indexed, Model
from redmodel.errors import DecodeError, EncodingError, MultipleFound, QueryError
from tests.contract.models import Address, Session, User, user


class Judged(Model, prefix="judged"):
    low: Indexed[int]
    high: int

    @model_validator(mode="after")
    def ordered(self) -> Judged:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Fleeting(Model, prefix="fleeting"):
    name: Indexed[str]
    otp: Annotated[str | None, TTL(milliseconds=40)] = None


@pytest.fixture
def people(db: Any) -> list[User]:
    records = [user(n, id=f"{n:02}", tags=["a"] * (n % 3), address=Address(street="s", city=f"C{n}")) for n in range(9)]
    db.save_many(records)
    return records


def test_values_are_those_of_the_records(db: Any, people: list[User]) -> None:
    query = db.find(User, User.age >= 22).order_by(User.age)
    wanted = [record for record in people if record.age >= 22]
    assert query.values(User.email, User.age).all() == [(u.email, u.age) for u in wanted]
    assert query.values("id", "bio", "address.city").all() == [(u.id, None, u.address.city) for u in wanted]
    assert query.values(User.address.city, User.tags).first() == (wanted[0].address.city, wanted[0].tags)
    assert query.ids().all() == [u.id for u in wanted]
    assert query.as_dicts(User.name, "address.street").all() == [
        {"name": u.name, "address.street": u.address.street} for u in wanted
    ]
    whole = query.as_dicts().first()
    assert whole == {name: getattr(wanted[0], name) for name in User.model_fields}


def test_every_terminal_gives_what_was_asked_for(db: Any, people: list[User]) -> None:
    query = db.find(User).order_by(User.age).ids()
    assert list(query) == [u.id for u in people]
    page = query.page(2, size=4)
    assert (page.items, page.total, page.pages) == ([u.id for u in people[4:8]], 9, 3)
    assert query.where(User.age == 20).one() == "00"
    assert query.where(User.age == 20).one_or_none() == "00"
    assert query.where(User.age == 99).one_or_none() is None
    with pytest.raises(MultipleFound):
        query.one_or_none()
    assert query.limit(2).offset(1).all() == ["01", "02"]
    assert query.count() == 9
    assert query.exists()


def test_more_than_one_batch_of_values(db: Any) -> None:
    db.save_many(user(n, id=f"{n:04}") for n in range(2_300))
    assert sorted(db.find(User).ids()) == [f"{n:04}" for n in range(2_300)]
    assert sorted(db.find(User, User.age >= 0).values(User.email)) == sorted(
        (f"u{n}@example.org",) for n in range(2_300)
    )


def test_only_gives_records_that_can_not_be_saved(db: Any, people: list[User]) -> None:
    part = db.find(User, User.age == 21).only(User.age, "bio").one()
    assert (part.id, part.age, part.bio) == ("01", 21, None)
    with pytest.raises(AttributeError):
        part.email
    with pytest.raises(EncodingError, match="only"):
        db.save(part)
    assert db.get(User, "01") == people[1]


def test_a_record_that_another_program_changed_or_deleted_is_left_out(db: Any, raw: Any, people: list[User]) -> None:
    raw("HSET", "users:03", "age", "77")
    raw("DEL", "users:04")
    query = db.find(User, User.age.between(22, 26)).order_by(User.age)
    assert query.ids().all() == ["02", "05", "06"]
    assert query.values(User.email).all() == [(people[n].email,) for n in (2, 5, 6)]


def test_fields_that_are_not_read_need_not_be_readable(db: Any, raw: Any, people: list[User]) -> None:
    raw("HSET", "users:03", "address", "broken")
    assert db.find(User, User.age == 23).values(User.age, User.email).one() == (23, people[3].email)
    with pytest.raises(DecodeError, match="address"):
        db.find(User, User.age == 23).values(User.address.city).one()


def test_validators_that_look_at_whole_records_still_judge(db: Any, raw: Any) -> None:
    db.save(Judged(id="j", low=1, high=2))
    assert db.find(Judged, Judged.low == 1).values("high").one() == (2,)
    raw("HSET", "judged:j", "high", "0")
    with pytest.raises(DecodeError):
        db.find(Judged, Judged.low == 1).values("high").one()


def test_a_field_that_expired_is_gone(db: Any) -> None:
    db.save(Fleeting(id="f", name="x", otp="123"))
    query = db.find(Fleeting, Fleeting.name == "x").values("otp")
    deadline = time.monotonic() + 5
    while query.one() != (None,):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert db.find(Fleeting).as_dicts().one() == {"id": "f", "name": "x", "otp": None}


@pytest.mark.parametrize(
    ("ask", "match"),
    [
        (lambda query: query.values(), "takes the fields"),
        (lambda query: query.only(), "takes the fields"),
        (lambda query: query.values("nothing"), "no field 'nothing'"),
        (lambda query: query.values("address.nothing"), r"no field 'address\.nothing'"),
        (lambda query: query.values("age.bit"), r"no field 'age\.bit'"),
        (lambda query: query.only(User.address.city), "whole fields"),
        (lambda query: query.values(Session.token), "a field of Session"),
        (lambda query: query.values(3), "not int"),
        (lambda query: query.ids().values("items"), "no field 'items'"),
    ],
)
def test_what_can_not_be_read_is_refused_before_anything_is_sent(db: Any, ask: Any, match: str) -> None:
    with pytest.raises(QueryError, match=match):
        ask(db.find(User))


class Line(BaseModel):
    sku: Indexed[str]
    amount: int


class Order(Model, prefix="projected-orders"):
    lines: Embedded[list[Line]]


def test_a_path_through_a_collection_gives_a_list(db: Any) -> None:
    db.save(Order(lines=[Line(sku="a", amount=1), Line(sku="b", amount=2)]))
    assert db.find(Order, Order.lines.sku == "a").values("lines.sku", "lines.amount").one() == (["a", "b"], [1, 2])
    with pytest.raises(QueryError, match="as text"):
        db.find(Order).values(Order.lines.sku)
