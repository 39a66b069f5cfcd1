"""The native twin of save.lua and of saving.lua, in the same order."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, cast

from redmodel.procedures.containers import wrong_type_at
from redmodel.procedures.entries import TYPES, member_of, split, whole_entries_of
from redmodel.procedures.native_words import enter_text
from redmodel.procedures.native_write import Places, drop, drop_due, lacking, leave, wait
from redmodel.procedures.registry import Context

_SET, _UNIQUE, _ORDERED, _WORD, _TEXT = b"=!<wt"


def save(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Save one record with its index entries; see save.lua for keys, arguments and reply."""
    try:
        next(saving(ctx, keys, argv))
    except StopIteration as stop:
        return stop.value


Left: TypeAlias = "list[tuple[bytes, bytes, bytes]]"


def saving(
    ctx: Context,
    keys: list[bytes],
    argv: list[bytes],
    given: Places | None = None,
    claimed: Places | None = None,
) -> Generator[Left, None, Any]:
    """Save one record; with ``claimed`` it pauses three times, as saving.lua says. Returns the reply."""
    record, ids, log, expires = keys[:4]
    id, side = record[len(ids) - 3 :], ids[:-3]
    head = argv[0]
    nonce, mode, only, version = head[:8], head[8:9], head[9:10], head[10:]
    whole = mode != b"p"
    ttl, *counts = argv[1].split()
    call, value = ctx.call, ctx.value
    there, logs = value(record), value(log)
    alive = there is not None
    if (alive and type(there) is not dict) or (logs is not None and type(logs) is not dict):
        return wrong_type_at(ctx, record, b"hash") or wrong_type_at(ctx, log, b"hash")
    current = None if logs is None else cast("dict[bytes, bytes]", logs).get(id)
    if alive and current is not None and current[:8] == nonce:
        return 1 if current[8:9] == b"c" else 0
    lacks, unknown = lacking(ctx, side, nonce)
    if unknown:
        return unknown
    if alive and only == b"n":
        return [b"exists"]
    if not alive and (only == b"x" or not whole):
        return [b"missing"]
    last_set = 2 + int(counts[0])
    last_clear = last_set + int(counts[1])
    last_expiry = last_clear + int(counts[2])
    last_path = last_expiry + int(counts[3])
    last_guard = last_path + int(counts[4])
    before = b""
    if version or last_guard > last_path:
        fields = cast("dict[bytes, bytes]", there or {})
        for n in range(last_path, last_guard, 2):
            held = fields.get(argv[n])
            if held is not None and argv[n] == b"@version":
                if held[16:] == version:
                    return 0
                held = held[:16]
            if argv[n + 1] != (b"-" if held is None else b"=" + held):
                return [b"moved", b"%d" % ctx.now, [word for pair in fields.items() for word in pair]]
        before = fields.get(b"@version", b"")

    # A record that was never there, and one that keeps its time to live, have nothing to do with expiry.
    timed = ttl != b"k" and (ttl != b"-" or alive or current is not None)
    expiring = timed and value(expires) is not None
    wrong = wrong_type_at(ctx, expires, b"zset") if expiring else None
    if wrong:
        return wrong

    kept = b""
    left: Left = []
    if current is not None:
        dropped, joining = argv[last_expiry:last_path], frozenset(argv[last_guard:])
        for entry in whole_entries_of(current):
            path, _, token = entry[1:-1].partition(b"\x1f")
            if (not whole and path not in dropped) or path in lacks:
                kept += entry
            elif entry not in joining:
                left.append((entry[:1], path, token))
    if claimed is not None:
        yield left

    wrong = wrong_type_at(ctx, ids, b"set") if whole else None
    if wrong:
        return wrong
    at = last_guard
    joins: list[tuple[bytes, bytes, bytes, bytes]] = []
    texts: list[tuple[bytes, bytes, bytes]] = []
    joined: list[bytes] = []
    dead: list[bytes] = []
    for key in keys[4:]:
        entry = argv[at]
        at += 1
        joined.append(entry)
        letter = entry[0]
        held = value(key)
        if letter == _SET:
            if held is not None and type(held) is not set:
                return wrong_type_at(ctx, key, b"set")
            joins.append((b"SADD", key, id, b""))
        elif letter == _UNIQUE:
            path, _, token = entry[1:-1].partition(b"\x1f")
            if held is not None:
                if type(held) is not dict:
                    return wrong_type_at(ctx, key, b"hash")
                owner = cast("dict[bytes, bytes]", held).get(token)
                if owner is not None and owner != id and not (given and given.get((key, token)) == owner):
                    if value(side[:-1] + b":" + owner) is not None:
                        return [b"unique", path, token, owner]
                    dead.append(owner)
            if claimed is not None:
                taker = claimed.setdefault((key, token), id)
                if taker != id:
                    return [b"unique", path, token, taker]
            joins.append((b"HSET", key, token, id))
        elif letter in (_WORD, _TEXT):
            if (wrong := wrong_type_at(ctx, key, TYPES[entry[:1]])) is not None:
                return wrong
            texts.append((key, entry, argv[at]))
            at += 1
        else:
            if held is not None and not hasattr(held, "scores"):
                return wrong_type_at(ctx, key, b"zset")
            if letter == _ORDERED:
                joins.append((b"ZADD", key, b"0", member_of(entry[:1], split(entry)[2], id)))
                continue
            joins.append((b"ZADD", key, argv[at], id))
            at += 1
    if claimed is not None:
        yield []

    if whole:
        call(b"SADD", ids, id)
    call(b"HSET", log, id, nonce + (b"u" if alive else b"c") + kept + b"".join(joined))
    wait(ctx, side, id, lacks)
    for owner in dead:
        drop(ctx, side, owner)
    for kind, path, token in left:
        leave(ctx, side, id, kind, path, token)
    if claimed is not None:
        yield []
    for name, key, word, last in joins:
        call(name, key, word, last) if last else call(name, key, word)
    for key, entry, text in texts:
        enter_text(ctx, side, id, key, entry, text)
    if mode == b"r" and alive:
        call(b"DEL", record)
    if last_set > 2:
        call(b"HSET", record, *argv[2:last_set])
    if last_clear > last_set:
        call(b"HDEL", record, *argv[last_set:last_clear])
    if version:
        call(b"HSET", record, b"@version", version + before[:16])
    for n in range(last_clear, last_expiry, 2):
        call(b"HSET", record, argv[n], b"%d" % (ctx.now + int(argv[n + 1])))
    if timed:
        if ttl == b"-":
            if alive:
                call(b"PERSIST", record)
            if expiring:
                call(b"ZREM", expires, id)
        else:
            deadline = ttl[1:] if ttl[:1] == b"@" else b"%d" % (ctx.now + int(ttl))
            call(b"PEXPIREAT", record, deadline)
            call(b"ZADD", expires, deadline, id)
        if expiring:
            drop_due(ctx, side, 16)
    return 0 if alive else 1
