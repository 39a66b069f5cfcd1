"""Changing items of a list, a set or a dict of a record, without reading it: one round trip each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from redmodel.errors import ConnectionFailed, EncodingError, QueryError, ReplyError
from redmodel.model import VERSION, Entry, Items, Model, Schema
from redmodel.plan.commands import as_raw, procedure
from redmodel.plan.conflicts import new_version
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.refusal import refused
from redmodel.plan.update import place_of
from redmodel.procedures import ITEMS
from redmodel.procedures.entries import spell


def append(record: Model | type[Model], id: object, item: Mapping[str, object]) -> Plan[None]:
    """Put one item at the end of a list."""
    name, value = _only("append", item)
    yield from _list(record, id, name, b"a", [value])


def extend(record: Model | type[Model], id: object, items: Mapping[str, object]) -> Plan[None]:
    """Put several items at the end of a list."""
    name, values = _only("extend", items)
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise QueryError(f"extend() takes several items, as in extend(User, id, {name}=['a', 'b'])")
    yield from _list(record, id, name, b"a", [*cast("Iterable[object]", values)])


def prepend(record: Model | type[Model], id: object, item: Mapping[str, object]) -> Plan[None]:
    """Put one item at the beginning of a list."""
    name, value = _only("prepend", item)
    yield from _list(record, id, name, b"p", [value])


def add(record: Model | type[Model], id: object, item: Mapping[str, object]) -> Plan[bool]:
    """Put one item into a list or set that has no equal one: True if it had none."""
    name, value = _only("add", item)
    schema, raw, id = place_of(record, id)
    field = schema.items(name)
    if field.kind == "dict":
        raise QueryError(f"{schema.name}.{name} is a dict: put() sets a key of it")
    field.require_one_text()
    texts, entries = field.texts([value])
    return (yield from _change(record, schema, raw, id, field, b"+", texts, entries))


def discard(record: Model | type[Model], id: object, item: Mapping[str, object]) -> Plan[bool]:
    """Take all equal items out of a list or set, or a key out of a dict: True if there was one."""
    name, value = _only("discard", item)
    schema, raw, id = place_of(record, id)
    field = schema.items(name)
    field.require_one_text()
    if field.kind == "dict":
        return (yield from _change(record, schema, raw, id, field, b"d", [field.key(value)], []))
    texts, entries = field.texts([value])
    return (yield from _change(record, schema, raw, id, field, b"-", texts, entries))


def put(record: Model | type[Model], id: object, members: Mapping[str, object]) -> Plan[None]:
    """Set keys of a dict; its other keys stay."""
    name, values = _only("put", members)
    schema, raw, id = place_of(record, id)
    field = schema.items(name)
    if field.kind != "dict" or not isinstance(values, Mapping):
        raise QueryError(f"put() sets keys of a dict, as in put({schema.name}, id, {name}={{'key': value}})")
    field.require_one_text()
    texts = field.members(cast("Mapping[Any, object]", values))
    yield from _change(record, schema, raw, id, field, b"k", texts, [])


def _only(verb: str, items: Mapping[str, object]) -> tuple[str, object]:
    if len(items) != 1:
        raise QueryError(f"{verb}() takes one field and its item, as in {verb}(User, id, tags='vip')")
    return next(iter(items.items()))


def _list(record: Model | type[Model], id: object, name: str, operation: bytes, values: list[object]) -> Plan[None]:
    schema, raw, id = place_of(record, id)
    field = schema.items(name)
    if field.kind != "list":
        verb = "add() puts an item into it" if field.kind == "set" else "put() sets a key of it"
        raise QueryError(f"{schema.name}.{name} is a {field.kind} without an order: {verb}")
    texts, entries = field.texts(values)
    yield from _change(record, schema, raw, id, field, operation, texts, entries)


def _change(
    record: Model | type[Model],
    schema: Schema[Any],
    raw: bytes,
    id: object,
    field: Items,
    operation: bytes,
    texts: list[bytes],
    entries: list[Entry],
) -> Plan[bool]:
    spec = schema.fields[field.position]
    at_hand = not isinstance(record, type)
    nonce, version = schema.nonce(), new_version(schema)
    bounds = [b"-" if n is None else b"%d" % n for n in (field.least, field.most, spec.ttl_ms)]
    keys = [schema.key(raw), schema.ids_key, schema.log_key, schema.expires_key]
    keys += [schema.side + path + b":" + token for _, path, token, _ in entries]
    argv = [nonce + operation, spec.stored, field.base, b" ".join([*bounds, b"%d" % len(texts)]), version]
    argv += [b"t" if at_hand else b"", *texts, *[spell(*entry) for entry in entries]]
    twice = operation not in (b"a", b"p")
    try:
        (reply,) = yield Batch((procedure(ITEMS, keys, argv),), resend=twice)
    except ConnectionFailed:
        if twice:
            raise
        reply = yield from _recall(schema, raw, spec.stored, nonce)
    if isinstance(reply, ReplyError):
        raise reply
    why, *rest = cast("list[Any]", reply)
    if why != b"done":
        raise _not_changed(schema, field, id, [why, *rest])
    changed, before, text = rest
    if not isinstance(record, type):
        newer = (before, version) if changed else None
        schema.take(record, {field.name: field.read(text)}, {field.position: text}, newer)
    return bool(changed)


def _recall(schema: Schema[Any], raw: bytes, field: bytes, nonce: bytes) -> Plan[Reply]:
    """After a broken connection: the reply that was lost, if the record shows that the item was put there."""
    log: Command[Reply] = Command((b"HGET", schema.log_key, raw), as_raw)
    fields: Command[Reply] = Command((b"HMGET", schema.key(raw), field, VERSION), as_raw)
    entry, row = yield Batch((log, fields))
    if isinstance(entry, bytes) and entry[:8] == nonce and isinstance(row, list) and row[0] is not None:
        return [b"done", 1, (cast("bytes | None", row[1]) or b"")[16:], row[0]]
    raise ConnectionFailed(
        f"the connection broke while an item was put into {schema.name}.{field.decode()}, and the record doesn't tell "
        f"whether it was: load it, and look"
    )


def _not_changed(schema: Schema[Any], field: Items, id: object, refusal: list[bytes]) -> Exception:
    why, where = refusal[0], f"{schema.name}.{field.name}"
    texts = {
        b"null": f"{where} of {id!r} holds no {field.kind} to change: save one first",
        b"most": f"{where} of {id!r} would hold more than the {field.most} items that the field allows",
        b"least": f"{where} of {id!r} would hold fewer than the {field.least} items that the field asks for",
        b"text": f"{where} of {id!r} holds no JSON {field.kind}, and redmodel did not write it: save one first",
    }
    if why in texts:
        return EncodingError(texts[why], model=schema.name, field=field.name)
    return refused(schema, None, id, refusal)
