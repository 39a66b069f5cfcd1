"""``Model``, the class that users derive from, and the metaclass that makes its schema when a class is defined."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

import pydantic
from pydantic import BaseModel, ConfigDict, PydanticUserError
from pydantic._internal._model_construction import ModelMetaclass, build_lenient_weakvaluedict
from pydantic._internal._typing_extra import parent_frame_namespace
from pydantic.errors import PydanticUndefinedAnnotation
from typing_extensions import dataclass_transform

from redmodel.errors import SchemaError
from redmodel.model.computed import adopt
from redmodel.model.declaration import check_names, declares_id
from redmodel.model.fields import Field, span_milliseconds
from redmodel.model.ids import new_id
from redmodel.model.keys import check_prefix
from redmodel.model.loaded import KEYSPACE, Memory
from redmodel.model.references import reference
from redmodel.model.registry import claim
from redmodel.model.rules import INHERITED, Rules, rules_of
from redmodel.model.schema import Schema, key_fields

M = TypeVar("M", bound="Model")

# While a class is made, Pydantic looks for defaults with getattr; a FieldRef found there would be taken for one.
_building: ContextVar[bool] = ContextVar("redmodel_building", default=False)


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, pydantic.Field, pydantic.PrivateAttr))
class ModelMeta(ModelMetaclass):
    """Makes the classes of models: Pydantic's own work, then the prefix, the id and the schema."""

    def __new__(
        mcls,
        name: str,
        bases: tuple[type[Any], ...],
        namespace: dict[str, Any],
        *,
        prefix: str | None = None,
        ttl: timedelta | float | None = INHERITED,
        sliding: bool | None = None,
        versioned: bool = INHERITED,
        unique_together: Sequence[Sequence[str]] = INHERITED,
        index_together: Sequence[Sequence[str]] = INHERITED,
        **kwargs: Any,
    ) -> type:
        if not any(isinstance(base, ModelMeta) for base in bases):
            return super().__new__(mcls, name, bases, namespace, **kwargs)
        generic: dict[str, Any] = kwargs.get("__pydantic_generic_metadata__") or {}
        origin = generic.get("origin")
        if prefix is not None:
            check_prefix(prefix, name)
        elif origin is not None:
            prefix = origin.__redmodel_prefix__
        check_names(name, namespace, Model)
        if ttl is INHERITED:
            ttl_ms: int | None = next((getattr(base, "__redmodel_ttl__", None) for base in bases), None)
        else:
            ttl_ms = None if ttl is None else span_milliseconds(ttl, f"{name}: ttl=")
        if sliding is None:
            sliding = ttl_ms is not None and any(getattr(base, "__redmodel_sliding__", False) for base in bases)

        if kwargs.pop("__pydantic_reset_parent_namespace__", True):
            # Pydantic would take the names of the frame that calls it, which is one of ours: give it the user's.
            namespace["__pydantic_parent_namespace__"] = build_lenient_weakvaluedict(parent_frame_namespace())

        def build(generated_id: bool) -> Any:
            token = _building.set(True)
            try:
                parents = _with_id(bases) if generated_id else bases
                body = dict(namespace)
                return super(ModelMeta, mcls).__new__(
                    mcls, name, parents, body, __pydantic_reset_parent_namespace__=False, **kwargs
                )
            finally:
                _building.reset(token)

        wanted = prefix is not None and origin is None and not declares_id(bases, namespace)
        cls = build(wanted)
        if prefix is not None and origin is None and cls.__pydantic_fields_complete__:
            # Annotations that are text may name Key otherwise, or something else Key: now they are known.
            others = [key for key in key_fields(cls) if key != "id"]
            if (wanted and others) or (not wanted and not others and "id" not in cls.__pydantic_fields__):
                cls = build(not wanted)
        cls.__redmodel_prefix__ = prefix
        cls.__redmodel_ttl__ = ttl_ms
        cls.__redmodel_sliding__ = sliding
        cls.__redmodel_rules__ = rules_of(name, bases, versioned, unique_together, index_together)
        cls.__redmodel_schema__ = None
        cls.__redmodel_references__ = {}
        adopt(cls)
        # Box[str] may be meant as a base for others: a parametrized class takes the prefix when it is first used.
        if prefix is not None and origin is None and not cls.__pydantic_generic_metadata__["parameters"]:
            claim(prefix, cls)
            if cls.__pydantic_complete__:
                cls.__redmodel_schema__ = _make_schema(cls)
        made: type = cls
        return made

    if not TYPE_CHECKING:  # a checker would let every attribute pass

        def __getattr__(cls, name: str) -> Any:  # noqa: N805 - a metaclass has classes for instances
            references = cls.__dict__.get("__redmodel_references__")
            if references is not None and not _building.get():
                found = references.get(name)
                if found is None and name in cls.__dict__.get("__pydantic_fields__", ()):
                    found = references[name] = reference(cls, name)
                if found is not None:
                    return found
            return super().__getattr__(name)


class Model(BaseModel, metaclass=ModelMeta):
    """A Pydantic model whose objects are kept as Redis hashes.

    ``class User(Model, prefix="users", ttl=timedelta(hours=1))`` keeps its records at ``users:<id>``. A class without a
    prefix is a base for others: it can't be saved, and its subclasses choose their own. With ``sliding=True`` the time
    to live begins anew when a record is read by its id. Unless the class declares an ``id``, or another field as
    ``Key[...]``, it gets ``id: str``, generated and sorted by time.

    ``versioned=True`` refuses a save of what another has changed since it was loaded, with StaleWrite.
    ``unique_together=[("team", "email")]`` allows one record for each team and email; a None among them doesn't count.
    ``index_together=[("city", "age")]`` keeps those of each city by age, so that such a page costs only what it holds.

    Assignments are validated; switch that off with ``model_config = ConfigDict(validate_assignment=False)``, and wrong
    values are still refused when they are saved.

    >>> class Point(Model, prefix="points"):
    ...     x: int
    >>> len(Point(x=1).id)
    26
    """

    __slots__ = ("__redmodel_loaded__",)

    model_config = ConfigDict(validate_assignment=True)

    if TYPE_CHECKING:
        __redmodel_prefix__: ClassVar[str | None]
        __redmodel_ttl__: ClassVar[int | None]
        __redmodel_sliding__: ClassVar[bool]
        __redmodel_rules__: ClassVar[Rules]
        __redmodel_schema__: ClassVar[Schema[Any] | None]
        __redmodel_references__: ClassVar[dict[str, Any]]
        # `| Any` lets a subclass declare an id of any type; init=False lets it be required there.
        id: str | Any = pydantic.Field(default_factory=new_id, init=False)
    else:
        # Without annotations, which Pydantic would evaluate anew for each subclass.
        __redmodel_prefix__ = None
        __redmodel_ttl__ = None
        __redmodel_sliding__ = False
        __redmodel_rules__ = Rules()
        __redmodel_schema__ = None
        __redmodel_references__ = {}  # each class is given its own


# Put among the bases of a model that declares no id.
_Identified = pydantic.create_model(
    "_Identified", __base__=Model, __module__=__name__, id=(str, pydantic.Field(default_factory=new_id))
)


def _with_id(bases: tuple[type[Any], ...]) -> tuple[type[Any], ...]:
    if Model in bases:
        return tuple(_Identified if base is Model else base for base in bases)
    if Generic in bases:
        at = bases.index(Generic)
        return (*bases[:at], _Identified, *bases[at:])
    return (*bases, _Identified)


def _make_schema(cls: type[Any]) -> Schema[Any]:
    return Schema(
        cls,
        cls.__redmodel_prefix__,
        cls.__redmodel_ttl__,
        Model.__dict__["__redmodel_loaded__"],
        cls.__redmodel_rules__,
        sliding=cls.__redmodel_sliding__,
    )


def schema_of(model: type[M] | M) -> Schema[M]:
    """The schema of a model, or of the model of a record. Raises SchemaError for a class that can't be stored.

    Cost: one attribute look-up; for a class with forward references, the first call resolves them.
    """
    try:
        schema = model.__redmodel_schema__
    except AttributeError:
        schema = None
    return schema if schema is not None else _late_schema(model if isinstance(model, type) else type(model))


def _late_schema(cls: Any) -> Schema[Any]:
    name: str = cls.__name__
    if not isinstance(cls, ModelMeta):
        several = " To save several records, use save_many()." if issubclass(cls, list | tuple | set) else ""
        raise SchemaError(f"{name} is no redmodel.Model: derive it from Model and give it a prefix.{several}")
    model = cast("type[Model]", cls)
    if model.__redmodel_prefix__ is None:
        raise SchemaError(
            f"{name} has no prefix, so its records have no keys. "
            f"Declare `class {name}(Model, prefix={name.lower() + 's'!r})`."
        )
    if model.__pydantic_generic_metadata__["parameters"]:
        raise SchemaError(f"{name} is generic: name its types, as in {name}[int].")
    try:
        model.model_rebuild(_parent_namespace_depth=4)  # the names around the call of schema_of
    except (PydanticUndefinedAnnotation, PydanticUserError) as error:
        raise SchemaError(f"{name} names a type that is not defined (yet): {error}") from error
    if model.__pydantic_generic_metadata__["origin"] is not None:
        claim(model.__redmodel_prefix__, model)
    model.__redmodel_schema__ = _make_schema(model)
    return model.__redmodel_schema__


_slot: Any = Model.__dict__["__redmodel_loaded__"]


def _memory(obj: Model) -> Memory | None:
    try:
        found = cast("Memory | None", _slot.__get__(obj))
    except AttributeError:
        return None
    return found if found is not None and found[0] == KEYSPACE.get() else None


def loaded_values(obj: Model) -> Sequence[bytes | None] | None:
    """What the record's fields held in Redis when it was read or saved last.

    None if it never was, or in another keyspace than the one that the plan runs in. Copies and pickles of a record
    don't carry it.
    """
    found = _memory(obj)
    return None if found is None else found[1]


def loaded_version(obj: Model) -> bytes | None:
    """The version that a record of a versioned model had then; None where there is none."""
    found = _memory(obj)
    return None if found is None else found[2]


def set_loaded(obj: Model, values: Sequence[bytes | None] | None, version: bytes | None = None) -> None:
    """Remembers what the record's fields now hold in the keyspace that the plan runs in, or forgets it."""
    _slot.__set__(obj, None if values is None else (KEYSPACE.get(), values, version))
