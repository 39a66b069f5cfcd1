"""The commands on lists and sorted sets that wait for an element, and CLIENT UNBLOCK."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import ceil, isinf
from typing import cast

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, integer, keys_side_count, strtod
from redmodel.engine.commands.lists import move, pop
from redmodel.engine.commands.sorted_sets import pop as pop_scored
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import NIL_ARRAY, Reply
from redmodel.engine.values.long_double import OutOfRange, read
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.waiting import NOT_YET, Attempt, NotYet
from redmodel.errors import ReplyError

TABLE = Table(
    ("BLPOP", -3, "write noscript blocking", (1, -2, 1)),
    ("BRPOP", -3, "write noscript blocking", (1, -2, 1)),
    ("BLMOVE", 6, "write denyoom noscript blocking", (1, 2, 1)),
    ("BRPOPLPUSH", 4, "write denyoom noscript blocking", (1, 2, 1)),
    ("BLMPOP", -5, "write blocking movablekeys", (0, 0, 0)),
    ("BZPOPMIN", -3, "write noscript blocking fast", (1, -2, 1)),
    ("BZPOPMAX", -3, "write noscript blocking fast", (1, -2, 1)),
    ("BZMPOP", -5, "write blocking movablekeys", (0, 0, 0)),
    ("CLIENT|UNBLOCK", -3, "admin noscript loading stale", (0, 0, 0)),
)


def seconds(text: bytes) -> float:
    """Read a timeout in seconds, which may have a fraction, as Redis rounds it: up to milliseconds."""
    value = strtod(text)
    if value is None or text[:1].isspace() or text[-1:].isspace() or (isinf(value) and _overflows(text)):
        raise ReplyError(texts.TIMEOUT_NOT_A_FLOAT)
    # What does not fit into Redis' number of milliseconds becomes the least one there.
    return checked_milliseconds(ceil(value * 1000) if abs(value) < INT_MAX / 1000 else -1)


def _overflows(text: bytes) -> bool:
    """Whether a number is too large even for a long double; infinity itself is not."""
    try:
        read(text)
    except OutOfRange:
        return False
    except ValueError:
        return True
    return False


def checked_milliseconds(milliseconds: int) -> float:
    """A timeout in milliseconds as seconds, refused where it is negative."""
    if milliseconds < 0:
        raise ReplyError(texts.TIMEOUT_NEGATIVE)
    return milliseconds / 1000


def _first(context: Context, keys: Iterable[bytes], timeout: float, attempt: Attempt, kind: type) -> Reply:
    """Answer from the first key that has something, or wait for one; a key of another type is refused now."""
    keys = list(keys)
    for key in keys:
        value = context.find(key)
        if value is None:
            continue
        if type(value) is not kind:
            raise texts.wrong_type()
        reply = attempt(context, key)
        if not isinstance(reply, NotYet):
            return reply
    return context.wait(keys, timeout, attempt, NIL_ARRAY)


@TABLE.handles("BLPOP")
def blpop(context: Context, args: Args) -> Reply:
    return _pop_command(context, args, left=True)


@TABLE.handles("BRPOP")
def brpop(context: Context, args: Args) -> Reply:
    return _pop_command(context, args, left=False)


def _pop_command(context: Context, args: Args, *, left: bool) -> Reply:
    timeout = seconds(args[-1])

    def attempt(context: Context, key: bytes) -> Reply | NotYet:
        elements = context.find(key)
        if type(elements) is not deque:
            return NOT_YET
        found = pop(context, key, elements, 1, left=left)
        context.effect(b"LPOP" if left else b"RPOP", key)
        return [key, found[0]]

    return _first(context, args[1:-1], timeout, attempt, deque)


@TABLE.handles("BLMOVE")
def blmove(context: Context, args: Args) -> Reply:
    sides = args[3].upper(), args[4].upper()
    if not set(sides) <= {b"LEFT", b"RIGHT"}:
        raise texts.syntax()
    effect = (b"LMOVE", *args[1:5])
    return _move_command(context, args, effect, take_left=sides[0] == b"LEFT", put_left=sides[1] == b"LEFT")


@TABLE.handles("BRPOPLPUSH")
def brpoplpush(context: Context, args: Args) -> Reply:
    return _move_command(context, args, (b"RPOPLPUSH", *args[1:3]), take_left=False, put_left=True)


def _move_command(context: Context, args: Args, effect: Args, *, take_left: bool, put_left: bool) -> Reply:
    source, target = args[1], args[2]
    timeout = seconds(args[-1])

    def attempt(context: Context, key: bytes) -> Reply | NotYet:
        if type(context.find(key)) is not deque:
            return NOT_YET
        moved = move(context, source, target, take_left=take_left, put_left=put_left)
        context.effect(*effect)
        return moved

    if context.list_at(source) is None:
        context.wait((source,), timeout, attempt, NIL_ARRAY)
        return None  # in a transaction, where the nil is a string's
    return cast("Reply", attempt(context, source))


@TABLE.handles("BLMPOP")
def blmpop(context: Context, args: Args) -> Reply:
    timeout = seconds(args[1])
    keys, where, count = keys_side_count(args[1:], (b"LEFT", b"RIGHT"))
    left = where == b"LEFT"

    def attempt(context: Context, key: bytes) -> Reply | NotYet:
        elements = context.find(key)
        if type(elements) is not deque:
            return NOT_YET
        found = pop(context, key, elements, count, left=left)
        context.effect(b"LPOP" if left else b"RPOP", key, b"%d" % len(found))
        return [key, found]

    return _first(context, keys, timeout, attempt, deque)


@TABLE.handles("BZPOPMIN")
def bzpopmin(context: Context, args: Args) -> Reply:
    return _zpop_command(context, args, highest=False)


@TABLE.handles("BZPOPMAX")
def bzpopmax(context: Context, args: Args) -> Reply:
    return _zpop_command(context, args, highest=True)


def _zpop_command(context: Context, args: Args, *, highest: bool) -> Reply:
    timeout = seconds(args[-1])

    def attempt(context: Context, key: bytes) -> Reply | NotYet:
        zset = context.find(key)
        if type(zset) is not SortedSet:
            return NOT_YET
        found = pop_scored(context, key, zset, 1, highest=highest)
        context.effect(b"ZPOPMAX" if highest else b"ZPOPMIN", key)
        return [key, *found[0]]

    return _first(context, args[1:-1], timeout, attempt, SortedSet)


@TABLE.handles("BZMPOP")
def bzmpop(context: Context, args: Args) -> Reply:
    timeout = seconds(args[1])
    keys, where, count = keys_side_count(args[1:], (b"MIN", b"MAX"))

    def attempt(context: Context, key: bytes) -> Reply | NotYet:
        zset = context.find(key)
        if type(zset) is not SortedSet:
            return NOT_YET
        found = pop_scored(context, key, zset, count, highest=where == b"MAX")
        context.effect(b"ZPOP" + where, key, b"%d" % len(found))
        return [key, [list(cast("tuple[bytes, float]", pair)) for pair in found]]

    return _first(context, keys, timeout, attempt, SortedSet)


@TABLE.handles("CLIENT|UNBLOCK")
def client_unblock(context: Context, args: Args) -> Reply:
    reason = args[3].upper() if len(args) > 3 else b"TIMEOUT"
    if reason not in (b"TIMEOUT", b"ERROR") or len(args) > 4:
        raise ReplyError(texts.UNBLOCK_REASON)
    waiter = context.engine.waiters.of(integer(args[2]))
    if waiter is None:
        return 0
    waiter.finish(waiter.nothing if reason == b"TIMEOUT" else ReplyError(texts.UNBLOCKED))
    context.reckon()
    return 1
