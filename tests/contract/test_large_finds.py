"""Queries over many records: what is read in order, or stopped early, is right all the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from redmodel import Indexed, Model


class Crate(Model, prefix="crates"):
    shop: Indexed[str]
    kind: Indexed[str]
    weight: Indexed[int]
    rank: Indexed[int | None]


def a_crate(rng: random.Random, n: int) -> Crate:
    return Crate(
        id=f"{n:05}",
        shop=rng.choice(["north", "north", "south", f"shop{rng.randrange(40)}"]),
        kind=rng.choice("abc"),
        weight=rng.randrange(60),
        rank=rng.choice([None, rng.randrange(300)]),
    )


CONDITIONS: dict[str, tuple[Any, Any]] = {
    "all": ((), lambda c: True),
    "large set": ((Crate.shop == "north",), lambda c: c.shop == "north"),
    "small set": ((Crate.shop == "shop7",), lambda c: c.shop == "shop7"),
    "two sets": ((Crate.shop == "north", Crate.kind == "b"), lambda c: c.shop == "north" and c.kind == "b"),
    "range": ((Crate.weight >= 20,), lambda c: c.weight >= 20),
    "set and range": (
        (Crate.kind == "a", Crate.weight.between(10, 50)),
        lambda c: c.kind == "a" and 10 <= c.weight <= 50,
    ),
    "not": ((Crate.shop != "north",), lambda c: c.shop != "north"),
    "either": (
        ((Crate.shop == "south") | (Crate.weight < 30) | (Crate.kind == "c"),),
        lambda c: c.shop == "south" or c.weight < 30 or c.kind == "c",
    ),
    "one of": ((Crate.shop.in_(["north", "south"]),), lambda c: c.shop in ("north", "south")),
    "ranked": (
        (Crate.rank >= 100, Crate.kind != "a"),
        lambda c: c.rank is not None and c.rank >= 100 and c.kind != "a",
    ),
    "nobody": ((Crate.shop == "nowhere",), lambda c: False),
}


def down(number: int | None) -> tuple[bool, int]:
    return number is None, -(number or 0)


def up(number: int | None) -> tuple[bool, int]:
    return number is None, number or 0


ORDERS: dict[str, tuple[Any, Any]] = {
    "by id": ((), lambda c: c.id),
    "weight": ((Crate.weight,), lambda c: (c.weight, c.id)),
    "-weight": ((-Crate.weight,), lambda c: (-c.weight, -int(c.id))),
    "rank": ((Crate.rank,), lambda c: (up(c.rank), c.id)),
    "-rank": ((-Crate.rank,), lambda c: (down(c.rank), -int(c.id))),
    "nulls first": (((+Crate.rank).nulls_first(),), lambda c: (c.rank is not None, c.rank or 0, c.id)),
    "kind, -weight": ((Crate.kind, -Crate.weight), lambda c: (c.kind, -c.weight, -int(c.id))),
}


@pytest.mark.parametrize("lost", [0, 40])
def test_pages_and_the_first_of_many(db: Any, raw: Any, lost: int) -> None:
    rng = random.Random(lost)
    crates = [a_crate(rng, n) for n in range(1000)]
    db.save_many(crates)
    gone = rng.sample(crates, lost)
    for crate in gone:  # without redmodel
        raw("DEL", f"crates:{crate.id}")
    there = [crate for crate in crates if crate not in gone]
    for name, (conditions, meets) in CONDITIONS.items():
        wanted = [crate for crate in there if meets(crate)]
        some = db.find(Crate, *conditions).limit(7).all()
        assert len({crate.id for crate in some}) == min(7, len(wanted)), name
        assert all(meets(crate) for crate in some), name
        assert db.find(Crate, *conditions).exists() is bool(wanted), name
        first = db.find(Crate, *conditions).first()
        assert (first in wanted) if wanted else first is None, name
        for order, (orders, key) in ORDERS.items():
            query = db.find(Crate, *conditions).order_by(*orders)
            sorted_ = sorted(wanted, key=key)
            for number in (1,) if lost else (1, 3):
                page = query.page(number, size=9)
                assert page.items == sorted_[9 * number - 9 : 9 * number], (name, order, number)
                if not lost:
                    assert page.total == len(wanted), (name, order)
            if orders and not lost:
                assert query.limit(4).offset(5).all() == sorted_[5:9], (name, order)
            cursor = query.after(size=6)
            cursor = query.after(cursor.next, size=6) if cursor.next else cursor
            assert cursor.items == (sorted_[6:12] or sorted_), (name, order)


@pytest.mark.parametrize("bounds", [(b"300", b"100"), (b"1", b"40")])
def test_what_is_too_much_for_one_call_goes_on_in_the_next(
    db: Any, bounds: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redmodel.plan.find.PIECES", bounds)
    rng = random.Random(7)
    crates = [a_crate(rng, n) for n in range(700)]
    db.save_many(crates)
    for name, (conditions, meets) in CONDITIONS.items():
        wanted = [crate for crate in crates if meets(crate)]
        assert db.find(Crate, *conditions).count() == len(wanted), name
        for order, (orders, key) in ORDERS.items():
            page = db.find(Crate, *conditions).order_by(*orders).page(2, size=9)
            assert page.items == sorted(wanted, key=key)[9:18], (name, order)
            assert page.total == len(wanted), (name, order)
