"""Values that other libraries change silently: what each looks like in Redis, and that it comes back."""

# ruff: noqa: DTZ901 - naive times are what is tested

from __future__ import annotations

import enum
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import AwareDatetime, BaseModel, FutureDate, Json, SecretStr, create_model

from redmodel.errors import DecodeError, EncodingError
from redmodel.model import TTL, Field, Model, loaded_values, schema_of
from redmodel.model.equality import same


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Address(BaseModel):
    city: str
    data: bytes = b""


class Clock(datetime):
    """What a library that stops the clock puts in datetime's place."""


def holder(annotation: Any, default: Any = ...) -> Any:
    return create_model("Held", __base__=Model, __cls_kwargs__={"prefix": "held"}, value=(annotation, default))


AMSTERDAM = ZoneInfo("Europe/Amsterdam")

STORED: list[tuple[Any, Any, bytes]] = [
    (str, "plain text", b"plain text"),
    (str, "", b""),
    (str, "None", b"None"),
    (str, "null", b"null"),
    (str, "\x00", b"\x00\x00"),
    (str, "\x00\x00a", b"\x00\x00\x00a"),
    (str, "a\x00", b"a\x00"),
    (str, " \r\n\t", b" \r\n\t"),
    (str, "é", b"\xc3\xa9"),
    (str, "e\u0301", b"e\xcc\x81"),
    (str, "1", b"1"),
    (int, 36, b"36"),
    (int, -(2**200), b"-1606938044258990275541962092341162602522202993782792835301376"),
    (bool, True, b"1"),
    (bool, False, b"0"),
    (float, 1.5, b"1.5"),
    (float, -0.0, b"-0.0"),
    (float, math.inf, b"inf"),
    (float, math.nan, b"nan"),
    (float, 5e-324, b"5e-324"),
    (bytes, b"\xff\x00", b"\xff\x00"),
    (bytes, b"\x00", b"\x00\x00"),
    (bytes, b"", b""),
    (datetime, datetime(2026, 11, 23, 17, 37), b"2026-11-23T17:37:00"),
    (datetime, datetime(2026, 11, 23, tzinfo=UTC), b"2026-11-23T00:00:00+00:00"),
    (datetime, datetime(1900, 1, 1), b"1900-01-01T00:00:00"),
    (datetime, datetime(2026, 10, 25, 2, 30, fold=1), b"2026-10-25T02:30:00[fold=1]"),
    (datetime, datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=AMSTERDAM), b"2026-10-25T02:30:00+01:00"),
    (datetime, datetime(2026, 10, 25, 2, 30, tzinfo=AMSTERDAM), b"2026-10-25T02:30:00+02:00"),
    (datetime, datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=1172))), b"2026-01-01T00:00:00+00:19:32"),
    (datetime, datetime.max, b"9999-12-31T23:59:59.999999"),
    (date, date(1, 1, 1), b"0001-01-01"),
    (time, time(23, 59, 59, 1), b"23:59:59.000001"),
    (time, time(2, 30, tzinfo=UTC), b"02:30:00+00:00"),
    (timedelta, timedelta(days=-1, microseconds=1), b"-PT23H59M59.999999S"),
    (timedelta, timedelta.max, b"P2739726Y9DT23H59M59.999999S"),
    (UUID, UUID(int=1), b"00000000-0000-0000-0000-000000000001"),
    (Decimal, Decimal("1.10"), b"1.10"),
    (Decimal, Decimal("0.1000000000000000000000000000000001"), b"0.1000000000000000000000000000000001"),
    (Decimal, Decimal("1E+400"), b"1E+400"),
    (Color, Color.RED, b"red"),
    (Level, Level.LOW, b"1"),
    (Literal["a", "b"], "b", b"b"),
    (Literal[1, "1"], "1", b'"1"'),
    (int | str, "1", b'"1"'),
    (int | str, 1, b"1"),
    (list[str], [], b"[]"),
    (list[str], ["é", ""], '["é",""]'.encode()),
    (list[bytes], [b"\xff"], b'["_w=="]'),
    (list[float], [math.inf, math.nan], b'["Infinity","NaN"]'),
    (dict[int, str], {1: "a"}, b'{"1":"a"}'),
    (set[int], {3}, b"[3]"),
    (tuple[int, str], (1, "a"), b'[1,"a"]'),
    (Address, Address(city="Oslo"), b'{"city":"Oslo","data":""}'),
    (IPv4Address, IPv4Address("127.0.0.1"), b"127.0.0.1"),
    (Path, Path("/tmp/x"), b"/tmp/x"),
    (SecretStr, SecretStr("hush"), b"hush"),
    (Any, {"a": [1, None, "x", 1.5]}, b'{"a":[1,null,"x",1.5]}'),
    (Json[list[int]], [1, 2], b'"[1,2]"'),
    (str | None, None, None),
    (str | None, "", b""),
    (list[str] | None, [], b"[]"),
]


@pytest.mark.parametrize(("annotation", "value", "stored"), STORED, ids=lambda part: ascii(part)[:40])
def test_stored_as_people_read_it(annotation: Any, value: Any, stored: bytes) -> None:
    model = holder(annotation)
    schema = schema_of(model)
    columns = schema.encode(model.model_construct(id="1", value=value))
    assert columns == [b"1", stored]
    assert same(value, schema.decode(columns, None, b"k").value)


REFUSED: list[tuple[Any, Any]] = [
    (str, "\ud800"),
    (list[str], ["\ud800"]),
    (dict[str, int], {"\ud800": 1}),
    (str, b"bytes"),
    (str, Color.RED),
    (str, type("Text", (str,), {})("x")),
    (int, True),
    (int, 1.0),
    (int, "1"),
    (int, Level.LOW),
    (int, 10**5000),
    (list[int], [10**5000]),
    (list[int], [True]),
    (bool, 1),
    (float, 1),
    (date, datetime(2026, 1, 1)),
    (datetime, date(2026, 1, 1)),
    (Decimal, Decimal("NaN")),
    (Decimal, Decimal("sNaN")),
    (Annotated[float, Field(allow_inf_nan=False)], math.nan),
    (Annotated[str, Field(max_length=2)], "abc"),
    (Annotated[list[int], Field(max_length=1)], [1, 2]),
    (AwareDatetime, datetime(2026, 1, 1)),
    (Color, "red"),
    (Literal["a"], "b"),
    (Any, (1, 2)),
    (Any, {1: 2}),
    (Any, datetime(2026, 1, 1)),
    (Any, object()),
    (Any, math.nan),
    (list[SecretStr], [SecretStr("hush")]),
    (Address, Address(city="Oslo", data=b"\xff")),
    (Address, {"city": "Oslo"}),
    (list[datetime], [datetime(2026, 10, 25, 2, 30, fold=1)]),
    (int, None),
]


@pytest.mark.parametrize(("annotation", "value"), REFUSED, ids=lambda part: type(part).__name__)
def test_refused_before_the_write(annotation: Any, value: Any) -> None:
    model = holder(annotation)
    with pytest.raises(EncodingError) as caught:
        pytest.fail(repr(schema_of(model).encode(model.model_construct(id="1", value=value))))
    assert (caught.value.model, caught.value.field, caught.value.value is value) == ("Held", "value", True)
    assert "hush" not in str(caught.value)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def test_depth() -> None:
    model = holder(Any)
    schema = schema_of(model)
    with pytest.raises(EncodingError):
        schema.encode(model.model_construct(id="1", value=nested(100_000)))
    with pytest.raises(DecodeError):
        schema.decode([b"1", b"[" * 10_000 + b"]" * 10_000], None, b"k")
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(EncodingError):
        schema.encode(model.model_construct(id="1", value=circle))


def test_subclasses_that_mean_no_more_than_their_base() -> None:
    model = holder(datetime)
    schema = schema_of(model)
    moment = Clock(2026, 1, 2)
    (_, stored) = schema.encode(model.model_construct(id="1", value=moment))
    assert stored == b"2026-01-02T00:00:00"
    assert schema.decode([b"1", stored], None, b"k").value == moment


def test_none_missing_and_empty_are_four_things() -> None:
    class Four(Model, prefix="four"):
        plain: str | None = None
        set_: str | None = "default"
        needed: str | None
        items: list[str] | None = Field(default_factory=lambda: ["x"])
        number: int | None = 5
        moment: datetime | None = datetime(2026, 1, 1)
        nothing: Any = 3

    schema = schema_of(Four)
    empty = Four(id="1", plain=None, set_=None, needed=None, items=None, number=None, moment=None, nothing=None)
    stored = schema.encode(empty)
    assert stored == [b"1", None, b"\x00", None, b"\x00", b"\x00", b"\x00", b"\x00"]
    assert schema.decode(stored, None, b"k") == empty
    missing = schema.decode([b"1", *[None] * 7], None, b"k")
    assert missing == Four(id="1", needed=None)
    assert missing.items == ["x"]
    blank = Four(id="1", plain="", set_="", needed="", items=[])
    assert schema.encode(blank)[1:5] == [b"", b"", b"", b"[]"]
    assert schema.decode(schema.encode(blank), None, b"k") == blank
    marked = Four(id="1", plain="\x00", set_="\x00", needed="\x00x")
    assert schema.decode(schema.encode(marked), None, b"k") == marked


def test_lenient_reading_of_what_others_wrote() -> None:
    class Foreign(Model, prefix="foreign"):
        age: int
        when: datetime
        tags: list[str]
        flag: bool

    read = schema_of(Foreign).decode([b"1", b" 36 ", b"2026-01-01T00:00:00Z", b'[ "a" ]', b"true"], None, b"k")
    assert (read.age, read.when, read.tags, read.flag) == (36, datetime(2026, 1, 1, tzinfo=UTC), ["a"], True)


def test_a_set_that_did_not_change_keeps_its_bytes() -> None:
    class Sets(Model, prefix="sets"):
        tags: set[str]

    schema = schema_of(Sets)
    stored = [b"1", b'["c","a","b"]']
    read = schema.decode(stored, None, b"k")
    assert loaded_values(read) == stored
    assert schema.encode(read) == stored
    read.tags.add("d")
    assert schema.encode(read) != stored


def test_renamed_members_are_errors() -> None:
    model = holder(Color)
    with pytest.raises(DecodeError, match="value"):
        schema_of(model).decode([b"1", b"blue"], None, b"k")


def test_a_future_date_stays_readable() -> None:
    model = holder(FutureDate)
    read = schema_of(model).decode([b"1", b"2001-01-01"], None, b"k")
    assert read.value == date(2001, 1, 1)


def test_fields_that_expire() -> None:
    class Login(Model, prefix="logins"):
        name: str
        otp: Annotated[str | None, TTL(minutes=5)] = None
        tries: Annotated[int, TTL(seconds=1)] = 3

    schema = schema_of(Login)
    assert schema.columns == (b"id", b"name", b"otp", b"tries", b"otp@expires", b"tries@expires")
    assert schema.field_ttls == ((2, 300_000), (3, 1000))
    assert [spec.ttl_ms for spec in schema.fields] == [None, None, 300_000, 1000]
    row = [b"1", b"ada", b"1234", b"7", b"5000", b"4000"]
    early, late = schema.decode(row, 3999, b"k"), schema.decode(row, 4500, b"k")
    assert (early.otp, early.tries) == ("1234", 7)
    assert (late.otp, late.tries) == ("1234", 3)
    assert loaded_values(late) == [b"1", b"ada", b"1234", None]
    assert schema.decode(row, None, b"k").tries == 7
    gone = schema.decode(row, 5000, b"k")
    assert (gone.otp, gone.tries) == (None, 3)
    assert schema.decode([*row[:4], None, None], 9999, b"k").otp == "1234"
    assert schema.encode(early) == row[:4]


def test_wrong_number_of_columns() -> None:
    model = holder(int)
    for row in ([b"1"], [b"1", b"1", b"1"], []):
        with pytest.raises(DecodeError):
            schema_of(model).decode(row, None, b"k")
