"""The engine's containers as RDB files hold them: what redis-server 7.0 and everything after it read. No I/O.

All collections but streams are written element by element: a server packs them as its own settings say when it loads
them. A large one comes in several pieces, so that no more than a piece is held at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from struct import pack
from typing import Any

from redmodel.engine.snapshot import FrozenScores
from redmodel.engine.storage.rdb import codes
from redmodel.engine.storage.rdb.primitives import length, string
from redmodel.engine.storage.rdb.streams import stream_pieces
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream
from redmodel.engine.values.types import Value

_CHUNK = 512
_REMEMBERED = 4096

_fields: dict[bytes, bytes] = {}  # names of fields as they are written: those of many hashes are the same


def encoded(value: Value | FrozenScores) -> tuple[int, Iterable[bytes]]:
    """The type of a value, and the pieces that stand behind its key.

    Raises:
        TypeError: a container that is not in the table of this module, and would be lost.
    """
    if type(value) is ExpiringHash and not value.deadlines:
        return codes.HASH, _hash(value)
    kind, encode = _ENCODERS[type(value)]
    return kind, encode(value)


def _string(value: bytes) -> Iterable[bytes]:
    return (string(value),)


def _elements(value: deque[bytes] | set[bytes]) -> Iterator[bytes]:
    yield length(len(value))
    rest = iter(value)
    while piece := b"".join(map(string, islice(rest, _CHUNK))):
        yield piece  # never empty while elements are left: a string takes a byte at least


def _hash(value: dict[bytes, bytes]) -> Iterator[bytes]:
    yield length(len(value))
    if len(_fields) > _REMEMBERED:
        _fields.clear()
    known = _fields.get
    rest = iter(value.items())
    while chunk := list(islice(rest, _CHUNK)):
        yield b"".join([part for field, text in chunk for part in (known(field) or _field(field), string(text))])


def _field(field: bytes) -> bytes:
    written = string(field)
    if len(field) < 64:
        _fields[field] = written
    return written


def _expiring_hash(value: ExpiringHash) -> Iterator[bytes]:
    """Each field with how much later than the earliest it is due, plus one; 0 for a field without a deadline."""
    deadlines = value.deadlines
    earliest = min(deadlines.values())
    yield earliest.to_bytes(8, "little") + length(len(value))
    rest = iter(value.items())
    while chunk := list(islice(rest, _CHUNK)):
        parts: list[bytes] = []
        for field, text in chunk:
            deadline = deadlines.get(field)
            parts += (length(0 if deadline is None else deadline - earliest + 1), string(field), string(text))
        yield b"".join(parts)


def _sorted_set(value: SortedSet | FrozenScores) -> Iterator[bytes]:
    yield length(len(value.scores))
    rest = iter(value.scores.items())
    while chunk := list(islice(rest, _CHUNK)):
        yield b"".join([part for member, score in chunk for part in (string(member), pack("<d", score))])


class _Table(dict[type, tuple[int, Callable[[Any], Iterable[bytes]]]]):
    def __missing__(self, kind: type) -> tuple[int, Callable[[Any], Iterable[bytes]]]:
        raise TypeError(f"RDB files are not written with values of the type {kind.__name__}")


_ENCODERS = _Table(
    {
        bytes: (codes.STRING, _string),
        deque: (codes.LIST, _elements),
        set: (codes.SET, _elements),
        dict: (codes.HASH, _hash),
        ExpiringHash: (codes.HASH_DEADLINES, _expiring_hash),
        SortedSet: (codes.ZSET_2, _sorted_set),
        FrozenScores: (codes.ZSET_2, _sorted_set),
        Stream: (codes.STREAM_LISTPACKS_2, stream_pieces),
    }
)
