"""``redmodel find`` and ``redmodel count``: queries on a model, by conditions in text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from redmodel.cli import settings
from redmodel.cli.catalog import Catalog
from redmodel.cli.conditions import orders, parse
from redmodel.cli.faults import CLEAN, Refused
from redmodel.cli.output import Form, Table, cell, emit, note
from redmodel.cli.records import check_fields, dump, pick
from redmodel.cli.spelling import took
from redmodel.cli.tree import progress
from redmodel.model import Condition, Model


def find(
    url: str | None,
    models: Sequence[str],
    name: str,
    conditions: Sequence[str],
    *,
    order: Sequence[str],
    size: int,
    number: int,
    everything: bool,
    fields: Sequence[str],
    form: Form,
    scan: bool = False,
) -> int:
    """Show one page of the records that meet the conditions, or all of them; with ``scan`` what a scan finds."""
    model = Catalog(settings.models_of(models)).named(name)
    wanted = [parse(model, text, scan=scan) for text in conditions]
    paths = check_fields(model, [path.strip() for text in fields for path in text.split(",") if path.strip()])
    if everything and number != 1:
        raise Refused("--all shows every record, so there is no --page")
    if scan:
        if order or number != 1:
            raise Refused("--scan shows what it finds as it is found: it has no --order and no --page")
        return _scan(url, model, wanted, None if everything else size, paths, form)
    by = orders(model, order)
    with settings.open_for_reading(url) as db:
        query = db.find(model, *wanted).order_by(*by)
        began = time.perf_counter()
        if everything:
            page = None
            records = iter(query)
            head: dict[str, object] = {"model": model.__name__}
        else:
            page = query.page(number, size=size)
            records = iter(page.items)
            head = {"model": model.__name__, "total": page.total, "page": number, "pages": page.pages, "size": size}
        count = [0]
        rows = _rows(records, paths, count)
        emit(
            form,
            table=lambda: _table(paths, rows),
            document=lambda: {**head, "items": list(rows)},
            records=lambda: rows,
        )
        seconds = time.perf_counter() - began
        if page is None:
            note(f"{count[0]:,} of {model.__name__} in {took(seconds)}")
        else:
            first = (number - 1) * size + 1
            shown = (
                f"{first:,} to {first + count[0] - 1:,} of {page.total:,}" if count[0] else f"none of {page.total:,}"
            )
            note(f"{shown} · page {number:,} of {page.pages:,} · {took(seconds)}")
    return CLEAN


def _scan(
    url: str | None, model: type[Model], wanted: Sequence[Condition], limit: int | None, paths: list[str], form: Form
) -> int:
    """Look at every record that the indexed conditions leave; how far that is, is told on stderr."""
    looked: list[int] = [0, 0]
    with settings.open_for_reading(url) as db, progress(f"scan {model.__name__}", "records") as advance:
        began = time.perf_counter()

        def told(seen: int, total: int | None) -> None:
            looked[:] = [seen, total or 0]
            advance(seen, total or seen)

        found = db.find(model, *wanted, scan=True, progress=told)
        count = [0]
        rows = _rows(iter(found if limit is None else found.limit(limit)), paths, count)
        emit(
            form,
            table=lambda: _table(paths, rows),
            document=lambda: {"model": model.__name__, "items": list(rows)},
            records=lambda: rows,
        )
    seconds = took(time.perf_counter() - began)
    note(f"{count[0]:,} of {model.__name__} · looked at {looked[0]:,} of {looked[1]:,} · {seconds}")
    return CLEAN


def _rows(records: Iterator[Model], paths: list[str], count: list[int]) -> Iterator[dict[str, Any]]:
    for record in records:
        count[0] += 1
        yield pick(dump(record), paths)


def _table(paths: list[str], rows: Iterator[dict[str, Any]]) -> Table:
    found = list(rows)
    numbers = frozenset(
        path
        for path in paths
        if all(isinstance(row[path], int | float | None) and not isinstance(row[path], bool) for row in found)
    )
    table = Table(paths, numbers=numbers)
    for row in found:
        table.add(*("—" if row[path] is None else cell(row[path]) for path in paths))
    return table


def count(url: str | None, models: Sequence[str], name: str, conditions: Sequence[str], *, form: Form) -> int:
    """Show how many records meet the conditions."""
    model = Catalog(settings.models_of(models)).named(name)
    wanted = [parse(model, text) for text in conditions]
    with settings.open_for_reading(url) as db:
        found = {"model": model.__name__, "count": db.count(model, *wanted)}
    if form == "table":
        from redmodel.cli.output import write

        write(f"{found['count']}\n")
    else:
        emit(form, table=lambda: Table(()), document=lambda: found, records=lambda: [found])
    return CLEAN
