"""Scripts: EVAL and its kin, and SCRIPT. A SHA that a native procedure is registered for runs that, without Lua."""

from __future__ import annotations

from hashlib import sha1

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.commands.help import help_lines
from redmodel.engine.context import Context
from redmodel.engine.procedures import ProcedureContext
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply
from redmodel.errors import ReplyError

TABLE = Table(
    ("EVALSHA", -3, "noscript stale skip_monitor no_mandatory_keys movablekeys", (0, 0, 0)),
    ("EVALSHA_RO", -3, "readonly noscript stale skip_monitor no_mandatory_keys movablekeys", (0, 0, 0)),
    ("EVAL", -3, "noscript stale skip_monitor no_mandatory_keys movablekeys", (0, 0, 0)),
    ("EVAL_RO", -3, "readonly noscript stale skip_monitor no_mandatory_keys movablekeys", (0, 0, 0)),
    ("SCRIPT", -2, "", (0, 0, 0)),
    ("SCRIPT|DEBUG", 3, "noscript", (0, 0, 0)),
    ("SCRIPT|EXISTS", -3, "noscript", (0, 0, 0)),
    ("SCRIPT|FLUSH", -2, "noscript", (0, 0, 0)),
    ("SCRIPT|KILL", 2, "noscript allow_busy", (0, 0, 0)),
    ("SCRIPT|LOAD", 3, "noscript stale", (0, 0, 0)),
    ("SCRIPT|HELP", 2, "loading stale", (0, 0, 0)),
)

_HELP = """
DEBUG (YES|SYNC|NO)
    Set the debug mode for subsequent scripts executed.
EXISTS <sha1> [<sha1> ...]
    Return information about the existence of the scripts in the script cache.
FLUSH [ASYNC|SYNC]
    Flush the Lua scripts cache. Very dangerous on replicas.
    When called without the optional mode argument, the behavior is determined by the
    lazyfree-lazy-user-flush configuration directive. Valid modes are:
    * ASYNC: Asynchronously flush the scripts cache.
    * SYNC: Synchronously flush the scripts cache.
KILL
    Kill the currently executing Lua script.
LOAD <script>
    Load a script into the scripts cache without executing it.
"""


@TABLE.handles("EVALSHA")
def evalsha(context: Context, args: Args) -> Reply:
    return _run(context, args, args[1].lower(), None)


@TABLE.handles("EVALSHA_RO")
def evalsha_ro(context: Context, args: Args) -> Reply:
    return _run(context, args, args[1].lower(), None, read_only=True)


@TABLE.handles("EVAL")
def eval_(context: Context, args: Args) -> Reply:
    return _run(context, args, _sha(args[1]), args[1])


@TABLE.handles("EVAL_RO")
def eval_ro(context: Context, args: Args) -> Reply:
    return _run(context, args, _sha(args[1]), args[1], read_only=True)


def _sha(source: bytes) -> bytes:
    return sha1(source, usedforsecurity=False).hexdigest().encode()


def keys_and_arguments(args: Args) -> tuple[list[bytes], list[bytes]]:
    """Read ``numkeys key … arg …`` behind a script or function.

    Raises:
        ReplyError: the number of keys makes no sense.
    """
    number = integer(args[2])
    if number > len(args) - 3:
        raise ReplyError(texts.NUMKEYS_TOO_MANY)
    if number < 0:
        raise ReplyError(texts.NUMKEYS_NEGATIVE)
    return list(args[3 : 3 + number]), list(args[3 + number :])


def _run(context: Context, args: Args, sha: bytes, source: bytes | None, *, read_only: bool = False) -> Reply:
    if source is None and len(sha) != 40:
        raise ReplyError(texts.NO_SCRIPT)
    keys, argv = keys_and_arguments(args)
    engine = context.engine
    procedure = engine.procedures.get(sha)
    if procedure is not None:
        return _run_native(
            context, ProcedureContext(context, engine.commands, read_only=read_only), procedure, keys, argv
        )
    if source is not None:
        engine.scripting.load(source)
    elif not engine.scripting.knows(sha):
        raise ReplyError(texts.NO_SCRIPT)
    return engine.scripting.run_script(context, sha, keys, argv, read_only=read_only, command=args)


def _run_native(
    context: Context, within: ProcedureContext, procedure: object, keys: list[bytes], argv: list[bytes]
) -> Reply:
    selected = context.session.db
    waited, context.may_wait = context.may_wait, False
    try:
        return procedure(within, keys, argv)  # type: ignore[operator,no-any-return]
    finally:
        context.may_wait = waited
        if context.session.db != selected:
            context.select(selected)


@TABLE.handles("SCRIPT|EXISTS")
def script_exists(context: Context, args: Args) -> Reply:
    engine = context.engine
    return [int(sha in engine.procedures or engine.scripting.knows(sha)) for sha in map(bytes.lower, args[2:])]


@TABLE.handles("SCRIPT|LOAD")
def script_load(context: Context, args: Args) -> Reply:
    sha = _sha(args[2])
    if sha not in context.engine.procedures:
        context.engine.scripting.load(args[2])
    return sha


@TABLE.handles("SCRIPT|FLUSH")
def script_flush(context: Context, args: Args) -> Reply:
    # Registered procedures are part of the program, not scripts that a client loaded: they stay.
    if len(args) > 3 or (len(args) == 3 and args[2].upper() not in (b"SYNC", b"ASYNC")):
        raise ReplyError(texts.SCRIPT_FLUSH_OPTION)
    context.engine.scripting.flush()
    return OK


@TABLE.handles("SCRIPT|KILL")
def script_kill(context: Context, args: Args) -> Reply:
    context.engine.scripting.kill(function=False)
    return OK


@TABLE.handles("SCRIPT|DEBUG")
def script_debug(context: Context, args: Args) -> Reply:
    # There is no debugger: its modes are taken and change nothing.
    if args[2].upper() not in (b"YES", b"SYNC", b"NO"):
        raise ReplyError("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    return OK


@TABLE.handles("SCRIPT|HELP")
def script_help(context: Context, args: Args) -> Reply:
    return help_lines("SCRIPT", _HELP)
