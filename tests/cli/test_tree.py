"""``redmodel tree``."""

from __future__ import annotations

import csv
import io
import json

import pytest

from redmodel.survey.census import Census
from tests.cli.conftest import HOSTILE, Cli, fill
from tests.servers import RealServer


def test_groups_models_and_times_to_live(cli: Cli, store: str) -> None:
    said = cli("tree", "--json", "--url", store).json
    groups = {group["pattern"]: group for group in said["groups"]}
    assert said["complete"]
    assert said["keys"] == said["total"]
    assert groups["cli-customers:*"] | {"bytes": 0} == {
        "pattern": "cli-customers:*", "depth": 1, "keys": 10, "bytes": 0, "types": {"hash": 10}, "ttl_median_ms": None,
        "without_ttl": 1.0, "model": "Customer", "indexes": False,
    }  # fmt: skip
    assert groups["cli-customers@*"]["indexes"]
    assert groups["cli-customers@*"]["model"] == "Customer"
    assert groups["cli-customers@address.city:*"]["keys"] == 2
    pages = groups["cache:page:*"]
    assert pages["keys"] == 2
    assert pages["without_ttl"] == 0
    assert 0 < pages["ttl_median_ms"] <= 100_000
    (schema,) = said["schemas"]
    assert schema["model"] == "Customer"
    assert {"path": "age", "kind": "range", "type": "int", "many": False} in schema["indexes"]


def test_as_a_table(cli: Cli, store: str) -> None:
    said = cli("tree", "--url", store)
    assert said.code == 0
    first = said.lines[0].split()
    assert first[:3] == ["prefix", "keys", "bytes"]
    assert any(line.startswith("cli-customers@* ") and line.endswith("indexes of Customer") for line in said.lines)
    assert any("└─ cache:page:*" in line for line in said.lines)
    assert any(line.endswith("index of Customer.address.city") for line in said.lines)
    assert "keys in" in said.err
    assert all(character.isprintable() or character == "\n" for character in said.out)
    assert not [line for line in cli("tree", "--depth", "1", "--url", store).lines if "─ " in line]


def test_lines_and_csv(cli: Cli, store: str) -> None:
    rows = [json.loads(line) for line in cli("tree", "--nl", "--url", store).lines]
    table = list(csv.DictReader(io.StringIO(cli("tree", "--csv", "--url", store).out)))
    assert [row["pattern"] for row in rows] == [row["pattern"] for row in table]


def test_a_sample_says_that_it_is_one(cli: Cli, store: str) -> None:
    said = cli("tree", "--sample", "5", "--json", "--url", store)
    assert said.json["keys"] == 5
    assert not said.json["complete"]
    assert said.json["total"] > 30
    assert "sampled" in said.err
    assert "--all" in said.err


def test_ctrl_c_shows_what_was_counted(cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add = Census.add

    def stop(self: Census, rows: object) -> None:
        add(self, rows[:7])  # type: ignore[index]
        raise KeyboardInterrupt

    monkeypatch.setattr(Census, "add", stop)
    said = cli("tree", "--json", "--url", store)
    assert said.code == 130
    assert said.json["keys"] == 7
    assert not said.json["complete"]
    assert "stopped" in said.err


@pytest.mark.parametrize("which", ["redis7", "redis6"])
def test_on_a_server_with_bytes(cli: Cli, which: str, request: pytest.FixtureRequest) -> None:
    server: RealServer = request.getfixturevalue(which)
    server.flush()
    fill(server.unix_url)
    before = server.info("commandstats")
    said = cli("tree", "--json", "--url", server.unix_url).json
    after = server.info("commandstats")
    assert said["bytes"] > 1000
    assert all(group["bytes"] > 0 for group in said["groups"])
    assert {g["pattern"] for g in said["groups"]} >= {"cli-customers:*", "cache:*"}
    used = {name for name, stat in after.items() if stat != before.get(name)}
    assert not any("keys" in name for name in used), used
    written = ("hset", "set", "del", "sadd", "zadd", "evalsha", "eval", "expire")
    assert not [name for name in used if name.removeprefix("cmdstat_") in written]
    assert len(HOSTILE) == next(g["keys"] for g in said["groups"] if g["pattern"] == "evil:*") + 1


def test_an_empty_keyspace(cli: Cli, redis7: RealServer) -> None:
    redis7.flush()
    said = cli("tree", "--url", redis7.unix_url)
    assert said.code == 0
    assert "0 of 0 keys" in said.err
    assert cli("tree", "--json", "--url", redis7.unix_url).json["groups"] == []
