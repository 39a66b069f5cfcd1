"""Loading what references lead to: one batch for each level, however many records refer, and each target once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from redmodel.errors import QueryError
from redmodel.model import FieldRef, Link, Model, Schema, owner_of, path_of, schema_of
from redmodel.plan.core import Plan
from redmodel.plan.fields import target_of
from redmodel.plan.get import BATCH, get, get_many, read

M = TypeVar("M", bound=Model)

Level: TypeAlias = "list[tuple[type[Any], str]]"
"""References that are followed together: the model that declares each, and its path."""


def levels_of(models: Iterable[type[Any]], fields: Sequence[FieldRef[Any]]) -> list[Level]:
    """The levels in which fields are followed, beginning from records of these models.

    A field of a model that the level before leads to begins the next level. Raises QueryError for a field that is no
    reference, or that none of the records can have.
    """
    known = set(models)
    levels: list[Level] = []
    ahead: set[type[Any]] = set()
    for field in fields:
        if not isinstance(field, FieldRef):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise QueryError(f"prefetch takes references, as in Session.user, not {type(field).__name__}")
        owner, path = cast("type[Model]", owner_of(field)), path_of(field)
        if not levels or any(issubclass(model, owner) for model in ahead):
            known |= ahead
            ahead = set()
            levels.append([])
        holders = [model for model in known if issubclass(model, owner)]
        if known and not holders:
            names = ", ".join(sorted(model.__name__ for model in known))
            raise QueryError(f"{owner.__name__}.{path} can't be followed from records of {names}")
        for holder in holders:
            ahead.add(_target(schema_of(holder), path))
        levels[-1].append((owner, path))
    return levels


def _target(schema: Schema[Any], path: str) -> type[Any]:
    return target_of(schema, schema.index(path)).model


def prefetch(records: Iterable[Model | None], fields: Sequence[FieldRef[Any]]) -> Plan[None]:
    """Load what the references in these fields of the records lead to: a round trip a level, and for each thousand.

    A field of a model reached earlier is followed from what was loaded there. Links that are loaded stay as they are,
    and lend their records to others that name the same.
    """
    pool: list[Any] = [record for record in records if record is not None]
    kinds: set[type[Any]] = {type(record) for record in pool}
    for level in levels_of(kinds, fields):
        links = [
            link for owner, path in level for record in pool if isinstance(record, owner) for link in _at(record, path)
        ]
        yield from _load(links)
        pool += {id(link.value): link.value for link in links if not link.missing}.values()


def _at(record: Model, path: str) -> list[Link[Any]]:
    return [link for link in schema_of(record).index(path).values(record) if link is not None]


def _load(links: Sequence[Link[Any]]) -> Plan[None]:
    """Load the records of these links, each once; a link to a record that is not there becomes ``missing``."""
    found: dict[Link[Any], Any] = {link: link.value for link in links if link.loaded and not link.missing}
    wanted = list(dict.fromkeys(link for link in links if link not in found))
    for at in range(0, len(wanted), BATCH):
        chunk = wanted[at : at + BATCH]
        records = yield from read([(schema_of(link.model), link.raw) for link in chunk], slides=False)
        found.update(zip(chunk, records, strict=True))
    for link in links:
        if not link.loaded or link.missing:
            link.settle(found[link])


def load(link: Link[M]) -> Plan[M]:
    """The record that a link leads to: one round trip, none if it is loaded; raises NotFound."""
    if not link.loaded or link.missing:
        yield from _load([link])
    return link.value


def get_following(
    model: type[M], id: object, fields: Sequence[FieldRef[Any]], slides: bool, trusted: bool = False
) -> Plan[M]:
    """The record with this id, with what its references lead to."""
    record = yield from get(model, id, slides, trusted)
    if fields:
        yield from prefetch((record,), fields)
    return record


def get_many_following(
    model: type[M], ids: Iterable[object], fields: Sequence[FieldRef[Any]], slides: bool, trusted: bool = False
) -> Plan[list[M | None]]:
    """The records with these ids, with what their references lead to."""
    records = yield from get_many(model, ids, slides, trusted)
    if fields:
        yield from prefetch(records, fields)
    return records


def prefetched(records: Iterable[M], fields: Sequence[FieldRef[Any]]) -> Plan[list[M]]:
    """The records, after what their references lead to was loaded."""
    listed = list(records)
    yield from prefetch(listed, fields)
    return listed
