"""The hot path: one encoder and one decoder per model, as Python source made from its codecs and compiled at first use.

Both take short cuts for what is nearly always there, and hand all other values to the codecs, careful and slow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any, NoReturn, cast

from pydantic import ValidationError
from pydantic_core import SchemaValidator

from redmodel.errors import DecodeError, EncodingError, InvalidId
from redmodel.model.codec import FieldCodec, storage_config, with_definitions
from redmodel.model.keys import ID_LIMIT, check_id_bytes
from redmodel.model.loaded import KEYSPACE
from redmodel.model.scalars import NUL, unescape
from redmodel.model.shapes import Core, ModelShape, mentions
from redmodel.model.trusting import bare

Encoder = Callable[[Any], list[bytes | None]]
Decoder = Callable[[Sequence[bytes | None], int | None, bytes], Any]
_FLAT = frozenset({"str", "int", "float", "bool"})
_WORD = 1 << 63


# -- encoding --------------------------------------------------------------------------------------------------------


def compile_encoder(codecs: Sequence[FieldCodec], model: ModelShape, slot: Any) -> Encoder:
    """The function that makes a record's stored values. Cost of compiling: about a millisecond."""
    careful = _careful_encoder(codecs, slot)
    if any(codec.unordered for codec in codecs):
        return careful
    names: dict[str, Any] = {"NUL": NUL, "UTC": UTC, "careful": careful}
    lines = ["    d = obj.__dict__"]
    for i, codec in enumerate(codecs):
        lines += _encode_field(i, codec, names)
    lines.append(f"    return [{', '.join(f'b{i}' for i in range(len(codecs)))}]")
    encode: Encoder = _compile("encode(obj)", lines, "careful(obj)", names, model)
    return encode


def _careful_encoder(codecs: Sequence[FieldCodec], slot: Any) -> Encoder:
    """The encoder without short cuts. It says which field is at fault, and knows what the record held before."""
    loaded = slot.__get__

    def careful(obj: Any) -> list[bytes | None]:
        values = obj.__dict__
        try:
            memory = loaded(obj)
        except AttributeError:
            memory = None
        before = None if memory is None else memory[1]
        stored: list[bytes | None] = []
        for position, codec in enumerate(codecs):
            if codec.name not in values:
                raise codec.refuse(
                    None, "the object has no such value (was it read by only(), or made by model_construct?)"
                )
            value = values[codec.name]
            if position == 0:
                stored.append(_write_id(value, codec))
            elif before is not None and codec.unordered:
                stored.append(codec.write_again(value, before[position]))
            else:
                stored.append(codec.write(value))
        return stored

    return careful


def _write_id(value: object, codec: FieldCodec) -> bytes:
    try:
        stored = codec.write(value)
    except EncodingError as error:
        raise InvalidId(str(error), model=codec.model, field=codec.name, value=value) from error
    if stored is None or value is None:
        raise InvalidId(f"{codec.model}: the id is None.", model=codec.model, field=codec.name, value=value)
    check_id_bytes(unescape(stored), codec.model, value)
    return stored


def _encode_field(i: int, codec: FieldCodec, names: dict[str, Any]) -> list[str]:
    """The lines that put field ``i`` into ``b<i>``."""
    names[f"write{i}"] = codec.write
    careful = f"b{i} = write{i}(v)"
    lines = [f"    v = d[{codec.name!r}]"]
    branch = "if"
    if codec.nullable:
        names[f"none{i}"] = codec.write_none
        lines += ["    if v is None:", f"        b{i} = none{i}"]
        branch = "elif"
    scalar = codec.scalar
    if scalar is not None and scalar.inline and codec.trusted:
        names[f"type{i}"] = scalar.python
        doubt = f" and not ({scalar.doubtful})" if scalar.doubtful else ""
        lines += [f"    {branch} type(v) is type{i}{doubt}:", f"        b{i} = {scalar.inline}"]
        lines += ["    else:", f"        {careful}"]
    elif scalar is not None and scalar.inline and codec.constrained and not _has_functions(codec):
        # A value that broke a constraint could not be read back: ask the field's own validator, and believe no change.
        names[f"type{i}"] = scalar.python
        names[f"check{i}"] = codec.validator().validate_python
        doubt = f" and not ({scalar.doubtful})" if scalar.doubtful else ""
        lines += [f"    {branch} type(v) is type{i}{doubt} and check{i}(v) == v:", f"        b{i} = {scalar.inline}"]
        lines += ["    else:", f"        {careful}"]
    elif codec.kind == "json" and (shape := _flat_shape(codec, names, i)):
        lines += [f"    {branch} {shape[0]}:", *shape[1], "    else:", f"        {careful}"]
    elif branch == "elif":
        lines += ["    else:", f"        {careful}"]
    else:
        lines.append(f"    {careful}")
    if i == 0:
        lines += [f"    if b0 is None or b0 is NUL or not 0 < len(b0) <= {ID_LIMIT}:", "        raise ValueError('id')"]
    return lines


def _has_functions(codec: FieldCodec) -> bool:
    return mentions(codec.load, "function")


def _flat_shape(codec: FieldCodec, names: dict[str, Any], i: int) -> tuple[str, list[str]] | None:
    """The test and the lines for JSON that is exact by construction: a list of scalars, or a model of scalars."""
    inner = codec.inner
    careful = f"b{i} = write{i}(v)"
    serializer = codec.serializer
    if serializer is None or "serialization" in inner or _has_functions(codec):
        return None
    names[f"json{i}"] = serializer.to_json
    if inner["type"] == "list" and set(inner) <= {"type", "items_schema"}:
        test = _flat_test(inner["items_schema"], "x", names)
        if test is None:
            return None
        lines = ["        for x in v:", f"            if not ({test}):", f"                {careful}"]
        lines += ["                break", "        else:", f"            b{i} = json{i}(v)"]
        return "type(v) is list", lines
    if inner["type"] != "model" or not _plain_model(inner):
        return None
    fields = inner["schema"]["fields"]
    tests = [f"len(n) == {len(fields)}"]
    for name, spec in fields.items():
        test = _flat_test(spec["schema"], f"n[{name!r}]", names)
        if test is None or set(spec) - {"type", "schema", "metadata"}:
            return None
        tests.append(f"({test})")
    names[f"class{i}"] = inner["cls"]
    lines = ["        n = v.__dict__", f"        if {' and '.join(tests)}:", f"            b{i} = json{i}(v)"]
    lines += ["        else:", f"            {careful}"]
    return f"type(v) is class{i}", lines


def _plain_model(inner: Core) -> bool:
    allowed = {"type", "cls", "schema", "config", "ref", "metadata", "custom_init", "root_model", "generic_origin"}
    if (
        set(inner) - allowed
        or inner.get("custom_init")
        or inner.get("root_model")
        or inner["schema"]["type"] != "model-fields"
    ):
        return False
    return not (set(inner.get("config", {})) - {"title"}) and not inner["schema"].get("computed_fields")


def _flat_test(schema: Core, place: str, names: dict[str, Any]) -> str | None:
    """An expression that is true if the value at ``place`` has exactly the scalar type; None if there is none."""
    if schema["type"] == "default" and not schema.get("validate_default"):
        return _flat_test(schema["schema"], place, names)
    if schema["type"] == "nullable":
        test = _flat_test(schema["schema"], place, names)
        return None if test is None else f"{place} is None or {test}"
    if schema["type"] not in _FLAT or set(schema) != {"type"}:
        return None
    test = f"type({place}) is {schema['type']}"
    if schema["type"] == "float":
        return f"{test} and {place} - {place} == 0.0"  # infinity and NaN are no numbers to JSON
    if schema["type"] == "int":
        return f"{test} and {-_WORD} <= {place} < {_WORD}"  # JSON readers have limits
    return test


# -- decoding --------------------------------------------------------------------------------------------------------


def load_schema(codecs: Sequence[FieldCodec], model: ModelShape, *, trusts: bool = False) -> Core:
    """The schema that makes a record of its stored values: by Python names, without aliases and input validators.

    With ``trusts`` also without the rules of scalar fields, and without validators that look at the record.
    """
    fields = {
        codec.name: {"type": "model-field", "schema": bare(codec.load) if trusts and codec.scalar else codec.load}
        for codec in codecs
    }
    schema: Core = {
        **model.model,
        "schema": {"type": "model-fields", "fields": fields, "model_name": model.cls.__name__},
        "config": storage_config(model.config),
        "custom_init": False,
    }
    schema.pop("ref", None)
    for layer in () if trusts else reversed(model.after):
        schema = {key: value for key, value in layer.items() if key != "ref"} | {"schema": schema}
    return with_definitions(schema, model)


def own_validator(schema: Any) -> SchemaValidator:
    """A validator that follows ``schema`` also where pydantic-core would put the class's own, ready-made one."""
    make: Any = SchemaValidator
    try:
        validator: SchemaValidator = make(schema, _use_prebuilt=False)
    except TypeError:  # a pydantic-core from before there were ready-made ones
        validator = make(schema)
    return validator


def compile_decoder(
    codecs: Sequence[FieldCodec],
    ttl_positions: Sequence[int],
    model: ModelShape,
    slot: Any,
    *,
    versioned: bool = False,
    trusts: bool = False,
) -> Decoder:
    """The function that makes a record of the values of its columns. Cost of compiling: about a millisecond."""
    schema: Any = load_schema(codecs, model, trusts=trusts)
    validator = own_validator(schema)
    names: dict[str, Any] = {
        "NUL": NUL,
        "ONE": b"\x01",
        "remember": slot.__set__,
        "here": KEYSPACE.get,
        "validate": validator.validate_python,
        "explain": _explainer(codecs, model),
    }
    count = len(codecs)
    values = [f"v{i}" for i in range(count)] + [f"x{i}" for i in ttl_positions]
    values += ["w"] if versioned else []
    lines = [f"    {', '.join(values)}, = values"]
    for i in ttl_positions:
        lines += [f"    if x{i} is not None and now_ms is not None and int(x{i}) <= now_ms:", f"        v{i} = None"]
    record = f"[{', '.join(values[:count])}]" if len(values) > count else "values"
    lines.append(f"    stored = {record}")
    for i, codec in enumerate(codecs):
        lines += _decode_field(i, codec, names)
    lines.append(f"    d = {{{', '.join(f'{codec.name!r}: v{i}' for i, codec in enumerate(codecs))}}}")
    for i, codec in enumerate(codecs):
        if i > 0 and codec.has_default and not codec.absent_is_none:  # an id is never made up
            lines += [f"    if v{i} is None and stored[{i}] is None:", f"        del d[{codec.name!r}]"]
    strict = mentions(schema, "strict", True)
    aliases = any(codec.flags for codec in codecs)
    flags = (", strict=False" if strict else "") + (", by_alias=False, by_name=True" if aliases else "")
    version = "w and w[:16]" if versioned else "None"
    lines += [f"    obj = validate(d{flags})", f"    remember(obj, (here(), stored, {version}))", "    return obj"]
    return cast("Decoder", _compile("decode(values, now_ms, key)", lines, "explain(values, key, error)", names, model))


def _decode_field(i: int, codec: FieldCodec, names: dict[str, Any]) -> list[str]:
    """The lines that turn the stored text ``v<i>`` into what the validator takes."""
    marker = codec.nullable and codec.write_none is NUL
    if codec.plug is not None:
        names[f"read{i}"] = _read_plugged(marker, codec)
        return [f"    if v{i} is not None:", f"        v{i} = read{i}(v{i})"]
    textual = codec.scalar is not None and codec.scalar.textual
    reads = codec.reads
    if textual:
        names[f"read{i}"] = _read_textual(marker, reads)
        if reads is not None:
            return [f"    if v{i} is not None:", f"        v{i} = read{i}(v{i})"]
        guard = f"v{i} is not None and v{i} < ONE" if i > 0 and (codec.nullable or codec.has_default) else f"v{i} < ONE"
        return [f"    if {guard}:", f"        v{i} = read{i}(v{i})"]
    if reads is None:
        return [f"    if v{i} == NUL:", f"        v{i} = None"] if marker else []
    names[f"read{i}"] = reads
    call = f"v{i} = None if v{i} == NUL else read{i}(v{i})" if marker else f"v{i} = read{i}(v{i})"
    return [f"    if v{i} is not None:", f"        {call}"]


def _read_textual(marker: bool, reads: Callable[[bytes], object] | None) -> Callable[[bytes], object]:
    def read(stored: bytes) -> object:
        if stored[:1] == NUL:
            if marker and stored == NUL:
                return None
            stored = stored[1:]
        return stored if reads is None else reads(stored)

    return read


def _read_plugged(marker: bool, codec: FieldCodec) -> Callable[[bytes], object]:
    inner = _read_textual(False, codec.reads) if codec.scalar is not None and codec.scalar.textual else codec.reads

    def read(stored: bytes) -> object:
        if marker and stored == NUL:
            return None
        plain = codec.unplug(stored)
        return plain if inner is None else inner(plain)

    return read


def _explainer(
    codecs: Sequence[FieldCodec], model: ModelShape
) -> Callable[[Sequence[bytes | None], bytes, Exception], NoReturn]:
    def explain(values: Sequence[bytes | None], key: bytes, error: Exception) -> NoReturn:
        name = model.cls.__name__
        place = key.decode("utf-8", "backslashreplace")
        for codec, stored in zip(codecs, values, strict=False):
            try:
                if stored is None:
                    if codec is not codecs[0] and (codec.has_default or codec.nullable):
                        continue
                    why: object = "it is missing, and has no default"
                elif stored == NUL and codec.nullable:
                    continue
                else:
                    codec.read(stored)
                    continue
            except ValidationError as found:
                why = found.errors(include_url=False, include_input=False)[0]["msg"]
            except Exception as found:
                why = f"{type(found).__name__}: {found}"
            raise DecodeError(
                f"{place}: the field {codec.name!r} can't be read as {name} declares it: {why}.",
                key=key,
                field=codec.name,
                raw=stored,
                model=name,
            ) from error
        raise DecodeError(f"{place} can't be read as {name}: {error}", key=key, model=name) from error

    return explain


# -- both ------------------------------------------------------------------------------------------------------------


def verified(
    encode: Encoder, decode: Decoder, expiries: int, codecs: Sequence[FieldCodec], model: ModelShape
) -> Encoder:
    """An encoder for models whose own validators run on load: it reads each record back, and compares."""

    nothing = [None] * expiries

    def encode_and_compare(obj: Any) -> list[bytes | None]:
        stored = encode(obj)
        name = model.cls.__name__
        try:
            back = decode([*stored, *nothing], None, b"")
        except DecodeError as error:
            raise EncodingError(
                f"{name}: the record could not be read back: {error}", model=name, field=error.field, value=obj
            ) from error
        for codec in codecs:
            if not codec.agree(getattr(obj, codec.name), getattr(back, codec.name)):
                raise codec.refuse(
                    getattr(obj, codec.name),
                    "the model's validators change it when it is read back; make them idempotent",
                )
        return stored

    return encode_and_compare


def _compile(signature: str, lines: list[str], otherwise: str, names: dict[str, Any], model: ModelShape) -> Any:
    """Compiles a function whose body is tried; if anything at all goes wrong, ``otherwise`` is its answer."""
    body = [
        "    try:",
        *(f"    {line}" for line in lines),
        "    except Exception as error:",
        f"        return {otherwise}",
    ]
    source = "\n".join([f"def {signature}:", *body])
    function = signature.partition("(")[0]
    exec(compile(source, f"<redmodel {function} of {model.cls.__qualname__}>", "exec"), names)  # noqa: S102
    made = names[function]
    made.__source__ = source
    return made
