"""Transactions: several models as one atomic step, all or nothing, on every back end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from redmodel import Conflict, Indexed, Model, NotFound, QueryError, UniqueViolation
from redmodel.errors import AlreadyExists, EncodingError, WrongType
from redmodel.plan.transaction import LIMIT
from tests.contract.models import Session, User, user


class Counter(Model, prefix="transaction-counters"):
    hits: Indexed[int] = 0
    money: float = 0.0
    label: Indexed[str] = ""


def stand(db: Any) -> list[tuple[str, str, int]]:
    return sorted((found.id, found.email, found.age) for found in db.find(User).all())


def test_writes_of_several_models_happen_together(db: Any) -> None:
    old, gone = user(1, id="1"), user(2, id="2")
    db.save_many([old, gone, Session(id="s", token="t", user="1", note="old"), Counter(id="c", hits=4)])
    old.age = 60
    fresh = user(3, id="3")
    with db.transaction() as tx:
        tx.save(fresh)
        tx.save(old)
        tx.delete(gone)
        tx.update(Session, "s", note="new", user="3")
        tx.increment(Counter, "c", hits=3)
        tx.touch(Session, "s", ttl=60)
        assert db.exists(User, "2") and not db.exists(User, "3")  # nothing is sent before the end
    assert stand(db) == [("1", "u1@example.org", 60), ("3", "u3@example.org", 23)]
    assert db.find(User, User.age == 60).count() == 1
    assert db.find(Session, Session.user == "3").one().note == "new"
    assert db.find(Counter, Counter.hits == 7).count() == 1
    assert db.find(Counter, Counter.hits == 4).count() == 0
    db.update(User, "3", age=33)
    fresh.name = "Eve"
    db.save(fresh)  # its changes alone: it is remembered as saved
    assert (db.get(User, "3").name, db.get(User, "3").age) == ("Eve", 33)
    assert db.save(gone) is True
    db.delete(gone)
    assert db.check(User).clean and db.check(Session).clean and db.check(Counter).clean


@pytest.mark.parametrize("at", [0, 2])
def test_one_refusal_refuses_all_and_names_the_operation(db: Any, at: int) -> None:
    db.save_many([user(1, id="1"), user(2, id="2"), Counter(id="c", hits=4)])
    loaded, counter = db.get(User, "1"), db.get(Counter, "c")
    loaded.age = 61
    new = user(9, id="9")
    verbs: list[Callable[[Any], None]] = [
        lambda tx: tx.save(loaded),
        lambda tx: tx.save(new),
        lambda tx: tx.increment(counter, hits=1),
        lambda tx: tx.delete(User, "2"),
    ]
    verbs.insert(at, lambda tx: tx.save(user(8, id="8", email="u1@example.org")))
    with (
        pytest.raises(UniqueViolation, match=rf"operation {at + 1} of 5, the save of User '8'") as caught,
        db.transaction() as tx,
    ):
        for verb in verbs:
            verb(tx)
    assert (caught.value.operation, caught.value.field, caught.value.owner) == (at, "email", "1")
    assert stand(db) == [("1", "u1@example.org", 21), ("2", "u2@example.org", 22)]
    assert db.get(Counter, "c").hits == 4 and counter.hits == 4
    db.update(User, "1", name="Other")
    assert db.save(loaded) is False and db.save(new) is True
    assert (db.get(User, "1").name, db.get(User, "1").age) == ("Other", 61)
    assert db.check(User).clean


def test_every_refusal_has_its_own_error(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many([user(1, id="1"), user(2, id="2"), Counter(id="c", label="x")])
    raw("SET", "users:7", "in the way")
    refused: list[tuple[type[Exception], Callable[[Any], None]]] = [
        (AlreadyExists, lambda tx: tx.save(user(1, id="1"), only_if="new")),
        (NotFound, lambda tx: tx.save(user(5, id="5"), only_if="exists")),
        (NotFound, lambda tx: tx.update(User, "5", age=3)),
        (NotFound, lambda tx: tx.increment(Counter, "none", hits=3)),
        (NotFound, lambda tx: tx.touch(User, "5", ttl=3)),
        (EncodingError, lambda tx: tx.increment(Counter, "c", hits=2**62)),
        (WrongType, lambda tx: tx.save(user(7, id="7"))),
        (WrongType, lambda tx: tx.delete(User, "7")),
        (WrongType, lambda tx: tx.increment(Counter, "c", hits=1) or tx.update(User, "7", age=1)),
    ]
    for error, verb in refused:
        with pytest.raises(error) as caught, db.transaction() as tx:
            tx.save(user(4, id="4"))
            tx.delete(User, "2")
            verb(tx)
        assert caught.value.operation in (2, 3), verb  # type: ignore[attr-defined]
        raw("DEL", "users:7")
        assert stand(db) == [("1", "u1@example.org", 21), ("2", "u2@example.org", 22)]
        assert db.get(Counter, "c").hits == 0
        raw("SET", "users:7", "in the way")


def test_nothing_is_sent_after_an_exception_in_the_block(db: Any) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:
        tx.save(user(1, id="1"))
        raise ZeroDivisionError
    with pytest.raises(EncodingError), db.transaction() as tx:
        tx.save(user(1, id="1"))
        tx.update(User, "1", age="no number")
    assert db.count(User) == 0
    with pytest.raises(QueryError, match="over"):
        tx.save(user(2))
    with db.transaction() as tx:
        pass


def test_unique_values_are_judged_as_they_will_be(db: Any) -> None:
    ada, bob = user(1, id="1"), user(2, id="2")
    db.save_many([ada, bob])
    ada.email, bob.email = bob.email, ada.email
    with db.transaction() as tx:  # a swap
        tx.save(ada)
        tx.save(bob)
    assert stand(db) == [("1", "u2@example.org", 21), ("2", "u1@example.org", 22)]
    with db.transaction() as tx:  # freed by a delete that comes later
        tx.save(user(3, id="3", email="u2@example.org"))
        tx.delete(ada)
    assert stand(db) == [("2", "u1@example.org", 22), ("3", "u2@example.org", 23)]
    with pytest.raises(UniqueViolation) as caught, db.transaction() as tx:  # claimed twice
        tx.save(user(4, id="4", email="same@example.org"))
        tx.save(user(5, id="5", email="same@example.org"))
    assert (caught.value.operation, caught.value.owner) == (1, "4")
    assert db.count(User) == 2
    assert db.check(User).clean


def test_a_unique_value_of_an_expired_record_is_free(db: Any, raw: Callable[..., Any]) -> None:
    db.save(user(1, id="1"))
    raw("DEL", "users:1")  # what expiry leaves, and another program's DEL
    with db.transaction() as tx:
        tx.save(user(1, id="2"))
        tx.save(user(3, id="1"))
    assert stand(db) == [("1", "u3@example.org", 23), ("2", "u1@example.org", 21)]
    assert db.check(User).clean


def test_one_record_in_several_operations(db: Any) -> None:
    counter = Counter(id="c", hits=1, money=0.5)
    with db.transaction() as tx:
        tx.save(counter)
        counter.label = "last"
        tx.save(counter)  # as it is now
    assert db.get(Counter, "c").label == "last"
    with db.transaction() as tx:
        tx.update(Counter, "c", label="a", money=2.5)
        tx.update(counter, label="b")
        tx.increment(counter, hits=2)
        tx.increment(Counter, "c", hits=3)
        tx.touch(counter, ttl=100)
    found = db.get(Counter, "c")
    assert (found.label, found.money, found.hits) == ("b", 2.5, 6)
    assert db.find(Counter, Counter.label == "b", Counter.hits == 6).count() == 1
    assert db.check(Counter).clean
    other = Counter(id="c")
    pairs: list[tuple[Callable[[Any], None], Callable[[Any], None]]] = [
        (lambda tx: tx.save(counter), lambda tx: tx.save(other)),
        (lambda tx: tx.save(counter), lambda tx: tx.delete(counter)),
        (lambda tx: tx.delete(counter), lambda tx: tx.update(counter, label="x")),
        (lambda tx: tx.update(counter, hits=1), lambda tx: tx.increment(counter, hits=1)),
        (lambda tx: tx.increment(counter, hits=1), lambda tx: tx.save(counter)),
    ]
    for one, two in pairs:
        with pytest.raises(QueryError, match="'c' can't be"), db.transaction() as tx:
            one(tx)
            two(tx)
    with db.transaction() as tx:
        tx.delete(counter)
        tx.delete(Counter, "c")
    assert db.count(Counter) == 0


def test_a_loaded_record_that_is_gone_is_written_whole(db: Any) -> None:
    records = [user(n, id=str(n)) for n in range(4)]
    db.save_many(records)
    for record in records:
        record.age += 1
    db.delete_many(User, ["1", "3"])
    with db.transaction() as tx:
        for record in records:
            tx.save(record)
    assert [found.age for found in db.get_many(User, ["0", "1", "2", "3"])] == [21, 22, 23, 24]
    assert db.check(User).clean


def test_a_read_that_must_still_hold(db: Any) -> None:
    db.save_many([Counter(id="a", hits=5), Counter(id="b")])
    with db.transaction() as tx:
        a = tx.get(Counter, "a")
        tx.update(Counter, "b", hits=a.hits)
    assert db.get(Counter, "b").hits == 5
    for change in (lambda: db.update(Counter, "a", hits=6), lambda: db.delete(Counter, "a")):
        with pytest.raises((Conflict, NotFound)) as caught, db.transaction() as tx:
            a = tx.get(Counter, "a")
            tx.update(Counter, "b", hits=a.hits + 100)
            change()
        assert caught.value.operation == 0
        assert db.get(Counter, "b").hits == 5
    with pytest.raises(NotFound), db.transaction() as tx:
        tx.get(Counter, "a")


def test_what_is_too_much_is_refused_before_anything_is_sent(db: Any) -> None:
    with pytest.raises(QueryError, match="at most 1,000 operations"), db.transaction() as tx:
        for n in range(LIMIT + 1):
            tx.save(Counter(id=str(n)))
    assert db.count(Counter) == 0
    with db.transaction() as tx:
        for n in range(LIMIT):
            tx.save(Counter(id=str(n), hits=n))
    assert db.count(Counter, Counter.hits < 500) == 500


def test_a_read_only_handle_refuses(make_db: Callable[..., Any]) -> None:
    db = make_db(read_only=True)
    with pytest.raises(Exception, match="read_only"), db.transaction() as tx:
        tx.save(Counter(id="1"))
