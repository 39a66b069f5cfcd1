"""Running a model's hooks inside of a plan. A plan does no I/O: an async hook's coroutine is handed to the driver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redmodel.model import Model
from redmodel.plan.core import Plan, Waiting


def before(model: type[Model] | Model, hooks: Any, names: Iterable[str], records: Iterable[Model]) -> Plan[None]:
    """Run the hooks before something; a driver that can't await refuses a model with async hooks here."""
    if hooks.awaited:
        yield Waiting(None, f"{(model if isinstance(model, type) else type(model)).__name__} has async hooks")
    yield from after(names, records)


def after(names: Iterable[str], records: Iterable[Model]) -> Plan[None]:
    """Run the hooks after something."""
    for record in records:
        for name in names:
            result = getattr(record, name)()
            if result is not None and hasattr(result, "__await__"):
                yield Waiting(result, name)
