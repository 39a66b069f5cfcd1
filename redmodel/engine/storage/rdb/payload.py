"""Payloads of DUMP and RESTORE: one value, the version it is written in, and a checksum. No I/O, no engine."""

from __future__ import annotations

from collections.abc import Iterable

from redmodel.engine.storage.rdb import codes
from redmodel.engine.storage.rdb.checksum import crc64
from redmodel.engine.storage.rdb.decoding import DECODERS
from redmodel.engine.storage.rdb.encoding import encoded
from redmodel.engine.storage.rdb.primitives import BadData, NeedMore, read_string, string
from redmodel.engine.values.types import Value

_FOOTER = 10
# All that is taken from versions after redis-server 7.0's.
_OF_12 = (codes.HASH_DEADLINES, codes.HASH_LISTPACK_DEADLINES)

PACKED = {
    codes.HASH_ZIPMAP: "Zipmap",
    codes.LIST_ZIPLIST: "List ziplist",
    codes.SET_INTSET: "Intset",
    codes.ZSET_ZIPLIST: "Zset ziplist",
    codes.HASH_ZIPLIST: "Hash ziplist",
    codes.LIST_QUICKLIST: "Ziplist",
    codes.STREAM_LISTPACKS: "Stream listpack",
    codes.HASH_LISTPACK: "Hash listpack",
    codes.ZSET_LISTPACK: "Zset listpack",
    codes.LIST_QUICKLIST_2: "Listpack",
    codes.STREAM_LISTPACKS_2: "Stream listpack",
}
"""What the log calls a value that is packed."""


class BadFooter(ValueError):
    """The version is newer than what is known, or the checksum is wrong."""


def dump(value: Value, version: int = codes.WRITTEN) -> bytes:
    """The payload of a value, which every Redis from ``version`` on restores.

    A hash whose fields have deadlines is written in version 12, which Redis 7.4 and later restore.
    """
    kind, pieces = encoded(value)
    if kind == codes.HASH_DEADLINES:
        version = codes.WRITTEN_WITH_FIELD_DEADLINES
    body = b"".join((bytes((kind,)), *pieces, version.to_bytes(2, "little")))
    return body + crc64(body).to_bytes(8, "little")


def functions(sources: Iterable[bytes]) -> bytes:
    """The payload of FUNCTION DUMP."""
    body = b"".join(b"%c%b" % (codes.FUNCTION, string(source)) for source in sources)
    body += codes.WRITTEN.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def sources_of(payload: bytes) -> list[bytes]:
    """The sources in a payload of FUNCTION DUMP.

    Raises:
        BadFooter: the version is newer, or the checksum wrong.
        ValueError: it holds something else, or is damaged.
    """
    check(payload)
    body = payload[:-_FOOTER]
    found: list[bytes] = []
    at = 0
    try:
        while at < len(body):
            if body[at] != codes.FUNCTION:
                raise ValueError("no function")
            source, at = read_string(body, at + 1)
            found.append(source)
    except (BadData, NeedMore, IndexError) as error:
        raise ValueError("a damaged source") from error
    return found


def check(payload: bytes, *, checksum: bool = True) -> None:
    """Check version and checksum, or the version alone; what is behind them is `restore`'s business.

    Raises:
        BadFooter: one of them is wrong.
    """
    if len(payload) < _FOOTER:
        raise BadFooter("too short")
    newest = codes.WRITTEN_WITH_FIELD_DEADLINES if payload[0] in _OF_12 else codes.WRITTEN
    if int.from_bytes(payload[-10:-8], "little") > newest:
        raise BadFooter("a newer version")
    if checksum and crc64(memoryview(payload)[:-8]) != int.from_bytes(payload[-8:], "little"):
        raise BadFooter("a wrong checksum")


def restore(payload: bytes) -> Value:
    """The value in a payload whose footer was checked.

    Raises:
        ValueError: it is no value that a server of this version knows, or damaged, or an empty collection.
    """
    body = payload[:-_FOOTER]
    kind = body[0] if body else -1
    decode = DECODERS.get(kind) if kind <= codes.LAST_TYPE_OF_10 or kind in _OF_12 else None
    if decode is None:
        raise ValueError(f"no value is of the type {kind}")
    try:
        value, _ = decode(body, 1)  # what is behind the value Redis doesn't look at either
    except (BadData, NeedMore, IndexError) as error:
        raise ValueError(f"{PACKED.get(kind, 'Value')} integrity check failed: {error}") from error
    if not (type(value) is bytes or value):
        raise ValueError("an empty collection")
    return value
