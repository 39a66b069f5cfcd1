"""The generated encoder and decoder: they must do what the careful codecs do, for every mix of fields."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from redmodel.errors import DecodeError, EncodingError
from redmodel.model import TTL, Embedded, Field, Indexed, Model, Unique, loaded_values, schema_of
from redmodel.model.equality import same
from redmodel.model.program import _careful_encoder


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    city: Indexed[str]
    floor: int | None = None
    ratio: float = 1.0


class Wide(Model, prefix="wide"):
    email: Unique[str]
    age: Indexed[int] = Field(default=0, ge=-(2**70))
    nick: str | None = None
    title: str | None = "none"
    flag: bool = False
    score: float = 0.0
    when: Indexed[datetime] = datetime(2026, 1, 1)
    day: date | None = date(2026, 1, 1)
    span: timedelta = timedelta(0)
    price: Decimal | None = None
    key: UUID | None = UUID(int=0)
    color: Color | None = Color.RED
    kind: Literal["a", "b"] = "a"
    raw: bytes | None = b"raw"
    tags: Indexed[list[str]] = Field(default_factory=lambda: ["new"])
    counts: list[int] | None = None
    address: Embedded[Address | None] = None
    table: dict[str, int] = Field(default_factory=dict)
    otp: Annotated[str | None, TTL(minutes=1)] = None


text = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(["", "\x00", "\ud800", "~x"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "email": text,
    "age": st.integers(),
    "nick": st.none() | text,
    "title": st.none() | text,
    "flag": st.booleans(),
    "score": st.floats(),
    "when": st.datetimes() | st.datetimes(timezones=st.just(UTC)),
    "day": st.none() | st.dates(),
    "span": st.timedeltas(),
    "price": st.none() | st.decimals(allow_nan=False, allow_infinity=False),
    "key": st.none() | st.uuids(),
    "color": st.none() | st.sampled_from(Color),
    "kind": st.sampled_from(["a", "b"]),
    "raw": st.none() | st.binary(max_size=5),
    "tags": st.lists(text, max_size=3),
    "counts": st.none() | st.lists(st.integers(), max_size=3),
    "address": st.none() | st.builds(Address, street=text, city=text, ratio=st.floats()),
    "table": st.dictionaries(text, st.integers(), max_size=2),
    "otp": st.none() | text,
}
SCHEMA = schema_of(Wide)
CAREFUL = _careful_encoder(SCHEMA._codecs, SCHEMA._slot)
JUNK = (
    st.none()
    | st.binary(max_size=6)
    | st.sampled_from([b"\x00", b"", b"null", b"[]", b"{}", b"1", b"nan", b"red", b"[" * 300])
)


def outcome(encode: Any, obj: Any) -> list[bytes | None] | tuple[str, str]:
    try:
        found: list[bytes | None] = encode(obj)
    except EncodingError as error:
        return error.field, str(error)
    return found


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({"email": text}, optional={k: v for k, v in VALUES.items() if k != "email"}))
def test_short_cuts_change_nothing(values: dict[str, Any]) -> None:
    obj = Wide.model_construct(id="1", **values)
    stored = outcome(SCHEMA.encode, obj)
    assert stored == outcome(CAREFUL, obj)
    if isinstance(stored, list):
        back = SCHEMA.decode([*stored, None], None, b"wide:1")
        assert same(obj, back)
        assert loaded_values(back) == stored
        assert SCHEMA.encode(back) == stored


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(list(VALUES)), st.one_of(*VALUES.values(), st.just(object())), min_size=1))
def test_values_of_wrong_types_are_refused_not_changed(values: dict[str, Any]) -> None:
    obj = Wide.model_construct(**{"id": "1", "email": "a", **values})
    stored = outcome(SCHEMA.encode, obj)
    assert stored == outcome(CAREFUL, obj)
    if isinstance(stored, list):
        assert same(obj, SCHEMA.decode([*stored, None], None, b"wide:1"))


@settings(max_examples=300, deadline=None)
@given(st.lists(JUNK, min_size=len(SCHEMA.columns), max_size=len(SCHEMA.columns)), st.none() | st.integers(0, 10))
def test_whatever_is_stored_reads_as_a_valid_record_or_is_a_decode_error(
    row: list[bytes | None], now: int | None
) -> None:
    try:
        obj = SCHEMA.decode(row, now, b"wide:1")
    except DecodeError:
        return
    Wide.model_validate(obj.__dict__, strict=True)
    assert outcome(SCHEMA.encode, obj) == outcome(CAREFUL, obj)


def test_the_source_can_be_read() -> None:
    SCHEMA.encode(Wide(email="a"))
    source: str = SCHEMA.encode.__source__  # type: ignore[attr-defined]
    assert "v = d['email']" in source
