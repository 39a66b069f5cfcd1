"""The native twins of define.lua and reindex.lua, in the same order."""

from __future__ import annotations

from typing import Any

from redmodel.procedures.containers import hash_at, wrong_type_at
from redmodel.procedures.entries import TYPES, VALUED, entries_of, member_of, spell
from redmodel.procedures.native_words import enter_text
from redmodel.procedures.native_write import drop, leave
from redmodel.procedures.registry import Context


def define(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Write what a model says about itself, unless that has changed; see define.lua."""
    schema, revision, gone = keys[0], argv[0], int(argv[1])
    wrong = wrong_type_at(ctx, schema, b"hash")
    if wrong:
        return wrong
    if hash_at(ctx, schema).get(b"revision", b"") != revision:
        return 0
    for n in range(2 + gone, len(argv), 2):
        ctx.call(b"HSET", schema, argv[n], argv[n + 1])
    for field in argv[2 : 2 + gone]:
        ctx.call(b"HDEL", schema, field)
    return 1


def reindex(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Give one record the entries of some indexes anew; see reindex.lua for keys, arguments and reply."""
    record, ids, log = keys[:3]
    id, side = record[len(ids) - 3 :], ids[:-3]
    counts = [int(count) for count in argv[1].split()]
    last_column = 2 + 2 * counts[0]
    last_path = last_column + counts[1]
    last_set = last_path + counts[2]
    last_clear = last_set + counts[3]
    wrong = wrong_type_at(ctx, record, b"hash") or wrong_type_at(ctx, log, b"hash")
    if wrong:
        return wrong
    alive = ctx.value(record) is not None
    row = hash_at(ctx, record)
    for n in range(2, last_column, 2):
        value = row.get(argv[n])
        if alive and (b"-" if value is None else b"+" + value) != argv[n + 1]:
            return b"moved"
    concerned = argv[last_column:last_path]

    at = last_clear
    joins: list[tuple[bytes, bytes, bytes, bytes]] = []
    texts: list[tuple[bytes, bytes, bytes]] = []
    joined: list[bytes] = []
    dead: list[bytes] = []
    for key in keys[4:]:
        entry = argv[at]
        at += 1
        joined.append(entry)
        kind = entry[:1]
        path, _, token = entry[1:-1].partition(b"\x1f")
        wrong = wrong_type_at(ctx, key, TYPES[kind])
        if wrong:
            return wrong
        if kind == b"#":
            joins.append((b"ZADD", key, argv[at], id))
            at += 1
            continue
        if kind in VALUED:
            texts.append((key, entry, argv[at]))
            at += 1
            continue
        if kind == b"<":
            joins.append((b"ZADD", key, b"0", member_of(kind, token, id)))
            continue
        joins.append((b"SADD", key, id, b"") if kind == b"=" else (b"HSET", key, token, id))
        owner = hash_at(ctx, key).get(token) if alive and kind == b"!" else None
        if owner is not None and owner != id:
            if ctx.value(side[:-1] + b":" + owner) is not None:
                return [b"unique", path, token, owner]
            dead.append(owner)

    current = hash_at(ctx, log).get(id)
    joining = set(joined)
    kept = b""
    left: list[tuple[bytes, bytes, bytes]] = []
    for kind, path, token in entries_of(current or b""):
        entry = spell(kind, path, token)
        if path not in concerned:
            kept += entry
        elif not alive or entry not in joining:
            left.append((kind, path, token))
    if alive:
        head = argv[0][:8] + b"u" if current is None else current[:9]
        ctx.call(b"HSET", log, id, head + kept + b"".join(joined))
    elif current is not None:
        ctx.call(b"HSET", log, id, current[:9] + kept)
    for owner in dead:
        drop(ctx, side, owner)
    for kind, path, token in left:
        leave(ctx, side, id, kind, path, token)
    if alive:
        for name, key, word, last in joins:
            ctx.call(name, key, word, last) if last else ctx.call(name, key, word)
        for key, entry, text in texts:
            enter_text(ctx, side, id, key, entry, text)
        for n in range(last_path, last_set, 2):
            ctx.call(b"HSET", record, argv[n], argv[n + 1])
        for field in argv[last_set:last_clear]:
            ctx.call(b"HDEL", record, field)
    for path in concerned:
        if wrong_type_at(ctx, side + b"~" + path, b"zset") is None:
            ctx.call(b"ZREM", side + b"~" + path, id)
    return b"done" if alive else b"gone"
