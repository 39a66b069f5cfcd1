"""``redmodel tree``: the census of a keyspace as a tree, and its progress while it is taken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from redmodel.cli import faults, settings
from redmodel.cli.output import Form, Table, console_for, emit, note
from redmodel.cli.spelling import size, span, spell_key, took
from redmodel.database.driver import Executor, run
from redmodel.survey.census import GroupRow, Report
from redmodel.survey.taking import Survey

NUMBERS = frozenset({"keys", "bytes", "%", "ttl p50", "no ttl"})


def tree(url: str | None, *, depth: int, sample: int | None, form: Form) -> int:
    """Take the census, show it, and say what it covers."""
    backend = settings.open_for_looking(url)
    try:
        survey = Survey()
        began = time.perf_counter()
        code = take(survey, backend.executor, sample)
        report = survey.report(depth=depth)
        emit(
            form,
            table=lambda: table_of(report),
            document=lambda: document_of(report),
            records=lambda: map(_record, report.groups),
        )
        note(covered(report, time.perf_counter() - began, stopped=code == faults.INTERRUPTED))
        return code
    finally:
        backend.close()


def take(survey: Survey, executor: Executor, sample: int | None) -> int:
    """Take the census with a progress bar on a terminal; Ctrl-C ends it early and leaves what was counted."""
    try:
        with progress("scan", "keys") as advance:
            run(survey.take(sample=sample, progress=advance), executor)
    except KeyboardInterrupt:
        return faults.INTERRUPTED
    return faults.CLEAN


@contextmanager
def progress(what: str, of: str) -> Generator[Callable[[int, int], None]]:
    """A bar with rate and time left on stderr, where stderr is a terminal; told the count so far and the total."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    began = time.perf_counter()
    columns = (
        TextColumn(what),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console_for(sys.stderr), transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def advance(done: int, total: int) -> None:
            rate = done / max(time.perf_counter() - began, 1e-9)
            bar.update(task, completed=done, total=max(total, done), rate=f"{rate:,.0f} {of}/s")

        yield advance


def table_of(report: Report) -> Table:
    """The report as a tree."""
    table = Table(("prefix", "keys", "bytes", "%", "type", "ttl p50", "no ttl", "model"), numbers=NUMBERS)
    whole = report.memory or report.keys
    for at, group in enumerate(report.groups):
        part = group.memory if report.memory else group.keys
        table.add(
            _branch(report.groups, at) + spell_key(group.pattern),
            f"{group.keys:,}",
            size(group.memory),
            _percent((part or 0) / whole),
            _types(group),
            span(group.ttl_median_ms),
            _percent(group.without_ttl),
            _owner(group, report),
        )
        if group.more:
            table.add(f"{'   ' * group.depth}… {group.more} more", "", "", "", "", "", "", "")
    if report.more:
        table.add(f"… {report.more} more", "", "", "", "", "", "", "")
    return table


def _branch(groups: tuple[GroupRow, ...], at: int) -> str:
    """The lines that lead to a row of the tree."""
    depth = groups[at].depth
    text = ""
    for level in range(2, depth + 1):
        rest = (group.depth for group in groups[at + 1 :])
        follows = next((d for d in rest if d <= level), 0) == level
        if level == depth:
            text += "├─ " if follows else "└─ "
        else:
            text += "│  " if follows else "   "
    return text


def _percent(share: float) -> str:
    return "<1%" if 0 < share < 0.01 else f"{100 * share:.0f}%"


def _types(group: GroupRow) -> str:
    names = list(group.types)
    return "/".join(names[:3]) + ("/…" if len(names) > 3 else "")


def _owner(group: GroupRow, report: Report) -> str:
    """The model of a group of records; of its index keys, which index they are."""
    if group.model is None:
        return "—"
    if not group.side:
        return group.model
    prefix, _, rest = group.pattern.partition(b"@")
    name = rest.partition(b":")[0].decode("utf-8", "replace")
    if name == "*":
        return f"indexes of {group.model}"
    schema = next((schema for schema in report.schemas if schema.prefix == prefix), None)
    is_index = schema is not None and any(index.get("path") == name for index in schema.indexes)
    return f"index of {group.model}.{name}" if is_index else f"bookkeeping of {group.model}"


def covered(report: Report, seconds: float, *, stopped: bool = False) -> str:
    """What the report covers, in one line."""
    text = f"{report.keys:,} of {report.total:,} keys in {took(seconds)}"
    if report.memory is None and report.keys:
        text += " · this server does not say how many bytes a key takes"
    if report.complete:
        return text
    share = report.keys / report.total if report.total else 1
    why = "stopped" if stopped else "sampled in the order of SCAN"
    return f"{text} · {why} at {100 * share:.1f}%: the figures are of these keys (--all counts every key)"


def document_of(report: Report) -> dict[str, Any]:
    """The report as one JSON document."""
    return {
        "keys": report.keys,
        "total": report.total,
        "bytes": report.memory,
        "complete": report.complete,
        "groups": [_record(group) for group in report.groups],
        "groups_left_out": report.more,
        "schemas": [
            {
                "prefix": spell_key(schema.prefix),
                "model": schema.model,
                "layout": schema.layout,
                "fingerprint": schema.fingerprint,
                "indexes": list(schema.indexes),
            }
            for schema in report.schemas
        ],
    }


def _record(group: GroupRow) -> dict[str, Any]:
    return {
        "pattern": spell_key(group.pattern),
        "depth": group.depth,
        "keys": group.keys,
        "bytes": group.memory,
        "types": group.types,
        "ttl_median_ms": group.ttl_median_ms,
        "without_ttl": round(group.without_ttl, 4),
        "model": group.model,
        "indexes": group.side,
    }
