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


@TABLE.handles("SAVE")
def save(context: Context, args: Args) -> Reply:
    _save(context)
    return OK


@TABLE.handles("BGSAVE")
def bgsave(context: Context, args: Args) -> Reply:
    # Not in the background: when this is answered, the snapshot is on the disk, as LASTSAVE says.
    if len(args) > 2 or (len(args) == 2 and args[1].upper() != b"SCHEDULE"):
        raise texts.syntax()
    _save(context)
    return _STARTED


def _save(context: Context) -> None:
    try:
        context.engine.saves.save(context.engine)
    except StorageError as error:
        raise ReplyError(f"ERR {error}") from error


@TABLE.handles("LASTSAVE")
def lastsave(context: Context, args: Args) -> Reply:
    return context.engine.saves.last
