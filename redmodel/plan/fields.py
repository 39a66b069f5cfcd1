"""Whose field a query names: the one check that conditions, orders, projections and numbers share."""

from __future__ import annotations

from typing import Any

from redmodel.errors import QueryError
from redmodel.model import FieldRef, Index, Schema, owner_of, path_of, schema_of


def refuse_foreign(schema: Schema[Any], owner: type[Any] | None, path: str) -> None:
    """Raise QueryError if a path was named as a field of another model than the one that is asked."""
    if owner not in (schema.model, None) and not issubclass(schema.model, owner):
        raise QueryError(
            f"{owner.__name__}.{path} is a field of {owner.__name__}: a query of {schema.name} can't ask for it"
        )


def target_of(schema: Schema[Any], index: Index) -> Schema[Any]:
    """The model that a reference leads to. Raises QueryError for a field that is none."""
    if index.target is None:
        raise QueryError(f"{schema.name}.{index.path} is no reference: only Ref and Refs fields lead to other records")
    return schema_of(index.target)


def own_path(schema: Schema[Any], field: FieldRef[Any] | str) -> str:
    """The path of a field that a query names, by reference or as text. Raises QueryError for another model's."""
    if isinstance(field, str):
        return field
    if not isinstance(field, FieldRef):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise QueryError(f"a field is named as in {schema.name}.age, not by {type(field).__name__}")
    refuse_foreign(schema, owner_of(field), path_of(field))
    return path_of(field)
