"""Typed looks at the engine's live containers, for the native twins: reading only, and WRONGTYPE as Redis says it."""

from __future__ import annotations

from typing import TypeAlias, cast

from redmodel.errors import ReplyError
from redmodel.procedures.registry import Context

Ids: TypeAlias = "set[bytes] | frozenset[bytes]"

NOBODY: frozenset[bytes] = frozenset()
_NO_FIELDS: dict[bytes, bytes] = {}
_NO_SCORES: dict[bytes, float] = {}
_WRONG = "WRONGTYPE Operation against a key holding the wrong kind of value"


def set_at(ctx: Context, key: bytes) -> Ids:
    """The members of a set; nobody where there is no key."""
    value = ctx.value(key)
    if value is None:
        return NOBODY
    if isinstance(value, set):
        return cast("set[bytes]", value)
    raise ReplyError(_WRONG)


def hash_at(ctx: Context, key: bytes) -> dict[bytes, bytes]:
    """The fields of a hash; empty where there is no key."""
    value = ctx.value(key)
    if value is None:
        return _NO_FIELDS
    if isinstance(value, dict):
        return cast("dict[bytes, bytes]", value)
    raise ReplyError(_WRONG)


def scores_at(ctx: Context, key: bytes) -> dict[bytes, float]:
    """The members of a sorted set with their scores; empty where there is no key."""
    value = ctx.value(key)
    if value is None:
        return _NO_SCORES
    try:
        scores: dict[bytes, float] = value.scores
    except AttributeError:
        raise ReplyError(_WRONG) from None
    return scores


def wrong_type_at(ctx: Context, key: bytes, want: bytes) -> list[bytes] | None:
    """The refusal of a key that holds another type; None if it may be used."""
    value = ctx.value(key)
    if value is None:
        return None
    if isinstance(value, set):
        found = b"set"
    elif isinstance(value, dict):
        found = b"hash"
    else:
        found = bytes(ctx.call(b"TYPE", key))
    return None if found == want else [b"wrongtype", key, found]
