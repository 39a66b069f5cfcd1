"""Which encoding Redis 7.0 would keep a value in: what OBJECT ENCODING answers. Nothing here depends on it.

Redis converts a small hash, set or sorted set when it outgrows a parameter, and never back. So two things decide: what
is in the value now, and whether the database remembers an encoding that the key keeps (`Keyspace.kept`). Strings keep
one too: what was changed in place stays ``raw`` however short it is.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from redmodel.engine.arguments import parse_integer
from redmodel.engine.settings import Settings
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream
from redmodel.engine.values.types import Value

_EMBEDDED_MOST = 44  # bytes of a string that stand beside its header


class Limits(NamedTuple):
    """The parameters ``…-max-…``: how many elements of which size a small encoding, or a node of a stream, holds."""

    hash_entries: int = 512
    hash_value: int = 64
    set_integers: int = 512
    zset_entries: int = 128
    zset_value: int = 64
    stream_entries: int = 100
    stream_bytes: int = 4096

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the parameters of an engine say."""
        return cls(*map(settings.number, PARAMETERS))


PARAMETERS = (
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "set-max-intset-entries",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "stream-node-max-entries",
    "stream-node-max-bytes",
)
"""The parameters that `Limits` is made of, in its order."""


def is_integer(member: bytes) -> bool:
    """Whether an intset could hold a member."""
    return len(member) <= 20 and parse_integer(member) is not None


def outgrown(value: Value, limits: Limits) -> bool:
    """Whether a hash, set or sorted set is too much for a small encoding. Cost: O(n) for small ones."""
    if isinstance(value, dict):
        most = limits.hash_value
        return len(value) > limits.hash_entries or any(len(f) > most or len(v) > most for f, v in value.items())
    if isinstance(value, set):
        return len(value) > limits.set_integers or not all(map(is_integer, value))
    if isinstance(value, SortedSet):
        return len(value) > limits.zset_entries or max(map(len, value.scores)) > limits.zset_value
    return False


def encoding(value: Value, limits: Limits) -> bytes:
    """The name of the encoding that a value has by its content alone."""
    if isinstance(value, bytes):
        if is_integer(value):
            return b"int"
        return b"embstr" if len(value) <= _EMBEDDED_MOST else b"raw"
    if isinstance(value, deque):
        return b"quicklist"
    if isinstance(value, Stream):
        return b"stream"
    if outgrown(value, limits):
        return large_encoding(value)
    if isinstance(value, set):
        return b"intset"
    return b"listpackex" if type(value) is ExpiringHash else b"listpack"


def large_encoding(value: Value) -> bytes:
    """The name of the encoding of a large hash, set or sorted set."""
    return b"skiplist" if isinstance(value, SortedSet) else b"hashtable"
