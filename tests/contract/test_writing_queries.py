"""Updates and deletes of all that meets conditions: exact, beside writers, and to be made again."""

from __future__ import annotations

from typing import Any

import pytest

from redmodel import BulkError, QueryError, UniqueViolation
from redmodel.plan import writing_queries
from redmodel.plan.delete import delete
from redmodel.plan.update import update
from tests.contract.models import User, user


def test_update_writes_all_that_meets_and_keeps_indexes_right(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing_queries, "BATCH", 7)
    db.save_many(user(n, id=str(n), age=n) for n in range(30))
    told: list[tuple[int, int | None]] = []
    assert db.find(User, User.age >= 10).update(lambda *step: told.append(step), age=5, bio="x") == 20
    assert told == [(7, 20), (14, 20), (20, 20)]
    assert db.count(User, User.age == 5) == 21 and db.count(User, User.age >= 10) == 0
    assert db.find(User, User.age >= 10).update(age=5) == 0  # made again, it finds nothing
    assert db.find(User, User.age == 5).order_by(-User.name).limit(3).update(name="last") == 3
    assert db.find(User).update(lambda done, _: done < 7, active=False) == 7
    assert db.check(User).clean
    with pytest.raises(QueryError):
        db.find(User).update()


def test_delete_deletes_all_that_meets(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing_queries, "BATCH", 7)
    db.save_many(user(n, id=str(n), age=n) for n in range(30))
    assert db.find(User, User.age < 20, User.active == True).delete() == 20
    assert db.count(User) == 10
    assert db.find(User).delete() == 10
    assert db.find(User).delete() == 0
    assert db.check(User).clean


def test_what_another_writer_changes_meanwhile_is_judged_again(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in ("update", "delete"):
        db.save_many(user(n, id=str(n), age=30) for n in range(4))
        real, meanwhile = writing_queries._read, [True]

        def read(schema: Any, selection: Any, ids: Any, real: Any = real, meanwhile: list[bool] = meanwhile) -> Any:
            seen = yield from real(schema, selection, ids)
            if meanwhile.pop() if meanwhile else False:
                yield from update(User, "0", {"age": 31}, set())  # no longer meets
                yield from update(User, "1", {"score": 9.0}, set())  # changed, and still meets
                yield from delete(User, "2")
            return seen

        monkeypatch.setattr(writing_queries, "_read", read)
        query = db.find(User, User.age == 30)
        assert (query.update(bio="seen") if verb == "update" else query.delete()) == 2, verb
        monkeypatch.setattr(writing_queries, "_read", real)
        left = {found.id: found.bio for found in db.find(User)}
        assert left == ({"0": None, "1": "seen", "3": "seen"} if verb == "update" else {"0": None})
        assert db.check(User).clean
        db.find(User).delete()


def test_refusals_are_told_by_record(db: Any) -> None:
    db.save_many(user(n, id=str(n)) for n in range(3))
    with pytest.raises(BulkError) as caught:
        db.find(User).update(email="same@example.org")
    assert caught.value.done == 1 and len(caught.value.failures) == 2
    assert all(isinstance(error, UniqueViolation) for _, error in caught.value.failures)
    assert {place for place, _ in caught.value.failures} < {"0", "1", "2"}
    assert db.check(User).clean
