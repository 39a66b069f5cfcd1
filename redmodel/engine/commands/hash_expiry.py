"""Commands on the deadlines of fields of hashes, as Redis 7.4 has them: HEXPIRE, HTTL and their kin, HPERSIST."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, integer, integer_between
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.errors import ReplyError

TABLE = Table(
    ("HEXPIRE", -6, "write denyoom fast", (1, 1, 1)),
    ("HPEXPIRE", -6, "write denyoom fast", (1, 1, 1)),
    ("HEXPIREAT", -6, "write denyoom fast", (1, 1, 1)),
    ("HPEXPIREAT", -6, "write denyoom fast", (1, 1, 1)),
    ("HTTL", -5, "readonly fast", (1, 1, 1)),
    ("HPTTL", -5, "readonly fast", (1, 1, 1)),
    ("HEXPIRETIME", -5, "readonly fast", (1, 1, 1)),
    ("HPEXPIRETIME", -5, "readonly fast", (1, 1, 1)),
    ("HPERSIST", -5, "write fast", (1, 1, 1)),
)

_LATEST = (1 << 46) - 1  # milliseconds: what Redis' own field times can hold
_CONDITIONS = (b"NX", b"XX", b"GT", b"LT")
_NO_FIELD, _NO_TTL, _UNMET, _SET, _DELETED = -2, -1, 0, 1, 2


@TABLE.handles("HEXPIRE")
def hexpire(context: Context, args: Args) -> Reply:
    return _expire(context, args, context.now(), 1000, b"hexpire")


@TABLE.handles("HPEXPIRE")
def hpexpire(context: Context, args: Args) -> Reply:
    return _expire(context, args, context.now(), 1, b"hpexpire")


@TABLE.handles("HEXPIREAT")
def hexpireat(context: Context, args: Args) -> Reply:
    return _expire(context, args, 0, 1000, b"hexpireat")


@TABLE.handles("HPEXPIREAT")
def hpexpireat(context: Context, args: Args) -> Reply:
    return _expire(context, args, 0, 1, b"hpexpireat")


def _expire(context: Context, args: Args, base: int, unit: int, name: bytes) -> Reply:
    key = args[1]
    found = context.hash_at(key)
    number = integer(args[2])
    if number < 0:
        raise ReplyError(texts.FIELD_EXPIRE_NEGATIVE)
    deadline = number * unit + base
    if deadline > _LATEST:
        raise texts.invalid_expire(name)
    condition = args[3].upper()
    at = 3
    if condition in _CONDITIONS:
        at = 4
    else:
        condition = b""
    names = _fields(args, at, texts.NUMFIELDS_POSITIVE)
    if found is None:
        return [_NO_FIELD] * len(names)
    database = context.database
    fields = found if isinstance(found, ExpiringHash) else ExpiringHash(found)
    past = deadline <= context.now() and not context.loading
    answers: list[int] = []
    timed: list[bytes] = []
    deleted: list[bytes] = []
    for field in names:
        if field not in fields:
            answers.append(_NO_FIELD)
        elif condition and not _met(condition, fields.deadlines.get(field), deadline):
            answers.append(_UNMET)
        elif past:
            del fields[field]
            fields.forget((field,))
            deleted.append(field)
            answers.append(_DELETED)
        else:
            fields.set_deadline(field, deadline)
            timed.append(field)
            answers.append(_SET)
    if fields:
        database.values[key] = fields
        database.queue_fields(key, fields)
    else:
        database.remove(key)
    if not timed and not deleted:
        return answers
    if deleted:
        context.effect(b"HDEL", key, *deleted)
    if timed:
        context.effect(b"HPEXPIREAT", key, b"%d" % deadline, b"FIELDS", b"%d" % len(timed), *timed)
    context.touch(key, b"hdel" if deleted else b"hexpire")
    return answers


def _met(condition: bytes, current: int | None, deadline: int) -> bool:
    """Whether a field with this deadline, or with none, shall get another; none is later than any."""
    if condition == b"NX":
        return current is None
    if condition == b"XX":
        return current is not None
    if condition == b"GT":
        return current is not None and deadline > current
    return current is None or deadline < current


def _fields(args: Args, at: int, error: str) -> Args:
    """Read ``FIELDS numfields field …``; ``at`` is where it must begin."""
    if args[at].upper() != b"FIELDS":
        raise ReplyError(texts.FIELDS_MISSING)
    number = integer_between(args[at + 1], 1, INT_MAX, error)
    if number != len(args) - at - 2:
        raise ReplyError(texts.NUMFIELDS_WRONG)
    return args[at + 2 :]


def _times(context: Context, args: Args, base: int, unit: int) -> Reply:
    found = context.hash_at(args[1])
    answers: list[int] = []
    deadlines = found.deadlines if isinstance(found, ExpiringHash) else {}
    for field in _fields(args, 2, texts.NUMBER_OF_FIELDS):
        if found is None or field not in found:
            answers.append(_NO_FIELD)
        else:
            deadline = deadlines.get(field)
            answers.append(_NO_TTL if deadline is None else (deadline - base + unit - 1) // unit)
    return answers


@TABLE.handles("HTTL")
def httl(context: Context, args: Args) -> Reply:
    return _times(context, args, context.now(), 1000)


@TABLE.handles("HPTTL")
def hpttl(context: Context, args: Args) -> Reply:
    return _times(context, args, context.now(), 1)


@TABLE.handles("HEXPIRETIME")
def hexpiretime(context: Context, args: Args) -> Reply:
    return _times(context, args, 0, 1000)


@TABLE.handles("HPEXPIRETIME")
def hpexpiretime(context: Context, args: Args) -> Reply:
    return _times(context, args, 0, 1)


@TABLE.handles("HPERSIST")
def hpersist(context: Context, args: Args) -> Reply:
    found = context.hash_at(args[1])
    answers: list[int] = []
    for field in _fields(args, 2, texts.NUMBER_OF_FIELDS):
        if found is None or field not in found:
            answers.append(_NO_FIELD)
        elif isinstance(found, ExpiringHash) and field in found.deadlines:
            found.forget((field,))
            answers.append(_SET)
        else:
            answers.append(_NO_TTL)
    if _SET in answers:
        context.touch(args[1], b"hpersist")
    return answers
