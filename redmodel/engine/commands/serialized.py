"""DUMP and RESTORE: a key's value as a string that another server takes, in the format of RDB files.

The format is imported when the first of them runs.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MAX, integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.errors import ReplyError

logger = logging.getLogger("redmodel.server")

TABLE = Table(
    ("DUMP", 2, "readonly", (1, 1, 1)),
    ("RESTORE", -4, "write denyoom", (1, 1, 1)),
    ("RESTORE-ASKING", -4, "write denyoom asking", (1, 1, 1)),
)


@TABLE.handles("DUMP")
def dump(context: Context, args: Args) -> Reply:
    from redmodel.engine.storage.rdb import payload

    value = context.find(args[1])
    return None if value is None else payload.dump(value)


@TABLE.handles("RESTORE", "RESTORE-ASKING")
def restore(context: Context, args: Args) -> Reply:
    from redmodel.engine.storage.rdb import payload

    key, data = args[1], args[3]
    options = _options(args)
    absolute = options.absolute
    old = context.find(key)
    if old is not None and not options.replace:
        raise ReplyError(texts.BUSY_KEY)
    ttl = integer(args[2])
    if ttl < 0:
        raise ReplyError(texts.RESTORE_TTL)
    try:
        payload.check(data, checksum=context.engine.checks_payloads)
    except payload.BadFooter:
        raise ReplyError(texts.PAYLOAD_FOOTER) from None
    try:
        value = payload.restore(data)
    except ValueError as error:
        if context.session.counted:
            logger.warning("RESTORE of a payload of %d bytes was refused: %s", len(data), error)
        raise ReplyError(texts.PAYLOAD_DATA) from None
    if ttl and not absolute:
        ttl += context.now()
    if ttl > INT_MAX:
        ttl = -1  # Redis' sum overflows, and is a time long past
    if type(value) is ExpiringHash and not context.loading:
        value.take_due(context.now())
        dead = not value
    else:
        dead = False
    if dead or (ttl and not context.loading and ttl <= context.now()):
        if old is not None:
            context.database.remove(key)
            context.effect(b"DEL", key)
            context.touch(key, b"del")
        return OK
    context.database.values.pop(key, None)  # as in Redis it is new then
    context.put(key, value)
    if ttl:
        context.database.set_deadline(key, ttl)
        if not absolute:
            context.effect(args[0], key, b"%d" % ttl, *args[3:], b"ABSTTL")
    memory = context.engine.memory
    if options.idle is not None and not memory.frequencies:
        memory.set_idle(context.database, key, options.idle)
    if options.frequency is not None and memory.frequencies:
        memory.set_frequency(context.database, key, options.frequency)
    context.touch(key, b"restore")
    return OK


class _Options(NamedTuple):
    """What stands behind the payload; None where IDLETIME and FREQ are not given."""

    replace: bool
    absolute: bool
    idle: int | None
    frequency: int | None


def _options(args: Args) -> _Options:
    replace = absolute = False
    idle: int | None = None
    frequency: int | None = None
    at = 4
    while at < len(args):
        option = args[at].upper()
        more = at + 1 < len(args)
        if option == b"REPLACE":
            replace = True
        elif option == b"ABSTTL":
            absolute = True
        elif option == b"IDLETIME" and more and frequency is None:
            at += 1
            idle = integer(args[at])
            if idle < 0:
                raise ReplyError(texts.RESTORE_IDLE)
        elif option == b"FREQ" and more and idle is None:
            at += 1
            frequency = integer(args[at])
            if not 0 <= frequency <= 255:
                raise ReplyError(texts.RESTORE_FREQUENCY)
        else:
            raise texts.syntax()
        at += 1
    return _Options(replace, absolute, idle, frequency)
