"""``redmodel index check`` and ``redmodel index repair``: what stands in the indexes against what the records say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redmodel.cli import settings
from redmodel.cli.catalog import Catalog
from redmodel.cli.faults import CLEAN, DIFFERENCES, INTERRUPTED, Refused
from redmodel.cli.output import Form, Table, emit, write
from redmodel.cli.spelling import safe
from redmodel.cli.tree import progress
from redmodel.model import Model
from redmodel.plan.check_report import CheckReport, IndexCheck, Troubles


def check(
    url: str | None, models: Sequence[str], names: Sequence[str], *, rate: float | None, cursor: str | None, form: Form
) -> int:
    """Check these models, or all, and show what was found."""
    chosen = _chosen(models, names, cursor)
    with settings.open_for_reading(url) as db:
        return _each(db.check, chosen, rate, cursor, form)


def repair(
    url: str | None,
    models: Sequence[str],
    names: Sequence[str],
    *,
    may_write: bool,
    rate: float | None,
    cursor: str | None,
    form: Form,
) -> int:
    """Repair these models, or all, and show what was wrong."""
    chosen = _chosen(models, names, cursor)
    if not may_write:
        raise Refused("a repair writes: add --write; `redmodel index check` shows what it would mend")
    with settings.open_for_writing(url) as db:
        return _each(db.repair, chosen, rate, cursor, form)


def _chosen(models: Sequence[str], names: Sequence[str], cursor: str | None) -> list[type[Model]]:
    catalog = Catalog(settings.models_of(models))
    chosen = [catalog.named(name) for name in names] or catalog.everything()
    if cursor is not None and len(chosen) != 1:
        raise Refused("a cursor goes on with one model: name it")
    return chosen


def _each(
    verb: Callable[..., CheckReport], chosen: Sequence[type[Model]], rate: float | None, cursor: str | None, form: Form
) -> int:
    reports: list[CheckReport] = []
    code = CLEAN
    for model in chosen:
        ended, found = _run(verb, model, rate, cursor)
        code = max(code, ended)
        reports += found
        if form == "table" and found:
            _show(found[0], verb.__name__)
        if ended == INTERRUPTED:
            break
    if form != "table":
        emit(
            form,
            table=lambda: Table(()),
            document=lambda: {"clean": code == CLEAN, "models": [document_of(report) for report in reports]},
            records=lambda: [document_of(report) for report in reports],
        )
    return code


def _run(
    verb: Callable[..., CheckReport], model: type[Model], rate: float | None, cursor: str | None
) -> tuple[int, list[CheckReport]]:
    """One model; Ctrl-C ends it early and leaves the report as it is, with the cursor to go on."""
    last: list[CheckReport] = []
    try:
        with progress(f"{verb.__name__} {model.__name__}", "entries") as advance:

            def told(report: CheckReport) -> None:
                last[:] = [report]
                advance(report.done, report.total)

            report = verb(model, rate=rate, cursor=cursor, progress=told)
    except KeyboardInterrupt:
        return INTERRUPTED, last
    return CLEAN if report.whole else DIFFERENCES, [report]


def _show(report: CheckReport, verb: str) -> None:
    lines = list(report.lines())
    width = max((len(safe(name)) for name, _ in lines), default=0)
    for name, said in lines:
        write(f"{safe(name):<{width}}  {safe(said)}\n")
    summary = report.summary
    if not report.complete:
        summary += f" · redmodel index {verb} {report.model} --cursor '{report.cursor}'"
        summary += " --write" if report.mended else ""
    elif report.drift and not report.mended:
        summary += f" · repair: redmodel index repair {report.model} --write"
    write(safe(summary) + "\n")


def document_of(report: CheckReport) -> dict[str, Any]:
    """A report as one JSON document."""
    return {
        "model": report.model,
        "prefix": report.prefix,
        "clean": report.clean,
        "whole": report.whole,
        "mended": report.mended,
        "cursor": report.cursor,
        "records": report.records,
        "entries": report.entries,
        "drift": report.drift,
        "expired": report.expired,
        "expiring": report.expiring,
        "busy": report.busy,
        "indexes": [_row(row) for row in report.indexes],
        "bookkeeping": [_row(row) for row in report.bookkeeping],
        "unreadable": _troubles(report.unreadable),
        "blocked": _troubles(report.blocked),
        "conflicts": _troubles(report.conflicts),
        "foreign": _troubles(report.foreign),
    }


def _row(row: IndexCheck) -> dict[str, Any]:
    counts = {name: getattr(row, name) for name in ("path", "kind", "ok", "stale", "missing", "misplaced")}
    return counts | {"samples": [sample._asdict() for sample in row.samples]}


def _troubles(troubles: Troubles) -> dict[str, Any]:
    return {"count": len(troubles), "first": [trouble._asdict() for trouble in troubles]}
