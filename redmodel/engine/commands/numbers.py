"""Commands that read a string as a number: INCR and its kin."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, INT_MIN, integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.engine.values import long_double
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
    context.database.values[key] = b"%d" % total
    context.touch(key)
    return total


@TABLE.handles("INCRBYFLOAT")
def incrbyfloat(context: Context, args: Args) -> Reply:
    key = args[1]
    value = add_float(context.string_at(key), args[2], texts.NOT_A_FLOAT, texts.NAN_OR_INFINITY)
    context.database.values[key] = value
    context.touch(key)
    context.effect(b"SET", key, value, b"KEEPTTL")
    return value


def add_float(text: bytes | None, amount: bytes, not_a_float: str, infinite: str) -> bytes:
    """Add two numbers given as text as long doubles, and give the sum as text.

    Args:
        text: the number stored; None counts as zero.
        amount: the number to add.
        not_a_float: the error for a stored text that is no number.
        infinite: the error for a sum that is not finite.
    """
    try:
        total = long_double.read(b"0" if text is None else text)
    except long_double.OutOfRange:
        total = None
    except ValueError:
        raise ReplyError(not_a_float) from None
    try:
        addend = long_double.read(amount)
        if total is None:
            raise long_double.OutOfRange
        return long_double.text_of(long_double.add(total, addend))
    except long_double.OutOfRange:
        raise ReplyError(infinite) from None
    except ValueError:
        raise ReplyError(texts.NOT_A_FLOAT) from None
