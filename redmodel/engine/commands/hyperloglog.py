"""Commands on HyperLogLog counters, which are strings of the layout in ``values.hyperloglog``."""

from __future__ import annotations

from collections.abc import Iterator

from redmodel.engine import texts
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, Status
from redmodel.engine.values import hyperloglog as hll
from redmodel.errors import ReplyError

TABLE = Table(
    ("PFADD", -2, "write denyoom fast", (1, 1, 1)),
    ("PFCOUNT", -2, "readonly", (1, -1, 1)),
    ("PFMERGE", -2, "write denyoom", (1, -1, 1)),
    ("PFDEBUG", 3, "write denyoom admin", (2, 2, 1)),
    ("PFSELFTEST", 1, "admin", (0, 0, 0)),
)


def _own(context: Context, key: bytes) -> bytes | None:
    """The counter at a key that is about to be changed in place."""
    value = _counter(context, key)
    if value is not None:
        context.database.kept[key] = b"raw"
    return value


def _counter(context: Context, key: bytes) -> bytes | None:
    value = context.string_at(key)
    if value is not None and not hll.is_counter(value):
        raise ReplyError(texts.NOT_A_COUNTER)
    return value


def _counters(context: Context, keys: Args) -> Iterator[bytes]:
    """The counters at some keys, one after the other: the first that is wrong decides what is answered."""
    for key in keys:
        value = _counter(context, key)
        if value is not None:
            yield value


def _sparse_most(context: Context) -> int:
    return context.engine.settings.number("hll-sparse-max-bytes")


@TABLE.handles("PFADD")
def pfadd(context: Context, args: Args) -> Reply:
    key = args[1]
    before = _own(context, key)
    value = hll.empty() if before is None else before
    try:
        after = hll.add(value, args[2:], _sparse_most(context))
    except hll.Corrupted:
        raise ReplyError(texts.CORRUPTED_COUNTER) from None
    if after is before:
        return 0
    if after is value:
        after = value[:15] + b"\x80" + value[16:]
    if before is None:
        context.notify(b"new", key)
    context.database.put_raw(key, after)
    context.touch(key, b"pfadd")
    return 1


@TABLE.handles("PFCOUNT")
def pfcount(context: Context, args: Args) -> Reply:
    try:
        if len(args) > 2:
            return _signed(hll.count_of(hll.highest(_counters(context, args[1:]))))
        key = args[1]
        value = _own(context, key)
        if value is None:
            return 0
        number = hll.known_count(value)
        if number is None:
            number = hll.count(value)
            context.database.put_raw(key, hll.with_count(value, number))
            context.touch(key)
        return _signed(number)
    except hll.Corrupted:
        raise ReplyError(texts.CORRUPTED_COUNTER) from None


def _signed(number: int) -> int:
    # A counter of nonsense counts more than fits.
    return number - (1 << 64) if number >> 63 else number


@TABLE.handles("PFMERGE")
def pfmerge(context: Context, args: Args) -> Reply:
    target = args[1]
    try:
        values = hll.highest(_counters(context, args[1:]))
        into = _counter(context, target)
        if into is None:
            context.notify(b"new", target)
            into = hll.empty()
        if any(map(hll.is_dense, _counters(context, args[1:]))):
            into = hll.dense(into)
        context.database.put_raw(target, hll.merged(into, values, _sparse_most(context)))
    except hll.Corrupted:
        raise ReplyError(texts.CORRUPTED_COUNTER) from None
    context.touch(target, b"pfadd")
    return OK


@TABLE.handles("PFDEBUG")
def pfdebug(context: Context, args: Args) -> Reply:
    verb, key = args[1].upper(), args[2]
    value = _own(context, key)
    if value is None:
        raise ReplyError(texts.NO_SUCH_COUNTER)
    try:
        if verb == b"ENCODING":
            return Status(b"dense" if hll.is_dense(value) else b"sparse")
        if verb == b"DECODE":
            if hll.is_dense(value):
                raise ReplyError(texts.COUNTER_NOT_SPARSE)
            return hll.spelled(value).encode()
        if verb not in (b"GETREG", b"TODENSE"):
            raise ReplyError(f"ERR Unknown PFDEBUG subcommand '{texts.shown(args[1])}'")
        converted = not hll.is_dense(value)
        if converted:
            context.database.put_raw(key, hll.dense(value))
            context.touch(key)
        return list(hll.registers(value)) if verb == b"GETREG" else int(converted)
    except hll.Corrupted:
        raise ReplyError(texts.CORRUPTED_COUNTER) from None


@TABLE.handles("PFSELFTEST")
def pfselftest(context: Context, args: Args) -> Reply:
    # Redis tries its registers and its estimates; here the tests of this package do.
    return OK
