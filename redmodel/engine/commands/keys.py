"""Commands on keys of any type, and on whole databases. Deadlines are in ``expiry``, walks in ``scan``."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from random import randrange

from redmodel.engine import texts
from redmodel.engine.arguments import int_number, parse_integer
from redmodel.engine.context import Context
from redmodel.engine.glob import compile_glob
from redmodel.engine.keyspace import Keyspace
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, Status
from redmodel.engine.values.types import TYPE_NAMES, copied
from redmodel.errors import ReplyError, StorageError

TABLE = Table(
    ("DEL", -2, "write", (1, -1, 1)),
    ("UNLINK", -2, "write fast", (1, -1, 1)),
    ("EXISTS", -2, "readonly fast", (1, -1, 1)),
    ("TYPE", 2, "readonly fast", (1, 1, 1)),
    ("TOUCH", -2, "readonly fast", (1, -1, 1)),
    ("KEYS", 2, "readonly", (0, 0, 0)),
    ("RANDOMKEY", 1, "readonly", (0, 0, 0)),
    ("RENAME", 3, "write", (1, 2, 1)),
    ("RENAMENX", 3, "write fast", (1, 2, 1)),
    ("COPY", -3, "write denyoom", (1, 2, 1)),
    ("MOVE", 3, "write fast", (1, 1, 1)),
    ("DBSIZE", 1, "readonly fast", (0, 0, 0)),
    ("FLUSHDB", -1, "write", (0, 0, 0)),
    ("FLUSHALL", -1, "write", (0, 0, 0)),
    ("SWAPDB", 3, "write fast", (0, 0, 0)),
)


@TABLE.handles("DEL", "UNLINK")
def delete(context: Context, args: Args) -> Reply:
    gone = 0
    for key in args[1:]:
        if context.find(key) is not None:
            context.database.remove(key)
            context.touch(key, b"del")
            gone += 1
    return gone


@TABLE.handles("EXISTS", "TOUCH")
def exists(context: Context, args: Args) -> Reply:
    found = 0
    for key in args[1:]:
        if context.find(key) is not None:
            found += 1
    return found


@TABLE.handles("TYPE")
def type_(context: Context, args: Args) -> Reply:
    value = context.find(args[1])
    return Status(b"none" if value is None else TYPE_NAMES[type(value)])


@TABLE.handles("KEYS")
def keys(context: Context, args: Args) -> Reply:
    _expire_all(context)
    return list(filter(compile_glob(args[1]), context.database.values))


@TABLE.handles("RANDOMKEY")
def randomkey(context: Context, args: Args) -> Reply:
    _expire_all(context)
    values = context.database.values
    return next(islice(values, randrange(len(values)), None)) if values else None


@TABLE.handles("DBSIZE")
def dbsize(context: Context, args: Args) -> Reply:
    if context.engine.active_expire:
        _expire_all(context)
    return len(context.database.values)


def _expire_all(context: Context) -> None:
    # What is counted or listed here must not hold keys that every other command says are gone.
    database = context.database
    if database.deadlines or database.field_due:
        context.expire_due(len(database.deadlines) + len(database.field_due))


@TABLE.handles("RENAME")
def rename(context: Context, args: Args) -> Reply:
    _rename(context, args, replace=True)
    return OK


@TABLE.handles("RENAMENX")
def renamenx(context: Context, args: Args) -> Reply:
    return int(_rename(context, args, replace=False))


def _rename(context: Context, args: Args, *, replace: bool) -> bool:
    source, target = args[1], args[2]
    database = context.database
    value = context.find(source)
    if value is None:
        raise ReplyError(texts.NO_SUCH_KEY)
    if source == target:
        return replace
    if context.find(target) is not None and not replace:
        return False
    deadline, kept = database.deadlines.get(source), database.kept.get(source)
    database.remove(source)
    database.values.pop(target, None)  # as in Redis it is new then
    context.put(target, value)
    if kept is not None:
        database.kept[target] = kept
    if deadline is not None:
        database.set_deadline(target, deadline)
    context.touch(source, b"rename_from")
    context.touch(target, b"rename_to")
    return True


@TABLE.handles("MOVE")
def move(context: Context, args: Args) -> Reply:
    key = args[1]
    source, target = context.database, _database(context, args[2])
    if source is target:
        raise ReplyError(texts.SAME_OBJECT)
    value = context.find(key)
    if value is None or _find_in(context, target, key):
        return 0
    deadline, kept = source.deadlines.get(key), source.kept.get(key)
    source.remove(key)
    context.put(key, value, target)
    if kept is not None:
        target.kept[key] = kept
    if deadline is not None:
        target.set_deadline(key, deadline)
    context.touch(key, b"move_from")
    context.touch_in(target, key, b"move_to")
    return 1


def _database(context: Context, text: bytes) -> Keyspace:
    number = int_number(text)
    if not 0 <= number < len(context.engine.databases):
        raise ReplyError(texts.DB_RANGE)
    return context.engine.databases[number]


def _find_in(context: Context, database: Keyspace, key: bytes) -> bool:
    """Whether a key lives in another database."""
    here, context.database = context.database, database
    try:
        return context.find(key) is not None
    finally:
        context.database = here


@TABLE.handles("COPY")
def copy(context: Context, args: Args) -> Reply:
    source, target = args[1], args[2]
    database, replace = context.database, False
    at = 3
    while at < len(args):
        option = args[at].upper()
        if option == b"REPLACE":
            replace = True
        elif option == b"DB" and at + 1 < len(args):
            database = _database(context, args[at + 1])
            at += 1
        else:
            raise texts.syntax()
        at += 1
    if database is context.database and source == target:
        raise ReplyError(texts.SAME_OBJECT)
    value = context.find(source)
    if value is None or (_find_in(context, database, target) and not replace):
        return 0
    deadline = context.database.deadlines.get(source)
    kept = context.database.kept.get(source)
    database.values.pop(target, None)  # as in Redis it is new then
    context.put(target, copied(value), database)
    if kept is not None:
        database.kept[target] = kept
    if deadline is not None:
        database.set_deadline(target, deadline)
    context.touch_in(database, target, b"copy_to")
    return 1


@TABLE.handles("FLUSHDB")
def flushdb(context: Context, args: Args) -> Reply:
    _check_flush(args)
    _flush(context, context.database)
    return _flushed(context)


@TABLE.handles("FLUSHALL")
def flushall(context: Context, args: Args) -> Reply:
    _check_flush(args)
    engine = context.engine
    for database in engine.databases:
        _flush(context, database)
    engine.saves.stop(engine)  # what it would write is not wanted any more
    if engine.settings.items("save") and engine.saves.directory is not None and not context.loading:
        with suppress(StorageError):
            engine.saves.save(engine)
            engine.saves.changes = -1  # this command itself is counted when it has ended
    return _flushed(context)


def _flushed(context: Context) -> Reply:
    if context.engine.tracking:
        context.engine.tracking.flushed()
    return OK


def _check_flush(args: Args) -> None:
    if len(args) > 2 or (len(args) == 2 and args[1].upper() not in (b"SYNC", b"ASYNC")):
        raise texts.syntax()


def _flush(context: Context, database: Keyspace) -> None:
    context.changed = True
    database.wake([key for key in database.watchers if key in database.values])
    database.clear()
    context.engine.waiters.heed_all(database.number)


@TABLE.handles("SWAPDB")
def swapdb(context: Context, args: Args) -> Reply:
    numbers = parse_integer(args[1]), parse_integer(args[2])
    databases = context.engine.databases
    for number, which in zip(numbers, ("first", "second"), strict=True):
        if number is None or not -(2**31) <= number < 2**31:
            raise ReplyError(f"ERR invalid {which} DB index")
    one, other = (number for number in numbers if number is not None)
    if not (0 <= one < len(databases) and 0 <= other < len(databases)):
        raise ReplyError(texts.DB_RANGE)
    context.changed = True
    if one != other:
        first, second = databases[one], databases[other]
        # What has expired already is removed now, so that nobody who watches it takes the swap for a change.
        for context.database in (first, second):
            for key in [*first.watchers, *second.watchers]:
                context.find(key)
        context.engine.adopt(context.session)
        for database in (first, second):
            database.wake([key for key in database.watchers if key in first.values or key in second.values])
        first.swap(second)
        for number in (one, other):
            context.engine.waiters.heed_all(number)
    return OK
