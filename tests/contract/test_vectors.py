"""Vectors: exact round trips, and on every back end the nearest that Python finds, in one step or in several."""

from __future__ import annotations

import array
import math
import random
import struct
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from redmodel import Codec, Dim, EncodingError, Field, Indexed, Model, QueryError, SchemaError, Vector
from tests.contract.test_relations import Trips

Three = Annotated[list[float], Dim(3)]


class Doc(Model, prefix="docs-with-vectors"):
    id: str
    kind: Indexed[str]
    cosine: Vector[Three | None] = Field(default=None)
    dot: Vector[Annotated[list[float], Dim(19, metric="dot")]]
    far: Vector[Annotated[list[float], Dim(2, metric="euclidean")]]


class Wide(Model, prefix="docs-with-wide-vectors"):
    id: str
    kind: Indexed[str]
    vector: Vector[Annotated[list[float], Dim(500, metric="euclidean")] | None] = Field(default=None)


def docs(count: int = 60) -> list[Doc]:
    rng = random.Random(count)

    def numbers(size: int) -> list[float]:
        return [rng.randint(-8, 8) / 4 for _ in range(size - 1)] + [1.0]

    return [
        Doc(
            id=f"d{n:02}",
            kind=rng.choice("ab"),
            cosine=rng.choice([None, numbers(3), [1.0, 2.0, 2.0]]),
            dot=numbers(19),
            far=numbers(2),
        )
        for n in range(count)
    ]


def dot(one: list[float], other: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def cosine(one: list[float], other: list[float]) -> float:
    return dot(one, other) / (math.sqrt(dot(one, one)) * math.sqrt(dot(other, other)))


def test_the_nearest_are_what_python_finds(db: Any, request: pytest.FixtureRequest) -> None:
    records = docs()
    db.save_many(records)
    asked, long = [0.5, -1.0, 2.0], [0.25 * n for n in range(19)]
    some = [record for record in records if record.kind == "a"]
    for query, near, down in (
        (Doc.cosine.nearest_to(asked), lambda r: r.cosine and cosine(asked, r.cosine), True),
        (Doc.dot.nearest_to(tuple(long)), lambda r: dot(long, r.dot), True),
        (Doc.far.nearest_to(array.array("f", [1.0, 0.5])), lambda r: math.dist([1.0, 0.5], r.far), False),
        (-Doc.far.nearest_to([1.0, 0.5]), lambda r: math.dist([1.0, 0.5], r.far), True),
    ):
        there = sorted(((near(r), r.id) for r in some if near(r) is not None), reverse=down)
        absent = sorted((r.id for r in some if near(r) is None), reverse=down)
        wanted = [id for _, id in there] + absent
        found = db.find(Doc, Doc.kind == "a").order_by(query)
        pairs = list(found.scored())
        assert [number for _, number in pairs[: len(there)]] == pytest.approx([number for number, _ in there])
        assert [number for _, number in pairs[len(there) :]] == [None] * len(absent)
        assert [record.id for record, _ in pairs] == wanted
        assert found.offset(2).limit(3).ids().all() == wanted[2:5]
        page = found.page(2, size=4)
        assert [record.id for record in page.items] == wanted[4:8]
        assert page.total == len(some)
    trips = Trips(db)
    db.find(Doc, Doc.kind == "a").order_by(Doc.cosine.nearest_to(asked)).limit(5).scored().all()
    lame = "fakeredis" in request.node.name  # its Lua reads no floats, so they are fetched
    assert trips.round_trips == (3 if lame else 1)


def test_nearness_is_not_reckoned_in_pieces(
    db: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a bound of its own: pieces are as large as cheap orders bear."""
    db.save_many([Wide(id=f"w{n}", kind="a", vector=[float(n)] * 500) for n in range(60)])
    trips = Trips(db)
    query = db.find(Wide, Wide.kind == "a").order_by(Wide.vector.nearest_to([1.0] * 500)).limit(3)
    wanted, asked = query.all(), trips.round_trips
    monkeypatch.setattr("redmodel.plan.find.PIECES", (b"1", b"5"))
    assert query.all() == wanted
    assert trips.round_trips == asked == (3 if "fakeredis" in request.node.name else 1)


def test_more_than_a_script_looks_at(db: Any) -> None:
    rng = random.Random(9)
    records = [
        Wide(id=f"w{n:04}", kind="ab"[n % 2], vector=None if n % 50 == 7 else [float(rng.randint(-9, 9))] * 500)
        for n in range(1100)
    ]
    db.save_many(records)
    asked = [0.25] * 500
    wanted = sorted((math.dist(asked, r.vector), r.id) for r in records if r.vector is not None)
    ids = [id for _, id in wanted] + [r.id for r in records if r.vector is None]
    nearest = db.find(Wide).order_by(Wide.vector.nearest_to(asked))
    pairs = nearest.limit(10).scored().all()
    assert [record.id for record, _ in pairs] == ids[:10]
    assert [number for _, number in pairs] == pytest.approx([number for number, _ in wanted[:10]])
    assert nearest.ids().all() == ids
    page = nearest.page(3, size=7)
    assert ([record.id for record in page.items], page.total) == (ids[14:21], 1100)
    assert nearest.first().id == ids[0]
    kept = [id for id in ids if int(id[1:]) % 2]
    assert db.find(Wide, Wide.kind == "b").order_by(Wide.vector.nearest_to(asked)).limit(4).ids().all() == kept[:4]


def test_values_come_back_exactly(db: Any, raw: Any) -> None:
    rng = random.Random(2)
    doc = Doc(id="1", kind="a", cosine=[0.1, 1e-40, -0.0], dot=[rng.gauss(0, 1) for _ in range(19)], far=[3e38, 1.0])
    assert doc.cosine[0] == struct.unpack("<f", struct.pack("<f", 0.1))[0] != 0.1
    db.save(doc)
    loaded = db.get(Doc, "1")
    assert loaded == doc and math.copysign(1, loaded.cosine[2]) == -1
    assert raw("HGET", "docs-with-vectors:1", "far") == struct.pack("<2f", 3e38, 1.0)
    loaded.far = array.array("f", [1.5, 2.5])
    assert loaded.far == [1.5, 2.5]
    db.save(loaded)
    db.update(Doc, "1", cosine=None)
    assert (db.get(Doc, "1").far, db.get(Doc, "1").cosine) == ([1.5, 2.5], None)


def test_a_list_becomes_a_vector(db: Any) -> None:
    class Old(Model, prefix="becoming-vectors"):
        id: str
        vector: list[float]

    db.save_many([Old(id="1", vector=[0.1, 0.2, 1.5]), Old(id="2", vector=[1.0, 0.0, 0.0])])

    class Old(Model, prefix="becoming-vectors"):  # type: ignore[no-redef]
        id: str
        vector: Vector[Three]

    db.sync(Old)
    db.save(Old(id="3", vector=[0.0, 0.0, 1.0]))
    assert db.get(Old, "1").vector == Dim(3).round([0.1, 0.2, 1.5])
    assert db.find(Old).order_by(Old.vector.nearest_to([0.0, 0.0, 1.0])).ids().all() == ["3", "1", "2"]


def test_what_is_gone_is_not_near(db: Any, raw: Any) -> None:
    db.save_many(docs(3))
    raw("DEL", "docs-with-vectors:d01")
    db.delete(Doc, "d00")
    page = db.find(Doc).order_by(Doc.far.nearest_to([0.0, 0.0])).page()
    assert ([doc.id for doc in page.items], page.total) == (["d02"], 1)


def test_what_is_refused(db: Any) -> None:
    whole = {"id": "1", "kind": "a", "dot": [1.0] * 19, "far": [1.0, 1.0]}
    nan, inf = float("nan"), float("inf")
    for bad in (
        [1.0, 2.0],
        [1.0] * 4,
        [nan, 1.0, 1.0],
        [1.0, inf, 1.0],
        [1e39, 1.0, 1.0],
        [0.0] * 3,
        "abc",
        5,
        ["a"] * 3,
    ):
        with pytest.raises(ValidationError):
            Doc(**whole, cosine=bad)
        with pytest.raises(QueryError):
            Doc.cosine.nearest_to(bad)
    for bad in ([0.1, 1.0, 1.0], [nan, 1.0, 1.0], [1.0], [0.0] * 3):
        with pytest.raises(EncodingError):
            db.save(Doc.model_construct(**whole, cosine=bad))
    assert db.find(Doc).count() == 0
    for wrong in (
        lambda: Doc.cosine == [1.0, 2.0, 3.0],
        lambda: db.find(Doc).order_by(Doc.kind, Doc.cosine.nearest_to([1.0, 2.0, 3.0])),
        lambda: db.find(Doc).order_by(Doc.cosine.nearest_to([1.0, 2.0, 3.0])).order_by(Doc.kind),
        lambda: db.find(Doc).order_by(Doc.cosine),
        lambda: db.find(Doc).order_by(Doc.cosine.nearest_to([1.0, 2.0, 3.0])).after(),
    ):
        with pytest.raises(QueryError):
            wrong()


def test_what_can_not_be_declared() -> None:
    with pytest.raises(SchemaError):
        Vector[list[float]]
    with pytest.raises(SchemaError):
        Dim(0)
    with pytest.raises(SchemaError):
        Dim(3, metric="near")  # type: ignore[arg-type]

    class Secret(Model, prefix="secret-vectors"):
        vector: Annotated[Vector[Three], Codec(bytes, bytes)]

    assert Secret(vector=[1, 2, 3]).vector == [1.0, 2.0, 3.0]
