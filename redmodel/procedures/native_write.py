"""The native twins of delete.lua, touch.lua and purge.lua, and what all that write share.

Each does what its script does, in the same order. A differential test drives both with the same random operations and
compares the whole keyspace after each.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeAlias

from redmodel.errors import ReplyError
from redmodel.procedures.containers import hash_at, wrong_type_at
from redmodel.procedures.entries import TYPES, entries_of, entry_key, member_of
from redmodel.procedures.native_words import leave_text
from redmodel.procedures.registry import Context

Places: TypeAlias = dict[tuple[bytes, bytes], bytes]
"""Who gives up, or takes, a unique value: (key, token) -> id."""


def leave(ctx: Context, side: bytes, id: bytes, kind: bytes, path: bytes, token: bytes) -> None:
    """Take an id out of one index entry."""
    # What another program has put in an index key's place is left alone: an error would come after the first write.
    with suppress(ReplyError):
        if kind == b"=":
            ctx.call(b"SREM", entry_key(side, kind, path, token), id)
        elif kind == b"#":
            ctx.call(b"ZREM", entry_key(side, kind, path, token), id)
        elif kind in (b"w", b"t"):
            leave_text(ctx, side, id, kind, path, token)
        elif kind == b"<":
            ctx.call(b"ZREM", entry_key(side, kind, path, token), member_of(kind, token, id))
        elif ctx.call(b"HGET", side + path, token) == id:
            ctx.call(b"HDEL", side + path, token)


def lacking(ctx: Context, side: bytes, nonce: bytes) -> tuple[list[bytes], list[bytes] | None]:
    """The paths that this version of the model does not index and others do, or a refusal if it is not registered."""
    field = b"writer:%b" % nonce[5:8].hex().encode()
    wrong = wrong_type_at(ctx, side + b"schema", b"hash")
    paths = None if wrong else hash_at(ctx, side + b"schema").get(field)
    if paths is None:
        return [], wrong or [b"unregistered", side, field]
    return paths.split(b"\x1f")[1:], None


def wait(ctx: Context, side: bytes, id: bytes, lacks: list[bytes]) -> None:
    """Let what this record's writer lacks wait to be entered."""
    for path in lacks:
        with suppress(ReplyError):
            ctx.call(b"ZADD", side + b"~" + path, b"0", id)


def drop(ctx: Context, side: bytes, id: bytes) -> None:
    """Remove every trace of an id but its record."""
    try:
        log = hash_at(ctx, side + b"log").get(id)
    except ReplyError:
        log = None
    if log is not None:
        for kind, path, token in entries_of(log):
            leave(ctx, side, id, kind, path, token)
        ctx.call(b"HDEL", side + b"log", id)
    for command, key in ((b"SREM", side + b"ids"), (b"ZREM", side + b"expires")):
        with suppress(ReplyError):
            ctx.call(command, key, id)


def drop_due(ctx: Context, side: bytes, most: int) -> None:
    """Drop records whose time is over, at most ``most`` of them."""
    expires, records = side + b"expires", side[:-1] + b":"
    due = ctx.call(b"ZRANGEBYSCORE", expires, b"-inf", b"(%d" % ctx.now, b"LIMIT", b"0", b"%d" % most)
    for id in due:
        left = ctx.call(b"PTTL", records + id)
        if left == -2:
            ctx.call(b"ZREM", expires, id)  # first: where nothing can be written, this says so
            drop(ctx, side, id)
        elif left == -1:
            ctx.call(b"ZREM", expires, id)
        else:
            ctx.call(b"ZADD", expires, b"%d" % (ctx.now + left), id)


def refuse_traces(ctx: Context, side: bytes, id: bytes, given: Places | None = None) -> list[Any] | None:
    """The refusal of removing every trace of an id but its record, or None; see deleting.lua."""
    log = side + b"log"
    wrong = (
        wrong_type_at(ctx, side + b"ids", b"set")
        or wrong_type_at(ctx, log, b"hash")
        or wrong_type_at(ctx, side + b"expires", b"zset")
    )
    current = None if wrong else hash_at(ctx, log).get(id)
    if current is None:
        return wrong
    for kind, path, token in entries_of(current):
        key = entry_key(side, kind, path, token)
        wrong = wrong_type_at(ctx, key, TYPES.get(kind, b"hash"))
        if wrong:
            return wrong
        if given is not None and kind == b"!":
            given[key, token] = id
    return None


def refuse_delete(
    ctx: Context, keys: list[bytes], id: bytes, given: Places | None = None, version: bytes | None = None
) -> list[Any] | None:
    """The refusal of deleting a record, or None if it and every trace of it may go; see deleting.lua."""
    record, ids = keys[:2]
    wrong = wrong_type_at(ctx, record, b"hash")
    if wrong:
        return wrong
    fields = hash_at(ctx, record)
    held = fields.get(b"@version") if version is not None else None
    if held is not None and held[:16] != version:
        return [b"moved", b"%d" % ctx.now, [word for pair in fields.items() for word in pair]]
    return refuse_traces(ctx, ids[:-3], id, given)


def delete(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Delete one record and every trace of it; see delete.lua."""
    record, ids, _, expires = keys
    id, side = argv[0], ids[:-3]
    wrong = refuse_delete(ctx, keys, id, None, argv[1] if len(argv) > 1 else None)
    if wrong:
        return wrong
    existed = ctx.call(b"DEL", record)
    drop(ctx, side, id)
    if ctx.value(expires) is not None:
        drop_due(ctx, side, 16)
    return existed


def keep_for(ctx: Context, record: bytes, expires: bytes, id: bytes, ttl: bytes) -> None:
    """Give a record a time to live in milliseconds, or none (``-``); see touching.lua."""
    if ttl == b"-":
        ctx.call(b"PERSIST", record)
        ctx.call(b"ZREM", expires, id)
    else:
        deadline = b"%d" % (ctx.now + int(ttl))
        ctx.call(b"ZADD", expires, deadline, id)
        ctx.call(b"PEXPIREAT", record, deadline)


def touch(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Give living records a new time to live; see touch.lua."""
    ids, expires, *records = keys
    ttl, longer = argv[0], argv[1] == b"s" and argv[0] != b"-"
    wrong = wrong_type_at(ctx, expires, b"zset")
    for record in records:
        wrong = wrong or wrong_type_at(ctx, record, b"hash")
    if wrong:
        return wrong
    there = 0
    for record in records:
        id = record[len(ids) - 3 :]
        left = ctx.call(b"PTTL", record)
        if left == -2:
            continue
        there += 1
        if not longer or 0 <= left < int(ttl):
            keep_for(ctx, record, expires, id, ttl)
    drop_due(ctx, ids[:-3], 16)
    return there


def purge(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Drop records whose time is over; see purge.lua."""
    drop_due(ctx, keys[0][:-3], int(argv[0]))
    return ctx.call(b"ZCOUNT", keys[1], b"-inf", b"(%d" % ctx.now)
