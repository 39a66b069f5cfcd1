"""The data as commands: what a rewrite of the log puts in its base. One function for each type of value, no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from redmodel.engine.keyspace import Keyspace
from redmodel.engine.snapshot import FrozenScores
from redmodel.engine.storage.dump_streams import stream_commands
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream

_CHUNK = 256  # elements in one command: long enough to load fast, short enough never to hold much at once

Effect = tuple[int, tuple[bytes, ...]]


def dump_functions(sources: Iterable[bytes]) -> Iterator[Effect]:
    """Yield the commands that load libraries of functions."""
    for source in sources:
        yield 0, (b"FUNCTION", b"LOAD", source)


def dump(databases: Iterable[Keyspace]) -> Iterator[Effect]:
    """Yield the commands that rebuild every key of these databases, with its deadline; nothing may change meanwhile.

    Raises:
        TypeError: a key holds a type that is not in the table of this module, and would be lost.
    """
    for database in databases:
        deadlines = database.deadlines
        for key, value in database.values.items():
            yield from dump_key(database.number, key, value, deadlines.get(key))


def dump_key(number: int, key: bytes, value: object, deadline: int | None) -> Iterator[Effect]:
    """Yield the commands that rebuild one key, with its deadline.

    Raises:
        TypeError: as for `dump`.
    """
    for command in _COMMANDS[type(value)](key, value):
        yield number, command
    if deadline is not None:
        yield number, (b"PEXPIREAT", key, b"%d" % deadline)


def _string(key: bytes, value: bytes) -> Iterator[tuple[bytes, ...]]:
    yield (b"SET", key, value)


def _hash(key: bytes, value: dict[bytes, bytes]) -> Iterator[tuple[bytes, ...]]:
    items = iter(value.items())
    while chunk := list(islice(items, _CHUNK)):
        yield (b"HSET", key, *(part for pair in chunk for part in pair))


def _expiring_hash(key: bytes, value: ExpiringHash) -> Iterator[tuple[bytes, ...]]:
    yield from _hash(key, value)
    by_deadline: dict[int, list[bytes]] = {}
    for field, deadline in value.deadlines.items():
        by_deadline.setdefault(deadline, []).append(field)
    for deadline, fields in by_deadline.items():
        for at in range(0, len(fields), _CHUNK):
            chunk = fields[at : at + _CHUNK]
            yield (b"HPEXPIREAT", key, b"%d" % deadline, b"FIELDS", b"%d" % len(chunk), *chunk)


def _list(key: bytes, value: deque[bytes]) -> Iterator[tuple[bytes, ...]]:
    items = iter(value)
    while chunk := list(islice(items, _CHUNK)):
        yield (b"RPUSH", key, *chunk)


def _set(key: bytes, value: set[bytes]) -> Iterator[tuple[bytes, ...]]:
    items = iter(value)
    while chunk := list(islice(items, _CHUNK)):
        yield (b"SADD", key, *chunk)


def _sorted_set(key: bytes, value: SortedSet | FrozenScores) -> Iterator[tuple[bytes, ...]]:
    items = iter(value.scores.items())
    while chunk := list(islice(items, _CHUNK)):
        yield (b"ZADD", key, *(part for member, score in chunk for part in (repr(score).encode(), member)))


class _Table(dict[type, Callable[[bytes, Any], Iterator[tuple[bytes, ...]]]]):
    def __missing__(self, kind: type) -> Callable[[bytes, Any], Iterator[tuple[bytes, ...]]]:
        raise TypeError(f"a rewrite of the log doesn't know values of the type {kind.__name__}")


_COMMANDS = _Table(
    {
        bytes: _string,
        dict: _hash,
        ExpiringHash: _expiring_hash,
        deque: _list,
        set: _set,
        SortedSet: _sorted_set,
        FrozenScores: _sorted_set,
        Stream: stream_commands,
    }
)
