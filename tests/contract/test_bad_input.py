"""Bad input: a typed error before anything is written, or exact behaviour; nothing is lost or silently changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from redmodel import Database, Indexed, Model
from redmodel.errors import DecodeError, EncodingError, InvalidId, QueryError, SchemaError, StoreLocked, WrongType
from redmodel.model import Condition
from tests.contract.models import User, user
from tests.contract.test_verbs import keyspace


class Reading(Model, prefix="readings"):
    value: Indexed[float]
    count: Indexed[int] = 0
    price: Indexed[Decimal] = Decimal(0)
    at: Indexed[datetime] = datetime(2026, 1, 1, tzinfo=UTC)
    raw: bytes = b""
    text: str = ""


def refused(db: Any, raw: Callable[..., Any], record: Model, error: type[Exception] = EncodingError) -> Any:
    before = keyspace(raw)
    with pytest.raises(error) as caught:
        db.save(record)
    assert keyspace(raw) == before
    return caught.value


def test_numbers_that_an_index_cannot_hold(db: Any, raw: Callable[..., Any]) -> None:
    assert refused(db, raw, Reading(value=math.nan)).field == "value"
    assert refused(db, raw, Reading(value=0, count=2**53 + 1)).field == "count"
    assert refused(db, raw, Reading(value=0, price=Decimal("1E+400"))).field == "price"
    assert refused(db, raw, Reading(value=0, price=Decimal("0.10000000000000000001"))).field == "price"
    for value in (math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308):
        record = Reading(value=value, count=2**53, price=Decimal("1.10"))
        db.save(record)
        loaded = db.get(Reading, record.id)
        assert loaded == record and math.copysign(1, loaded.value) == math.copysign(1, value)
        assert str(loaded.price) == "1.10"
    assert db.count(Reading, Reading.count == 2**53) == 5
    assert db.count(Reading, Reading.value == math.inf) == 1
    assert db.count(Reading, Reading.value == 0.0) == 1


def test_moments_keep_what_they_say(db: Any) -> None:
    moments = [
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(1900, 1, 1),
        datetime(1, 1, 1),
        datetime(9999, 12, 31, 23, 59, 59),
        datetime(2026, 10, 25, 2, 30, fold=1),
    ]
    for moment in moments:
        record = Reading(value=0, at=moment)
        db.save(record)
        loaded = db.get(Reading, record.id)
        assert loaded.at == moment and loaded.at.tzinfo == moment.tzinfo and loaded.at.fold == moment.fold
    assert db.count(Reading, Reading.at < datetime(1950, 1, 1)) == 2


def test_text_that_is_no_unicode(db: Any, raw: Callable[..., Any]) -> None:
    assert refused(db, raw, Reading(value=0, text="\ud800")).field == "text"
    refused(db, raw, Reading(value=0, id="\udfff"), InvalidId)
    record = Reading(value=0, text="\x00\x01é\u202e", raw=bytes(range(256)))
    db.save(record)
    assert db.get(Reading, record.id) == record


@pytest.mark.parametrize("id", ["", None, "x" * 513])
def test_ids_that_name_no_record(db: Any, id: Any) -> None:
    for ask in (db.get, db.exists, db.delete):
        with pytest.raises(InvalidId):
            ask(User, id)
    with pytest.raises(InvalidId):
        db.touch(User, id, ttl=1)


def test_an_empty_id_is_refused_before_anything_is_written(db: Any, raw: Callable[..., Any]) -> None:
    refused(db, raw, user(1, id=""), InvalidId)


def test_values_of_the_wrong_type_are_refused(db: Any, raw: Callable[..., Any]) -> None:
    record = user(1)
    object.__setattr__(record, "__dict__", record.__dict__ | {"age": "not a number"})
    refused(db, raw, record)
    record = user(1)
    record.tags.append(5)  # type: ignore[arg-type]
    refused(db, raw, record)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tags", b"[truncated"),
        ("tags", b"[1,2"),
        ("address", b"{}"),
        ("age", b"old"),
        ("name", b"\xff\xfe"),
        ("tags", b"[" * 50_000),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(db: Any, raw: Callable[..., Any], field: str, value: bytes) -> None:
    db.save(user(1, id="1"))
    raw("HSET", "users:1", field, value)
    with pytest.raises(DecodeError) as caught:
        db.get(User, "1")
    error = caught.value
    assert (error.key, error.field, error.model) == (b"users:1", field, "User")
    assert raw("HGET", "users:1", field) == value
    with pytest.raises(DecodeError):
        db.find(User).all()


def test_a_time_to_live_that_is_none(db: Any) -> None:
    for ttl in (0, -1, timedelta(0), math.nan, math.inf, "soon", True):
        with pytest.raises(EncodingError):
            db.save(user(1), ttl=ttl)
    with pytest.raises(SchemaError):
        db.touch(User, "1")


def test_questions_of_the_wrong_type(db: Any) -> None:
    for condition in (User.age == "x", User.age > None, User.joined > 5j, User.score == math.nan, User.age > 2**53 + 1):
        with pytest.raises(QueryError):
            db.find(User, condition).all()
    with pytest.raises(QueryError):
        db.find(User, True)
    with pytest.raises(QueryError):
        User.tags.in_("abc")
    with pytest.raises(QueryError):
        bool(User.age == 3)


def test_conditions_that_are_nested_too_deeply(db: Any) -> None:
    condition: Condition = User.age >= 0
    for n in range(40):
        condition = (condition | (User.age == n)) & (User.age >= 0)
    assert db.count(User, condition) == 0
    for n in range(2000):
        condition = (condition | (User.age == n)) & (User.age >= 0)
    with pytest.raises(QueryError, match="100 deep"):
        db.find(User, condition)


def test_any_number_of_conditions(db: Any) -> None:
    db.save(user(1, tags=["t"]))
    every = [User.tags.contains(tag) for tag in ("t", *map(str, range(9000)))]
    assert db.count(User, *every) == 0 and db.find(User, *every).order_by(User.age).all() == []
    assert db.count(User, User.tags.contains("t"), *every[:1] * 9000) == 1


def test_a_query_names_the_key_that_is_of_another_type(db: Any, raw: Callable[..., Any]) -> None:
    db.save(user(1))
    raw("DEL", "users@age")
    raw("SET", "users@age", "in the way")
    for ask in (
        lambda: db.find(User, User.age > 1).all(),
        lambda: db.count(User, User.age > 1),
        lambda: db.find(User).order_by(User.age).page(),
    ):
        with pytest.raises(WrongType) as caught:
            ask()
        assert (caught.value.key, caught.value.found) == (b"users@age", "string")


def test_two_handles_of_one_process_share_a_directory_and_another_process_may_be_refused(tmp_path: Any) -> None:
    import subprocess
    import sys

    url = f"embedded://{tmp_path / 'store'}"
    with Database(url) as one, Database(url) as two:
        one.save(user(1, id="1"))
        assert two.get(User, "1") == user(1, id="1")
        refused = f"{url}?attach=no"
        code = (
            f"import redmodel\ntry:\n  redmodel.Database({refused!r})\n"
            "except redmodel.StoreLocked as e:\n  print(e.pid)"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        import os

        assert said.strip() == str(os.getpid())
    with Database(url) as again:
        assert again.get(User, "1") == user(1, id="1")
    assert issubclass(StoreLocked, Exception)
