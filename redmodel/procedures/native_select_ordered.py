"""The native twin of select_ordered.lua: ranges and patterns of texts in byte order, and the order by them."""

from __future__ import annotations

import re
from collections.abc import Callable

from redmodel.procedures.containers import Ids, hash_at, set_at
from redmodel.procedures.native_find import ORDERS, STRAIGHT, Value
from redmodel.procedures.native_select import NODES, All, Node, Program
from redmodel.procedures.registry import Context

SCRIPT = "select_ordered"
"""The part of the scripts whose twin this is."""

_CHARACTER = rb"[^\x80-\xbf][\x80-\xbf]*+"


def _ids(entries: list[bytes]) -> list[bytes]:
    return [entry[entry.find(b"\x00") + 1 :] for entry in entries]


def _text_of(ctx: Context, side: bytes, path: bytes) -> Callable[[bytes], bytes | None]:
    """A function from an id to its text, as its log tells it."""
    log, needle = hash_at(ctx, side + b"log").get, b"<" + path + b"\x1f"

    def text(id: bytes) -> bytes | None:
        entries = (log(id) or b"")[9:].split(b"\x1e")
        return next((entry[len(needle) :] for entry in entries if entry.startswith(needle)), None)

    return text


class Texts:
    """The records whose texts lie in a range; the low end is included, the high one not."""

    __slots__ = ("high", "key", "low", "path")

    def __init__(self, key: bytes, path: bytes, low: bytes, high: bytes) -> None:
        self.key, self.path, self.low, self.high = key, path, low, high

    def size(self, ctx: Context) -> int:
        return int(ctx.call(b"ZLEXCOUNT", self.key, self.low, self.high))

    def estimate(self, ctx: Context) -> int:
        return 4 * self.size(ctx)

    def meets(self, text: bytes) -> bool:
        return (self.low == b"-" or self.low[1:] <= text) and (self.high == b"+" or text < self.high[1:])

    def collect(self, ctx: Context) -> Ids:
        return set(_ids(ctx.call(b"ZRANGEBYLEX", self.key, self.low, self.high)))

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        if self.size(ctx) <= len(ids):
            return ids & self.collect(ctx)
        text = _text_of(ctx, self.key[: -len(self.path)], self.path)
        return {id for id in ids if (found := text(id)) is not None and self.meets(found)}


class Fitting(Texts):
    """Those of them that fit a pattern."""

    __slots__ = ("_fits",)

    def __init__(self, key: bytes, path: bytes, low: bytes, high: bytes, pieces: list[bytes]) -> None:
        super().__init__(key, path, low, high)
        first, *rest = [_CHARACTER.join(map(re.escape, piece.split(b"\x00"))) for piece in pieces]
        middle = b"".join(b"(?>.*?%b)" % piece for piece in rest[:-1])
        self._fits = re.compile(first + middle + b"".join(b".*" + piece for piece in rest[-1:]), re.DOTALL).fullmatch

    def meets(self, text: bytes) -> bool:
        return super().meets(text) and self._fits(text) is not None

    def collect(self, ctx: Context) -> Ids:
        entries: list[bytes] = ctx.call(b"ZRANGEBYLEX", self.key, self.low, self.high)
        found = (entry.partition(b"\x00") for entry in entries)
        return {id for text, _, id in found if self._fits(text) is not None}


def _texts(program: Program) -> Node:
    return Texts(program.key(), program.word(), program.word(), program.word())


def _fitting(program: Program) -> Node:
    return Fitting(program.key(), program.word(), program.word(), program.word(), program.words(1))


NODES[b"<"] = _texts
NODES[b"L"] = _fitting


def _order(ctx: Context, keys: list[bytes], source: bytes) -> Value:
    place, _, path = source.partition(b" ")
    return _text_of(ctx, keys[int(place) - 1][: -len(path)], path)


def _straight(
    ctx: Context, root: Node, keys: list[bytes], source: bytes, direction: bytes, offset: int, limit: int
) -> tuple[list[bytes] | None, int]:
    """A page of the order itself, where nothing but its own range is asked: the ids and the total, or None."""
    key, down = keys[int(source.partition(b" ")[0]) - 1], direction in b"dD"
    if type(root) is Texts and root.key == key:
        ends = (b"ZREVRANGEBYLEX", key, root.high, root.low) if down else (b"ZRANGEBYLEX", key, root.low, root.high)
        return _ids(ctx.call(*ends, b"LIMIT", b"%d" % offset, b"%d" % limit)), root.size(ctx)
    if type(root) is All and limit and direction in b"ad" and offset + limit <= ctx.call(b"ZCARD", key):
        name = b"ZREVRANGE" if down else b"ZRANGE"
        found: list[bytes] = ctx.call(name, key, b"%d" % offset, b"%d" % (offset + limit - 1))
        return _ids(found), len(set_at(ctx, keys[0]))
    return None, 0


ORDERS[b"<"] = _order
STRAIGHT[b"<"] = _straight
