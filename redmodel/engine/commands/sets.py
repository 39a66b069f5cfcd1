"""Commands on sets; SSCAN is in ``scan``."""

from __future__ import annotations

from itertools import islice
from random import randrange, sample

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, integer, integer_between
from redmodel.engine.commands.hashes import check_sample, sampled
from redmodel.engine.context import Context
from redmodel.engine.conversions import shrink_set
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply, SetReply
from redmodel.errors import ReplyError

TABLE = Table(
    ("SADD", -3, "write denyoom fast", (1, 1, 1)),
    ("SREM", -3, "write fast", (1, 1, 1)),
    ("SCARD", 2, "readonly fast", (1, 1, 1)),
    ("SISMEMBER", 3, "readonly fast", (1, 1, 1)),
    ("SMISMEMBER", -3, "readonly fast", (1, 1, 1)),
    ("SMEMBERS", 2, "readonly", (1, 1, 1)),
    ("SMOVE", 4, "write fast", (1, 2, 1)),
    ("SPOP", -2, "write fast", (1, 1, 1)),
    ("SRANDMEMBER", -2, "readonly", (1, 1, 1)),
    ("SINTER", -2, "readonly", (1, -1, 1)),
    ("SINTERSTORE", -3, "write denyoom", (1, -1, 1)),
    ("SINTERCARD", -3, "readonly movablekeys", (0, 0, 0)),
    ("SUNION", -2, "readonly", (1, -1, 1)),
    ("SUNIONSTORE", -3, "write denyoom", (1, -1, 1)),
    ("SDIFF", -2, "readonly", (1, -1, 1)),
    ("SDIFFSTORE", -3, "write denyoom", (1, -1, 1)),
)

# From this size on SPOP takes what set.pop() gives: choosing evenly means walking half the set.
_MANY = 4096
# When so many times what is left is fewer than what is taken, Redis makes a new set of what is left.
_REMADE = 5


@TABLE.handles("SADD")
def sadd(context: Context, args: Args) -> Reply:
    key = args[1]
    members = context.set_at(key)
    if members is None:
        context.notify(b"new", key)
        members = context.database.values[key] = set()
    before = len(members)
    if len(args) == 3:
        members.add(args[2])
    else:
        members.update(args[2:])
    added = len(members) - before
    if added:
        context.touch(key, b"sadd")
    return added


@TABLE.handles("SREM")
def srem(context: Context, args: Args) -> Reply:
    key = args[1]
    members = context.set_at(key)
    if members is None:
        return 0
    before = len(members)
    shrink_set(context, key, before, filter(members.__contains__, args[2:]))
    members.difference_update(args[2:])
    gone = before - len(members)
    if gone:
        if not members:
            context.database.remove(key)
        context.touch(key, b"srem")
    return gone


@TABLE.handles("SCARD")
def scard(context: Context, args: Args) -> Reply:
    return len(context.set_at(args[1]) or ())


@TABLE.handles("SISMEMBER")
def sismember(context: Context, args: Args) -> Reply:
    members = context.set_at(args[1])
    return 0 if members is None else int(args[2] in members)


@TABLE.handles("SMISMEMBER")
def smismember(context: Context, args: Args) -> Reply:
    members = context.set_at(args[1]) or ()
    return [int(member in members) for member in args[2:]]


@TABLE.handles("SMEMBERS")
def smembers(context: Context, args: Args) -> Reply:
    return SetReply(context.set_at(args[1]) or ())


@TABLE.handles("SMOVE")
def smove(context: Context, args: Args) -> Reply:
    source, target, member = args[1:4]
    members = context.set_at(source)
    if members is None:
        return 0
    others = context.set_at(target)
    if member not in members or source == target:
        return int(member in members)
    shrink_set(context, source, len(members), (member,))
    members.remove(member)
    if not members:
        context.database.remove(source)
    context.touch(source, b"srem")
    if others is None:
        context.notify(b"new", target)
        others = context.database.values[target] = set()
    if member not in others:
        others.add(member)
        context.touch(target, b"sadd")
    return 1


@TABLE.handles("SPOP")
def spop(context: Context, args: Args) -> Reply:
    key = args[1]
    if len(args) > 3:
        raise texts.syntax()
    if len(args) == 3:
        return _pop_many(context, key, integer_between(args[2], 0, INT_MAX, texts.NOT_POSITIVE))
    members = context.set_at(key)
    if members is None:
        return None
    if len(members) < _MANY:
        chosen = next(islice(members, randrange(len(members)), None))
        members.remove(chosen)
    else:
        chosen = members.pop()
    shrink_set(context, key, len(members) + 1, (chosen,))
    if not members:
        context.database.remove(key)
    context.touch(key, b"spop")
    context.effect(b"SREM", key, chosen)
    return chosen


def _pop_many(context: Context, key: bytes, count: int) -> Reply:
    members = context.set_at(key)
    if members is None or not count:
        return SetReply()
    if count >= len(members):
        context.database.remove(key)
        context.touch(key, b"spop")
        context.effect(b"DEL", key)
        return SetReply(members)
    chosen = sample(list(members), count)
    if (len(members) - count) * _REMADE > count:
        shrink_set(context, key, len(members), chosen)
    else:
        context.database.kept.pop(key, None)
    members.difference_update(chosen)
    context.touch(key, b"spop")
    context.effect(b"SREM", key, *chosen)
    return SetReply(chosen)


@TABLE.handles("SRANDMEMBER")
def srandmember(context: Context, args: Args) -> Reply:
    if len(args) > 3:
        raise texts.syntax()
    if len(args) == 2:
        members = context.set_at(args[1])
        return next(islice(members, randrange(len(members)), None)) if members else None
    count = integer(args[2])
    check_sample(count, with_values=False)
    members = context.set_at(args[1])
    return sampled(list(members), count) if members else []


def _sets(context: Context, keys: Args) -> list[set[bytes]]:
    """The sets at some keys; a missing key is an empty set."""
    return [context.set_at(key) or set() for key in keys]


def _store(context: Context, args: Args, members: set[bytes]) -> int:
    key = args[1]
    if members:
        context.find(key)
        context.put(key, members)
        context.touch(key, args[0].lower())
    elif context.find(key) is not None:
        context.database.remove(key)
        context.touch(key, b"del")
    return len(members)


def intersection(sets: list[set[bytes]]) -> set[bytes]:
    """What all of these sets hold, as a new set. Cost: O(smallest set * sets)."""
    first, *others = sorted(sets, key=len)
    # set.intersection() checks the smaller side against the bigger one, so the smallest goes first.
    return first.intersection(*others)


@TABLE.handles("SINTER")
def sinter(context: Context, args: Args) -> Reply:
    return SetReply(intersection(_sets(context, args[1:])))


@TABLE.handles("SINTERSTORE")
def sinterstore(context: Context, args: Args) -> Reply:
    return _store(context, args, intersection(_sets(context, args[2:])))


@TABLE.handles("SUNION")
def sunion(context: Context, args: Args) -> Reply:
    return SetReply(set[bytes]().union(*_sets(context, args[1:])))


@TABLE.handles("SUNIONSTORE")
def sunionstore(context: Context, args: Args) -> Reply:
    return _store(context, args, set[bytes]().union(*_sets(context, args[2:])))


@TABLE.handles("SDIFF")
def sdiff(context: Context, args: Args) -> Reply:
    first, *others = _sets(context, args[1:])
    return SetReply(first.difference(*others))


@TABLE.handles("SDIFFSTORE")
def sdiffstore(context: Context, args: Args) -> Reply:
    first, *others = _sets(context, args[2:])
    return _store(context, args, first.difference(*others))


@TABLE.handles("SINTERCARD")
def sintercard(context: Context, args: Args) -> Reply:
    number = integer_between(args[1], 1, INT_MAX, texts.NUMKEYS_POSITIVE)
    if number > len(args) - 2:
        raise ReplyError(texts.NUMKEYS_TOO_MANY)
    limit = 0
    at = 2 + number
    while at < len(args):
        if args[at].upper() != b"LIMIT" or at + 1 >= len(args):
            raise texts.syntax()
        limit = integer_between(args[at + 1], 0, INT_MAX, texts.LIMIT_NEGATIVE)
        at += 2
    size = len(intersection(_sets(context, args[2 : 2 + number])))
    return min(size, limit) if limit else size
