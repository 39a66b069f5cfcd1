"""Functions of numbers for scripts: the libraries bit and struct, Redis' own random numbers, and floats as bytes.

Each answers ``(failed, value, ...)``: nothing here raises into Lua.
"""

# What comes from Lua has no type of Python:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import struct
from collections.abc import Callable
from math import isfinite
from typing import Any

_Answer = tuple[Any, ...]
_MASK = 0xFFFFFFFF


def guarded(name: str, function: Callable[..., Any]) -> Callable[..., _Answer]:
    """A function whose ValueError is its failure; a tuple stands for several values."""

    def call(*args: Any) -> _Answer:
        try:
            value = function(*args)
        except ValueError as error:
            return True, str(error).replace("'?'", f"'{name}'", 1).encode("utf-8", "surrogateescape")
        except (TypeError, OverflowError, MemoryError):
            return True, f"bad arguments to '{name}'".encode()
        return (False, *value) if isinstance(value, tuple) else (False, value)

    return call


def _kind(value: object) -> str:
    if value is None:
        return "nil"
    names: dict[type, str] = {bytes: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "table")


def _number(args: tuple[Any, ...], at: int) -> float:
    if at >= len(args):
        raise ValueError(f"bad argument #{at + 1} to '?' (number expected, got no value)")
    value = args[at]
    if type(value) is bytes:
        try:
            return float(value)
        except ValueError:
            pass
    if type(value) not in (int, float):
        raise ValueError(f"bad argument #{at + 1} to '?' (number expected, got {_kind(value)})")
    return value  # type: ignore[no-any-return]


def _bits(args: tuple[Any, ...], at: int) -> int:
    value = _number(args, at)
    if not isfinite(value):
        return 0
    return round(value) & _MASK


def _signed(bits: int) -> int:
    bits &= _MASK
    return bits - (1 << 32) if bits >> 31 else bits


def _folded(fold: Callable[[int, int], int]) -> Callable[..., int]:
    def run(*args: Any) -> int:
        total = _bits(args, 0)
        for at in range(1, len(args)):
            total = fold(total, _bits(args, at))
        return _signed(total)

    return run


def _tohex(*args: Any) -> bytes:
    digits = int(_number(args, 1)) if len(args) > 1 else 8
    text = b"%08X" if digits < 0 else b"%08x"
    count = min(abs(digits), 8)
    return (text % _bits(args, 0))[8 - count :]


def _rotated(args: tuple[Any, ...], left: bool) -> int:
    bits, by = _bits(args, 0), _bits(args, 1) & 31
    by = by if left else 32 - by
    return _signed(bits << by | bits >> (32 - by))


def _of(run: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        return run(args)

    return call


BIT: dict[bytes, Callable[..., _Answer]] = {
    name.encode(): guarded(name, function)
    for name, function in {
        "tobit": _of(lambda args: _signed(_bits(args, 0))),
        "bnot": _of(lambda args: _signed(~_bits(args, 0))),
        "band": _folded(lambda one, other: one & other),
        "bor": _folded(lambda one, other: one | other),
        "bxor": _folded(lambda one, other: one ^ other),
        "lshift": _of(lambda args: _signed(_bits(args, 0) << (_bits(args, 1) & 31))),
        "rshift": _of(lambda args: _signed(_bits(args, 0) >> (_bits(args, 1) & 31))),
        "arshift": _of(lambda args: _signed(_signed(_bits(args, 0)) >> (_bits(args, 1) & 31))),
        "rol": _of(lambda args: _rotated(args, left=True)),
        "ror": _of(lambda args: _rotated(args, left=False)),
        "bswap": _of(lambda args: _signed(int.from_bytes(_bits(args, 0).to_bytes(4, "little"), "big"))),
        "tohex": _tohex,
    }.items()
}


class _Format:
    """A walk over a format of the library struct."""

    def __init__(self, text: object) -> None:
        if type(text) is not bytes:
            raise ValueError(f"bad argument #1 to '?' (string expected, got {_kind(text)})")
        self._text = text.decode("latin-1")
        self._at = 0
        self.little = True
        self._align = 1
        #: How many bytes there are so far; the caller's to keep.
        self.position = 0

    def _digits(self, default: int) -> int:
        start = self._at
        while self._at < len(self._text) and self._text[self._at].isdigit():
            self._at += 1
        if start == self._at:
            return default
        value = int(self._text[start : self._at])
        if value > 0x7FFFFFFF:
            raise ValueError("integral size overflow")
        return value

    def steps(self) -> Any:
        """Each option as (letter, size, padding before it)."""
        sizes = {"b": 1, "B": 1, "h": 2, "H": 2, "l": 8, "L": 8, "T": 8, "f": 4, "d": 8, "x": 1}
        while self._at < len(self._text):
            letter = self._text[self._at]
            self._at += 1
            if letter == "<":
                self.little = True
            elif letter == ">":
                self.little = False
            elif letter == "!":
                self._align = self._digits(8)
                if self._align <= 0 or self._align & (self._align - 1):
                    raise ValueError("alignment is not a power of 2")
            elif letter == " ":
                continue
            else:
                if letter in "iI":
                    size = self._digits(4)
                    if size > 32:
                        raise ValueError(f"integral size {size} is larger than limit of 32")
                elif letter == "c":
                    size = self._digits(1)
                elif letter == "s":
                    size = 0
                elif letter in sizes:
                    size = sizes[letter]
                else:
                    raise ValueError(f"bad argument #1 to '?' (invalid format option '{letter}')")
                align = min(size, self._align) if size and letter not in "cs" else 0
                padding = -self.position % align if align > 1 and not align & (align - 1) else 0
                yield letter, size, padding


def _pack(*args: Any) -> bytes:
    layout = _Format(args[0] if args else None)
    out = bytearray()
    at = 0
    for letter, size, padding in layout.steps():
        out += b"\0" * padding
        layout.position = len(out) + max(size, 1)
        if letter == "x":
            out += b"\0"
            continue
        at += 1
        if letter in "sc":
            value: Any = args[at] if at < len(args) else None
            if type(value) in (int, float):
                value = b"%.14g" % value
            if type(value) is not bytes:
                raise ValueError(f"bad argument #{at + 1} to '?' (string expected, got {_kind(value)})")
            if letter == "c":
                size = size or len(value)
                if len(value) < size:
                    raise ValueError(f"bad argument #{at + 2} to '?' (string too short)")
                out += value[:size]
            else:
                out += value + b"\0"
            layout.position = len(out)
        elif letter in "fd":
            number = float(_number(args, at))
            try:
                out += struct.pack(("<" if layout.little else ">") + letter, number)
            except OverflowError:
                out += struct.pack(
                    ("<" if layout.little else ">") + letter, float("inf") if number > 0 else -float("inf")
                )
        else:
            value = _number(args, at)
            whole = int(value) if isfinite(value) else -(1 << 63)
            out += (whole & ((1 << 8 * size) - 1)).to_bytes(size, "little" if layout.little else "big")
    return bytes(out)


def _unpack(*args: Any) -> tuple[Any, ...]:
    layout = _Format(args[0] if args else None)
    data = args[1] if len(args) > 1 else None
    if type(data) is not bytes:
        raise ValueError(f"bad argument #2 to '?' (string expected, got {_kind(data)})")
    position = int(_number(args, 2)) - 1 if len(args) > 2 else 0
    if position < 0:
        raise ValueError("bad argument #3 to '?' (offset must be 1 or greater)")
    found: list[Any] = []
    layout.position = position
    for letter, given, padding in layout.steps():
        size = given
        position += padding
        if position + size > len(data):
            raise ValueError("bad argument #2 to '?' (data string too short)")
        if letter == "x":
            pass
        elif letter == "c":
            if not size:
                if not found or type(found[-1]) not in (int, float):
                    raise ValueError("format 'c0' needs a previous size")
                size = int(found.pop())
                if size < 0 or position + size > len(data):
                    raise ValueError("bad argument #2 to '?' (data string too short)")
            found.append(data[position : position + size])
        elif letter == "s":
            end = data.find(b"\0", position)
            if end < 0:
                raise ValueError("unfinished string in data")
            size = end + 1 - position
            found.append(data[position:end])
        elif letter in "fd":
            found.append(struct.unpack(("<" if layout.little else ">") + letter, data[position : position + size])[0])
        else:
            whole = int.from_bytes(
                data[position : position + size], "little" if layout.little else "big", signed=letter in "bhli"
            )
            found.append(float(whole))
        position += size
        layout.position = position
    return (*found, position + 1)


def _size(*args: Any) -> int:
    layout = _Format(args[0] if args else None)
    for letter, size, padding in layout.steps():
        if letter == "s":
            raise ValueError("bad argument #1 to '?' (option 's' has no fixed size)")
        if letter == "c" and not size:
            raise ValueError("bad argument #1 to '?' (option 'c0' has no fixed size)")
        layout.position += size + padding
    return layout.position


STRUCT: dict[bytes, Callable[..., _Answer]] = {
    b"pack": guarded("pack", _pack),
    b"unpack": guarded("unpack", _unpack),
    b"size": guarded("size", _size),
}


def float_bytes(value: float) -> _Answer:
    """A number as MessagePack keeps it: in four bytes where they hold it, else in eight."""
    try:
        short = struct.pack(">f", value)
        if struct.unpack(">f", short)[0] == value:
            return False, b"\xca" + short
    except OverflowError:
        pass
    return False, b"\xcb" + struct.pack(">d", value)


def float_of(text: bytes) -> _Answer:
    """The number of four or eight bytes."""
    return False, struct.unpack(">f" if len(text) == 4 else ">d", text)[0]


class Random:
    """Redis' own generator, so that scripts get the same numbers on every server."""

    def __init__(self) -> None:
        self._state = 0x1234ABCD330E

    def seed(self, value: float = 0) -> None:
        """Begin anew."""
        self._state = (int(value) & _MASK) << 16 | 0x330E

    def part(self) -> float:
        """The next number from 0 up to 1."""
        self._state = (self._state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        return (self._state >> 17) % 0x7FFFFFFF / 0x7FFFFFFF
