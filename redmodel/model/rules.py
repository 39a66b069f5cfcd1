"""What a model's class says of whole records: whether they have a version, and which fields are unique together."""

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
    """``together`` are groups of fields, of each of which no two records hold the same values."""

    versioned: bool = False
    together: tuple[tuple[str, ...], ...] = ()


def rules_of(name: str, bases: Iterable[type[Any]], versioned: Any, unique_together: Any) -> Rules:
    """The rules of a class: its own after those of its bases. Raises SchemaError for what can't be read."""
    inherited: list[Rules] = [found for base in bases if (found := getattr(base, "__redmodel_rules__", None))]
    if versioned is INHERITED:
        versioned = any(rules.versioned for rules in inherited)
    elif not isinstance(versioned, bool):
        raise SchemaError(f"{name}: versioned= is True or False, not {versioned!r}.")
    groups = dict.fromkeys(group for rules in inherited for group in rules.together)
    if unique_together is not INHERITED:
        if isinstance(unique_together, str) or not isinstance(unique_together, Sequence):
            raise SchemaError(f'{name}: unique_together= lists groups of fields, as in [("team", "email")].')
        for group in cast("Sequence[Sequence[str]]", unique_together):
            if isinstance(group, str) or len(set(group)) != len(group) or len(group) < 2:
                raise SchemaError(
                    f"{name}: unique_together= names two or more fields in each group, not {group!r}; one field alone "
                    f"is declared as Unique[...]."
                )
            groups[tuple(group)] = None
    return Rules(versioned, tuple(groups))


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
