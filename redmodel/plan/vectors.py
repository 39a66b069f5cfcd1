"""Ordering by the nearness of vectors: the words of a query's program, and the way for more than a script may do."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import TYPE_CHECKING, Any, cast

from redmodel.arithmetic.vectors import all_near
from redmodel.errors import QueryError, ReplyError
from redmodel.model import Nearest, Schema
from redmodel.plan.commands import as_raw
from redmodel.plan.core import Batch, Command, Plan
from redmodel.plan.refusal import explain

if TYPE_CHECKING:
    from redmodel.plan.program import Program

CHUNK = 4_000_000
"""Bytes of vectors that are fetched in one round trip."""


def by_nearness(program: Program, order: Nearest) -> tuple[bytes, bytes]:
    """The kind and the source of the order: the metric's letter, the field, and the numbers as doubles."""
    field = _field(program.schema, order)
    return b"v" + order.metric[:1].encode(), field + b"\x00" + pack(f"<{len(order.vector)}d", *order.vector)


def _field(schema: Schema[Any], order: Nearest) -> bytes:
    for spec in schema.fields:
        if spec.name == order.path:
            if schema.plugged(spec.position):
                raise QueryError(f"{schema.name}.{order.path} has a Codec: a server can't tell its numbers")
            return spec.stored
    raise QueryError(
        f"{schema.name}.{order.path} lies inside another field: a vector is searched in a field of its own"
    )


def ranked(schema: Schema[Any], order: Nearest, ids: Sequence[bytes]) -> Plan[list[tuple[bytes, float | None]]]:
    """The ids in order, with what the order says of each.

    One round trip for each four megabytes of vectors, of which no more is held at once.
    """
    field = _field(schema, order)
    step = max(1, CHUNK // (4 * len(order.vector)))
    near: list[tuple[float, bytes]] = []
    without: list[bytes] = []
    for at in range(0, len(ids), step):
        part = ids[at : at + step]
        replies = yield Batch(tuple(Command((b"HGET", schema.key(id), field), as_raw) for id in part))
        for id, reply in zip(part, replies, strict=True):
            if isinstance(reply, ReplyError):
                raise explain(reply, schema.key(id))
        found = all_near(order.metric, order.vector, cast("Sequence[bytes | None]", replies))
        for id, number in zip(part, found, strict=True):
            if number is None:
                without.append(id)
            else:
                near.append((number, id))
    near.sort(reverse=order.descending)
    without.sort(reverse=order.descending)
    there: list[tuple[bytes, float | None]] = [(id, number) for number, id in near]
    absent: list[tuple[bytes, float | None]] = [(id, None) for id in without]
    return absent + there if order.nulls == "first" else there + absent
