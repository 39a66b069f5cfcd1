"""The words of cluster mode, which is not there: all of them answer that, as on a redis-server without it."""

from __future__ import annotations

from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.errors import ReplyError

_ROWS = (
    ("ASKING", 1, "fast", (0, 0, 0)),
    ("CLUSTER", -2, "", (0, 0, 0)),
    ("CLUSTER|ADDSLOTS", -3, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|ADDSLOTSRANGE", -4, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|BUMPEPOCH", 2, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|COUNT-FAILURE-REPORTS", 3, "admin stale", (0, 0, 0)),
    ("CLUSTER|COUNTKEYSINSLOT", 3, "stale", (0, 0, 0)),
    ("CLUSTER|DELSLOTS", -3, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|DELSLOTSRANGE", -4, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|FAILOVER", -2, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|FLUSHSLOTS", 2, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|FORGET", 3, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|GETKEYSINSLOT", 4, "stale", (0, 0, 0)),
    ("CLUSTER|HELP", 2, "loading stale", (0, 0, 0)),
    ("CLUSTER|INFO", 2, "stale", (0, 0, 0)),
    ("CLUSTER|KEYSLOT", 3, "stale", (0, 0, 0)),
    ("CLUSTER|LINKS", 2, "stale", (0, 0, 0)),
    ("CLUSTER|MEET", -4, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|MYID", 2, "stale", (0, 0, 0)),
    ("CLUSTER|NODES", 2, "stale", (0, 0, 0)),
    ("CLUSTER|REPLICAS", 3, "admin stale", (0, 0, 0)),
    ("CLUSTER|REPLICATE", 3, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|RESET", -2, "admin noscript stale", (0, 0, 0)),
    ("CLUSTER|SAVECONFIG", 2, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|SET-CONFIG-EPOCH", 3, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|SETSLOT", -4, "admin stale no_async_loading", (0, 0, 0)),
    ("CLUSTER|SHARDS", 2, "stale", (0, 0, 0)),
    ("CLUSTER|SLAVES", 3, "admin stale", (0, 0, 0)),
    ("CLUSTER|SLOTS", 2, "stale", (0, 0, 0)),
    ("READONLY", 1, "loading stale fast", (0, 0, 0)),
    ("READWRITE", 1, "loading stale fast", (0, 0, 0)),
)

TABLE = Table(*_ROWS)


@TABLE.handles(*(row[0] for row in _ROWS if row[0] != "CLUSTER"))
def disabled(context: Context, args: Args) -> Reply:
    raise ReplyError("ERR This instance has cluster support disabled")
