"""BITFIELD and BITFIELD_RO: numbers of any width at any bit of a string."""

from __future__ import annotations

from typing import NamedTuple

from redmodel.engine import texts
from redmodel.engine.arguments import integer, parse_integer
from redmodel.engine.commands.bitmaps import bit_offset, overwritten
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.errors import ReplyError

TABLE = Table(
    ("BITFIELD", -2, "write denyoom", (1, 1, 1)),
    ("BITFIELD_RO", -2, "readonly fast", (1, 1, 1)),
)


class _Step(NamedTuple):
    """One GET, SET or INCRBY: the number at ``offset`` is ``width`` bits wide."""

    verb: bytes
    offset: int
    width: int
    signed: bool
    argument: int
    overflow: bytes


@TABLE.handles("BITFIELD")
def bitfield(context: Context, args: Args) -> Reply:
    return _run(context, args, _steps(context, args))


@TABLE.handles("BITFIELD_RO")
def bitfield_ro(context: Context, args: Args) -> Reply:
    steps = _steps(context, args)
    if any(step.verb != b"GET" for step in steps):
        raise ReplyError(texts.BITFIELD_RO)
    return _run(context, args, steps)


def _steps(context: Context, args: Args) -> list[_Step]:
    steps: list[_Step] = []
    overflow = b"WRAP"
    at = 2
    while at < len(args):
        verb, left = args[at].upper(), len(args) - at - 1
        if verb == b"OVERFLOW" and left >= 1:
            overflow = args[at + 1].upper()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise ReplyError(texts.BITFIELD_OVERFLOW)
            at += 2
            continue
        if not ((verb == b"GET" and left >= 2) or (verb in (b"SET", b"INCRBY") and left >= 3)):
            raise texts.syntax()
        signed, width = _kind(args[at + 1])
        offset = bit_offset(context, args[at + 2], width)
        argument = 0 if verb == b"GET" else integer(args[at + 3])
        if verb == b"SET" and not signed:
            argument %= 1 << 64  # as C reads it: a negative one is too big, not too small
        steps.append(_Step(verb, offset, width, signed, argument, overflow))
        at += 3 if verb == b"GET" else 4
    return steps


def _kind(text: bytes) -> tuple[bool, int]:
    """Read ``i16``: whether the number has a sign, and its bits."""
    signed = text[:1] == b"i"
    width = parse_integer(text[1:]) if text[:1] in (b"i", b"u") else None
    if width is None or not 1 <= width <= (64 if signed else 63):
        raise ReplyError(texts.BITFIELD_TYPE)
    return signed, width


def _run(context: Context, args: Args, steps: list[_Step]) -> Reply:
    key = args[1]
    before = context.string_at(key)
    value = before or b""
    ends = [step.offset + step.width for step in steps if step.verb != b"GET"]
    if ends:
        value = value.ljust((max(ends) + 7) >> 3, b"\0")
    grown = len(value) != len(before or b"")
    answers: list[int | None] = []
    changed = False
    for step in steps:
        old = _read(value, step)
        if step.verb == b"GET":
            answers.append(old)
            continue
        wanted = step.argument + (old if step.verb == b"INCRBY" else 0)
        new = _fitted(wanted, step)
        if new is None:
            answers.append(None)
            continue
        answers.append(old if step.verb == b"SET" else new)
        changed |= grown
        if new != old:
            changed = True
            value = _written(value, step, new)
    if before is None and grown:
        context.notify(b"new", key)
    if ends:
        # As in Redis a string that grew for a number that did not fit is kept, and not logged.
        context.database.put_raw(key, value)
    if changed:
        context.touch(key, b"setbit")
    return answers


def _read(value: bytes, step: _Step) -> int:
    first, end = step.offset >> 3, step.offset + step.width
    count = (end + 7 >> 3) - first
    piece = value[first : first + count].ljust(count, b"\0")
    number = int.from_bytes(piece, "big") >> (-end & 7) & (1 << step.width) - 1
    return number - (1 << step.width) if step.signed and number >> step.width - 1 else number


def _written(value: bytes, step: _Step, number: int) -> bytes:
    first, end = step.offset >> 3, step.offset + step.width
    count, shift = (end + 7 >> 3) - first, -end & 7
    mask = (1 << step.width) - 1
    old = int.from_bytes(value[first : first + count], "big")
    new = old & ~(mask << shift) | (number & mask) << shift
    return overwritten(value, first, new.to_bytes(count, "big"))


def _fitted(number: int, step: _Step) -> int | None:
    """The number in so many bits, as OVERFLOW says; None if it shall fail."""
    span = 1 << step.width
    low = -(span >> 1) if step.signed else 0
    high = low + span - 1
    if low <= number <= high:
        return number
    if step.overflow == b"FAIL":
        return None
    if step.overflow == b"SAT":
        return high if number > high else low
    return (number - low) % span + low
