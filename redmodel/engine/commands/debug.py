"""DEBUG: the verbs that Redis' own tests use. A client needs enable-debug-command; the program itself doesn't."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import cast

from redmodel.engine import digest, texts
from redmodel.engine.arguments import INT_MAX, integer_between, positive, strtod
from redmodel.engine.commands.configuration import rewrite
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.memory import of_value
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Attributes, BigNumber, Push, Reply, SetReply, Several, Status, Verbatim
from redmodel.engine.storage.rdb import payload
from redmodel.errors import RedModelError, ReplyError

TABLE = Table(("DEBUG", -2, "admin noscript loading stale", (0, 0, 0)))

logger = logging.getLogger("redmodel.server")

_NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local '
    "connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
_RELOAD_OPTIONS = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."

_HELP = """
CHANGE-REPL-ID
    Change the replication IDs of the instance.
    Dangerous: should be used only for testing the replication subsystem.
DIGEST
    Output a hex signature representing the current DB content.
DIGEST-VALUE <key> [<key> ...]
    Output a hex signature of the values of all the specified keys.
ERROR <string>
    Return a Redis protocol error with <string> as message. Useful for clients
    unit tests to simulate Redis errors.
LOG <message>
    Write <message> to the server log.
LOADAOF
    Flush the AOF buffers on disk and reload the AOF in memory.
OBJECT <key>
    Show low level info about `key` and associated value.
POPULATE <count> [<prefix>] [<size>]
    Create <count> string keys named key:<num>. If <prefix> is specified then
    it is used instead of the 'key' prefix.
PROTOCOL <type>
    Reply with a test value of the specified type. <type> can be: string,
    integer, double, bignum, null, array, set, map, attrib, push, verbatim,
    true, false.
RELOAD [option ...]
    Save the RDB on disk and reload it back to memory. Valid <option> values:
    * MERGE: conflicting keys will be loaded from RDB.
    * NOFLUSH: the existing database will not be removed before load.
    * NOSAVE: the database will be loaded from an existing RDB file.
SET-ACTIVE-EXPIRE <0|1>
    Setting it to 0 disables expiring keys in background when they are not
    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the
    default.
SET-DISABLE-DENY-SCRIPTS <0|1>
    Allow scripts to call commands that are not for scripts, or not.
QUICKLIST-PACKED-THRESHOLD <size>
    Sets the threshold for elements to be inserted as plain vs packed nodes
SLEEP <seconds>
    Stop the server for <seconds>. Decimals allowed.
STRINGMATCH-LEN <length> <pattern>
    Match a pattern against a string of that many bytes.
"""

_PROTOCOLS: dict[bytes, object] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"bignum": BigNumber(b"1234567999999999999999999999999999999"),
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply((0, 1, 2)),
    b"map": {0: False, 1: True, 2: False},
    b"push": Push((b"server-cpu-usage", 42)),
    b"verbatim": Verbatim(b"This is a verbatim\nstring"),
    b"true": True,
    b"false": False,
}
_WRONG_PROTOCOL = (
    "ERR Wrong protocol type name. Please use one of the following: "
    "string|integer|double|null|array|set|map|attrib|push|verbatim|true|false"
)


@TABLE.handles("DEBUG")
def debug(context: Context, args: Args) -> Reply:
    session = context.session
    allowed = context.engine.settings.text("enable-debug-command")
    if session.counted and allowed != "yes" and (allowed == "no" or not session.near):
        raise ReplyError(_NOT_ALLOWED)
    verb = _VERBS.get(args[1].upper())
    if verb is None or not verb[1] <= len(args) <= verb[2]:
        raise texts.subcommand_syntax(b"debug", args[1])
    return verb[0](context, args)


def _sleep(context: Context, args: Args) -> Reply:
    time.sleep(max(strtod(args[2]) or 0.0, 0.0))
    return OK


def _set_active_expire(context: Context, args: Args) -> Reply:
    context.engine.active_expire = args[2].lstrip(b"0") != b""
    return OK


def _skip_checksums(context: Context, args: Args) -> Reply:
    context.engine.checks_payloads = args[2].lstrip(b"0") == b""
    return OK


def _set_disable_deny_scripts(context: Context, args: Args) -> Reply:
    context.engine.scripting.call_anything = args[2].lstrip(b"0") != b""
    return OK


def _digest(context: Context, args: Args) -> Reply:
    return Status(digest.of_engine(context.engine).hex().encode())


def _digest_value(context: Context, args: Args) -> Reply:
    shown: list[Status] = []
    for key in args[2:]:
        value = context.find(key)
        found = digest.EMPTY
        if value is not None:
            found = digest.of_value(value, expires=key in context.database.deadlines)
        shown.append(Status(found.hex().encode()))
    return shown


def _object(context: Context, args: Args) -> Reply:
    key = args[2]
    value = context.database.values.get(key)  # also one whose time has passed, as nobody has looked yet
    if value is None:
        raise ReplyError(texts.NO_SUCH_KEY)
    idle = context.engine.memory.idle(context.database, key)
    more = b""
    encoding = context.encoding(key, value)
    if encoding == b"quicklist":
        size = of_value(value)
        more = b" ql_nodes:1 ql_avg_node:%d ql_listpack_max:-2 ql_compressed:0 ql_uncompressed_size:%d" % (
            len(value),
            size,
        )
    # Redis counts in place: an integer stays where it is.
    place = hash((context.database.number, key)) & 0x7FFFFFFFFFFF if encoding == b"int" else id(value)
    return Status(
        b"Value at:0x%x refcount:1 encoding:%b serializedlength:%d lru:%d lru_seconds_idle:%d%b"
        % (place, encoding, len(payload.dump(value)) - 11, context.now() // 1000 & 0xFFFFFF, idle, more)
    )


def _populate(context: Context, args: Args) -> Reply:
    count = integer_between(args[2], 0, INT_MAX, texts.NOT_POSITIVE)
    prefix = args[3] if len(args) > 3 else b"key"
    size = positive(args[4]) if len(args) > 4 else 0
    for number in range(count):
        key = b"%b:%d" % (prefix, number)
        if key in context.database.values:
            continue
        value = b"value:%d" % number
        value = value.ljust(size, b"\0")[:size] if size else value
        context.database.put(key, value)
        context.effect(b"SET", key, value)
    return OK


def _reload(context: Context, args: Args) -> Reply:
    from redmodel.engine.storage.rdb.library import load_into

    options = {word.upper() for word in args[2:]}
    if options - {b"MERGE", b"NOFLUSH", b"NOSAVE"}:
        raise ReplyError(_RELOAD_OPTIONS)
    engine = context.engine
    if engine.saves.directory is None or engine.durable:
        _through_payloads(context)
        return OK
    try:
        if b"NOSAVE" not in options:
            engine.saves.save(engine)
        path = engine.saves.directory / engine.settings.text("dbfilename")
        load_into(engine, path, replace=b"NOFLUSH" not in options)
    except RedModelError as error:
        raise ReplyError(f"ERR Error trying to load the RDB dump, check server logs: {error}") from error
    return OK


def _load_aof(context: Context, args: Args) -> Reply:
    _through_payloads(context)
    return OK


def _through_payloads(context: Context) -> None:
    """Bring every value through the form that it has on the disk: what is lost there is lost here."""
    for database in context.engine.databases:
        for key, value in list(database.values.items()):
            if not isinstance(value, bytes):
                database.values[key] = payload.restore(payload.dump(value))
        database.scans.clear()


def _stringmatch_len(context: Context, args: Args) -> Reply:
    from redmodel.engine.glob import compile_glob

    return int(compile_glob(args[3])(b"a" * positive(args[2])))


def _protocol(context: Context, args: Args) -> Reply:
    kind = args[2].lower()
    if kind == b"attrib":
        reply = b"Some real reply following the attribute"
        if context.session.protocol == 2:
            return reply
        return Several((Attributes({b"key-popularity": [b"key:123", 90]}), reply))
    if kind not in _PROTOCOLS:
        raise ReplyError(_WRONG_PROTOCOL)
    return cast("Reply", _PROTOCOLS[kind])


def _change_id(context: Context, args: Args) -> Reply:
    context.engine.replication.id = os.urandom(20).hex()
    return OK


def _rewrite_all(context: Context, args: Args) -> Reply:
    return rewrite(context, everything=True)


def _error(context: Context, args: Args) -> Reply:
    raise ReplyError(texts.shown(args[2]))


def _log(context: Context, args: Args) -> Reply:
    logger.warning("DEBUG LOG: %s", texts.shown(args[2]))
    return OK


def _reply_buffer(context: Context, args: Args) -> Reply:
    if args[2].upper() not in (b"PEAK-RESET-TIME", b"RESIZING"):
        raise texts.subcommand_syntax(b"debug", args[1])
    return OK


def _accepted(context: Context, args: Args) -> Reply:
    return OK


def _help(context: Context, args: Args) -> Reply:
    return help_lines("DEBUG", _HELP)


_MANY = 1 << 30
_VERBS: dict[bytes, tuple[Callable[[Context, Args], Reply], int, int]] = {
    b"CHANGE-REPL-ID": (_change_id, 2, 2),
    b"CONFIG-REWRITE-FORCE-ALL": (_rewrite_all, 2, 2),
    b"DIGEST": (_digest, 2, 2),
    b"DIGEST-VALUE": (_digest_value, 2, _MANY),
    b"ERROR": (_error, 3, 3),
    b"HELP": (_help, 2, 2),
    b"JMAP": (_accepted, 2, 2),
    b"LOADAOF": (_load_aof, 2, 2),
    b"LOG": (_log, 3, 3),
    b"OBJECT": (_object, 3, 3),
    b"PAUSE-CRON": (_accepted, 3, 3),
    b"POPULATE": (_populate, 3, 5),
    b"PROTOCOL": (_protocol, 3, 3),
    b"QUICKLIST-PACKED-THRESHOLD": (_accepted, 3, 3),
    b"RELOAD": (_reload, 2, 5),
    b"REPLYBUFFER": (_reply_buffer, 4, 4),
    b"SET-ACTIVE-EXPIRE": (_set_active_expire, 3, 3),
    b"SET-DISABLE-DENY-SCRIPTS": (_set_disable_deny_scripts, 3, 3),
    b"SET-SKIP-CHECKSUM-VALIDATION": (_skip_checksums, 3, 3),
    b"SLEEP": (_sleep, 3, 3),
    b"STRINGMATCH-LEN": (_stringmatch_len, 4, 4),
}
