"""Runs the command line in this process, on an embedded store with some customers and some hostile keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from redmodel import Database
from redmodel.cli import main
from tests.cli.shop import Address, Customer, Size

HOSTILE = [
    b"evil:\x1b]0;title\x07",
    b"evil:\xff\xfe",
    "evil:‮gpj.exe".encode(),
    b"evil:back\\slash",
    b"evil:[red]markup[/red] :smile:",
    b"evil:two\nlines\r",
    b"evil:\xc2\x9b2J",
    b"*?[a",
]


class Said(NamedTuple):
    """What a run gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Cli = Callable[..., Said]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run ``redmodel`` with these arguments, in an empty working directory and without settings around it."""
    for name in ("REDMODEL_URL", "REDMODEL_MODELS", "REDMODEL_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "cwd"
    home.mkdir()
    monkeypatch.chdir(home)

    def run(*args: str) -> Said:
        capsys.readouterr()
        code = main(args)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Said(code, out, err)

    return run


def customer(number: int, **changes: Any) -> Customer:
    fields: dict[str, Any] = {
        "number": number,
        "email": f"c{number}@example.org",
        "age": 20 + number,
        "vip": number % 2 == 0,
        "size": Size.LARGE if number % 3 == 0 else Size.SMALL,
        "nickname": None if number % 4 else "null",
        "tags": ["a", "b"][: number % 3],
        "joined": datetime(2026, 1, 1 + number, tzinfo=UTC),
        "address": Address(street=f"{number} A St", city="Oslo" if number < 5 else "Washington, DC"),
    }
    return Customer.model_validate(fields | changes)


def fill(url: str) -> None:
    """Ten customers, the hostile keys, and a key of each type."""
    with Database(url) as db:
        db.save_many(customer(n) for n in range(1, 11))
        client: Any = db.client
        for key in HOSTILE:
            client.set(key, key)
        client.set("cache:page:1", "x", px=100_000)
        client.set("cache:page:2", "x", px=200_000)
        client.hset("plain:hash", mapping={b"f\x1b": b"\xff", b"n": b""})
        client.sadd("plain:set", "b", "a")
        client.zadd("plain:zset", {"one": 1, "half": 0.5})
        client.close()


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of an embedded store with data."""
    url = f"embedded://{tmp_path / 'store'}"
    fill(url)
    return url


MODELS = ("--models", "tests.cli.shop")
