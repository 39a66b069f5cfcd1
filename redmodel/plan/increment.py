"""Adding to a number of a record without reading it first."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple, cast

from redmodel.errors import ConnectionFailed, EncodingError, QueryError, ReplyError
from redmodel.model import VERSION, Model, Schema
from redmodel.plan.commands import as_raw, procedure
from redmodel.plan.conflicts import new_version
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.refusal import refused
from redmodel.plan.update import place_of
from redmodel.procedures import INCREMENT


class Count(NamedTuple):
    """One number of one record, ready to be added to."""

    schema: Schema[Any]
    record: Model | type[Model]
    id: object
    name: str
    amount: int | float
    whole: bool
    nonce: bytes
    version: bytes
    command: Command[Reply]

    def accept(self, reply: Reply) -> int | float:
        """Read the reply: the new value, which a record at hand shows from now on; raises what the reply refuses."""
        if isinstance(reply, ReplyError):
            raise reply
        why, *rest = cast("list[bytes]", reply)
        if why != b"done":
            raise _not_counted(self.schema, self.name, self.id, self.amount, [why, *rest])
        text, before = rest
        value = int(text) if self.whole else float(text)
        if not isinstance(self.record, type):
            position = self.schema.position(self.name)
            self.schema.take(self.record, {self.name: value}, {position: text}, (before, self.version))
        return value


def counted(record: Model | type[Model], id: object, amounts: Mapping[str, int | float]) -> Count:
    """Make an addition ready. Raises EncodingError and QueryError for what can't be added, or not to that field."""
    schema, raw, id = place_of(record, id)
    if len(amounts) != 1:
        raise QueryError(f"increment() of {schema.name} takes one field and its amount, as in increment(record, age=1)")
    ((name, amount),) = amounts.items()
    kind, least, most = schema.number(name)
    if type(amount) is not int and not (type(amount) is float and kind == "f" and isfinite(amount)):
        raise EncodingError(
            f"{schema.name}.{name} can't be incremented by {amount!r}", model=schema.name, field=name, value=amount
        )
    index = next((index for index in schema.indexes if index.path == name), None)
    if schema.siblings({schema.position(name)}):
        raise QueryError(
            f"{schema.name}.{name} is unique or indexed together with others, which are not at hand: save it instead"
        )
    if index is not None and index.kind != "range":
        raise QueryError(f"{schema.name}.{name} is unique: a counted value could meet another; save it instead")
    keys = [schema.key(raw), schema.ids_key, schema.log_key, schema.expires_key]
    keys += [schema.side + index.path_bytes] if index is not None else []
    nonce, version = schema.nonce(), new_version(schema)
    argv = (nonce, name.encode(), repr(amount).encode(), kind.encode(), least, most, version)
    return Count(schema, record, id, name, amount, kind == "i", nonce, version, procedure(INCREMENT, keys, argv))


def increment(record: Model | type[Model], id: object, amounts: Mapping[str, int | float]) -> Plan[int | float]:
    """Add to a number of a living record: one round trip; the new value. Raises NotFound, and EncodingError at a bound.

    When the connection breaks before the reply, the record tells whether the amount was added; where another write came
    between and hides it, ConnectionFailed is raised, and nothing is added twice.
    """
    count = counted(record, id, amounts)
    try:
        (reply,) = yield Batch((count.command,), resend=False)
    except ConnectionFailed:
        reply = yield from _recall(count)
    return count.accept(reply)


def _recall(count: Count) -> Plan[Reply]:
    """After a broken connection: the reply that was lost, if the record shows that the amount was added."""
    schema, name = count.schema, count.name
    raw = schema.id_bytes(count.id)
    log: Command[Reply] = Command((b"HGET", schema.log_key, raw), as_raw)
    fields: Command[Reply] = Command((b"HMGET", schema.key(raw), name.encode(), VERSION), as_raw)
    entry, row = yield Batch((log, fields))
    if isinstance(entry, bytes) and entry[:8] == count.nonce and isinstance(row, list) and row[0] is not None:
        return [b"done", row[0], (cast("bytes | None", row[1]) or b"")[16:]]
    raise ConnectionFailed(
        f"the connection broke while {schema.name}.{name} was incremented, and the record doesn't tell whether it was: "
        f"load it, and count again if need be"
    )


def _not_counted(schema: Schema[Any], name: str, id: object, amount: object, refusal: list[bytes]) -> Exception:
    why, where = refusal[0], f"{schema.name}.{name}"
    if why in (b"missing", b"wrongtype"):
        return refused(schema, None, id, refusal)
    texts = {
        b"null": f"{where} of {id!r} has no value to add to: save one first",
        b"bounds": f"{where} of {id!r} is {refusal[-1].decode()}: adding {amount!r} would leave what the field allows",
        b"inexact": f"{where} of {id!r} would leave what a range index holds exactly (2**53)",
        b"refused": f"{where} of {id!r} can't be counted: adding {amount!r} to it gives no number that Redis keeps",
    }
    return EncodingError(texts[why], model=schema.name, field=name, value=amount)
