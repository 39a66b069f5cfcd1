"""The native twin of aggregate.lua: records counted in groups and measured, from the indexes alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from redmodel.procedures.containers import hash_at, scores_at
from redmodel.procedures.native_select import Program, due_ids, guard
from redmodel.procedures.registry import Context

_NULL = b"~null"
_SHIFT = 67108864
_EXACT = 9007199254740991


class _Group:
    """What is known of one group so far."""

    __slots__ = ("count", "high", "id", "low", "n", "rest", "sum")

    def __init__(self, id: bytes) -> None:
        self.id = id
        self.count = self.n = 0
        self.sum = self.rest = 0.0
        self.low = math.inf
        self.high = -math.inf


def _text(number: float) -> bytes:
    return b"%.17g" % number


def _tokens(
    ctx: Context, keys: list[bytes], side: bytes, kind: bytes, path: bytes, start: float, width: float
) -> Callable[[bytes], Iterable[bytes]]:
    """A function that gives the groups a record belongs to."""
    if kind == b"-":
        return lambda _: (b"",)
    if kind == b"=":
        log, needle = hash_at(ctx, side + b"log").get, path + b"\x1f"

        def logged(id: bytes) -> list[bytes]:
            entries = (log(id) or b"")[9:].split(b"\x1e")
            return [entry[1 + len(needle) :] for entry in entries if entry.startswith(needle, 1) and entry[0] != 60]

        return logged
    score = scores_at(ctx, keys[int(path) - 1]).get

    def stepped(id: bytes) -> tuple[bytes]:
        value = score(id)
        if value is None:
            return (_NULL,)
        if kind == b"~" and math.isfinite(value):
            value = start + math.floor((value - start) / width) * width
        return (_text(value),)

    return stepped


def aggregate(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Count and measure records in groups; see aggregate.lua for keys, arguments and reply."""
    side, records = keys[0][:-3], keys[0][:-4] + b":"
    flags, kind, path, most = guard(ctx, side, argv[0]), argv[1], argv[2], int(argv[6])
    measure = scores_at(ctx, keys[int(argv[5]) - 1]).get if argv[5] else None
    program = Program(ctx, keys, argv, 7, writes=b"w" in flags)
    columns = program.words(1)
    root = program.node()
    dead, _ = due_ids(ctx, side, keys[1], b"w" in flags)
    ctx.owes_nothing()
    found = root.collect(ctx) - dead
    tokens = _tokens(ctx, keys, side, kind, path, float(argv[3] or 0), float(argv[4] or 1))
    whole = b"i" in flags
    groups: dict[bytes, _Group] = {}
    for id in found:
        value = None if measure is None else measure(id)
        for token in tokens(id):
            group = groups.get(token)
            if group is None:
                if len(groups) == most:
                    return [b"groups", most + 1]
                group = groups[token] = _Group(id)
            group.count += 1
            if value is not None and not _add(group, value, whole):
                return [b"inexact"]
    return [_reply(ctx, token, group, records, columns, b"v" in flags, kind) for token, group in groups.items()]


def _add(group: _Group, value: float, whole: bool) -> bool:
    group.n += 1
    if whole:
        rest = value % _SHIFT
        group.sum += (value - rest) / _SHIFT
        group.rest += rest
        if abs(group.sum) > _EXACT:
            return False
    else:
        group.sum += value
    group.low = min(group.low, value)
    group.high = max(group.high, value)
    return True


def _reply(
    ctx: Context, token: bytes, group: _Group, records: bytes, columns: list[bytes], rows: bool, kind: bytes
) -> list[Any]:
    ends = [_text(group.low), _text(group.high)] if group.n else [b"", b""]
    reply: list[Any] = [token, group.count, group.n, _text(group.sum), _text(group.rest), *ends]
    if token != _NULL and (rows or (kind == b"=" and token.startswith(b"~"))):
        held = hash_at(ctx, records + group.id)
        reply.append([held.get(column) for column in columns])
    return reply
