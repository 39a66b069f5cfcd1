"""``redmodel status`` and ``redmodel migrate``, and ``show`` of a record that its model can't read."""

from __future__ import annotations

from typing import Any

from redmodel import Database
from tests.cli.conftest import MODELS, Cli


def forget(url: str) -> None:
    """As if the index on age were new."""
    with Database(url) as db:
        raw: Any = db.client
        raw.hdel("cli-customers@schema", "index:age", "revision", *[
            name for name in raw.hkeys("cli-customers@schema") if name.startswith(b"writer:")
        ])  # fmt: skip
        raw.delete("cli-customers@age")
        raw.close()


def test_nothing_to_do(cli: Cli, store: str) -> None:
    said = cli("status", "--url", store, *MODELS)
    assert said.code == 0 and any(line.split()[:2] == ["Customer", "age"] for line in said.lines)
    assert cli("status", "Customer", "--json", "--url", store, *MODELS).json["current"] is True


def test_a_new_index_is_shown_and_built(cli: Cli, store: str) -> None:
    forget(store)
    said = cli("status", "Customer", "--url", store, *MODELS)
    assert said.code == 1 and "redmodel migrate --write" in said.err
    assert next(line for line in said.lines if " age " in line).split()[-2] == "new"
    asked = cli("find", "Customer", "age>=0", "--url", store, *MODELS)
    assert asked.code == 2 and "db.sync(Customer)" in asked.err and "redmodel migrate" in asked.err
    refused = cli("migrate", "Customer", "--url", store, *MODELS)
    assert refused.code == 2 and "--write" in refused.err and not refused.out
    done = cli("migrate", "Customer", "--write", "--url", store, *MODELS)
    assert done.code == 0 and done.lines[-1] == "Customer: ready" and "built: age" in done.lines
    assert cli("status", "Customer", "--url", store, *MODELS).code == 0
    again = cli("migrate", "Customer", "--write", "--json", "--url", store, *MODELS)
    assert again.code == 0 and again.json["ready"] and again.json["models"][0]["built"] == []


def test_a_record_that_cannot_be_read_is_shown_as_it_is_stored(cli: Cli, store: str) -> None:
    with Database(store) as db:
        raw: Any = db.client
        raw.hset("cli-customers:1", "age", "very \x1b[2Jold")
        raw.close()
    said = cli("show", "cli-customers:1", "--url", store, *MODELS)
    assert said.code == 1 and "'age' can't be read as Customer" in said.err and "as stored" in said.err
    assert any(line.split()[0] == "age" and "old" in line for line in said.lines) and "\x1b" not in said.out + said.err
    shown = cli("show", "cli-customers:1", "--json", "--url", store, *MODELS).json
    assert shown["error"]["field"] == "age" and not shown["decoded"] and "old" in shown["value"]["age"]
