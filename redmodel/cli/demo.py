"""``redmodel demo``: a tour on real data. Each step shows its code, what came of it and how long it took."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from redmodel.cli import demo_steps as steps
from redmodel.cli import settings, tree
from redmodel.cli.airports import Airport, Position, Visit, airports, load
from redmodel.cli.faults import INTERRUPTED, Refused
from redmodel.cli.output import Table, cell, console_for, show, write
from redmodel.cli.records import dump
from redmodel.cli.spelling import safe, took
from redmodel.database.database import Database
from redmodel.database.url import DEFAULT_DIRECTORY, parse
from redmodel.plan.find import Page
from redmodel.survey.taking import Survey

R = TypeVar("R")


class Tour:
    """Writes the steps and remembers what each took."""

    def __init__(self) -> None:
        self.times: list[tuple[str, float]] = []
        self._console = console_for(sys.stdout)

    def title(self, text: str) -> None:
        """Begin a step."""
        self.heading(f"{len(self.times) + 1}. {text}")

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._styled(f"\n{text}\n", "bold")

    def code(self, text: str, prompt: str = "    ") -> None:
        """Show the code of a step."""
        self._styled("".join((prompt + line).rstrip() + "\n" for line in text.split("\n")), "green")

    def say(self, text: str) -> None:
        """Write a line of result."""
        write(f"{safe(text)}\n")
        sys.stdout.flush()

    def timed(self, name: str, body: Callable[[], R]) -> R:
        """Run a step and note what it took."""
        began = time.perf_counter()
        result = body()
        self.times.append((name, time.perf_counter() - began))
        return result

    def step(self, title: str, function: Callable[[Database], R], db: Database) -> R:
        """Show a step's code, run it, and say what it took."""
        self.title(title)
        self.code(steps.source_of(function))
        return self.timed(title, lambda: function(db))

    def took(self, remark: str = "") -> None:
        """Say what the step took that ran last."""
        self._styled(f"-> {took(self.times[-1][1])}{remark}\n", "dim")

    def _styled(self, text: str, style: str) -> None:
        sys.stdout.flush()
        if self._console.is_terminal:
            from rich.text import Text

            self._console.print(Text(text, style=style), end="", soft_wrap=True)
        else:
            write(text)
        sys.stdout.flush()


def demo(url: str | None, directory: str | None) -> int:
    """Run the tour on an embedded store or a server."""
    if url is not None and directory is not None:
        raise Refused("--url and --dir exclude each other")
    url = url or f"embedded://{quote(directory or DEFAULT_DIRECTORY, safe='/~.')}"
    target = parse(url)
    rows = load()
    tour = Tour()
    tour.heading("What an airport is")
    tour.code("import time\nfrom datetime import timedelta\n\nfrom pydantic import BaseModel")
    tour.code("from redmodel import Database, Field, Indexed, Key, Model, Unique, UniqueViolation\n")
    tour.code(steps.declaration_of(Position, Airport, Visit))
    tour.title("Open it")
    tour.code(f'db = Database("{target}")')
    db = tour.timed("Open it", lambda: _open(url))
    with db:
        held = db.count(Airport)
        if held:
            tour.took(f": {held:,} airports are there from an earlier run")
        else:
            tour.took(": it is empty")
        _fill(tour, db, rows, held)
        _ask(tour, db)
        code = _look(tour, url)
        _sum_up(tour, str(target), target.kind == "embedded" and target.path)
    return code


def _open(url: str) -> Database:
    db = Database(url, retry_seconds=settings.patience(url))
    try:
        db.count(Airport)  # a server is met at the first use
    except BaseException:
        db.close()
        raise
    return db


def _fill(tour: Tour, db: Database, rows: list[dict[str, Any]], held: int) -> None:
    if held == len(rows):
        return
    title = f"Save {len(rows):,} airports"
    tour.title(title)
    tour.code(steps.source_of(steps.save_all))
    with tree.progress("save", "airports") as advance:
        records = _counted(airports(rows), lambda done: advance(done, len(rows)))
        saved = tour.timed(title, lambda: steps.save_all(db, records))
    tour.took(f": {saved:,} saved, each with its index entries: {saved / tour.times[-1][1]:,.0f} a second")


def _counted(records: Iterable[Airport], tell: Callable[[int], None]) -> Iterator[Airport]:
    done = 0
    for done, record in enumerate(records, 1):
        if done % 500 == 0:
            tell(done)
        yield record
    tell(done)


def _ask(tour: Tour, db: Database) -> None:
    found = tour.step("Get one by its id", steps.get_one, db)
    tour.say(", ".join(f"{name}={cell(value)}" for name, value in dump(found).items()))
    tour.took()

    page = tour.step("Equality and a range, sorted, one page with its total", steps.sorted_page, db)
    _records(page, ("icao", "name", "city", "elevation"))
    tour.took(f": page {page.number} of {page.pages}, {page.total} in all")

    page = tour.step("Any of several conditions", steps.either_or, db)
    _records(page, ("iata", "name", "city", "country"))
    tour.took(f": page {page.number} of {page.pages}, {page.total} in all")

    error = tour.step("A unique value that is taken", steps.refused, db)
    tour.say(f"UniqueViolation: {error}" if error is not None else "It was not refused!")
    tour.took()

    before, after = tour.step("A record whose time is over is in no count", steps.vanishing, db)
    tour.say(f"before: {before}, after: {after}")
    tour.took(", of which 250 ms asleep")


def _records(page: Page[Airport], fields: tuple[str, ...]) -> None:
    table = Table(fields, numbers=frozenset({"elevation"}))
    for record in page.items:
        values = dump(record)
        table.add(*(cell(values[name]) for name in fields))
    show(table)


def _look(tour: Tour, url: str) -> int:
    title = "The keyspace as a tree"
    tour.title(title)
    tour.code(f"redmodel tree --url {parse(url)}", "    $ ")
    survey = Survey()
    backend = settings.open_for_looking(url)
    try:
        code = tour.timed(title, lambda: tree.take(survey, backend.executor, None))
    finally:
        backend.close()
    report = survey.report(depth=2)
    show(tree.table_of(report))
    tour.took(f": {tree.covered(report, tour.times[-1][1], stopped=code == INTERRUPTED)}")
    return code


def _sum_up(tour: Tour, url: str, directory: str | bool) -> None:
    tour.say("")
    table = Table(("step", "took"), numbers=frozenset({"took"}))
    for name, seconds in tour.times:
        table.add(name, took(seconds))
    show(table)
    if directory:
        size = sum(file.stat().st_size for file in Path(str(directory)).rglob("*") if file.is_file())
        tour.say("")
        tour.say(f"The data stays in {directory} ({size / 1e6:.1f} MB). Run the demo again, and it is found there.")
    else:
        tour.say("")
        tour.say("The data stays there, in keys that begin with airports and visits.")
    default = directory and os.path.normpath(str(directory)) == os.path.normpath(DEFAULT_DIRECTORY)
    option = "" if default else f" --url {url}"
    tour.say(f"Look into it:  redmodel find Airport country=IS --order -elevation{option}")
    tour.say(f"               redmodel show airports:EGLL{option}")
