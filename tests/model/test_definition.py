"""What a class may declare, what is refused when it is made, and that Pydantic's own abilities stay as they are."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID, uuid4

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    SecretStr,
    ValidationError,
    computed_field,
    create_model,
    field_validator,
    model_validator,
)

import redmodel.model as room
from redmodel.errors import DecodeError, EncodingError, SchemaError
from redmodel.model import (
    TTL,
    Embedded,
    Field,
    FieldRef,
    Indexed,
    Key,
    Model,
    Unique,
    loaded_values,
    schema_of,
    set_loaded,
)

T = TypeVar("T")


class Address(BaseModel):
    street: str
    city: Indexed[str]


class Item(BaseModel):
    name: Indexed[str]
    code: Unique[str] = "x"


class Pickled(Model, prefix="pickled"):
    name: str


def define(**fields: Any) -> type[Any]:
    """A model of the given fields, made as create_model makes it."""
    definitions = {name: value if isinstance(value, tuple) else (value, ...) for name, value in fields.items()}
    return create_model("Defined", __base__=Model, __cls_kwargs__={"prefix": "defined"}, **definitions)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "index on a dict": ({"a": Indexed[dict[str, int]]}, "without order or equality"),
    "index on object": ({"a": Indexed[object]}, "without order or equality"),
    "index on Any": ({"a": Indexed[Any]}, "without order or equality"),
    "index on a model": ({"a": Indexed[Address]}, r"Embedded\[Address\]"),
    "index on models": ({"a": Indexed[list[Address]]}, r"Embedded\[Address\]"),
    "index on lists of lists": ({"a": Indexed[list[list[int]]]}, "collection of collections"),
    "index on mixed tuples": ({"a": Indexed[tuple[int, str]]}, "collection"),
    "index on None": ({"a": Indexed[None]}, "without order or equality"),
    "index on a union with a list": ({"a": Indexed[int | list[int]]}, "collection"),
    "index on a secret": ({"a": Indexed[SecretStr]}, "secret"),
    "unique list": ({"a": Unique[list[str]]}, "can't be unique"),
    "unique in a list": ({"a": Embedded[list[Item]]}, "can't be unique"),
    "indexed twice": ({"a": Indexed[Unique[str]]}, "twice"),  # type: ignore[type-var]
    "indexed and embedded": ({"a": Indexed[Embedded[Address]]}, "both indexed and embedded"),
    "embedded scalar": ({"a": Embedded[int]}, "no single Pydantic model"),
    "embedded union": ({"a": Embedded[Address | Item]}, "no single Pydantic model"),
    "mark inside a union": ({"a": Indexed[str] | None}, "outermost"),
    "mark inside a list": ({"a": list[Indexed[str]]}, "outermost"),
    "TTL inside a union": ({"a": (Annotated[str, TTL(minutes=5)] | None, None)}, "outermost"),
    "TTL without a default": ({"a": Annotated[str, TTL(minutes=5)]}, "default"),
    "TTL on an index": ({"a": (Annotated[Indexed[str], TTL(minutes=5)], "")}, "indexed and has a TTL"),
    "TTL on what is embedded": ({"a": (Annotated[Embedded[Address | None], TTL(minutes=5)], None)}, "TTL"),
    "TTL on the id": ({"id": (Annotated[str, TTL(minutes=5)], "")}, "is the id"),
    "indexed id": ({"id": Indexed[str]}, "needs no index"),
    "two keys": ({"a": Key[str], "b": Key[str]}, "2 ids"),
    "key and id": ({"id": str, "b": Key[str]}, "2 ids"),
    "id that may be None": ({"id": str | None}, "can't be None"),
    "id that is a list": ({"id": list[str]}, "one scalar"),
    "id that is a model": ({"id": Address}, "one scalar"),
    "id of any type": ({"id": Any}, "can't be None"),
    "id of several types": ({"id": int | str}, "one scalar"),
    "secret id": ({"id": SecretStr}, "one scalar"),
    "name of ours": ({"model_dump": int}, "every model has an attribute"),
    "name of Pydantic's": ({"copy": int}, "every model has an attribute"),
    "name with an at sign": ({"a@b": int}, "can't be named"),
    "name with a space": ({"a b": int}, "can't be named"),
    "index with the name of a side key": ({"ids": Indexed[str]}, "its key is taken"),
    "too many fields": ({f"f{n}": (int, 0) for n in range(1001)}, "at most 1000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_when_the_class_is_made(name: str) -> None:
    fields, text = REFUSED[name]
    with pytest.raises(SchemaError, match=text):
        define(**fields)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        " ",
        "a b",
        "a@b",
        "a{b",
        "a}b",
        "a*",
        "a?",
        "[a",
        "a]",
        "a\\b",
        "a\x00",
        "a\n",
        ":a",
        "a:",
        "\ud800",
        5,
        b"a",
    ],
)
def test_prefixes_that_keys_reserve(prefix: Any) -> None:
    with pytest.raises(SchemaError):

        class Refused(Model, prefix=prefix):
            name: str


def test_prefixes_of_several_parts() -> None:
    class Shop(Model, prefix="shop:v2:orders-é"):
        name: str

    assert schema_of(Shop).key(b"1") == "shop:v2:orders-é:1".encode()


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1), timedelta(microseconds=999)])
def test_ttl_must_be_positive(ttl: timedelta) -> None:
    with pytest.raises(SchemaError, match="time to live"):

        class Refused(Model, prefix="refused", ttl=ttl):
            name: str

    with pytest.raises(SchemaError, match="time to live"):
        TTL(seconds=ttl.total_seconds())


def test_private_names_with_two_underscores() -> None:
    with pytest.raises(SchemaError, match="two underscores"):

        class Refused(Model, prefix="refused"):
            __hidden: int


def test_extra_allow_is_refused() -> None:
    with pytest.raises(SchemaError, match="extra"):

        class Refused(Model, prefix="refused"):
            model_config = ConfigDict(extra="allow")


class Node(BaseModel):
    name: Indexed[str]
    parent: Embedded[Node | None] = None


def test_embedding_without_end() -> None:
    with pytest.raises(SchemaError, match="never end"):
        define(node=Embedded[Node])


def test_a_prefix_belongs_to_one_living_model() -> None:
    class First(Model, prefix="taken"):
        name: str

    with pytest.raises(SchemaError, match=r"already belongs to .*First"):

        class Second(Model, prefix="taken"):
            name: str

    with pytest.raises(SchemaError, match="overlap"):

        class Inner(Model, prefix="taken:x"):
            name: str

    class Outer(Model, prefix="tak"):
        pass

    with pytest.raises(SchemaError, match="overlap"):

        class Within(Model, prefix="tak:x"):
            pass

    class Beside(Model, prefix="taken2"):
        name: str

    del First
    gc.collect()

    class Third(Model, prefix="taken"):
        name: str


def test_a_class_replaces_its_former_self() -> None:
    def make() -> type[Model]:
        class Again(Model, prefix="again"):
            name: str

        return Again

    first, second = make(), make()
    assert schema_of(first) is not schema_of(second)


def test_a_class_out_of_scope_frees_its_prefix() -> None:
    def one() -> None:
        class Gone(Model, prefix="gone"):
            name: str

        Gone(name="x")

    def other() -> None:
        class Here(Model, prefix="gone"):
            name: str

    one()
    other()


def test_generated_id() -> None:
    class Plain(Model, prefix="plain"):
        name: str

    a, b = Plain(name="x"), Plain(name="x")
    assert list(Plain.model_fields) == ["id", "name"]
    assert len(a.id) == 26
    assert a.id < b.id
    assert Plain(name="x", id="mine").id == "mine"
    assert schema_of(Plain).fields[0].name == "id"


@pytest.mark.parametrize(
    ("annotation", "value", "key"),
    [
        (str, "a", b"a"),
        (int, 5, b"5"),
        (int, -(2**70), b"-1180591620717411303424"),
        (UUID, UUID(int=5), b"00000000-0000-0000-0000-000000000005"),
        (bytes, b"\x00\xff", b"\x00\xff"),
        (datetime, datetime(2026, 1, 2), b"2026-01-02T00:00:00"),
        (Decimal, Decimal("1.10"), b"1.1"),
        (Decimal, Decimal("-0.0"), b"0"),
        (Literal["a", "b"], "a", b"a"),
        (bool, True, b"1"),
        (float, -0.0, b"0.0"),
        (Enum("E", {"A": "a"}), "a", b"a"),
    ],
)
def test_declared_id(annotation: Any, value: Any, key: bytes) -> None:
    model = define(id=annotation, name=(str, ""))
    schema = schema_of(model)
    obj = model(id=value)
    assert schema.id_of(obj) == key
    assert schema.id_bytes(obj.id) == key
    again = schema.decode(schema.encode(obj), None, b"k")
    assert again == obj
    assert type(again.id) is type(obj.id)


def test_key_by_another_name() -> None:
    class Airport(Model, prefix="airfields"):
        name: str = ""
        icao: Key[str]

    assert list(Airport.model_fields) == ["name", "icao"]
    schema = schema_of(Airport)
    assert [spec.name for spec in schema.fields] == ["icao", "name"]
    assert schema.columns == (b"icao", b"name")
    assert schema.id_of(Airport(icao="EGLL")) == b"EGLL"


Kennung = room.Key


def test_key_under_another_name_in_text() -> None:
    class Renamed(Model, prefix="renamed"):
        code: Kennung[str]

    assert list(Renamed.model_fields) == ["code"]


class Keyboard(BaseModel):
    keys: int = 0


def test_text_that_only_looks_like_a_key() -> None:
    class Odd(Model, prefix="odd"):
        board: Annotated[Keyboard, "Key of nothing"]

    assert list(Odd.model_fields) == ["id", "board"]


def test_abstract_models() -> None:
    class Base(Model, ttl=timedelta(minutes=1)):
        created: Indexed[int] = 0

    class User(Base, prefix="abstract-users"):
        name: str

    class Lasting(Base, prefix="abstract-lasting", ttl=None):
        pass

    assert "id" not in Base.model_fields
    with pytest.raises(SchemaError, match="no prefix"):
        schema_of(Base)
    with pytest.raises(SchemaError, match="no prefix"):
        schema_of(Base(created=1))
    assert schema_of(User).ttl_ms == 60_000
    assert schema_of(Lasting).ttl_ms is None
    assert [index.path for index in schema_of(User).indexes] == ["created"]
    assert set(User.model_fields) == {"id", "created", "name"}

    class View(User):
        extra: int = 0

    with pytest.raises(SchemaError, match="no prefix"):
        schema_of(View)


def test_not_a_model_at_all() -> None:
    with pytest.raises(SchemaError, match=r"no redmodel\.Model"):
        schema_of(Address)  # type: ignore[type-var]


def test_generics() -> None:
    class Box(Model, Generic[T], prefix="boxes"):
        content: Indexed[T]

    with pytest.raises(SchemaError, match="generic"):
        schema_of(Box)
    numbers = Box[int]
    assert schema_of(numbers).index("content").kind == "range"
    assert schema_of(numbers).prefix == "boxes"
    with pytest.raises(SchemaError, match="already belongs"):
        schema_of(Box[str])

    class Texts(Box[str], prefix="texts"):
        pass

    assert schema_of(Texts).index("content").kind == "set"
    obj = numbers(content=5)
    assert schema_of(obj).decode(schema_of(obj).encode(obj), None, b"k") == obj


class Late(Model, prefix="late"):
    other: Embedded[Later]


class Later(BaseModel):
    name: Indexed[str]


def test_forward_references() -> None:
    schema = schema_of(Late)
    assert [index.path for index in schema.indexes] == ["other.name"]
    assert room.path_of(Late.other.name) == "other.name"
    obj = Late(other=Later(name="x"))
    assert schema.decode(schema.encode(obj), None, b"k") == obj

    class Never(Model, prefix="never"):
        other: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(SchemaError, match="not defined"):
        schema_of(Never)


def test_aliases_computed_private_and_excluded_fields() -> None:
    class Inner(BaseModel):
        model_config = ConfigDict(populate_by_name=False)
        number: int = Field(alias="theNumber", default=0)

    class Rich(Model, prefix="rich"):
        name: Indexed[str] = Field(alias="fullName")
        inner: Inner
        secret: str = Field(exclude=True, default="s")
        _cache: int = PrivateAttr(default=5)

        @computed_field
        def shout(self) -> str:
            return self.name.upper()

    obj = Rich(fullName="ada", inner=Inner(theNumber=3), secret="kept")
    schema = schema_of(Rich)
    stored = schema.encode(obj)
    assert schema.columns == (b"id", b"name", b"inner", b"secret")
    assert stored[1:] == [b"ada", b'{"number":3}', b"kept", b"ADA"]
    again = schema.decode(stored[:4], None, b"k")
    assert again == obj
    assert again.secret == "kept"
    assert again._cache == 5
    assert again.model_dump(by_alias=True) == {
        "id": obj.id,
        "fullName": "ada",
        "inner": {"theNumber": 3},
        "shout": "ADA",
    }


def test_validators() -> None:
    class Checked(Model, prefix="checked"):
        name: str
        tags: list[str]
        total: int = 0

        @field_validator("tags", mode="before")
        @classmethod
        def split(cls, value: Any) -> Any:
            assert isinstance(value, str | list)
            return value.split(",") if isinstance(value, str) else value

        @field_validator("name")
        @classmethod
        def strip(cls, value: str) -> str:
            return value.strip()

        @model_validator(mode="before")
        @classmethod
        def shape(cls, value: Any) -> Any:
            assert not isinstance(value, dict) or not any(isinstance(v, bytes) for v in value.values())
            return value

        @model_validator(mode="after")
        def count(self) -> Any:
            self.__dict__["total"] = len(self.tags)
            return self

    obj = Checked.model_validate({"name": " ada ", "tags": "a,b"})
    schema = schema_of(Checked)
    again = schema.decode(schema.encode(obj), None, b"k")
    assert again == obj
    assert again.total == 2


def test_validators_that_would_change_a_record_again() -> None:
    class Hashing(Model, prefix="hashing"):
        password: str

        @field_validator("password")
        @classmethod
        def digest(cls, value: str) -> str:
            return f"#{value}"

    class Counting(Model, prefix="counting"):
        loads: int = 0

        def model_post_init(self, context: Any) -> None:
            self.__dict__["loads"] += 1

    class Related(Model, prefix="related"):
        low: int
        high: int

        @field_validator("high")
        @classmethod
        def above(cls, value: int, info: Any) -> int:
            return max(value, info.data["low"])

    with pytest.raises(EncodingError, match=r"Hashing\.password"):
        schema_of(Hashing).encode(Hashing(password="x"))
    with pytest.raises(EncodingError, match=r"Counting\.loads"):
        schema_of(Counting).encode(Counting())
    fine = Related(low=5, high=1)
    assert fine.high == 5
    assert schema_of(Related).decode(schema_of(Related).encode(fine), None, b"k") == fine


def test_strict_frozen_and_custom_init() -> None:
    class Strict(Model, prefix="strict"):
        model_config = ConfigDict(strict=True, frozen=True)
        when: datetime
        ids: set[UUID] = Field(default_factory=set)
        count: int = 0
        price: Decimal = Decimal(0)

    class Own(Model, prefix="own"):
        name: str

        def __init__(self, name: str) -> None:
            super().__init__(name=name)

    obj = Strict(when=datetime(2026, 1, 1), ids={uuid4()}, count=3, price=Decimal("1.10"))
    assert schema_of(Strict).decode(schema_of(Strict).encode(obj), None, b"k") == obj
    own = Own("x")
    assert schema_of(Own).decode(schema_of(Own).encode(own), None, b"k") == own


def test_assignments_are_validated() -> None:
    obj = Pickled(name="x")
    with pytest.raises(ValidationError):
        obj.name = 5  # type: ignore[assignment]


def test_without_validation_wrong_values_are_refused_on_save() -> None:
    class Loose(Model, prefix="loose"):
        model_config = ConfigDict(validate_assignment=False)
        age: int = Field(default=0, ge=0)
        tags: list[str] = Field(default_factory=list)
        address: Address = Address(street="a", city="b")
        flag: bool = False

    schema = schema_of(Loose)
    for change in (
        {"age": "5"},
        {"age": -1},
        {"age": True},
        {"age": 5.0},
        {"age": None},
        {"tags": ["a", 5]},
        {"tags": ("a",)},
        {"flag": 1},
        {"address": {"street": "a", "city": "b"}},
    ):
        obj = Loose()
        for name, value in change.items():
            setattr(obj, name, value)
        with pytest.raises(EncodingError) as caught:
            pytest.fail(f"{change} was stored as {schema.encode(obj)}")
        assert (caught.value.model, caught.value.field) == ("Loose", next(iter(change)))
    obj = Loose()
    obj.tags.append(5)  # type: ignore[arg-type]
    with pytest.raises(EncodingError):
        schema.encode(obj)
    obj = Loose()
    obj.address.street = 5  # type: ignore[assignment]
    with pytest.raises(EncodingError):
        schema.encode(obj)
    obj = Loose()
    del obj.age
    with pytest.raises(EncodingError, match="no such value"):
        schema.encode(obj)


def test_class_access() -> None:
    class Seen(Model, prefix="seen"):
        name: str = "n"
        age: Indexed[int] = 5
        address: Embedded[Address | None] = None
        others: Embedded[list[Address]] = Field(default_factory=list)

    class Below(Seen, prefix="seen-below"):
        age: Indexed[int] = 6

    assert isinstance(Seen.age, FieldRef)
    assert room.path_of(Seen.age) == "age"
    assert room.path_of(Seen.address.city) == "address.city"
    assert room.path_of(Seen.others.city) == "others.city"
    assert Seen(id="a").age == 5
    assert Below(id="a").age == 6
    assert Below.model_fields["age"].default == 6
    assert repr(Seen.age) == "<FieldRef Seen.age>"
    for name in ("nothing", "_private", "__wrapped__"):
        assert not hasattr(Seen, name)
        assert not hasattr(Seen.address, name)
        assert not hasattr(Seen.age, name)


class Web(Model, prefix="web"):
    """A user."""

    email: Unique[str]
    age: Indexed[int] = Field(default=0, ge=0, description="years")
    address: Embedded[Address]


def test_json_schema_and_fastapi_see_a_plain_model() -> None:
    class Plain(BaseModel):
        """A user."""

        id: str = Field(default_factory=str)
        email: str
        age: int = Field(default=0, ge=0, description="years")
        address: Address

    wanted = Plain.model_json_schema()
    found = Web.model_json_schema()
    assert found == {**wanted, "title": "Web"}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi import FastAPI
        from fastapi.testclient import TestClient

    app = FastAPI()

    @app.post("/users")
    def create(user: Web) -> Web:
        assert loaded_values(user) is None
        return user

    app.post("/inline")(create)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = TestClient(app)
        response = client.post("/users", json={"email": "a", "address": {"street": "s", "city": "c"}})
        schema = client.get("/openapi.json").json()
    assert response.status_code == 200, response.text
    assert response.json()["address"] == {"street": "s", "city": "c"}
    assert set(schema["components"]["schemas"]["Web"]["required"]) == {"email", "address"}


def test_create_model() -> None:
    made = create_model(
        "Made", __base__=Model, __cls_kwargs__={"prefix": "made"}, age=(Indexed[int], 5), name=(str, ...)
    )
    assert schema_of(made).index("age").kind == "range"
    obj = made(name="x")
    assert schema_of(made).decode(schema_of(made).encode(obj), None, b"k") == obj


def test_the_loaded_state_stays_with_the_object() -> None:
    obj = Pickled(name="x")
    assert loaded_values(obj) is None
    set_loaded(obj, [b"1", b"x"])
    assert loaded_values(obj) == [b"1", b"x"]
    assert obj == Pickled(name="x", id=obj.id)
    for twin in (obj.model_copy(), copy.copy(obj), copy.deepcopy(obj), pickle.loads(pickle.dumps(obj))):
        assert twin == obj
        assert loaded_values(twin) is None
    assert "loaded" not in repr(obj) + str(obj.model_dump())
    set_loaded(obj, None)
    assert loaded_values(obj) is None


def test_the_room_needs_neither_redis_nor_asyncio() -> None:
    import subprocess
    import sys

    code = "import sys, pydantic; before = set(sys.modules); import redmodel.model; print(*(set(sys.modules) - before))"
    added = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    unwanted = {"asyncio", "redis", "typer", "rich", "hiredis"}
    assert not unwanted & {name.partition(".")[0] for name in added}


def test_decode_errors_name_the_place() -> None:
    class Strange(Model, prefix="strange"):
        age: int
        tags: list[str] = Field(default_factory=list)

    schema = schema_of(Strange)
    with pytest.raises(DecodeError) as caught:
        schema.decode([b"1", b"old", None], None, b"strange:1")
    assert (caught.value.key, caught.value.field, caught.value.raw, caught.value.model) == (
        b"strange:1",
        "age",
        b"old",
        "Strange",
    )
    for stored in (
        [b"1", None, None],
        [None, b"1", None],
        [b"1", b"1", b"[" * 10_000],
        [b"1", b"1", b'["a'],
        [b"1", b"\xff", None],
    ):
        with pytest.raises(DecodeError):
            schema.decode(stored, None, b"strange:1")


def test_local_types_named_in_text() -> None:
    class Inner(BaseModel):
        number: int

    class Outer(Model, prefix="outer-local"):
        inner: Inner

    assert Outer.__pydantic_complete__
    assert Outer(inner=Inner(number=1)).inner.number == 1


class Grade(Enum):
    GOOD = "good"
    BAD = 0


def test_enum_values_in_place_of_members() -> None:
    class Graded(Model, prefix="graded"):
        model_config = ConfigDict(use_enum_values=True)
        level: Indexed[Level]

    class Level(Enum):
        LOW = "low"
        HIGH = "high"

    schema = schema_of(Graded)
    obj = Graded(id="1", level=Level.HIGH)
    assert obj.level == "high"
    assert schema.encode(obj) == [b"1", b"high"]
    assert schema.entries(obj) == [(b"=", b"level", b"high", b"")]
    assert schema.index("level").token(Level.HIGH) == schema.index("level").token("high") == b"high"
    assert schema.decode([b"1", b"low"], None, b"k").level == "low"


def test_enums_of_mixed_values() -> None:
    model = define(grade=Grade)
    schema = schema_of(model)
    assert schema.encode(model(id="1", grade=Grade.BAD)) == [b"1", b"0"]
    assert schema.decode([b"1", b'"good"'], None, b"k").grade is Grade.GOOD


class Created(BaseModel):
    created: Indexed[int] = 0


def test_mixins_and_several_bases() -> None:
    class Audited(Model):
        by: Indexed[str] = ""

    class Removable(Model):
        gone: Indexed[bool] = False

    class Both(Audited, Removable, Created, prefix="both"):
        name: str = ""

    class First(Created, Model, prefix="first-mixin"):
        pass

    class Declared(Created):
        id: int

    class Second(Declared, Model, prefix="second-mixin"):
        pass

    assert set(Both.model_fields) == {"id", "by", "gone", "created", "name"}
    assert {index.path for index in schema_of(Both).indexes} == {"by", "gone", "created"}
    for model in (Both, First):
        obj = model()
        assert schema_of(model).decode(schema_of(model).encode(obj), None, b"k") == obj
    assert schema_of(Second).id_of(Second(id=5)) == b"5"


def test_aliases_of_types() -> None:
    from typing import NewType

    from typing_extensions import TypeAliasType

    tags = TypeAliasType("tags", list[str])
    number = NewType("number", int)
    model = define(tags=Indexed[tags], number=Indexed[number], both=Indexed[Annotated[int, Field(ge=0)]])
    assert [(i.path, i.kind, i.many) for i in schema_of(model).indexes] == [
        ("tags", "set", True),
        ("number", "range", False),
        ("both", "range", False),
    ]
