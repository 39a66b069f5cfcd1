"""The plans that look at a keyspace: against hand-written replies, the engine and real servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from redmodel import Database, Indexed, Key, Model
from redmodel.database.driver import run
from redmodel.errors import ReplyError
from redmodel.plan.core import Batch
from redmodel.plan.scan import KeyRow, Schemas, look, read_schema, record_at, walk
from redmodel.survey.taking import Survey


class Fish(Model, prefix="scan:fish"):
    name: Key[str]
    depth: Indexed[float]


@pytest.fixture(params=["memory", "redis7", "redis6"])
def db(request: pytest.FixtureRequest) -> Iterator[Database]:
    url = "memory://"
    if request.param != "memory":
        server = request.getfixturevalue(request.param)
        server.flush()
        url = server.unix_url
    with Database(url) as handle:
        yield handle


def names(batch: Batch) -> list[bytes]:
    return [command.args[0] for command in batch.commands]  # type: ignore[misc]


def test_probes_travel_with_the_next_step() -> None:
    seen: list[KeyRow] = []

    def take(rows: Sequence[KeyRow]) -> bool:
        seen.extend(rows)
        return True

    plan = walk(take, Schemas())
    assert names(next(plan)) == [b"SCAN"]
    batch = plan.send([[b"17", [b"users:1", b"users@ids", b"gone"]]])
    assert names(batch) == [b"HMGET", b"TYPE", b"PTTL", b"MEMORY"] + [b"TYPE", b"PTTL", b"MEMORY"] * 2 + [b"SCAN"]
    assert batch.commands[0].args[:2] == (b"HMGET", b"users@schema")
    assert batch.commands[-1].args[1] == b"17"
    schema = [b"1", b"User", b"f", b"[]"]
    refused = ReplyError("ERR unknown command 'MEMORY'")
    batch = plan.send(
        [schema, b"hash", -1, refused, b"set", -1, refused, b"none", -2, refused, [b"0", [b"users:1", b"users:2"]]]
    )
    assert [(row.key, row.memory, row.ttl_ms, row.prefix, row.side) for row in seen] == [
        (b"users:1", None, None, b"users", False),
        (b"users@ids", None, None, b"users", True),
    ]
    assert names(batch) == [b"TYPE", b"PTTL"], "a key is probed once, and a server without MEMORY is not asked again"
    with pytest.raises(StopIteration) as stop:
        plan.send([b"hash", 5])
    assert stop.value.value is True
    assert seen[-1] == KeyRow(b"users:2", "hash", None, 5, b"users", False)


def test_a_walk_gives_every_key_once(db: Database) -> None:
    db.save_many(Fish(name=f"f{n}", depth=n) for n in range(1200))
    seen: list[KeyRow] = []
    schemas = Schemas()
    before = db._executor.round_trips  # type: ignore[attr-defined]
    assert run(walk(lambda rows: seen.extend(rows) or True, schemas), db._executor) is True  # type: ignore[func-returns-value]
    trips = db._executor.round_trips - before  # type: ignore[attr-defined]
    keys = [row.key for row in seen]
    assert len(keys) == len(set(keys)) == 1200 + 4
    assert trips <= 6
    assert all(row.prefix == b"scan:fish" for row in seen)
    assert {row.key for row in seen if row.side} == {
        b"scan:fish@ids", b"scan:fish@log", b"scan:fish@depth", b"scan:fish@schema",
    }  # fmt: skip
    assert schemas.found[b"scan:fish"].model == "Fish"


def test_a_sample_ends_early(db: Database) -> None:
    db.save_many(Fish(name=f"f{n}", depth=n) for n in range(1200))
    survey = Survey()
    told: list[tuple[int, int]] = []
    run(survey.take(sample=300, progress=lambda done, total: told.append((done, total))), db._executor)
    assert survey.report().keys == 300
    assert survey.report().total == 1204
    assert not survey.report().complete
    assert told[-1] == (300, 1204)
    survey = Survey()
    run(survey.take(sample=5000), db._executor)
    assert survey.report().keys == 1204
    assert survey.report().complete


def test_looking_at_keys(db: Database) -> None:
    db.save(Fish(name="a@b:c", depth=3))
    client: Any = db.client
    if "memory" in repr(db):
        client.set("list", "xyz")  # lists come later
    else:
        client.rpush("list", "x", "y", "z")
    client.close()
    found = run(look(b"scan:fish:a@b:c", Schemas()), db._executor)
    assert found is not None
    assert found.row.prefix == b"scan:fish"
    assert not found.row.side
    assert found.value == {b"name": b"a@b:c", b"depth": b"3.0"}
    assert found.whole
    assert run(record_at(Fish.__redmodel_schema__, found.row.key), db._executor) == Fish(name="a@b:c", depth=3)  # type: ignore[arg-type]
    index = run(look(b"scan:fish@depth", Schemas()), db._executor)
    assert index is not None
    assert index.row.side
    assert index.value == [(b"a@b:c", 3.0)]
    assert run(look(b"nothing", Schemas()), db._executor) is None
    listed = run(look(b"list", Schemas(), 2), db._executor)
    assert listed is not None
    assert listed.length == 3


def test_ids_are_not_asked_for_schemas_for_ever() -> None:
    schemas = Schemas()
    asked = schemas.suspects([b"session:%d:data" % n for n in range(10_000)])
    assert len(asked) < 200
    assert asked[0] == b"session"
    assert schemas.suspects([b"late@schema"]) == [b"late"]


def test_what_is_no_schema() -> None:
    assert read_schema(b"t", [None] * 4) is None
    assert read_schema(b"t", [b"1", None, b"f", b"[]"]) is None
    for text in (b"no json", b"{}", b"[1,2]", b"[" * 100_000, b"\xff"):
        row = read_schema(b"t", [b"1", b"\x1b\xff", None, text])
        assert row is not None
        assert row.indexes == ()
    schemas = Schemas()
    schemas.learn(b"t", ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value"))
    assert schemas.found == {}
    assert schemas.owner(b"t:1") == (None, False)


def test_refusals_are_raised() -> None:
    plan = walk(lambda rows: True, Schemas())
    next(plan)
    with pytest.raises(ReplyError):
        plan.send([ReplyError("NOPERM no scan for you")])


def test_large_hashes_and_sets_are_read_in_part(db: Database) -> None:
    client: Any = db.client
    client.sadd("set", *(f"member {n}" for n in range(1000)))
    client.hset("hash", mapping={f"f{n}": n for n in range(1000)})
    client.srem("set", *(f"member {n}" for n in range(900)))
    client.hdel("hash", *(f"f{n}" for n in range(900)))
    client.close()
    for key in (b"set", b"hash"):
        for most in (1, 30, 99, 100, 500):
            found = run(look(key, Schemas(), most), db._executor)
            assert found is not None
            assert (found.length, len(found.value), found.whole) == (100, min(most, 100), most >= 100)
