"""Equal after load, or refused before the write: every type, plain and inside of others, with values made to break."""

# ruff: noqa: DTZ901 - naive times are what is tested

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    PlainSerializer,
    RootModel,
    SecretBytes,
    SecretStr,
    StringConstraints,
    ValidationError,
    create_model,
)
from typing_extensions import TypedDict

from redmodel.errors import EncodingError
from redmodel.model import Field, Model, schema_of
from redmodel.model.equality import same

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    NUL = "\x00red"


class Size(enum.IntEnum):
    SMALL = 1
    BIG = 2


class Mixed(enum.Enum):
    TEXT = "1"
    NUMBER = 1
    NOTHING = None
    PAIR = (1, 2)


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Address(BaseModel):
    street: str
    floor: int | None = None
    ratio: float = 0.0


class FancyAddress(Address):
    colour: str = "red"


class Aliased(BaseModel):
    outer: int = Field(default=0, alias="theAlias")


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int = 0


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    when: datetime
    ids: set[UUID] = Field(default_factory=set)


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str = ""


class Node(BaseModel):
    value: int = 0
    children: list[Node] = Field(default_factory=list)


class Box(BaseModel, Generic[T]):
    content: T


class Tags(RootModel[list[str]]):
    pass


@dataclass
class Point:
    x: float
    y: float = 0.0


class Pair(NamedTuple):
    first: int
    second: str


class Options(TypedDict, total=False):
    verbose: bool
    level: int


class Celsius:
    """A type of the user's own, with neither __eq__ nor a schema."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __repr__(self) -> str:
        return f"{self.degrees!r}°C"


class Username(str):
    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(cls, handler(str))


def _celsius(value: Any) -> Celsius:
    return value if isinstance(value, Celsius) else Celsius(float(str(value).removesuffix("°C")))


Custom = Annotated[
    Any,
    AfterValidator(_celsius),
    PlainSerializer(lambda value: f"{value.degrees!r}°C", return_type=str),
]

text = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["", "None", "null", "\x00", "\x00\x00", "\ud800", "a\x00b", "1", "true", "é", "e\u0301", "\r\n", " padded ", "🦊"]
)
whole = st.integers() | st.sampled_from([0, -1, 2**53, 2**53 + 1, 2**63, 2**64, -(2**70), 10**30, -(10**300)])
real = st.floats() | st.sampled_from(
    [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, 0.1, 1e22]
)
zones = st.none() | st.sampled_from(
    [
        UTC,
        timezone(timedelta(hours=-3)),
        timezone(timedelta(seconds=1172)),
        ZoneInfo("Europe/Amsterdam"),
        ZoneInfo("America/New_York"),
    ]
)
moment = st.builds(
    lambda value, fold: value.replace(fold=fold), st.datetimes(timezones=zones), st.sampled_from([0, 1])
) | st.sampled_from(
    [
        datetime.min,
        datetime.max,
        datetime(2026, 10, 25, 2, 30, fold=1),
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Amsterdam")),
        datetime(1900, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),
        datetime.max.replace(tzinfo=UTC),
    ]
)
clock = st.builds(lambda t, fold: t.replace(fold=fold), st.times(timezones=zones), st.sampled_from([0, 1]))
anything = st.recursive(
    st.none() | st.booleans() | whole | real | text | st.binary(max_size=5) | moment,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(text, inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.integers(), inner, max_size=2)
    ),
    max_leaves=6,
)

TYPES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "str": (str, text),
    "int": (int, whole),
    "float": (float, real),
    "bool": (bool, st.booleans()),
    "bytes": (bytes, st.binary(max_size=20) | st.sampled_from([b"", b"\x00", b"\xff\x00", b"\x00\x00a"])),
    "datetime": (datetime, moment),
    "date": (date, st.dates()),
    "time": (time, clock),
    "timedelta": (
        timedelta,
        st.timedeltas() | st.sampled_from([timedelta.min, timedelta.max, timedelta(microseconds=-1)]),
    ),
    "uuid": (UUID, st.uuids()),
    "decimal": (
        Decimal,
        st.decimals(allow_nan=True, allow_infinity=True)
        | st.sampled_from(
            [Decimal("1.10"), Decimal("-0"), Decimal("1E+400"), Decimal("0." + "1" * 60), Decimal("sNaN")]
        ),
    ),
    "enum": (Color, st.sampled_from(Color)),
    "int enum": (Size, st.sampled_from(Size)),
    "mixed enum": (Mixed, st.sampled_from(Mixed)),
    "flag": (Right, st.sampled_from([Right.READ, Right.READ | Right.WRITE, Right(0)])),
    "literal": (Literal["a", "\x00b", ""], st.sampled_from(["a", "\x00b", ""])),
    "mixed literal": (Literal["1", 1, None, "null"], st.sampled_from(["1", 1, None, "null"])),
    "bool literal": (Literal[True, 0, "true"], st.sampled_from([True, 0, "true"])),
    "union": (int | str, whole | text),
    "dates or text": (date | datetime | str, st.dates() | moment | text | st.sampled_from(["2026-01-01"])),
    "numbers": (int | float | Decimal, whole | real | st.decimals(allow_nan=False)),
    "bool or int": (bool | int, st.booleans() | whole),
    "model": (Address, st.builds(Address, street=text, floor=st.none() | whole, ratio=real)),
    "subclassed model": (Address, st.builds(FancyAddress, street=text)),
    "aliased model": (Aliased, st.builds(Aliased, theAlias=whole)),
    "loose model": (Loose, st.builds(lambda extra: Loose(a=1, b=extra), anything)),
    "strict model": (Strict, st.builds(Strict, when=moment, ids=st.sets(st.uuids(), max_size=2))),
    "root model": (Tags, st.builds(Tags, st.lists(text, max_size=3))),
    "generic": (Box[int], st.builds(Box[int], content=whole)),
    "recursive": (Node, st.just(Node(value=1, children=[Node(value=2)]))),
    "discriminated": (Annotated[Cat | Dog, Discriminator("kind")], st.builds(Cat) | st.builds(Dog, name=text)),
    "models": (Cat | Dog, st.builds(Cat) | st.builds(Dog, name=text)),
    "set": (set[int], st.sets(whole, max_size=4)),
    "frozenset": (frozenset[str], st.frozensets(text, max_size=4)),
    "tuple": (tuple[int, str], st.tuples(whole, text)),
    "tuples": (tuple[float, ...], st.lists(real, max_size=3).map(tuple)),
    "int keys": (dict[int, str], st.dictionaries(whole, text, max_size=3)),
    "tuple keys": (
        dict[tuple[int, int], str],
        st.dictionaries(st.tuples(st.integers(), st.integers()), text, max_size=2),
    ),
    "any list": (list, st.lists(anything, max_size=3)),
    "any": (Any, anything),
    "object": (object, anything),
    "dataclass": (Point, st.builds(Point, real, real)),
    "typed dict": (Options, st.fixed_dictionaries({}, optional={"verbose": st.booleans(), "level": whole})),
    "named tuple": (Pair, st.builds(Pair, whole, text)),
    "short": (Annotated[str, StringConstraints(max_length=5, strip_whitespace=True)], text),
    "even": (Annotated[int, Field(multiple_of=2, ge=0)], whole),
    "address": (IPv4Address, st.ip_addresses(v=4)),
    "path": (Path, text.filter(lambda t: "\x00" not in t).map(Path)),
    "secret": (SecretStr, text.map(SecretStr)),
    "secret bytes": (SecretBytes, st.binary(max_size=5).map(SecretBytes)),
    "username": (Username, text.map(Username)),
    "doubler": (Annotated[str, AfterValidator(lambda value: value + value)], text),
    "custom": (Custom, real.map(Celsius)),
}

WRAPS: dict[str, Callable[[Any, st.SearchStrategy[Any]], tuple[Any, st.SearchStrategy[Any]]]] = {
    "plain": lambda t, s: (t, s),
    "Optional": lambda t, s: (_optional(t), st.none() | s),
    "X | None": lambda t, s: (t | None if isinstance(t, type) else _optional(t), st.none() | s),
    "list": lambda t, s: (list[t], st.lists(s, max_size=3)),  # type: ignore[valid-type]
    "dict": lambda t, s: (dict[str, t], st.dictionaries(text, s, max_size=2)),  # type: ignore[valid-type]
    "nested": lambda t, s: _nested(t, s),
    "nested None": lambda t, s: _nested(_optional(t), st.none() | s),
}


def _optional(annotation: Any) -> Any:
    from typing import Optional

    return Optional[annotation]  # noqa: UP045 - annotations here need not be types


def _nested(annotation: Any, values: st.SearchStrategy[Any]) -> tuple[Any, st.SearchStrategy[Any]]:
    inner = create_model("Inner", __config__=ConfigDict(arbitrary_types_allowed=True), value=(annotation, ...))
    return inner, values.map(lambda value: inner.model_construct(value=value))


class Holder(Model):
    model_config = ConfigDict(arbitrary_types_allowed=True)


def equal_or_refused(model: type[Any], value: object) -> bool:
    """Whether the value was stored; fails if it came back different."""
    schema = schema_of(model)
    record = model.model_construct(id="1", value=value)
    refusal = None
    try:
        stored = schema.encode(record)
    except EncodingError as error:
        refusal = error
    if refusal is not None:
        assert (refusal.model, refusal.field) == (model.__name__, "value")
        return False
    assert all(column is None or isinstance(column, bytes) for column in stored)
    loaded = schema.decode(stored, None, b"held:1")
    opaque: list[object] = []
    assert same(value, loaded.value, opaque), (value, loaded.value, stored)
    assert not opaque or repr(value) == repr(loaded.value)
    assert schema.encode(loaded) == stored
    return True


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("name", TYPES)
def test_equal_after_load_or_refused(name: str, wrap: str) -> None:
    annotation, values = WRAPS[wrap](*TYPES[name])
    try:
        model = create_model("Held", __base__=Holder, __cls_kwargs__={"prefix": "held"}, value=(annotation, ...))
    except ValidationError as error:  # pragma: no cover - would be a mistake in this test
        pytest.fail(str(error))

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(values)
    def check(value: object) -> None:
        equal_or_refused(model, value)

    check()


STORED = [
    "str",
    "int",
    "float",
    "bool",
    "bytes",
    "datetime",
    "date",
    "timedelta",
    "uuid",
    "enum",
    "int enum",
    "literal",
    "mixed literal",
]


@pytest.mark.parametrize("name", STORED)
def test_plain_scalars_are_not_refused(name: str) -> None:
    annotation, values = TYPES[name]
    model = create_model("Held", __base__=Holder, __cls_kwargs__={"prefix": "held"}, value=(annotation, ...))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(values)
    def check(value: Any) -> None:
        stored = equal_or_refused(model, value)
        odd = isinstance(value, str) and any(0xD800 <= ord(c) < 0xE000 for c in value)
        assert stored != odd

    check()
