"""The parser of replies: bytes in, Python objects out, RESP 2 and 3. No I/O."""

from __future__ import annotations

from typing import Any

from redmodel.errors import ReplyError

MAX_DEPTH = 128
MAX_LINE = 64 << 10


class Push(list[Any]):
    """An out-of-band message of RESP 3: an array that answers no command."""

    __slots__ = ()


class _Open:
    """An aggregate that still lacks items."""

    __slots__ = ("items", "kind", "missing")

    def __init__(self, kind: int, missing: int) -> None:
        self.kind = kind
        self.missing = missing
        self.items: list[Any] = []


class _Violation(Exception):
    """What is wrong with the stream."""


class ReplyParser:
    """A push parser of what a server sends.

    Bulk, simple and verbatim strings are bytes, errors `ReplyError` instances, arrays and sets lists, maps dicts (a
    list of pairs when a key can't be one), doubles float, nulls None, pushes `Push`; attributes are passed over.

    >>> ReplyParser().feed(b"*2\\r\\n$2\\r\\nhi\\r\\n:1\\r\\n-ERR no\\r\\n")
    [[b'hi', 1], ReplyError('ERR no')]
    """

    def __init__(self) -> None:
        #: Why the stream can't be read on; the replies before it are good.
        self.error: str | None = None
        self._rest = b""
        self._stack: list[_Open] = []
        self._pieces: list[bytes] = []
        self._have = 0
        self._wanted = 0

    def feed(self, data: bytes) -> list[Any]:
        """Take the next bytes and give the replies that they complete; ``error`` is set when they are no RESP."""
        if self.error is not None:
            return []
        if self._wanted:
            self._pieces.append(data)
            self._have += len(data)
            if self._have < self._wanted:
                return []
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._have = self._wanted = 0
        elif self._rest:
            data = self._rest + data
        replies: list[Any] = []
        try:
            position = self._parse(data, replies)
        except _Violation as violation:
            self.error = str(violation)
            self._rest, self._stack = b"", []
            return replies
        if self._wanted:
            self._pieces.append(data[position:])
            self._have = len(self._pieces[0])
            self._rest = b""
        else:
            self._rest = data[position:]
        return replies

    def _parse(self, data: bytes, replies: list[Any]) -> int:
        position = 0
        while True:
            eol = data.find(b"\r\n", position)
            if eol < 0:
                if len(data) - position > MAX_LINE:
                    raise _Violation("a line without an end")
                return position
            kind = data[position]
            line = data[position + 1 : eol]
            after = eol + 2
            value: Any
            if kind in b"$=!":
                length = _length(line)
                if length < 0:
                    value = None
                elif len(data) < after + length + 2:
                    if length > MAX_LINE:
                        self._wanted = after + length + 2 - position
                    return position
                else:
                    value = data[after : after + length]
                    after += length + 2
                    if data[after - 2 : after] != b"\r\n":
                        raise _Violation("a string that is longer than announced")
                    if kind == 0x3D:
                        value = value[4:]
                    elif kind == 0x21:
                        value = _error(value)
            elif kind in b"*~>%|":
                count = _length(line)
                if count > 0:
                    if len(self._stack) >= MAX_DEPTH:
                        raise _Violation("arrays nested too deep")
                    self._stack.append(_Open(kind, count * 2 if kind in b"%|" else count))
                    position = after
                    continue
                value = None if count < 0 else _closed(_Open(kind, 0))
                if kind == 0x7C:
                    position = after
                    continue
            else:
                value = _scalar(kind, line)
            position = after
            self._add(value, replies)

    def _add(self, value: Any, replies: list[Any]) -> None:
        """Put a finished value in its place, and finish what it completes."""
        stack = self._stack
        while stack:
            top = stack[-1]
            top.items.append(value)
            top.missing -= 1
            if top.missing:
                return
            stack.pop()
            if top.kind == 0x7C:
                return
            value = _closed(top)
        replies.append(value)


def _closed(aggregate: _Open) -> Any:
    items = aggregate.items
    if aggregate.kind == 0x3E:
        return Push(items)
    if aggregate.kind != 0x25:
        return items
    pairs = list(zip(items[::2], items[1::2], strict=True))
    try:
        return dict(pairs)
    except TypeError:
        return pairs


def _scalar(kind: int, line: bytes) -> Any:
    match kind:
        case 0x2B:  # +
            return line
        case 0x2D:  # -
            return _error(line)
        case 0x3A | 0x28:  # : and (
            return _number(line)
        case 0x5F:  # _
            if line:
                raise _Violation("a null with content")
            return None
        case 0x23:  # '#'
            if line not in (b"t", b"f"):
                raise _Violation("a boolean that is none")
            return line == b"t"
        case 0x2C:  # ,
            try:
                return float(line)
            except ValueError:
                raise _Violation("a double that is none") from None
        case _:
            raise _Violation(f"unknown type {chr(kind)!r}")


def _error(text: bytes) -> ReplyError:
    return ReplyError(text.decode("utf-8", "backslashreplace"))


def _number(line: bytes) -> int:
    digits = line[1:] if line[:1] in (b"-", b"+") else line
    # int() takes time that grows with the square of the digits, and refuses more than 4,300.
    if not digits.isdigit() or len(digits) > 4000:
        raise _Violation("a number that is none")
    return int(line)


def _length(line: bytes) -> int:
    if line == b"-1":
        return -1
    if not line.isdigit() or len(line) > 10 or int(line) > (1 << 31) - 1:
        raise _Violation("a length that is none")
    return int(line)
