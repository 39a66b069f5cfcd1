"""Who refers to a model and declares what a delete does: the rules that the cascade procedure follows."""

from __future__ import annotations

from typing import Any, NamedTuple

from redmodel.errors import SchemaError
from redmodel.model.base import schema_of
from redmodel.model.registry import claims, living
from redmodel.model.schema import Schema


class Rules(NamedTuple):
    """The models that a delete may touch, the deleted record's own first, and seven words for each rule between them.

    The words are those of cascade.lua: places of the two models, path, action, field, what stands for None in it, and
    the meaning of the index.
    """

    schemas: tuple[Schema[Any], ...]
    words: tuple[bytes, ...]


class _Known:
    """The rules by prefix, and the references to each prefix, for as long as no model is declared."""

    def __init__(self) -> None:
        self.claims = -1
        self.rules: dict[str, tuple[tuple[str, ...], tuple[bytes, ...]] | None] = {}


_known = _Known()


def rules_of(schema: Schema[Any]) -> Rules | None:
    """The rules for deleting records of a model; None if no model of this process declares any.

    Cost: a look-up; a walk over all models after one was declared.
    """
    if _known.claims != claims():
        _known.rules.clear()
        _known.claims = claims()
    try:
        found = _known.rules[schema.prefix]
    except KeyError:
        made = _collect(schema)
        # By prefix, as schemas hold their classes: a model that nobody else needs must be able to go.
        found = None if made is None else (tuple(each.prefix for each in made.schemas), made.words)
        _known.rules[schema.prefix] = found
    if found is None:
        return None
    by_prefix = {model.__redmodel_prefix__: model for model in _models()}
    if not by_prefix.keys() >= set(found[0]):  # one of the models is gone
        _known.claims = -1
        return rules_of(schema)
    return Rules((schema, *(schema_of(by_prefix[prefix]) for prefix in found[0][1:])), found[1])


def _models() -> list[Any]:
    return [model for model in living() if hasattr(model, "__redmodel_prefix__")]


def _collect(schema: Schema[Any]) -> Rules | None:
    others: list[Schema[Any]] = []
    for model in _models():
        try:
            others.append(schema_of(model))
        except SchemaError:  # it names a type that does not exist yet, so no record of it was written here
            continue
    schemas, words = [schema], list[bytes]()
    for place, target in enumerate(schemas, 1):  # grows while it is walked
        for other in others:
            for index in other.indexes:
                if index.on_delete is None or getattr(index.target, "__redmodel_prefix__", None) != target.prefix:
                    continue
                if not any(known.prefix == other.prefix for known in schemas):
                    schemas.append(other)
                by = next(n for n, known in enumerate(schemas, 1) if known.prefix == other.prefix)
                field = other.fields[index.position].stored if index.plain_field is not None else b""
                none = other.none_of(index.position) if field else b""
                action = index.on_delete[0].encode() if index.on_delete != "set_null" else b"n"
                words += (b"%d" % place, b"%d" % by, index.path_bytes, action, field, none, index.meaning)
    return Rules(tuple(schemas), tuple(words)) if words else None
