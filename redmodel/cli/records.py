"""Records as plain values: what a table, JSON and CSV show of them."""

from __future__ import annotations

from typing import Any, cast

from redmodel.cli.faults import Refused
from redmodel.cli.spelling import plain
from redmodel.model import Model


def dump(record: Model) -> dict[str, Any]:
    """A record as JSON can hold it; by Pydantic's own rules where they can."""
    try:
        return cast("dict[str, Any]", plain(record.model_dump(mode="json")))
    except ValueError:  # bytes that are no UTF-8
        return cast("dict[str, Any]", plain(record.model_dump()))


def check_fields(model: type[Model], paths: list[str]) -> list[str]:
    """The fields to show: those asked for, or all of the model. Refused if the model has no such field."""
    known = list(model.model_fields)
    for path in paths:
        if path.partition(".")[0] not in known:
            raise Refused(f"{model.__name__} has no field {path!r}; it has {', '.join(known)}")
    return paths or known


def pick(values: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """Some fields of a dumped record, nested ones by ``outer.inner``."""
    return {path: _at(values, path) for path in paths}


def _at(values: Any, path: str) -> Any:
    for name in path.split("."):
        values = cast("dict[str, Any]", values).get(name) if isinstance(values, dict) else None
    return values
