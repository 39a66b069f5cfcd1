"""The native twin of items.lua: items of a collection, in the JSON text that its field holds."""

from __future__ import annotations

import re
from typing import Any

from redmodel.procedures.containers import hash_at, wrong_type_at
from redmodel.procedures.native_write import lacking, wait
from redmodel.procedures.registry import Context

_SPACE = b" \t\r\n"
_MARK = re.compile(rb'[\[\]{}",]')
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_COLON = re.compile(rb"[ \t\r\n]*:")


def split(text: bytes) -> list[bytes] | None:
    """The texts between the brackets of an array or an object; None for what is neither."""
    parts: list[bytes] = []
    depth, start, at, final = 0, 1, 1, len(text) - 1
    while found := _MARK.search(text, at):
        at, mark = found.start(), found.group()
        if mark == b'"':
            inside = _STRING.match(text, at)
            if inside is None:
                return None
            at = inside.end() - 1
        elif mark in b"[{":
            depth += 1
        elif mark == b"," or at == final:
            if depth == 0:
                part = text[start:at].strip(_SPACE)
                if part:
                    parts.append(part)
                elif mark == b"," or parts:
                    return None
                start = at + 1
            if at == final:
                return parts if depth == 0 else None
        else:
            depth -= 1
            if depth < 0:
                return None
        at += 1
    return None


def key_of(part: bytes) -> bytes | None:
    """The key of a member of an object as it stands there; None if it has none."""
    found = _STRING.match(part)
    return found.group() if found is not None and _COLON.match(part, found.end()) else None


def _changed(operation: bytes, parts: list[bytes], texts: list[bytes]) -> tuple[bool, list[bytes]] | None:
    """Whether an operation changes anything, and the items after it; None if they are no members of an object."""
    names: list[bytes | None] = [key_of(part) for part in parts] if operation in b"kd" else [*parts]
    if None in names:
        return None
    if operation == b"a":
        return bool(texts), parts + texts
    if operation == b"p":
        return bool(texts), texts + parts
    if operation == b"+":
        new = [text for text in dict.fromkeys(texts) if text not in parts]
        return bool(new), parts + new
    if operation == b"k":
        places = {name: at for at, name in enumerate(names)}
        kept, changed = list(parts), False
        for key, text in zip(texts[::2], texts[1::2], strict=True):
            member, at = key + b":" + text, places.setdefault(key, len(kept))
            if at == len(kept):
                kept.append(b"")
            changed |= kept[at] != member
            kept[at] = member
        return changed, kept
    kept = [part for part, name in zip(parts, names, strict=True) if name not in texts]
    return len(kept) < len(parts), kept


def items(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Change items of one collection of a living record; see items.lua."""
    record, ids, log = keys[:3]
    id = record[len(ids) - 3 :]
    nonce, operation = argv[0][:8], argv[0][8:]
    field, base, sizes, version, flag = argv[1:6]
    least, most, ttl, count = sizes.split()
    texts, named = argv[6 : 6 + int(count)], argv[6 + int(count) :]
    if ctx.value(record) is None:
        return [b"missing"]
    wrong = wrong_type_at(ctx, record, b"hash") or wrong_type_at(ctx, log, b"hash")
    if wrong:
        return wrong
    current = hash_at(ctx, log).get(id)
    fields = hash_at(ctx, record)
    value = fields.get(field)
    before = fields.get(b"@version", b"") if version else b""
    if current is not None and current[:8] == nonce:
        return [b"done", 1, before[16:], (value or b"") if flag else b""]
    if ttl != b"-":
        ends = fields.get(field + b"@expires")
        if ends is not None and float(ends) <= ctx.now:
            value = None
    if value is None:
        value = base
    if value in (b"", b"\0"):
        return [b"null"]
    lacks, unknown = lacking(ctx, ids[:-3], nonce)
    if unknown:
        return unknown
    for key in keys[4:]:
        wrong = wrong_type_at(ctx, key, b"set")
        if wrong:
            return wrong

    value = value.strip(_SPACE)
    brackets = b"{}" if operation in b"kd" else b"[]"
    if len(value) < 2 or value[:1] + value[-1:] != brackets:
        return [b"text"]
    if operation in b"ap" and least == most == b"-":
        body = value[1:-1].strip(_SPACE)
        more = ([body, *texts] if operation == b"a" else [*texts, body]) if body else texts
        changed, new = bool(texts), b"[%b]" % b",".join(more)
    else:
        parts = split(value)
        found = None if parts is None else _changed(operation, parts, texts)
        if found is None:
            return [b"text"]
        changed, kept = found
        if changed and most != b"-" and len(kept) > int(most):
            return [b"most", b"%d" % len(kept)]
        if changed and least != b"-" and len(kept) < int(least):
            return [b"least", b"%d" % len(kept)]
        new = brackets[:1] + b",".join(kept) + brackets[1:]
    if not changed:
        return [b"done", 0, before[:16], value if flag else b""]

    entries = b"" if current is None else current[9:]
    for entry in named:
        if operation == b"-":
            entries = entries.replace(entry, b"", 1)
        elif entry not in entries:
            entries += entry
    ctx.call(b"HSET", log, id, nonce + b"u" + entries)
    wait(ctx, ids[:-3], id, lacks)
    for key in keys[4:]:
        ctx.call(b"SREM" if operation == b"-" else b"SADD", key, id)
    ctx.call(b"HSET", record, field, new)
    if ttl != b"-":
        ctx.call(b"HSET", record, field + b"@expires", b"%d" % (ctx.now + int(ttl)))
    if version:
        ctx.call(b"HSET", record, b"@version", version + before[:16])
    return [b"done", 1, before[:16], new if flag else b""]
