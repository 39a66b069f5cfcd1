"""The native twin of stream.lua: members one after the other, for who stops early, and how many meet a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from redmodel.procedures.containers import Ids, scores_at, set_at
from redmodel.procedures.native_select import All, Either, Every, InRange, InSets, Neither, Node
from redmodel.procedures.registry import Context

STEP = 1000


def _chunks(members: Iterable[bytes], size: int) -> Iterator[set[bytes]]:
    """The members in chunks that begin with ``size`` and grow."""
    source = iter(members)
    while chunk := set(islice(source, size)):
        yield chunk
        size = min(2 * size, STEP)


def walked(ctx: Context, key: bytes, low: int, high: int, up: bool, size: int) -> Iterator[list[bytes]]:
    """The ranks of a sorted set from low to below high, up or down, in chunks that begin with ``size`` and grow."""
    card = len(scores_at(ctx, key))
    while low < high:
        if up:
            last = min(low + size, high)
            yield ctx.call(b"ZRANGE", key, b"%d" % low, b"%d" % (last - 1))
            low = last
        else:
            first = max(high - size, low)
            yield ctx.call(b"ZREVRANGE", key, b"%d" % (card - high), b"%d" % (card - first - 1))
            high = first
        size = min(2 * size, STEP)


def ranks(ctx: Context, node: InRange) -> tuple[int, int]:
    """The ranks of the members of a range."""
    card = len(scores_at(ctx, node.key))
    low = card - ctx.call(b"ZCOUNT", node.key, node.low, b"+inf")
    return low, ctx.call(b"ZCOUNT", node.key, b"-inf", node.high)


def sifted(ctx: Context, chunks: Iterable[Sequence[bytes]], nodes: Sequence[Node]) -> Iterator[bytes]:
    """What meets all the nodes, of chunks of members, in their order."""
    for chunk in chunks:
        if not nodes:
            yield from chunk
            continue
        kept: Ids = set(chunk)
        for node in nodes:
            kept = node.keep(ctx, kept)
        for id in chunk:
            if id in kept:
                yield id


def streamed(ctx: Context, node: Node, size: int) -> Iterator[bytes]:
    """The members that meet a node, in no order; what is looked at begins with ``size`` and grows."""
    if isinstance(node, All):
        yield from set_at(ctx, node.key)
    elif isinstance(node, InRange):
        for chunk in walked(ctx, node.key, *ranks(ctx, node), True, size):
            yield from chunk
    elif isinstance(node, Neither):
        for members in _chunks(set_at(ctx, node.universe), size):
            yield from node.keep(ctx, members)
    elif isinstance(node, Every):
        drivers = [child for child in node.children if not isinstance(child, Neither) and type(child) is not All]
        best = min(drivers, key=lambda child: child.estimate(ctx)) if drivers else All(node.universe)
        for members in _chunks(streamed(ctx, best, size), size):
            kept: Ids = members
            for child in node.children:
                if child is not best:
                    kept = child.keep(ctx, kept)
            yield from kept
    elif isinstance(node, Either | InSets):
        seen: set[bytes] = set()
        parts = node.children if isinstance(node, Either) else [All(key) for key in node.keys]
        for part in parts:
            for id in streamed(ctx, part, size):
                if id not in seen:
                    seen.add(id)
                    yield id
    else:
        yield from node.collect(ctx)


def share(ctx: Context, node: Node, universe: bytes) -> float:
    """The part of all records that meets a node, if no condition had to do with another."""
    if type(node) is All:
        return 1.0
    if isinstance(node, Neither):
        return max(0.0, 1 - share(ctx, node.child, universe))
    if isinstance(node, Every):
        part = 1.0
        for child in node.children:
            part *= share(ctx, child, universe)
        return part
    return min(1.0, node.estimate(ctx) / max(1, len(set_at(ctx, universe))))


def tally(ctx: Context, node: Node, universe: bytes, dead: Ids) -> int | None:
    """How many living records meet a node; None where each would have to be looked at."""
    if isinstance(node, All):
        number = len(set_at(ctx, node.key))
    elif isinstance(node, InRange):
        number = int(ctx.call(b"ZCOUNT", node.key, node.low, node.high))
    else:
        return None
    return number - len(node.keep(ctx, dead & set_at(ctx, universe))) if dead else number
