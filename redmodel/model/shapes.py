"""Reads Pydantic's core schemas: what a field really holds, and the schema that reads it back from Redis.

The core schema is what Pydantic validates with, so it knows what annotations only suggest: constraints, validators,
strict mode, aliases of types. Nothing is encoded here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias, cast

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from redmodel.model.scalars import LinkType

Core: TypeAlias = dict[str, Any]
"""A core schema or a part of one."""

SCALARS = frozenset(
    {"str", "int", "float", "bool", "bytes", "uuid", "decimal", "enum", "literal"}
    | {"datetime", "date", "time", "timedelta"}
)
"""The core types with a codec of their own; everything else is JSON, or text through its own serializer."""

_DATA = (
    SCALARS
    | {"list", "set", "frozenset", "tuple", "dict", "model", "dataclass", "typed-dict"}
    | {"union", "tagged-union", "any", "none", "json", "definition-ref"}
)
_FUNCTIONS = frozenset({"function-after", "function-wrap", "function-plain"})
_NOT_A_CONSTRAINT = frozenset(
    {"type", "ref", "metadata", "serialization", "strict", "cls", "members", "expected", "microseconds_precision"}
)
_TEXT_CONFIG = frozenset({"str_strip_whitespace", "str_to_lower", "str_to_upper", "str_max_length", "str_min_length"})


@dataclass(slots=True)
class FieldShape:
    """What a field holds: a scalar's core type, ``link``, ``text`` (a custom type written as text) or ``json``."""

    schema: Core
    inner: Core
    kind: str
    nullable: bool = False
    has_default: bool = False
    absent_is_none: bool = False
    functions: bool = False
    wraps: bool = False
    needs_record: bool = False
    constrained: bool = False
    enum_values: bool = False
    link: LinkType | None = None
    load: Core = field(default_factory=lambda: dict[str, Any]())


@dataclass(slots=True)
class ModelShape:
    """A model's core schema taken apart: its fields, the computed ones, and what surrounds them."""

    cls: type[BaseModel]
    config: dict[str, Any]
    model: Core
    fields: dict[str, Core]
    after: list[Core]
    definitions: list[Core]
    input_validators: bool = False
    by_reference: dict[str, Core] = field(default_factory=lambda: dict[str, Core]())
    computed: dict[str, Core] = field(default_factory=lambda: dict[str, Core]())

    @property
    def judges_records(self) -> bool:
        """Whether code of the user's runs on every loaded record, and so might change it."""
        return bool(self.after) or (self.model.get("post_init") is not None and _own_post_init(self.cls))


def _own_post_init(cls: type[BaseModel]) -> bool:
    function = cls.model_post_init
    # Pydantic puts its own function there when a model has private attributes; that one only sets their defaults.
    return getattr(function, "__module__", "").partition(".")[0] != "pydantic"


def read_model(cls: type[BaseModel]) -> ModelShape:
    """Takes a complete model's core schema apart. Cost: some microseconds."""
    schema: Core = dict(cls.__pydantic_core_schema__)
    definitions: list[Core] = []
    if schema["type"] == "definitions":
        definitions = list(schema["definitions"])
        schema = schema["schema"]
    by_reference = {d["ref"]: d for d in definitions}
    after: list[Core] = []
    inputs = False
    while schema["type"] != "model":
        if schema["type"] == "definition-ref":
            schema = by_reference[schema["schema_ref"]]
            continue
        if schema["type"] == "function-after":
            after.append(schema)
        elif schema["type"] in ("function-wrap", "function-before"):
            inputs = True
        schema = schema["schema"]
    inner = schema["schema"]
    while inner["type"] != "model-fields":
        inputs = True
        inner = inner["schema"]
    return ModelShape(
        cls=cls,
        config=dict(schema.get("config", {})),
        model=schema,
        fields={name: spec["schema"] for name, spec in inner["fields"].items()},
        after=after,
        definitions=definitions,
        input_validators=inputs,
        by_reference=by_reference,
        computed={one["property_name"]: one["return_schema"] for one in inner.get("computed_fields", ())},
    )


def resolve(schema: Core, by_reference: dict[str, Core]) -> Core:
    """Follows references to the schema they stand for."""
    while schema["type"] == "definition-ref":
        schema = by_reference[schema["schema_ref"]]
    return schema


def choices_in(union: Core) -> list[Core]:
    """The branches of a union; some stand there with a label."""
    choices: list[Any] = union["choices"]
    return [choice[0] if isinstance(choice, tuple) else choice for choice in choices]


def core(schema: Core) -> CoreSchema:
    """A schema made here, as pydantic-core's types call it."""
    return cast("CoreSchema", schema)


def peel(schema: Core, by_reference: dict[str, Core]) -> Core:
    """The schema without defaults, None and functions around it."""
    while True:
        schema = resolve(schema, by_reference)
        if schema["type"] in ("default", "nullable", "function-after", "function-before", "function-wrap"):
            schema = schema["schema"]
        else:
            return schema


def accepts_none(schema: Core, by_reference: dict[str, Core]) -> bool:
    """Whether None is a value of this schema, as far as can be told without running functions."""
    schema = resolve(schema, by_reference)
    kind = schema["type"]
    if kind in ("nullable", "any", "none"):
        return True
    if kind in ("default", "function-after", "function-before", "function-wrap"):
        return accepts_none(schema["schema"], by_reference)
    if kind == "union":
        return any(accepts_none(choice, by_reference) for choice in choices_in(schema))
    return kind == "literal" and None in schema["expected"]


def read_field(schema: Core, shape: ModelShape) -> FieldShape:
    """Looks through one field's schema. Cost: about ten microseconds."""
    known = shape.by_reference
    inner = peel(schema, known)
    result = FieldShape(schema=schema, inner=inner, kind="json", nullable=accepts_none(schema, known))
    result.link = inner.get("metadata", {}).get("redmodel_link")
    layer = schema
    custom_writer = False
    while True:
        if layer["type"] == "default":
            result.has_default = True
            result.absent_is_none = "default" in layer and layer["default"] is None
        elif result.link is not None and layer is inner:
            break
        elif layer["type"] in _FUNCTIONS:
            result.functions = True
            result.wraps |= layer["type"] == "function-wrap"
        if layer["type"] in _FUNCTIONS or layer["type"] == "function-before":
            result.needs_record |= layer["function"]["type"] == "with-info"
            custom_writer |= "serialization" in layer
        if "schema" not in layer or layer is inner or layer["type"] in SCALARS or layer["type"] == "definition-ref":
            break
        if layer["type"] not in ("default", "nullable", "function-after", "function-before", "function-wrap"):
            break
        layer = layer["schema"]
    if not result.has_default and result.nullable:
        result.absent_is_none = True
    result.enum_values = inner["type"] == "enum" and _takes_value(schema)
    if result.link is not None:
        result.kind = "link"
        result.load = _load_schema(schema, result.kind, known, result.link)
        return result
    if inner["type"] in SCALARS and (result.enum_values or not (custom_writer and result.functions)):
        result.kind = inner["type"]
    elif inner["type"] not in _DATA or custom_writer:
        result.kind = "text" if _writes_text(schema, shape) else "json"
    result.constrained = _is_constrained(inner, shape.config)
    result.load = _load_schema(schema, result.kind, known)
    return result


def _takes_value(schema: Core) -> bool:
    """Whether the model holds an Enum's values in place of its members (``use_enum_values``)."""
    while schema["type"] in ("default", "nullable"):
        schema = schema["schema"]
    return schema["type"] == "function-after" and isinstance(schema["function"]["function"], attrgetter)


def _is_constrained(inner: Core, config: dict[str, Any]) -> bool:
    if any(key not in _NOT_A_CONSTRAINT for key in inner):
        return True
    if inner["type"] == "str":
        return any(config.get(key) for key in _TEXT_CONFIG)
    return inner["type"] in ("float", "decimal") and config.get("allow_inf_nan") is False


def _writes_text(schema: Core, shape: ModelShape) -> bool:
    """Whether the type's own serializer makes a string, as its JSON schema says."""
    whole = {"type": "definitions", "schema": schema, "definitions": shape.definitions} if shape.definitions else schema
    try:
        found = GenerateJsonSchema(by_alias=False).generate(core(whole), mode="serialization")
    except (PydanticInvalidForJsonSchema, PydanticUserError, KeyError):
        return False
    choices = [c for c in found.get("anyOf", [found]) if c.get("type") != "null"]
    return len(choices) == 1 and choices[0].get("type") == "string"


def _load_schema(schema: Core, kind: str, by_reference: dict[str, Core], link: LinkType | None = None) -> Core:
    """The schema that reads what the codec wrote.

    Functions which shape raw input (``mode="before"``) are left out: what is stored has been through them. Times
    relative to now are not asked again either: a date in the future must stay readable when it has passed.
    """
    if schema["type"] in ("default", "nullable"):
        return {**schema, "schema": _load_schema(schema["schema"], kind, by_reference, link)}
    if kind == "text":
        return schema
    if link is not None:
        if schema["type"] == "function-before":
            return _load_schema(schema["schema"], kind, by_reference, link)
        inside = "schema" in schema
        return {**schema, "schema": _load_schema(schema["schema"], kind, by_reference, link)} if inside else link.load
    if schema["type"] == "function-before" and peel(schema, by_reference)["type"] in _DATA:
        return _load_schema(schema["schema"], kind, by_reference)
    if kind in SCALARS and schema["type"] in ("function-after", "function-wrap"):
        return {**schema, "schema": _load_schema(schema["schema"], kind, by_reference)}
    if schema["type"] in SCALARS and kind in SCALARS:
        return {key: value for key, value in schema.items() if key not in ("strict", "now_op", "serialization")}
    if schema["type"] == "function-after":
        return {**schema, "schema": _load_schema(schema["schema"], kind, by_reference)}
    return as_json(schema, by_reference)


def as_json(schema: Core, by_reference: dict[str, Core]) -> Core:
    """The schema that parses JSON first; None comes as None, not as text."""
    parsed: Core = {"type": "json", "schema": schema}
    return {"type": "nullable", "schema": parsed} if accepts_none(schema, by_reference) else parsed


def mentions(schema: object, key: str, value: object = None) -> bool:
    """Whether ``key`` (with ``value``, if given) stands anywhere inside a schema."""
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            branch = cast("Core", part)
            if key in branch and (value is None or branch[key] == value):
                return True
            pending.extend(branch.values())
        elif isinstance(part, list | tuple):
            pending.extend(cast("list[object]", part))
    return False
