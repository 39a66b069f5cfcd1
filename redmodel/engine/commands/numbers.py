"""Commands that read a string as a number: INCR and its kin."""

from __future__ import annotations

from fractions import Fraction

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, INT_MIN, integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.engine.values import long_double
from redmodel.engine.values.encodings import is_integer
from redmodel.errors import ReplyError

TABLE = Table(
    ("INCR", 2, "write denyoom fast", (1, 1, 1)),
    ("DECR", 2, "write denyoom fast", (1, 1, 1)),
    ("INCRBY", 3, "write denyoom fast", (1, 1, 1)),
    ("DECRBY", 3, "write denyoom fast", (1, 1, 1)),
    ("INCRBYFLOAT", 3, "write denyoom fast", (1, 1, 1)),
)


@TABLE.handles("INCR")
def incr(context: Context, args: Args) -> Reply:
    return _add(context, args[1], 1)


@TABLE.handles("DECR")
def decr(context: Context, args: Args) -> Reply:
    return _add(context, args[1], -1)


@TABLE.handles("INCRBY")
def incrby(context: Context, args: Args) -> Reply:
    return _add(context, args[1], integer(args[2]))


@TABLE.handles("DECRBY")
def decrby(context: Context, args: Args) -> Reply:
    amount = integer(args[2])
    if amount == INT_MIN:
        raise ReplyError(texts.DECREMENT_OVERFLOW)
    return _add(context, args[1], -amount)


def _add(context: Context, key: bytes, amount: int) -> int:
    text = context.string_at(key)
    total = amount if text is None else integer(text) + amount
    if not INT_MIN <= total <= INT_MAX:
        raise ReplyError(texts.OVERFLOW)
    if text is None:
        context.notify(b"new", key)
    context.database.replace(key, b"%d" % total)
    context.touch(key, b"incrby")
    return total


@TABLE.handles("INCRBYFLOAT")
def incrbyfloat(context: Context, args: Args) -> Reply:
    key = args[1]
    text = context.string_at(key)
    before = read_float(b"0" if text is None else text, texts.NOT_A_FLOAT)
    value = add_floats(before, read_float(args[2], texts.NOT_A_FLOAT))
    if text is None:
        context.notify(b"new", key)
    context.database.replace(key, value)
    context.touch(key, b"incrbyfloat")
    if is_integer(value):
        context.database.kept[key] = b"embstr"  # Redis keeps it as the text that it has just written
    context.effect(b"SET", key, value, b"KEEPTTL")
    return value


def read_float(text: bytes, error: str) -> Fraction | None:
    """Read a long double; None for an infinity, ``error`` for what is no number."""
    try:
        return long_double.read(text)
    except long_double.OutOfRange:
        return None
    except ValueError:
        raise ReplyError(error) from None


def add_floats(*numbers: Fraction | None) -> bytes:
    """Add long doubles and give the sum as text; a sum that is not finite is an error."""
    total = Fraction(0)
    for number in numbers:
        if number is None:
            raise ReplyError(texts.NAN_OR_INFINITY)
        try:
            total = long_double.add(total, number)
        except long_double.OutOfRange:
            raise ReplyError(texts.NAN_OR_INFINITY) from None
    return long_double.text_of(total)
