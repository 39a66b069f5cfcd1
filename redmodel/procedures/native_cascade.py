"""The native twin of cascade.lua, in the same order."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from random import sample
from typing import Any

from redmodel.errors import ReplyError
from redmodel.procedures.containers import hash_at, set_at, wrong_type_at
from redmodel.procedures.entries import whole_entries_of
from redmodel.procedures.native_select import refuse_unready
from redmodel.procedures.native_write import drop, drop_due, lacking, leave, refuse_traces, wait
from redmodel.procedures.registry import Context

DEPTH = 100
_ODD = re.compile(rb"[\x00-\x1f\x7f~]")


@dataclass(frozen=True, slots=True)
class _Rule:
    of: int
    by: int
    path: bytes
    action: bytes
    field: bytes
    none: bytes
    meaning: bytes


def _token(id: bytes) -> bytes:
    return _ODD.sub(lambda odd: b"~%02x" % odd[0][0], id)


@dataclass(slots=True)
class _Walk:
    """What is found on the way down from a record, and what is to be done."""

    ctx: Context
    sides: list[bytes]
    nonces: list[bytes]
    rules: list[_Rule]
    most: int
    all: bool
    budget: int
    state: dict[tuple[int, bytes], str] = field(default_factory=lambda: dict[tuple[int, bytes], str]())
    refused: list[Any] | None = None
    short: bool = False
    barred: list[Any] | None = None
    deeper: list[Any] | None = None
    doomed: list[tuple[int, bytes]] = field(default_factory=lambda: list[tuple[int, bytes]]())
    nulls: list[tuple[_Rule, bytes, bytes, list[bytes]]] = field(
        default_factory=lambda: list[tuple[_Rule, bytes, bytes, list[bytes]]]()
    )
    dead: list[tuple[bytes, bytes]] = field(default_factory=lambda: list[tuple[bytes, bytes]]())
    bars: list[tuple[tuple[int, bytes], list[Any]]] = field(
        default_factory=lambda: list[tuple[tuple[int, bytes], list[Any]]]()
    )

    def record(self, m: int, id: bytes) -> bytes:
        return self.sides[m - 1][:-1] + b":" + id

    def visit(self, m: int, id: bytes, depth: int) -> bool:
        """List what is to be done below a record; whether it may go then."""
        ctx, whole = self.ctx, True
        self.state[m, id] = "way"
        self.refused = (
            self.refused or wrong_type_at(ctx, self.record(m, id), b"hash") or refuse_traces(ctx, self.sides[m - 1], id)
        )
        for rule in self.rules:
            key = self.sides[rule.by - 1] + rule.path + b":" + _token(id)
            self.refused = self.refused or (wrong_type_at(ctx, key, b"set") if rule.of == m else None)
            if self.refused:
                return False
            limit = self.most + 1 if rule.action == b"r" else self.budget
            members: list[bytes] = []
            if rule.of == m:
                found = set_at(ctx, key)
                if found and rule.action == b"c" and depth == DEPTH:
                    limit = 0
                if len(found) > limit and rule.action != b"r":
                    if self.all:
                        self.short = True
                        return False
                    whole, self.deeper = False, self.deeper or [b"deeper", m, id]
                # Any of them, each time others: the first ones may all be on the way already.
                members = list(found) if len(found) <= limit else sample(list(found), max(limit, 0))
            for other in members:
                whole = self._meet(rule, m, id, other, depth) and whole
                if self.refused or self.short:
                    return False
        self.state[m, id] = "doomed" if whole else "stays"
        if whole:
            self.doomed.append((m, id))
        return whole

    def _meet(self, rule: _Rule, m: int, id: bytes, other: bytes, depth: int) -> bool:
        """Look at one record that refers; whether the one that it refers to may still go."""
        ctx, record, spot = self.ctx, self.record(rule.by, other), (rule.by, other)
        there = ctx.value(record)
        if there is None:
            self.dead.append((self.sides[rule.by - 1], other))
            return True
        if rule.field and (
            not isinstance(there, dict)
            or hash_at(ctx, record).get(rule.field) != (b"\0" if id[:1] == b"\0" else b"") + id
        ):
            return True
        state = self.state.get(spot)
        if rule.action == b"r":
            if state in ("way", "doomed"):
                return True
            bar: list[Any] = [b"restrict", m, id, rule.by, other, rule.path]
            self.bars.append((spot, bar))
            if not any(one.action == b"c" and one.by == rule.by for one in self.rules):
                self.refused = bar
            if not self.all:
                self.barred = self.barred or bar
            return self.all
        if rule.action == b"n":
            self.budget -= 1
            side = self.sides[rule.by - 1]
            lacks, unknown = lacking(ctx, side, self.nonces[rule.by - 1])
            self.nulls.append((rule, other, id, lacks))
            self.refused = (
                self.refused
                or unknown
                or wrong_type_at(ctx, record, b"hash")
                or refuse_traces(ctx, side, other)
                or wrong_type_at(ctx, side + rule.path + b":~null", b"set")
            )
            return True
        if state is not None:
            return state != "stays"
        self.budget -= 1
        if self.budget >= 0:
            return self.visit(rule.by, other, depth + 1)
        if self.all:
            self.short = True
        else:
            self.deeper = self.deeper or [b"deeper", m, id]
        return False

    def forget(self, rule: _Rule, other: bytes, id: bytes, lacks: list[bytes], version: bytes) -> None:
        """Let a record refer to nothing."""
        call, side, record = self.ctx.call, self.sides[rule.by - 1], self.record(rule.by, other)
        entry, null = b"=" + rule.path + b"\x1f" + _token(id) + b"\x1e", b"=" + rule.path + b"\x1f~null\x1e"
        text = hash_at(self.ctx, side + b"log").get(other, b"")[9:].replace(entry, b"", 1)
        text = text if null in text else text + null
        # What is unique or indexed together with others stands there no more where one of them is None.
        freed: list[tuple[bytes, bytes, bytes]] = []
        for whole in whole_entries_of(b"." * 9 + text):
            path, _, held = whole[1:-1].partition(b"\x1f")
            if whole[:1] in b"!#" and path != rule.path and rule.path in path.split(b"+"):
                freed.append((whole[:1], path, held))
                text = text.replace(whole, b"", 1) + b"=" + path + b"\x1f~null\x1e"
        call(b"HSET", side + b"log", other, self.nonces[rule.by - 1] + b"u" + text)
        wait(self.ctx, side, other, lacks)
        call(b"SADD", side + rule.path + b":~null", other)
        call(b"SREM", side + rule.path + b":" + _token(id), other)
        for kind, path, held in freed:
            leave(self.ctx, side, other, kind, path, held)
            with suppress(ReplyError):
                call(b"SADD", side + path + b":~null", other)
        if rule.none:
            call(b"HSET", record, rule.field, rule.none)
        else:
            call(b"HDEL", record, rule.field)
        before = hash_at(self.ctx, record).get(b"@version")
        if before is not None:
            call(b"HSET", record, b"@version", version + before[:16])


def cascade(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Delete one record, and what refers to it as declared; see cascade.lua for keys, arguments and reply."""
    id, most, mode, version, expected, *words = argv
    sides = [key[:-3] for key in keys[4:]]
    nonces, words = words[: len(sides)], words[len(sides) :]
    last = 1 + 2 * int(words[0])
    later, words = words[1:last], words[last:]
    rules = [_Rule(int(words[i]), int(words[i + 1]), *words[i + 2 : i + 7]) for i in range(0, len(words), 7)]
    for rule in rules:
        reader = nonces[rule.by - 1][5:8].hex().encode()
        refuse_unready(ctx, sides[rule.by - 1], reader, rule.path, rule.meaning)
    walk = _Walk(ctx, sides, nonces, rules, int(most), mode == b"a", int(most))
    there = ctx.value(keys[0])
    held = hash_at(ctx, keys[0]).get(b"@version") if expected and isinstance(there, dict) else None
    if held is not None and held[:16] != expected:
        return [b"moved", b"%d" % ctx.now, [word for pair in hash_at(ctx, keys[0]).items() for word in pair]]
    walk.state.update({(int(m), one): "way" for m, one in zip(later[::2], later[1::2], strict=True)})
    existed = there is not None
    over = walk.visit(1, id, 0)
    if walk.refused:
        return walk.refused
    if walk.all:
        if walk.short:
            return [b"many"]
        for spot, bar in walk.bars:
            if walk.state.get(spot) != "doomed":
                return bar
    elif not over and not walk.doomed and not walk.nulls and not walk.dead:
        return walk.barred or walk.deeper
    touched = 0
    for rule, other, target, lacks in walk.nulls:
        if walk.state.get((rule.by, other)) != "doomed":
            walk.forget(rule, other, target, lacks, version)
            touched += 1
    for side, other in walk.dead:
        drop(ctx, side, other)
    for m, one in walk.doomed:
        ctx.call(b"DEL", walk.record(m, one))
        drop(ctx, walk.sides[m - 1], one)
        touched += 1
    if ctx.value(keys[3]) is not None:
        drop_due(ctx, walk.sides[0], 16)
    if over:
        return [b"done", int(existed), touched - 1]
    return [b"more", touched + len(walk.dead)]
