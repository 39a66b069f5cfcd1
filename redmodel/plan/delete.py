"""Deleting records with every trace of them in the indexes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from redmodel.model import Model, Schema, loaded_version, schema_of, set_loaded
from redmodel.plan.bulk import Tally
from redmodel.plan.cascade import delete_command, settle
from redmodel.plan.conflicts import moved_to, refuse_moved
from redmodel.plan.core import Batch, Plan
from redmodel.plan.get import each_id, find_by_id, get_many, several
from redmodel.plan.hooks import after, before

BATCH = 1000
"""Records that travel in one batch."""


def delete(model: type[Model], id: object) -> Plan[bool]:
    """Delete the record with this id and its index entries: one round trip; True if it was there."""
    schema = schema_of(model)
    if schema.hooks is not None and schema.hooks.of_deletes:
        record = yield from find_by_id(model, id)
        return record is not None and (yield from _delete_hooked(schema, record))
    raw = schema.id_bytes(id)
    (reply,) = yield Batch((delete_command(schema, raw),))
    return (yield from settle(schema, raw, reply))


def _delete_loaded(schema: Schema[Any], record: Model) -> Plan[bool]:
    """Delete a record that is at hand; of a versioned model, only as it was loaded."""
    id = schema.id_of(record)
    (reply,) = yield Batch((delete_command(schema, id, loaded_version(record)),))
    if (moved := moved_to(schema, id, reply)) is not None:
        raise refuse_moved(schema, record, moved)
    return (yield from settle(schema, id, reply))


def _delete_hooked(schema: Schema[Any], record: Model) -> Plan[bool]:
    hooks = schema.hooks
    assert hooks is not None
    yield from before(record, hooks, hooks.before_delete, (record,))
    existed = yield from _delete_loaded(schema, record)
    if existed:
        yield from after(hooks.after_delete, (record,))
    return existed


def delete_any(record: Model | type[Model], id: object) -> Plan[bool]:
    """Delete a record that is at hand, or the record of a model with this id."""
    if isinstance(record, type):
        return (yield from delete(record, id))
    schema: Schema[Any] = schema_of(record)
    if schema.hooks is not None:
        existed = yield from _delete_hooked(schema, record)
    else:
        existed = yield from _delete_loaded(schema, record)
    set_loaded(record, None)
    return existed


def delete_many(model: type[Model], ids: Iterable[object], tally: Tally | None = None) -> Plan[None]:
    """Delete the records with these ids, or these records: a round trip for each thousand; the tally counts them."""
    tally = tally or Tally()
    schema = schema_of(model)
    hooks = schema.hooks if schema.hooks is not None and schema.hooks.of_deletes else None
    source = iter(several(model, ids)) if hooks is not None else each_id(model, ids)
    while not tally.over and (chunk := list(islice(source, BATCH))):
        tally.seen += len(chunk)
        records: list[Model] = []
        if hooks is not None:
            records = yield from _at_hand(model, chunk)
            yield from before(model, hooks, hooks.before_delete, records)
            chunk = [schema.id_value(record) for record in records]
        raws = [schema.id_bytes(id) for id in chunk]
        replies = (yield Batch(tuple(delete_command(schema, raw) for raw in raws))) if chunk else ()
        gone: list[bool] = []
        for raw, reply in zip(raws, replies, strict=True):
            gone.append((yield from settle(schema, raw, reply)))
        tally.done += sum(gone)
        if hooks is not None:
            yield from after(hooks.after_delete, [one for one, was in zip(records, gone, strict=True) if was])
        tally.tell()


def _at_hand(model: type[Model], chunk: Sequence[object]) -> Plan[list[Model]]:
    """The records of a chunk of records and ids, those loaded that were only named; what is not there is left out."""
    loaded = yield from get_many(model, [one for one in chunk if not isinstance(one, model)])
    found = iter(loaded)
    records = [one if isinstance(one, model) else next(found) for one in chunk]
    return [record for record in records if record is not None]
