"""Reading a record, changing it, and saving it, so that no other writer's change is lost: once, or until it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redmodel.model import Model, Schema, loaded_values, schema_of
from redmodel.plan.conflicts import TRIES, stale
from redmodel.plan.core import Batch, Plan, Waiting
from redmodel.plan.get import get
from redmodel.plan.hooks import after, before
from redmodel.plan.registration import Registered, register
from redmodel.plan.save import caught_up, changes_of, hooked, prepare

M = TypeVar("M", bound=Model)

MODIFY_TRIES = 1000
"""How often modify() goes on where others keep coming between: each try is one round trip."""


def save_edit(obj: Model, registered: Registered) -> Plan[None]:
    """Save what was changed in a record since it was loaded; other writers' changes of other fields are taken over.

    Raises StaleWrite if another writer changed one of the same fields, NotFound if the record has gone.
    """
    yield from hooked(obj, _save_edit(obj, registered))


def _save_edit(obj: Model, registered: Registered) -> Plan[None]:
    ready = prepare(obj, "model", "exists", guarding="changed")
    schema = ready.schema
    if schema not in registered:
        yield from register(schema, registered)
    for _ in range(TRIES):
        known = loaded_values(obj)
        mine = {position for position, _ in changes_of(schema, known or (), ready.values)}
        if known is not None and not mine:
            return  # nothing to save
        (reply,) = yield Batch((ready.command,))
        moved = ready.moved(reply)
        if moved is None:
            ready.accept(reply)
            return
        both = mine & moved.changed_since(known or ())
        if both:
            raise stale(schema, schema.id_value(obj), both)
        ready = caught_up(ready, moved, "model", "exists", guarding="changed")
    raise stale(schema, schema.id_value(obj), ())


def modify(model: type[M], id: object, change: Callable[[M], Any], registered: Registered) -> Plan[M]:
    """Load a record, change it and save it, and change and save it anew as long as another writer comes between.

    Two round trips, and one more for each time that another writer was faster: the refusal brings the record along.
    """
    schema: Schema[M] = schema_of(model)
    if schema not in registered:
        yield from register(schema, registered)
    record = yield from get(model, id)
    raw: Sequence[bytes | None] | None = None
    for _ in range(MODIFY_TRIES):
        result = change(record)
        if hasattr(result, "__await__"):
            yield Waiting(result, "the function given to modify()")
        hooks = schema.hooks
        if hooks is not None:
            yield from before(record, hooks, hooks.before_save, (record,))
        ready = prepare(record, "model", "exists", guarding="all", raw=raw)
        if not changes_of(ready.schema, loaded_values(record) or (), ready.values):
            return record
        (reply,) = yield Batch((ready.command,))
        moved = ready.moved(reply)
        if moved is None:
            ready.accept(reply)
            if hooks is not None:
                yield from after(hooks.after_save, (record,))
            return record
        record, raw = moved.record, moved.raw
    raise stale(schema, id, ())
