"""Reading records by id: one, many, whether it is there, and again in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

from redmodel.errors import InvalidId, NotFound, ReplyError
from redmodel.model import Model, Schema, schema_of
from redmodel.plan.commands import as_clock, as_int, hmget, time
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.refusal import explain
from redmodel.plan.ttl import slid, slide

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


def get(model: type[M], id: object, slides: bool = True, trusted: bool = False) -> Plan[M]:
    """The record with this id: one round trip; raises NotFound. ``slides``: the life of a sliding one begins anew."""
    record = yield from find_by_id(model, id, slides, trusted)
    if record is None:
        raise NotFound(f"there is no {model.__name__} {id!r}", model=model.__name__, id=id)
    return record


def find_by_id(model: type[M], id: object, slides: bool = True, trusted: bool = False) -> Plan[M | None]:
    """The record with this id, or None: one round trip."""
    schema: Schema[M] = schema_of(model)
    raw = schema.id_bytes(id)
    if schema.sliding and slides:
        found: list[M | None] = yield from read(((schema, raw),), trusted=trusted)
        return found[0]
    key = schema.key(raw)
    read_it: Command[Any] = hmget(key, schema.columns)
    if schema.field_ttls:
        reply, clock = yield Batch((read_it, time()))
        now: int | None = as_clock(clock)
    else:
        (reply,) = yield Batch((read_it,))
        now = None
    row = _row(reply, key)
    decode = schema.trusting if trusted else schema.decode
    return None if row is None else decode(row, now, key)


def several(model: type[Model], ids: Iterable[object]) -> Iterable[object]:
    """Refuse one text where a list of ids is asked for."""
    if isinstance(ids, str | bytes):
        raise InvalidId(f"{model.__name__}: a list of ids is asked for, not one {type(ids).__name__}")
    return ids


def each_id(model: type[Model], ids: Iterable[object]) -> Iterator[object]:
    """The ids that a bulk verb was given, one by one; of records, their ids. One text is no list of ids."""
    for id in several(model, ids):
        yield schema_of(model).id_value(id) if isinstance(id, model) else id


def read(places: Sequence[tuple[Schema[Any], bytes]], slides: bool = True, trusted: bool = False) -> Plan[list[Any]]:
    """The records at these places, each a schema and an id's bytes, None where there is none: one round trip."""
    commands: list[Command[Any]] = [hmget(schema.key(raw), schema.columns) for schema, raw in places]
    schemas = dict.fromkeys(schema for schema, _ in places)
    timed = any(schema.field_ttls for schema in schemas)
    if timed:
        commands.append(time())
    sliding = [schema for schema in schemas if schema.sliding] if slides else []
    commands += [slide(one, [one.key(raw) for schema, raw in places if schema is one]) for one in sliding]
    replies = yield Batch(tuple(commands))
    now = as_clock(replies[len(places)]) if timed else None
    for reply in replies[len(commands) - len(sliding) :]:
        slid(reply)
    found: list[Any] = []
    for (schema, raw), reply in zip(places, replies, strict=False):
        key = schema.key(raw)
        row = _row(reply, key)
        decode = schema.trusting if trusted else schema.decode
        found.append(None if row is None else decode(row, now, key))
    return found


def get_many(model: type[M], ids: Iterable[object], slides: bool = True, trusted: bool = False) -> Plan[list[M | None]]:
    """The records with these ids in their order, None where there is none: a round trip for each thousand."""
    schema: Schema[M] = schema_of(model)
    records: list[M | None] = []
    source = each_id(model, ids)
    while chunk := list(islice(source, BATCH)):
        records += yield from read([(schema, schema.id_bytes(id)) for id in chunk], slides, trusted)
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


def refresh(obj: M, slides: bool = True) -> Plan[M]:
    """Load the record again into the same object: one round trip; raises NotFound and leaves the object as it was."""
    schema: Schema[M] = schema_of(obj)
    fresh = yield from get(type(obj), schema.id_value(obj), slides)
    schema.replace(obj, fresh)
    return obj
