"""The table of value types: which Python container stands for which Redis type.

A new type of value is one row of `TYPE_NAMES` and one member of `Value`; nothing else lists the types.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from redmodel.engine.arguments import parse_integer
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream

Value: TypeAlias = bytes | dict[bytes, bytes] | set[bytes] | SortedSet | deque[bytes] | Stream
"""What a key can hold."""

TYPE_NAMES: dict[type, bytes] = {
    bytes: b"string",
    deque: b"list",
    set: b"set",
    SortedSet: b"zset",
    dict: b"hash",
    ExpiringHash: b"hash",
    Stream: b"stream",
}
"""Redis' name of each container."""


def copied(value: Value) -> Value:
    """A copy that shares nothing that can change."""
    if type(value) is ExpiringHash:
        return value.twin()
    return value if isinstance(value, bytes) else value.copy()


def encoding(value: Value) -> bytes:
    """The encoding that Redis 7.0 would choose for this content under its default configuration.

    Redis keeps a bigger encoding once an element made it necessary; this looks at what is there now.
    """
    if type(value) is bytes:
        if len(value) <= 20 and parse_integer(value) is not None:
            return b"int"
        return b"embstr" if len(value) <= 44 else b"raw"
    if type(value) is set:
        small = len(value) <= 512 and all(len(item) <= 20 and parse_integer(item) is not None for item in value)
        return b"intset" if small else b"hashtable"
    if isinstance(value, dict):
        small = len(value) <= 128 and all(len(f) <= 64 and len(v) <= 64 for f, v in value.items())
        packed = b"listpackex" if type(value) is ExpiringHash else b"listpack"
        return packed if small else b"hashtable"
    if type(value) is SortedSet:
        return b"listpack" if len(value) <= 128 and all(len(m) <= 64 for m in value) else b"skiplist"
    if type(value) is deque:
        return b"quicklist"
    if type(value) is Stream:
        return b"stream"
    raise TypeError(f"no encoding for {type(value).__name__}")
