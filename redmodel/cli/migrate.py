"""``redmodel status`` and ``redmodel migrate``: what models declare against what Redis holds, and bringing it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from redmodel.cli import settings
from redmodel.cli.catalog import Catalog
from redmodel.cli.faults import CLEAN, DIFFERENCES, INTERRUPTED, Refused
from redmodel.cli.output import Form, Table, emit, note, write
from redmodel.cli.spelling import safe
from redmodel.cli.tree import progress
from redmodel.model import Model
from redmodel.plan.status import StatusReport, SyncReport


def status(url: str | None, models: Sequence[str], names: Sequence[str], *, form: Form) -> int:
    """Show what a migration of these models, or of all, would do."""
    with settings.open_for_reading(url) as db:
        reports = [db.status(model) for model in _chosen(models, names)]
    rows = [
        {
            "model": report.model,
            "index": index.path,
            "meaning": index.meaning,
            "state": index.state,
            "waiting": index.waiting,
        }
        for report in reports
        for index in report.indexes
    ]

    def table() -> Table:
        made = Table(["model", "index", "meaning", "state", "waiting"], numbers=frozenset({"waiting"}))
        for row in rows:
            made.add(*(str(value) for value in row.values()))
        return made

    current = all(report.current for report in reports)
    emit(
        form,
        table=table,
        document=lambda: {"current": current, "models": [_status_document(report) for report in reports]},
        records=lambda: rows,
    )
    if not current:
        note("some indexes can't answer, or hold what no model declares: redmodel migrate --write")
    return CLEAN if current else DIFFERENCES


def _status_document(report: StatusReport) -> dict[str, Any]:
    indexes = [index._asdict() for index in report.indexes]
    return {
        "model": report.model,
        "current": report.current,
        "known": report.known,
        "others": report.others,
        "indexes": indexes,
    }


def migrate(
    url: str | None, models: Sequence[str], names: Sequence[str], *, may_write: bool, rate: float | None, form: Form
) -> int:
    """Sync these models, or all, and show what was done."""
    chosen = _chosen(models, names)
    if not may_write:
        raise Refused("a migration writes: add --write; `redmodel status` shows what it would do")
    reports: list[SyncReport] = []
    code = CLEAN
    with settings.open_for_writing(url) as db:
        for model in chosen:
            last: list[SyncReport] = []
            try:
                with progress(f"migrate {model.__name__}", "records") as advance:

                    def told(report: SyncReport, last: list[SyncReport] = last, advance: Any = advance) -> None:
                        last[:] = [report]
                        advance(report.done, report.total)

                    last[:] = [db.sync(model, rate=rate, progress=told)]
            except KeyboardInterrupt:
                code = INTERRUPTED
            reports += last
            if form == "table":
                for report in last:
                    write("".join(safe(line) + "\n" for line in report.lines()))
            if code == INTERRUPTED:
                break
            code = max(code, CLEAN if last[0].ready else DIFFERENCES)
    if form != "table":
        documents = [{**asdict(report), "ready": report.ready} for report in reports]
        emit(
            form,
            table=lambda: Table(()),
            document=lambda: {"ready": code == CLEAN, "models": documents},
            records=lambda: documents,
        )
    return code


def _chosen(models: Sequence[str], names: Sequence[str]) -> list[type[Model]]:
    catalog = Catalog(settings.models_of(models))
    return [catalog.named(name) for name in names] or catalog.everything()
