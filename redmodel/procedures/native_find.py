"""The native twin of find.lua: order, pages and rows of the records that meet the conditions.

Nothing here writes but purging and repair, and only where the caller allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from heapq import nlargest, nsmallest
from itertools import islice
from typing import Any, TypeAlias

from redmodel.procedures.containers import Ids, hash_at, scores_at, set_at
from redmodel.procedures.native_position import Position
from redmodel.procedures.native_select import All, Every, InRange, Node, Program, due_ids, guard
from redmodel.procedures.native_select_places import by_distance
from redmodel.procedures.native_select_vectors import BY_NEARNESS
from redmodel.procedures.native_stream import STEP, ranks, share, sifted, streamed, tally, walked
from redmodel.procedures.native_write import drop
from redmodel.procedures.registry import Context

Value: TypeAlias = Callable[[bytes], Any]


def _text(ctx: Context, records: bytes, field: bytes, id: bytes) -> bytes | None:
    found = hash_at(ctx, records + id).get(field)
    return None if found == b"\x00" else found  # None, where a missing field means another value


def number_of(id: bytes) -> float | None:
    try:
        return float(id)
    except ValueError:
        return None


ORDERS: dict[bytes, Callable[[Context, list[bytes], bytes], Value]] = {b"o": by_distance, **BY_NEARNESS}
"""Further kinds of orders, from keys and source to what is said of an id."""

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
        return number_of
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


def _arrange_first(
    ctx: Context, ids: Collection[bytes], orders: list[bytes], keys: list[bytes], records: bytes, most: int
) -> list[bytes]:
    """The first of the order: all are looked at, and only those sorted that may be among them."""
    if len(ids) < 4 * most + 200:
        return _arrange(ctx, ids, orders, keys, records)
    kind, source, direction = orders[:3]
    best: Callable[..., list[Any]] = nlargest if direction in b"dD" else nsmallest
    if kind == b"@":
        return best(most, ids)
    value = _value_of(ctx, kind, source, keys, records)
    values = {id: value(id) for id in ids}
    ends = best(most, [held for held in values.values() if held is not None])
    nulls = direction in b"AD"
    if not ends or (len(ends) < most and not nulls):
        return _arrange(ctx, ids, orders, keys, records)
    worst = ends[-1]
    if direction in b"dD":
        among = [id for id, held in values.items() if (nulls if held is None else held >= worst)]
    else:
        among = [id for id, held in values.items() if (nulls if held is None else held <= worst)]
    return _arrange(ctx, among, orders, keys, records)[:most]


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
    program = Program(ctx, keys, argv, 4, writes=may_write)
    columns, orders = program.words(1), program.words(3)
    walk = Position(program, orders) if b"k" in flags else None
    if b"p" in flags:
        program.words(1)  # sets are fast here, so all is done in one go
    root = program.node()
    now = b"%d" % ctx.now

    dead, may_write = due_ids(ctx, side, expires, may_write)

    if b"c" in flags:
        known = tally(ctx, root, ids, dead)
        if known is None:
            found = root.collect(ctx)
            known = len(found - dead) if dead else len(found)
        return [known, now, [], []]

    counts = walk is None and b"n" not in flags
    places = [_value_of(ctx, kind, at, keys, records) for kind, at in zip(orders[::3], orders[1::3], strict=True)]
    last = offset + limit if limit >= 0 else -1
    members: Iterable[bytes] | None
    members, total, skip = _read_order(ctx, root, orders, keys, walk, offset, last, counts, dead)
    if members is None and not orders and limit >= 0 and not counts:
        members = streamed(ctx, root, limit + 1)
    if members is None:
        found = root.collect(ctx)
        if dead:
            found = found - dead
        total, skip = len(found), offset
        if walk is not None and walk.id is not None:
            beyond = walk.beyond(orders, places)
            found = {id for id in found if beyond(id)}
        if not orders:
            members = found
        elif walk is not None and walk.back:
            members = _arrange(ctx, found, orders, keys, records)[::-1]
        elif limit >= 0:
            members = _first_and_others(ctx, found, orders, keys, records, last + 1)
        else:
            members = _arrange(ctx, found, orders, keys, records)
    elif dead:
        members = (id for id in members if id not in dead)
    wanted = limit if limit >= 0 else float("inf")

    rows: list[list[bytes | None]] = []
    rest: list[bytes] = []
    given: list[bytes] = []
    stale: list[bytes] = []
    more = False
    for id in islice(members, skip, None) if skip else members:
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
    if not counts:
        total = -1
    if walk is None:
        return [total, now, rows, rest, values] if b"s" in flags else [total, now, rows, rest]
    if walk.back:
        rows.reverse()
        given.reverse()
        values.reverse()
    ends = [walk.spelled(places, id) for id in (given[0], given[-1])] if given else []
    return [total, now, rows, rest, values, ends, int(more)]


def _first_and_others(
    ctx: Context, ids: Ids, orders: list[bytes], keys: list[bytes], records: bytes, most: int
) -> Iterator[bytes]:
    """All in order; the further ones, which are wanted only where the first are stale, sorted when it comes to them."""
    first = _arrange_first(ctx, ids, orders, keys, records, most)
    yield from first
    if len(first) < len(ids):
        yield from _arrange(ctx, ids, orders, keys, records)[len(first) :]


def _read_order(
    ctx: Context,
    root: Node,
    orders: list[bytes],
    keys: list[bytes],
    walk: Position | None,
    offset: int,
    last: int,
    counts: bool,
    dead: Ids,
) -> tuple[Iterable[bytes] | None, int, int]:
    """An order by one sorted set may be read off the set itself, and what else is asked of each member looked up.

    Returns the members, their total and how many of them to skip; None where that costs more than to sort what meets
    the conditions, or where it leaves some out.
    """
    no: tuple[None, int, int] = (None, 0, 0)
    plain = len(orders) == (6 if orders[:1] == [b"bm25"] else 3)
    straight = STRAIGHT.get(orders[0]) if plain and last >= 0 and walk is None and not dead else None
    if straight is not None:
        direction = b"".join(orders[2:4])
        return *straight(ctx, root, keys, orders[1], direction, offset, last - offset), 0
    if len(orders) != 3 or orders[0] not in (b"#", b"?") or (walk and walk.id is not None and walk.text is None):
        return no
    key, letter, universe = keys[int(orders[1]) - 1], orders[2], keys[0]
    up = (letter in b"aA") is not (walk is not None and walk.back)
    low, high = 0, len(scores_at(ctx, key))
    others: list[Node] = []
    ranged = False
    for node in root.children if isinstance(root, Every) else [root]:
        if isinstance(node, InRange) and node.key == key and not ranged:
            ranged = True
            low, high = ranks(ctx, node)
        elif type(node) is not All:
            others.append(node)
    span = max(0, high - low)
    # Where records may lack a value, only a range on the same field leaves none of them out.
    full = ranged or span >= len(set_at(ctx, universe))
    if not full and (walk is not None or last < 0 or letter in b"AD"):
        return no
    known = tally(ctx, root, universe, dead) if counts else -1
    if known is None:
        return no  # set algebra is fast here, and gives the total
    if others:
        part = 1.0
        for node in others:
            part *= share(ctx, node, universe)
        cost = min(span, (last + 1 if last >= 0 else span) / max(part, 1e-9))
        if cost * len(others) > 3 * root.estimate(ctx):
            return no
    if walk is not None:
        low, high = walk.cut(ctx, key, low, high, up)
    skip = 0
    if not others and not dead:  # what is skipped need not be looked at
        skip = max(0, min(offset, high - low))
        low, high = (low + skip, high) if up else (low, high - skip)
    size = max(10, min(STEP, (last + 1 - skip) * (2 if others else 1))) if last >= 0 else STEP
    found = sifted(ctx, walked(ctx, key, low, high, up, size), others)
    if not full:
        # If the set ends before the page does, records without a value belong to it.
        page = list(islice((id for id in found if id not in dead), last - skip))
        return (page, known, offset - skip) if len(page) == last - skip else no
    return found, known, offset - skip
