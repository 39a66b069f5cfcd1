"""``redmodel check-store``: what is wrong with the files of an embedded store, and cutting it off."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from redmodel.cli.faults import CLEAN, DIFFERENCES, Refused
from redmodel.cli.output import Form, Table, emit, note
from redmodel.cli.spelling import safe, size
from redmodel.engine.storage.check import FileReport, StoreReport, check_store, repair_store
from redmodel.errors import StorageError


def check(directory: str, *, write: bool, yes: bool, form: Form) -> int:
    """Check a store; with ``write`` repair it, after saying what that drops."""
    report = check_store(directory)
    if not write or report.clean:
        _show(report, None, form)
        return CLEAN if report.clean else DIFFERENCES
    if not report.repairable:
        _show(report, None, form)
        raise Refused("the manifest is damaged, and there is no log file that it could be made from")
    if form == "table":
        _show(report, None, form)
    note(_loss(report))
    if not yes:
        if not sys.stdin.isatty():
            raise Refused("nothing was changed: there is nobody to ask; give --yes to go ahead")
        note("Cut it off? A copy is kept. [y/N]")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Refused("nothing was changed")
    _, copies = repair_store(directory)
    if form != "table":
        _show(report, copies, form)
    after = check_store(directory)
    if not after.clean:
        raise StorageError(f"{after.directory} is still damaged: repeat the command")
    note(f"repaired; a copy of all that was cut is in {copies}")
    return CLEAN


def _loss(report: StoreReport) -> str:
    return (
        f"a repair drops {report.dropped_bytes:,} bytes with about {report.dropped_commands:,} commands, "
        f"and keeps {sum(file.commands for file in report.files if file.state != 'after damage'):,}"
    )


def _show(report: StoreReport, copies: Path | None, form: Form) -> None:
    emit(
        form,
        table=lambda: _table(report),
        document=lambda: {
            "directory": str(report.directory),
            "clean": report.clean,
            "repairable": report.repairable,
            "dropped_bytes": report.dropped_bytes,
            "dropped_commands": report.dropped_commands,
            "copies": None if copies is None else str(copies),
            "files": [asdict(file) for file in report.files],
        },
        records=lambda: [asdict(file) for file in report.files],
    )
    if form != "table":
        return
    for file in report.files:
        if file.reason:
            note(safe(f"{file.name}: {file.reason}"))
    if report.clean:
        note("clean")


def _table(report: StoreReport) -> Table:
    table = Table(
        ("file", "state", "size", "commands", "checksums", "would drop"),
        numbers=frozenset({"size", "commands", "would drop"}),
    )
    for file in report.files:
        table.add(file.name, file.state, size(file.size), f"{file.commands:,}", _checksums(file), _drop(file))
    return table


def _checksums(file: FileReport) -> str:
    return "yes" if file.checksums else "none"


def _drop(file: FileReport) -> str:
    return size(file.dropped_bytes) if file.dropped_bytes else "-"
