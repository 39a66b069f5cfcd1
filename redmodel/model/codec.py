"""One codec per field: how its value is written to a hash field and read back. Chosen once, when the schema is made.

The rule: equal after load, or refused before the write. Types whose text is exact by construction are written without
a second look; all others are read back and compared before they are let go.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, cast, get_args

from pydantic import SecretBytes, SecretStr, ValidationError
from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator

from redmodel.errors import EncodingError
from redmodel.model.equality import same
from redmodel.model.fields import Codec
from redmodel.model.scalars import NUL, SCALAR_TYPES, Scalar, choices_of, escape, unescape
from redmodel.model.shapes import Core, FieldShape, ModelShape, as_json, core, mentions, read_field

_STORED_JSON: dict[str, Any] = {
    # JSON as we store it, whatever the model's own JSON looks like for the users of its web API.
    "ser_json_bytes": "base64",
    "val_json_bytes": "base64",
    "ser_json_inf_nan": "strings",
    "ser_json_timedelta": "iso8601",
}
_ALWAYS_READ_BACK = ("decimal", "timedelta")
_UNORDERED = ("set", "frozenset", "typed-dict")  # equal values of these may list their items in different orders
_PLAIN_BASES = (datetime, date, time, timedelta, float)


def storage_config(config: dict[str, Any]) -> CoreConfig:
    """A model's core config with the settings that stored JSON needs."""
    merged = {**config, **_STORED_JSON}
    for unwanted in ("strict", "extra_fields_behavior"):
        merged.pop(unwanted, None)
    return cast("CoreConfig", merged)


class FieldCodec:
    """Writes and reads one field.

    ``write`` is the careful way: any value in, exact bytes or EncodingError out. The generated encoder of
    :mod:`redmodel.model.program` takes short cuts for the plainest values, and calls ``write`` for all others.
    """

    __slots__ = (
        "_choices",
        "_shape",
        "absent_is_none",
        "choice_reads",
        "constrained",
        "flags",
        "has_default",
        "inner",
        "kind",
        "load",
        "model",
        "name",
        "needs_record",
        "nullable",
        "plug",
        "reads",
        "scalar",
        "secret",
        "serializer",
        "to_json",
        "trusted",
        "unordered",
        "validator",
        "write_none",
    )

    def __init__(self, name: str, schema: Core, model: ModelShape, plug: Codec | None = None) -> None:
        shape = read_field(schema, model)
        self.name = name
        self.plug = plug
        self.model = model.cls.__name__
        self._shape = shape
        self.inner = shape.inner
        self.kind = shape.kind
        self.load = shape.load
        self.nullable = shape.nullable
        self.has_default = shape.has_default
        self.absent_is_none = shape.absent_is_none
        self.constrained = shape.constrained
        self.needs_record = shape.needs_record
        self.secret: type[SecretStr] | type[SecretBytes] | None = None
        self.flags: dict[str, Any] = {}
        self._choices: dict[object, bytes] | None = None
        if self.kind in ("enum", "literal"):
            self._choices = choices_of(shape.inner)
            if self._choices is None:
                self.kind = "json"
                self.load = read_as_json(shape, model)
        self.choice_reads = {text: member for member, text in self._choices.items()} if self._choices else {}
        if shape.enum_values and self._choices:
            self._choices = {cast("enum.Enum", member).value: text for member, text in self._choices.items()}
        self.scalar: Scalar | None = SCALAR_TYPES.get(self.kind) if shape.link is None else shape.link.scalar
        if self.kind == "text" and (kept := _secret_class(model.cls, name)) is not None:
            self.secret = kept
        config = storage_config(model.config)
        self.validator = LazyValidator(with_definitions(self.load, model), config)
        self.serializer: SchemaSerializer | None = None
        self.to_json: Callable[[object], bytes] | None = None
        self.unordered = False
        if self.kind in ("json", "text"):
            bare = {k: v for k, v in schema.items() if k != "serialization"} if self.kind == "json" else schema
            self.flags = {"by_alias": False, "by_name": True} if mentions(schema, "validation_alias") else {}
            self.serializer = SchemaSerializer(core(with_definitions(bare, model)), config)
            self.unordered = any(mentions(schema, "type", kind) for kind in _UNORDERED)
        self.write_none = None if self.absent_is_none else NUL
        self.reads = self._reader()
        # Exact by construction: nothing of the user's runs, and no constraint could refuse the value on its way back.
        self.trusted = not shape.functions and not self.constrained and self.kind not in ("json", "text")
        if plug is not None:
            self.trusted = False
            self.unordered = True  # what encodes at random would look changed at each save

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(self, value: object) -> bytes | None:
        """The stored form of ``value``; None if it is kept by leaving the field out. Raises EncodingError.

        Cost: one serialization, one validation and one comparison for all but the plainest types.
        """
        if value is None and self.nullable:
            return self.write_none
        try:
            stored = self.write_text(value)
            if self.plug is not None:
                stored = escape(self.plug.encode(stored))
            if self.needs_record or (
                self.trusted and type(value) is self._python_type() and self.kind not in _ALWAYS_READ_BACK
            ):
                return stored
            back = self.read(stored)
        except ValidationError as error:
            raise self.refuse(value, f"it breaks the field's own rules: {_first(error)}") from error
        except EncodingError:
            raise
        except RecursionError as error:
            raise self.refuse(value, "it is nested too deeply") from error
        except Exception as error:
            raise self.refuse(value, f"{type(error).__name__}: {error}") from error
        if self.agree(value, back) or _is_equal_subclass(value, back):
            return stored
        raise self.refuse(
            value, f"it would be read back as a different value, of type {type(back).__name__} from the stored text"
        )

    def write_again(self, value: object, stored: bytes | None) -> bytes | None:
        """Like ``write``, but returns ``stored`` itself if that already means ``value``: sets have no order."""
        fresh = self.write(value)
        if stored is None or fresh is None or fresh == stored:
            return fresh
        try:
            return stored if self.agree(value, self.read(stored)) else fresh
        except Exception:  # what is stored there can't be read: it is replaced
            return fresh

    def agree(self, value: object, back: object) -> bool:
        """Whether a value that was read back is the one written; what can't be compared must be written alike."""
        opaque: list[object] = []
        return same(value, back, opaque) and (not opaque or self.write_text(value) == self.write_text(back))

    def refuse(self, value: object, why: str) -> EncodingError:
        """The error that says which model and field refused which type of value. It never shows the value itself."""
        return EncodingError(
            f"{self.model}.{self.name} can't store this {type(value).__name__}: {why}.",
            model=self.model,
            field=self.name,
            value=value,
        )

    def _python_type(self) -> type[Any] | None:
        return self.scalar.python if self.scalar is not None else None

    def write_text(self, value: Any) -> bytes:
        """The stored form of a value that is not None, without the second look."""
        if self._choices is not None:
            found = self._choices.get(value)
            if found is None:
                raise self.refuse(value, "it is not one of the allowed values")
            return found
        if self.scalar is not None:
            if not isinstance(value, self.scalar.python) or (isinstance(value, bool) and self.kind != "bool"):
                raise self.refuse(value, f"the field holds {self.scalar.python.__name__}")
            return self.scalar.write(value)
        if self.secret is not None:
            kept = value.get_secret_value()
            return escape(kept.encode() if isinstance(kept, str) else kept)
        assert self.serializer is not None
        aliases: dict[str, Any] = {"by_alias": False} if self.flags else {}
        if self.kind == "text":
            text = self.serializer.to_python(value, mode="json", warnings=False, round_trip=True, **aliases)
            if not isinstance(text, str):
                raise self.refuse(value, "its type's serializer made no text of it")
            return escape(text.encode())
        return self.serializer.to_json(value, warnings=False, round_trip=True, **aliases)

    # -- reading ---------------------------------------------------------------------------------------------------

    def _reader(self) -> Callable[[bytes], object] | None:
        """What a stored value goes through before Pydantic sees it; None if Pydantic takes the bytes."""
        if self.kind == "text":
            return _read_bytes if self.secret is SecretBytes else _read_text
        if self.choice_reads:
            choices = self.choice_reads
            return lambda stored: choices[stored] if stored in choices else unescape(stored).decode()
        if self.scalar is None:
            return None
        if self._shape.wraps and self.kind != "bytes":
            return self.scalar.read or _read_text
        return self.scalar.read

    def unplug(self, stored: bytes) -> bytes:
        """The text that the field's Codec was given. Raises what that raises."""
        assert self.plug is not None
        return self.plug.decode(unescape(stored))

    def read(self, stored: bytes) -> object:
        """The value of one stored text. Raises ValidationError, ValueError or whatever the type's own code raises."""
        if self.plug is not None:
            stored = self.unplug(stored)
        raw: object = stored
        if self.scalar is not None and self.scalar.textual:
            raw = unescape(stored)
        if self.reads is not None:
            raw = self.reads(raw)  # type: ignore[arg-type]
        return self.validator().validate_python(raw, strict=False, **self.flags)


class LazyValidator:
    """Builds a validator when it is first asked for: plain fields never need one of their own."""

    __slots__ = ("_config", "_schema", "_validator")

    def __init__(self, schema: Core, config: CoreConfig) -> None:
        self._schema = schema
        self._config = config
        self._validator: SchemaValidator | None = None

    def __call__(self) -> SchemaValidator:
        if self._validator is None:
            self._validator = SchemaValidator(core(self._schema), self._config)
        return self._validator


def with_definitions(schema: Core, model: ModelShape) -> Core:
    """A part of a model's schema that can stand alone."""
    if not model.definitions:
        return schema
    # The model itself may be meant by a reference inside; then it is among the definitions already.
    return {"type": "definitions", "schema": schema, "definitions": model.definitions}


def read_as_json(shape: FieldShape, model: ModelShape) -> Core:
    """The load schema of a field that looked like a scalar but is stored as JSON."""
    outer = shape.schema
    if outer["type"] in ("default", "nullable"):
        inner = FieldShape(outer["schema"], shape.inner, "json")
        return {**outer, "schema": read_as_json(inner, model)}
    return as_json(outer, model.by_reference)


def _is_equal_subclass(value: object, back: Any) -> bool:
    # numpy's float64, and the datetimes of libraries that stop the clock in tests, mean no more than their base.
    base = next((plain for plain in _PLAIN_BASES if type(back) is plain), None)
    if base is None or type(value) is base or not isinstance(value, base):
        return False
    return bool(value == back) and getattr(value, "fold", 0) == getattr(back, "fold", 0)


def _read_text(stored: bytes) -> str:
    return unescape(stored).decode()


def _read_bytes(stored: bytes) -> bytes:
    return unescape(stored)


def _secret_class(cls: type[Any], name: str) -> type[SecretStr] | type[SecretBytes] | None:
    info = cls.__pydantic_fields__.get(name)
    annotation = info.annotation if info is not None else None
    for candidate in (annotation, *get_args(annotation)):
        if candidate is SecretStr:
            return SecretStr
        if candidate is SecretBytes:
            return SecretBytes
    return None


def _first(error: ValidationError) -> str:
    return error.errors(include_url=False, include_input=False)[0]["msg"]
