"""Saving records: what is sent for one record, how refusals are told, and saving many in bounded batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from os import urandom
from typing import Any, Literal, TypeAlias, TypeVar, cast

from redmodel.errors import (
    BulkError,
    LayoutError,
    QueryError,
    RedModelError,
    ReplyError,
)
from redmodel.model import Entry, Model, Schema, loaded_values, schema_of, set_loaded
from redmodel.plan.commands import hgetall, hset, procedure
from redmodel.plan.core import Batch, Command, Plan, Reply, call
from redmodel.plan.hooks import after, before
from redmodel.plan.refusal import refused
from redmodel.procedures import SAVE

M = TypeVar("M", bound=Model)
OnlyIf: TypeAlias = Literal["new", "exists"] | None
Registered: TypeAlias = "set[Schema[Any]]"

BATCH = 1000
"""Records that travel in one batch of a bulk verb."""

_ONLY = {None: b"-", "new": b"n", "exists": b"x"}


def register(schema: Schema[Any], registered: Registered) -> Plan[None]:
    """Once per handle and model: check the layout found in Redis, and say there what this model's keys mean."""
    definition = schema.definition()
    found = yield from call(hgetall(schema.schema_key))
    if found.get(b"layout", definition[b"layout"]) != definition[b"layout"]:
        raise LayoutError(
            f"the keys of {schema.prefix!r} were written under layout {found[b'layout'].decode(errors='replace')}, "
            f"this version writes layout {definition[b'layout'].decode()}: migrate them, or use another prefix"
        )
    if found != definition:
        yield from call(hset(schema.schema_key, definition))
    registered.add(schema)


def save_command(
    schema: Schema[M],
    obj: M,
    id: bytes,
    values: Sequence[bytes | None],
    known: Sequence[bytes | None] | None,
    ttl: int | None | Literal["keep"],
    only_if: OnlyIf,
) -> Command[Reply]:
    """The one command that saves a record.

    ``known`` is what the record held when it was loaded: then only what differs travels, and concurrent changes of
    other fields survive. Without it, the whole record is written.
    """
    if known is None:
        changes = list(enumerate(values))
    else:
        changes = [(position, values[position]) for position, value in enumerate(known) if value != values[position]]
        if changes and len(known) < len(values):  # computed fields are not read
            changes += list(enumerate(values))[len(known) :]
    return write_command(schema, obj, id, changes, ttl, only_if, whole=known is None)


def write_command(
    schema: Schema[M],
    source: M,
    id: bytes,
    changes: Sequence[tuple[int, bytes | None]],
    ttl: int | None | Literal["keep"],
    only_if: OnlyIf,
    *,
    whole: bool,
) -> Command[Reply]:
    """The one command that writes some fields of a record, or all; ``source`` holds their values for the indexes."""
    names = schema.stored_names
    pairs: list[bytes] = []
    cleared: list[bytes] = []
    for position, value in changes:
        if value is None:
            cleared.append(names[position])
        else:
            pairs += (names[position], value)
    paths: list[bytes] = []
    entries: list[Entry] = []
    if whole:
        entries = schema.entries(source)
    else:
        changed = {position for position, _ in changes}
        for index in schema.indexes:
            if index.position in changed:
                paths.append(index.path_bytes)
                entries += index.entries(source)
    expiring: list[bytes] = []
    if schema.field_ttls:
        written = dict(changes)
        for position, ttl_ms in schema.field_ttls:
            column = names[position] + b"@expires"
            if position not in written:
                continue
            if written[position] is None:
                cleared.append(column)
            else:
                expiring += (column, b"%d" % ttl_ms)
    keys = [schema.key(id), schema.ids_key, schema.log_key, schema.expires_key]
    life = b"-" if ttl is None else b"k" if ttl == "keep" else b"%d" % ttl
    counts = b"%b %d %d %d %d" % (life, len(pairs), len(cleared), len(expiring), len(paths))
    mode = (b"w" if whole else b"p") + _ONLY[only_if]
    argv: list[bytes] = [urandom(8) + mode, counts, *pairs, *cleared, *expiring, *paths]
    side = schema.side
    for kind, path, token, score in entries:
        argv.append(kind + path + b"\x1f" + token + b"\x1e")
        if kind == b"#":
            keys.append(side + path)
            argv.append(score)
        else:
            keys.append(side + path + b":" + token if kind == b"=" else side + path)
    return procedure(SAVE, keys, argv)


def _time_to_live(
    schema: Schema[Any], known: object, ttl: int | None | Literal["model"]
) -> int | None | Literal["keep"]:
    if ttl != "model":
        return ttl
    if schema.ttl_ms is not None:
        return schema.ttl_ms
    return None if known is None else "keep"


def _accept(schema: Schema[M], obj: M, values: Sequence[bytes | None], reply: Reply) -> bool:
    """Read the reply of a save: True if the record was created; raises what the reply refuses."""
    if isinstance(reply, ReplyError):
        raise reply
    if isinstance(reply, int):
        set_loaded(obj, values)
        return reply == 1
    raise refused(schema, obj, schema.id_value(obj), cast("list[bytes]", reply))


def save(
    obj: Model,
    registered: Registered,
    ttl: int | None | Literal["model"] = "model",
    only_if: OnlyIf = None,
) -> Plan[bool]:
    """Save one record: one round trip (one more for a handle's first save of a model).

    A record that was loaded and has gone since is written whole again, so that no half record ever stands.
    """
    schema = schema_of(obj)
    if only_if not in _ONLY:
        raise QueryError(f"only_if is 'new', 'exists' or None, not {only_if!r}")
    if (hooks := schema.hooks) is not None:
        yield from before(obj, hooks, hooks.before_save, (obj,))
    created = yield from _save(schema, obj, registered, ttl, only_if)
    if hooks is not None:
        yield from after(hooks.after_save, (obj,))
    return created


def _save(
    schema: Schema[Any],
    obj: Model,
    registered: Registered,
    ttl: int | None | Literal["model"],
    only_if: OnlyIf,
) -> Plan[bool]:
    id = schema.id_of(obj)
    values = schema.encode(obj)
    known = loaded_values(obj)
    if known is not None and known[0] != values[0]:
        known = None  # the id was changed: this is another record
    if only_if == "new":
        known = None
    command = save_command(schema, obj, id, values, known, _time_to_live(schema, known, ttl), only_if)
    if schema not in registered:
        yield from register(schema, registered)
    (reply,) = yield Batch((command,))
    if known is not None and only_if is None and isinstance(reply, list) and reply[0] == b"missing":
        command = save_command(schema, obj, id, values, None, _time_to_live(schema, None, ttl), None)
        (reply,) = yield Batch((command,))
    return _accept(schema, obj, values, reply)


def save_many(
    objects: Iterable[M],
    registered: Registered,
    ttl: int | None | Literal["model"] = "model",
    only_if: OnlyIf = None,
) -> Plan[int]:
    """Save records of any number: a round trip for each thousand; returns how many were written.

    Each record is atomic by itself. Records that are refused are gathered in one BulkError at the end; the others are
    written.
    """
    if only_if not in _ONLY:
        raise QueryError(f"only_if is 'new', 'exists' or None, not {only_if!r}")
    failures: list[tuple[int, RedModelError]] = []
    done = position = 0
    source = iter(objects)
    while chunk := list(islice(source, BATCH)):
        prepared: list[tuple[int, M, list[bytes | None], bool]] = []
        commands: list[Command[Reply]] = []
        for obj in chunk:
            schema: Schema[M] = schema_of(obj)
            if schema not in registered:
                yield from register(schema, registered)
            if schema.hooks is not None:
                yield from before(obj, schema.hooks, schema.hooks.before_save, (obj,))
            try:
                id = schema.id_of(obj)
                values = schema.encode(obj)
                known = loaded_values(obj)
                if known is not None and (known[0] != values[0] or only_if == "new"):
                    known = None
                command = save_command(schema, obj, id, values, known, _time_to_live(schema, known, ttl), only_if)
            except RedModelError as error:
                failures.append((position, error))
            else:
                commands.append(command)
                prepared.append((position, obj, values, known is not None))
            position += 1
        replies = (yield Batch(tuple(commands))) if commands else ()
        saved: list[M] = []
        for (place, obj, values, partial), reply in zip(prepared, replies, strict=True):
            try:
                if partial and only_if is None and isinstance(reply, list) and reply[0] == b"missing":
                    set_loaded(obj, None)
                    yield from _save(schema_of(obj), obj, registered, ttl, None)
                else:
                    _accept(schema_of(obj), obj, values, reply)
                done += 1
            except RedModelError as error:
                failures.append((place, error))
            else:
                saved.append(obj)
        for obj in saved:
            if (hooks := schema_of(obj).hooks) is not None:
                yield from after(hooks.after_save, (obj,))
    if failures:
        failures.sort(key=lambda failure: failure[0])
        raise BulkError(
            f"{len(failures)} of {position} records were refused, "
            f"the first at position {failures[0][0]}: {failures[0][1]}",
            failures=failures,
            done=done,
        )
    return done
