"""Remembering that a key keeps the encoding of a larger value, just before the value becomes smaller.

Called by commands that take something away or replace it, as what is added can be seen in the value itself; and when
the limits themselves are changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from redmodel.engine.values.encodings import PARAMETERS, Limits, is_integer, large_encoding, outgrown

if TYPE_CHECKING:
    from redmodel.engine.context import Context
    from redmodel.engine.engine import Engine


def shrink_hash(context: Context, key: bytes, fields: dict[bytes, bytes], names: Iterable[bytes]) -> None:
    """These fields are about to go, or to get other values."""
    limits = context.engine.limits
    if len(fields) > limits.hash_entries:
        context.database.kept[key] = b"hashtable"
        return
    most = limits.hash_value
    for name in names:
        if name in fields and (len(name) > most or len(fields[name]) > most):
            context.database.kept[key] = b"hashtable"
            return


def shrink_set(context: Context, key: bytes, size: int, members: Iterable[bytes]) -> None:
    """These members of a set of this size are about to go; each must be in it."""
    if size > context.engine.limits.set_integers or not all(map(is_integer, members)):
        context.database.kept[key] = b"hashtable"


def shrink_sorted_set(context: Context, key: bytes, size: int, members: Iterable[bytes]) -> None:
    """These members of a sorted set of this size are about to go, or have gone."""
    limits = context.engine.limits
    if size > limits.zset_entries or any(len(member) > limits.zset_value for member in members):
        context.database.kept[key] = b"skiplist"


def obey_limits(engine: Engine) -> None:
    """Follow the parameters that limit small encodings: what has outgrown the old ones stays converted."""

    def changed() -> None:
        old, engine.limits = engine.limits, Limits.of(engine.settings)
        if engine.limits != old:
            for database in engine.databases:
                for key, value in database.values.items():
                    if outgrown(value, old):
                        database.kept.setdefault(key, large_encoding(value))

    for name in PARAMETERS:
        engine.settings.obey(name, changed)
