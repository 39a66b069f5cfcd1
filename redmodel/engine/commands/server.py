"""TIME, and BGREWRITEAOF."""

from __future__ import annotations

from redmodel.engine import texts
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply, Status
from redmodel.errors import ReplyError

TABLE = Table(
    ("BGREWRITEAOF", 1, "admin noscript no_async_loading", (0, 0, 0)),
    ("TIME", 1, "loading stale fast", (0, 0, 0)),
)


@TABLE.handles("BGREWRITEAOF")
def bgrewriteaof(context: Context, args: Args) -> Reply:
    engine = context.engine
    if engine.durable and not engine.rewriting and (engine.saves.running or not context.may_wait):
        engine.saves.rewrite_scheduled = True
        return Status(b"Background append only file rewriting scheduled")
    if not engine.rewrite():
        raise ReplyError(texts.REWRITING)
    return Status(b"Background append only file rewriting started")


@TABLE.handles("TIME")
def time(context: Context, args: Args) -> Reply:
    now = context.now()
    return [b"%d" % (now // 1000), b"%d" % (now % 1000 * 1000)]
