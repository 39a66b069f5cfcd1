"""What a handle does when a procedure says that the model is not registered, or that an index can't answer yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from redmodel.errors import IndexNotReady, ReplyError
from redmodel.model import Schema
from redmodel.model.schema import version_of
from redmodel.plan.core import Batch, Plan, Reply
from redmodel.plan.registration import Registered, register
from redmodel.plan.reindex import settle

TRIES = 50
"""How often a query is asked again where an older version of the model writes all the time."""


def hindered(replies: Sequence[Reply]) -> bool:
    """Whether a procedure asked for something to be done first."""
    for reply in replies:
        if type(reply) is list:
            if reply and _unregistered(reply) is not None:
                return True
        elif isinstance(reply, ReplyError) and reply.text.startswith(("UNREADY ", "UNSETTLED ")):
            return True
    return False


def _unregistered(reply: list[Any]) -> list[bytes] | None:
    """What a refused write says of its writer; in a transaction it stands inside of the reply."""
    if reply[0] == b"unregistered":
        return reply
    inner = reply[1] if len(reply) == 3 else None
    return cast("list[bytes]", inner) if type(inner) is list and inner[:1] == [b"unregistered"] else None


def settled(batch: Batch, replies: Sequence[Reply], registered: Registered, writes: bool) -> Plan[Sequence[Reply]]:
    """Do it, and send again the commands that asked for it; nothing of them was done."""
    results = list(replies)
    for _ in range(TRIES):
        again: list[int] = []
        done: set[object] = set()
        for place, reply in enumerate(results):
            if isinstance(reply, ReplyError) and reply.text.startswith(("UNREADY ", "UNSETTLED ")):
                why, reader, side, path = reply.text.encode().split(b" ")
                schema = _version(side, reader, reply)
                if why == b"UNREADY" or not writes:
                    raise _not_ready(schema, path.decode(), waits=why != b"UNREADY")
                if (schema, path) not in done:
                    yield from settle(schema, path)
                    done.add((schema, path))
            elif type(reply) is list and reply and (found := _unregistered(reply)) is not None:
                schema = _version(found[1], found[2].partition(b":")[2], ReplyError(repr(found)))
                if schema not in done:
                    yield from register(schema, registered)
                    done.add(schema)
            else:
                continue
            again.append(place)
        if not again:
            return results
        fresh = yield Batch(tuple(batch.commands[place] for place in again), batch.resend)
        for place, reply in zip(again, fresh, strict=True):
            results[place] = reply
    raise IndexNotReady("an older version of the model writes faster than its records can be entered: try again later")


def _version(side: bytes, version: bytes, otherwise: ReplyError) -> Schema[Any]:
    schema = version_of(side, version)
    if schema is None:
        raise otherwise
    return schema


def _not_ready(schema: Schema[Any], path: str, *, waits: bool) -> IndexNotReady:
    name = schema.name
    why = (
        "an older version of the model has written records that are not in it yet, and this handle is read-only: ask "
        "through another one"
        if waits
        else f"it does not hold every record yet: run db.sync({name}), or `redmodel migrate`"
    )
    return IndexNotReady(f"the index {name}.{path} can't answer: {why}", model=name, field=path)
