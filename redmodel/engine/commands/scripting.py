"""EVALSHA and SCRIPT for registered procedures. Other scripts need an interpreter, which isn't here."""

from __future__ import annotations

from hashlib import sha1

from redmodel.engine import texts
from redmodel.engine.arguments import integer
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
    ("SCRIPT|EXISTS", -3, "noscript", (0, 0, 0)),
    ("SCRIPT|FLUSH", -2, "noscript", (0, 0, 0)),
    ("SCRIPT|LOAD", 3, "noscript stale", (0, 0, 0)),
)


@TABLE.handles("EVALSHA")
def evalsha(context: Context, args: Args) -> Reply:
    return _run(context, args, args[1], texts.NO_SCRIPT)


@TABLE.handles("EVALSHA_RO")
def evalsha_ro(context: Context, args: Args) -> Reply:
    return _run(context, args, args[1], texts.NO_SCRIPT, read_only=True)


@TABLE.handles("EVAL")
def eval_(context: Context, args: Args) -> Reply:
    return _run(context, args, _sha(args[1]), texts.NO_INTERPRETER)


@TABLE.handles("EVAL_RO")
def eval_ro(context: Context, args: Args) -> Reply:
    return _run(context, args, _sha(args[1]), texts.NO_INTERPRETER, read_only=True)


def _sha(source: bytes) -> bytes:
    return sha1(source, usedforsecurity=False).hexdigest().encode()


def _run(context: Context, args: Args, sha: bytes, missing: str, *, read_only: bool = False) -> Reply:
    if len(sha) != 40:
        raise ReplyError(texts.NO_SCRIPT)
    number = integer(args[2])
    if number > len(args) - 3:
        raise ReplyError(texts.NUMKEYS_TOO_MANY)
    if number < 0:
        raise ReplyError(texts.NUMKEYS_NEGATIVE)
    engine = context.engine
    procedure = engine.procedures.get(sha) or engine.procedures.get(sha.lower())
    if procedure is None:
        raise ReplyError(missing)
    within = ProcedureContext(context, engine.commands, read_only=read_only)
    selected = context.session.db
    waited, context.may_wait = context.may_wait, False
    try:
        return procedure(within, list(args[3 : 3 + number]), list(args[3 + number :]))
    finally:
        context.may_wait = waited
        if context.session.db != selected:
            context.select(selected)


@TABLE.handles("SCRIPT|EXISTS")
def script_exists(context: Context, args: Args) -> Reply:
    return [int(sha.lower() in context.engine.procedures) for sha in args[2:]]


@TABLE.handles("SCRIPT|LOAD")
def script_load(context: Context, args: Args) -> Reply:
    sha = _sha(args[2])
    if sha not in context.engine.procedures:
        raise ReplyError(texts.NO_INTERPRETER)
    return sha


@TABLE.handles("SCRIPT|FLUSH")
def script_flush(context: Context, args: Args) -> Reply:
    # Registered procedures are part of the program, not scripts that a client loaded: they stay.
    if len(args) > 3 or (len(args) == 3 and args[2].upper() not in (b"SYNC", b"ASYNC")):
        raise ReplyError(texts.SCRIPT_FLUSH_OPTION)
    return OK
