"""Bad input: a typed error before anything is written, or exact behaviour; nothing is lost or silently changed."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

import pytest

from redmodel import Codec, Database, Indexed, Model
from redmodel.errors import (
    DecodeError,
    EncodingError,
    InvalidId,
    QueryError,
    SchemaError,
    StoreLocked,
    WrongType,
)
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


class Tone(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Odd(Model, prefix="odd-values"):
    """Every field may be empty in each of the ways that there are."""

    text: Indexed[str | None] = None
    items: list[str] | None = None
    flag: Indexed[bool | None] = None
    number: int = 0
    amount: Decimal = Decimal(0)
    tone: Tone = Tone.LOW
    table: dict[str, int] = {}


STRANGE_IDS = [
    "a:b", "{x}", "}{", "*", "?", "[a-z]", "\\", "a b", "\x00", "\r\n", "e\u0301", "\u00e9", "../up", "all", "__rm",
    "odd-values@text:x", "@ids", "x" * 512, "'; DROP", "\u202e", "0", "None", "null",
]  # fmt: skip


def test_any_id_names_its_own_record_and_no_other(db: Any, raw: Callable[..., Any]) -> None:
    for n, id in enumerate(STRANGE_IDS):
        db.save(Odd(id=id, number=n, text="same"))
    assert db.count(Odd) == db.count(Odd, Odd.text == "same") == len(STRANGE_IDS)
    for n, id in enumerate(STRANGE_IDS):
        assert db.get(Odd, id).number == n and raw("EXISTS", b"odd-values:" + id.encode()) == 1
    assert db.delete(Odd, "*") and db.count(Odd) == len(STRANGE_IDS) - 1
    assert db.check(Odd).clean


def test_none_missing_and_empty_are_different_things(db: Any, raw: Callable[..., Any]) -> None:
    records = [Odd(id="none", text=None, items=None), Odd(id="empty", text="", items=[]), Odd(id="word", text="None")]
    db.save_many(records)
    assert [db.get(Odd, record.id) for record in records] == records
    assert raw("HEXISTS", "odd-values:none", "text") == 0 and raw("HGET", "odd-values:empty", "items") == b"[]"
    assert db.find(Odd, Odd.text == None).one().id == "none"
    assert db.find(Odd, Odd.text == "").one().id == "empty" and db.find(Odd, Odd.text == "None").one().id == "word"
    assert raw("HGET", "odd-values:none", "id") == b"none"


def test_large_and_exact_values(db: Any, raw: Callable[..., Any]) -> None:
    long = "é" * 500_000
    record = Odd(id="1", text=long, number=10**30, amount=Decimal("1.10000000000000000000000000000"))
    db.save(record)
    back = db.get(Odd, "1")
    assert back == record and str(back.amount) == str(record.amount)
    assert db.find(Odd, Odd.text == long).one().id == "1" and db.count(Odd, Odd.text == long[:-1]) == 0
    assert all(len(key) < 200 for key in raw("KEYS", "odd-values@*"))
    with pytest.raises(EncodingError):
        db.increment(Odd, "1", number=1)
    assert db.get(Odd, "1").number == 10**30


def test_what_another_version_or_program_left_is_no_silent_default(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Odd(id="1", tone=Tone.HIGH))
    raw("HSET", "odd-values:1", "tone", "loud", "unknown", "kept")
    with pytest.raises(DecodeError) as caught:
        db.get(Odd, "1")
    assert (caught.value.field, caught.value.raw) == ("tone", b"loud")
    raw("HSET", "odd-values:1", "tone", "low", "table", '{"a":1,"a":2}')
    odd = db.get(Odd, "1")
    odd.number = 5
    db.save(odd)
    assert raw("HGET", "odd-values:1", "unknown") == b"kept" and db.get(Odd, "1").table == {"a": 2}


def test_a_bool_is_no_number_and_a_number_no_bool(db: Any, raw: Callable[..., Any]) -> None:
    record = Reading(value=0)
    record.__dict__["count"] = True
    assert refused(db, raw, record).field == "count"
    odd = Odd(id="1")
    odd.__dict__["flag"] = 1
    refused(db, raw, odd)


@pytest.mark.parametrize(
    "key", ["odd-values:1", "odd-values@ids", "odd-values@log", "odd-values@text:x", "odd-values@schema"]
)
def test_a_key_of_another_type_is_named_and_nothing_is_written(db: Any, raw: Callable[..., Any], key: str) -> None:
    raw("SET", key, "in the way")
    with pytest.raises(WrongType) as caught:
        db.save(Odd(id="1", text="x"))
    assert caught.value.key == key.encode()
    assert raw("KEYS", "odd*") in (
        [key.encode()],
        [b"odd-values@schema", key.encode()],
        [key.encode(), b"odd-values@schema"],
    )
    assert raw("GET", key) == b"in the way"


CHANGING: list[Any] = []


def _meanwhile(value: bytes) -> bytes:
    for record in CHANGING:
        record.__dict__["count"] += 1  # as another thread would
    return value


class Restless(Model, prefix="restless"):
    count: Indexed[int] = 0
    text: Annotated[str, Codec(_meanwhile, bytes)] = ""


def test_a_record_that_changes_while_it_is_saved_is_saved_as_it_was(db: Any) -> None:
    record = Restless(id="1", count=1)
    CHANGING.append(record)
    try:
        db.save(record)
        assert record.count > 1
        assert db.get(Restless, "1").count == 1 and db.count(Restless, Restless.count == 1) == 1
        record.text = "more"
        db.save(record)
        assert db.check(Restless).clean
    finally:
        CHANGING.clear()
