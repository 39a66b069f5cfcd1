"""The native twin of find.lua: the same answers from the engine's own containers, by Python's set algebra.

Nothing here writes but purging and repair, and only where the caller allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from redmodel.errors import ReplyError
from redmodel.procedures.containers import NOBODY, Ids, hash_at, scores_at, set_at
from redmodel.procedures.native_write import drop, drop_due
from redmodel.procedures.registry import Context


def _union(parts: Iterable[Ids]) -> Ids:
    found: set[bytes] = set()
    return found.union(*parts)


class _All:
    """Every record."""

    __slots__ = ("key",)

    def __init__(self, key: bytes) -> None:
        self.key = key

    def estimate(self, ctx: Context) -> int:
        return len(set_at(ctx, self.key))

    def collect(self, ctx: Context) -> Ids:
        return set_at(ctx, self.key)

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        return ids


class _InSet(_All):
    """The members of one index set."""

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        return ids & set_at(ctx, self.key)


class _InSets:
    """The members of any of several index sets."""

    __slots__ = ("keys",)

    def __init__(self, keys: list[bytes]) -> None:
        self.keys = keys

    def estimate(self, ctx: Context) -> int:
        return sum(len(set_at(ctx, key)) for key in self.keys)

    def collect(self, ctx: Context) -> Ids:
        return _union(set_at(ctx, key) for key in self.keys)

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        return _union(ids & set_at(ctx, key) for key in self.keys)


def _limit(text: bytes) -> tuple[float, bool]:
    return (float(text[1:]), True) if text[:1] == b"(" else (float(text), False)


class _InRange:
    """The members of a sorted set whose scores lie in a range."""

    __slots__ = ("high", "key", "low")

    def __init__(self, key: bytes, low: bytes, high: bytes) -> None:
        self.key, self.low, self.high = key, low, high

    def estimate(self, ctx: Context) -> int:
        return 4 * int(ctx.call(b"ZCOUNT", self.key, self.low, self.high))

    def collect(self, ctx: Context) -> Ids:
        return set(ctx.call(b"ZRANGEBYSCORE", self.key, self.low, self.high))

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        score: Callable[[bytes], float | None] = scores_at(ctx, self.key).get
        low, above = _limit(self.low)
        high, below = _limit(self.high)
        if above or below:
            return {
                id
                for id in ids
                if (s := score(id)) is not None
                and (low < s if above else low <= s)
                and (s < high if below else s <= high)
            }
        return {id for id in ids if (s := score(id)) is not None and low <= s <= high}


class _Owner:
    """The owner of one unique value."""

    __slots__ = ("key", "token")

    def __init__(self, key: bytes, token: bytes) -> None:
        self.key, self.token = key, token

    def estimate(self, ctx: Context) -> int:
        return 1

    def collect(self, ctx: Context) -> Ids:
        owner = hash_at(ctx, self.key).get(self.token)
        return NOBODY if owner is None else {owner}

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        return ids & self.collect(ctx)


class _Every:
    """What meets all children: starts from the cheapest, never from a negation where another is there."""

    __slots__ = ("children", "universe")

    def __init__(self, children: list[Node], universe: bytes) -> None:
        self.children, self.universe = children, universe

    def estimate(self, ctx: Context) -> int:
        return min(child.estimate(ctx) for child in self.children)

    def collect(self, ctx: Context) -> Ids:
        drivers: list[Node] = [child for child in self.children if not isinstance(child, _Neither)]
        if not drivers:
            return self.keep(ctx, set_at(ctx, self.universe))
        if len(drivers) > 1:
            # Sets intersect in C, at a fraction of what reading a range costs.
            drivers.sort(key=lambda child: child.estimate(ctx))
        found = drivers[0].collect(ctx)
        for child in drivers[1:]:
            if not found:
                break
            found = child.keep(ctx, found)
        for negation in self.children:
            if isinstance(negation, _Neither):
                found = negation.keep(ctx, found)
        return found

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        for child in self.children:
            ids = child.keep(ctx, ids)
        return ids


class _Either:
    """What meets any child."""

    __slots__ = ("children",)

    def __init__(self, children: list[Node]) -> None:
        self.children = children

    def estimate(self, ctx: Context) -> int:
        return sum(child.estimate(ctx) for child in self.children)

    def collect(self, ctx: Context) -> Ids:
        return _union(child.collect(ctx) for child in self.children)

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        return _union(child.keep(ctx, ids) for child in self.children)


class _Neither:
    """What does not meet the child."""

    __slots__ = ("child", "universe")

    def __init__(self, child: Node, universe: bytes) -> None:
        self.child, self.universe = child, universe

    def estimate(self, ctx: Context) -> int:
        return len(set_at(ctx, self.universe))

    def collect(self, ctx: Context) -> Ids:
        return self.keep(ctx, set_at(ctx, self.universe))

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        return ids - self.child.keep(ctx, ids)


Node: TypeAlias = "_All | _InSet | _InSets | _InRange | _Owner | _Every | _Either | _Neither"


class _Program:
    """Reads the arguments in their order."""

    __slots__ = ("argv", "at", "keys")

    def __init__(self, keys: list[bytes], argv: list[bytes], at: int) -> None:
        self.keys, self.argv, self.at = keys, argv, at

    def word(self) -> bytes:
        self.at += 1
        return self.argv[self.at - 1]

    def key(self) -> bytes:
        return self.keys[int(self.word()) - 1]

    def words(self, width: int) -> list[bytes]:
        n = int(self.word()) * width
        self.at += n
        return self.argv[self.at - n : self.at]

    def node(self) -> Node:
        kind, universe = self.word(), self.keys[0]
        if kind == b"=":
            return _InSet(self.key())
        if kind == b"#":
            return _InRange(self.key(), self.word(), self.word())
        if kind == b"&":
            return _Every([self.node() for _ in range(int(self.word()))], universe)
        if kind == b"|":
            return _Either([self.node() for _ in range(int(self.word()))])
        if kind == b"~":
            return _Neither(self.node(), universe)
        if kind == b"u":
            return _InSets([self.key() for _ in range(int(self.word()))])
        if kind == b"!":
            return _Owner(self.key(), self.word())
        return _All(universe)


def _text(ctx: Context, records: bytes, field: bytes, id: bytes) -> bytes | None:
    found = hash_at(ctx, records + id).get(field)
    return None if found == b"\x00" else found  # None, where a missing field means another value


def _number(id: bytes) -> float | None:
    try:
        return float(id)
    except ValueError:
        return None


def _arrange(ctx: Context, ids: Iterable[bytes], orders: list[bytes], keys: list[bytes], records: bytes) -> list[bytes]:
    """Sort by the orders, then by id; records without a value come last."""
    result = sorted(ids, reverse=orders[-1] == b"d")
    for n in range(len(orders) - 3, -1, -3):
        kind, source, direction = orders[n : n + 3]
        value: Callable[[bytes], Any]
        if kind in (b"#", b"?"):
            value = scores_at(ctx, keys[int(source) - 1]).get
        elif kind == b"$":
            value = partial(_text, ctx, records, source)
        elif kind == b"%":
            value = _number
        else:
            result.sort(reverse=direction == b"d")
            continue
        present = [(v, id) for id in result if (v := value(id)) is not None]
        absent = [id for id in result if value(id) is None] if len(present) < len(result) else []
        present.sort(key=lambda pair: pair[0], reverse=direction == b"d")
        result = [id for _, id in present] + absent
    return result


def find(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Answer a query; see find.lua for keys, arguments and reply."""
    reply = _answer(ctx, keys, argv)
    ctx.owes_nothing()
    return reply


def _answer(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    ids, expires = keys[0], keys[1]
    side, records = ids[:-3], ids[:-4] + b":"
    flags, offset, limit, most = argv[0], int(argv[1]), int(argv[2]), int(argv[3])
    may_write = b"w" in flags
    program = _Program(keys, argv, 4)
    columns, orders = program.words(1), program.words(3)
    root = program.node()
    now = b"%d" % ctx.now

    dead: Ids = NOBODY
    if ctx.value(expires) is not None:
        if may_write:
            try:
                drop_due(ctx, side, 128)
            except ReplyError:
                may_write = False  # nothing can be written now, and this is a read
        if ctx.value(expires) is not None:
            dead = frozenset(ctx.call(b"ZRANGEBYSCORE", expires, b"-inf", b"(" + now))

    if b"c" in flags:
        if not dead and isinstance(root, _InRange):
            return [ctx.call(b"ZCOUNT", root.key, root.low, root.high), now, [], []]
        found = root.collect(ctx)
        return [len(found - dead) if dead else len(found), now, [], []]

    members, total = _read_order(ctx, root, orders, keys, offset, limit) if not dead else (None, 0)
    first = 0
    if members is None:
        found = root.collect(ctx)
        if dead:
            found = found - dead
        total = len(found)
        members = _arrange(ctx, found, orders, keys, records) if orders else list(found)
        first = offset
    wanted = len(members) if limit < 0 else limit

    rows: list[list[bytes | None]] = []
    rest: list[bytes] = []
    for id in members[first:] if first else members:
        if len(rows) + len(rest) >= wanted:
            break
        if len(rows) >= most:
            rest.append(id)
            continue
        record = ctx.value(records + id)
        if record is None:
            # The record went without redmodel: its entries are stale.
            total -= 1
            if may_write:
                drop(ctx, side, id)
        else:
            value = record.get
            rows.append([value(column) for column in columns])
    return [total, now, rows, rest]


def _read_order(
    ctx: Context, root: Node, orders: list[bytes], keys: list[bytes], offset: int, limit: int
) -> tuple[list[bytes] | None, int]:
    """An order by one sorted set can be read off the set itself: the page and the total, or None."""
    if len(orders) != 3 or orders[0] not in (b"#", b"?") or limit < 0:
        return None, 0
    key, down, full = keys[int(orders[1]) - 1], orders[2] == b"d", orders[0] == b"#"
    if isinstance(root, _InRange) and root.key == key:
        total = ctx.call(b"ZCOUNT", key, root.low, root.high)
        name, low, high = (
            (b"ZREVRANGEBYSCORE", root.high, root.low) if down else (b"ZRANGEBYSCORE", root.low, root.high)
        )
        return ctx.call(name, key, low, high, b"LIMIT", b"%d" % offset, b"%d" % limit), total
    if type(root) is _All and limit and offset + limit <= ctx.call(b"ZCARD", key):
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
