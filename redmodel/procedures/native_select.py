"""The native twin of select.lua: which records meet the conditions, by Python's set algebra on live containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from redmodel.errors import ReplyError
from redmodel.procedures.containers import NOBODY, Ids, hash_at, scores_at, set_at
from redmodel.procedures.native_select_places import InShape
from redmodel.procedures.native_write import drop_due
from redmodel.procedures.registry import Context


def _union(parts: Iterable[Ids]) -> Ids:
    found: set[bytes] = set()
    return found.union(*parts)


class All:
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


class InSet(All):
    """The members of one index set."""

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        return ids & set_at(ctx, self.key)


class InSets:
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


class InRange:
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


class Owner:
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


class Every:
    """What meets all children: starts from the cheapest, never from a negation where another is there."""

    __slots__ = ("children", "universe")

    def __init__(self, children: list[Node], universe: bytes) -> None:
        self.children, self.universe = children, universe

    def estimate(self, ctx: Context) -> int:
        return min(child.estimate(ctx) for child in self.children)

    def collect(self, ctx: Context) -> Ids:
        drivers: list[Node] = [child for child in self.children if not isinstance(child, Neither)]
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
            if isinstance(negation, Neither):
                found = negation.keep(ctx, found)
        return found

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        for child in self.children:
            ids = child.keep(ctx, ids)
        return ids


class Either:
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


class Neither:
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


class Node(Protocol):
    """A condition that knows how many ids may meet it, which ids do, and which of some do."""

    def estimate(self, ctx: Context) -> int: ...
    def collect(self, ctx: Context) -> Ids: ...
    def keep(self, ctx: Context, ids: Ids) -> Ids: ...


NODES: dict[bytes, Callable[[Program], Node]] = {b"o": InShape}
"""The further kinds of nodes, which stand in modules of their own, and what reads their arguments."""


class Program:
    """Reads the arguments in their order."""

    __slots__ = ("argv", "at", "ctx", "keys", "universe", "writes")

    def __init__(self, ctx: Context, keys: list[bytes], argv: list[bytes], at: int, *, writes: bool) -> None:
        self.ctx, self.keys, self.argv, self.at = ctx, keys, argv, at
        self.universe = keys[0]
        """The ids of the model of which nodes are read."""
        self.writes = writes
        """Whether stale entries may be cleared away."""

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
        kind, universe = self.word(), self.universe
        if kind == b"=":
            return InSet(self.key())
        if kind == b"#":
            return InRange(self.key(), self.word(), self.word())
        if kind == b"&":
            return Every([self.node() for _ in range(int(self.word()))], universe)
        if kind == b"|":
            return Either([self.node() for _ in range(int(self.word()))])
        if kind == b"~":
            return Neither(self.node(), universe)
        if kind == b"u":
            return InSets([self.key() for _ in range(int(self.word()))])
        if kind == b"!":
            return Owner(self.key(), self.word())
        return All(universe) if kind == b"*" else NODES[kind](self)


def guard(ctx: Context, side: bytes, asked: bytes) -> bytes:
    """The flags alone, after a look whether each index that is used can answer; ReplyError as select.lua has it."""
    flags, _, rest = asked.partition(b"\x1f")
    if not rest:
        return flags
    reader, *pairs = rest.split(b"\x1f")
    for pair in pairs:
        path, _, meaning = pair.partition(b"\x1e")
        refuse_unready(ctx, side, reader, path, meaning)
    return flags


def refuse_unready(ctx: Context, side: bytes, reader: bytes, path: bytes, meaning: bytes) -> None:
    """Raise the ReplyError of ready.lua if an index can't answer (yet)."""
    state = hash_at(ctx, side + b"schema").get(b"index:" + path)
    why = ""
    if state is None:
        why = "UNREADY" if ctx.value(side + b"ids") is not None else ""
    elif state[1:] != meaning or state[:1] not in (b"+", b"~"):
        why = "UNREADY"
    elif state[:1] == b"~" and ctx.value(side + b"~" + path) is not None:
        why = "UNSETTLED"
    if why:
        raise ReplyError(f"{why} {reader.decode()} {side.decode()} {path.decode()}")


def due_ids(ctx: Context, side: bytes, expires: bytes, may_write: bool) -> tuple[Ids, bool]:
    """The records whose time is over, and whether anything may be written: some are dropped on the way where it may."""
    if ctx.value(expires) is None:
        return NOBODY, may_write
    if may_write:
        try:
            drop_due(ctx, side, 128)
        except ReplyError:
            may_write = False  # nothing can be written now, and this is a read
        if ctx.value(expires) is None:
            return NOBODY, may_write
    return frozenset(ctx.call(b"ZRANGEBYSCORE", expires, b"-inf", b"(%d" % ctx.now)), may_write
