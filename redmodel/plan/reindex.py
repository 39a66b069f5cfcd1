"""Entering single records into some indexes anew: by a sync, and before a query where an older version has written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from redmodel.errors import DecodeError, EncodingError, IndexNotReady, ReplyError
from redmodel.model import Entry, Schema
from redmodel.plan.commands import as_clock, as_raw, hmget, procedure, time
from redmodel.plan.core import Batch, Command, Plan, Reply, call
from redmodel.plan.refusal import wrong_type
from redmodel.procedures import REINDEX
from redmodel.procedures.entries import VALUED, entry_key, spell

TRIES = 50
"""How often a record that changes all the time is read again."""

PAGE = 500
"""Records that are entered in one batch."""


class Obstacle(NamedTuple):
    """A record that can't be entered: its id, the field, why, and the other owner where both hold a unique value."""

    id: str
    field: str
    why: str
    owner: str = ""


def wanted_entries(schema: Schema[Any], record: Any, paths: Iterable[bytes]) -> list[Entry]:
    """The entries that a record should have in these indexes, those that the model still has."""
    concerned = set(paths)
    return [entry for index in schema.indexes if index.path_bytes in concerned for entry in index.entries(record)]


def read_rows(schema: Schema[Any], ids: Sequence[bytes]) -> Plan[tuple[int, list[list[bytes | None]]]]:
    """The server's time and the stored values of these records: one round trip."""
    commands: list[Command[Any]] = [time(), *(hmget(schema.key(id), schema.columns) for id in ids)]
    clock, *rows = yield Batch(tuple(commands))
    for id, row in zip(ids, rows, strict=True):
        if isinstance(row, ReplyError):
            raise wrong_type(schema.key(id)) if row.code == "WRONGTYPE" else row
    return as_clock(clock), cast("list[list[bytes | None]]", rows)


def _command(
    schema: Schema[Any], id: bytes, row: Sequence[bytes | None], now: int, paths: Sequence[bytes]
) -> Command[Reply]:
    """The one command that enters a record; raises DecodeError or EncodingError for one that can't be."""
    entries: list[Entry] = []
    pairs: list[bytes] = []
    cleared: list[bytes] = []
    if any(value is not None for value in row):
        entries = wanted_entries(schema, schema.decode(row, now, schema.key(id)), paths)
        pairs, cleared = schema.migrated(row, schema.key(id))
    keys = [schema.key(id), schema.ids_key, schema.log_key, schema.expires_key]
    seen = [
        word
        for column, value in zip(schema.columns, row, strict=True)
        for word in (column, b"-" if value is None else b"+" + value)
    ]
    counts = b"%d %d %d %d" % (len(row), len(paths), len(pairs), len(cleared))
    argv = [schema.nonce(), counts, *seen, *paths, *pairs, *cleared]
    for kind, path, token, score in entries:
        argv.append(spell(kind, path, token))
        if kind in VALUED:
            argv.append(score)
        keys.append(entry_key(schema.side, kind, path, token))
    return procedure(REINDEX, keys, argv)


def reindex(schema: Schema[Any], ids: Sequence[bytes], paths: Sequence[bytes]) -> Plan[list[tuple[bytes, Obstacle]]]:
    """Enter these records into these indexes: two round trips, and again for those that change meanwhile."""
    obstacles: list[tuple[bytes, Obstacle]] = []
    pending = list(ids)
    for _ in range(TRIES):
        if not pending:
            return obstacles
        now, rows = yield from read_rows(schema, pending)
        sent: list[bytes] = []
        commands: list[Command[Reply]] = []
        for id, row in zip(pending, rows, strict=True):
            try:
                commands.append(_command(schema, id, row, now, paths))
            except (DecodeError, EncodingError) as error:
                obstacles.append((id, Obstacle(_text(id), error.field, str(error))))
            else:
                sent.append(id)
        pending = list[bytes]()
        replies = (yield Batch(tuple(commands))) if commands else ()
        for id, reply in zip(sent, replies, strict=True):
            if isinstance(reply, ReplyError):
                raise reply
            if reply == b"moved":
                pending.append(id)
            elif isinstance(reply, list):
                why, *rest = cast("list[bytes]", reply)
                if why != b"unique":
                    raise wrong_type(rest[0], rest[1])
                path, token, owner = map(_text, rest)
                said = f"{schema.name} {_text(id)!r} and {owner!r} have the same {path}: {token!r}"
                obstacles.append((id, Obstacle(_text(id), path, said, owner)))
    return [*obstacles, *((id, Obstacle(_text(id), "", f"{_text(id)!r} changes all the time")) for id in pending)]


def settle(schema: Schema[Any], path: bytes) -> Plan[None]:
    """Enter what an older version has written meanwhile. Raises IndexNotReady if that can't be."""
    waiting: Command[Reply] = Command((b"ZRANGE", schema.side + b"~" + path, b"0", b"%d" % (PAGE - 1)), as_raw)
    while ids := cast("list[bytes]", (yield from call(waiting))):
        obstacles = yield from reindex(schema, ids, (path,))
        if obstacles:
            field = path.decode()
            raise IndexNotReady(
                f"{schema.name}.{field} can't answer: an older version of the model wrote records that this index "
                f"can't hold. {obstacles[0][1].why}. Change them, then run db.sync({schema.name})",
                model=schema.name,
                field=field,
                ids=[obstacle.id for _, obstacle in obstacles],
            )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
