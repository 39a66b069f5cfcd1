"""Time to live: giving a record a new one, and dropping the traces of records whose time is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypeAlias, cast

from redmodel.errors import EncodingError, ReplyError, SchemaError
from redmodel.model import Model, schema_of
from redmodel.plan.commands import procedure
from redmodel.plan.core import Batch, Plan
from redmodel.plan.refusal import wrong_type
from redmodel.procedures import PURGE, TOUCH

MOST = 10_000 * 366 * 86_400
"""Seconds that a time to live may be at most."""

PURGE_STEP = 1000
"""Records dropped by one run of the purge procedure: it never blocks the server for long."""


Ttl: TypeAlias = timedelta | float | None | Literal["model"]
"""A time to live as callers give it: a timedelta, seconds, None for none, or ``"model"``: what the model declares."""

Milliseconds: TypeAlias = int | None | Literal["model"]


def milliseconds(ttl: Ttl) -> Milliseconds:
    """Read a time to live; it must be at least a millisecond.

    >>> milliseconds(timedelta(minutes=1)), milliseconds(0.5), milliseconds(None)
    (60000, 500, None)
    """
    if ttl is None:
        return None
    if ttl == "model":
        return "model"
    if isinstance(ttl, str | bool) or not isinstance(ttl, timedelta | int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise EncodingError(f"a ttl is a timedelta or a number of seconds, not {ttl!r}", field="ttl", value=ttl)
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if not 0.001 <= seconds <= MOST:
        raise EncodingError(f"a ttl is between a millisecond and 10,000 years, not {ttl!r}", field="ttl", value=ttl)
    return round(seconds * 1000)


def touch(record: Model | type[Model], id: object, ttl: Milliseconds) -> Plan[bool]:
    """Give a record its model's time to live anew, or another, or none: one round trip; False if there is no record."""
    schema = schema_of(record)
    if not isinstance(record, type):
        id = schema.id_value(record)
    if ttl == "model":
        ttl = schema.ttl_ms
        if ttl is None:
            raise SchemaError(
                f"{schema.name} has no ttl: name one, as in touch(record, ttl=timedelta(hours=1)), or None for none"
            )
    raw = schema.id_bytes(id)
    keys = (schema.key(raw), schema.ids_key, schema.log_key, schema.expires_key)
    (reply,) = yield Batch((procedure(TOUCH, keys, (raw, b"-" if ttl is None else b"%d" % ttl)),))
    if isinstance(reply, ReplyError):
        raise reply
    if isinstance(reply, list):
        _, key, found = cast("list[bytes]", reply)
        raise wrong_type(key, found)
    return reply == 1


def purge(model: type[Model]) -> Plan[None]:
    """Drop the traces of all records whose time is over: a round trip for each thousand."""
    schema = schema_of(model)
    left: object = 1
    while left:
        (reply,) = yield Batch((procedure(PURGE, (schema.ids_key, schema.expires_key), (b"%d" % PURGE_STEP,)),))
        if isinstance(reply, ReplyError):
            raise reply
        left = reply
