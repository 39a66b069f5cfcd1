"""How long the records of a model live, as its class declares it: ``ttl=``, ``sliding=`` and ``ExpiresAt`` together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel

from redmodel.errors import EncodingError, SchemaError
from redmodel.model.codec import FieldCodec
from redmodel.model.fields import TTL, ExpiresAt, KeyMark, marks_of
from redmodel.model.tokens import datetime_number

Life: TypeAlias = int | None | Literal["keep"]
"""A record's time to live in milliseconds, None for none, or what it has."""

LAST = 10_000 * 366 * 86_400_000
"""The last moment that a record may live to, in milliseconds since 1970."""


def expiry_position(
    model: type[BaseModel], codecs: Sequence[FieldCodec], ttl_ms: int | None, sliding: bool
) -> int | None:
    """The place of the field which says when a record expires; None if there is none. Raises SchemaError."""
    name = model.__name__
    if sliding and ttl_ms is None:
        raise SchemaError(f"{name} is sliding, and has no ttl to begin anew: name one, as in ttl=timedelta(hours=1).")
    found: list[int] = []
    for position, codec in enumerate(codecs):
        marks = marks_of(model.__pydantic_fields__[codec.name].metadata)
        if not any(isinstance(mark, ExpiresAt) for mark in marks):
            continue
        where = f"{name}.{codec.name}"
        if codec.kind != "datetime":
            raise SchemaError(f"{where} is marked with ExpiresAt, so it holds a datetime, or None for never.")
        if any(isinstance(mark, TTL | KeyMark) for mark in marks):
            raise SchemaError(f"{where} says when its record expires, so it has no TTL of its own, and is no id.")
        found.append(position)
    if len(found) > 1:
        raise SchemaError(f"{name} has {len(found)} fields marked with ExpiresAt; a record expires at one moment.")
    if not found:
        return None
    if ttl_ms is not None:
        raise SchemaError(
            f"{name} has both a ttl and {codecs[found[0]].name}, marked with ExpiresAt: choose one of the two. "
            f"A field with a default_factory can begin with a span from now."
        )
    return found[0]


def moment_of(value: datetime | None, where: str) -> bytes | None:
    """The moment of an expiry field, in milliseconds since 1970 as text; None for never. Raises EncodingError."""
    if value is None:
        return None
    milliseconds = datetime_number(value) // 1000
    if milliseconds > LAST:
        raise EncodingError(f"{where}: no record lives until {value}", field=where, value=value)
    return b"%d" % max(milliseconds, 1)
