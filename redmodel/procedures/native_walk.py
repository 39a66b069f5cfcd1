"""The native twin of walk.lua: one bounded step through all records that meet the conditions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from redmodel.procedures.containers import set_at
from redmodel.procedures.native_select import Every, InRange, InSet, Node, Program, due_ids, guard
from redmodel.procedures.native_write import drop
from redmodel.procedures.registry import Context


def walk(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Take one step; see walk.lua for keys, arguments and reply."""
    ids, expires = keys[0], keys[1]
    side, records = ids[:-3], ids[:-4] + b":"
    flags = guard(ctx, side, argv[0])
    place, cursor, step, few = int(argv[1]), argv[2], int(argv[3]), int(argv[4])
    program = Program(ctx, keys, argv, 5, writes=b"w" in flags)
    columns = program.words(1)
    root = program.node()
    dead, may_write = due_ids(ctx, side, expires, b"w" in flags)
    members: Collection[bytes] = ()
    if place == 0:
        place = _smallest(ctx, keys, root)
        cursor = b"-"
        # A range weighs four times its members where it is compared with sets.
        if root.estimate(ctx) <= (4 * few if isinstance(root, InRange) else few):
            cursor, members = b"0", root.collect(ctx) - dead
    else:
        cursor, scanned = ctx.call(b"SSCAN", keys[place - 1], cursor, b"COUNT", argv[3])
        members = root.keep(ctx, {*scanned} - dead)
    rows: list[list[bytes | None]] = []
    rest: list[bytes] = []
    stale: list[bytes] = []
    for id in members:
        if len(rows) >= step:
            rest.append(id)
        elif (record := ctx.value(records + id)) is None:
            stale.append(id)
        else:
            value = record.get
            rows.append([value(column) for column in columns])
    if may_write:
        for id in stale:
            drop(ctx, side, id)
    reply = [cursor, b"%d" % ctx.now, rows, rest, place, len(set_at(ctx, keys[place - 1]))]
    ctx.owes_nothing()
    return reply


def _smallest(ctx: Context, keys: list[bytes], root: Node) -> int:
    best, size = 1, len(set_at(ctx, keys[0]))
    for node in root.children if isinstance(root, Every) else [root]:
        if type(node) is InSet and (n := len(set_at(ctx, node.key))) < size:
            best, size = keys.index(node.key) + 1, n
    return best
