"""Makes the field references of a model: ``User.age``, ``User.address.city``."""

from __future__ import annotations

from typing import Any, cast, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import TypeAliasType

from redmodel.model.expressions import FieldRef, reached
from redmodel.model.fields import GeoMark, TextMark, VectorMark, marks_of
from redmodel.model.geo import GeoRef
from redmodel.model.ordered import OrderedMark, OrderedRef
from redmodel.model.texts import TextRef
from redmodel.model.vectors import VectorRef


def reference(model: type[BaseModel], name: str, *, text: bool = False) -> FieldRef[Any]:
    """The reference to one field of a model; ``text`` says that of a computed field the words are indexed."""
    return _refer(model, name, model, name, text=text)


def _refer(
    model: type[BaseModel], path: str, owner: type[BaseModel], field: str, *, text: bool = False
) -> FieldRef[Any]:
    def inside(name: str) -> FieldRef[Any] | None:
        # Only now: the annotation may have been a name without a type when the reference was made.
        info = owner.__pydantic_fields__.get(field)  # none of a computed field
        annotation: Any = None if info is None else info.annotation
        if (target := _target(annotation)) is not None:
            found: Any = getattr(target, name, None)
            if not isinstance(found, FieldRef):
                return None
            return reached(found, model, path)  # pyright: ignore[reportUnknownArgumentType]
        nested = _nested(annotation)
        if nested is None or name not in nested.__pydantic_fields__:
            return None
        return _refer(model, f"{path}.{name}", nested, name)

    info = owner.__pydantic_fields__.get(field)
    marks = () if info is None else marks_of(info.metadata)
    if any(isinstance(mark, OrderedMark) for mark in marks):
        ordered: OrderedRef[Any] = OrderedRef(model, path, inside)
        return ordered
    if text or TextMark() in marks:
        return TextRef(model, path, inside)
    for mark in marks:
        if isinstance(mark, GeoMark):
            place: GeoRef[Any] = GeoRef(model, path, inside)
            return place
        if isinstance(mark, VectorMark):
            made: FieldRef[Any] = cast("Any", VectorRef)(model, path, inside, mark.dim)
            return made
    return FieldRef(model, path, inside)


def _target(annotation: Any) -> type[BaseModel] | None:
    """The model that a reference, or a list of references, leads to."""
    if isinstance(annotation, TypeAliasType):
        return _target(annotation.__value__)
    for argument in get_args(annotation):
        if getattr(get_origin(annotation), "leads_elsewhere", False):
            return _nested(argument)
        if (found := _target(argument)) is not None:
            return found
    return None


def _nested(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds: itself, or None, or a collection of it."""
    if isinstance(annotation, TypeAliasType):
        return _nested(annotation.__value__)
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := _nested(argument)) is not None:
            return found
    return None
