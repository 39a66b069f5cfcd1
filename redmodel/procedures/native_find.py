"""The native twin of find.lua: order, pages and rows of the records that meet the conditions.

Nothing here writes but purging and repair, and only where the caller allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from redmodel.procedures.containers import hash_at, scores_at, set_at
from redmodel.procedures.native_position import Position
from redmodel.procedures.native_select import All, InRange, Node, Program, due_ids, guard
from redmodel.procedures.native_write import drop
from redmodel.procedures.registry import Context

Value: TypeAlias = Callable[[bytes], Any]


def _text(ctx: Context, records: bytes, field: bytes, id: bytes) -> bytes | None:
    found = hash_at(ctx, records + id).get(field)
    return None if found == b"\x00" else found  # None, where a missing field means another value


def _number(id: bytes) -> float | None:
    try:
        return float(id)
    except ValueError:
        return None


ORDERS: dict[bytes, Callable[[Context, list[bytes], bytes], Value]] = {}
"""The further kinds of orders, which stand in modules of their own: from keys and source to what is said of an id."""

Straight: TypeAlias = Callable[[Context, Node, list[bytes], bytes, bytes, int, int], tuple[list[bytes] | None, int]]
STRAIGHT: dict[bytes, Straight] = {}
"""What reads a page straight off such an order: from root, keys, source, direction, offset and limit."""


def _value_of(ctx: Context, kind: bytes, source: bytes, keys: list[bytes], records: bytes) -> Value:
    """A function from an id to what an order says of it: a number, a text, or None."""
    if kind in (b"#", b"?"):
        return scores_at(ctx, keys[int(source) - 1]).get
    if kind == b"$":
        return partial(_text, ctx, records, source)
    if kind == b"%":
        return _number
    if kind == b"@":
        return lambda member: member
    return ORDERS[kind](ctx, keys, source)


def _arrange(ctx: Context, ids: Iterable[bytes], orders: list[bytes], keys: list[bytes], records: bytes) -> list[bytes]:
    """Sort by the orders, then by id; records without a value come last where the direction does not say otherwise."""
    result = sorted(ids, reverse=orders[-1] in b"dD")
    for n in range(len(orders) - 3, -1, -3):
        kind, source, direction = orders[n : n + 3]
        down = direction in b"dD"
        if kind == b"@":
            result.sort(reverse=down)
            continue
        value = _value_of(ctx, kind, source, keys, records)
        present = [(v, id) for id in result if (v := value(id)) is not None]
        absent = [id for id in result if value(id) is None] if len(present) < len(result) else []
        present.sort(key=lambda pair: pair[0], reverse=down)
        there = [id for _, id in present]
        result = absent + there if direction in b"AD" else there + absent
    return result


def find(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Answer a query; see find.lua for keys, arguments and reply."""
    reply = _answer(ctx, keys, argv)
    ctx.owes_nothing()
    return reply


def _answer(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    ids, expires = keys[0], keys[1]
    side, records = ids[:-3], ids[:-4] + b":"
    flags, offset, limit, most = guard(ctx, side, argv[0]), int(argv[1]), int(argv[2]), int(argv[3])
    may_write = b"w" in flags
    program = Program(keys, argv, 4)
    columns, orders = program.words(1), program.words(3)
    walk = Position(program, orders) if b"k" in flags else None
    root = program.node()
    now = b"%d" % ctx.now

    dead, may_write = due_ids(ctx, side, expires, may_write)

    if b"c" in flags:
        if not dead and isinstance(root, InRange):
            return [ctx.call(b"ZCOUNT", root.key, root.low, root.high), now, [], []]
        found = root.collect(ctx)
        return [len(found - dead) if dead else len(found), now, [], []]

    members: Iterable[bytes] | None = None
    total = 0
    if walk is not None and not dead:
        members = walk.chunks(ctx, root, orders, keys, offset, limit)
    elif not dead:
        members, total = _read_order(ctx, root, orders, keys, offset, limit)
    places = [_value_of(ctx, kind, at, keys, records) for kind, at in zip(orders[::3], orders[1::3], strict=True)]
    if members is None:
        found = root.collect(ctx)
        if dead:
            found = found - dead
        total = len(found)
        if walk is not None and walk.id is not None:
            beyond = walk.beyond(orders, places)
            found = {id for id in found if beyond(id)}
        members = _arrange(ctx, found, orders, keys, records) if orders else list(found)
        if walk is not None and walk.back:
            members.reverse()
        if offset:
            members = members[offset:]
    wanted = limit if limit >= 0 else float("inf")

    rows: list[list[bytes | None]] = []
    rest: list[bytes] = []
    given: list[bytes] = []
    stale: list[bytes] = []
    more = False
    for id in members:
        if len(given) >= wanted:
            more = True
            break
        if len(rows) >= most:
            rest.append(id)
            given.append(id)
            continue
        record = ctx.value(records + id)
        if record is None:
            # The record went without redmodel: its entries are stale.
            total -= 1
            stale.append(id)
        else:
            value = record.get
            rows.append([value(column) for column in columns])
            given.append(id)
    if may_write:  # not before: members of an order are told by their rank
        for id in stale:
            drop(ctx, side, id)
    values: list[Any] = []
    if b"s" in flags:
        placed = _value_of(ctx, orders[0], orders[1], keys, records)
        values = [b"%.17g" % value if isinstance(value, float) else value for value in map(placed, given)]
    if walk is None:
        return [total, now, rows, rest, values] if values or b"s" in flags else [total, now, rows, rest]
    if walk.back:
        rows.reverse()
        given.reverse()
        values.reverse()
    ends = [walk.spelled(places, id) for id in (given[0], given[-1])] if given else []
    return [-1, now, rows, rest, values, ends, int(more)]


def _read_order(
    ctx: Context, root: Node, orders: list[bytes], keys: list[bytes], offset: int, limit: int
) -> tuple[list[bytes] | None, int]:
    """An order by one sorted set can be read off the set itself: the page and the total, or None."""
    if len(orders) == 3 and limit >= 0 and (straight := STRAIGHT.get(orders[0])) is not None:
        return straight(ctx, root, keys, orders[1], orders[2], offset, limit)
    if len(orders) != 3 or orders[0] not in (b"#", b"?") or limit < 0:
        return None, 0
    key, down, full = keys[int(orders[1]) - 1], orders[2] in b"dD", orders[0] == b"#"
    if isinstance(root, InRange) and root.key == key:
        total = ctx.call(b"ZCOUNT", key, root.low, root.high)
        name, low, high = (
            (b"ZREVRANGEBYSCORE", root.high, root.low) if down else (b"ZRANGEBYSCORE", root.low, root.high)
        )
        return ctx.call(name, key, low, high, b"LIMIT", b"%d" % offset, b"%d" % limit), total
    if type(root) is All and limit and orders[2] in b"ad" and offset + limit <= ctx.call(b"ZCARD", key):
        name = b"ZREVRANGE" if down else b"ZRANGE"
        return ctx.call(name, key, b"%d" % offset, b"%d" % (offset + limit - 1)), len(set_at(ctx, keys[0]))
    # Records that were written before the field was indexed are in no sorted set until they are saved whole.
    if not full or len(scores_at(ctx, key)) < len(set_at(ctx, keys[0])):
        return None, 0
    found = root.collect(ctx)
    if not found or len(found) * 8 < len(scores_at(ctx, key)):
        return None, 0
    # Many of the records meet the conditions: walk the order until the page is full.
    page: list[bytes] = []
    skip = offset
    step = 4 * (offset + limit) + 16
    name = b"ZREVRANGE" if down else b"ZRANGE"
    at = 0
    while len(page) < limit:
        chunk = ctx.call(name, key, b"%d" % at, b"%d" % (at + step - 1))
        if not chunk:
            break
        at += step
        for id in chunk:
            if id in found:
                if skip:
                    skip -= 1
                elif len(page) < limit:
                    page.append(id)
    return page, len(found)
