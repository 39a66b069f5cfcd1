"""Commands on strings as bytes. Those that read a string as a number are in ``numbers``."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.commands.expiry import expire_at, read_deadline
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply
from redmodel.engine.values.subsequence import common_subsequence
from redmodel.errors import ReplyError

TABLE = Table(
    ("GET", 2, "readonly fast", (1, 1, 1)),
    ("SET", -3, "write denyoom", (1, 1, 1)),
    ("SETNX", 3, "write denyoom fast", (1, 1, 1)),
    ("SETEX", 4, "write denyoom", (1, 1, 1)),
    ("PSETEX", 4, "write denyoom", (1, 1, 1)),
    ("GETEX", -2, "write fast", (1, 1, 1)),
    ("GETDEL", 2, "write fast", (1, 1, 1)),
    ("GETSET", 3, "write denyoom fast", (1, 1, 1)),
    ("MGET", -2, "readonly fast", (1, -1, 1)),
    ("MSET", -3, "write denyoom", (1, -1, 2)),
    ("MSETNX", -3, "write denyoom", (1, -1, 2)),
    ("APPEND", 3, "write denyoom fast", (1, 1, 1)),
    ("STRLEN", 2, "readonly fast", (1, 1, 1)),
    ("GETRANGE", 4, "readonly", (1, 1, 1)),
    ("SUBSTR", 4, "readonly", (1, 1, 1)),
    ("SETRANGE", 4, "write denyoom", (1, 1, 1)),
    ("LCS", -3, "readonly", (1, 2, 1)),
)

_MAX_LENGTH = 512 * 1024 * 1024
_TIMES = frozenset((b"EX", b"PX", b"EXAT", b"PXAT"))


@TABLE.handles("GET")
def get(context: Context, args: Args) -> Reply:
    key = args[1]
    database = context.database
    if key in database.deadlines:
        context.expire(key)
    value = database.values.get(key)
    if value is None or type(value) is bytes:
        return value
    return context.string_at(key)


@TABLE.handles("SET")
def set_(context: Context, args: Args) -> Reply:
    key = args[1]
    if len(args) > 3:
        return _set_with_options(context, args)
    if context.heeded:
        context.find(key)  # one that has expired is gone first, which is an event of its own
        context.put(key, args[2])
        context.touch(key, b"set")
        return OK
    database = context.database
    database.values[key] = args[2]
    if database.deadlines:
        database.deadlines.pop(key, None)
    if database.kept:
        database.kept.pop(key, None)
    context.changed = True
    return OK


def _set_with_options(context: Context, args: Args) -> Reply:
    key, value = args[1], args[2]
    flags, timing = _set_options(args)
    deadline = None if timing is None else read_deadline(context, *timing, b"set")
    before = context.string_at(key) if b"GET" in flags else None
    found = context.find(key) is not None
    answer = before if b"GET" in flags else OK
    if (b"NX" in flags and found) or (b"XX" in flags and not found):
        return before
    database = context.database
    kept = database.deadlines.get(key) if b"KEEPTTL" in flags else None
    context.put(key, value)
    if kept is not None:
        database.set_deadline(key, kept)
    context.touch(key, b"set")
    if deadline is not None:
        database.set_deadline(key, deadline)
        context.notify(b"expire", key)
        context.effect(b"SET", key, value, b"PXAT", b"%d" % deadline)
    elif b"GET" in flags:
        context.effect(*(arg for n, arg in enumerate(args) if n < 3 or arg.upper() != b"GET"))
    return answer


def _set_options(args: Args) -> tuple[set[bytes], tuple[bytes, bytes] | None]:
    """Read SET's options: the flags given, and the option that names a time with its argument."""
    flags: set[bytes] = set()
    timing: tuple[bytes, bytes] | None = None
    at = 3
    while at < len(args):
        option = args[at].upper()
        if option in _TIMES and _agrees(timing, option) and b"KEEPTTL" not in flags and at + 1 < len(args):
            timing = option, args[at + 1]
            at += 1
        elif option == b"GET" or (
            (option == b"NX" and b"XX" not in flags)
            or (option == b"XX" and b"NX" not in flags)
            or (option == b"KEEPTTL" and timing is None)
        ):
            flags.add(option)
        else:
            raise texts.syntax()
        at += 1
    return flags, timing


def _agrees(timing: tuple[bytes, bytes] | None, option: bytes) -> bool:
    # The same option may come twice, and the last one counts; two different ones are an error.
    return timing is None or timing[0] == option


@TABLE.handles("SETNX")
def setnx(context: Context, args: Args) -> Reply:
    if context.find(args[1]) is not None:
        return 0
    context.put(args[1], args[2])
    context.touch(args[1], b"set")
    return 1


@TABLE.handles("SETEX")
def setex(context: Context, args: Args) -> Reply:
    return _set_for(context, args[1], args[3], read_deadline(context, b"EX", args[2], b"setex"))


@TABLE.handles("PSETEX")
def psetex(context: Context, args: Args) -> Reply:
    return _set_for(context, args[1], args[3], read_deadline(context, b"PX", args[2], b"psetex"))


def _set_for(context: Context, key: bytes, value: bytes, deadline: int) -> Reply:
    context.find(key)
    context.put(key, value)
    context.database.set_deadline(key, deadline)
    context.touch(key, b"set")
    context.notify(b"expire", key)
    context.effect(b"SET", key, value, b"PXAT", b"%d" % deadline)
    return OK


@TABLE.handles("GETEX")
def getex(context: Context, args: Args) -> Reply:
    key = args[1]
    persist = False
    timing: tuple[bytes, bytes] | None = None
    at = 2
    while at < len(args):
        option = args[at].upper()
        if option in _TIMES and _agrees(timing, option) and not persist and at + 1 < len(args):
            timing = option, args[at + 1]
            at += 1
        elif option == b"PERSIST" and timing is None:
            persist = True
        else:
            raise texts.syntax()
        at += 1
    value = context.string_at(key)
    if value is None:
        return None
    if timing is not None:
        expire_at(context, key, read_deadline(context, *timing, b"getex"))
    elif persist and context.database.deadlines.pop(key, None) is not None:
        context.touch(key, b"persist")
        context.effect(b"PERSIST", key)
    return value


@TABLE.handles("GETDEL")
def getdel(context: Context, args: Args) -> Reply:
    value = context.string_at(args[1])
    if value is not None:
        context.database.remove(args[1])
        context.touch(args[1], b"del")
        context.effect(b"DEL", args[1])
    return value


@TABLE.handles("GETSET")
def getset(context: Context, args: Args) -> Reply:
    before = context.string_at(args[1])
    context.put(args[1], args[2])
    context.touch(args[1], b"set")
    context.effect(b"SET", args[1], args[2])
    return before


@TABLE.handles("MGET")
def mget(context: Context, args: Args) -> Reply:
    find = context.find
    values = [find(key) for key in args[1:]]
    return [value if type(value) is bytes else None for value in values]


@TABLE.handles("MSET")
def mset(context: Context, args: Args) -> Reply:
    if len(args) % 2 == 0:
        raise texts.arity(b"mset")
    _put_all(context, args)
    return OK


@TABLE.handles("MSETNX")
def msetnx(context: Context, args: Args) -> Reply:
    if len(args) % 2 == 0:
        raise texts.arity(b"msetnx")
    if any(context.find(key) is not None for key in args[1::2]):
        return 0
    _put_all(context, args)
    return 1


def _put_all(context: Context, args: Args) -> None:
    for key, value in zip(args[1::2], args[2::2], strict=True):
        if context.heeded:
            context.find(key)
        context.put(key, value)
        context.touch(key, b"set")


@TABLE.handles("APPEND")
def append(context: Context, args: Args) -> Reply:
    key = args[1]
    before = context.string_at(key)
    if before is None:
        context.notify(b"new", key)
        context.database.put(key, args[2])
        context.touch(key, b"append")
        return len(args[2])
    if len(before) + len(args[2]) > _MAX_LENGTH:
        raise ReplyError(texts.TOO_LONG)
    value = before + args[2]
    context.database.put_raw(key, value)
    context.touch(key, b"append")
    return len(value)


@TABLE.handles("STRLEN")
def strlen(context: Context, args: Args) -> Reply:
    return len(context.string_at(args[1]) or b"")


@TABLE.handles("GETRANGE", "SUBSTR")
def getrange(context: Context, args: Args) -> Reply:
    start, end = integer(args[2]), integer(args[3])
    value = context.string_at(args[1])
    if value is None or (start < 0 and end < 0 and start > end):
        return b""
    if start < 0:
        start = max(start + len(value), 0)
    if end < 0:
        end = max(end + len(value), 0)
    return value[start : end + 1]


@TABLE.handles("SETRANGE")
def setrange(context: Context, args: Args) -> Reply:
    key, piece = args[1], args[3]
    offset = integer(args[2])
    if offset < 0:
        raise ReplyError(texts.OFFSET_RANGE)
    before = context.string_at(key) or b""
    if not piece:
        return len(before)
    if offset + len(piece) > _MAX_LENGTH:
        raise ReplyError(texts.TOO_LONG)
    value = before[:offset].ljust(offset, b"\0") + piece + before[offset + len(piece) :]
    if not before and key not in context.database.values:
        context.notify(b"new", key)
    context.database.put_raw(key, value)
    context.touch(key, b"setrange")
    return len(value)


@TABLE.handles("LCS")
def lcs(context: Context, args: Args) -> Reply:
    pair = context.find(args[1]), context.find(args[2])
    strings = [b"" if value is None else value for value in pair]
    first, second = strings
    if type(first) is not bytes or type(second) is not bytes:
        raise ReplyError(texts.LCS_NOT_STRINGS)
    want_length = want_index = with_lengths = False
    shortest = 0
    at = 3
    while at < len(args):
        option = args[at].upper()
        if option == b"IDX":
            want_index = True
        elif option == b"LEN":
            want_length = True
        elif option == b"WITHMATCHLEN":
            with_lengths = True
        elif option == b"MINMATCHLEN" and at + 1 < len(args):
            shortest = max(integer(args[at + 1]), 0)
            at += 1
        else:
            raise texts.syntax()
        at += 1
    if want_index and want_length:
        raise ReplyError(texts.LCS_LEN_AND_IDX)
    if (len(first) + 1) * (len(second) + 1) * 4 > _MAX_LENGTH:
        raise ReplyError(texts.LCS_TOO_LONG)
    text, ranges = common_subsequence(first, second)
    if want_length:
        return len(text)
    if not want_index:
        return text
    matches: list[list[object]] = []
    for one, other, length in ranges:
        if length >= shortest:
            row: list[object] = [[one, one + length - 1], [other, other + length - 1]]
            matches.append([*row, length] if with_lengths else row)
    return {b"matches": matches, b"len": len(text)}
