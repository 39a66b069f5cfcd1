"""Changing records without reading them first: some fields of one; and get-or-create."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from redmodel.errors import AlreadyExists, QueryError, ReplyError, UniqueViolation
from redmodel.model import Compare, Model, Schema, loaded_values, loaded_version, schema_of
from redmodel.plan.conflicts import TRIES, field_guards, moved_to, new_version, refuse_moved, stale, version_guard
from redmodel.plan.core import Batch, Plan
from redmodel.plan.find import Selection, find_first
from redmodel.plan.get import find_by_id, get
from redmodel.plan.refusal import refused
from redmodel.plan.registration import Registered, register
from redmodel.plan.save import save, write_command

M = TypeVar("M", bound=Model)


def place_of(record: Model | type[Model], id: object) -> tuple[Schema[Any], bytes, object]:
    """The schema and the id, as bytes and as given, of a record at hand or of a model's record."""
    schema: Schema[Any] = schema_of(record)
    if not isinstance(record, type):
        id = schema.id_value(record)
    return schema, schema.id_bytes(id), id


def update(
    record: Model | type[Model], id: object, changes: Mapping[str, object], registered: Registered
) -> Plan[None]:
    """Write some fields of a living record, and its index entries: one round trip; raises NotFound.

    Where other fields are unique or indexed together with them, those are read first: two round trips.
    """
    schema, raw, id = place_of(record, id)
    if not changes:
        raise QueryError(f"update() of {schema.name} names no field to change")
    part, stored = schema.part(changes)
    if schema not in registered:
        yield from register(schema, registered)
    version = new_version(schema)
    at_hand = None if isinstance(record, type) or loaded_values(record) is None else record
    guards = [version_guard(loaded_version(at_hand))] if schema.versioned and at_hand is not None else []
    siblings = schema.siblings({position for position, _ in stored})
    source = part
    for _ in range(TRIES):
        demands = guards
        if siblings:
            source = yield from get(schema.model, id)
            demands = [*guards, *field_guards(schema, siblings, loaded_values(source) or ())]
            source.__dict__.update(part.__dict__)
        command = write_command(
            schema, source, raw, stored, "keep", "exists", whole=False, version=version, guards=demands
        )
        (reply,) = yield Batch((command,))
        moved = moved_to(schema, raw, reply)
        if moved is not None and at_hand is not None and guards:
            raise refuse_moved(schema, at_hand, moved)
        if moved is None:
            break
    else:
        raise stale(schema, id, siblings)
    if isinstance(reply, ReplyError):
        raise reply
    if not isinstance(reply, int):
        raise refused(schema, source, id, cast("list[bytes]", reply))
    if not isinstance(record, type):
        schema.take(record, part.__dict__, dict(stored), (loaded_version(record) or b"", version))


def get_or_create(
    model: type[M], wanted: Mapping[str, object], defaults: Mapping[str, object] | None, registered: Registered
) -> Plan[tuple[M, bool]]:
    """The record with these values, or a new one with these and the defaults: one round trip, or two; True if created.

    Where others create it at the same moment, one of them does and the rest get its record.
    """
    schema: Schema[M] = schema_of(model)
    if not wanted:
        raise QueryError(f"get_or_create() of {schema.name} names no value to look for")
    conflict: Exception | None = None
    for _ in range(3):
        found: M | None
        if set(wanted) == {schema.fields[0].name}:
            found = yield from find_by_id(model, wanted[schema.fields[0].name])
        else:
            conditions = tuple(Compare(name, "==", value, model) for name, value in wanted.items())
            found = yield from find_first(Selection(model, conditions))
        if found is not None:
            return found, False
        record = model(**{**(defaults or {}), **wanted})
        try:
            yield from save(record, registered, "model", "new")
        except (UniqueViolation, AlreadyExists) as error:
            conflict = error
        else:
            return record, True
    assert conflict is not None
    raise conflict
