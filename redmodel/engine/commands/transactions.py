"""MULTI, EXEC, DISCARD, WATCH, UNWATCH. Queueing itself is the engine's dispatch."""

from __future__ import annotations

from typing import Any

from redmodel.engine import texts
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import NIL_ARRAY, OK, Reply
from redmodel.errors import ReplyError

TABLE = Table(
    ("MULTI", 1, "noscript loading stale fast allow_busy immediate", (0, 0, 0)),
    ("EXEC", 1, "noscript loading stale skip_slowlog immediate nil_array", (0, 0, 0)),
    ("DISCARD", 1, "noscript loading stale fast allow_busy immediate", (0, 0, 0)),
    ("WATCH", -2, "noscript loading stale fast allow_busy immediate", (1, -1, 1)),
    ("UNWATCH", 1, "noscript loading stale fast allow_busy", (0, 0, 0)),
)


@TABLE.handles("MULTI")
def multi(context: Context, args: Args) -> Reply:
    session = context.session
    if session.queue is not None:
        raise ReplyError(texts.MULTI_NESTED)
    session.queue = []
    session.queue_failed = False
    return OK


@TABLE.handles("EXEC")
def exec_(context: Context, args: Args) -> Reply:
    session = context.session
    queue, session.queue = session.queue, None
    if queue is None:
        raise ReplyError(texts.EXEC_WITHOUT_MULTI)
    stale = session.dirty or _expired(context)
    context.engine.unwatch(session)
    if session.queue_failed:
        raise ReplyError(texts.EXEC_ABORT)
    if context.refusal is not None and any(command.writes for command, _ in queue):
        raise texts.exec_abort_because(texts.cannot_write(context.refusal))
    if stale:
        return None
    replies: list[Any] = []
    context.may_wait = False
    try:
        for command, queued in queue:
            try:
                reply = context.run(command, queued)
                replies.append(NIL_ARRAY if reply is None and command.nil_is_array(queued) else reply)
            except ReplyError as error:
                context.engine.statistics.failed(error.text)
                replies.append(error)
    finally:
        context.may_wait = True
    return replies


def _expired(context: Context) -> bool:
    """Whether a watched key has expired since WATCH, unseen by any command."""
    databases = context.engine.databases
    for number, key in context.session.watched:
        deadline = databases[number].deadlines.get(key)
        if deadline is not None and deadline < context.now():
            return True
    return False


@TABLE.handles("DISCARD")
def discard(context: Context, args: Args) -> Reply:
    if context.session.queue is None:
        raise ReplyError(texts.DISCARD_WITHOUT_MULTI)
    context.engine.discard(context.session)
    return OK


@TABLE.handles("WATCH")
def watch(context: Context, args: Args) -> Reply:
    session = context.session
    if session.queue is not None:
        raise ReplyError(texts.WATCH_IN_MULTI)
    database = context.database
    for key in args[1:]:
        # A key that has expired already is removed now, so that its removal is no change later.
        context.find(key)
        session.watched.add((database.number, key))
        database.watchers.setdefault(key, set()).add(session)
        context.heeded = True
    return OK


@TABLE.handles("UNWATCH")
def unwatch(context: Context, args: Args) -> Reply:
    context.engine.unwatch(context.session)
    return OK
