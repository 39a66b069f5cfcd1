"""Index entries, tokens and scores; and conditions, which must answer as the indexes do."""

# ruff: noqa: DTZ901 - naive times are what is tested

from __future__ import annotations

import enum
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from hashlib import blake2b
from ipaddress import IPv4Address
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, create_model

from redmodel.errors import EncodingError, QueryError, UnindexedField
from redmodel.model import (
    And,
    Compare,
    Embedded,
    Field,
    Indexed,
    Model,
    Not,
    Or,
    Order,
    Unique,
    matches,
    order_of,
    path_of,
    schema_of,
)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1


class Geo(BaseModel):
    lat: Indexed[float]


class Address(BaseModel):
    street: str
    city: Indexed[str | None] = None
    code: Unique[str] = "x"
    geo: Embedded[Geo | None] = None


class Item(BaseModel):
    name: Indexed[str]
    price: Indexed[Decimal] = Decimal(0)


class User(Model, prefix="indexed-users"):
    name: str = ""
    email: Unique[str | None] = None
    city: Indexed[str] = ""
    age: Indexed[int | None] = None
    tags: Indexed[list[str]] = Field(default_factory=list)
    address: Embedded[Address | None] = None
    items: Embedded[list[Item]] = Field(default_factory=list)
    color: Indexed[Color] = Color.RED
    flag: Indexed[bool] = False


def hashed(text: bytes) -> bytes:
    return b"~" + blake2b(text, digest_size=16).hexdigest().encode()


def entry(annotation: Any, value: Any) -> list[tuple[bytes, bytes, bytes, bytes]]:
    model = create_model("One", __base__=Model, __cls_kwargs__={"prefix": "one"}, value=(annotation, ...))
    schema = schema_of(model)
    obj = model.model_construct(id="1", value=value)
    assert schema.entries(obj) == schema.index("value").entries(obj)
    return schema.entries(obj)


TOKENS: list[tuple[Any, Any, bytes]] = [
    (str, "London", b"London"),
    (str, "", b""),
    (str, "None", b"None"),
    (str | None, None, b"~null"),
    (str, "~null", hashed(b"~null")),
    (str, "a\nb", hashed(b"a\nb")),
    (str, "\x7f", hashed(b"\x7f")),
    (str, "a\u00a0b", "a\u00a0b".encode()),
    (str, "é" * 48, ("é" * 48).encode()),
    (str, "x" * 97, hashed(b"x" * 97)),
    (bytes, b"abc", b"abc"),
    (bytes, b"\xff", hashed(b"\xff")),
    (bool, True, b"1"),
    (bool, False, b"0"),
    (Color, Color.BLUE, b"blue"),
    (Size, Size.SMALL, b"1"),
    (Literal["a", "b"], "a", b"a"),
    (Literal["1", 1], 1, b"1"),
    (Literal["1", 1], "1", b'"1"'),
    (int | str, "1", b'"1"'),
    (UUID, UUID(int=1), b"00000000-0000-0000-0000-000000000001"),
    (IPv4Address, IPv4Address("10.0.0.1"), b"10.0.0.1"),
]

SCORES: list[tuple[Any, Any, bytes]] = [
    (int, 36, b"36"),
    (int, 2**53, b"9007199254740992"),
    (int, -(2**60), b"-1152921504606846976"),
    (float, 1.5, b"1.5"),
    (float, -0.0, b"0.0"),
    (float, math.inf, b"inf"),
    (Decimal, Decimal("1.25"), b"1.25"),
    (datetime, datetime(1970, 1, 1, 0, 0, 1), b"1000000"),
    (datetime, datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), b"0"),
    (datetime, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), b"-1"),
    (datetime, datetime(9999, 12, 31, 23, 59, 59), b"253402300799000000"),
    (date, date(1969, 12, 31), b"-1"),
    (time, time(0, 0, 1), b"1000000"),
    (timedelta, timedelta(days=-1), b"-86400000000"),
]


@pytest.mark.parametrize(("annotation", "value", "token"), TOKENS, ids=lambda part: ascii(part)[:30])
def test_tokens(annotation: Any, value: Any, token: bytes) -> None:
    assert entry(Indexed[annotation], value) == [(b"=", b"value", token, b"")]
    assert entry(Unique[annotation], value) == [(b"!" if value is not None else b"=", b"value", token, b"")]
    assert entry(Indexed[list[annotation]], [value, value]) == [(b"=", b"value", token, b"")]


@pytest.mark.parametrize(("annotation", "value", "score"), SCORES, ids=lambda part: ascii(part)[:30])
def test_scores(annotation: Any, value: Any, score: bytes) -> None:
    assert entry(Indexed[annotation], value) == [(b"#", b"value", b"", score)]
    assert entry(Indexed[annotation | None], None) == [(b"=", b"value", b"~null", b"")]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 2**53 + 1),
        (int, 10**400),
        (int, "5"),
        (float, math.nan),
        (Decimal, Decimal("NaN")),
        (Decimal, Decimal("0.1234567890123456789")),
        (Decimal, Decimal("1E+400")),
        (datetime, datetime.max),
        (str, "\ud800"),
        (str, 5),
    ],
    ids=lambda part: ascii(part)[:30],
)
def test_values_without_a_place(annotation: Any, value: Any) -> None:
    with pytest.raises(EncodingError) as caught:
        pytest.fail(repr(entry(Indexed[annotation], value)))
    assert (caught.value.model, caught.value.field) == ("One", "value")


def test_decimals_of_fixed_places_are_whole_numbers() -> None:
    class Priced(Model, prefix="priced"):
        price: Indexed[Decimal] = Field(decimal_places=2)

    schema = schema_of(Priced)
    assert schema.entries(Priced(price=Decimal("9.99"))) == [(b"#", b"price", b"", b"999")]
    assert schema.entries(Priced(price=Decimal(-10))) == [(b"#", b"price", b"", b"-1000")]
    assert schema.index("price").score("0.10") == b"10"
    assert matches(Priced.price >= Decimal("9.90"), Priced(price=Decimal("9.99")))
    with pytest.raises(QueryError):
        schema.index("price").score(Decimal("0.001"))


def test_embedded_entries() -> None:
    full = User(
        id="1",
        email="a",
        city="London",
        age=5,
        tags=["b", "a", "b"],
        address=Address(street="s", city="Oslo", geo=Geo(lat=1.5)),
        items=[Item(name="x"), Item(name="y", price=Decimal("2.50")), Item(name="x")],
        flag=True,
    )
    schema = schema_of(User)
    assert [(i.path, i.kind, i.many, i.nullable, schema.fields[i.position].name) for i in schema.indexes] == [
        ("email", "unique", False, True, "email"),
        ("city", "set", False, False, "city"),
        ("age", "range", False, True, "age"),
        ("tags", "set", True, False, "tags"),
        ("address.city", "set", False, True, "address"),
        ("address.code", "unique", False, True, "address"),
        ("address.geo.lat", "range", False, True, "address"),
        ("items.name", "set", True, False, "items"),
        ("items.price", "set", True, False, "items"),
        ("color", "set", False, False, "color"),
        ("flag", "set", False, False, "flag"),
    ]
    assert schema.entries(full) == [
        (b"!", b"email", b"a", b""),
        (b"=", b"city", b"London", b""),
        (b"#", b"age", b"", b"5"),
        (b"=", b"tags", b"b", b""),
        (b"=", b"tags", b"a", b""),
        (b"=", b"address.city", b"Oslo", b""),
        (b"!", b"address.code", b"x", b""),
        (b"#", b"address.geo.lat", b"", b"1.5"),
        (b"=", b"items.name", b"x", b""),
        (b"=", b"items.name", b"y", b""),
        (b"=", b"items.price", b"0", b""),
        (b"=", b"items.price", b"25E-1", b""),
        (b"=", b"color", b"red", b""),
        (b"=", b"flag", b"1", b""),
    ]
    empty = {path: token for _, path, token, _ in schema.entries(User(id="2"))}
    assert empty == {
        b"email": b"~null",
        b"city": b"",
        b"age": b"~null",
        b"address.city": b"~null",
        b"address.code": b"~null",
        b"address.geo.lat": b"~null",
        b"color": b"red",
        b"flag": b"0",
    }


def test_query_values_are_read_as_the_fields_type() -> None:
    schema = schema_of(User)
    assert schema.index("age").score("18") == b"18"
    assert schema.index("color").token("red") == schema.index("color").token(Color.RED) == b"red"
    assert schema.index("tags").token("x") == b"x"
    assert schema.index("age").token(None) == b"~null"
    for path, value in (("age", "x"), ("age", 1.5), ("age", True), ("age", 2**53 + 1), ("color", "green"), ("city", 5)):
        index = schema.index(path)
        with pytest.raises(QueryError):
            index.score(value) if index.kind == "range" else index.token(value)
    with pytest.raises(QueryError, match="None"):
        schema.index("age").score(None)
    with pytest.raises(QueryError, match="no order"):
        schema.index("city").score("x")


def test_limits_of_a_field_are_no_limits_of_a_query() -> None:
    class Limited(Model, prefix="limited"):
        age: Indexed[int] = Field(ge=0, le=150)
        name: Indexed[str] = Field(default="ab", min_length=2, max_length=3)

    assert schema_of(Limited).index("age").score(-1) == b"-1"
    assert schema_of(Limited).index("name").token("") == b""


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("name", r"`name: Indexed\[str\]`"),
        ("address.street", r"address: Embedded"),
        ("nowhere", "no field"),
        ("id", "get"),
        ("address", "a field inside it"),
    ],
)
def test_unindexed_fields_say_what_to_do(path: str, text: str) -> None:
    with pytest.raises(UnindexedField, match=text) as caught:
        schema_of(User).index(path)
    assert (caught.value.model, caught.value.field) == ("User", path)


def test_conditions_are_data() -> None:
    a, b, c = User.age >= 18, User.city == "London", User.flag == True
    assert a == Compare("age", ">=", 18)
    assert (a & b & c) == And((a, b, c))
    assert (a | b | c) == Or((a, b, c))
    assert (a & b) | c == Or((And((a, b)), c))
    assert ~a == Not(a)
    assert ~~a == a
    assert User.age.in_([1, 2]) == Compare("age", "in", (1, 2))
    assert User.age.not_in([1]) == Not(Compare("age", "in", (1,)))
    assert User.age.between(1, 2) == And((Compare("age", ">=", 1), Compare("age", "<=", 2)))
    assert User.age.is_null() == Compare("age", "==", None)
    assert User.tags.contains("x") == Compare("tags", "==", "x")
    assert (User.age != 5) == Compare("age", "!=", 5)
    assert -User.age == Order("age", True)
    down = -User.age
    assert -down == +User.age == order_of(User.age) == Order("age")
    assert path_of(User.address.geo.lat) == "address.geo.lat"
    for wrong in (lambda: bool(a), lambda: a and b, lambda: 18 <= User.age <= 30, lambda: User.age in [5, 6]):
        with pytest.raises(QueryError, match="truth value"):
            wrong()
    with pytest.raises(QueryError, match="several values"):
        User.city.in_("abc")
    with pytest.raises(QueryError, match="order_by"):
        order_of("age")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        a & True  # type: ignore[operator]


RECORDS = [
    User(id="1", city="London", age=18, email="a", tags=["x", "y"], items=[Item(name="i")]),
    User(id="2", city="~null", age=None, email=None),
    User(id="3", city="x" * 200, age=-5, tags=["x"], color=Color.BLUE, flag=True),
    User(id="4", city="", age=0, address=Address(street="s", city="Oslo", geo=Geo(lat=-0.0))),
]


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        (User.age >= 18, "1"),
        (User.age < 18, "34"),
        (User.age <= 0, "34"),
        (~(User.age >= 18), "234"),
        (User.age == None, "2"),
        (User.age != None, "134"),
        (User.age != 18, "234"),
        (User.age.in_([18, None]), "12"),
        (User.age.not_in([18]), "234"),
        (User.age.in_([]), ""),
        (User.age.between(0, 18), "14"),
        (User.email.is_null(), "234"),
        (User.city == "~null", "2"),
        (User.city == "x" * 200, "3"),
        (User.city == "x" * 201, ""),
        (User.city != "London", "234"),
        (User.tags.contains("x"), "13"),
        (~User.tags.contains("x"), "24"),
        (User.tags.contains("z"), ""),
        (User.address.city == "Oslo", "4"),
        (User.address.city == None, "123"),
        (User.address.geo.lat == 0.0, "4"),
        (User.address.geo.lat >= 0, "4"),
        (User.items.name == "i", "1"),
        (User.items.price == Decimal("0.00"), "1"),
        (User.color == Color.BLUE, "3"),
        (User.color == "red", "124"),
        ((User.age >= 18) | (User.flag == True), "13"),
        ((User.age >= -10) & ~(User.city == ""), "13"),
    ],
)
def test_matches(condition: Any, ids: str) -> None:
    assert "".join(record.id for record in RECORDS if matches(condition, record)) == ids


@pytest.mark.parametrize(
    "condition",
    [
        Compare("name", "==", "x"),
        User.name == "x",
        User.city > "x",
        User.age > "x",
        User.age > None,
        User.tags == ["x"],
        User.items.price > Decimal(1),
    ],
)
def test_conditions_without_an_answer(condition: Any) -> None:
    with pytest.raises(QueryError):
        matches(condition, RECORDS[0])


number = st.integers(-(2**54), 2**54) | st.sampled_from([0, 1, -1, 2**53])


@given(number, number)
def test_scores_keep_the_order_or_are_refused(a: int, b: int) -> None:
    index = schema_of(User).index("age")
    try:
        first, second = float(index.score(a)), float(index.score(b))
    except QueryError:
        assert max(abs(a), abs(b)) > 2**53
        return
    assert (first < second) == (a < b)
    assert (first == second) == (a == b)


@given(st.text(), st.text())
def test_tokens_are_one_to_one_and_safe(a: str, b: str) -> None:
    index = schema_of(User).index("city")
    first, second = index.token(a), index.token(b)
    assert (first == second) == (a == b)
    assert all(byte >= 0x20 and byte != 0x7F for byte in first)
    assert first != index.token(None)
    first.decode()


def test_definition_tells_indexes_apart() -> None:
    definition = schema_of(User).definition()
    assert set(definition) == {b"layout", b"model", b"fingerprint", b"indexes"}
    assert (definition[b"layout"], definition[b"model"]) == (b"1", b"User")

    class Other(Model, prefix="indexed-others"):
        city: Indexed[str]

    class Same(Model, prefix="indexed-same"):
        city: Indexed[str]

    class Else(Model, prefix="indexed-else"):
        city: Unique[str]

    marks = [schema_of(model).definition()[b"fingerprint"] for model in (Other, Same, Else)]
    assert marks[0] == marks[1] != marks[2]
    assert (schema_of(Other).ids_key, schema_of(Other).log_key) == (b"indexed-others@ids", b"indexed-others@log")
    assert (schema_of(Other).expires_key, schema_of(Other).schema_key) == (
        b"indexed-others@expires",
        b"indexed-others@schema",
    )
