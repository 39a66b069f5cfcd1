"""Replies as every plan reads them: RESP2's shapes, text as bytes, errors as values, whatever the protocol was.

RESP3 has maps, sets, doubles and booleans, and pairs up what RESP2 lists flat; which commands do that is said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from redmodel.database.resending import name_of
from redmodel.errors import ReplyError
from redmodel.plan.core import Command, Reply

# Commands whose replies RESP3 groups in pairs, [[member, score], …], where RESP2 has one flat list.
_PAIRED = frozenset(
    {
        "HRANDFIELD",
        "ZDIFF",
        "ZINTER",
        "ZPOPMAX",
        "ZPOPMIN",
        "ZRANDMEMBER",
        "ZRANGE",
        "ZRANGEBYSCORE",
        "ZREVRANGE",
        "ZREVRANGEBYSCORE",
        "ZUNION",
    }
)
# Commands whose RESP3 map is a list of pairs in RESP2, not a flat list.
_STREAMS = frozenset({"XREAD", "XREADGROUP"})
_SCALARS = frozenset({bytes, int, type(None)})


class PlainReplies:
    """Reads the replies of one batch."""

    def __init__(self, commands: Sequence[Command[Any]], *, resp3: bool) -> None:
        self._commands = commands
        self._resp3 = resp3

    def read(self, reply: Any, position: int) -> Reply:
        """The reply of the command at that position, in RESP2's shape."""
        if type(reply) in _SCALARS:
            plain: Reply = reply
            return plain
        command = self._commands[position]
        name = name_of(command)
        if name == "EXEC" and isinstance(reply, list):
            queued = self._queued(position)
            return [_read(r, name_of(c), self._resp3) for r, c in zip(_items(reply), queued, strict=True)]
        return _read(reply, name, self._resp3)

    def _queued(self, position: int) -> Sequence[Command[Any]]:
        """The commands of the transaction that the EXEC at ``position`` ended."""
        start = position
        while start and name_of(self._commands[start - 1]) != "MULTI":
            start -= 1
        return self._commands[start:position]


def _read(reply: Any, name: str, resp3: bool) -> Reply:
    if resp3:
        if isinstance(reply, dict) and name in _STREAMS:
            return [[plain(stream), plain(entries)] for stream, entries in _pairs(reply)]
        if name in _PAIRED and isinstance(reply, list):
            items = _items(reply)
            if items and all(type(pair) is list for pair in items):
                return [plain(part) for pair in items for part in pair]
    return plain(reply)


def _items(reply: Any) -> list[Any]:
    return list(reply)


def _pairs(reply: Any) -> list[tuple[Any, Any]]:
    return list(reply.items())


def plain(reply: Any) -> Reply:
    """Any value that redis-py parsed, in RESP2's shape.

    >>> plain({b"score": 1.5, "on": True})
    [b'score', b'1.5', b'on', 1]
    """
    kind = cast("type[object]", type(reply))
    if kind in _SCALARS:
        known: Reply = reply
        return known
    if kind is bool:
        return int(reply)
    if kind is float:
        return b"%.17g" % reply
    if isinstance(reply, str):
        return reply.encode("utf-8", "surrogateescape")
    if isinstance(reply, dict):
        return [plain(part) for pair in _pairs(reply) for part in pair]
    if isinstance(reply, list | tuple | set | frozenset):
        return [plain(part) for part in _items(reply)]
    if isinstance(reply, Exception):
        code = getattr(reply, "status_code", None)
        text = str(reply)
        return ReplyError(f"{code} {text}" if code and text.split(" ", 1)[0] != code else text)
    if isinstance(reply, bytes):
        return bytes(reply)
    if isinstance(reply, int):
        return int(reply)
    raise TypeError(f"a reply of the unknown type {kind.__name__}")
