"""``redmodel show``: one key, decoded by its model where that is known, else as what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast, get_origin

from redmodel.cli import settings
from redmodel.cli.catalog import Catalog
from redmodel.cli.faults import CLEAN, DIFFERENCES, Refused
from redmodel.cli.output import Form, Table, cell, emit, note
from redmodel.cli.records import dump
from redmodel.cli.spelling import read_key, size, span, spell_key, text_of
from redmodel.database.driver import run
from redmodel.errors import DecodeError, EncodingError
from redmodel.model import Entry, Model, Schema, schema_of
from redmodel.plan.scan import Look, SchemaRow, Schemas, look, record_at

Row = dict[str, Any]

_UNITS = {
    "string": "bytes",
    "hash": "fields",
    "list": "items",
    "set": "members",
    "zset": "members",
    "stream": "entries",
}


def show(url: str | None, models: Sequence[str], key_text: str, *, most: int, form: Form) -> int:
    """Show one key."""
    catalog = Catalog(settings.models_of(models))
    key = read_key(key_text)
    schemas = Schemas()
    backend = settings.open_for_looking(url)
    try:
        seen = run(look(key, schemas, most), backend.executor)
        if seen is None:
            raise Refused(f"there is no key {spell_key(key)}")
        row = seen.row
        known = schemas.found.get(row.prefix) if row.prefix is not None else None
        model = None if known is None else catalog.at(text_of(known.prefix))
        rows: list[Row]
        trouble: DecodeError | None = None
        if model is not None and row.type == "hash" and not row.side:
            try:
                rows = list(_record(model, run(record_at(schema_of(model), key), backend.executor)))
            except DecodeError as error:
                trouble, model = error, None
                rows = list(_elements(seen, known))
        else:
            model = None
            rows = list(_elements(seen, known))
    finally:
        backend.close()
    head = _head(seen, known, decoded=model is not None)
    columns = list(rows[0]) if rows else ["value"]
    emit(
        form,
        table=lambda: _table(columns, rows),
        document=lambda: {
            **head,
            "whole": seen.whole or model is not None,
            "error": None if trouble is None else {"field": trouble.field, "text": str(trouble)},
            "value": _document(seen, model, rows),
        },
        records=lambda: rows,
    )
    note(_headline(head))
    if trouble is not None:
        note(f"{trouble} Values are as stored.")
    elif known is not None and model is None and not row.side:
        note(f"the model {known.model} is not known here, so values are as stored: name its module with --models")
    if not seen.whole and model is None:
        unit = _UNITS.get(row.type)
        note(
            f"the first {len(rows):,} of {seen.length:,} {unit} (-n shows more)" if unit else "its content isn't shown"
        )
    return CLEAN if trouble is None else DIFFERENCES


def _head(seen: Look, known: SchemaRow | None, *, decoded: bool) -> dict[str, Any]:
    row = seen.row
    owner = None if known is None else known.model
    return {
        "key": spell_key(row.key),
        "type": row.type,
        "length": seen.length,
        "bytes": row.memory,
        "ttl_ms": row.ttl_ms,
        "model": owner,
        "index_of": _index_name(seen, known),
        "decoded": decoded,
    }


def _index_name(seen: Look, known: SchemaRow | None) -> str | None:
    """``User.city`` for an index key, ``User`` for its bookkeeping."""
    if known is None or not seen.row.side:
        return None
    name = seen.row.key[len(known.prefix) + 1 :].partition(b":")[0]
    paths = {str(index.get("path")).encode("utf-8", "replace") for index in known.indexes}
    return f"{known.model}.{text_of(name)}" if name in paths else known.model


def _headline(head: dict[str, Any]) -> str:
    unit = _UNITS.get(head["type"], "")
    parts = [head["key"], head["type"], f"{head['length']:,} {unit}"]
    if head["bytes"] is not None:
        parts.append(f"{size(head['bytes'])} in memory")
    parts.append(f"ttl {span(head['ttl_ms'])}")
    if head["index_of"]:
        parts.append(f"{'index' if '.' in head['index_of'] else 'bookkeeping'} of {head['index_of']}")
    elif head["model"]:
        parts.append(head["model"])
    return " · ".join(parts)


def _table(columns: list[str], rows: list[Row]) -> Table:
    table = Table(columns, fold=True, numbers=frozenset({"score", "at"}))
    for row in rows:
        table.add(*(row[name] if name in ("type", "index") else _shown(row[name]) for name in columns))
    return table


def _shown(value: object) -> str:
    """None and the empty text look different here."""
    if isinstance(value, float):
        return f"{value:.17g}"
    return "null" if value is None else '""' if value == "" else cell(value)


def _record(model: type[Model], record: Model) -> Iterator[Row]:
    """Each field: its type, its value, and where it stands in the indexes."""
    schema = schema_of(model)
    places = _places(schema, record)
    values = dump(record)
    for field in schema.fields:
        annotation = model.model_fields[field.name].annotation
        yield {
            "field": field.name,
            "type": _type_name(annotation),
            "value": values.get(field.name),
            "index": "id" if field.position == 0 else ", ".join(places.get(field.position, [])),
        }


def _places(schema: Schema[Any], record: Model) -> dict[int, list[str]]:
    places: dict[int, list[str]] = {}
    for index in schema.indexes:
        try:
            entries = index.entries(record)
        except EncodingError:  # written by another program
            continue
        # Of a text the words are too many to be listed.
        shown = [_place(schema.prefix.encode(), entry) for entry in entries if entry[0] != b"w"]
        places.setdefault(index.position, []).extend(shown)
    return places


def _place(prefix: bytes, entry: Entry) -> str:
    kind, path, token, score = entry
    key = prefix + b"@" + path
    if kind == b"#":
        return f"{spell_key(key)} at {text_of(score)}"
    if kind == b"t":
        return f"{spell_key(key)} of {text_of(score.partition(b' ')[0])} words"
    if kind in (b"!", b"<"):
        return f"{spell_key(key)} [{text_of(token)}]"
    return spell_key(key + b":" + token)


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _elements(seen: Look, known: SchemaRow | None) -> Iterator[Row]:
    """The elements of a key of any type, as stored."""
    kind, value = seen.row.type, seen.value
    if kind == "hash":
        hints = _hints(known) if not seen.row.side else {}
        for name, raw in cast("dict[bytes, bytes]", value).items():
            field = text_of(name)
            row: Row = {"field": field, "value": text_of(raw)}
            if known is not None and not seen.row.side:
                row["index"] = hints.get(field, "")
            yield row
    elif kind == "zset":
        for member, score in value:
            yield {"member": text_of(member), "score": score}
    elif kind == "set":
        for member in sorted(value):
            yield {"member": text_of(member)}
    elif kind == "list":
        for at, item in enumerate(value):
            yield {"at": at, "item": text_of(item)}
    elif kind == "string":
        yield {"value": text_of(value)}
    elif kind == "stream":
        for id, pairs in value:
            fields = dict(zip(map(text_of, pairs[::2]), map(text_of, pairs[1::2]), strict=True))
            yield {"id": text_of(id), "entry": fields}


def _hints(known: SchemaRow | None) -> dict[str, str]:
    hints: dict[str, list[str]] = {}
    for index in known.indexes if known is not None else ():
        path = str(index.get("path", ""))
        hints.setdefault(path.partition(".")[0], []).append(f"{index.get('kind')} of {index.get('type')}")
    return {name: ", ".join(kinds) for name, kinds in hints.items()}


def _document(seen: Look, model: type[Model] | None, rows: list[Row]) -> Any:
    """The value in the one JSON document: as a program would expect its type."""
    if model is not None:
        return {row["field"]: {name: row[name] for name in ("type", "value", "index")} for row in rows}
    kind = seen.row.type
    if kind == "hash":
        return {row["field"]: row["value"] for row in rows}
    if kind == "string":
        return rows[0]["value"]
    if kind in ("set", "list"):
        return [row["member" if kind == "set" else "item"] for row in rows]
    return rows
