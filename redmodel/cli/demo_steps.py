"""The steps of ``redmodel demo``: what stands in these functions is both run and shown."""

from __future__ import annotations

import ast
import inspect
import textwrap
import time
from collections.abc import Callable, Iterable
from typing import Any

from redmodel.cli.airports import Airport, Position, Visit
from redmodel.database.database import Database
from redmodel.errors import UniqueViolation
from redmodel.plan.find import Page


def save_all(db: Database, airports: Iterable[Airport]) -> int:
    return db.save_many(airports)


def get_one(db: Database) -> Airport:
    return db.get(Airport, "EGLL")


def sorted_page(db: Database) -> Page[Airport]:
    high = db.find(Airport, Airport.country == "CH", Airport.elevation >= 1500)
    return high.order_by(-Airport.elevation).page(1, size=5)


def either_or(db: Database) -> Page[Airport]:
    nordic = Airport.country.in_(["IS", "FO"]) | (Airport.city == "Tromsø")
    return db.find(Airport, nordic & (Airport.iata != None)).order_by(Airport.iata).page(1, size=5)  # noqa: E711


def refused(db: Database) -> UniqueViolation | None:
    impostor = Airport(
        icao="ZZZZ", iata="LHR", name="Not Heathrow", city="Nowhere", country="ZZ",
        subdivision="", elevation=0, position=Position(lat=0, lon=0), tz="UTC",
    )  # fmt: skip
    refusal = None
    try:
        db.save(impostor)
    except UniqueViolation as error:
        refusal = error
    return refusal


def vanishing(db: Database) -> tuple[int, int]:
    db.save(Visit(airport="BIKF", guest="Ada"), ttl=0.2)
    before = db.count(Visit, Visit.airport == "BIKF")
    time.sleep(0.25)
    after = db.count(Visit, Visit.airport == "BIKF")
    return before, after


def declaration_of(*classes: type) -> str:
    """The models as they are declared, without their descriptions."""
    shown: list[str] = []
    for cls in classes:
        text = inspect.getsource(cls)
        node = ast.parse(text).body[0]
        assert isinstance(node, ast.ClassDef)
        lines = text.splitlines()
        shown += ["", *lines[: node.body[0].lineno - 1], *lines[node.body[1].lineno - 1 :]]
    return "\n".join(shown[1:])


def source_of(step: Callable[..., Any]) -> str:
    """The body of a step as a user would type it: without the function around it, its ``return`` and lint comments."""
    text = textwrap.dedent(inspect.getsource(step))
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    lines = textwrap.dedent("\n".join(text.splitlines()[function.body[0].lineno - 1 :])).splitlines()
    shown: list[str] = []
    for line in lines:
        line = line.partition("  # noqa")[0].partition("  # fmt")[0]
        shown.append(line.removeprefix("return "))
    return "\n".join(shown)
