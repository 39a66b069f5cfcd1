"""The id of a record: which field it is, and the bytes it has in a key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from decimal import Decimal
from typing import Any

from redmodel.errors import InvalidId, RedModelError, SchemaError
from redmodel.model.codec import FieldCodec
from redmodel.model.keys import ID_LIMIT, check_id_bytes
from redmodel.model.leaves import leaf_of
from redmodel.model.shapes import SCALARS, Core, ModelShape
from redmodel.model.tokens import number_text


def id_codec(codec: FieldCodec, schema: Core, model: ModelShape) -> Callable[[object], bytes]:
    """The function that turns an id, as a user gives it, into its bytes in a key. SchemaError for types of no id."""
    name, field = model.cls.__name__, codec.name
    if codec.nullable:
        raise SchemaError(f"{name}.{field} is the id, so it can't be None: leave the None out of its type.")
    if codec.kind not in SCALARS and (codec.kind != "text" or codec.secret is not None):
        raise SchemaError(f"{name}.{field} is the id, and an id is one scalar: str, int, UUID, date, Enum, ...")
    leaf = leaf_of(field, schema, model, f"{name}.{field}")
    text = _text_of(codec, leaf.text)
    plain_text = codec.kind == "str" and codec.trusted

    def id_bytes(value: object) -> bytes:
        try:
            if plain_text and type(value) is str:
                found = value.encode()
                if 0 < len(found) <= ID_LIMIT:
                    return found
            else:
                if value is None:
                    raise InvalidId(f"{name}: the id is None.", model=name, field=field, value=value)
                found = text(leaf.read(value, f"{name}.{field}"))
        except InvalidId:
            raise
        except (RedModelError, ValueError) as error:
            why = "it is not valid Unicode" if isinstance(error, UnicodeError) else error
            raise InvalidId(
                f"{name}: no id can be {_shown(value)}: {why}", model=name, field=field, value=value
            ) from error
        return check_id_bytes(found, name, value)

    return id_bytes


def _shown(value: object) -> str:
    return ascii(value)[:80]


def _text_of(codec: FieldCodec, plain: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Equal ids have one text: 1.0 and 1.00, or one instant in two time zones, name one record."""
    write = codec.write_text
    if codec.kind == "decimal":
        return _decimal_text
    if codec.kind == "float":
        return number_text
    if codec.kind == "datetime":
        return lambda value: write(value if value.tzinfo is None else value.astimezone(UTC))
    if codec.kind in ("date", "time", "timedelta"):
        return write
    return plain


def _decimal_text(value: Decimal) -> bytes:
    if not value.is_finite():
        raise ValueError("it is not a finite number")
    if -40 < value.adjusted() < 40:
        text = format(value, "f")
        short = text.rstrip("0").rstrip(".") if "." in text else text
        return (short if value else "0").encode()
    return number_text(value)
