"""What a reference holds: a :class:`Link`, the id of another record and, once loaded, the record itself.

Pydantic sees a link as the other record's id: in JSON, in ``model_dump`` and in schemas. Nothing is loaded here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import UnionType
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeIs

from redmodel.errors import InvalidId, NotFound, NotLoaded, SchemaError
from redmodel.model.base import Model, schema_of
from redmodel.model.scalars import LinkType, Scalar, escape

M_co = TypeVar("M_co", covariant=True)

_ODD = re.compile(rb"[\x00-\x1f\x7f~]")

_NO_IDS: tuple[type[object], ...] = (BaseModel, dict, list)


class Link(Generic[M_co]):
    """A reference to a record of another model: its ``id``, and its ``value`` once that was loaded.

    Two links are equal if they name the same record, loaded or not. Links are made by Pydantic, from a record, an id or
    another link; reading ``value`` never asks Redis.
    """

    __slots__ = ("_id", "_model", "_value", "raw")

    leads_elsewhere = True
    """Fields of what it leads to are fields of another record, told apart from those of a nested model."""

    def __init__(self, model: type[Any], raw: bytes, value: Any = ...) -> None:
        self._model = model
        self._id: Any = ...
        self._value = value
        self.raw = raw
        """The id's bytes, as they stand in the record's key."""

    @property
    def model(self) -> type[M_co]:
        """The model of the record referred to."""
        return self._model

    @property
    def id(self) -> Any:
        """The id of the record, as its model's field holds it."""
        if self._id is ...:
            self._id = schema_of(self._model).id_from(self.raw)
        return self._id

    @property
    def loaded(self) -> bool:
        """Whether the record was looked up, or given: only then can ``value`` be read."""
        return self._value is not ...

    @property
    def missing(self) -> bool:
        """Whether the record was looked up and not found: it was deleted, or its time was over."""
        return self._value is None

    @property
    def value(self) -> M_co:
        """The record, when it is loaded. Raises NotLoaded, or NotFound if it was looked up and is missing."""
        if self._value is ...:
            raise NotLoaded(
                f"{self._model.__name__} {self.id!r} is not loaded: call db.load(link), or load many at once with "
                f"db.prefetch(records, field) or find(...).prefetch(field)",
                model=self._model.__name__,
                id=self.id,
            )
        if self._value is None:
            raise NotFound(
                f"there is no {self._model.__name__} {self.id!r}: the reference leads nowhere",
                model=self._model.__name__,
                id=self.id,
            )
        return cast("M_co", self._value)

    def settle(self, value: Any) -> None:
        """Remember what was found: the record, or None where there is none."""
        self._value = value

    def __eq__(self, other: object) -> bool:
        if not is_link(other):
            return NotImplemented
        return self.raw == other.raw and self._model is other.model

    def __hash__(self) -> int:
        return hash((self._model, self.raw))

    def __repr__(self) -> str:
        state = "missing" if self.missing else "loaded" if self.loaded else "not loaded"
        return f"<Link {self._model.__name__} {self.raw.decode(errors='backslashreplace')!r} {state}>"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (wanted,) = get_args(source) or (None,)
        target, nullable = _target(wanted)
        schema = core_schema.no_info_plain_validator_function(
            _maker(target),
            serialization=core_schema.plain_serializer_function_ser_schema(_id_of),
            metadata={"redmodel_link": _link_type(target)},
        )
        return core_schema.nullable_schema(schema) if nullable else schema

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        part: Any = schema
        inner = part["schema"] if part["type"] == "nullable" else part
        link: LinkType = inner["metadata"]["redmodel_link"]
        shown = schema_of(link.target).id_schema
        return handler(cast("CoreSchema", shown if inner is part else {**part, "schema": shown}))


def link_token(raw: bytes) -> bytes:
    """The token of an id in the index of a reference: the id itself, with odd bytes as ``~`` and two digits.

    Procedures make the same of ids that they meet, so no hash stands here.
    """
    return _ODD.sub(lambda odd: b"~%02x" % odd[0][0], raw)


def _target(wanted: Any) -> tuple[type[Model], bool]:
    """The model that ``Ref[...]`` names, and whether None is allowed."""
    parts = get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)
    models = [part for part in parts if part is not type(None)]
    if len(models) != 1 or not (isinstance(models[0], type) and issubclass(models[0], Model)) or models[0] is Model:
        raise SchemaError(
            f"Ref[{getattr(wanted, '__name__', wanted)}] refers to no model of redmodel: write Ref[Team], "
            f"Ref[Team | None] or Refs[Team]."
        )
    return models[0], len(models) < len(parts)


def is_link(value: object) -> TypeIs[Link[Any]]:
    """Whether a value is a link, to whatever model."""
    return isinstance(value, Link)


def _id_of(link: object) -> object:
    return link.id if is_link(link) else link


def _maker(target: type[Model]) -> Callable[[Any], Link[Any]]:
    """The function that makes a link of what a user gives: a link, a record, or an id."""
    name = target.__name__

    def make(given: Any) -> Link[Any]:
        if is_link(given):
            return _same_model(given, target)
        if isinstance(given, target) and type(given).__redmodel_prefix__ == target.__redmodel_prefix__:
            return Link(target, schema_of(target).id_of(given), given)
        if isinstance(given, _NO_IDS):
            raise ValueError(f"a {name}, its id or a Link is wanted, not {type(given).__name__}")
        try:
            return Link(target, schema_of(target).id_bytes(given))
        except InvalidId as error:
            raise ValueError(str(error)) from error

    return make


def _same_model(link: Link[Any], target: type[Model]) -> Link[Any]:
    if link.model is not target:
        raise ValueError(f"it refers to {link.model.__name__}, not to {target.__name__}")
    return link


def _link_type(target: type[Model]) -> LinkType:
    def write(link: Link[Any]) -> bytes:
        return escape(_same_model(link, target).raw)

    def read(raw: object) -> Link[Any]:
        return Link(target, cast("bytes", raw))

    return LinkType(
        target,
        Scalar(Link, write, textual=True),
        cast("dict[str, Any]", core_schema.no_info_plain_validator_function(read)),
        link_token,
    )
