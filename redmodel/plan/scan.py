"""Looking at a keyspace: walking it with SCAN, and reading single keys of any type. Never KEYS, and never a write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from redmodel.errors import ReplyError
from redmodel.model import Model, Schema
from redmodel.plan.commands import as_clock, as_int, as_raw, as_row, hmget
from redmodel.plan.core import Batch, Command, Plan, Reply, call

M = TypeVar("M", bound=Model)

COUNT = 500
"""Keys that one step of a walk asks for."""

MOST_SUSPECTS = 100
"""Prefixes under one part of the keyspace that are asked for a schema: most of what varies are ids."""

MOST_BYTES = 65_536
"""Bytes of a string, and of an element, that a look reads."""

SIDE = b"@"


class KeyRow(NamedTuple):
    """One key: its type, the memory it takes in bytes (None if the server does not say), its time to live, its model.

    ``ttl_ms`` is None for a key that never expires. ``prefix`` is the prefix of the model that it belongs to, None if
    it belongs to none; ``side`` says that it is an index or bookkeeping of that model and not a record.
    """

    key: bytes
    type: str
    memory: int | None
    ttl_ms: int | None
    prefix: bytes | None
    side: bool


class SchemaRow(NamedTuple):
    """What a model wrote about itself at ``T@schema``: its prefix, class name, layout, fingerprint and indexes."""

    prefix: bytes
    model: str
    layout: str
    fingerprint: str
    indexes: tuple[dict[str, Any], ...]


Take = Callable[[Sequence[KeyRow]], bool]
"""Receives the rows of one step; False ends the walk."""


_SCHEMA = (b"layout", b"model", b"fingerprint", b"indexes")


def schema_fields(prefix: bytes) -> Command[Sequence[bytes | None]]:
    """What may be a model's schema; only the fields that one has, however large the hash is."""
    return hmget(prefix + b"@schema", _SCHEMA)


def read_schema(prefix: bytes, found: Sequence[bytes | None]) -> SchemaRow | None:
    """The schema of `schema_fields`; None if it is none. What it holds is only shown: no class is ever made from it.

    >>> read_schema(b"users", [b"1", b"User", None, b"[]"]).model
    'User'
    """
    layout, model, fingerprint, listing = found
    if layout is None or model is None:
        return None
    indexes: list[dict[str, Any]] = []
    try:
        listed: Any = json.loads(listing or b"[]")
    except (ValueError, RecursionError):
        listed = None
    if isinstance(listed, list):
        indexes = [item for item in cast("list[Any]", listed) if isinstance(item, dict)]  # type: ignore[redundant-cast]
    words = [(text or b"").decode(errors="backslashreplace") for text in (model, layout, fingerprint)]
    return SchemaRow(prefix, words[0], words[1], words[2], tuple(indexes))


class Schemas:
    """The schemas found so far; it names the prefixes to ask for next, and says what a key belongs to.

    A prefix holds no ``@``, and ends before the first one of a side key or before a ``:`` of a record's key.
    """

    def __init__(self) -> None:
        self.found: dict[bytes, SchemaRow] = {}
        self._asked: set[bytes] = set()
        self._under: dict[bytes, int] = {}

    def suspects(self, keys: Sequence[bytes]) -> list[bytes]:
        """The prefixes that these keys could belong to and that nobody asked for yet."""
        fresh: list[bytes] = []
        for key in keys:
            for prefix in _prefixes(key):
                if prefix in self.found:
                    break
                if prefix in self._asked:
                    continue
                parent = prefix.rpartition(b":")[0]
                if self._under.get(parent, 0) >= MOST_SUSPECTS and not key.endswith(b"@schema"):
                    break
                self._under[parent] = self._under.get(parent, 0) + 1
                self._asked.add(prefix)
                fresh.append(prefix)
        return fresh

    def learn(self, prefix: bytes, reply: Reply) -> None:
        """Read the reply of `schema_fields`; a key of another type, or one that may not be read, is no schema."""
        if not isinstance(reply, ReplyError) and (row := read_schema(prefix, as_row(reply))) is not None:
            self.found[prefix] = row

    def owner(self, key: bytes) -> tuple[bytes | None, bool]:
        """The prefix of the model that a key belongs to, and whether the key is an index or bookkeeping of it."""
        for prefix in _prefixes(key):
            if prefix in self.found:
                return prefix, key[len(prefix) : len(prefix) + 1] == SIDE
        return None, False


def _prefixes(key: bytes) -> Iterator[bytes]:
    """What could be a model's prefix in front of a key, the shortest first."""
    head, side, _ = key.partition(SIDE)
    at = head.find(b":")
    while at >= 0:
        if at:
            yield head[:at]
        at = head.find(b":", at + 1)
    if side and head and not head.endswith(b":"):
        yield head


def as_scan(reply: Reply) -> tuple[bytes, list[bytes]]:
    """The next cursor and the keys."""
    cursor, keys = cast("tuple[bytes, list[bytes]]", reply)
    return bytes(cursor), keys


def scan(cursor: bytes, count: int = COUNT) -> Command[tuple[bytes, list[bytes]]]:
    """https://redis.io/commands/scan"""
    return Command((b"SCAN", cursor, b"COUNT", b"%d" % count), as_scan)


def dbsize() -> Command[int]:
    """How many keys there are: https://redis.io/commands/dbsize"""
    return Command((b"DBSIZE",), as_int)


def walk(take: Take, schemas: Schemas, *, count: int = COUNT) -> Plan[bool]:
    """Walk the keyspace and hand out a row for each key, each key once, until ``take`` says no.

    The probes of one step travel with the SCAN of the next: one round trip for ``count`` keys. Keys that vanish on
    the way are left out. True when the whole keyspace was walked.
    """
    cursor: bytes | None = b"0"
    keys: list[bytes] = []
    seen: set[int] = set()  # hashes, as a key may be long: SCAN may give a key twice
    memory = True
    while True:
        suspects = schemas.suspects(keys)
        commands: list[Command[Any]] = [schema_fields(prefix) for prefix in suspects]
        commands += _probes(keys, memory)
        if cursor is not None:
            commands.append(scan(cursor, count))
        if not commands:
            return True
        replies = list((yield Batch(tuple(commands))))
        following: list[bytes] = []
        if cursor is not None:
            last = replies.pop()
            if isinstance(last, ReplyError):
                raise last
            cursor, following = as_scan(last)
            cursor = None if cursor == b"0" else cursor
        for prefix, reply in zip(suspects, replies, strict=False):
            schemas.learn(prefix, reply)
        rows = _rows(keys, replies[len(suspects) :], schemas, memory)
        if memory and rows and all(row.memory is None for row in rows):
            memory = False  # a server without MEMORY USAGE, or one that refuses it: it is not asked again
        if rows and not take(rows):
            return cursor is None and not following
        keys = []
        for key in following:
            digest = hash(key)
            if digest not in seen:
                seen.add(digest)
                keys.append(key)


def _probes(keys: Sequence[bytes], memory: bool) -> list[Command[Any]]:
    commands: list[Command[Any]] = []
    for key in keys:
        commands += (Command((b"TYPE", key), as_raw), Command((b"PTTL", key), as_int))
        if memory:
            commands.append(Command((b"MEMORY", b"USAGE", key), as_int))
    return commands


def _rows(keys: Sequence[bytes], replies: Sequence[Reply], schemas: Schemas, memory: bool) -> list[KeyRow]:
    rows: list[KeyRow] = []
    step = 3 if memory else 2
    for at, key in enumerate(keys):
        kind, ttl, *size = replies[at * step : at * step + step]
        if isinstance(kind, ReplyError):
            raise kind
        name = cast("bytes", kind).decode()
        if name == "none" or ttl == -2:
            continue
        used = size[0] if size and isinstance(size[0], int) else None
        left = ttl if isinstance(ttl, int) and ttl >= 0 else None
        rows.append(KeyRow(key, name, used, left, *schemas.owner(key)))
    return rows


class Look(NamedTuple):
    """One key: its row, how many elements (or bytes, of a string) it holds, and the first of them.

    ``value`` is bytes for a string, a dict for a hash, a list for a list or a set, a list of ``(member, score)`` for a
    sorted set, and the raw reply for any other type; ``whole`` says that nothing was left out.
    """

    row: KeyRow
    length: int
    value: Any
    whole: bool


_LENGTHS = {"string": b"STRLEN", "hash": b"HLEN", "list": b"LLEN", "set": b"SCARD", "zset": b"ZCARD", "stream": b"XLEN"}


def look(key: bytes, schemas: Schemas, most: int = 100) -> Plan[Look | None]:
    """Read one key of any type, up to ``most`` elements: two round trips, seldom more. None if there is no such key."""
    suspects = schemas.suspects([key])
    commands: list[Command[Any]] = [*map(schema_fields, suspects), *_probes([key], True)]
    replies = yield Batch(tuple(commands))
    for prefix, reply in zip(suspects, replies, strict=False):
        schemas.learn(prefix, reply)
    rows = _rows([key], replies[len(suspects) :], schemas, True)
    if not rows:
        return None
    row = rows[0]
    if row.type not in _LENGTHS:
        return Look(row, 0, None, False)
    size, content = yield Batch(
        (Command((_LENGTHS[row.type], key), as_int), Command(_read(row.type, key, most), as_raw))
    )
    if isinstance(size, ReplyError):
        raise size
    if isinstance(content, ReplyError):
        raise content
    if row.type in ("hash", "set"):
        content = yield from _further(row.type, key, most, content)
    value = _value(row.type, content, most)
    length = cast("int", size)
    return Look(row, length, value, length <= len(value) if row.type != "stream" else length <= most)


def _further(kind: str, key: bytes, most: int, reply: Reply) -> Plan[list[Any]]:
    """The elements of a hash or a set: a step of HSCAN or SSCAN may give fewer than it was asked for, even none."""
    cursor, items = as_scan(reply)
    wanted = 2 * most if kind == "hash" else most
    while cursor != b"0" and len(items) < wanted:
        name, _, _, *rest = _read(kind, key, most)
        step = yield from call(Command((name, key, cursor, *rest), as_scan))
        cursor = step[0]
        items += step[1]
    return items


def _read(kind: str, key: bytes, most: int) -> tuple[bytes, ...]:
    count, last = b"%d" % most, b"%d" % (most - 1)
    commands: dict[str, tuple[bytes, ...]] = {
        "string": (b"GETRANGE", key, b"0", b"%d" % (MOST_BYTES - 1)),
        "hash": (b"HSCAN", key, b"0", b"COUNT", count),
        "list": (b"LRANGE", key, b"0", last),
        "set": (b"SSCAN", key, b"0", b"COUNT", count),
        "zset": (b"ZRANGE", key, b"0", last, b"WITHSCORES"),
        "stream": (b"XRANGE", key, b"-", b"+", b"COUNT", count),
    }
    return commands[kind]


def _value(kind: str, reply: Reply, most: int) -> Any:
    if kind == "set":
        return list(dict.fromkeys(cast("list[bytes]", reply)))[:most]
    if kind == "hash":
        items = cast("list[bytes]", reply)
        return dict(list(dict(zip(items[::2], items[1::2], strict=True)).items())[:most])
    if kind == "zset":
        flat = cast("list[Any]", reply)
        if flat and not isinstance(flat[0], bytes):
            return [(member, float(score)) for member, score in flat]  # pairs, as RESP3 has them
        return [(member, float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)]
    return reply


def record_at(schema: Schema[M], key: bytes) -> Plan[M]:
    """Decode the hash at a key as a record of a model: one round trip. Raises DecodeError, or the server's refusal."""
    row, now = yield Batch((hmget(key, schema.columns), Command((b"TIME",), as_clock)))
    for reply in (row, now):
        if isinstance(reply, ReplyError):
            raise reply
    return schema.decode(cast("list[bytes | None]", row), as_clock(now), key)
