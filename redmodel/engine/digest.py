"""DEBUG DIGEST: a signature of all data, the same as redis-server's of the same data."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream

if TYPE_CHECKING:
    from redmodel.engine.engine import Engine
    from redmodel.engine.values.types import Value

EMPTY = bytes(20)
_TYPES = {"string": 0, "list": 1, "set": 2, "zset": 3, "hash": 4, "stream": 6}


def _sha(data: bytes) -> bytes:
    return sha1(data, usedforsecurity=False).digest()


def _joined(digest: bytes, data: bytes) -> bytes:
    """Add data whose order doesn't matter."""
    return bytes(one ^ other for one, other in zip(digest, _sha(data), strict=True))


def _mixed(digest: bytes, data: bytes) -> bytes:
    """Add data whose order matters."""
    return _sha(_joined(digest, data))


def of_engine(engine: Engine) -> bytes:
    """The signature of all databases, 20 bytes."""
    total = EMPTY
    for database in engine.databases:
        if not database.values:
            continue
        total = _mixed(total, database.number.to_bytes(4, "big"))
        for key, value in database.values.items():
            digest = of_value(value, _mixed(EMPTY, key), expires=key in database.deadlines)
            total = _joined(total, digest)
    return total


def of_value(value: Value, digest: bytes = EMPTY, *, expires: bool = False) -> bytes:
    """The signature of one value, on top of another; whether it expires counts, when doesn't."""
    if isinstance(value, bytes):
        digest = _mixed(_typed(digest, "string"), value)
    elif isinstance(value, SortedSet):
        digest = _typed(digest, "zset")
        for member, score in value.scores.items():
            digest = _joined(digest, _mixed(_mixed(EMPTY, member), b"%.17g" % score))
    elif isinstance(value, Stream):
        digest = _typed(digest, "stream")
        for entry, fields in value:
            digest = _mixed(digest, b"%d.%d" % (entry >> 64, entry & (1 << 64) - 1))
            for part in fields:
                digest = _mixed(digest, part)
    elif isinstance(value, dict):
        digest = _typed(digest, "hash")
        for field, text in value.items():
            digest = _joined(digest, _mixed(_mixed(EMPTY, field), text))
    elif isinstance(value, set):
        digest = _typed(digest, "set")
        for member in value:
            digest = _joined(digest, member)
    else:
        digest = _typed(digest, "list")
        for item in value:
            digest = _mixed(digest, item)
    return _joined(digest, b"!!expire!!") if expires else digest


def _typed(digest: bytes, name: str) -> bytes:
    return _mixed(digest, _TYPES[name].to_bytes(4, "big"))
