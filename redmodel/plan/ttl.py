"""Time to live: giving a record a new one, and dropping the traces of records whose time is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeAlias, cast

from redmodel.errors import EncodingError, NotFound, QueryError, ReplyError, SchemaError
from redmodel.model import Model, Schema, schema_of
from redmodel.plan.commands import as_int, procedure
from redmodel.plan.core import Batch, Command, Plan, Reply, call
from redmodel.plan.refusal import wrong_type
from redmodel.procedures import PURGE, TOUCH

MOST = 10_000 * 366 * 86_400
"""Seconds that a time to live may be at most."""

PURGE_STEP = 1000
"""Records dropped by one run of the purge procedure: it never blocks the server for long."""

SWEEP_STEPS = 100
"""Such runs in one turn of a sweeper."""


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


def slide(schema: Schema[Any], keys: Sequence[bytes]) -> Command[Reply]:
    """The command that travels with a read of a sliding model's records: lives begin anew, unless they are longer."""
    return procedure(TOUCH, (schema.ids_key, schema.expires_key, *keys), (b"%d" % (schema.ttl_ms or 0), b"s"))


def slid(reply: Reply) -> None:
    """Read that command's reply. A full server moves no deadline, and reads go on."""
    if isinstance(reply, ReplyError) and reply.code != "OOM":
        raise reply


def time_left(record: Model | type[Model], id: object) -> Plan[timedelta | None]:
    """How long a record has to live, None for no end: one round trip; raises NotFound."""
    schema = schema_of(record)
    if not isinstance(record, type):
        id = schema.id_value(record)
    left = yield from call(Command((b"PTTL", schema.key(schema.id_bytes(id))), as_int))
    if left == -2:
        raise NotFound(f"there is no {schema.name} {id!r}", model=schema.name, id=id)
    return None if left == -1 else timedelta(milliseconds=left)


def lifetime(schema: Schema[Any], ttl: Milliseconds) -> bytes:
    """What a touch gives, as the procedures take it. Raises SchemaError or QueryError where there is none to give."""
    if ttl == "model":
        ttl = schema.ttl_ms
        if ttl is None:
            raise SchemaError(
                f"{schema.name} has no ttl: name one, as in touch(record, ttl=timedelta(hours=1)), or None for none"
            )
    if schema.expires_at is not None:
        name = schema.fields[schema.expires_at].name
        raise QueryError(f"{schema.name}.{name} is when its records expire: update(record, {name}=...) moves it")
    return b"-" if ttl is None else b"%d" % ttl


def touch(record: Model | type[Model], id: object, ttl: Milliseconds) -> Plan[bool]:
    """Give a record its model's time to live anew, or another, or none: one round trip; False if there is no record."""
    schema = schema_of(record)
    if not isinstance(record, type):
        id = schema.id_value(record)
    argv = (lifetime(schema, ttl), b"t")
    key = schema.key(schema.id_bytes(id))
    (reply,) = yield Batch((procedure(TOUCH, (schema.ids_key, schema.expires_key, key), argv),))
    if isinstance(reply, ReplyError):
        raise reply
    if isinstance(reply, list):
        _, key, found = cast("list[bytes]", reply)
        raise wrong_type(key, found)
    return reply == 1


def purge(model: type[Model]) -> Plan[None]:
    """Drop the traces of all records whose time is over: a round trip for each thousand."""
    while (yield from _step(model)):
        pass


def sweep(model: type[Model], over: Callable[[], bool] = lambda: False) -> Plan[None]:
    """The same in one turn of a sweeper: a bounded number, and no further when ``over`` says so."""
    for _ in range(SWEEP_STEPS):
        if over() or not (yield from _step(model)):
            return


def _step(model: type[Model]) -> Plan[int]:
    """Drop a thousand at most; how many are still due."""
    schema = schema_of(model)
    argv = (b"%d" % PURGE_STEP,)
    return (yield from call(procedure(PURGE, (schema.ids_key, schema.expires_key), argv, as_int)))
