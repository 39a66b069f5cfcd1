"""What a write is told when the record changed since it was loaded, and whether both can stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import urandom
from typing import Any, NamedTuple, cast

from redmodel.errors import StaleWrite
from redmodel.model import VERSION, Model, Schema, loaded_values, loaded_version
from redmodel.plan.commands import as_map
from redmodel.plan.core import Reply

TRIES = 100
"""How often a write that others keep overtaking is made anew before it is given up."""


def new_version(schema: Schema[Any]) -> bytes:
    """A version that no record had before, of 16 characters; empty for a model without versions."""
    return urandom(8).hex().encode() if schema.versioned else b""


def version_guard(version: bytes | None) -> tuple[bytes, bytes]:
    """The demand that a record has this version still."""
    return VERSION, _must_be(version)


def field_guards(
    schema: Schema[Any], positions: Iterable[int], values: Sequence[bytes | None]
) -> list[tuple[bytes, bytes]]:
    """The demand that these fields hold still what was read."""
    return [(schema.fields[position].stored, _must_be(values[position])) for position in sorted(positions)]


def _must_be(value: bytes | None) -> bytes:
    return b"-" if value is None else b"=" + value


class Moved(NamedTuple):
    """A record as it stands now: decoded, the stored forms of its fields, and those as they are in the hash."""

    record: Any
    values: Sequence[bytes | None]
    raw: Sequence[bytes | None]
    version: bytes | None

    def changed_since(self, known: Sequence[bytes | None]) -> set[int]:
        """The fields that hold something else than what was read."""
        return {position for position, value in enumerate(self.values) if value != known[position]}


def moved_to(schema: Schema[Any], id: bytes, reply: Reply) -> Moved | None:
    """What the record is now, if a procedure refused to write because it is something else than what was read."""
    if not isinstance(reply, list) or reply[0] != b"moved":
        return None
    _, now, flat = reply
    held = as_map(flat)
    row = [held.get(column) for column in schema.columns]
    record = schema.decode(row, int(cast("bytes", now)), schema.key(id))
    values = loaded_values(record)
    assert values is not None
    return Moved(record, values[: len(schema.fields)], row[: len(schema.fields)], loaded_version(record))


def stale(schema: Schema[Any], id: object, positions: Iterable[int]) -> StaleWrite:
    """The error that names the fields which another writer changed."""
    names = [schema.fields[position].name for position in sorted(positions)]
    what = f"changed {', '.join(names)}" if names else "wrote it"
    return StaleWrite(
        f"another writer {what} in {schema.name} {id!r} since it was loaded: load it again, change it, and save it",
        model=schema.name,
        id=id,
        fields=names,
    )


def refuse_moved(schema: Schema[Any], obj: Model, moved: Moved) -> StaleWrite:
    """The error for a record at hand of which nothing may be written."""
    known = loaded_values(obj)
    changed: set[int] = set() if known is None else moved.changed_since(known)
    return stale(schema, schema.id_value(obj), changed)


def catch_up(schema: Schema[Any], obj: Model, moved: Moved, mine: set[int]) -> None:
    """Let a record at hand show and remember what others wrote to the fields that it has not changed itself."""
    known = loaded_values(obj)
    assert known is not None
    theirs = {position for position in moved.changed_since(known) if position not in mine}
    shown = {schema.fields[position].name: getattr(moved.record, schema.fields[position].name) for position in theirs}
    before = loaded_version(obj) or b""
    stored = {position: moved.values[position] for position in theirs}
    schema.take(obj, shown, stored, (before, moved.version or b""))
