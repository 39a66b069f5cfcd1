"""Functions that stay loaded: FCALL, FCALL_RO and FUNCTION."""

from __future__ import annotations

import time
from typing import Any

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.commands.scripting import keys_and_arguments
from redmodel.engine.context import Context
from redmodel.engine.glob import compile_glob
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, SetReply, Status
from redmodel.engine.scripting.shebang import FLAGS
from redmodel.engine.storage.rdb import payload
from redmodel.errors import ReplyError

TABLE = Table(
    ("FCALL", -3, "noscript stale skip_monitor no_mandatory_keys movablekeys", (0, 0, 0)),
    ("FCALL_RO", -3, "readonly noscript stale skip_monitor no_mandatory_keys movablekeys", (0, 0, 0)),
    ("FUNCTION", -2, "", (0, 0, 0)),
    ("FUNCTION|DELETE", 3, "write noscript", (0, 0, 0)),
    ("FUNCTION|DUMP", 2, "noscript", (0, 0, 0)),
    ("FUNCTION|FLUSH", -2, "write noscript", (0, 0, 0)),
    ("FUNCTION|HELP", 2, "loading stale", (0, 0, 0)),
    ("FUNCTION|KILL", 2, "noscript allow_busy", (0, 0, 0)),
    ("FUNCTION|LIST", -2, "noscript", (0, 0, 0)),
    ("FUNCTION|LOAD", -3, "write denyoom noscript", (0, 0, 0)),
    ("FUNCTION|RESTORE", -3, "write denyoom noscript", (0, 0, 0)),
    ("FUNCTION|STATS", 2, "noscript allow_busy", (0, 0, 0)),
)

_HELP = """
LOAD [REPLACE] <FUNCTION CODE>
    Create a new library with the given library name and code.
DELETE <LIBRARY NAME>
    Delete the given library.
LIST [LIBRARYNAME PATTERN] [WITHCODE]
    Return general information on all the libraries:
    * Library name
    * The engine used to run the Library
    * Library description
    * Functions list
    * Library code (if WITHCODE is given)
    It also possible to get only function that matches a pattern using LIBRARYNAME argument.
STATS
    Return information about the current function running:
    * Function name
    * Command used to run the function
    * Duration in MS that the function is running
    If no function is running, return nil
    In addition, returns a list of available engines.
KILL
    Kill the current running function.
FLUSH [ASYNC|SYNC]
    Delete all the libraries.
    When called without the optional mode argument, the behavior is determined by the
    lazyfree-lazy-user-flush configuration directive. Valid modes are:
    * ASYNC: Asynchronously flush the libraries.
    * SYNC: Synchronously flush the libraries.
DUMP
    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command
RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]
    Restore the libraries represented by the given payload, it is possible to give a restore policy to
    control how to handle existing libraries (default APPEND):
    * FLUSH: delete all existing libraries.
    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.
    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old
      libraries with the new libraries (notice that even on this option there is a chance of failure
      in case of functions name collision with another library).
"""


@TABLE.handles("FCALL")
def fcall(context: Context, args: Args) -> Reply:
    return _call(context, args, read_only=False)


@TABLE.handles("FCALL_RO")
def fcall_ro(context: Context, args: Args) -> Reply:
    return _call(context, args, read_only=True)


def _call(context: Context, args: Args, *, read_only: bool) -> Reply:
    scripting = context.engine.scripting
    function = scripting.libraries.find(args[1])
    integer(args[2], "ERR Bad number of keys provided")
    keys, argv = keys_and_arguments(args)
    return scripting.run_function(
        context,
        function.kind,
        args[1].decode("utf-8", "surrogateescape"),
        function.callback,
        keys,
        argv,
        read_only=read_only,
        command=args,
    )


@TABLE.handles("FUNCTION|LOAD")
def function_load(context: Context, args: Args) -> Reply:
    replace = False
    for option in args[2:-1]:
        if option.upper() != b"REPLACE":
            raise ReplyError(f"ERR Unknown option given: {texts.shown(option)}")
        replace = True
    libraries = context.engine.scripting.libraries
    if context.loading:
        libraries.keep(args[-1])
        return OK
    name = libraries.load(args[-1], replace=replace)
    context.changed = True
    return name


@TABLE.handles("FUNCTION|DELETE")
def function_delete(context: Context, args: Args) -> Reply:
    context.engine.scripting.libraries.delete(args[2])
    context.changed = True
    return OK


@TABLE.handles("FUNCTION|FLUSH")
def function_flush(context: Context, args: Args) -> Reply:
    if len(args) > 3:
        raise texts.subcommand_syntax(b"function", args[1])
    if len(args) == 3 and args[2].upper() not in (b"SYNC", b"ASYNC"):
        raise ReplyError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    context.engine.scripting.libraries.flush()
    context.changed = True
    return OK


@TABLE.handles("FUNCTION|LIST")
def function_list(context: Context, args: Args) -> Reply:
    pattern: bytes | None = None
    with_code = False
    at = 2
    while at < len(args):
        option = args[at].upper()
        if option == b"WITHCODE" and not with_code:
            with_code = True
        elif option == b"LIBRARYNAME" and pattern is None:
            at += 1
            if at == len(args):
                raise ReplyError("ERR library name argument was not given")
            pattern = args[at]
        else:
            raise ReplyError(f"ERR Unknown argument {texts.shown(args[at])}")
        at += 1
    matches = compile_glob(pattern) if pattern is not None else None
    found: list[Any] = []
    for library in context.engine.scripting.libraries.all():
        if matches is not None and not matches(library.name):
            continue
        described: dict[bytes, Any] = {
            b"library_name": library.name,
            b"engine": b"LUA",
            b"functions": [
                {
                    b"name": function.name,
                    b"description": function.description,
                    b"flags": SetReply(Status(flag.encode()) for flag in FLAGS if flag in (function.kind.flags or ())),
                }
                for function in (library.functions or {}).values()
            ],
        }
        if with_code:
            described[b"library_code"] = library.source
        found.append(described)
    return found


@TABLE.handles("FUNCTION|STATS")
def function_stats(context: Context, args: Args) -> Reply:
    scripting = context.engine.scripting
    running = scripting.running
    if running is not None and not running.function:
        raise texts.busy(function=False)
    libraries = list(scripting.libraries.all()) if running is None else scripting.libraries.awake
    now: dict[bytes, Any] | None = None
    if running is not None:
        now = {
            b"name": running.name.encode("utf-8", "surrogateescape"),
            b"command": list(running.command),
            b"duration_ms": int((time.monotonic() - running.began) * 1000),
        }
    counts = {
        b"libraries_count": len(libraries),
        b"functions_count": sum(len(library.functions or ()) for library in libraries),
    }
    return {b"running_script": now, b"engines": {b"LUA": counts}}


@TABLE.handles("FUNCTION|KILL")
def function_kill(context: Context, args: Args) -> Reply:
    context.engine.scripting.kill(function=True)
    return OK


@TABLE.handles("FUNCTION|DUMP")
def function_dump(context: Context, args: Args) -> Reply:
    return payload.functions(context.engine.scripting.libraries.sources)


@TABLE.handles("FUNCTION|RESTORE")
def function_restore(context: Context, args: Args) -> Reply:
    if len(args) > 4:
        raise texts.subcommand_syntax(b"function", args[1])
    policy = args[3].upper() if len(args) == 4 else b"APPEND"
    if policy not in (b"FLUSH", b"APPEND", b"REPLACE"):
        raise ReplyError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    try:
        sources = payload.sources_of(args[2])
    except payload.BadFooter:
        raise ReplyError(texts.PAYLOAD_FOOTER) from None
    except ValueError:
        raise ReplyError("ERR failed loading functions") from None
    libraries = context.engine.scripting.libraries
    if context.loading:
        if policy == b"FLUSH":
            libraries.flush()
        for source in sources:
            libraries.keep(source)
        return OK
    libraries.restore(sources, policy)
    context.changed = True
    return OK


@TABLE.handles("FUNCTION|HELP")
def function_help(context: Context, args: Args) -> Reply:
    return help_lines("FUNCTION", _HELP)
