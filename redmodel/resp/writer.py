"""The writer of replies: Python objects in, bytes of RESP 2 or 3 out. No I/O.

The shapes that Python has no word for (a status line, a set, …) are classes of the engine, which this room must not
import: whoever makes a writer says which class is which shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from redmodel.errors import ReplyError

Shape = Literal[
    "status",
    "verbatim",
    "set",
    "pairs",
    "keyed",
    "push",
    "attributes",
    "nil_array",
    "several",
    "long_double",
    "number",
]

_Write = Callable[[Any, list[bytes]], None]
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


class ReplyWriter:
    """Writes replies in one version of the protocol.

    bytes and str are bulk strings, int integers, float doubles, bool booleans, None nil, list and tuple arrays, dict
    maps, `ReplyError` error lines. RESP 2 gets the older form of what it lacks, doubles with 17 digits as Redis 7.0.

    >>> ReplyWriter(2).write({b"a": 0.5}), ReplyWriter(3).write({b"a": 0.5})
    (b'*2\\r\\n$1\\r\\na\\r\\n$3\\r\\n0.5\\r\\n', b'%1\\r\\n$1\\r\\na\\r\\n,0.5\\r\\n')
    """

    def __init__(self, protocol: int, shapes: Mapping[type, Shape] | None = None) -> None:
        """Make a writer.

        Args:
            protocol: 2 or 3.
            shapes: the classes whose instances are status lines (bytes), verbatim texts (bytes), sets (lists), pairs
                (lists of 2-tuples: flat in RESP 2), keyed (lists of 2-tuples: maps in RESP 3), pushes (lists),
                attributes of the reply behind them (dicts; RESP 3 only), the nil of an array inside another reply,
                several replies without a frame (lists), or the text of a double (bytes: a bulk string in RESP 2).
        """
        self.protocol = protocol
        modern = protocol >= 3
        self._nil = b"_\r\n" if modern else b"$-1\r\n"
        self._nil_array = b"_\r\n" if modern else b"*-1\r\n"
        self._writers: dict[type, _Write] = {
            bytes: _bulk,
            str: _text,
            int: _integer,
            type(None): self._write_nil,
            float: _double if modern else _double_text,
            bool: _boolean if modern else _integer,
            list: self._array,
            tuple: self._array,
            dict: self._map if modern else self._flat_map,
            ReplyError: _error,
        }
        by_shape: dict[Shape, _Write] = {
            "status": _status,
            "verbatim": _verbatim if modern else _bulk,
            "set": self._set if modern else self._array,
            "pairs": self._array if modern else self._flat_pairs,
            "keyed": self._keyed if modern else self._array,
            "push": self._push if modern else self._array,
            "attributes": self._attributes,
            "nil_array": self._write_nil_array,
            "several": self._items,
            "number": _big_number if modern else _bulk,
            "long_double": _long_double if modern else _bulk,
        }
        for kind, shape in (shapes or {}).items():
            self._writers[kind] = by_shape[shape]

    def write(self, reply: object, *, nil_array: bool = False) -> bytes:
        """The bytes of one reply.

        Args:
            reply: what a command answered.
            nil_array: None is the nil of an array, which RESP 2 spells differently.
        """
        if type(reply) is bytes:
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        if reply is None:
            return self._nil_array if nil_array else self._nil
        parts: list[bytes] = []
        self._write(reply, parts)
        return b"".join(parts)

    def _write(self, reply: object, parts: list[bytes]) -> None:
        writer = self._writers.get(type(reply))
        if writer is None:
            writer = self._inherited(type(reply))
        writer(reply, parts)

    def _inherited(self, kind: type) -> _Write:
        for base in kind.__mro__:
            writer = self._writers.get(base)
            if writer is not None:
                self._writers[kind] = writer
                return writer
        raise TypeError(f"no reply is a {kind.__name__}")

    def _write_nil(self, _: None, parts: list[bytes]) -> None:
        parts.append(self._nil)

    def _write_nil_array(self, _: object, parts: list[bytes]) -> None:
        parts.append(self._nil_array)

    def _array(self, reply: list[Any] | tuple[Any, ...], parts: list[bytes]) -> None:
        parts.append(b"*%d\r\n" % len(reply))
        self._items(reply, parts)

    def _set(self, reply: list[Any], parts: list[bytes]) -> None:
        parts.append(b"~%d\r\n" % len(reply))
        self._items(reply, parts)

    def _push(self, reply: list[Any], parts: list[bytes]) -> None:
        parts.append(b">%d\r\n" % len(reply))
        self._items(reply, parts)

    def _items(self, reply: list[Any] | tuple[Any, ...], parts: list[bytes]) -> None:
        for item in reply:
            if type(item) is bytes:
                parts.append(b"$%d\r\n%b\r\n" % (len(item), item))
            else:
                self._write(item, parts)

    def _flat_pairs(self, reply: list[tuple[Any, ...]], parts: list[bytes]) -> None:
        parts.append(b"*%d\r\n" % sum(map(len, reply)))
        for pair in reply:
            self._items(pair, parts)

    def _keyed(self, reply: list[tuple[Any, ...]], parts: list[bytes]) -> None:
        parts.append(b"%%%d\r\n" % len(reply))
        for pair in reply:
            self._items(pair, parts)

    def _map(self, reply: dict[Any, Any], parts: list[bytes]) -> None:
        parts.append(b"%%%d\r\n" % len(reply))
        for pair in reply.items():
            self._items(pair, parts)

    def _attributes(self, reply: dict[Any, Any], parts: list[bytes]) -> None:
        parts.append(b"|%d\r\n" % len(reply))
        for pair in reply.items():
            self._items(pair, parts)

    def _flat_map(self, reply: dict[Any, Any], parts: list[bytes]) -> None:
        parts.append(b"*%d\r\n" % (2 * len(reply)))
        for pair in reply.items():
            self._items(pair, parts)


def _bulk(reply: bytes, parts: list[bytes]) -> None:
    parts.append(b"$%d\r\n%b\r\n" % (len(reply), reply))


def _text(reply: str, parts: list[bytes]) -> None:
    _bulk(reply.encode(), parts)


def _verbatim(reply: bytes, parts: list[bytes]) -> None:
    parts.append(b"=%d\r\ntxt:%b\r\n" % (len(reply) + 4, reply))


def _big_number(reply: bytes, parts: list[bytes]) -> None:
    parts.append(b"(%b\r\n" % reply)


def _status(reply: bytes, parts: list[bytes]) -> None:
    parts.append(b"+%b\r\n" % reply.translate(_LINE_BREAKS))


def _error(reply: ReplyError, parts: list[bytes]) -> None:
    parts.append(b"-%b\r\n" % reply.text.encode("utf-8", "surrogateescape").translate(_LINE_BREAKS))


def _integer(reply: int, parts: list[bytes]) -> None:
    parts.append(b":%d\r\n" % reply)


def _double(reply: float, parts: list[bytes]) -> None:
    parts.append(b",%.17g\r\n" % reply)


def _double_text(reply: float, parts: list[bytes]) -> None:
    _bulk(b"%.17g" % reply, parts)


def _long_double(reply: bytes, parts: list[bytes]) -> None:
    parts.append(b",%b\r\n" % reply)


def _boolean(reply: bool, parts: list[bytes]) -> None:
    parts.append(b"#t\r\n" if reply else b"#f\r\n")
