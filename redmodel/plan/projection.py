"""What a query gives for each record: the record itself, some of its fields, their values, or its id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from pydantic import BaseModel

from redmodel.errors import QueryError
from redmodel.model import FieldRef, Model, Schema, reference, schema_of
from redmodel.plan.fields import own_path

Make: TypeAlias = Callable[[Any], Any]


class Projection:
    """The fields that are read, and what is made of a record that has only them."""

    __slots__ = ("fields", "make", "name")

    def __init__(self, name: str, fields: Sequence[str], make: Make) -> None:
        self.name = name
        self.fields = tuple(fields)
        self.make = make

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(self.fields)})"


def ids(model: type[Model]) -> Projection:
    """Nothing but the ids."""
    return Projection("ids", (), schema_of(model).id_value)


def only(model: type[Model], names: Sequence[FieldRef[Any] | str]) -> Projection:
    """Records with their ids and these fields, and no others."""
    return Projection("only", [path[0] for path in _paths(model, names, "only", whole=True)], lambda record: record)


def values(model: type[Model], names: Sequence[FieldRef[Any] | str]) -> Projection:
    """Tuples of the values of these fields, which may lie inside nested models."""
    paths = _paths(model, names, "values")
    fields = [path[0] for path in paths]
    if all(len(path) == 1 for path in paths):

        def plain(record: Any) -> tuple[Any, ...]:
            held = record.__dict__
            return tuple([held[name] for name in fields])

        return Projection("values", fields, plain)
    return Projection("values", fields, lambda record: tuple([_follow(record, path) for path in paths]))


def as_dicts(model: type[Model], names: Sequence[FieldRef[Any] | str]) -> Projection:
    """Dictionaries of all the fields, or of these, by their paths; nested models stay what they are."""
    paths = _paths(model, names, "as_dicts") if names else [(spec.name,) for spec in schema_of(model).fields]

    def make(record: Any) -> dict[str, Any]:
        return {".".join(path): _follow(record, path) for path in paths}

    return Projection("as_dicts", [path[0] for path in paths], make)


def _paths(
    model: type[Model], names: Sequence[FieldRef[Any] | str], verb: str, *, whole: bool = False
) -> list[tuple[str, ...]]:
    schema: Schema[Any] = schema_of(model)
    if not names:
        raise QueryError(f"{verb}() takes the fields to read, as in {verb}({schema.name}.{schema.fields[-1].name})")
    return [_path(schema, name, verb, whole) for name in names]


def _path(schema: Schema[Any], name: FieldRef[Any] | str, verb: str, whole: bool) -> tuple[str, ...]:
    if isinstance(name, FieldRef):
        path = own_path(schema, name)
        if "." in path and any(index.path == path and index.many for index in schema.indexes):
            raise QueryError(f"{schema.name}.{path} has a value for each item: name it as text for a list of them")
    elif isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        path = name
    else:
        raise QueryError(f"{verb}() takes fields (User.age) or their names, not {type(name).__name__}")
    steps = path.split(".")
    known = [spec.name for spec in schema.fields]
    if steps[0] not in known:
        raise QueryError(f"{schema.name} has no field {steps[0]!r}; it has {', '.join(known)}")
    if whole and len(steps) > 1:
        raise QueryError(f"{verb}() reads whole fields, and {path} lies inside one: use values() for it")
    found: Any = reference(schema.model, steps[0])
    for step in steps[1:]:
        found = getattr(found, step, None)
        if found is None:
            raise QueryError(f"{schema.name} has no field {path!r}")
    return tuple(steps)


def value_at(schema: Schema[Any], path: str) -> Make:
    """A function that gives the value at a path of a record. QueryError if there is no such field."""
    steps = _path(schema, path, "find", False)
    return lambda record: _follow(record, steps)


def _follow(value: Any, steps: Sequence[str]) -> Any:
    """What lies at the end of the path: None behind a None, a list behind a collection."""
    for at, step in enumerate(steps):
        if isinstance(value, BaseModel):
            value = value.__dict__[step]
        elif isinstance(value, list | tuple | set | frozenset):
            return [_follow(item, steps[at:]) for item in cast("Sequence[Any]", value)]
        else:
            return None
    return value
