"""``redmodel index check`` and ``redmodel index repair``."""

from __future__ import annotations

from typing import Any

import pytest

from redmodel import Database
from redmodel.plan.check import Walk
from tests.cli.conftest import MODELS, Cli, fill
from tests.servers import RealServer


def damage(url: str) -> None:
    """Three kinds, and a key of another program."""
    with Database(url) as db:
        raw: Any = db.client
        raw.hset("cli-customers:1", "age", 70)
        raw.delete("cli-customers:2")
        raw.sadd("cli-customers@tags:a", b"\x1b[2Jghost")
        raw.set("cli-customers:cache", "x")
        raw.close()


def test_a_clean_keyspace(cli: Cli, store: str) -> None:
    said = cli("index", "check", "--url", store, *MODELS)
    assert said.code == 0
    assert any(line.split() == ["Customer.age", "10", "ok"] for line in said.lines)
    assert said.lines[-1].startswith("drift: 0 of ")


def test_drift_is_shown_and_mended(cli: Cli, store: str) -> None:
    damage(store)
    said = cli("index", "check", "Customer", "--url", store, *MODELS)
    assert said.code == 1
    assert "1 stale · 1 misplaced" in next(line for line in said.lines if line.startswith("Customer.age "))
    assert said.lines[-1].endswith("repair: redmodel index repair Customer --write")
    assert any(line.startswith("cli-customers:cache") for line in said.lines)
    assert all(character.isprintable() or character == "\n" for character in said.out)
    refused = cli("index", "repair", "Customer", "--url", store, *MODELS)
    assert refused.code == 2 and "--write" in refused.err and not refused.out
    mended = cli("index", "repair", "Customer", "--write", "--url", store, *MODELS)
    assert mended.code == 0 and mended.lines[-1].startswith("mended: ")
    assert mended.lines[:-1] == said.lines[:-1]
    assert cli("index", "check", "--url", store, *MODELS).code == 0


def test_as_json(cli: Cli, store: str) -> None:
    damage(store)
    said = cli("index", "check", "cli-customers", "--json", "--url", store, *MODELS)
    (report,) = said.json["models"]
    assert said.code == 1 and not said.json["clean"]
    assert report["model"] == "Customer" and report["cursor"] is None and report["drift"] > 5
    age = next(row for row in report["indexes"] if row["path"] == "age")
    assert {name: age[name] for name in ("kind", "ok", "stale", "missing", "misplaced")} == {
        "kind": "range", "ok": 8, "stale": 1, "missing": 0, "misplaced": 1,
    }  # fmt: skip
    assert {"fault": "misplaced", "id": "1", "key": "cli-customers@age", "found": "21"} in age["samples"]
    assert report["foreign"]["first"][0]["key"] == "cli-customers:cache"
    repaired = cli("index", "repair", "--write", "--json", "--url", store, *MODELS)
    assert repaired.code == 0 and repaired.json["models"][0]["mended"]


def test_what_a_person_must_look_at_is_no_success(cli: Cli, store: str) -> None:
    with Database(store) as db:
        raw: Any = db.client
        raw.hset("cli-customers:1", "age", "old")
        raw.close()
    said = cli("index", "repair", "--write", "--url", store, *MODELS)
    assert said.code == 1
    assert "for a person to look at" in said.lines[-1]
    assert any(line.startswith("cli-customers:1 ") and "'age'" in line for line in said.lines)


def test_ctrl_c_says_where_to_go_on(cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(store)
    went = Walk._tell

    def stop(self: Walk) -> bool:
        went(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Walk, "_tell", stop)
    said = cli("index", "repair", "--write", "--rate", "1e9", "--url", store, *MODELS)
    assert said.code == 130
    assert "--cursor 'cli-customers/" in said.lines[-1] and said.lines[-1].endswith("--write")
    monkeypatch.setattr(Walk, "_tell", went)
    cursor = said.lines[-1].partition("--cursor '")[2].partition("'")[0]
    rest = cli("index", "repair", "Customer", "--write", "--cursor", cursor, "--url", store, *MODELS)
    assert rest.code == 0
    assert cli("index", "check", "--url", store, *MODELS).code == 0


def test_wrong_usage(cli: Cli, store: str) -> None:
    assert cli("index", "check", "Nobody", "--url", store, *MODELS).code == 2
    assert cli("index", "check", "Customer", "--cursor", "x", "--url", store, *MODELS).code == 2
    assert cli("index", "check", "--rate", "0", "--url", store, *MODELS).code == 2
    two = cli("index", "check", "--cursor", "x", "--url", store, "--models", "redmodel.cli.airports")
    assert two.code == 2 and "name it" in two.err
    assert cli("index", "check", "--url", "redis://127.0.0.1:1", *MODELS).code == 3


def test_help_has_examples_and_is_on_the_page(cli: Cli) -> None:
    for name in ("check", "repair"):
        said = cli("index", name, "--help")
        assert said.code == 0 and f"  redmodel index {name}" in said.out


@pytest.mark.parametrize("which", ["redis7", "redis6"])
def test_on_a_server(cli: Cli, which: str, request: pytest.FixtureRequest) -> None:
    server: RealServer = request.getfixturevalue(which)
    server.flush()
    fill(server.unix_url)
    damage(server.unix_url)
    before = server.info("commandstats")
    assert cli("index", "check", "--url", server.unix_url, *MODELS).code == 1
    after = server.info("commandstats")
    used = {name.removeprefix("cmdstat_") for name, stat in after.items() if stat != before.get(name)}
    assert not used & {"keys", "hset", "sadd", "srem", "zrem", "zadd", "hdel", "del", "persist"}
    assert cli("index", "repair", "--write", "--url", server.unix_url, *MODELS).code == 0
    assert cli("index", "check", "--url", server.unix_url, *MODELS).code == 0
