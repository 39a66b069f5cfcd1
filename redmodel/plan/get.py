"""Reading records by id: one, many, whether it is there, and again in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar, cast

from redmodel.errors import InvalidId, NotFound, ReplyError
from redmodel.model import Model, Schema, schema_of
from redmodel.plan.commands import as_clock, as_int, as_row, time
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.refusal import explain

M = TypeVar("M", bound=Model)

BATCH = 1000
"""Records that travel in one batch."""


def _row(reply: Reply, key: bytes) -> list[bytes | None] | None:
    """The record's values, or None when there is no record."""
    if isinstance(reply, ReplyError):
        raise explain(reply, key)
    row = cast("list[bytes | None]", reply)
    if row[0] is None and not any(value is not None for value in row):
        return None
    return row


def get(model: type[M], id: object) -> Plan[M]:
    """The record with this id: one round trip; raises NotFound."""
    record = yield from find_by_id(model, id)
    if record is None:
        raise NotFound(f"there is no {model.__name__} {id!r}", model=model.__name__, id=id)
    return record


def find_by_id(model: type[M], id: object) -> Plan[M | None]:
    """The record with this id, or None: one round trip."""
    schema: Schema[M] = schema_of(model)
    key = schema.key(schema.id_bytes(id))
    read: Command[Any] = Command((b"HMGET", key, *schema.columns), as_row)
    if schema.field_ttls:
        reply, clock = yield Batch((read, time()))
        now: int | None = as_clock(clock)
    else:
        (reply,) = yield Batch((read,))
        now = None
    row = _row(reply, key)
    return None if row is None else schema.decode(row, now, key)


def several(model: type[Model], ids: Iterable[object]) -> Iterable[object]:
    """Refuse one text where a list of ids is asked for."""
    if isinstance(ids, str | bytes):
        raise InvalidId(f"{model.__name__}: a list of ids is asked for, not one {type(ids).__name__}")
    return ids


def each_id(model: type[Model], ids: Iterable[object]) -> Iterator[object]:
    """The ids that a bulk verb was given, one by one; of records, their ids. One text is no list of ids."""
    for id in several(model, ids):
        yield schema_of(model).id_value(id) if isinstance(id, model) else id


def get_many(model: type[M], ids: Iterable[object]) -> Plan[list[M | None]]:
    """The records with these ids in their order, None where there is none: a round trip for each thousand."""
    schema: Schema[M] = schema_of(model)
    records: list[M | None] = []
    source = each_id(model, ids)
    while chunk := list(islice(source, BATCH)):
        keys = [schema.key(schema.id_bytes(id)) for id in chunk]
        commands: list[Command[Any]] = [Command((b"HMGET", key, *schema.columns), as_row) for key in keys]
        if schema.field_ttls:
            commands.append(time())
        replies = yield Batch(tuple(commands))
        now = as_clock(replies[-1]) if schema.field_ttls else None
        for key, reply in zip(keys, replies, strict=False):
            row = _row(reply, key)
            records.append(None if row is None else schema.decode(row, now, key))
    return records


def exists(record: Model | type[Model], id: object) -> Plan[bool]:
    """Whether this record, or the record of a model with this id, is there: one round trip."""
    schema = schema_of(record)
    if not isinstance(record, type):
        id = schema.id_value(record)
    (reply,) = yield Batch((Command((b"EXISTS", schema.key(schema.id_bytes(id))), as_int),))
    if isinstance(reply, ReplyError):
        raise reply
    return reply == 1


def refresh(obj: M) -> Plan[M]:
    """Load the record again into the same object: one round trip; raises NotFound and leaves the object as it was."""
    schema: Schema[M] = schema_of(obj)
    fresh = yield from get(type(obj), schema.id_value(obj))
    schema.replace(obj, fresh)
    return obj
