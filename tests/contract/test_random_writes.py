"""Every verb that writes one record, in random order by two handles, against a model of it in Python."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from redmodel import Field, Indexed, Model, Unique
from redmodel.errors import AlreadyExists, EncodingError, NotFound, StaleWrite, UniqueViolation

IDS = ["1", "2", "a:b", "{x}", "é*?"]


class Desk(Model, prefix="random-desks", unique_together=[("room", "place")]):
    id: str
    code: Unique[str | None] = Field(default=None)
    room: Indexed[str] = Field(default="r")
    place: int | None = None
    load: Indexed[int] = Field(default=0, ge=-3, le=9)
    tags: Indexed[list[str]] = Field(default_factory=list, max_length=4)
    marks: Indexed[set[int]] = Field(default_factory=set)
    facts: dict[str, int] = Field(default_factory=dict)
    note: str | None = None


class Safe(Desk, prefix="random-safes", versioned=True):
    """The same with versions."""


VERBS = [
    "new",
    "only new",
    "loaded",
    "update",
    "hand",
    "increment",
    "append",
    "prepend",
    "add",
    "discard",
    "mark",
    "put",
    "drop",
    "upsert",
    "replace",
    "modify",
    "delete",
    "many",
    "hold",
    "touch",
]
REFUSALS = (AlreadyExists, EncodingError, NotFound, StaleWrite, UniqueViolation)


def some(rng: random.Random) -> dict[str, Any]:
    """Some values for some fields."""
    fields = {
        "code": rng.choice([None, "x", "y", "z", "w"]),
        "room": rng.choice(["r", "s", "t,"]),
        "place": rng.choice([None, None, 1, 2]),
        "load": rng.randrange(10),
        "tags": rng.choices(["a", "b", 'c"]'], k=rng.randrange(3)),
        "marks": set(rng.choices(range(4), k=rng.randrange(3))),
        "facts": {rng.choice("kl"): rng.randrange(3)},
        "note": rng.choice([None, "", "n"]),
    }
    return {name: fields[name] for name in rng.sample(list(fields), rng.randrange(1, 5))}


class Oracle:
    """What should be stored, by id."""

    def __init__(self, model: type[Any]) -> None:
        self.model = model
        self.records: dict[str, Any] = {}

    def put(self, id: str, **changes: Any) -> None:
        """Store a record: a refusal has left it out before."""
        kept = self.records.get(id)
        values = {} if kept is None else kept.model_dump()
        self.records[id] = self.model(**{**values, "id": id, **changes})


def step(rng: random.Random, db: Any, oracle: Oracle, held: dict[str, Any]) -> None:
    """One verb; what it refuses must have changed nothing."""
    model, id = oracle.model, rng.choice(IDS)
    stored = oracle.records.get(id)
    changes = some(rng)
    match rng.choice(VERBS):
        case "new":
            db.save(model(id=id, **changes))
            oracle.records[id] = model(id=id, **changes)
        case "only new":
            assert db.save(model(id=id, **changes), only_if="new")
            oracle.records[id] = model(id=id, **changes)
        case "loaded" if id in held:
            record = held[id]
            before = record.model_dump()
            for name, value in changes.items():
                setattr(record, name, value)
            mine = {name: value for name, value in changes.items() if value != before[name]}
            try:
                db.save(record)
            except REFUSALS:
                del held[id]
                raise
            if stored is None:
                oracle.records[id] = record.model_copy(deep=True)
            else:
                oracle.put(id, **mine)
            del held[id]
        case "update":
            db.update(model, id, **changes)
            oracle.put(id, **changes)
        case "hand" if id in held:
            db.update(held[id], **changes)
            oracle.put(id, **changes)
        case "increment":
            amount = rng.randrange(-4, 5)
            assert db.increment(model, id, load=amount) == stored.load + amount
            oracle.put(id, load=stored.load + amount)
        case "append":
            db.append(model, id, tags="b")
            oracle.put(id, tags=[*stored.tags, "b"])
        case "prepend":
            db.prepend(model, id, tags='c"]')
            oracle.put(id, tags=['c"]', *stored.tags])
        case "add":
            assert db.add(model, id, tags="a") is ("a" not in stored.tags)
            oracle.put(id, tags=stored.tags if "a" in stored.tags else [*stored.tags, "a"])
        case "discard":
            assert db.discard(model, id, tags="b") is ("b" in stored.tags)
            oracle.put(id, tags=[tag for tag in stored.tags if tag != "b"])
        case "mark":
            mark = rng.randrange(4)
            assert db.add(model, id, marks=mark) is (mark not in stored.marks)
            oracle.put(id, marks=stored.marks | {mark})
        case "put":
            db.put(model, id, facts={"k": 7, "m": 8})
            oracle.put(id, facts={**stored.facts, "k": 7, "m": 8})
        case "drop":
            assert db.discard(model, id, facts="k") is ("k" in stored.facts)
            oracle.put(id, facts={key: value for key, value in stored.facts.items() if key != "k"})
        case "upsert":
            assert db.upsert(model(id=id, **changes)) is (stored is None)
            oracle.put(id, **changes)
        case "replace":
            db.replace(model(id=id, **changes))
            oracle.records[id] = model(id=id, **changes)
        case "modify":
            db.modify(model, id, lambda record: [setattr(record, name, value) for name, value in changes.items()])
            oracle.put(id, **changes)
        case "delete":
            assert db.delete(model, id) is (stored is not None)
            oracle.records.pop(id, None)
        case "many":
            assert db.save_many([model(id="many", note="n")]) == 1
            db.delete(model, "many")
        case "hold" if stored is not None:
            held[id] = db.get(model, id)
        case "touch":
            db.touch(model, id, ttl=timedelta(hours=rng.randrange(1, 3)))


@pytest.mark.parametrize("model", [Desk, Safe])
def test_random_writes_leave_what_python_says(make_db: Any, model: type[Any]) -> None:
    rng = random.Random(11)
    handles = [make_db(), make_db()]
    oracle, held = Oracle(model), dict[str, Any]()
    refused = 0
    for n in range(250):
        db = rng.choice(handles)
        before = dict(oracle.records)
        try:
            step(rng, db, oracle, held)
        except REFUSALS:
            refused += 1
            assert oracle.records == before
        for id, found in zip(IDS, db.get_many(model, IDS), strict=True):
            assert found == oracle.records.get(id), f"step {n}: {id}"
        if n % 25 == 0:
            assert db.check(model).clean, f"step {n}: {db.check(model)}"
    assert handles[0].check(model).clean
    assert 20 < refused < 200
