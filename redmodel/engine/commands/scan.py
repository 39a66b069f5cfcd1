"""SCAN, HSCAN, SSCAN and ZSCAN."""

from __future__ import annotations

from collections.abc import Collection

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.context import Context
from redmodel.engine.glob import Matcher, compile_glob
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply, double_text
from redmodel.engine.values.types import TYPE_NAMES, Value
from redmodel.errors import ReplyError

TABLE = Table(
    ("SCAN", -2, "readonly", (0, 0, 0)),
    ("HSCAN", -3, "readonly", (1, 1, 1)),
    ("SSCAN", -3, "readonly", (1, 1, 1)),
    ("ZSCAN", -3, "readonly", (1, 1, 1)),
)

_ULONG = 2**64
_WHOLE = (b"listpack", b"listpackex", b"intset")


def _cursor(text: bytes) -> int:
    """Read a cursor as strtoul does, which lets a sign through."""
    text = text.partition(b"\0")[0]  # as C sees it
    if not text:
        return 0
    digits = text[1:] if text[:1] in (b"+", b"-") else text
    if not digits.isdigit() or len(digits) > 40:
        raise ReplyError(texts.INVALID_CURSOR)
    number = int(digits)
    if number >= _ULONG:
        raise ReplyError(texts.INVALID_CURSOR)
    return -number % _ULONG if text[:1] == b"-" else number


def _options(args: Args, at: int, *, with_type: bool = False) -> tuple[Matcher | None, int, bytes | None]:
    matcher: Matcher | None = None
    count = 10
    kind: bytes | None = None
    while at < len(args):
        option = args[at].upper()
        if at + 1 == len(args):
            raise texts.syntax()
        if option == b"COUNT":
            count = integer(args[at + 1])
            if count < 1:
                raise texts.syntax()
        elif option == b"MATCH":
            matcher = compile_glob(args[at + 1])
        elif option == b"TYPE" and with_type:
            kind = args[at + 1].lower()
        else:
            raise texts.syntax()
        at += 2
    return matcher, count, kind


@TABLE.handles("SCAN")
def scan(context: Context, args: Args) -> Reply:
    cursor = _cursor(args[1])
    matcher, count, kind = _options(args, 2, with_type=True)
    database = context.database
    cursor, found = database.scans.step(None, database.values, cursor, count)
    keys: list[bytes] = []
    for key in found:
        if matcher is None or matcher(key):
            value = context.find(key)
            if value is not None and (kind is None or TYPE_NAMES[type(value)] == kind):
                keys.append(key)
    return [b"%d" % cursor, keys]


def _walk(
    context: Context, args: Args, cursor: int, value: Value, elements: Collection[bytes]
) -> tuple[bytes, list[bytes]]:
    """One step through a collection: the next cursor and the elements that match."""
    matcher, count, _ = _options(args, 3)
    if context.encoding(args[1], value) in _WHOLE:
        cursor, found = 0, list(elements)
    else:
        cursor, found = context.database.scans.step(args[1], elements, cursor, count)
    return b"%d" % cursor, found if matcher is None else list(filter(matcher, found))


@TABLE.handles("HSCAN")
def hscan(context: Context, args: Args) -> Reply:
    start = _cursor(args[2])
    fields = context.hash_at(args[1])
    if fields is None:
        return [b"0", []]
    cursor, found = _walk(context, args, start, fields, fields)
    reply: list[bytes] = []
    for field in found:
        if field in fields:
            reply += (field, fields[field])
    return [cursor, reply]


@TABLE.handles("SSCAN")
def sscan(context: Context, args: Args) -> Reply:
    start = _cursor(args[2])
    members = context.set_at(args[1])
    if members is None:
        return [b"0", []]
    cursor, found = _walk(context, args, start, members, members)
    return [cursor, [member for member in found if member in members]]


@TABLE.handles("ZSCAN")
def zscan(context: Context, args: Args) -> Reply:
    start = _cursor(args[2])
    zset = context.sorted_set_at(args[1])
    if zset is None:
        return [b"0", []]
    cursor, found = _walk(context, args, start, zset, zset.scores)
    reply: list[bytes] = []
    for member in found:
        if member in zset.scores:
            reply += (member, double_text(zset.scores[member]))
    return [cursor, reply]
