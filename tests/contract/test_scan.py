"""Scans: fields without an index, judged in Python over every record, in bounded steps that tell how far they are."""

from __future__ import annotations

from typing import Any

import pytest

from redmodel import Indexed, Model, QueryError, UnindexedField
from redmodel.model import Compare
from redmodel.plan import stream


class Letter(Model, prefix="scan-letters"):
    id: str
    place: Indexed[str]
    weight: float = 1.0
    note: str | None = None
    tags: list[str] = []


@pytest.fixture
def letters(db: Any) -> list[Letter]:
    made = [
        Letter(id=f"{n:03}", place="ab"[n % 2], weight=n / 2, note="n" if n % 3 else None, tags=["t"] * (n % 5 == 0))
        for n in range(120)
    ]
    db.save_many(made)
    return made


def ids(found: Any) -> list[str]:
    return sorted(letter.id for letter in found)


@pytest.mark.parametrize("few", [10, 10_000])
def test_tests_and_conditions_together(
    db: Any, letters: list[Letter], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "FEW", few)
    heavy = [one for one in letters if one.place == "a" and one.weight > 30]
    assert ids(db.find(Letter, Letter.place == "a", lambda one: one.weight > 30, scan=True)) == ids(heavy)
    assert db.find(Letter, Letter.place == "a", lambda one: one.weight > 30, scan=True).count() == len(heavy)
    compared: Any = Compare("weight", ">", 30, Letter)
    assert ids(db.find(Letter, Letter.place == "a", compared, scan=True).all()) == ids(heavy)
    mixed = (Compare("note", "==", None, Letter) & ~Compare("tags", "==", "t", Letter)) | (Letter.place == "b")
    wanted = [one for one in letters if (one.note is None and "t" not in one.tags) or one.place == "b"]
    assert ids(db.find(Letter, mixed, scan=True)) == ids(wanted)
    some = Compare("weight", "in", (1.0, 2.5), Letter)
    assert ids(db.find(Letter, some, scan=True)) == ["002", "005"]
    assert ids(db.find(Letter, Compare("note", "!=", "n", Letter), scan=True)) == ids(
        one for one in letters if one.note != "n"
    )


def test_orders_limits_and_the_first(db: Any, letters: list[Letter]) -> None:
    scan = db.find(Letter, lambda one: one.note is None, scan=True).order_by(lambda one: -one.weight)
    assert [one.id for one in scan.limit(3)] == ["117", "114", "111"]
    assert scan.first().id == "117"
    assert [one.id for one in scan.order_by(lambda one: one.id, reverse=True).limit(1).all()] == ["117"]
    assert len(scan.all()) == 40
    assert len(db.find(Letter, scan=True).limit(7).all()) == 7
    assert db.find(Letter, lambda one: False, scan=True).first() is None
    assert db.find(Letter, scan=True).limit(0).all() == []


def test_progress_is_told_and_may_stop_it(db: Any, letters: list[Letter], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "FEW", 10)
    told: list[tuple[int, int | None]] = []
    scan = db.find(Letter, scan=True, progress=lambda seen, total: told.append((seen, total)))
    assert len(list(scan.stream(10))) == 120
    assert told[-1] == (120, 120)
    assert told == sorted(told)
    stopped = db.find(Letter, scan=True, progress=lambda seen, total: seen < 20).stream(10)
    assert len(list(stopped)) <= 120


def test_what_is_wrong_is_told(db: Any, letters: list[Letter]) -> None:
    compared: Any = Compare("weight", ">", 30, Letter)
    with pytest.raises(UnindexedField, match="scan=True"):
        db.find(Letter, compared)
    with pytest.raises(QueryError, match="scan=True"):
        db.find(Letter, lambda one: True)
    with pytest.raises(QueryError):
        db.find(Letter, progress=print)
    with pytest.raises(QueryError):
        db.find(Letter, Compare("nothing", "==", 1, Letter), scan=True)
    with pytest.raises(QueryError):
        db.find(Letter, 3, scan=True)
    with pytest.raises(QueryError):
        db.find(Letter, scan=True).limit(-1)
    with pytest.raises(ZeroDivisionError):
        db.find(Letter, lambda one: 1 / 0, scan=True).all()
