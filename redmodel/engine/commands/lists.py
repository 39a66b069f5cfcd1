"""Commands on lists that don't wait. A list is a deque: both ends cost O(1), the middle O(n)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, INT_MIN, integer, integer_between, keys_side_count
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply
from redmodel.errors import ReplyError

TABLE = Table(
    ("LPUSH", -3, "write denyoom fast", (1, 1, 1)),
    ("RPUSH", -3, "write denyoom fast", (1, 1, 1)),
    ("LPUSHX", -3, "write denyoom fast", (1, 1, 1)),
    ("RPUSHX", -3, "write denyoom fast", (1, 1, 1)),
    ("LPOP", -2, "write fast nil_array_of_count", (1, 1, 1)),
    ("RPOP", -2, "write fast nil_array_of_count", (1, 1, 1)),
    ("LLEN", 2, "readonly fast", (1, 1, 1)),
    ("LINDEX", 3, "readonly", (1, 1, 1)),
    ("LRANGE", 4, "readonly", (1, 1, 1)),
    ("LPOS", -3, "readonly", (1, 1, 1)),
    ("LSET", 4, "write denyoom", (1, 1, 1)),
    ("LINSERT", 5, "write denyoom", (1, 1, 1)),
    ("LREM", 4, "write", (1, 1, 1)),
    ("LTRIM", 4, "write", (1, 1, 1)),
    ("LMOVE", 5, "write denyoom", (1, 2, 1)),
    ("RPOPLPUSH", 3, "write denyoom", (1, 2, 1)),
    ("LMPOP", -4, "write movablekeys nil_array", (0, 0, 0)),
)


@TABLE.handles("LPUSH")
def lpush(context: Context, args: Args) -> Reply:
    return _push(context, args, left=True, create=True)


@TABLE.handles("RPUSH")
def rpush(context: Context, args: Args) -> Reply:
    return _push(context, args, left=False, create=True)


@TABLE.handles("LPUSHX")
def lpushx(context: Context, args: Args) -> Reply:
    return _push(context, args, left=True, create=False)


@TABLE.handles("RPUSHX")
def rpushx(context: Context, args: Args) -> Reply:
    return _push(context, args, left=False, create=False)


def _push(context: Context, args: Args, *, left: bool, create: bool) -> int:
    key = args[1]
    elements = context.list_at(key)
    if elements is None:
        if not create:
            return 0
        context.notify(b"new", key)
        elements = context.database.values[key] = deque()
    if left:
        elements.extendleft(args[2:])
    else:
        elements.extend(args[2:])
    context.touch(key, b"lpush" if left else b"rpush")
    return len(elements)


def pop(context: Context, key: bytes, elements: deque[bytes], count: int, *, left: bool) -> list[bytes]:
    """Take elements off one end; the key goes with the last of them."""
    take = elements.popleft if left else elements.pop
    found = [take() for _ in range(min(count, len(elements)))]
    if not elements:
        context.database.remove(key)
    context.touch(key, b"lpop" if left else b"rpop")
    return found


@TABLE.handles("LPOP")
def lpop(context: Context, args: Args) -> Reply:
    return _pop_command(context, args, left=True)


@TABLE.handles("RPOP")
def rpop(context: Context, args: Args) -> Reply:
    return _pop_command(context, args, left=False)


def _pop_command(context: Context, args: Args, *, left: bool) -> Reply:
    if len(args) > 3:
        raise texts.arity(b"lpop" if left else b"rpop")
    count = integer_between(args[2], 0, INT_MAX, texts.NOT_POSITIVE) if len(args) == 3 else None
    elements = context.list_at(args[1])
    if elements is None:
        return None
    if count == 0:
        return []
    found = pop(context, args[1], elements, 1 if count is None else count, left=left)
    return found[0] if count is None else found


@TABLE.handles("LLEN")
def llen(context: Context, args: Args) -> Reply:
    return len(context.list_at(args[1]) or ())


@TABLE.handles("LINDEX")
def lindex(context: Context, args: Args) -> Reply:
    elements = context.list_at(args[1])
    if elements is None:
        return None
    index = integer(args[2])
    return elements[index] if -len(elements) <= index < len(elements) else None


def _bounds(size: int, start: int, end: int) -> tuple[int, int]:
    """Turn Redis' inclusive indexes, of which negative ones count from the end, into a half-open range."""
    start = max(start + size, 0) if start < 0 else start
    stop = min((end + size if end < 0 else end) + 1, size)
    return (start, stop) if start < stop else (0, 0)


@TABLE.handles("LRANGE")
def lrange(context: Context, args: Args) -> Reply:
    start, end = integer(args[2]), integer(args[3])
    elements = context.list_at(args[1])
    if elements is None:
        return []
    return list(islice(elements, *_bounds(len(elements), start, end)))


@TABLE.handles("LSET")
def lset(context: Context, args: Args) -> Reply:
    elements = context.list_at(args[1])
    if elements is None:
        raise ReplyError(texts.NO_SUCH_KEY)
    index = integer(args[2])
    if not -len(elements) <= index < len(elements):
        raise ReplyError(texts.INDEX_RANGE)
    elements[index] = args[3]
    context.touch(args[1], b"lset")
    return OK


@TABLE.handles("LINSERT")
def linsert(context: Context, args: Args) -> Reply:
    where = args[2].upper()
    if where not in (b"BEFORE", b"AFTER"):
        raise texts.syntax()
    elements = context.list_at(args[1])
    if elements is None:
        return 0
    try:
        at = elements.index(args[3])
    except ValueError:
        return -1
    elements.insert(at + (where == b"AFTER"), args[4])
    context.touch(args[1], b"linsert")
    return len(elements)


@TABLE.handles("LREM")
def lrem(context: Context, args: Args) -> Reply:
    count = integer(args[2])
    elements = context.list_at(args[1])
    if elements is None:
        return 0
    places = [place for place, element in enumerate(elements) if element == args[3]]
    if count > 0:
        places = places[:count]
    elif count < 0:
        places = places[count:]
    if places:
        gone = set(places)
        _replace(context, args[1], [element for place, element in enumerate(elements) if place not in gone])
        context.touch(args[1], b"lrem")
    return len(places)


@TABLE.handles("LTRIM")
def ltrim(context: Context, args: Args) -> Reply:
    start, end = integer(args[2]), integer(args[3])
    elements = context.list_at(args[1])
    if elements is not None:
        first, last = _bounds(len(elements), start, end)
        if last - first < len(elements):
            _replace(context, args[1], list(islice(elements, first, last)))
            context.touch(args[1], b"ltrim")
        else:
            # A trim that takes nothing off is not logged, but Redis tells watchers of it.
            context.heed(context.database, args[1], b"ltrim")
    return OK


def _replace(context: Context, key: bytes, elements: Iterable[bytes]) -> None:
    """Put other elements in a list's place, with the deadline it has; no elements, no key."""
    kept = deque(elements)
    if kept:
        context.database.values[key] = kept
    else:
        context.database.remove(key)


@TABLE.handles("LPOS")
def lpos(context: Context, args: Args) -> Reply:
    rank, count, longest = _lpos_options(args)
    elements = context.list_at(args[1])
    if elements is None:
        return None if count is None else []
    backwards = rank < 0
    # Redis can't negate the least integer, and then skips nothing.
    skip = 0 if rank == INT_MIN else abs(rank) - 1
    wanted = 1 if count is None else count
    found: list[int] = []
    walk = reversed(elements) if backwards else iter(elements)
    for place, element in enumerate(islice(walk, longest or None)):
        if element == args[2]:
            if skip:
                skip -= 1
                continue
            found.append(len(elements) - 1 - place if backwards else place)
            if len(found) == wanted:
                break
    if count is None:
        return found[0] if found else None
    return found


def _lpos_options(args: Args) -> tuple[int, int | None, int]:
    rank, count, longest = 1, None, 0
    at = 3
    while at < len(args):
        option = args[at].upper()
        if at + 1 == len(args):
            raise texts.syntax()
        if option == b"RANK":
            rank = integer(args[at + 1])
            if not rank:
                raise ReplyError(texts.RANK_ZERO)
        elif option == b"COUNT":
            count = integer_between(args[at + 1], 0, INT_MAX, texts.COUNT_NEGATIVE)
        elif option == b"MAXLEN":
            longest = integer_between(args[at + 1], 0, INT_MAX, texts.MAXLEN_NEGATIVE)
        else:
            raise texts.syntax()
        at += 2
    return rank, count, longest


@TABLE.handles("LMOVE")
def lmove(context: Context, args: Args) -> Reply:
    sides = args[3].upper(), args[4].upper()
    if not set(sides) <= {b"LEFT", b"RIGHT"}:
        raise texts.syntax()
    return move(context, args[1], args[2], take_left=sides[0] == b"LEFT", put_left=sides[1] == b"LEFT")


@TABLE.handles("RPOPLPUSH")
def rpoplpush(context: Context, args: Args) -> Reply:
    return move(context, args[1], args[2], take_left=False, put_left=True)


def move(context: Context, source: bytes, target: bytes, *, take_left: bool, put_left: bool) -> bytes | None:
    elements = context.list_at(source)
    if elements is None:
        return None
    others = context.list_at(target)
    element = elements.popleft() if take_left else elements.pop()
    if others is None:
        context.notify(b"new", target)
        others = context.database.values[target] = deque()
    if put_left:
        others.appendleft(element)
    else:
        others.append(element)
    context.touch(target, b"lpush" if put_left else b"rpush")
    if not elements:
        context.database.remove(source)
    context.touch(source, b"lpop" if take_left else b"rpop")
    return element


@TABLE.handles("LMPOP")
def lmpop(context: Context, args: Args) -> Reply:
    keys, where, count = keys_side_count(args, (b"LEFT", b"RIGHT"))
    for key in keys:
        elements = context.list_at(key)
        if elements is not None:
            found = pop(context, key, elements, count, left=where == b"LEFT")
            context.effect(b"LPOP" if where == b"LEFT" else b"RPOP", key, b"%d" % len(found))
            return [key, found]
    return None
