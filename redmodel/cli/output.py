"""Where a command's data goes: a table for people, or JSON, NDJSON or CSV for programs; notes go to stderr."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from redmodel.cli.spelling import plain, safe

if TYPE_CHECKING:
    from rich.console import Console

Form = Literal["table", "json", "nl", "csv"]


@dataclass
class Table:
    """A table to show: the names of its columns, those that hold numbers, and its rows as text."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list[Sequence[str]])
    numbers: frozenset[str] = frozenset()
    fold: bool = False

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)


def form_of(*, as_json: bool, nl: bool, as_csv: bool) -> Form:
    """The form that the options ask for; ValueError if they ask for two."""
    asked: list[Form] = []
    if as_json:
        asked.append("json")
    if nl:
        asked.append("nl")
    if as_csv:
        asked.append("csv")
    if len(asked) > 1:
        raise ValueError("--json, --nl and --csv exclude each other")
    return asked[0] if asked else "table"


def emit(
    form: Form,
    *,
    table: Callable[[], Table],
    document: Callable[[], Any],
    records: Callable[[], Iterable[Mapping[str, Any]]],
) -> None:
    """Write a command's data to stdout in one form; only that form is made.

    Args:
        form: which.
        table: for people.
        document: the one JSON document.
        records: the lines of NDJSON and the rows of CSV; those of CSV all have the same keys.
    """
    if form == "table":
        show(table())
        return
    _reconfigure("utf-8")
    if form == "json":
        write(json.dumps(plain(document()), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    elif form == "nl":
        for record in records():
            write(_line(record) + "\n")
    else:
        _write_csv(records())
    sys.stdout.flush()


def write(text: str) -> None:
    """Write text to stdout as it is."""
    sys.stdout.write(text)


def note(text: str) -> None:
    """Write a line for people to stderr."""
    sys.stdout.flush()
    sys.stderr.write(safe(text) + "\n")
    sys.stderr.flush()


def cell(value: object) -> str:
    """A value in a table or a CSV file: text as it is, nested values as JSON."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def show(table: Table) -> None:
    """Print a table: with colour and fitted to the window on a terminal, aligned and whole elsewhere."""
    _reconfigure(None)
    console = console_for(sys.stdout)
    if not console.is_terminal:
        write("".join("  ".join(line).rstrip() + "\n" for line in _lines(table, None)))
        sys.stdout.flush()
        return
    from rich.text import Text

    for number, line in enumerate(_lines(table, console.width)):
        text = Text()
        for at, piece in enumerate(line):
            text.append("  " if at else "").append(piece, "bold" if number == 0 else "cyan" if at == 0 else None)
        text.rstrip()
        console.print(text, soft_wrap=True)


def console_for(stream: Any) -> Console:
    """A rich console that takes text as it is: no markup, no emoji codes, no guessing what a word may be."""
    from rich.console import Console

    return Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=False)


LEAST = 8
"""Columns of text are not cut below this width."""


def _lines(table: Table, width: int | None) -> Iterator[list[str]]:
    """The header and the rows as cells of equal width. With a ``width``, text that has no room is cut or folded."""
    from rich.cells import cell_len, chop_cells, set_cell_size

    rows = [[safe(text) for text in row] for row in (table.columns, *table.rows)]
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(table.columns))]
    texts = [at for at, name in enumerate(table.columns) if name not in table.numbers]
    while width is not None and sum(widths) + 2 * len(widths) - 2 > width and texts:
        widest = max(texts, key=lambda at: widths[at])
        if widths[widest] <= LEAST:
            break  # no room in which anything could be read: let the terminal wrap
        widths[widest] -= 1
    for row in rows:
        pieces: list[list[str]] = []
        for text, room in zip(row, widths, strict=True):
            if cell_len(text) <= room:
                pieces.append([text])
            elif table.fold:
                pieces.append(chop_cells(text, room))
            else:
                pieces.append([set_cell_size(text, room - 1) + "…"])
        for number in range(max(map(len, pieces), default=0)):
            line: list[str] = []
            for parts, room, name in zip(pieces, widths, table.columns, strict=True):
                text = parts[number] if number < len(parts) else ""
                space = " " * (room - cell_len(text))
                line.append(space + text if name in table.numbers else text + space)
            yield line


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(plain(record), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _write_csv(records: Iterable[Mapping[str, Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    header: list[str] | None = None
    for record in records:
        if header is None:
            header = list(record)
            writer.writerow(header)
        writer.writerow([cell(record.get(name)) for name in header])
        write(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()


def _reconfigure(encoding: str | None) -> None:
    """Output must not fail on a character that the terminal's encoding lacks; what programs read is UTF-8."""
    stream: Any = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=encoding, errors="backslashreplace")
