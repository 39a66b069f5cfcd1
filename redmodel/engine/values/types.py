"""The table of value types: which Python container stands for which Redis type.

A new type of value is one row of `TYPE_NAMES` and one member of `Value`; nothing else lists the types.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

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
