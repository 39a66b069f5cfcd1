"""Commands on strings as rows of bits. The numbers that BITFIELD packs into them are in ``bit_fields``."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from redmodel.engine import texts
from redmodel.engine.arguments import integer, integer_between, parse_integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.errors import ReplyError

TABLE = Table(
    ("SETBIT", 4, "write denyoom", (1, 1, 1)),
    ("GETBIT", 3, "readonly fast", (1, 1, 1)),
    ("BITCOUNT", -2, "readonly", (1, 1, 1)),
    ("BITPOS", -3, "readonly", (1, 1, 1)),
    ("BITOP", -4, "write denyoom", (2, -1, 1)),
)

_PIECE = 1 << 16  # bytes that are counted at once: what fits into the cache
_OPERATIONS: dict[bytes, Callable[[int, int], int]] = {
    b"AND": int.__and__,
    b"OR": int.__or__,
    b"XOR": int.__xor__,
}


def bit_offset(context: Context, text: bytes, width: int = 0) -> int:
    """Read the place of a bit; ``#3`` is the place of the third number of ``width`` bits, where that is given."""
    counted = width and text[:1] == b"#"
    offset = parse_integer(text[1:] if counted else text)
    if offset is None:
        raise ReplyError(texts.BIT_OFFSET)
    if counted:
        offset *= width
    if offset < 0 or offset >> 3 >= context.engine.settings.number("proto-max-bulk-len"):
        raise ReplyError(texts.BIT_OFFSET)
    return offset


def overwritten(value: bytes, start: int, piece: bytes) -> bytes:
    """A string with other bytes from ``start`` on, lengthened by zeros where it is too short. Cost: O(n), one copy."""
    if len(value) < start:
        value = value.ljust(start, b"\0")
    view = memoryview(value)
    return b"".join((view[:start], piece, view[start + len(piece) :]))


@TABLE.handles("SETBIT")
def setbit(context: Context, args: Args) -> Reply:
    key = args[1]
    offset = bit_offset(context, args[2])
    bit = integer_between(args[3], 0, 1, texts.BIT_VALUE)
    before = context.string_at(key)
    value = before or b""
    at, mask = offset >> 3, 0x80 >> (offset & 7)
    old = value[at] if at < len(value) else 0
    new = old | mask if bit else old & ~mask
    if at >= len(value) or new != old:
        if before is None:
            context.notify(b"new", key)
        context.database.put_raw(key, overwritten(value, at, bytes((new,))))
        context.touch(key, b"setbit")
    else:
        context.database.kept[key] = b"raw"
    return int(bool(old & mask))


@TABLE.handles("GETBIT")
def getbit(context: Context, args: Args) -> Reply:
    offset = bit_offset(context, args[2])
    value = context.string_at(args[1]) or b""
    at = offset >> 3
    return value[at] >> (7 - (offset & 7)) & 1 if at < len(value) else 0


def _range(start: int, end: int, size: int) -> tuple[int, int]:
    """The half-open range of two places that count from the end where they are negative."""
    if start < 0:
        start = max(start + size, 0)
    if end < 0:
        end = max(end + size, 0)
    return start, min(end, size - 1) + 1


def _is_bits(unit: bytes) -> bool:
    unit = unit.upper()
    if unit not in (b"BIT", b"BYTE"):
        raise texts.syntax()
    return unit == b"BIT"


@TABLE.handles("BITCOUNT")
def bitcount(context: Context, args: Args) -> Reply:
    value = context.string_at(args[1])
    if value is None:
        return 0
    if len(args) == 2:
        return _count(value)
    if len(args) not in (4, 5):
        raise texts.syntax()
    start, end = integer(args[2]), integer(args[3])
    bits = len(args) == 5 and _is_bits(args[4])
    if start < 0 and end < 0 and start > end:
        return 0
    start, stop = _range(start, end, len(value) * 8 if bits else len(value))
    if start >= stop:
        return 0
    if not bits:
        return _count(value[start:stop])
    outside = _first_bits(value[start >> 3], start & 7)
    if stop & 7:
        outside += (value[stop >> 3] & 0xFF >> (stop & 7)).bit_count()
    return _count(value[start >> 3 : (stop + 7) >> 3]) - outside


def _first_bits(byte: int, count: int) -> int:
    return (byte >> (8 - count)).bit_count()


def _count(value: bytes) -> int:
    if len(value) <= _PIECE:
        return int.from_bytes(value, "little").bit_count()
    view = memoryview(value)
    return sum(int.from_bytes(view[at : at + _PIECE], "little").bit_count() for at in range(0, len(value), _PIECE))


@TABLE.handles("BITPOS")
def bitpos(context: Context, args: Args) -> Reply:
    bit = integer(args[2])
    if bit not in (0, 1):
        raise ReplyError(texts.BIT_ARGUMENT)
    value = context.string_at(args[1])
    if value is None:
        return -1 if bit else 0
    if len(args) > 6:
        raise texts.syntax()
    bits = False
    start, stop = 0, len(value)
    if len(args) > 3:
        first = integer(args[3])
        bits = len(args) == 6 and _is_bits(args[5])
        last = integer(args[4]) if len(args) > 4 else -1
        start, stop = _range(first, last, len(value) * 8 if bits else len(value))
    if start >= stop:
        return -1
    found = _first(value, bit, start if bits else start * 8, stop if bits else stop * 8)
    if found < 0 and not bit and len(args) < 5:
        return stop * 8  # the zeros that follow any string
    return found


def _first(value: bytes, bit: int, start: int, stop: int) -> int:
    """The place of the first such bit from ``start`` on and before ``stop``, or -1."""
    other = b"\0" if bit else b"\xff"
    skipped = other * _PIECE
    first, last = start >> 3, (stop + 7) >> 3
    for at in range(first, last, _PIECE):
        end = min(at + _PIECE, last)
        piece = value[at:end]
        if piece == skipped:
            continue
        # What is outside of the range is made the other kind of bit.
        if at == first:
            piece = _masked(piece[0], 0xFF >> (start & 7), other) + piece[1:]
        if end == last:
            piece = piece[:-1] + _masked(piece[-1], 0xFF << (-stop & 7) & 0xFF, other)
        rest = piece.lstrip(other)
        if rest:
            byte = rest[0] if bit else ~rest[0] & 0xFF
            return (end - len(rest)) * 8 + 8 - byte.bit_length()
    return -1


def _masked(byte: int, mask: int, other: bytes) -> bytes:
    return bytes((byte & mask | other[0] & ~mask & 0xFF,))


@TABLE.handles("BITOP")
def bitop(context: Context, args: Args) -> Reply:
    name, target, keys = args[1].upper(), args[2], args[3:]
    operation = _OPERATIONS.get(name)
    if operation is None and name != b"NOT":
        raise texts.syntax()
    if operation is None and len(keys) != 1:
        raise ReplyError(texts.BITOP_NOT)
    values = [context.string_at(key) or b"" for key in keys]
    size = max(map(len, values))
    # From the little end, so that shorter strings are continued by zeros.
    numbers = [int.from_bytes(value, "little") for value in values]
    number = (1 << 8 * size) - 1 ^ numbers[0] if operation is None else reduce(operation, numbers)
    if size:
        context.find(target)
        context.put(target, number.to_bytes(size, "little"))
        context.database.kept[target] = b"raw"
        context.touch(target, b"set")
    elif context.find(target) is not None:
        context.database.remove(target)
        context.touch(target, b"del")
    return size
