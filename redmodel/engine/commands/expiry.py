"""Commands on deadlines: EXPIRE, TTL and their kin, PERSIST; and reading the times that SET and GETEX take."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, INT_MIN, integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.errors import ReplyError

TABLE = Table(
    ("EXPIRE", -3, "write fast", (1, 1, 1)),
    ("PEXPIRE", -3, "write fast", (1, 1, 1)),
    ("EXPIREAT", -3, "write fast", (1, 1, 1)),
    ("PEXPIREAT", -3, "write fast", (1, 1, 1)),
    ("TTL", 2, "readonly fast", (1, 1, 1)),
    ("PTTL", 2, "readonly fast", (1, 1, 1)),
    ("EXPIRETIME", 2, "readonly fast", (1, 1, 1)),
    ("PEXPIRETIME", 2, "readonly fast", (1, 1, 1)),
    ("PERSIST", 2, "write fast", (1, 1, 1)),
)


@TABLE.handles("EXPIRE")
def expire(context: Context, args: Args) -> Reply:
    return _expire(context, args, context.now(), 1000, b"expire")


@TABLE.handles("PEXPIRE")
def pexpire(context: Context, args: Args) -> Reply:
    return _expire(context, args, context.now(), 1, b"pexpire")


@TABLE.handles("EXPIREAT")
def expireat(context: Context, args: Args) -> Reply:
    return _expire(context, args, 0, 1000, b"expireat")


@TABLE.handles("PEXPIREAT")
def pexpireat(context: Context, args: Args) -> Reply:
    return _expire(context, args, 0, 1, b"pexpireat")


def _expire(context: Context, args: Args, base: int, unit: int, name: bytes) -> int:
    options = _options(args) if len(args) > 3 else frozenset[bytes]()
    number = integer(args[2])
    if not INT_MIN <= number * unit <= INT_MAX - base:
        raise texts.invalid_expire(name)
    deadline = number * unit + base
    key = args[1]
    if context.find(key) is None:
        return 0
    if options:
        current = context.database.deadlines.get(key)
        if (
            (b"NX" in options and current is not None)
            or (b"XX" in options and current is None)
            or (b"GT" in options and (current is None or deadline <= current))
            or (b"LT" in options and current is not None and deadline >= current)
        ):
            return 0
    expire_at(context, key, deadline)
    return 1


def _options(args: Args) -> frozenset[bytes]:
    options = frozenset(option.upper() for option in args[3:])
    for option in args[3:]:
        if option.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            raise texts.unsupported_option(option)
    if b"NX" in options and len(options) > 1:
        raise ReplyError(texts.EXPIRE_NX_AND_OTHERS)
    if b"GT" in options and b"LT" in options:
        raise ReplyError(texts.EXPIRE_GT_AND_LT)
    return options


def expire_at(context: Context, key: bytes, deadline: int) -> None:
    """Give a key that is there a deadline, or remove it if that is past; tells the effect."""
    if not context.loading and deadline <= context.now():
        context.database.remove(key)
        context.effect(b"DEL", key)
        context.touch(key, b"del")
    else:
        context.database.set_deadline(key, deadline)
        if context.logging:
            context.effect(b"PEXPIREAT", key, b"%d" % deadline)
        context.touch(key, b"expire")


def read_deadline(context: Context, option: bytes, text: bytes, name: bytes) -> int:
    """Read the time after EX, PX, EXAT or PXAT as unix milliseconds.

    Args:
        context: gives the time now.
        option: which of the four, in upper case.
        text: the time.
        name: the command's name for the error text, in lower case.
    """
    number = integer(text)
    if option in (b"EX", b"EXAT"):
        number *= 1000
    base = context.now() if option in (b"EX", b"PX") else 0
    if number <= 0 or number > INT_MAX - base:
        raise texts.invalid_expire(name)
    return number + base


@TABLE.handles("TTL")
def ttl(context: Context, args: Args) -> Reply:
    left = _left(context, args[1])
    return left if left < 0 else (left + 500) // 1000


@TABLE.handles("PTTL")
def pttl(context: Context, args: Args) -> Reply:
    return _left(context, args[1])


def _left(context: Context, key: bytes) -> int:
    deadline = _deadline(context, key)
    return deadline if deadline < 0 else max(deadline - context.now(), 0)


def _deadline(context: Context, key: bytes) -> int:
    """The deadline of a key, -1 if it has none, -2 if there is no key."""
    if context.find(key) is None:
        return -2
    return context.database.deadlines.get(key, -1)


@TABLE.handles("EXPIRETIME")
def expiretime(context: Context, args: Args) -> Reply:
    deadline = _deadline(context, args[1])
    return deadline if deadline < 0 else (deadline + 500) // 1000


@TABLE.handles("PEXPIRETIME")
def pexpiretime(context: Context, args: Args) -> Reply:
    return _deadline(context, args[1])


@TABLE.handles("PERSIST")
def persist(context: Context, args: Args) -> Reply:
    key = args[1]
    if context.find(key) is None or context.database.deadlines.pop(key, None) is None:
        return 0
    context.touch(key, b"persist")
    return 1
