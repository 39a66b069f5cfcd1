"""Replication, of which the engine is always the master: SYNC, PSYNC, REPLCONF, ROLE, WAIT, REPLICAOF, FAILOVER."""

from __future__ import annotations

import shlex

from redmodel.engine import texts
from redmodel.engine.arguments import integer, integer_between, parse_integer
from redmodel.engine.commands.blocking import checked_milliseconds
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replication import Replica
from redmodel.engine.replies import OK, SILENCE, Reply
from redmodel.engine.waiting import NOT_YET, Suspended
from redmodel.errors import ReplyError

TABLE = Table(
    ("FAILOVER", -1, "admin noscript stale", (0, 0, 0)),
    ("PSYNC", -3, "admin noscript no_async_loading no_multi", (0, 0, 0)),
    ("REPLCONF", -1, "admin noscript loading stale allow_busy", (0, 0, 0)),
    ("REPLICAOF", 3, "admin noscript stale no_async_loading", (0, 0, 0)),
    ("ROLE", 1, "noscript loading stale fast", (0, 0, 0)),
    ("SLAVEOF", 3, "admin noscript stale no_async_loading", (0, 0, 0)),
    ("SYNC", 1, "admin noscript no_async_loading no_multi", (0, 0, 0)),
    ("WAIT", 3, "noscript", (0, 0, 0)),
)

_NEVER_A_REPLICA = "ERR this server can have replicas, and can't be one"
_NO_CONNECTION = "ERR a replica needs a connection: the engine's own program can't be one"
_LONGEST_HOST = 255


@TABLE.handles("ROLE")
def role(context: Context, args: Args) -> Reply:
    replication = context.engine.replication
    online = [replica for replica in replication.replicas.values() if replica.state == "online"]
    return [
        b"master",
        replication.offset,
        [[each.place[0], b"%d" % each.port, b"%d" % each.acknowledged] for each in online],
    ]


@TABLE.handles("REPLICAOF", "SLAVEOF")
def replicaof(context: Context, args: Args) -> Reply:
    if args[1].lower() == b"no" and args[2].lower() == b"one":
        return OK
    port = parse_integer(args[2])
    if port is None or not 0 <= port <= 65535:
        raise ReplyError("ERR Invalid master port")
    raise ReplyError(_NEVER_A_REPLICA)


@TABLE.handles("REPLCONF")
def replconf(context: Context, args: Args) -> Reply:
    if not len(args) % 2:
        raise texts.syntax()
    session = context.session
    replica = session.replica = session.replica or Replica(session)
    for at in range(1, len(args), 2):
        option, value = args[at].lower(), args[at + 1]
        if option == b"listening-port":
            replica.port = integer(value)
        elif option == b"ip-address":
            if len(value) >= _LONGEST_HOST:
                raise ReplyError(
                    f"ERR REPLCONF ip-address provided by replica instance is too long: {len(value)} bytes"
                )
            replica.host = value
        elif option == b"capa":
            replica.eof = replica.eof or value.lower() == b"eof"
        elif option == b"ack":
            offset = parse_integer(value)
            if replica.state and offset is not None:
                context.engine.replication.acknowledged(replica, offset)
            return SILENCE
        elif option == b"getack":
            return SILENCE
        elif option == b"rdb-only":
            replica.snapshot_only = bool(
                integer_between(value, 0, 1, "ERR value is out of range, value must between 0 and 1")
            )
        elif option == b"rdb-filter-only":
            _filter(replica, value)
        else:
            raise ReplyError(f"ERR Unrecognized REPLCONF option: {texts.shown(args[at])}")
    return OK


def _filter(replica: Replica, value: bytes) -> None:
    try:
        names = [name.encode("latin-1") for name in shlex.split(value.decode("latin-1"))]
    except ValueError:
        raise ReplyError("ERR Missing rdb-filter-only values") from None
    replica.only = b""
    for name in names:
        if name.lower() != b"functions":
            raise ReplyError(f"ERR Unsupported rdb-filter-only option: {texts.shown(name)}")
        replica.only = b"functions"


@TABLE.handles("PSYNC", "SYNC")
def psync(context: Context, args: Args) -> Reply:
    engine, session = context.engine, context.session
    if session.follows:
        return SILENCE
    if len(args) > 3 and args[3].lower() == b"failover":
        raise ReplyError("ERR PSYNC FAILOVER can't be sent to a master.")
    if session.peer is None:
        raise ReplyError(_NO_CONNECTION)
    replica = session.replica = session.replica or Replica(session)
    if replica.only is not None and not replica.eof:
        raise ReplyError("ERR Filtered replica requires EOF capability")
    if len(args) > 2:
        integer(args[2])
        engine.replication.refused_parts += args[1][:1] != b"?"
    engine.replication.join(replica, answers=len(args) > 1)
    engine.relog()
    return SILENCE


@TABLE.handles("WAIT")
def wait(context: Context, args: Args) -> Reply:
    replication, session = context.engine.replication, context.session
    wanted = integer(args[1])
    timeout = checked_milliseconds(integer(args[2], texts.TIMEOUT))
    offset = session.written_to
    reached = replication.reached(offset)
    if reached >= wanted or not context.may_wait:
        return reached
    try:
        return context.wait((), timeout, lambda context, key: NOT_YET, reached)
    except Suspended as suspended:
        replication.tell_when_reached(suspended.waiter, offset, wanted)
        raise


@TABLE.handles("FAILOVER")
def failover(context: Context, args: Args) -> Reply:
    if len(args) == 2 and args[1].lower() == b"abort":
        raise ReplyError("ERR No failover in progress.")
    raise ReplyError("ERR FAILOVER requires connected replicas.")
