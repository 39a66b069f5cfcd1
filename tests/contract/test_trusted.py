"""Reading without validators: the same records, faster, and still no value of another type."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, field_validator, model_validator

from redmodel import TTL, DecodeError, Field, Indexed, Model, NotFound, Ref
from tests.contract.kinds import KINDS
from tests.contract.test_random_queries import a_world

asked: list[str] = []


class Judged(Model, prefix="trusted-judged"):
    id: str
    age: Indexed[int] = Field(ge=18)
    rate: float = 1.0
    name: str | None = None
    on: bool = True
    at: datetime | None = None
    tags: list[str] = Field(default_factory=list)
    upper: Annotated[str, AfterValidator(str.upper)] = "A"
    mate: Ref[Judged | None] = Field(default=None)
    otp: Annotated[str | None, TTL(hours=1)] = None

    @model_validator(mode="after")
    def looks(self) -> Any:
        asked.append(self.id)
        return self


class Named(Model, prefix="trusted-named", versioned=True):
    id: str
    name: str

    @field_validator("name")
    @classmethod
    def told(cls, name: str) -> str:
        asked.append(name)
        return name


def test_validators_of_the_model_are_not_asked(db: Any, raw: Any) -> None:
    record = Judged(id="1", age=20, name="\x00ü", at=datetime(2026, 1, 1, tzinfo=UTC), tags=["a"], mate="2", otp="x")
    db.save(record)
    asked.clear()
    for found in (
        db.get(Judged, "1", trusted=True),
        *db.get_many(Judged, ["1"], trusted=True),
        db.find(Judged).trusted().one(),
    ):
        assert found == record
        assert found.model_fields_set == set(Judged.model_fields)
        assert found.model_dump() == record.model_dump()
    assert asked == []
    assert db.get(Judged, "1") == record
    assert asked == ["1"]
    found = db.get(Judged, "1", trusted=True)
    found.age = 30
    db.save(found)
    assert db.get(Judged, "1").age == 30
    with pytest.raises(NotFound):
        db.get(Judged, "9", trusted=True)
    raw("HSET", "trusted-judged:1", "age", 3)  # against the rule, but a number
    assert db.get(Judged, "1", trusted=True).age == 3
    with pytest.raises(DecodeError):
        db.get(Judged, "1")


@pytest.mark.parametrize(
    ("field", "wrong"), [("age", "x"), ("on", "maybe"), ("at", "noon"), ("tags", "[1"), ("name", b"\xff")]
)
def test_what_is_of_another_type_is_told(db: Any, raw: Any, field: str, wrong: Any) -> None:
    db.save(Judged(id="1", age=20))
    raw("HSET", "trusted-judged:1", field, wrong)
    with pytest.raises(DecodeError) as told:
        db.get(Judged, "1", trusted=True)
    assert told.value.field == field
    with pytest.raises(DecodeError):
        db.find(Judged).trusted().all()


def test_what_is_absent_has_its_default(db: Any, raw: Any) -> None:
    db.save(Judged(id="1", age=20, rate=3.0))
    raw("HDEL", "trusted-judged:1", "rate", "tags", "name", "otp")
    assert db.get(Judged, "1", trusted=True) == Judged(id="1", age=20)


def test_versions_are_kept(db: Any) -> None:
    db.save(Named(id="1", name="n"))
    found = db.get(Named, "1", trusted=True)
    found.name = "m"
    db.save(found)
    assert db.find(Named).trusted().one() == db.get(Named, "1")


@pytest.mark.parametrize("seed", range(4))
def test_random_models_are_read_alike(db: Any, raw: Any, seed: int) -> None:
    world = a_world(random.Random(seed), 500 + seed, db, raw)
    found = {record.id: record for record in db.find(world.model).trusted()}
    assert found == world.records
    assert len(KINDS) > 10
