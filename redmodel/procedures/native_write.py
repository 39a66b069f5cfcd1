"""The native twins of save.lua, delete.lua, touch.lua and purge.lua. Each does what its script does, in the same order.

A differential test drives both with the same random operations and compares the whole keyspace after each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from redmodel.errors import ReplyError
from redmodel.procedures.registry import Context

_KINDS = {b"=": b"set", b"#": b"zset", b"!": b"hash"}


def entries_of(log: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The (kind, path, token) of each entry of an index log."""
    for entry in log[9:].split(b"\x1e")[:-1]:
        path, _, token = entry[1:].partition(b"\x1f")
        yield entry[:1], path, token


def _wrong(ctx: Context, key: bytes, want: bytes) -> list[bytes] | None:
    value = ctx.value(key)
    if value is None:
        return None
    if (want == b"set" and isinstance(value, set)) or (want == b"hash" and isinstance(value, dict)):
        return None
    found: bytes = ctx.call(b"TYPE", key)
    return None if found == want else [b"wrongtype", key, bytes(found)]


def _leave(ctx: Context, side: bytes, id: bytes, kind: bytes, path: bytes, token: bytes) -> None:
    # What another program has put in an index key's place is left alone: an error here would come after the first write.
    with suppress(ReplyError):
        if kind == b"=":
            ctx.call(b"SREM", side + path + b":" + token, id)
        elif kind == b"#":
            ctx.call(b"ZREM", side + path, id)
        elif ctx.call(b"HGET", side + path, token) == id:
            ctx.call(b"HDEL", side + path, token)


def drop(ctx: Context, side: bytes, id: bytes) -> None:
    """Remove every trace of an id but its record."""
    logs = ctx.value(side + b"log")
    if isinstance(logs, dict) and id in logs:
        for kind, path, token in entries_of(logs[id]):
            _leave(ctx, side, id, kind, path, token)
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
            drop(ctx, side, id)
        elif left == -1:
            ctx.call(b"ZREM", expires, id)
        else:
            ctx.call(b"ZADD", expires, b"%d" % (ctx.now + left), id)


def _counted(argv: list[bytes], at: int) -> tuple[list[bytes], int]:
    end = at + 1 + int(argv[at])
    return argv[at + 1 : end], end


def save(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Save one record with its index entries; see save.lua for keys, arguments and reply."""
    record, ids, log, expires = keys[:4]
    id, nonce, mode, ttl = argv[:4]
    side = ids[:-3]
    whole = mode[:1] == b"w"
    only = mode[1:2]
    wrong = _wrong(ctx, record, b"hash")
    if wrong:
        return wrong
    alive = ctx.value(record) is not None
    wrong = _wrong(ctx, log, b"hash")
    if wrong:
        return wrong
    current: bytes | None = (ctx.value(log) or {}).get(id)
    if alive and current is not None and current[:8] == nonce:
        return 1 if current[8:9] == b"c" else 0
    if alive and only == b"n":
        return [b"exists"]
    if not alive and (only == b"x" or not whole):
        return [b"missing"]

    pairs, at = _counted(argv, 4)
    cleared, at = _counted(argv, at)
    expiring, at = _counted(argv, at)
    dropped, at = _counted(argv, at)
    # A record that was never there, and one that keeps its time to live, have nothing to do with expiry.
    timed = ttl != b"" and (ttl != b"-" or alive or current is not None)
    wrong = (timed and _wrong(ctx, expires, b"zset")) or (whole and _wrong(ctx, ids, b"set"))
    if wrong:
        return wrong
    joins = [(keys[4 + n], *argv[at + 4 * n : at + 4 * n + 4]) for n in range(len(keys) - 4)]
    joined: list[bytes] = []
    dead: list[bytes] = []
    records = record[: len(record) - len(id)]
    for key, kind, path, token, _ in joins:
        joined.append(kind + path + b"\x1f" + token + b"\x1e")
        wrong = _wrong(ctx, key, _KINDS[kind])
        if wrong:
            return wrong
        if kind == b"!":
            owner = (ctx.value(key) or {}).get(token)
            if owner is not None and owner != id:
                if ctx.value(records + owner) is not None:
                    return [b"unique", path, token, owner]
                dead.append(owner)
    kept: list[bytes] = []
    left: list[tuple[bytes, bytes, bytes]] = []
    if current is not None:
        for kind, path, token in entries_of(current):
            entry = kind + path + b"\x1f" + token + b"\x1e"
            if not whole and path not in dropped:
                kept.append(entry)
            elif entry not in joined:
                left.append((kind, path, token))

    call = ctx.call
    if whole:
        call(b"SADD", ids, id)
    call(b"HSET", log, id, nonce + (b"u" if alive else b"c") + b"".join(kept) + b"".join(joined))
    for owner in dead:
        drop(ctx, side, owner)
    for kind, path, token in left:
        _leave(ctx, side, id, kind, path, token)
    for key, kind, _, token, score in joins:
        if kind == b"=":
            call(b"SADD", key, id)
        elif kind == b"#":
            call(b"ZADD", key, score, id)
        else:
            call(b"HSET", key, token, id)
    if pairs:
        call(b"HSET", record, *pairs)
    if cleared:
        call(b"HDEL", record, *cleared)
    for n in range(0, len(expiring), 2):
        call(b"HSET", record, expiring[n], b"%d" % (ctx.now + int(expiring[n + 1])))
    if timed:
        if ttl == b"-":
            if alive:
                call(b"PERSIST", record)
            call(b"ZREM", expires, id)
        else:
            deadline = b"%d" % (ctx.now + int(ttl))
            call(b"PEXPIREAT", record, deadline)
            call(b"ZADD", expires, deadline, id)
        drop_due(ctx, side, 16)
    return 0 if alive else 1


def delete(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Delete one record and every trace of it; see delete.lua."""
    record, ids, log, expires = keys
    id, side = argv[0], ids[:-3]
    wrong = (
        _wrong(ctx, record, b"hash")
        or _wrong(ctx, ids, b"set")
        or _wrong(ctx, log, b"hash")
        or _wrong(ctx, expires, b"zset")
    )
    if wrong:
        return wrong
    current = (ctx.value(log) or {}).get(id)
    if current is not None:
        for kind, path, token in entries_of(current):
            wrong = _wrong(ctx, side + path + b":" + token if kind == b"=" else side + path, _KINDS[kind])
            if wrong:
                return wrong
    existed = ctx.call(b"DEL", record)
    drop(ctx, side, id)
    if ctx.value(expires) is not None:
        drop_due(ctx, side, 16)
    return existed


def touch(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Give a living record a new time to live; see touch.lua."""
    record, ids, _, expires = keys
    id, ttl = argv
    if ctx.value(record) is None:
        return 0
    wrong = _wrong(ctx, record, b"hash") or _wrong(ctx, expires, b"zset")
    if wrong:
        return wrong
    if ttl == b"-":
        ctx.call(b"PERSIST", record)
        ctx.call(b"ZREM", expires, id)
    else:
        deadline = b"%d" % (ctx.now + int(ttl))
        ctx.call(b"ZADD", expires, deadline, id)
        ctx.call(b"PEXPIREAT", record, deadline)
    drop_due(ctx, ids[:-3], 16)
    return 1


def purge(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Drop records whose time is over; see purge.lua."""
    drop_due(ctx, keys[0][:-3], int(argv[0]))
    return ctx.call(b"ZCOUNT", keys[1], b"-inf", b"(%d" % ctx.now)
