"""The native twin of mend.lua: the same looks, the same findings and the same writes, in the same order."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

from redmodel.errors import ReplyError
from redmodel.procedures.containers import hash_at, scores_at, set_at, wrong_type_at
from redmodel.procedures.entries import TYPES, VALUED, entry_key, member_of, split, whole_entries_of
from redmodel.procedures.native_words import enter_text
from redmodel.procedures.native_write import drop, leave
from redmodel.procedures.registry import Context

SLACK = 20


class _Wanted(NamedTuple):
    """An entry that the record should have."""

    key: bytes
    entry: bytes
    score: bytes


def _holds(ctx: Context, side: bytes, id: bytes, entry: bytes) -> bool:
    kind, path, token = split(entry)
    key = entry_key(side, kind, path, token)
    with suppress(ReplyError):
        if kind == b"=":
            return id in set_at(ctx, key)
        if kind in (b"#", b"w"):
            return id in scores_at(ctx, key)
        if kind == b"t":
            return id in hash_at(ctx, key)
        if kind == b"<":
            return member_of(kind, token, id) in scores_at(ctx, key)
        return hash_at(ctx, key).get(token) == id
    return False


def _text(score: float) -> bytes:
    return b"%.17g" % score


class _Findings(list[bytes]):
    """What is told, five words for each."""

    def tell(self, what: bytes, entry: bytes, detail: bytes = b"") -> None:
        self += (what, *split(entry), detail)

    def tell_of(self, what: bytes, name: bytes, detail: bytes = b"") -> None:
        """Of bookkeeping."""
        self += (what, b"", name, b"", detail)


def mend(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Make one record's entries what its values say, or only tell; see mend.lua for keys, arguments and reply."""
    record, ids, log, expires = keys[:4]
    id, side = record[len(ids) - 3 :], ids[:-3]
    nonce, write = argv[0][:8], argv[0][8:] == b"m"
    state, *numbers = argv[1].split()
    columns, suspects = map(int, numbers)
    alive = state == b"+"
    if wrong_type_at(ctx, record, b"hash") or (ctx.value(record) is not None) is not alive:
        return [b"moved"]
    last_column = 2 + 2 * columns
    values = hash_at(ctx, record)
    for at in range(2, last_column, 2):
        value = values.get(argv[at])
        if (b"-" if value is None else b"+" + value) != argv[at + 1]:
            return [b"moved"]
    wrong = wrong_type_at(ctx, ids, b"set") or wrong_type_at(ctx, log, b"hash") or wrong_type_at(ctx, expires, b"zset")
    if wrong:
        return wrong

    wanted: list[_Wanted] = []
    at = last_column
    for key in keys[4:]:
        entry, score = argv[at], b""
        at += 1
        wrong = wrong_type_at(ctx, key, TYPES[entry[:1]])
        if wrong:
            return wrong
        if entry[:1] in VALUED:
            score = argv[at]
            at += 1
        wanted.append(_Wanted(key, entry, score))
    current, deadline = hash_at(ctx, log).get(id), scores_at(ctx, expires).get(id)
    over = not alive and deadline is not None and deadline <= ctx.now
    findings = _Findings()
    others: list[bytes] = []
    seen = {want.entry for want in wanted}
    logged = whole_entries_of(current or b"")
    known = b"misplaced" if alive else b"due" if over else b"stale"
    named = b"misplaced" if alive else b"stale"
    for entries, what in ((logged, known), (argv[at : at + suspects], named)):
        for entry in entries:
            if entry not in seen:
                seen.add(entry)
                if _holds(ctx, side, id, entry):
                    others.append(entry)
                    findings.tell(what, entry)

    if not alive:
        if current is not None:
            findings.tell_of(known if over else b"stale", b"log")
        if id in set_at(ctx, ids):
            findings.tell_of(known if over else b"stale", b"ids")
        if deadline is not None:
            findings.tell_of(known if over else b"stale", b"expires")
        if write:
            drop(ctx, side, id)
            for entry in others:
                leave(ctx, side, id, *split(entry))
        return list(findings)

    joins: list[tuple[bytes, bytes, bytes, bytes]] = []
    texts: list[_Wanted] = []
    kept: list[bytes] = []
    for want in wanted:
        if want.entry[:1] in (b"w", b"t"):
            if not _compare_text(ctx, want, side, id, findings, joins):
                texts.append(want)
            kept.append(want.entry)
        elif _compare(ctx, want, side, id, expires, findings, joins):
            kept.append(want.entry)
    same = (
        current is not None
        and sorted(set(logged)) == sorted(kept)
        and 9 + sum(map(len, logged)) == len(current)
        and len(logged) == len(kept)
    )
    if not same:
        findings.tell_of(b"missing" if current is None else b"misplaced", b"log")
    if id not in set_at(ctx, ids):
        findings.tell_of(b"missing", b"ids")
    left = int(ctx.call(b"PTTL", record))
    moment = b""
    detail = b"" if deadline is None else _text(deadline)
    if left < 0:
        if deadline is not None:
            findings.tell_of(b"stale", b"expires", detail)
    elif deadline is None or abs(deadline - ctx.now - left) > SLACK:
        findings.tell_of(b"missing" if deadline is None else b"misplaced", b"expires", detail)
        moment = b"%d" % (ctx.now + left)

    if write and findings:
        ctx.call(b"SADD", ids, id)
        if not same:
            begun = current is not None and len(current) > 8 and current[8:9] in (b"c", b"u")
            head = current[:9] if current is not None and begun else nonce + b"u"
            ctx.call(b"HSET", log, id, head + b"".join(kept))
        for entry in others:
            leave(ctx, side, id, *split(entry))
        for name, key, word, last in joins:
            with suppress(ReplyError):
                ctx.call(name, key, word, last) if last else ctx.call(name, key, word)
        for want in texts:
            enter_text(ctx, side, id, *want)
        if left < 0:
            if deadline is not None:
                ctx.call(b"ZREM", expires, id)
        elif moment:
            ctx.call(b"ZADD", expires, moment, id)
    return list(findings)


def _compare(
    ctx: Context,
    want: _Wanted,
    side: bytes,
    id: bytes,
    expires: bytes,
    findings: _Findings,
    joins: list[tuple[bytes, bytes, bytes, bytes]],
) -> bool:
    """Tell what is wrong with an entry that should be there; False if a living record is in its place."""
    key, entry, score = want
    kind, _, token = split(entry)
    if kind == b"=":
        if id not in set_at(ctx, key):
            findings.tell(b"missing", entry)
            joins.append((b"SADD", key, id, b""))
        return True
    if kind == b"#":
        there = scores_at(ctx, key).get(id)
        if there is None or there != float(score):
            findings.tell(b"missing" if there is None else b"misplaced", entry, b"" if there is None else _text(there))
            joins.append((b"ZADD", key, score, id))
        return True
    if kind == b"<":
        there = scores_at(ctx, key).get(member_of(kind, token, id))
        if there != 0:
            findings.tell(b"missing" if there is None else b"misplaced", entry, b"" if there is None else _text(there))
            joins.append((b"ZADD", key, b"0", member_of(kind, token, id)))
        return True
    owner = hash_at(ctx, key).get(token)
    if owner == id:
        return True
    if owner is not None:
        if ctx.value(side[:-1] + b":" + owner) is not None:
            findings.tell(b"conflict", entry, owner)
            return False
        past = scores_at(ctx, expires).get(owner)
        if past is None or past > ctx.now:
            findings.tell(b"taken", entry, owner)
    findings.tell(b"missing", entry)
    joins.append((b"HSET", key, token, id))
    return True


def _compare_text(
    ctx: Context,
    want: _Wanted,
    side: bytes,
    id: bytes,
    findings: _Findings,
    joins: list[tuple[bytes, bytes, bytes, bytes]],
) -> bool:
    """Whether a word, or a text, stands where it should; tells what is wrong if it does not."""
    key, entry, value = want
    kind, path, token = split(entry)
    there: object
    listed = True
    if kind == b"t":
        there = hash_at(ctx, key).get(id)
        right = there == value
    else:
        there = scores_at(ctx, key).get(id)
        right = there == float(value)
        words = side + path + b":~words"
        listed = wrong_type_at(ctx, words, b"zset") is None and token in scores_at(ctx, words)
        if not listed:
            joins.append((b"ZADD", words, b"0", token))
    if not (right and listed):
        findings.tell(b"misplaced" if there is not None and listed else b"missing", entry)
    return right and listed
