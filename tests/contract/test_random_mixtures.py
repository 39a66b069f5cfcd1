"""Features against each other: references with rules, what is unique together, computed, versioned, and expires.

Random verbs, transactions and bulk writes by two handles. After each batch nothing has drifted: the indexes give what
the records say, what is unique is held once, and what is computed follows from its fields.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from redmodel import Field, Indexed, Model, Ref, Unique, computed
from redmodel.errors import AlreadyExists, BulkError, NotFound, Restricted, StaleWrite, UniqueViolation
from tests.contract.conftest import BACKENDS

LONG = bool(os.environ.get("REDMODEL_LONG"))
IDS = ["1", "2", "3", "4", "é:"]
REFUSALS = (AlreadyExists, BulkError, NotFound, Restricted, StaleWrite, UniqueViolation)


class Team(Model, prefix="mixed-teams"):
    id: str
    name: Unique[str | None] = Field(default=None)


class Member(
    Model,
    prefix="mixed-members",
    versioned=True,
    ttl=3600,
    unique_together=[("team", "seat"), ("mentor", "rank")],
    index_together=[("mentor", "last", "rank"), ("team", "rank")],
):
    id: str
    team: Ref[Team] = Field(on_delete="cascade")
    mentor: Ref[Member | None] = Field(default=None, on_delete="set_null")
    seat: int | None = None
    rank: Indexed[int | None] = Field(default=None)
    points: Indexed[int] = Field(default=0)
    first: str = ""
    last: Indexed[str | None] = Field(default=None)
    tags: Indexed[list[str]] = Field(default_factory=list)

    @computed(index=True, depends_on=["first", "last"])
    def name(self) -> str:
        return f"{self.first} {self.last}"

    @computed(unique=True, depends_on=["first", "rank"])
    def sign(self) -> str | None:
        return f"{self.first}{self.rank}" if self.first and self.rank else None


class Badge(Model, prefix="mixed-badges", unique_together=[("owner", "kind")]):
    id: str
    owner: Ref[Member | None] = Field(default=None, on_delete="set_null")
    giver: Ref[Team | None] = Field(default=None, on_delete="restrict")
    kind: Indexed[str] = Field(default="")


MODELS: list[Any] = [Team, Member, Badge]


def some(rng: random.Random, model: Any) -> dict[str, Any]:
    """Some values for some fields: those that one write may name without the others."""
    maybe = [None, *IDS]
    if model is Team:
        return {"name": rng.choice([None, "x", "y", "z"])}
    if model is Badge:
        return {"owner": rng.choice(maybe), "giver": rng.choice([None, None, *IDS]), "kind": rng.choice("ab")}
    first, last = rng.choice(["", "A", "B"]), rng.choice([None, "L", "M"])
    groups: list[dict[str, Any]] = [
        {"team": rng.choice(IDS), "seat": rng.choice([None, 1, 2])},
        {"first": first, "last": last, "rank": rng.choice([None, 1, 2])},
        {"mentor": rng.choice(maybe)},
        {"seat": rng.choice([None, 1, 2])},
        {"points": rng.randrange(9)},
        {"tags": rng.choices("abc", k=rng.randrange(3))},
    ]
    return {name: value for group in rng.sample(groups, rng.randrange(1, 4)) for name, value in group.items()}


def a_record(rng: random.Random, model: Any, id: str) -> Any:
    values = some(rng, model)
    return model(id=id, **({"team": rng.choice(IDS), **values} if model is Member else values))


def transact(rng: random.Random, db: Any) -> None:
    with db.transaction() as tx:
        wanted = [(model, id) for model in (Member, Badge) for id in IDS]
        for model, id in rng.sample(wanted, rng.randrange(1, 4)):
            match rng.randrange(5):
                case 0:
                    tx.save(a_record(rng, model, id))
                case 1:
                    changes = {"points": 5, "tags": ["t"]} if model is Member else some(rng, model)
                    tx.update(model, id, **changes)
                case 2 if model is Member:
                    tx.increment(Member, id, points=1)
                case 3:
                    seen = tx.get(model, id)
                    for name, value in some(rng, model).items():
                        setattr(seen, name, value)
                    tx.save(seen)
                case 4 if model is Badge:
                    tx.delete(Badge, id)
                case _:
                    tx.touch(model, id, ttl=timedelta(hours=1))


def step(rng: random.Random, db: Any, held: dict[Any, Any], raw: Any) -> None:
    model, id = rng.choice([Team, Member, Member, Member, Badge]), rng.choice(IDS)
    match rng.randrange(15):
        case 0 | 1 | 2:
            db.save(a_record(rng, model, id))
        case 3:
            db.update(model, id, **some(rng, model))
        case 4:
            held[model, id] = db.get(model, id)
        case 5 if (model, id) in held:
            record = held.pop((model, id))
            for name, value in some(rng, model).items():
                setattr(record, name, value)
            db.save(record)
        case 6:
            db.delete(model, id)
        case 7:
            db.delete_many(model, rng.sample(IDS, 2))
        case 8:
            ids = rng.choices(IDS, k=3)
            db.save_many([a_record(rng, model, id) for id in ids], atomic=len(set(ids)) == 3 and rng.random() < 0.5)
        case 9:
            db.increment(Member, id, points=rng.randrange(-3, 4))
        case 10:
            db.find(Member, Member.points < 4).update(points=rng.randrange(9), tags=["c"])
        case 11:
            db.find(Badge, Badge.kind == "a").delete()
        case 12:
            db.save(a_record(rng, model, id), ttl=timedelta(milliseconds=1))
            while raw("EXISTS", f"{model.__redmodel_prefix__}:{id}"):
                pass
        case 13:
            db.add(Member, id, tags="a")
        case _:
            transact(rng, db)


def nothing_drifted(db: Any) -> None:
    for model in MODELS:
        report = db.check(model)
        assert report.clean, report
    teams, members, badges = (db.find(model).all() for model in MODELS)
    for held in (
        [team.name for team in teams if team.name is not None],
        [(one.team.id, one.seat) for one in members if one.seat is not None],
        [(one.mentor.id, one.rank) for one in members if one.mentor and one.rank is not None],
        [one.sign for one in members if one.sign is not None],
        [(one.owner.id, one.kind) for one in badges if one.owner],
    ):
        assert max(Counter(held).values(), default=1) == 1, held
    for id in IDS:
        assert db.count(Member, Member.team == id) == sum(one.team.id == id for one in members)
        assert db.count(Member, Member.mentor == id) == sum(
            one.mentor is not None and one.mentor.id == id for one in members
        )
        assert db.count(Badge, Badge.owner == id) == sum(one.owner is not None and one.owner.id == id for one in badges)
    assert db.find(Member).group_by(Member.name).count() == Counter(f"{one.first} {one.last}" for one in members)
    assert db.find(Member).sum(Member.points) == sum(one.points for one in members)


def test_features_leave_each_other_right(make_db: Any, raw: Any, request: pytest.FixtureRequest) -> None:
    first = BACKENDS.index(request.node.callspec.params["make_db"])
    handles = [make_db(), make_db()]
    done, refused = 0, 0
    for seed in range(first, first + (40 if LONG else 1)):
        rng, held = random.Random(seed), dict[Any, Any]()
        for batch in range(25):
            for n in range(12):
                try:
                    step(rng, rng.choice(handles), held, raw)
                    done += 1
                except REFUSALS:
                    refused += 1
                except Exception as error:
                    raise AssertionError(f"seed {seed}, step {n} of batch {batch}") from error
            try:
                nothing_drifted(rng.choice(handles))
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, after batch {batch}") from error
    assert done > refused > 30, (done, refused)
