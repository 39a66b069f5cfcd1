"""Saving a record whatever is stored, or in place of what is stored: upsert and replace."""

from __future__ import annotations

from typing import Any, cast

from redmodel.errors import AlreadyExists, ReplyError
from redmodel.model import Model, Schema, loaded_values, schema_of
from redmodel.plan.conflicts import TRIES, field_guards, moved_to, new_version
from redmodel.plan.core import Batch, Plan, Reply
from redmodel.plan.get import find_by_id
from redmodel.plan.refusal import refused
from redmodel.plan.registration import Registered, register
from redmodel.plan.save import hooked, prepare, save_unhooked, time_to_live, write_command
from redmodel.plan.ttl import Milliseconds


def replace(obj: Model, registered: Registered, ttl: Milliseconds = "model") -> Plan[None]:
    """Write a record in place of the one with its id, of which nothing stays: one round trip; raises NotFound."""
    yield from hooked(obj, _replace(obj, registered, ttl))


def _replace(obj: Model, registered: Registered, ttl: Milliseconds) -> Plan[None]:
    ready = prepare(obj, ttl, "exists", whole=True, replacing=True)
    if ready.schema not in registered:
        yield from register(ready.schema, registered)
    (reply,) = yield Batch((ready.command,))
    ready.accept(reply)


def upsert(obj: Model, registered: Registered, ttl: Milliseconds = "model") -> Plan[bool]:
    """Create a record, or write the fields that were given to it into the one with its id; True if it was created."""
    return (yield from hooked(obj, _upsert(obj, registered, ttl)))


def _upsert(obj: Model, registered: Registered, ttl: Milliseconds) -> Plan[bool]:
    schema: Schema[Any] = schema_of(obj)
    conflict: Exception | None = None
    for _ in range(TRIES):
        if loaded_values(obj) is None and (yield from _merge(schema, obj, registered, ttl)):
            return False
        try:
            only_if = None if loaded_values(obj) is not None else "new"
            return (yield from save_unhooked(obj, registered, ttl, only_if))  # type: ignore[arg-type]
        except AlreadyExists as error:
            conflict = error  # it came just now: merge
    assert conflict is not None
    raise conflict


def _merge(schema: Schema[Any], obj: Model, registered: Registered, ttl: Milliseconds) -> Plan[bool]:
    """Write the given fields into the stored record; False if there is none."""
    schema.refuse_parts()
    id, values = schema.id_of(obj), schema.encode(obj)
    given = [spec for spec in schema.fields[1:] if spec.name in obj.__pydantic_fields_set__]
    names = {spec.name for spec in given}
    changes = [(spec.position, values[spec.position]) for spec in given]
    computed = [one for one in schema.computed if one.depends_on is None or not one.depends_on.isdisjoint(names)]
    life = time_to_live(schema, values, ttl)
    siblings = schema.siblings({spec.position for spec in given})
    source: Any = obj
    reply: Reply = None
    if schema not in registered:
        yield from register(schema, registered)
    for _ in range(TRIES):
        guards: list[tuple[bytes, bytes]] = []
        if siblings:
            source = yield from find_by_id(schema.model, schema.id_value(obj))
            if source is None:
                return False
            guards = field_guards(schema, siblings, loaded_values(source) or ())
            source.__dict__.update({name: obj.__dict__[name] for name in names})
        written = [*changes, *((one.position, one.write(source)) for one in computed)]
        version = new_version(schema)
        command = write_command(
            schema, source, id, written, life, "exists", whole=False, version=version, guards=guards
        )
        (reply,) = yield Batch((command,))
        if moved_to(schema, id, reply) is None:
            break
    if isinstance(reply, ReplyError):
        raise reply
    if isinstance(reply, int):
        return True
    if isinstance(reply, list) and reply[0] == b"missing":
        return False
    raise refused(schema, source, schema.id_value(obj), cast("list[bytes]", reply))
