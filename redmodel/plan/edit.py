"""Reading a record, changing it, and saving it, so that no other writer's change is lost: once, or until it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from redmodel.errors import StaleWrite
from redmodel.model import Model, loaded_values
from redmodel.plan.conflicts import TRIES, stale
from redmodel.plan.core import Batch, Plan, Waiting
from redmodel.plan.get import get
from redmodel.plan.registration import Registered, register
from redmodel.plan.save import Guarding, caught_up, changes_of, hooked, prepare

M = TypeVar("M", bound=Model)


def save_edit(obj: Model, registered: Registered) -> Plan[None]:
    """Save what was changed in a record since it was loaded; other writers' changes of other fields are taken over.

    Raises StaleWrite if another writer changed one of the same fields, NotFound if the record has gone.
    """
    yield from hooked(obj, _save_edit(obj, registered, "changed"))


def _save_edit(obj: Model, registered: Registered, guarding: Guarding) -> Plan[None]:
    ready = prepare(obj, "model", "exists", guarding=guarding)
    schema = ready.schema
    if schema not in registered:
        yield from register(schema, registered)
    for _ in range(TRIES):
        known = loaded_values(obj)
        mine = {position for position, _ in changes_of(known or (), ready.values)}
        if known is not None and not mine:
            return  # nothing to save
        (reply,) = yield Batch((ready.command,))
        moved = ready.moved(reply)
        if moved is None:
            ready.accept(reply)
            return
        theirs = moved.changed_since(known or ())
        both = theirs if guarding == "all" else mine & theirs
        if both:
            raise stale(schema, schema.id_value(obj), both)
        ready = caught_up(ready, moved, "model", "exists", guarding=guarding)
    raise stale(schema, schema.id_value(obj), ())


def modify(model: type[M], id: object, change: Callable[[M], Any], registered: Registered) -> Plan[M]:
    """Load a record, change it and save it, and all of it anew as long as another writer comes between.

    Two round trips, and two more for each time that another writer was faster.
    """
    for attempt in range(TRIES):
        record = yield from get(model, id)
        result = change(record)
        if hasattr(result, "__await__"):
            yield Waiting(result, "the function given to modify()")
        try:
            yield from hooked(record, _save_edit(record, registered, "all"))
        except StaleWrite:
            if attempt == TRIES - 1:
                raise
        else:
            return record
    raise AssertionError
