"""Places: on every back end what Python finds by the rule of the cells, poles and antimeridian included."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from redmodel import Embedded, EncodingError, Geo, Indexed, IndexNotReady, Model, Point, QueryError, SchemaError
from redmodel.arithmetic.places import distance, place_of, rounded
from redmodel.model import matches
from tests.contract.test_relations import Trips


class Spot(Model, prefix="spots"):
    id: str
    kind: Indexed[str]
    place: Geo[Point]
    other: Geo[Point | None] = None


def spots(seed: int, count: int = 120) -> list[Spot]:
    rng = random.Random(seed)
    corners = [(180.0, 0.0), (-180.0, 0.0), (179.99999, 10.0), (0.0, 85.05112878), (90.0, -85.05112878), (10.5, 59.9)]
    made: list[Spot] = []
    for n in range(count):
        near = rng.choice(corners)
        place = rng.choice(
            [
                near,
                (rng.uniform(-180, 180), rng.uniform(-85, 85)),
                (near[0] * 0.99999, max(-85.0, min(85.0, near[1] + rng.uniform(-0.1, 0.1)))),
            ]
        )
        other = rng.choice([None, Point(*near), Point(rng.uniform(-180, 180), rng.uniform(-85, 85))])
        made.append(Spot(id=f"s{n}", kind=rng.choice("abc"), place=Point(*place), other=other))
    return made


def metres(spot: Spot, lon: float, lat: float) -> float:
    here, there = place_of(spot.place.number), place_of(Point(lon, lat).number)
    return rounded(distance(*here, *there))


@pytest.mark.parametrize("seed", [1, 2])
def test_conditions_find_what_python_finds(db: Any, seed: int) -> None:
    records = spots(seed)
    db.save_many(records)
    rng = random.Random(seed)
    for _ in range(15):
        centre = rng.choice([r.place for r in records])
        radius, unit = 10 ** rng.uniform(-3, 7.4), rng.choice(["m", "km", "ft", "mi"])
        south, north = sorted((rng.uniform(-85, 85), rng.uniform(-85, 85)))
        circle = Spot.place.within(centre, radius, unit)
        box = Spot.place.in_box((rng.uniform(-180, 180), south), (rng.uniform(-180, 180), north))
        for condition in (
            circle,
            box,
            Spot.other.within((centre.lon, centre.lat), radius) & (Spot.kind == "a"),
            ~circle & box,
            Spot.other.in_box((170.0, -20.0), (-170.0, 20.0)) | (Spot.kind == "b"),
            (Spot.kind == "c") & ~Spot.other.within(centre, 2_000, "km"),
            Spot.other.is_null(),
            Spot.other != None,
        ):
            wanted = {record.id for record in records if matches(condition, record)}
            query = db.find(Spot, condition)
            assert set(query.ids()) == wanted, condition
            assert query.count() == len(wanted)


def test_distances_order_and_are_told(db: Any) -> None:
    records = spots(3)
    db.save_many(records)
    for lon, lat in ((10.5, 59.9), (180.0, 0.0), (-180.0, 84.0)):
        wanted = sorted((metres(record, lon, lat), record.id) for record in records)
        nearest = db.find(Spot).order_by(Spot.place.distance_from((lon, lat)))
        assert [(far, record.id) for record, far in nearest.scored()] == wanted
        assert [record.id for record in nearest.offset(3).limit(5)] == [id for _, id in wanted[3:8]]
        page = db.find(Spot, Spot.kind == "a").order_by(-Spot.place.distance_from((lon, lat))).page(2, size=7)
        kinds = {record.id: record.kind for record in records}
        assert [r.id for r in page.items] == [id for _, id in reversed(wanted) if kinds[id] == "a"][7:14]
    without = db.find(Spot).order_by(Spot.other.distance_from((0.0, 0.0)))
    assert [far is None for _, far in without.scored()] == sorted(record.other is None for record in records)
    walked: list[str] = []
    page = without.after(size=50)
    walked += [record.id for record in page.items]
    while page.next:
        page = without.after(page.next, size=50)
        walked += [record.id for record in page.items]
    assert walked == [record.id for record in without]


def test_a_place_is_within_nothing_of_itself(db: Any) -> None:
    here = Point(10.752245, 59.913868)
    db.save(Spot(id="1", kind="a", place=here))
    assert db.find(Spot, Spot.place.within(here, 0)).ids().all() == ["1"]
    assert db.find(Spot, Spot.place.in_box(here, here)).ids().all() == ["1"]
    loaded = db.get(Spot, "1")
    assert loaded.place == here
    (far,) = [far for _, far in db.find(Spot).order_by(Spot.place.distance_from((11.0, 60.0))).scored()]
    assert db.find(Spot, Spot.place.within((11.0, 60.0), far)).count() == 1
    assert db.find(Spot, Spot.place.within((11.0, 60.0), far - 0.001)).count() == 0


def test_one_round_trip(db: Any) -> None:
    db.save_many(spots(4, 30))
    trips = Trips(db)
    query = db.find(Spot, Spot.place.within((10.5, 59.9), 500, "km"), Spot.kind == "a")
    query.order_by(Spot.place.distance_from((10.5, 59.9))).page(size=5)
    assert trips.round_trips == 1


def test_redis_reads_the_index_as_places(db: Any, raw: Any, request: pytest.FixtureRequest) -> None:
    db.save(Spot(id="oslo", kind="a", place=(10.75, 59.91)))
    db.save(Spot(id="rome", kind="a", place=(12.5, 41.9)))
    assert float(raw("ZSCORE", "spots@place", "oslo")) == Point(10.75, 59.91).number
    if "fakeredis" in request.node.name:
        return  # its places are kept as letters
    raw("GEOADD", "others", "10.75", "59.91", "oslo")
    assert float(raw("ZSCORE", "others", "oslo")) == Point(10.75, 59.91).number
    found = raw("GEOSEARCH", "spots@place", "FROMLONLAT", "11", "60", "BYRADIUS", "100", "km", "ASC")
    assert list(found) == [b"oslo"]


def test_moves_updates_and_deletes(db: Any) -> None:
    db.save(Spot(id="1", kind="a", place=(0.0, 0.0), other=(0.0, 0.0)))
    db.update(Spot, "1", place=Point(100.0, 10.0), other=None)
    assert db.find(Spot, Spot.place.within((0.0, 0.0), 100, "km")).count() == 0
    assert db.find(Spot, Spot.place.within((100.0, 10.0), 1)).count() == 1
    assert db.find(Spot, Spot.other.within((0.0, 0.0), 100, "km")).count() == 0
    db.save(Spot(id="2", kind="a", place=(100.0, 10.0)), ttl=0.05)
    time.sleep(0.08)
    assert db.find(Spot, Spot.place.within((100.0, 10.0), 1)).ids().all() == ["1"]
    db.delete(Spot, "1")
    assert db.find(Spot).order_by(Spot.place.distance_from((0.0, 0.0))).all() == []
    assert db.check(Spot).clean


def test_stale_entries_are_never_given(db: Any, raw: Any) -> None:
    db.save_many([Spot(id="1", kind="a", place=(5.0, 5.0)), Spot(id="2", kind="a", place=(5.0, 5.0))])
    raw("DEL", "spots:1")
    page = db.find(Spot, Spot.place.within((5.0, 5.0), 10)).page()
    assert [spot.id for spot in page.items] == ["2"]
    assert page.total == 1


def test_a_mark_that_is_new(db: Any) -> None:
    class Plain(Model, prefix="evolving-spots"):
        id: str
        place: Point

    db.save_many(Plain(id=f"p{n}", place=(n, n)) for n in range(5))

    class Plain(Model, prefix="evolving-spots"):  # type: ignore[no-redef]
        id: str
        place: Geo[Point]

    query = db.find(Plain, Plain.place.within((2.0, 2.0), 200, "km"))
    with pytest.raises(IndexNotReady):
        query.all()
    db.sync(Plain)
    assert {plain.id for plain in query} == {"p1", "p2", "p3"}


def test_what_is_refused(db: Any) -> None:
    for bad in ((181.0, 0.0), (0.0, 85.1), (float("nan"), 0.0), (0.0, float("inf")), (1.0,), "oslo"):
        with pytest.raises(ValidationError):
            Spot(id="1", kind="a", place=bad)
        with pytest.raises(QueryError):
            Spot.place.within(bad, 1)
    with pytest.raises(EncodingError):
        db.save(Spot.model_construct(id="1", kind="a", place=(200.0, 0.0), other=None))
    assert db.find(Spot).count() == 0
    for radius in (-1, float("nan"), float("inf"), "5", True):
        with pytest.raises(QueryError):
            Spot.place.within((0.0, 0.0), radius)
    for wrong in (
        lambda: Spot.place.within((0.0, 0.0), 1, "yd"),
        lambda: Spot.place.in_box((0.0, 1.0), (1.0, 0.0)),
        lambda: Spot.place == Point(0.0, 0.0),
        lambda: Spot.place < Point(0.0, 0.0),
        lambda: db.find(Spot).order_by(Spot.place),
        lambda: db.find(Spot).distinct(Spot.place),
        lambda: db.find(Spot).max(Spot.place),
    ):
        with pytest.raises(QueryError):
            wrong()


def test_what_can_not_be_declared() -> None:
    with pytest.raises(SchemaError, match="no place"):

        class Wrong(Model, prefix="wrong-places"):
            place: Geo[str]

    with pytest.raises(SchemaError):

        class Several(Model, prefix="several-places"):
            places: Geo[list[Point]]


def test_places_inside_nested_models(db: Any) -> None:
    class Address(BaseModel):
        street: str
        place: Geo[Point]

    class Firm(Model, prefix="firms-with-places"):
        address: Embedded[Address]

    firm = Firm(address=Address(street="1", place=(10.0, 60.0)))
    db.save(firm)
    assert db.find(Firm, Firm.address.place.within((10.0, 60.0), 5)).one() == firm


def test_a_place_of_whole_numbers(db: Any) -> None:
    spot = Spot(id="s", kind="a", place=Point(1, -2))
    db.save(spot)
    assert db.get(Spot, "s") == spot
    assert isinstance(spot.place.lon, float)
