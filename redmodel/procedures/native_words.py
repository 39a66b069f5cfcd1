"""The native twins of tally.lua and of what common.lua says of words and texts: entering and leaving them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from redmodel.errors import ReplyError
from redmodel.procedures.containers import hash_at, wrong_type_at
from redmodel.procedures.entries import entry_key, split
from redmodel.procedures.registry import Context

_LENGTH = re.compile(rb"\d+")


def length_of(text: bytes | None) -> int:
    """The length that a text is kept with: what stands before its words."""
    found = None if text is None else _LENGTH.match(text)
    return 0 if found is None else int(found[0])


def enter_text(ctx: Context, side: bytes, id: bytes, key: bytes, entry: bytes, value: bytes) -> None:
    """Enter a word or a text."""
    kind, path, token = split(entry)
    with suppress(ReplyError):
        if kind == b"w":
            if ctx.call(b"ZADD", key, value, id) == 1:
                ctx.call(b"ZADD", side + path + b":~words", b"0", token)
            return
        before = hash_at(ctx, key).get(id)
        ctx.call(b"HSET", key, id, value)
        ctx.call(b"HINCRBY", key, b"", b"%d" % (length_of(value) - length_of(before)))


def leave_text(ctx: Context, side: bytes, id: bytes, kind: bytes, path: bytes, token: bytes) -> None:
    """Take a record out of a word, or its text away. Raises ReplyError where another program holds a key."""
    key = entry_key(side, kind, path, token)
    if kind == b"w":
        if ctx.call(b"ZREM", key, id) == 1 and ctx.value(key) is None:
            ctx.call(b"ZREM", side + path + b":~words", token)
        return
    held = hash_at(ctx, key)
    if (before := held.get(id)) is None:
        return
    ctx.call(b"HDEL", key, id)
    rest = hash_at(ctx, key)
    if len(rest) == 1 and b"" in rest:
        ctx.call(b"DEL", key)
    elif rest:
        ctx.call(b"HINCRBY", key, b"", b"%d" % -length_of(before))


def tally(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Add up the lengths of all texts of one index; see tally.lua."""
    wrong = wrong_type_at(ctx, keys[0], b"hash")
    if wrong:
        return wrong
    texts = hash_at(ctx, keys[0])
    said = texts.get(b"", b"")
    lengths = [length_of(text) for id, text in texts.items() if id]
    wanted = b"%d" % sum(lengths) if lengths else b""
    if said != wanted and argv[0] == b"m":
        ctx.call(b"HSET", keys[0], b"", wanted) if lengths else ctx.call(b"DEL", keys[0])
    return [said, wanted]
