"""SAVE, BGSAVE and LASTSAVE: the data as an RDB file in the engine's directory."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, Status
from redmodel.errors import ReplyError, StorageError

TABLE = Table(
    ("SAVE", 1, "admin noscript no_async_loading no_multi", (0, 0, 0)),
    ("BGSAVE", -1, "admin noscript no_async_loading", (0, 0, 0)),
    ("LASTSAVE", 1, "loading stale fast", (0, 0, 0)),
)

_STARTED = Status(b"Background saving started")
_SCHEDULED = Status(b"Background saving scheduled")
_IN_PROGRESS = "ERR Background save already in progress"
_REWRITING = (
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a "
    "BGSAVE whenever possible."
)


@TABLE.handles("SAVE")
def save(context: Context, args: Args) -> Reply:
    engine = context.engine
    if engine.saves.running:
        raise ReplyError(_IN_PROGRESS)
    try:
        engine.saves.save(engine)
    except StorageError as error:
        raise ReplyError(f"ERR {error}") from error
    return OK


@TABLE.handles("BGSAVE")
def bgsave(context: Context, args: Args) -> Reply:
    schedule = len(args) == 2 and args[1].upper() == b"SCHEDULE"
    if len(args) > 1 and not schedule:
        raise texts.syntax()
    engine = context.engine
    if engine.saves.running:
        raise ReplyError(_IN_PROGRESS)
    if not context.may_wait:  # in a transaction, which must be whole in the snapshot
        schedule = True
    elif not engine.rewriting:
        try:
            engine.saves.begin(engine)
        except StorageError as error:
            raise ReplyError(f"ERR {error}") from error
        return _STARTED
    if not schedule:
        raise ReplyError(_REWRITING)
    engine.saves.scheduled = True
    return _SCHEDULED


@TABLE.handles("LASTSAVE")
def lastsave(context: Context, args: Args) -> Reply:
    return context.engine.saves.last
