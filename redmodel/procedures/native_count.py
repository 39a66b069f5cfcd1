"""The native twin of increment.lua and of counting.lua, in the same order."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from redmodel.errors import ReplyError
from redmodel.procedures.containers import hash_at, wrong_type_at
from redmodel.procedures.native_write import lacking, wait
from redmodel.procedures.registry import Context


def increment(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Add to a number in one field of a living record; see increment.lua."""
    try:
        next(counting(ctx, keys, argv))
    except StopIteration as stop:
        return stop.value


def counting(
    ctx: Context, keys: list[bytes], argv: list[bytes], *, pausing: bool = False
) -> Generator[None, bool | None, Any]:
    """Add to a number; if asked to, it pauses twice, as counting.lua says, and undoes the addition when sent True."""
    record, ids, log = keys[:3]
    id = record[len(ids) - 3 :]
    nonce, field, amount, kind, least, most, version = argv
    if ctx.value(record) is None:
        return [b"missing"]
    wrong = wrong_type_at(ctx, record, b"hash") or wrong_type_at(ctx, log, b"hash")
    if wrong:
        return wrong
    current = hash_at(ctx, log).get(id)
    value = hash_at(ctx, record).get(field)
    if value is None:
        return [b"null"]
    before = hash_at(ctx, record).get(b"@version", b"") if version else b""
    if current is not None and current[:8] == nonce:
        return [b"done", value, before[16:]]
    index = keys[4] if len(keys) > 4 else None
    lacks, unknown = lacking(ctx, ids[:-3], nonce)
    wrong = unknown or (wrong_type_at(ctx, index, b"zset") if index is not None else None)
    if wrong:
        return wrong
    if pausing:
        yield

    try:
        ctx.call(b"HINCRBY" if kind == b"i" else b"HINCRBYFLOAT", record, field, amount)
    except ReplyError as error:
        if any(why in error.text for why in ("value is not", "overflow", "NaN")):
            return [b"refused", value]
        raise
    new = hash_at(ctx, record)[field]
    number = float(new)
    against = None
    if (least and number < float(least)) or (most and number > float(most)):
        against = b"bounds"
    elif index is not None and kind == b"i" and not -(2.0**53) <= number <= 2.0**53:
        against = b"inexact"
    if against is not None or (pausing and (yield)):
        ctx.call(b"HSET", record, field, value)
        return [against or b"", value]
    # The record may be saved by the same transaction.
    current = hash_at(ctx, log).get(id)
    ctx.call(b"HSET", log, id, nonce + b"u" + (current[9:] if current is not None else b""))
    wait(ctx, ids[:-3], id, lacks)
    if index is not None:
        ctx.call(b"ZADD", index, new, id)
    if version:
        ctx.call(b"HSET", record, b"@version", version + before[:16])
    return [b"done", new, before[:16]]
