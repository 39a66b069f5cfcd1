"""Commands on hashes; HSCAN is in ``scan``."""

from __future__ import annotations

from random import choice, choices, sample

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, INT_MIN, integer, parse_integer
from redmodel.engine.commands.numbers import add_floats, read_float
from redmodel.engine.context import Context
from redmodel.engine.conversions import shrink_hash
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Pairs, Reply
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.field_names import shared
from redmodel.errors import ReplyError

TABLE = Table(
    ("HSET", -4, "write denyoom fast", (1, 1, 1)),
    ("HMSET", -4, "write denyoom fast", (1, 1, 1)),
    ("HSETNX", 4, "write denyoom fast", (1, 1, 1)),
    ("HGET", 3, "readonly fast", (1, 1, 1)),
    ("HMGET", -3, "readonly fast", (1, 1, 1)),
    ("HGETALL", 2, "readonly", (1, 1, 1)),
    ("HKEYS", 2, "readonly", (1, 1, 1)),
    ("HVALS", 2, "readonly", (1, 1, 1)),
    ("HDEL", -3, "write fast", (1, 1, 1)),
    ("HEXISTS", 3, "readonly fast", (1, 1, 1)),
    ("HLEN", 2, "readonly fast", (1, 1, 1)),
    ("HSTRLEN", 3, "readonly fast", (1, 1, 1)),
    ("HINCRBY", 4, "write denyoom fast", (1, 1, 1)),
    ("HINCRBYFLOAT", 4, "write denyoom fast", (1, 1, 1)),
    ("HRANDFIELD", -2, "readonly", (1, 1, 1)),
)

# A negative count asks for that many answers however small the collection is: memory sets a bound.
_MOST_REPEATED = -(2**27)


@TABLE.handles("HSET")
def hset(context: Context, args: Args) -> Reply:
    if len(args) & 1:
        raise texts.arity(b"hset")
    key, names, values = args[1], args[2::2], args[3::2]
    fields = context.hash_at(key)
    if fields is None:
        context.notify(b"new", key)
        fields = context.database.values[key] = dict(zip(shared(names), values))  # noqa: B905 (the arity was checked)
        context.touch(key, b"hset")
        return len(fields)
    before = len(fields)
    shrink_hash(context, key, fields, names)
    fields.update(zip(names, values))  # noqa: B905
    if type(fields) is not dict:
        _forget(fields, names)
    context.touch(key, b"hset")
    return len(fields) - before


def _forget(fields: dict[bytes, bytes], replaced: Args) -> None:
    if isinstance(fields, ExpiringHash):
        fields.forget(replaced)


@TABLE.handles("HMSET")
def hmset(context: Context, args: Args) -> Reply:
    if len(args) & 1:
        raise texts.arity(b"hmset")
    hset(context, args)
    return OK


@TABLE.handles("HSETNX")
def hsetnx(context: Context, args: Args) -> Reply:
    fields = context.hash_at(args[1])
    if fields is not None and args[2] in fields:
        return 0
    _set_field(context, args[1], fields, args[2], args[3], b"hset")
    return 1


def _set_field(
    context: Context, key: bytes, fields: dict[bytes, bytes] | None, field: bytes, value: bytes, event: bytes
) -> None:
    if fields is None:
        context.notify(b"new", key)
        context.database.values[key] = {field: value}
    else:
        fields[field] = value
    context.touch(key, event)


@TABLE.handles("HGET")
def hget(context: Context, args: Args) -> Reply:
    fields = context.hash_at(args[1])
    return None if fields is None else fields.get(args[2])


@TABLE.handles("HMGET")
def hmget(context: Context, args: Args) -> Reply:
    fields = context.hash_at(args[1])
    if fields is None:
        return [None] * (len(args) - 2)
    return list(map(fields.get, args[2:]))


@TABLE.handles("HGETALL")
def hgetall(context: Context, args: Args) -> Reply:
    fields = context.hash_at(args[1])
    return {} if fields is None else fields.copy()


@TABLE.handles("HKEYS")
def hkeys(context: Context, args: Args) -> Reply:
    return list(context.hash_at(args[1]) or ())


@TABLE.handles("HVALS")
def hvals(context: Context, args: Args) -> Reply:
    fields = context.hash_at(args[1])
    return [] if fields is None else list(fields.values())


@TABLE.handles("HDEL")
def hdel(context: Context, args: Args) -> Reply:
    key = args[1]
    fields = context.hash_at(key)
    if fields is None:
        return 0
    before = len(fields)
    shrink_hash(context, key, fields, args[2:])
    for field in args[2:]:
        fields.pop(field, None)
    if type(fields) is not dict:
        _forget(fields, args[2:])
    gone = before - len(fields)
    if gone:
        if not fields:
            context.database.remove(key)
        context.touch(key, b"hdel")
    return gone


@TABLE.handles("HEXISTS")
def hexists(context: Context, args: Args) -> Reply:
    return int(args[2] in (context.hash_at(args[1]) or ()))


@TABLE.handles("HLEN")
def hlen(context: Context, args: Args) -> Reply:
    return len(context.hash_at(args[1]) or ())


@TABLE.handles("HSTRLEN")
def hstrlen(context: Context, args: Args) -> Reply:
    fields = context.hash_at(args[1])
    return 0 if fields is None else len(fields.get(args[2], b""))


@TABLE.handles("HINCRBY")
def hincrby(context: Context, args: Args) -> Reply:
    amount = integer(args[3])
    fields = context.hash_at(args[1])
    text = None if fields is None else fields.get(args[2])
    before = 0 if text is None else parse_integer(text)
    if before is None:
        raise ReplyError(texts.HASH_NOT_AN_INTEGER)
    total = before + amount
    if not INT_MIN <= total <= INT_MAX:
        raise ReplyError(texts.OVERFLOW)
    _set_field(context, args[1], fields, args[2], b"%d" % total, b"hincrby")
    return total


@TABLE.handles("HINCRBYFLOAT")
def hincrbyfloat(context: Context, args: Args) -> Reply:
    key, field = args[1], args[2]
    amount = read_float(args[3], texts.NOT_A_FLOAT)
    if amount is None:
        raise ReplyError(texts.VALUE_NAN_OR_INFINITY)
    fields = context.hash_at(key)
    before = read_float(b"0" if fields is None else fields.get(field, b"0"), texts.HASH_NOT_A_FLOAT)
    value = add_floats(before, amount)
    _set_field(context, key, fields, field, value, b"hincrbyfloat")
    context.effect(b"HSET", key, field, value)
    if isinstance(fields, ExpiringHash) and field in fields.deadlines:
        context.effect(b"HPEXPIREAT", key, b"%d" % fields.deadlines[field], b"FIELDS", b"1", field)
    return value


@TABLE.handles("HRANDFIELD")
def hrandfield(context: Context, args: Args) -> Reply:
    if len(args) == 2:
        fields = context.hash_at(args[1])
        return choice(list(fields)) if fields else None
    count = integer(args[2])
    if len(args) > 4 or (len(args) == 4 and args[3].upper() != b"WITHVALUES"):
        raise texts.syntax()
    check_sample(count, with_values=len(args) == 4)
    fields = context.hash_at(args[1])
    chosen = sampled(list(fields), count) if fields else []
    if len(args) == 4:
        return Pairs((field, fields[field]) for field in chosen) if fields else Pairs()
    return chosen


def check_sample(count: int, *, with_values: bool) -> None:
    """Refuse the counts that the RAND commands refuse."""
    if count == INT_MIN:
        raise ReplyError(texts.NOT_A_LONG)
    if with_values and not -(INT_MAX // 2) <= count <= INT_MAX // 2:
        raise ReplyError(texts.OUT_OF_RANGE)


def sampled(elements: list[bytes], count: int) -> list[bytes]:
    """Choose as the RAND commands do: up to ``count`` different ones, or ``-count`` of which some may be the same."""
    if count < _MOST_REPEATED:
        raise ReplyError(texts.OUT_OF_RANGE)
    if count < 0:
        return choices(elements, k=-count)
    return sample(elements, count) if count < len(elements) else elements
