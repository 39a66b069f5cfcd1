"""Queries: on every back end the same answers as evaluating the conditions one record at a time in Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from redmodel import Model
from redmodel.errors import MultipleFound, NotFound, QueryError, UnindexedField
from redmodel.model import Condition, matches
from tests.contract.models import Address, Session, User, user

CITIES = ["Oslo", "Rome", "London", "Kyōto", ""]
START = datetime(2026, 1, 1, tzinfo=UTC)


def a_user(rng: random.Random, n: int) -> User:
    return user(
        n,
        id=f"{n:03}",
        age=rng.randrange(10),
        name=rng.choice("ABC"),
        active=rng.random() < 0.5,
        score=rng.choice([None, 0.1, -2.5, float("inf"), 3.0]),
        joined=rng.choice([None, START + timedelta(days=rng.randrange(5))]),
        nickname=rng.choice([None, "", "None", "~null", "x" * 200, "x" * 199 + "y"]),
        tags=rng.sample(["a", "b", "c"], rng.randrange(4)),
        address=Address(street="s", city=rng.choice(CITIES)),
    )


def a_condition(rng: random.Random, depth: int = 0) -> Condition:
    if depth < 3 and rng.random() < 0.45:
        one, two = a_condition(rng, depth + 1), a_condition(rng, depth + 1)
        return rng.choice([one & two, one & two, one | two, ~one])
    age, score = rng.randrange(-1, 11), rng.choice([0.1, -2.5, 0.0, float("inf"), float("-inf")])
    nickname = rng.choice([None, "", "None", "~null", "x" * 200, "nobody"])
    day = START + timedelta(days=rng.randrange(5))
    return rng.choice(
        [
            User.age == age,
            User.age != age,
            User.age < age,
            User.age <= age,
            User.age > age,
            User.age >= age,
            User.age.between(2, age),
            User.age.in_([1, 2, age]),
            User.score >= score,
            User.score < score,
            User.score == None,
            User.name == rng.choice("ABCD"),
            User.name != "A",
            User.name.in_(rng.sample("ABCD", rng.randrange(4))),
            User.name.not_in(["A"]),
            User.active == True,
            User.joined >= day,
            User.joined.is_null(),
            User.nickname == nickname,
            User.nickname.in_([nickname, "None"]),
            User.tags.contains(rng.choice("abcd")),
            User.address.city == rng.choice(CITIES),
            User.email == f"u{rng.randrange(80)}@example.org",
            User.email.in_(["u1@example.org", "u2@example.org", "no"]),
        ]
    )


@pytest.fixture
def people(db: Any) -> list[User]:
    rng = random.Random(1)
    records = [a_user(rng, n) for n in range(60)]
    db.save_many(records)
    return records


def test_random_conditions_give_what_python_gives(db: Any, people: list[User]) -> None:
    rng = random.Random(2)
    for _ in range(150):
        condition = a_condition(rng)
        expected = sorted(u.id for u in people if matches(condition, u))
        assert db.find(User, condition).count() == len(expected), condition
        assert sorted(u.id for u in db.find(User, condition).all()) == expected, condition
        size = rng.randrange(1, 20)
        page = db.find(User, condition).page(2, size=size)
        assert ([u.id for u in page.items], page.total) == (expected[size : 2 * size], len(expected)), condition


def test_random_orders_give_what_python_gives(db: Any, people: list[User]) -> None:
    rng = random.Random(3)

    def key(u: User, path: str) -> Any:
        value = getattr(u, path)
        return value.encode() if isinstance(value, str) else value

    for _ in range(80):
        conditions = [a_condition(rng, 2) for _ in range(rng.randrange(3))]
        paths = rng.sample(["age", "score", "joined", "name", "email", "nickname"], rng.choice([1, 1, 1, 2]))
        downs = [rng.random() < 0.5 for _ in paths]
        expected = [u for u in people if all(matches(c, u) for c in conditions)]
        expected.sort(key=lambda u: u.id, reverse=downs[-1])
        for path, down in reversed(list(zip(paths, downs, strict=True))):
            there = [u for u in expected if key(u, path) is not None]
            there.sort(key=lambda u: key(u, path), reverse=down)
            expected = there + [u for u in expected if key(u, path) is None]
        orders = [-getattr(User, p) if down else getattr(User, p) for p, down in zip(paths, downs, strict=True)]
        offset, limit = rng.randrange(5), rng.randrange(1, 12)
        query = db.find(User, *conditions).order_by(*orders)
        found = query.offset(offset).limit(limit).all()
        assert [u.id for u in found] == [u.id for u in expected[offset : offset + limit]], (conditions, paths, downs)
        assert [u.id for u in query] == [u.id for u in expected]


def test_first_one_exists(db: Any, people: list[User]) -> None:
    assert db.find(User).order_by(User.email).first().email == "u0@example.org"
    assert db.find(User, User.email == "nobody").first() is None
    assert db.find(User, User.email == "u3@example.org").one() == people[3]
    assert db.find(User, User.age >= 0).exists() is True
    assert db.find(User, User.age > 100).exists() is False
    with pytest.raises(NotFound):
        db.find(User, User.age > 100).one()
    with pytest.raises(MultipleFound) as caught:
        db.find(User).one()
    assert caught.value.total == 60


def test_more_records_than_one_reply_carries(db: Any) -> None:
    db.save_many(user(n, id=f"{n:04}", name="many") for n in range(2500))
    assert len(db.find(User, User.name == "many").all()) == 2500
    assert [u.id for u in db.find(User).order_by(-User.email).limit(1200)][:2] == ["0009", "0099"]  # "@" > "9"
    assert sum(1 for _ in db.find(User)) == 2500
    assert len(db.find(User).offset(2400).all()) == 100
    assert db.find(User).page(25, size=100).items[-1].id == "2499"


def test_pages_neither_skip_nor_repeat(db: Any, people: list[User]) -> None:
    seen: list[str] = []
    number = 1
    while True:
        page = db.find(User, User.active == True).order_by(User.age).page(number, size=7)
        seen += [u.id for u in page.items]
        if not page.has_next:
            break
        number += 1
    assert sorted(seen) == sorted(u.id for u in people if u.active) and number == page.pages


def test_stale_entries_are_never_returned_and_are_repaired(
    db: Any, people: list[User], raw: Callable[..., Any]
) -> None:
    for n in (0, 7, 14):
        raw("DEL", f"users:{n:03}")  # another program
    found = db.find(User).order_by(User.age).all()
    assert len(found) == 57
    assert db.count(User) == 57
    page = db.find(User).page(1, size=10)
    assert page.total == 57 and len(page.items) == 10


def test_a_record_changed_by_another_program_is_not_returned_under_its_old_value(
    db: Any, people: list[User], raw: Callable[..., Any]
) -> None:
    one = next(u for u in people if u.name == "A")
    raw("HSET", f"users:{one.id}", "name", "B")
    assert one.id not in {u.id for u in db.find(User, User.name == "A")}


def test_questions_that_cannot_be_answered(db: Any) -> None:
    with pytest.raises(QueryError):
        db.find(User, User.bio == "x")
    with pytest.raises(QueryError):
        db.find(User, User.name < "x").all()
    with pytest.raises(UnindexedField):
        from redmodel.model import Compare

        db.find(User, Compare("bio", "==", "x")).all()
    with pytest.raises(QueryError):
        db.find(User, User.age == "many").all()
    with pytest.raises(QueryError):
        db.find(User, Session.user == "x").all()
    with pytest.raises(QueryError):
        db.find(User).limit(-1)
    with pytest.raises(QueryError):
        db.find(User).page(0)
    with pytest.raises(QueryError):
        db.find(User).order_by(User.tags).all()


def test_another_models_field_is_refused_wherever_a_field_is_named(db: Any) -> None:
    query, theirs = db.find(User), Session.token
    for ask in (
        lambda: query.where(theirs == "x"),
        lambda: query.order_by(-theirs),
        lambda: query.order_by((+theirs).nulls_first()),
        lambda: query.sum(theirs),
        lambda: query.avg(theirs),
        lambda: query.min(theirs),
        lambda: query.max(theirs),
        lambda: query.distinct(theirs),
        lambda: query.facets(User.age, theirs),
        lambda: query.histogram(theirs, 5),
        lambda: query.group_by(theirs).count(),
        lambda: query.group_by(User.name).sum(theirs),
        lambda: query.values(theirs),
        lambda: query.only(theirs),
        lambda: query.as_dicts(theirs),
    ):
        with pytest.raises(QueryError, match="Session"):
            ask()


def test_nulls_first_and_last(db: Any) -> None:
    for n, score in enumerate([None, 2.0, 1.0, None]):
        db.save(user(n, id=str(n), score=score, active=n < 2))
    ids = [
        [u.id for u in db.find(User).order_by(order)]
        for order in (
            User.score.nulls_first(),
            -User.score.nulls_first(),
            (-User.score).nulls_first(),
            User.score.nulls_last(),
            -User.score,
        )
    ]
    assert ids == [list("0321"), list("3012"), list("3012"), list("2103"), list("1230")]
    mixed = db.find(User).order_by(User.active, (-User.score).nulls_first())
    assert [u.id for u in mixed] == list("3201") and [u.id for u in mixed.limit(2).offset(1)] == list("20")


def test_any_of_and_all_of(db: Any) -> None:
    for n, tags in enumerate([[], ["a"], ["a", "b"], ["b", "c"]]):
        db.save(user(n, id=str(n), tags=tags))

    def ids(condition: Condition) -> str:
        return "".join(sorted(u.id for u in db.find(User, condition)))

    assert (ids(User.tags.any_of(["a", "c"])), ids(User.tags.any_of([]))) == ("123", "")
    assert (ids(User.tags.all_of(["a", "b"])), ids(User.tags.all_of([])), ids(~User.tags.all_of([]))) == (
        "2",
        "0123",
        "",
    )
    assert ids(User.age.any_of([20, 22])) == "02"
    for wrong in (User.tags.any_of, User.tags.all_of, User.name.in_):
        with pytest.raises(QueryError, match="several values"):
            wrong("abc")


def test_a_query_asks_nothing_until_a_terminal(db: Any) -> None:
    before = db._executor.round_trips
    query = db.find(User, User.age > 3).order_by(-User.age).limit(3).offset(1).where(User.name == "A")
    assert db._executor.round_trips == before
    assert query.all() == []


class Ticket(Model, prefix="tickets"):
    id: int


def test_numbers_as_ids_have_their_own_order(db: Any) -> None:
    db.save_many(Ticket(id=n) for n in (100, 9, 20, 1, 10, -5))
    assert [t.id for t in db.find(Ticket).page(size=4).items] == [-5, 1, 9, 10]
    assert [t.id for t in db.find(Ticket).offset(4)] == [20, 100]


def test_a_query_is_neither_true_nor_false(db: Any) -> None:
    with pytest.raises(QueryError):
        bool(db.find(User) if not hasattr(db, "_loop") else db.find(User)._query)
    with pytest.raises(QueryError):
        db.find(User).order_by(User.tags)
