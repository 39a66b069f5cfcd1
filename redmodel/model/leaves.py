"""One indexed value, by type: how it is told equal, how it is ordered, and how the value in a query is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator, to_json

from redmodel.errors import QueryError, SchemaError
from redmodel.model.codec import FieldCodec, LazyValidator, storage_config, with_definitions
from redmodel.model.geo import Point
from redmodel.model.scalars import LinkType, choices_of, unescape
from redmodel.model.shapes import Core, ModelShape, choices_in, peel, read_field, resolve
from redmodel.model.tokens import (
    Number,
    date_number,
    datetime_number,
    number_text,
    scaled_number,
    time_number,
    timedelta_number,
    token_of,
)

_COLLECTIONS = {"list": "items_schema", "set": "items_schema", "frozenset": "items_schema"}
_NUMBERS: dict[str, Callable[[Any], Number]] = {
    "int": lambda value: value,
    "float": lambda value: value,
    "decimal": lambda value: value,
    "datetime": datetime_number,
    "date": date_number,
    "time": time_number,
    "timedelta": timedelta_number,
}
_TRANSFORMS = ("type", "strip_whitespace", "to_lower", "to_upper")


class Leaf:
    """The type of one indexed value.

    ``number`` is None for types without an order that Redis could keep; ``text`` makes the same bytes of equal values,
    and different bytes of different ones.
    """

    __slots__ = ("kind", "number", "places", "target", "text", "token", "validator")

    def __init__(
        self,
        kind: str,
        text: Callable[[Any], bytes],
        number: Callable[[Any], Number] | None,
        read: Callable[[], SchemaValidator],
        link: LinkType | None = None,
        places: int | None = None,
    ) -> None:
        self.kind = kind
        self.places = places
        """The decimal places of Decimals that are indexed as whole numbers of the smallest unit."""
        self.text = text
        self.number = number
        self.validator = read
        self.token: Callable[[bytes], bytes] = token_of if link is None else link.token
        """The token of a text."""
        self.target: type[Any] | None = None if link is None else link.target
        """The model that a reference leads to."""

    def read(self, value: object, path: str) -> Any:
        """The value of a query as the field's type; QueryError if it is of no such type."""
        if isinstance(value, bool) and self.kind in _NUMBERS:
            raise QueryError(f"{path} holds {self.kind} values; a bool is none.")
        try:
            return self.validator().validate_python(value, strict=False)
        except ValidationError as error:
            why = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise QueryError(f"{path} can't be compared with this {type(value).__name__}: {why}.") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise QueryError(f"{path} can't be compared with this {type(value).__name__}: {error}.") from error


def item_schema(schema: Core, model: ModelShape) -> Core | None:
    """The schema of a collection's items; None if the schema is no collection of one type."""
    inner = peel(schema, model.by_reference)
    if inner["type"] in _COLLECTIONS:
        found: Core | None = inner.get("items_schema")
        return found
    if inner["type"] == "tuple" and inner.get("variadic_item_index") == 0 and len(inner["items_schema"]) == 1:
        only: Core = inner["items_schema"][0]
        return only
    return None


def leaf_of(name: str, schema: Core, model: ModelShape, where: str) -> Leaf:
    """The leaf for a field's or an item's schema; SchemaError (opening with ``where``) if it can't be indexed."""
    shape = read_field(schema, model)
    inner = shape.inner
    kind = shape.kind
    if kind == "json" and inner["type"] in ("union", "literal", "enum"):
        return _union_leaf(inner, schema, model, where)
    if kind in _NUMBERS:
        number, places = _NUMBERS[kind], None
        if kind == "decimal" and (places := inner.get("decimal_places")) is not None:
            number = scaled_number(places)
        return Leaf(kind, _text_of_number(number), number, _bare_validator(inner, model), places=places)
    if shape.link is not None:
        return Leaf(kind, lambda value: value.raw, None, LazyValidator(inner, {}), shape.link)
    if kind == "str":
        return Leaf(kind, str.encode, None, _bare_validator(inner, model))
    if kind in ("bytes", "bool"):
        return Leaf(kind, bytes if kind == "bytes" else _bool_text, None, _bare_validator(inner, model))
    if kind == "uuid":
        return Leaf(kind, lambda value: str(value).encode(), None, _bare_validator(inner, model))
    if kind in ("enum", "literal"):
        choices = choices_of(inner)
        known = {} if choices is None else dict(choices)
        if shape.enum_values:
            known |= {member.value: text for member, text in known.items()}  # type: ignore[attr-defined]
        text = _choice_text(known) if known else to_json
        return Leaf(kind, text, None, LazyValidator(with_definitions(inner, model), storage_config(model.config)))
    if kind == "text":
        codec = FieldCodec(name, schema, model)
        if codec.secret is not None:
            raise SchemaError(f"{where} is a secret: its value would stand in the names of keys, for all to read.")
        return Leaf(kind, lambda value: unescape(codec.write_text(value)), None, codec.validator)
    raise SchemaError(_refusal(where, inner))


def geo_leaf(schema: Core, model: ModelShape, where: str) -> Leaf:
    """The leaf of a place; SchemaError (opening with ``where``) if the field holds something else."""
    inner = peel(schema, model.by_reference)
    if inner["type"] != "dataclass" or inner["cls"] is not Point:
        raise SchemaError(f"{where} is no place: write Geo[Point] or Geo[Point | None].")
    return Leaf("point", to_json, lambda place: place.number, LazyValidator(inner, {}))


def _refusal(where: str, inner: Core) -> str:
    if inner["type"] == "model":
        return (
            f"{where} is a model, which has no equality in an index. Write Embedded[{inner['cls'].__name__}] and index "
            "the fields inside it."
        )
    if inner["type"] in ("list", "set", "frozenset", "tuple"):
        return f"{where} is a collection of collections (or of mixed types), and only single values can be indexed."
    return f"{where} is of a type ({inner['type']}) without order or equality that an index could keep."


def folded(leaf: Leaf) -> Leaf:
    """The leaf of texts of which upper and lower case are the same."""
    return Leaf("folded", lambda value: value.casefold().encode(), None, leaf.validator)


def _union_leaf(inner: Core, schema: Core, model: ModelShape, where: str) -> Leaf:
    config = storage_config(model.config)
    if inner["type"] != "union":
        return Leaf(inner["type"], to_json, None, LazyValidator(with_definitions(inner, model), config))
    branches = choices_in(inner)
    kinds = {resolve(branch, model.by_reference)["type"] for branch in branches}
    if kinds <= {"int", "float", "none"}:
        return Leaf("int", _text_of_number(_plain_number), _plain_number, LazyValidator(inner, config))
    for branch in branches:
        if resolve(branch, model.by_reference)["type"] != "none":
            leaf_of("", branch, model, where)
    # JSON tells "1" from 1, which the plain texts would not.
    return Leaf("union", to_json, None, LazyValidator(with_definitions(inner, model), config))


def _plain_number(value: Any) -> Number:
    return float(value) if isinstance(value, float) else int(value)


def _text_of_number(number: Callable[[Any], Number]) -> Callable[[Any], bytes]:
    return lambda value: number_text(number(value))


def _bool_text(value: object) -> bytes:
    return b"1" if value else b"0"


def _choice_text(choices: dict[object, bytes]) -> Callable[[Any], bytes]:
    return lambda value: unescape(choices[value])


def _bare_validator(inner: Core, model: ModelShape) -> Callable[[], SchemaValidator]:
    """A validator of the type without its limits: ``User.age >= -1`` may be asked where ages are never negative."""
    bare = {key: inner[key] for key in _TRANSFORMS if key in inner}
    config = {
        key: value
        for key, value in model.config.items()
        if key in ("str_strip_whitespace", "str_to_lower", "str_to_upper")
    }
    if bare["type"] in ("float", "decimal"):
        bare["allow_inf_nan"] = True
    return LazyValidator(bare, config)  # type: ignore[arg-type]
