"""What a model's class says of whole records: their version, and which fields are unique or indexed together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, NoReturn, cast

from redmodel.errors import QueryError, SchemaError
from redmodel.model.indexes import Index
from redmodel.model.leaves import Leaf, item_schema, leaf_of
from redmodel.model.shapes import ModelShape

VERSION = b"@version"
"""The column of a record's version: 16 characters, then those of the version before."""

INHERITED: Any = object()


class Rules(NamedTuple):
    """``together`` are groups of fields, of each of which no two records hold the same values.

    Those of ``composite`` are indexed together, the last one as the order.
    """

    versioned: bool = False
    together: tuple[tuple[str, ...], ...] = ()
    composite: tuple[tuple[str, ...], ...] = ()


def rules_of(name: str, bases: Iterable[type[Any]], versioned: Any, unique_together: Any, index_together: Any) -> Rules:
    """The rules of a class: its own after those of its bases. Raises SchemaError for what can't be read."""
    inherited: list[Rules] = [found for base in bases if (found := getattr(base, "__redmodel_rules__", None))]
    if versioned is INHERITED:
        versioned = any(rules.versioned for rules in inherited)
    elif not isinstance(versioned, bool):
        raise SchemaError(f"{name}: versioned= is True or False, not {versioned!r}.")
    unique = dict.fromkeys(group for rules in inherited for group in rules.together)
    unique |= _groups(f"{name}: unique_together=", unique_together, '[("team", "email")]', "Unique")
    composite = dict.fromkeys(group for rules in inherited for group in rules.composite)
    composite |= _groups(f"{name}: index_together=", index_together, '[("city", "age")]', "Indexed")
    if both := unique.keys() & composite.keys():
        raise SchemaError(f"{name}: {', '.join(both.pop())} are unique together, and so indexed together already.")
    return Rules(versioned, tuple(unique), tuple(composite))


def _groups(where: str, given: Any, example: str, alone: str) -> dict[tuple[str, ...], None]:
    if given is INHERITED:
        return {}
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise SchemaError(f"{where} lists groups of fields, as in {example}.")
    groups: list[Any] = [*given]
    for group in groups:
        names = cast("Sequence[str]", group) if isinstance(group, list | tuple) else ()
        if len(names) < 2 or len(set(names)) != len(names):
            raise SchemaError(
                f"{where} names two or more fields in each group, not {group!r}; one field alone is declared as "
                f"{alone}[...]."
            )
    return dict.fromkeys(tuple(group) for group in groups)


def _unasked() -> NoReturn:
    raise QueryError("no query asks for fields that are unique together: ask for each of them")


def together_index(model: ModelShape, names: tuple[str, ...], positions: dict[str, int]) -> Index:
    """The index that keeps fields unique together. A record in which one of them is None holds no place in it.

    Raises:
        SchemaError: for a field that is not there, or can't be compared.
    """
    where = f"{model.cls.__name__}, unique_together of {', '.join(names)}"
    leaves: list[tuple[str, Leaf]] = []
    for name in names:
        schema = model.fields.get(name)
        if schema is None:
            raise SchemaError(f"{where}: there is no field {name!r}.")
        if item_schema(schema, model) is not None:
            raise SchemaError(f"{where}: {name!r} is a collection, and only single values can be unique.")
        leaves.append((name, leaf_of(name, schema, model, where)))

    def values(obj: Any) -> tuple[Any, ...] | None:
        found = obj.__dict__
        these = tuple(found[name] for name in names)
        return None if None in these else these

    def text(value: tuple[Any, ...]) -> bytes:
        tokens = [leaf.token(leaf.text(part)) for (_, leaf), part in zip(leaves, value, strict=True)]
        return b",".join(token.replace(b"%", b"%25").replace(b",", b"%2C") for token in tokens)

    return Index(
        model=model.cls.__name__,
        path="+".join(names),
        kind="unique",
        position=min(positions[name] for name in names),
        positions=frozenset(positions[name] for name in names),
        nullable=True,
        many=False,
        leaf=Leaf("together", text, None, _unasked),
        steps=(("+".join(names), False),),
        compute=values,
    )
