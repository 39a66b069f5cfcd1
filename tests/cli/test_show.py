"""``redmodel show``: records, keys of any type, hostile and binary names."""

from __future__ import annotations

import pytest

from redmodel.cli.spelling import read_key, spell_key
from tests.cli.conftest import HOSTILE, MODELS, Cli


def test_a_record_with_its_places_in_the_indexes(cli: Cli, store: str) -> None:
    said = cli("show", "cli-customers:8", "--url", store, *MODELS, "--json").json
    assert said["model"] == "Customer"
    assert said["decoded"] is True
    assert said["type"] == "hash"
    value = said["value"]
    assert value["number"] == {"type": "int", "value": 8, "index": "id"}
    assert value["email"]["index"] == "cli-customers@email [c8@example.org]"
    assert value["age"] == {"type": "int", "value": 28, "index": "cli-customers@age at 28"}
    assert value["tags"]["index"] == "cli-customers@tags:a, cli-customers@tags:b"
    assert value["address"]["value"]["city"] == "Washington, DC"
    assert value["address"]["index"] == "cli-customers@address.city:Washington, DC"
    assert value["rate"] == {"type": "float", "value": 0.5, "index": ""}
    table = cli("show", "cli-customers:8", "--url", store, *MODELS)
    assert table.lines[0].split() == ["field", "type", "value", "index"]
    assert "cli-customers:8 · hash" in table.err
    assert "ttl —" in table.err


def test_none_and_empty_look_different(cli: Cli, store: str) -> None:
    lines = {line.split()[0]: line for line in cli("show", "cli-customers:1", "--url", store, *MODELS).lines}
    assert " null " in lines["nickname"]
    assert '""' in lines["photo"]
    assert "cli-customers@nickname:~null" in lines["nickname"]


def test_a_record_whose_model_is_not_known(cli: Cli, store: str) -> None:
    said = cli("show", "cli-customers:8", "--url", store)
    assert said.code == 0
    assert "range of int" in said.out
    assert "--models" in said.err
    document = cli("show", "cli-customers:8", "--url", store, "--json").json
    assert document["value"]["age"] == "28"
    assert document["model"] == "Customer"
    assert not document["decoded"]


def test_index_keys_say_what_they_are(cli: Cli, store: str) -> None:
    said = cli("show", "cli-customers@age", "--url", store, "-n", "2")
    assert said.lines[1].split() == ["1", "21"]
    assert "index of Customer.age" in said.err
    assert "the first 2 of 10 members" in said.err
    assert "bookkeeping of Customer" in cli("show", "cli-customers@ids", "--url", store).err
    said = cli("show", "cli-customers@ids", "--url", store, "--json").json
    assert said["index_of"] == "Customer"
    assert len(said["value"]) == 10
    assert said["whole"]


def test_other_types(cli: Cli, store: str) -> None:
    assert cli("show", "plain:set", "--url", store, "--json").json["value"] == ["a", "b"]
    zset = cli("show", "plain:zset", "--url", store, "--json").json
    assert zset["value"] == [{"member": "half", "score": 0.5}, {"member": "one", "score": 1}]
    assert cli("show", "plain:hash", "--url", store, "--json").json["value"] == {"f\x1b": "\\xff", "n": ""}
    page = cli("show", "cache:page:1", "--url", store, "--json").json
    assert page["value"] == "x"
    assert 0 < page["ttl_ms"] <= 100_000
    assert page["length"] == 1


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_are_spelled_safely_and_read_back(cli: Cli, store: str, key: bytes) -> None:
    spelled = spell_key(key)
    assert read_key(spelled) == key
    assert spelled.isprintable()
    said = cli("show", spelled, "--url", store)
    assert said.code == 0
    assert all(character.isprintable() or character == "\n" for character in said.out + said.err)
    assert cli("show", spelled, "--url", store, "--json").json["key"] == spelled


def test_no_such_key(cli: Cli, store: str) -> None:
    said = cli("show", "users:\x1b[2J", "--url", store)
    assert said.code == 2
    assert said.err == "redmodel: there is no key users:\\x1b[2J\n"
    assert said.out == ""


def test_a_record_that_is_no_record_of_the_model(cli: Cli, store: str) -> None:
    from redmodel import Database

    with Database(store) as db:
        client = db.client
        client.hset("cli-customers:99", mapping={"number": "99", "age": "old"})
        client.set("cli-customers:98", "text")
        client.close()
    said = cli("show", "cli-customers:99", "--url", store, *MODELS)
    assert said.code == 1
    assert "cli-customers:99" in said.err
    assert "old" in said.out
    assert cli("show", "cli-customers:98", "--url", store, *MODELS, "--json").json["value"] == "text"
