"""What a command answers: Python's own objects, and the few shapes of Redis that Python has no word for.

bytes is a bulk string, int an integer, None a nil, list an array, dict a map (a flat array in RESP2), float a double (a
bulk string in RESP2, see `double_text`). The classes here are subclasses of those, so that callers who don't care about
the wire need not know them. Nothing here formats the wire itself: that is the room ``resp``.
"""

from __future__ import annotations

from math import isinf
from typing import Any, TypeAlias

from redmodel.errors import ReplyError

Reply: TypeAlias = "bytes | int | float | None | list[Any] | dict[Any, Any] | ReplyError"
"""One reply; inside an array (of EXEC, of a pipeline) an error is a value."""


class Status(bytes):
    """A status line, ``+OK`` on the wire."""

    __slots__ = ()


class Verbatim(bytes):
    """Text for people: a bulk string in RESP2, a verbatim string of format ``txt`` in RESP3."""

    __slots__ = ()


class LongDouble(bytes):
    """A double that Redis prints with more digits than it has: a bulk string in RESP2, a double in RESP3."""

    __slots__ = ()


class BigNumber(bytes):
    """A number of any length, as its digits: a bulk string in RESP2."""

    __slots__ = ()


class SetReply(list[Any]):
    """An array of which RESP3 says that it is a set."""

    __slots__ = ()


class Pairs(list[Any]):
    """A list of 2-tuples: flat in RESP2, an array of two-element arrays in RESP3 (WITHSCORES, WITHVALUES)."""

    __slots__ = ()


class Keyed(list[Any]):
    """A list of 2-tuples: an array of two-element arrays in RESP2, a map in RESP3 (XREAD)."""

    __slots__ = ()


class Push(list[Any]):
    """A message that nobody asked for, or the answer of SUBSCRIBE and its kin: an array in RESP2."""

    __slots__ = ()


class Attributes(dict[Any, Any]):
    """What RESP3 may tell about the reply that follows; RESP2 has no word for it."""

    __slots__ = ()


class Several(list[Any]):
    """More replies to one command than one, or none at all."""

    __slots__ = ()


class NilArray(list[Any]):
    """The nil of an array, which RESP2 spells differently, inside another reply; alone it is None, as every nil."""

    __slots__ = ()


OK = Status(b"OK")
QUEUED = Status(b"QUEUED")
PONG = Status(b"PONG")
NIL_ARRAY = NilArray()
SILENCE = Several()  # CLIENT REPLY OFF


def double_text(value: float) -> bytes:
    """Format a double as Redis 7.0 prints it in RESP2: 17 significant digits.

    >>> double_text(0.1), double_text(3.0), double_text(float("-inf"))
    (b'0.10000000000000001', b'3', b'-inf')
    """
    if isinf(value):
        return b"inf" if value > 0 else b"-inf"
    return b"%.17g" % value
