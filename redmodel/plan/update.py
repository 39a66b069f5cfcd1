"""Changing records without reading them first: some fields of one, or a number in it; and get-or-create."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar, cast

from redmodel.errors import AlreadyExists, ConnectionFailed, EncodingError, QueryError, ReplyError, UniqueViolation
from redmodel.model import VERSION, Compare, Model, Schema, loaded_values, loaded_version, schema_of
from redmodel.plan.commands import as_raw, procedure
from redmodel.plan.conflicts import TRIES, field_guards, moved_to, new_version, refuse_moved, stale, version_guard
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.find import Selection, find_first
from redmodel.plan.get import find_by_id, get
from redmodel.plan.refusal import refused
from redmodel.plan.registration import Registered, register
from redmodel.plan.save import save, write_command
from redmodel.procedures import INCREMENT

M = TypeVar("M", bound=Model)


def place_of(record: Model | type[Model], id: object) -> tuple[Schema[Any], bytes, object]:
    """The schema and the id, as bytes and as given, of a record at hand or of a model's record."""
    schema: Schema[Any] = schema_of(record)
    if not isinstance(record, type):
        id = schema.id_value(record)
    return schema, schema.id_bytes(id), id


def update(
    record: Model | type[Model], id: object, changes: Mapping[str, object], registered: Registered
) -> Plan[None]:
    """Write some fields of a living record, and its index entries: one round trip; raises NotFound.

    Where other fields are unique together with them, those are read first: two round trips.
    """
    schema, raw, id = place_of(record, id)
    if not changes:
        raise QueryError(f"update() of {schema.name} names no field to change")
    part, stored = schema.part(changes)
    if schema not in registered:
        yield from register(schema, registered)
    version = new_version(schema)
    at_hand = None if isinstance(record, type) or loaded_values(record) is None else record
    guards = [version_guard(loaded_version(at_hand))] if schema.versioned and at_hand is not None else []
    siblings = schema.siblings({position for position, _ in stored})
    source = part
    for _ in range(TRIES):
        demands = guards
        if siblings:
            source = yield from get(schema.model, id)
            demands = [*guards, *field_guards(schema, siblings, loaded_values(source) or ())]
            source.__dict__.update(part.__dict__)
        command = write_command(
            schema, source, raw, stored, "keep", "exists", whole=False, version=version, guards=demands
        )
        (reply,) = yield Batch((command,))
        moved = moved_to(schema, raw, reply)
        if moved is not None and at_hand is not None and guards:
            raise refuse_moved(schema, at_hand, moved)
        if moved is None:
            break
    else:
        raise stale(schema, id, siblings)
    if isinstance(reply, ReplyError):
        raise reply
    if not isinstance(reply, int):
        raise refused(schema, source, id, cast("list[bytes]", reply))
    if not isinstance(record, type):
        schema.take(record, part.__dict__, dict(stored), (loaded_version(record) or b"", version))


def increment(record: Model | type[Model], id: object, amounts: Mapping[str, int | float]) -> Plan[int | float]:
    """Add to a number of a living record: one round trip; the new value. Raises NotFound, and EncodingError at a bound.

    When the connection breaks before the reply, the record tells whether the amount was added; where another write came
    between and hides it, ConnectionFailed is raised, and nothing is added twice.
    """
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
            f"{schema.name}.{name} is unique together with others: a counted value could meet another; save it instead"
        )
    if index is not None and index.kind != "range":
        raise QueryError(f"{schema.name}.{name} is unique: a counted value could meet another; save it instead")
    keys = [schema.key(raw), schema.ids_key, schema.log_key, schema.expires_key]
    keys += [schema.side + index.path_bytes] if index is not None else []
    nonce, version = schema.nonce(), new_version(schema)
    argv = (nonce, name.encode(), repr(amount).encode(), kind.encode(), least, most, version)
    try:
        (reply,) = yield Batch((procedure(INCREMENT, keys, argv),), resend=False)
    except ConnectionFailed:
        reply = yield from _recall(schema, raw, name, nonce)
    if isinstance(reply, ReplyError):
        raise reply
    why, *rest = cast("list[bytes]", reply)
    if why != b"done":
        raise _not_counted(schema, name, id, amount, [why, *rest])
    text, before = rest
    value = int(text) if kind == "i" else float(text)
    if not isinstance(record, type):
        schema.take(record, {name: value}, {schema.position(name): text}, (before, version))
    return value


def _recall(schema: Schema[Any], raw: bytes, name: str, nonce: bytes) -> Plan[Reply]:
    """After a broken connection: the reply that was lost, if the record shows that the amount was added."""
    log: Command[Reply] = Command((b"HGET", schema.log_key, raw), as_raw)
    fields: Command[Reply] = Command((b"HMGET", schema.key(raw), name.encode(), VERSION), as_raw)
    entry, row = yield Batch((log, fields))
    if isinstance(entry, bytes) and entry[:8] == nonce and isinstance(row, list) and row[0] is not None:
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


def get_or_create(
    model: type[M], wanted: Mapping[str, object], defaults: Mapping[str, object] | None, registered: Registered
) -> Plan[tuple[M, bool]]:
    """The record with these values, or a new one with these and the defaults: one round trip, or two; True if created.

    Where others create it at the same moment, one of them does and the rest get its record.
    """
    schema: Schema[M] = schema_of(model)
    if not wanted:
        raise QueryError(f"get_or_create() of {schema.name} names no value to look for")
    conflict: Exception | None = None
    for _ in range(3):
        found: M | None
        if set(wanted) == {schema.fields[0].name}:
            found = yield from find_by_id(model, wanted[schema.fields[0].name])
        else:
            conditions = tuple(Compare(name, "==", value, model) for name, value in wanted.items())
            found = yield from find_first(Selection(model, conditions))
        if found is not None:
            return found, False
        record = model(**{**(defaults or {}), **wanted})
        try:
            yield from save(record, registered, "model", "new")
        except (UniqueViolation, AlreadyExists) as error:
            conflict = error
        else:
            return record, True
    assert conflict is not None
    raise conflict
