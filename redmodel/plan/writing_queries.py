"""Updating and deleting the records that meet conditions, in batches, each record judged again as it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from redmodel.errors import QueryError, ReadOnly, RedModelError, ReplyError
from redmodel.model import Model, Schema, comparisons, rules_of, schema_of
from redmodel.model.matching import matcher
from redmodel.plan.bulk import Tally
from redmodel.plan.cascade import delete_command
from redmodel.plan.commands import as_clock, as_raw, hmget, procedure, time
from redmodel.plan.conflicts import TRIES, field_guards, new_version
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.find import Selection, answer
from redmodel.plan.hooks import after, before
from redmodel.plan.refusal import explain, refused
from redmodel.plan.registration import register
from redmodel.plan.save import BATCH, write_command
from redmodel.procedures import TRANSACT


class _Seen:
    """One record as it was read: its id, its values as they are in the hash, the start of its log, and decoded."""

    __slots__ = ("id", "nonce", "raw", "record")

    def __init__(self, id: bytes, nonce: bytes, raw: Sequence[bytes | None], record: Model) -> None:
        self.id, self.nonce, self.raw, self.record = id, nonce, raw, record


def update_found(selection: Selection[Any], changes: Mapping[str, object], tally: Tally) -> Plan[None]:
    """Write these fields of all records that meet the conditions: two round trips for each thousand, and two more.

    A record is written only while the fields that the conditions name hold what was judged; else it is judged again.
    """
    schema: Schema[Any] = schema_of(selection.model)
    if not changes:
        raise QueryError(f"update() of {schema.name} names no field to change")
    part, stored = schema.part(changes)
    if schema.siblings({position for position, _ in stored}):
        raise QueryError(
            f"{schema.name}: {', '.join(changes)} are unique or indexed together with others: change records one by one"
        )
    ids = yield from _start(schema, selection, tally)
    yield from register(schema, set())
    named: set[int] = set()
    for compare in comparisons(selection.conditions):
        for path in compare.paths:
            named |= schema.index(path).positions

    def write(seen: list[_Seen]) -> Plan[list[bytes]]:
        replies = yield Batch(
            tuple(
                write_command(
                    schema,
                    part,
                    one.id,
                    stored,
                    "keep",
                    "exists",
                    whole=False,
                    version=new_version(schema),
                    guards=field_guards(schema, named, one.raw),
                )
                for one in seen
            )
        )
        moved: list[bytes] = []
        for one, reply in zip(seen, replies, strict=True):
            if isinstance(reply, int):
                tally.done += 1
            elif isinstance(reply, list) and reply[0] == b"moved":
                moved.append(one.id)
            elif not (isinstance(reply, list) and reply[0] == b"missing"):
                _refuse(tally, schema, part, one, reply)
        return moved

    yield from _each_batch(schema, selection, ids, tally, write)


def delete_found(selection: Selection[Any], tally: Tally) -> Plan[None]:
    """Delete all records that meet the conditions: two round trips for each thousand, and one more.

    A record is deleted only while nobody has written it since it was judged; else it is judged again.
    """
    schema: Schema[Any] = schema_of(selection.model)
    if rules_of(schema) is not None:
        raise QueryError(
            f"other models refer to {schema.name} with on_delete, which is obeyed by "
            f"delete_many({schema.name}, query.ids().all())"
        )
    ids = yield from _start(schema, selection, tally)
    hooks = schema.hooks if schema.hooks is not None and schema.hooks.of_deletes else None

    def delete(seen: list[_Seen]) -> Plan[list[bytes]]:
        if hooks is not None:
            yield from before(selection.model, hooks, hooks.before_delete, [one.record for one in seen])
        replies = yield Batch(tuple(_delete_unchanged(schema, one) for one in seen))
        gone: list[Model] = []
        moved: list[bytes] = []
        for one, reply in zip(seen, replies, strict=True):
            told = cast("list[Any]", reply)
            if isinstance(reply, ReplyError):
                _refuse(tally, schema, one.record, one, reply)
            elif told[0] == 0:
                gone.append(one.record)
            elif told[1][0] == b"changed":
                moved.append(one.id)
            elif told[1][0] != b"missing":
                _refuse(tally, schema, one.record, one, told[1])
        tally.done += len(gone)
        if hooks is not None:
            yield from after(hooks.after_delete, gone)
        return moved

    yield from _each_batch(schema, selection, ids, tally, delete)


def _each_batch(
    schema: Schema[Any],
    selection: Selection[Any],
    ids: Sequence[bytes],
    tally: Tally,
    write: Callable[[list[_Seen]], Plan[list[bytes]]],
) -> Plan[None]:
    """Judge and write a batch after the other; what ``write`` gives was changed since, and is judged again."""
    for at in range(0, len(ids), BATCH):
        if tally.over:
            return
        pending = ids[at : at + BATCH]
        tally.seen += len(pending)
        for _ in range(TRIES):
            seen = yield from _read(schema, selection, pending)
            if not seen:
                break
            pending = yield from write(seen)
        tally.tell()


def _start(schema: Schema[Any], selection: Selection[Any], tally: Tally) -> Plan[list[bytes]]:
    """The ids of what meets the conditions now: one round trip."""
    if not selection.writes:
        raise ReadOnly("this handle was opened with read_only=True, so it never writes: write through another handle")
    plain: Selection[Any] = Selection(
        selection.model, selection.conditions, selection.orders, selection.offset, selection.limit
    )
    found = yield from answer(plain, 0)
    tally.total = len(found.rest)
    return found.rest


def _read(schema: Schema[Any], selection: Selection[Any], ids: Sequence[bytes]) -> Plan[list[_Seen]]:
    """Those of the records that meet the conditions: one round trip, or none for no ids."""
    if not ids:
        return []
    # The log first: a write in between is seen as a change.
    logs: list[Command[Any]] = [Command((b"HGET", schema.log_key, id), as_raw) for id in ids]
    rows: list[Command[Any]] = [hmget(schema.key(id), schema.columns) for id in ids]
    replies = yield Batch((*logs, *rows, time()))
    meets = matcher(selection.conditions, schema) if selection.conditions else None
    now = as_clock(replies[-1])
    found: list[_Seen] = []
    for id, log, reply in zip(ids, replies, replies[len(ids) :], strict=False):
        key = schema.key(id)
        if isinstance(reply, ReplyError):
            raise explain(reply, key)
        row = cast("list[bytes | None]", reply)
        if row[0] is None:
            continue
        record = schema.decode(row, now, key)
        if meets is None or meets(record):
            found.append(_Seen(id, log[:8] if isinstance(log, bytes) else b"", row, record))
    return found


def _delete_unchanged(schema: Schema[Any], one: _Seen) -> Command[Reply]:
    """The command that deletes a record unless somebody has written it since it was read."""
    args = delete_command(schema, one.id).args
    keys, own = args[3:7], args[7:]
    watch = (b"w 4 2", one.id, one.nonce)
    return procedure(TRANSACT, (*keys, *keys), (*watch, b"d 4 %d" % len(own), *own))


def _refuse(tally: Tally, schema: Schema[Any], source: object, one: _Seen, reply: Reply) -> None:
    id = schema.id_value(one.record)
    error = reply if isinstance(reply, ReplyError) else refused(schema, source, id, cast("list[bytes]", reply))
    if not isinstance(error, RedModelError) or isinstance(reply, ReplyError):
        raise error
    tally.refuse(id, error)
