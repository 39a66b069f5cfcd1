"""``redmodel demo``: the whole tour, on a store on disk and on a server."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from redmodel import Database
from redmodel.cli import demo_steps
from redmodel.cli.airports import Airport, Visit
from tests.cli.conftest import Cli
from tests.servers import RealServer

pytest.importorskip("airportsdata")
STEPS = [
    demo_steps.save_all, demo_steps.get_one, demo_steps.sorted_page, demo_steps.either_or,
    demo_steps.refused, demo_steps.vanishing,
]  # fmt: skip


def check(out: str) -> None:
    """What every tour shows."""
    assert "name=London Heathrow Airport" in out
    assert "LSZS  Samedan Airport" in out
    assert "34 in all" in out
    assert "35 in all" in out
    assert "UniqueViolation: Airport.iata must be unique: 'LHR' belongs to Airport 'EGLL'" in out
    assert "before: 1, after: 0" in out
    assert "airports:*                 28,298" in out
    assert "It was not refused" not in out
    assert "\x1b" not in out


def test_on_disk_and_again(cli: Cli) -> None:
    first = cli("demo")
    assert first.code == 0, first.err
    check(first.out)
    assert ": it is empty" in first.out
    assert "28,298 saved" in first.out
    for step in STEPS:
        for line in demo_steps.source_of(step).splitlines():
            assert line in first.out
    assert "def " not in first.out
    assert "noqa" not in first.out

    again = cli("demo", "--dir", "redmodel-data")
    assert again.code == 0
    check(again.out)
    assert "28,298 airports are there from an earlier run" in again.out
    assert " saved" not in again.out

    assert cli("count", "Airport", "country=IS").out == "79\n"
    found = cli("find", "Airport", "country=IS", "--order", "-elevation", "-n", "2", "--json").json
    assert [item["icao"] for item in found["items"]] == ["BIND", "BIKE"]
    shown = cli("show", "airports:EGLL", "--json").json
    assert shown["decoded"]
    assert shown["value"]["iata"] == {
        "type": "str | None",
        "value": "LHR",
        "index": "airports@iata [LHR]",
    }


def test_on_a_server(cli: Cli, redis7: RealServer) -> None:
    redis7.flush()
    said = cli("demo", "--url", redis7.unix_url)
    assert said.code == 0, said.err
    check(said.out)
    with Database(redis7.unix_url) as db:
        assert db.count(Airport) == 28_298
        assert db.count(Airport, Airport.iata.is_null()) == 20_414
        assert db.count(Visit) == 0
    redis7.flush()


def test_an_interrupted_load_is_finished(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from redmodel.cli import airports, demo

    rows = airports.load()[:2500]
    monkeypatch.setattr(demo, "load", lambda: rows[:1200])
    monkeypatch.setattr(demo, "_ask", lambda *_: None)
    assert cli("demo", "--dir", "d").code == 0
    monkeypatch.setattr(demo, "load", lambda: rows)
    said = cli("demo", "--dir", "d")
    assert "1,200 airports are there" in said.out
    assert "2,500 saved" in said.out
    assert cli("count", "Airport", "--url", "embedded://d").out == "2500\n"


def test_without_its_data(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airportsdata", None)
    said = cli("demo")
    assert said.code == 2
    assert said.err == "redmodel: the demo needs its data: pip install 'redmodel[demo]'\n"
    assert said.out == ""
    assert not Path("redmodel-data").exists()
    assert cli("demo", "--url", "memory://", "--dir", "x").code == 2


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_what_is_shown_is_what_is_run(step: Any) -> None:
    scope: dict[str, Any] = {**vars(demo_steps), "time": time}
    with Database("memory://") as db:
        names = ("EGLL", "LSZS")
        records = [
            Airport.model_validate(
                {
                    "icao": name, "iata": "LHR" if name == "EGLL" else None, "name": name, "city": "", "country": "CH",
                    "subdivision": "", "elevation": 2000, "position": {"lat": 0, "lon": 0}, "tz": "UTC",
                }
            )
            for name in names
        ]  # fmt: skip
        db.save_many(records)
        *before, last = demo_steps.source_of(step).splitlines()
        scope |= {"db": db, "airports": records}
        exec("\n".join([*before, f"shown = {last}"]), scope)
        assert repr(scope["shown"]) == repr(step(*([db, records] if step is demo_steps.save_all else [db])))
