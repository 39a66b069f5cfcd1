"""The items of one field that holds a list, a set or a dict: validated and written one by one, without the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Literal, NoReturn, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreConfig, SchemaValidator

from redmodel.errors import EncodingError, QueryError
from redmodel.model.codec import FieldCodec, with_definitions
from redmodel.model.indexes import Entry, Index
from redmodel.model.leaves import item_schema
from redmodel.model.shapes import Core, ModelShape, core, peel, read_field, resolve

_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
# Of these, equal values have one text, and different values different ones.
_ONE_TEXT = frozenset({"str", "int", "bool", "bytes", "uuid", "date", "enum", "literal"})
_KEPT_RULES = frozenset(
    {"type", "ref", "metadata", "strict", "fail_fast", "items_schema", "keys_schema", "values_schema"}
    | {"variadic_item_index", "min_length", "max_length"}
)


class Items:
    """A field of a list, a set or a dict.

    ``base`` is the stored form that an absent field stands for if that is empty, else ``b""``. ``least`` and ``most``
    bound how many items there may be.
    """

    def __init__(
        self, name: str, position: int, schema: Core, model: ModelShape, codec: FieldCodec, indexes: Sequence[Index]
    ) -> None:
        self.name = name
        self.position = position
        self.read = codec.read
        self.indexes = indexes
        self._where = f"{model.cls.__name__}.{name}"
        self._model = model
        self._refuse_whole_rules(schema)
        inner = peel(schema, model.by_reference)
        self.kind: Literal["list", "set", "dict"]
        self._bare: Core
        if inner["type"] == "dict":
            self.kind, part = "dict", inner.get("keys_schema", {"type": "any"})
            self._bare = {"type": "dict", "keys_schema": part, "values_schema": inner.get("values_schema", _ANY)}
        else:
            found = item_schema(inner, model)
            if found is None:
                raise QueryError(f"{self._where} holds no list, set or dict with items of one type: update() it whole")
            self.kind, part = "set" if "set" in inner["type"] else "list", found
            self._bare = {"type": "list", "items_schema": part}
        shape = read_field(part, model)
        self._one_text = shape.kind in _ONE_TEXT or shape.link is not None
        self.least, self.most = inner.get("min_length"), inner.get("max_length")
        empty = b"{}" if self.kind == "dict" else b"[]"
        self.base = empty if _is_empty_by_default(model.cls, name) else b""
        self._writers: dict[str, tuple[SchemaValidator, FieldCodec]] = {}

    def _refuse_whole_rules(self, schema: Core) -> None:
        layer = resolve(schema, self._model.by_reference)
        while layer["type"] in ("default", "nullable"):
            layer = resolve(layer["schema"], self._model.by_reference)
        if layer["type"].startswith("function-") or (
            layer["type"] in ("list", "set", "frozenset", "tuple", "dict") and set(layer) - _KEPT_RULES
        ):
            raise QueryError(
                f"{self._where} has a validator or serializer that looks at the whole of it: load the record, "
                f"change it, and save it"
            )
        info = self._model.cls.__pydantic_fields__[self.name]
        if info.frozen or self._model.cls.model_config.get("frozen"):
            raise EncodingError(
                f"{self._where} is frozen, and can't be changed", model=self._model.cls.__name__, field=self.name
            )

    def require_one_text(self) -> None:
        """Raises QueryError unless equal items are stored alike, so that Redis can tell them."""
        if not self._one_text:
            what = "keys" if self.kind == "dict" else "items"
            raise QueryError(
                f"{self._where} has {what} of which equal ones may be stored as different texts: load the record, "
                f"change it, and save it"
            )

    def texts(self, values: Iterable[object]) -> tuple[list[bytes], list[Entry]]:
        """The JSON texts of items of a list or set, and the index entries they stand for. Raises EncodingError."""
        validated = self._validated("items", self._bare, list(values))
        texts = [self._write("items", [item])[1:-1] for item in validated]
        holder = SimpleNamespace(**{self.name: validated})
        entries = [entry for index in self.indexes for entry in index.entries(holder)]
        return texts, list(dict.fromkeys(entries))

    def members(self, values: Mapping[Any, object]) -> list[bytes]:
        """The JSON texts of a dict's keys and values, by turns. Raises EncodingError."""
        texts: list[bytes] = []
        for key, value in self._validated("members", self._bare, dict(values)).items():
            texts += _parted(self._write("members", {key: value}))
        return texts

    def key(self, key: object) -> bytes:
        """The JSON text of a key. Raises EncodingError."""
        bare: Core = {**self._bare, "values_schema": {"type": "none"}}
        validated = self._validated("keys", bare, {key: None})
        return _parted(self._write("keys", validated))[0]

    def _validated(self, use: str, schema: Core, values: Any) -> Any:
        if use not in self._writers:
            config = cast("CoreConfig", self._model.config)
            validator = SchemaValidator(core(with_definitions(schema, self._model)), config)
            self._writers[use] = validator, FieldCodec(self.name, schema, self._model)
        try:
            return self._writers[use][0].validate_python(values)
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            self._refuse(found["input"], found["msg"])

    def _write(self, use: str, value: object) -> bytes:
        stored = self._writers[use][1].write(value)
        if stored is None:
            self._refuse(value, "it has no stored form")
        return stored

    def _refuse(self, value: object, why: str) -> NoReturn:
        raise EncodingError(
            f"{self._where} can't hold {value!r:.80}: {why}",
            model=self._model.cls.__name__,
            field=self.name,
            value=value,
        )


_ANY: Core = {"type": "any"}


def _parted(text: bytes) -> list[bytes]:
    """The key and the value of an object with one member."""
    found = _TEXT.match(text, 1)
    assert found is not None
    return [found.group(), text[found.end() + 1 : -1]]


def _is_empty_by_default(model: type[BaseModel], name: str) -> bool:
    info = model.__pydantic_fields__[name]
    if info.default_factory is not None and info.default_factory_takes_validated_data:
        return False
    default: object = info.get_default(call_default_factory=True)
    return isinstance(default, list | set | frozenset | tuple | dict) and not default
