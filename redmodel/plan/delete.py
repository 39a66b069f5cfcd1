"""Deleting records with every trace of them in the indexes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, cast

from redmodel.errors import ReplyError
from redmodel.model import Model, Schema, schema_of, set_loaded
from redmodel.plan.commands import procedure
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.get import each_id
from redmodel.plan.refusal import wrong_type
from redmodel.procedures import DELETE

BATCH = 1000
"""Records that travel in one batch."""


def _command(schema: Schema[Any], id: bytes) -> Command[Reply]:
    return procedure(DELETE, (schema.key(id), schema.ids_key, schema.log_key, schema.expires_key), (id,))


def _accept(reply: Reply) -> bool:
    if isinstance(reply, ReplyError):
        raise reply
    if isinstance(reply, list):
        _, key, found = cast("list[bytes]", reply)
        raise wrong_type(key, found)
    return reply == 1


def delete(model: type[Model], id: object) -> Plan[bool]:
    """Delete the record with this id and its index entries: one round trip; True if it was there."""
    schema = schema_of(model)
    (reply,) = yield Batch((_command(schema, schema.id_bytes(id)),))
    return _accept(reply)


def delete_any(record: Model | type[Model], id: object) -> Plan[bool]:
    """Delete a record that is at hand, or the record of a model with this id."""
    if isinstance(record, type):
        return (yield from delete(record, id))
    existed = yield from delete(type(record), schema_of(record).id_value(record))
    set_loaded(record, None)
    return existed


def delete_many(model: type[Model], ids: Iterable[object]) -> Plan[int]:
    """Delete the records with these ids, or these records: a round trip for each thousand; how many were there."""
    schema = schema_of(model)
    source = each_id(model, ids)
    done = 0
    while chunk := list(islice(source, BATCH)):
        replies = yield Batch(tuple(_command(schema, schema.id_bytes(id)) for id in chunk))
        done += sum([_accept(reply) for reply in replies])
    return done
