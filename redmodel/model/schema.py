"""The schema of a model: its fields, indexes and keys, and how its records become stored values and back. Made once."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from os import urandom
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError

from redmodel.errors import EncodingError, QueryError, SchemaError, UnindexedField
from redmodel.model.codec import FieldCodec
from redmodel.model.composite import composite_index
from redmodel.model.computed import ComputedSpec, read_computed
from redmodel.model.evolution import Evolution
from redmodel.model.fields import (
    TTL,
    Codec,
    EmbeddedMark,
    GeoMark,
    IndexMark,
    KeyMark,
    TextMark,
    VectorMark,
    buried_mark,
    marks_of,
)
from redmodel.model.hooks import hooks_of
from redmodel.model.identity import id_codec
from redmodel.model.indexes import Entry, Index, check_plugs, check_side_keys, computed_index, find_indexes
from redmodel.model.items import Items
from redmodel.model.keys import side_key
from redmodel.model.lifetimes import Life, expiry_position, moment_of
from redmodel.model.loaded import KEYSPACE, Memory
from redmodel.model.partial import Partial, make_partial
from redmodel.model.program import compile_decoder, compile_encoder, verified
from redmodel.model.rules import VERSION, Rules, together_index
from redmodel.model.scalars import escape
from redmodel.model.shapes import read_model

M = TypeVar("M", bound=BaseModel)

LAYOUT = b"1"
"""The version of the key layout; it changes only together with a migration."""

FIELD_LIMIT = 1000
PARTIALS = 256
"""Kinds of partial reads that are kept compiled for a model."""
EXPIRES = b"@expires"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One stored field: its Python name, its name in the hash, its place among the columns, its own time to live."""

    name: str
    stored: bytes
    position: int
    ttl_ms: int | None
    nullable: bool


_VERSIONS: WeakValueDictionary[tuple[bytes, bytes], Schema[Any]] = WeakValueDictionary()


def version_of(side: bytes, version: bytes) -> Schema[Any] | None:
    """The schema of this process with this start of side keys and this version; None if there is none (any more)."""
    return _VERSIONS.get((side, version))


class Schema(Generic[M]):
    """All that plans need to know of a model. ``fields[0]`` is the id.

    ``columns`` are what a read asks for: the stored names of the fields in order, then ``<name>@expires`` of each field
    with a time to live of its own; ``field_ttls`` lists those fields as ``(position, milliseconds)``.
    """

    encode: Callable[[M], list[bytes | None]]
    decode: Callable[[Sequence[bytes | None], int | None, bytes], M]

    def __init__(
        self, model: type[M], prefix: str, ttl_ms: int | None, slot: Any, rules: Rules, *, sliding: bool = False
    ) -> None:
        shape = read_model(model)
        names = _ordered_names(model)
        _check_fields(model, names)
        self.model = model
        self.name = model.__name__
        self.prefix = prefix
        self.ttl_ms = ttl_ms
        self.hooks = hooks_of(model)
        self.sliding = sliding
        self._shape = shape
        self._slot = slot
        self._codecs = tuple(FieldCodec(name, shape.fields[name], shape, _plug(model, name)) for name in names)
        self.expires_at = expiry_position(model, self._codecs, ttl_ms, sliding)
        self.fields = tuple(_field_spec(model, position, codec) for position, codec in enumerate(self._codecs))
        self.field_ttls = tuple((spec.position, spec.ttl_ms) for spec in self.fields if spec.ttl_ms is not None)
        expiries = tuple(self.fields[position].stored + EXPIRES for position, _ in self.field_ttls)
        self.versioned = rules.versioned
        today = tuple(spec.stored for spec in self.fields) + expiries
        today += (VERSION,) if self.versioned else ()
        evolution = Evolution(model, self._codecs, len(today))
        self._evolution = evolution if evolution.rules else None
        self.columns = (*today, *evolution.columns)
        self.former = evolution.former
        """The columns of former names, by the position of the field that has them now."""
        self._olds = frozenset(evolution.columns)
        self.computed: tuple[ComputedSpec, ...] = read_computed(shape, len(names))
        """The computed fields; in what ``encode`` gives they follow the others."""
        self.stored_names = (*(spec.stored for spec in self.fields), *(spec.stored for spec in self.computed))
        """The name in the hash of each value that ``encode`` gives."""
        positions = {name: position for position, name in enumerate(names)}
        indexes = find_indexes(shape, positions)
        for one in self.computed:
            if one.mark is not None:
                schema = shape.computed[one.name]
                indexes.append(computed_index(shape, one.name, schema, one.position, one.mark, one.value))
        together = [together_index(shape, group, positions) for group in rules.together]
        by_path = {index.path: index for index in indexes}
        self.composites = [composite_index(self.name, group, by_path) for group in rules.composite]
        """What is indexed together."""
        together += self.composites
        self._check_together(together)
        indexes += together
        self._built_together = [index.positions for index in together]
        for one in self.computed:
            needed = set(names) if one.depends_on is None else one.depends_on
            self._built_together.append(frozenset(positions[name] for name in needed if name in positions))
        self._needs_whole_records = shape.judges_records or any(codec.needs_record for codec in self._codecs)
        check_plugs(self._codecs, indexes)
        self.indexes = tuple(indexes)
        for index in self.indexes:
            for one in self.computed if index.on_delete == "set_null" else ():
                if one.depends_on is None or index.path in one.depends_on:
                    raise SchemaError(
                        f"{self.name}.{index.path} can't be set to None by a delete: {one.name} is computed from it. "
                        f"Name what {one.name} depends on, or choose another on_delete."
                    )
        self._by_path = {index.path: index for index in self.indexes}
        self._extractors = tuple(index.entries for index in self.indexes)
        start = prefix.encode()
        self.record_prefix = start + b":"
        self.side = side_key(start, b"")
        self.ids_key = side_key(start, b"ids")
        self.log_key = side_key(start, b"log")
        self.expires_key = side_key(start, b"expires")
        self.schema_key = side_key(start, b"schema")
        check_side_keys(self.name, self.indexes)
        self.id_bytes: Callable[[object], bytes] = id_codec(self._codecs[0], shape.fields[names[0]], shape)
        """The bytes of an id that a user gives, validated as the id's type. Raises InvalidId."""
        self._items: dict[str, Items] = {}
        self._partials: dict[tuple[int, ...], Partial] = {}
        self.encode = self._encode_first
        self.decode = self._decode_first
        self.meanings = {index.path_bytes: index.meaning for index in self.indexes}
        """What the entries of each index mean, by path."""
        self.writer = self.definition()[b"fingerprint"][:6]
        """Which version of the model this is, as T@schema and nonces name it."""
        self._nonce_end = bytes.fromhex(self.writer.decode())
        _VERSIONS[self.side, self.writer] = self

    def nonce(self) -> bytes:
        """The 8 bytes that tell this write from any other; the last 3 say which version of the model it is from."""
        return urandom(5) + self._nonce_end

    def __repr__(self) -> str:
        return f"<Schema of {self.name} at {self.prefix}:*>"

    def key(self, id: bytes) -> bytes:
        """The key of the record with these id bytes."""
        return self.record_prefix + id

    def id_of(self, obj: M) -> bytes:
        """The id bytes of a record. Raises InvalidId."""
        return self.id_bytes(obj.__dict__.get(self.fields[0].name))

    @property
    def numbered(self) -> bool:
        """Whether the ids are whole numbers, which have an order of their own."""
        return self._codecs[0].kind == "int"

    def none_of(self, position: int) -> bytes:
        """What stands in the hash where a field is None; nothing for no field."""
        return self._codecs[position].write_none or b""

    def id_from(self, raw: bytes) -> Any:
        """The id, as its field holds it, whose bytes in a key these are."""
        codec = self._codecs[0]
        return codec.read(escape(raw) if codec.scalar is not None and codec.scalar.textual else raw)

    @property
    def id_schema(self) -> dict[str, Any]:
        """The core schema of the id."""
        return self._shape.fields[self.fields[0].name]

    def still(self, obj: M) -> M:
        """The record as it is now: what another thread assigns while it is being saved is not half in it."""
        copy: M = self.model.__new__(obj.__class__)
        object.__setattr__(copy, "__dict__", obj.__dict__.copy())
        if (memory := getattr(obj, "__redmodel_loaded__", None)) is not None:
            self._slot.__set__(copy, memory)
        if self.computed:
            for name in ("__pydantic_extra__", "__pydantic_private__", "__pydantic_fields_set__"):
                object.__setattr__(copy, name, getattr(obj, name))
        return copy

    def id_value(self, obj: M) -> Any:
        """The id of a record as its field holds it."""
        return obj.__dict__.get(self.fields[0].name)

    def replace(self, obj: M, fresh: M) -> None:
        """Give ``obj`` all that ``fresh`` holds, in place; what others see of ``obj`` changes at once."""
        object.__setattr__(obj, "__dict__", dict(fresh.__dict__))
        object.__setattr__(obj, "__pydantic_fields_set__", set(fresh.__pydantic_fields_set__))
        self._slot.__set__(obj, self._slot.__get__(fresh))

    def take(
        self,
        obj: M,
        values: Mapping[str, Any],
        stored: Mapping[int, bytes | None],
        version: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Let ``obj`` show fields as they were written to Redis; what else was changed in it stays to be saved.

        ``version`` is what it was before that write, and what it is now: only an object of the former has the latter.
        """
        object.__setattr__(obj, "__dict__", {**obj.__dict__, **values})
        obj.__pydantic_fields_set__.update(values)
        memory: Memory | None = getattr(obj, "__redmodel_loaded__", None)
        if memory is not None and memory[0] == KEYSPACE.get():
            known = [stored.get(position, value) for position, value in enumerate(memory[1])]
            newer = version is not None and version[0] == (memory[2] or b"")
            self._slot.__set__(obj, (memory[0], known, version[1] if version is not None and newer else memory[2]))

    def siblings(self, changed: Set[int]) -> set[int]:
        """The fields that a write of these builds on without writing them: what is unique, or computed, of both."""
        found: set[int] = set()
        for group in self._built_together:
            if not group.isdisjoint(changed):
                found |= group
        return found - changed - {0}

    def follows(self, changed: Set[int]) -> list[int]:
        """The computed fields that may have another value when these fields have."""
        names = {self.fields[position].name for position in changed}
        return [one.position for one in self.computed if one.depends_on is None or not one.depends_on.isdisjoint(names)]

    def _check_together(self, indexes: list[Index]) -> None:
        for index in indexes:
            for position in index.positions:
                spec = self.fields[position]
                if position == 0 or spec.ttl_ms is not None or self._codecs[position].plug is not None:
                    raise SchemaError(
                        f"{self.name}.{spec.name} can't be unique or indexed together with others: it is the id, has a "
                        "TTL of its own, or a Codec"
                    )

    def part(self, changes: Mapping[str, object]) -> tuple[M, list[tuple[int, bytes | None]]]:
        """Some fields of a record that is not at hand: their values, validated one by one, and their stored forms.

        The values are in an object without any other field, as index entries are made from it. Raises EncodingError for
        a value that its field refuses, QueryError for what can't be changed by itself.
        """
        self.refuse_parts()
        part: M = self.model.__new__(self.model)
        object.__setattr__(part, "__dict__", {})
        object.__setattr__(part, "__pydantic_fields_set__", set[str]())
        for name in ("__pydantic_extra__", "__pydantic_private__"):
            object.__setattr__(part, name, None)
        stored: list[tuple[int, bytes | None]] = []
        for name, value in changes.items():
            spec = self._spec(name)
            if spec.position == 0:
                raise QueryError(f"{self.name}.{name} is the id, which names the record: save it anew under another id")
            try:
                self.model.__pydantic_validator__.validate_assignment(part, name, value)
            except ValidationError as error:
                why = error.errors(include_url=False, include_input=False)[0]["msg"]
                raise EncodingError(
                    f"{self.name}.{name} can't be {value!r:.80}: {why}", model=self.name, field=name, value=value
                ) from error
            stored.append((spec.position, self._codecs[spec.position].write(part.__dict__[name])))
        stored += [(one.position, one.write(part)) for one in self.affected(changes)]
        return part, stored

    def partial(self, names: Iterable[str]) -> Partial:
        """How to read only these fields and the id. All are read where validators look at more than one of them."""
        named = set(names)
        for one in self.computed:
            if one.name in named:
                if one.depends_on is None:
                    return Partial(self.columns, self.decode)
                named |= one.depends_on
        wanted = {0, *(spec.position for spec in self.fields if spec.name in named)}
        positions = tuple(sorted(wanted))
        found = self._partials.get(positions)
        if found is None:
            if self.evolves or self._needs_whole_records:
                return Partial(self.columns, self.decode)
            stored = [spec.stored for spec in self.fields]
            timed = [position for position, _ in self.field_ttls]
            found = make_partial(
                self._codecs, positions, timed, stored.__getitem__, lambda p: stored[p] + EXPIRES, self._shape
            )
            if len(self._partials) < PARTIALS:
                self._partials[positions] = found
        return found

    def migrated(self, row: Sequence[bytes | None], key: bytes) -> tuple[list[bytes], list[bytes]]:
        """What brings a stored record up to date: columns and values to set, columns to clear. Raises DecodeError."""
        if self._evolution is None:
            return [], []
        fresh, changed = self._evolution.upgrade(row, key)
        pairs: list[bytes] = []
        stored = zip(self.columns, row, strict=True)
        cleared = [name for name, value in stored if value is not None and name in self._olds]
        for position in changed:
            value, name = fresh[position], self.stored_names[position]
            if value is None:
                cleared.append(name)
            else:
                pairs += (name, value)
        return pairs, cleared

    @property
    def evolves(self) -> bool:
        """Whether records of older versions are read in another way than those of this one."""
        return self._evolution is not None

    def affected(self, changes: Collection[str]) -> list[ComputedSpec]:
        """The computed fields that follow from these fields alone. QueryError if one may need others as well."""
        found: list[ComputedSpec] = []
        for one in self.computed:
            if one.depends_on is None:
                raise QueryError(
                    f"{self.name}.{one.name} is computed, and may depend on what is not read here: declare "
                    f"@computed(depends_on=[...]), or load the record, change it, and save it"
                )
            if not one.depends_on.isdisjoint(changes):
                if not one.depends_on <= set(changes):
                    raise QueryError(
                        f"{self.name}.{one.name} is computed of {', '.join(sorted(one.depends_on))}, which are not all "
                        f"given: give all of them, or load the record, change it, and save it"
                    )
                found.append(one)
        return found

    def items(self, name: str) -> Items:
        """How items of a field are written alone. Raises QueryError for a field without items of one type."""
        found = self._items.get(name)
        if found is None:
            self.refuse_parts()
            spec = self._spec(name)
            if any(index.kind == "text" and index.position == spec.position for index in self.indexes):
                raise QueryError(f"{self.name}.{name} is kept by its words: load the record, change it, and save it")
            if self.plugged(spec.position) or any(
                one.depends_on is None or name in one.depends_on for one in self.computed
            ):
                raise QueryError(
                    f"{self.name}.{name} has a Codec, or a computed field may depend on it: load the record, change "
                    "it, and save it"
                )
            indexes = [index for index in self.indexes if index.position == spec.position]
            codec, schema = self._codecs[spec.position], self._shape.fields[name]
            found = self._items[name] = Items(name, spec.position, schema, self._shape, codec, indexes)
        return found

    def position(self, name: str) -> int:
        """The place of a field among all. Raises QueryError if there is no such field."""
        return self._spec(name).position

    def _spec(self, name: str) -> FieldSpec:
        spec = next((spec for spec in self.fields if spec.name == name), None)
        if spec is None:
            raise QueryError(f"{self.name} has no field {name!r}; it has {', '.join(s.name for s in self.fields)}")
        return spec

    def refuse_parts(self) -> None:
        """Raises QueryError if parts of a record can't be judged without the rest."""
        if self._needs_whole_records:
            raise QueryError(
                f"{self.name} has validators that look at whole records: load the record, change it, and save it"
            )

    def number(self, name: str) -> tuple[str, bytes, bytes]:
        """How a field is counted: ``i`` for whole numbers or ``f``, and the least and the most that it may hold.

        Raises QueryError for a field that is no number, or of which a bound can't be kept while counting.
        """
        spec = next((spec for spec in self.fields if spec.name == name), None)
        kind = None if spec is None else self._codecs[spec.position].kind
        if spec is None or spec.position == 0 or kind not in ("int", "float"):
            raise QueryError(f"{self.name}.{name} can't be incremented: only fields of type int or float can")
        if spec.position in self.former:
            raise QueryError(f"{self.name}.{name} may stand under a former name: sync first, then drop RenamedFrom")
        if any(one.depends_on is None or name in one.depends_on for one in self.computed):
            raise QueryError(
                f"{self.name}.{name} can't be incremented: a computed field may depend on it. Load the record, change "
                "it, and save it"
            )
        least = most = ""
        for rule in self.model.__pydantic_fields__[name].metadata:
            if isinstance(rule, Ge) and isinstance(rule.ge, int | float):
                least = repr(rule.ge)
            elif isinstance(rule, Le) and isinstance(rule.le, int | float):
                most = repr(rule.le)
            elif isinstance(rule, Gt) and kind == "int" and isinstance(rule.gt, int):
                least = repr(rule.gt + 1)
            elif isinstance(rule, Lt) and kind == "int" and isinstance(rule.lt, int):
                most = repr(rule.lt - 1)
            elif not isinstance(rule, IndexMark | TTL):
                raise QueryError(f"{self.name}.{name}: the rule {rule!r} can't be kept while counting; save it instead")
        return kind[0], least.encode(), most.encode()

    def plugged(self, position: int) -> bool:
        """Whether the field's stored text is made by a Codec, so that it has not the order of the values."""
        return position < len(self._codecs) and self._codecs[position].plug is not None

    def life(self, source: M, changed: set[int] | None, life: Life) -> bytes:
        """The time to live of a write, as the save procedure takes it; an expiry field that is written has the word.

        ``changed`` are the places of the fields written, None for all; ``source`` holds their values.
        """
        if self.expires_at is not None:
            if changed is not None and self.expires_at not in changed:
                return b"k"
            name = self.fields[self.expires_at].name
            moment = moment_of(source.__dict__[name], f"{self.name}.{name}")
            return b"-" if moment is None else b"@" + moment
        return b"-" if life is None else b"k" if life == "keep" else b"%d" % life

    def index(self, path: str) -> Index:
        """The index of a path such as ``"address.city"``. Raises UnindexedField, which says how to declare it."""
        found = self._by_path.get(path)
        if found is None:
            raise UnindexedField(self._how_to_index(path), model=self.name, field=path)
        return found

    def entries(self, obj: M) -> list[Entry]:
        """Every index entry of a record. Raises EncodingError for a value that has no place in its index."""
        found: list[Entry] = []
        for extract in self._extractors:
            found += extract(obj)
        return found

    def definition(self) -> dict[bytes, bytes]:
        """What the schema key holds: layout version, model name, fingerprint, and the indexes as JSON."""
        indexes = [{"path": i.path, "kind": i.kind, "type": i.type_name, "many": i.many} for i in self.indexes]
        text = json.dumps(indexes, separators=(",", ":")).encode()
        fields: list[Sequence[object]] = [
            (spec.name, codec.kind + "+" * (codec.plug is not None), spec.ttl_ms)
            for spec, codec in zip(self.fields, self._codecs, strict=True)
        ]
        fields += [(one.name, one.codec.kind, "computed") for one in self.computed]
        seen = json.dumps([fields, self.ttl_ms], separators=(",", ":")).encode() + b"\n" + text
        return {
            b"layout": LAYOUT,
            b"model": self.name.encode(),
            b"fingerprint": blake2b(seen, digest_size=8).hexdigest().encode(),
            b"indexes": text,
        }

    # The programs are compiled at first use: a process that only reads never pays for the encoder.

    def _encode_first(self, obj: M) -> list[bytes | None]:
        encode = compile_encoder(self._codecs, self._shape, self._slot)
        if self._needs_whole_records:
            encode = verified(
                encode,
                self._plain_decoder(),
                len(self.columns) - len(self.fields) - len(self._olds),
                self._codecs,
                self._shape,
            )
        declared, computed = encode, self.computed
        self.encode = encode if not computed else lambda obj: [*declared(obj), *(one.write(obj) for one in computed)]
        return self.encode(obj)

    def _decode_first(self, values: Sequence[bytes | None], now_ms: int | None, key: bytes) -> M:
        self.decode = self._decoder()
        return self.decode(values, now_ms, key)

    @cached_property
    def trusting(self) -> Callable[[Sequence[bytes | None], int | None, bytes], M]:
        """``decode``, which asks no validator of the model: for what was validated before it was stored."""
        return self.decode if self.evolves else self._plain_decoder(trusts=True)

    def _plain_decoder(self, *, trusts: bool = False) -> Callable[[Sequence[bytes | None], int | None, bytes], M]:
        timed = [position for position, _ in self.field_ttls]
        return compile_decoder(self._codecs, timed, self._shape, self._slot, versioned=self.versioned, trusts=trusts)

    def _decoder(self) -> Callable[[Sequence[bytes | None], int | None, bytes], M]:
        decode, evolution = self._plain_decoder(), self._evolution
        if evolution is None:
            return decode
        return lambda values, now_ms, key: decode(evolution.upgrade(values, key)[0], now_ms, key)

    def _how_to_index(self, path: str) -> str:
        name, _, rest = path.partition(".")
        if path == self.fields[0].name:
            return f"{self.name}.{path} is the id, which has no index: use get() or get_many()."
        if rest:
            inside = f"declare `{name}: Embedded[...]`, and `{rest}: Indexed[...]` inside it"
            return f"{self.name}.{path} has no index: {inside}."
        known = self.model.__pydantic_fields__.get(name)
        if name in self._shape.computed:
            return f"{self.name}.{name} is computed and has no index: declare it with @computed(index=True)."
        if known is None:
            return f"{self.name} has no field {path!r}. Its indexed fields are {', '.join(self._by_path) or 'none'}."
        below = next((index.path for index in self.indexes if index.path.startswith(path + ".")), None)
        if below is not None:
            return f"{self.name}.{path} is a nested model: compare a field inside it, as in {self.name}.{below}."
        shown = getattr(known.annotation, "__name__", str(known.annotation))
        return f"{self.name}.{path} has no index: declare it as `{path}: Indexed[{shown}]`, or find(..., scan=True)."


def key_fields(model: type[BaseModel]) -> list[str]:
    """The fields that are marked as the id with ``Key``."""
    return [
        name
        for name, info in model.__pydantic_fields__.items()
        if any(isinstance(mark, KeyMark) for mark in marks_of(info.metadata))
    ]


def _ordered_names(model: type[BaseModel]) -> list[str]:
    names = list(model.__pydantic_fields__)
    keys = key_fields(model)
    if "id" in names and "id" not in keys:
        keys.append("id")
    if len(keys) != 1:
        raise SchemaError(f"{model.__name__} has {len(keys)} ids ({', '.join(keys)}); a model has exactly one.")
    return [keys[0], *(name for name in names if name != keys[0])]


def _check_fields(model: type[BaseModel], names: list[str]) -> None:
    where = model.__name__
    if len(names) > FIELD_LIMIT:
        raise SchemaError(f"{where} has {len(names)} fields; at most {FIELD_LIMIT} are allowed. Nest some in a model.")
    if model.model_config.get("extra") == "allow":
        raise SchemaError(
            f"{where}: extra='allow' can't be kept, as undeclared values have no type. Declare a dict field."
        )
    for name in names:
        if not name.isidentifier():
            raise SchemaError(f"{where}: a field can't be named {name!r}; give it a Python name and an alias.")
        if buried_mark(model.__pydantic_fields__[name].annotation) is not None:
            raise SchemaError(
                f"{where}.{name}: Indexed, Unique, Text, Ref, Embedded, Key, TTL, ExpiresAt and Codec have no "
                "effect inside of another type. Put them outermost: Indexed[str | None], Indexed[list[str]], "
                "Ref[Team | None], Refs[Team], Annotated[str | None, TTL(...)]."
            )


def _field_spec(model: type[BaseModel], position: int, codec: FieldCodec) -> FieldSpec:
    info = model.__pydantic_fields__[codec.name]
    ttls = [mark.milliseconds for mark in marks_of(info.metadata) if isinstance(mark, TTL)]
    where = f"{model.__name__}.{codec.name}"
    indexed = any(isinstance(mark, IndexMark | TextMark | GeoMark) for mark in marks_of(info.metadata))
    if position == 0 and codec.plug is not None:
        raise SchemaError(f"{where} is the id, which names a key: it can't have a Codec.")
    if ttls:
        if position == 0:
            raise SchemaError(f"{where} is the id, and can't expire alone. Give the model a ttl= instead.")
        kept = IndexMark | TextMark | GeoMark | VectorMark | EmbeddedMark
        if any(isinstance(mark, kept) for mark in marks_of(info.metadata)):
            raise SchemaError(f"{where} is indexed and has a TTL: its index would outlive it. Choose one of the two.")
        if not (codec.has_default or codec.nullable):
            raise SchemaError(
                f"{where} has a TTL, so it needs a value for later: give it a default, or let it be None."
            )
    if position == 0 and indexed:
        raise SchemaError(f"{where} is the id, which needs no index: get() finds it.")
    return FieldSpec(codec.name, codec.name.encode(), position, min(ttls) if ttls else None, codec.nullable)


def _plug(model: type[BaseModel], name: str) -> Codec | None:
    found = [mark for mark in marks_of(model.__pydantic_fields__[name].metadata) if isinstance(mark, Codec)]
    if len(found) > 1:
        raise SchemaError(f"{model.__name__}.{name} has {len(found)} Codecs: join them in one.")
    return found[0] if found else None
