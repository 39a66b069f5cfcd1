"""``redmodel explain``: how a query on a model is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from redmodel.cli import settings
from redmodel.cli.catalog import Catalog
from redmodel.cli.conditions import orders, parse
from redmodel.cli.faults import CLEAN
from redmodel.cli.output import Form, Table, cell, emit, note
from redmodel.cli.spelling import took
from redmodel.plan.explain import Explanation


def explain(
    url: str | None,
    models: Sequence[str],
    name: str,
    conditions: Sequence[str],
    *,
    order: Sequence[str],
    size: int,
    analyze: bool,
    form: Form,
) -> int:
    """Show the plan of one page: conditions with estimates and rows, then what was done."""
    model = Catalog(settings.models_of(models)).named(name)
    wanted = [parse(model, text) for text in conditions]
    by = orders(model, order)
    with settings.open_for_reading(url) as db:
        found = db.find(model, *wanted).order_by(*by).limit(size).explain(analyze=analyze, total=True)
    emit(
        form,
        table=lambda: _table(found),
        document=lambda: asdict(found),
        records=lambda: [asdict(work) for work in found.commands],
    )
    if found.order is not None:
        note(f"order by {', '.join(found.order_by)}: " + ("from the index" if found.order == "index" else "by sorting"))
    if found.seconds is not None:
        trips = f"{found.round_trips} round trip{'s' if found.round_trips != 1 else ''}"
        note(f"{found.records:,} records · {trips} · {took(found.seconds)} of work")
    return CLEAN


def _table(found: Explanation) -> Table:
    table = Table(("", "about", "found", "times"), numbers=frozenset(("about", "found", "times")))
    for depth, branch in found.conditions.lines():
        drives = "  (begins here)" if branch.drives else ""
        table.add("  " * depth + cell(branch.text) + drives, _number(branch.estimate), _number(branch.rows), "")
    for work in found.commands:
        table.add(f"{work.command} {cell(' '.join(work.keys))}", "", f"{work.items:,}", f"{work.calls:,}")
    return table


def _number(value: int | None) -> str:
    return "—" if value is None else f"{value:,}"
