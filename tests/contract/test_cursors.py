"""Pages by cursor while others write: what stays is given once, in order; a cursor is good for its own query only."""

from __future__ import annotations

import random
from typing import Any

import pytest

from redmodel import Indexed, InvalidCursor, Model, QueryError


class Item(Model, prefix="cursor-items"):
    id: str
    rank: Indexed[int]
    size: Indexed[int | None]
    name: Indexed[str]
    kind: Indexed[str]


def item(rng: random.Random, id: str) -> Item:
    size = rng.choice([None, 1, 2])
    return Item(id=id, rank=rng.randrange(6), size=size, name=rng.choice(["é", "a", "b"]), kind=rng.choice("kl"))


ORDERS: list[Any] = [
    (),
    (Item.rank,),
    (-Item.rank,),
    (-Item.size,),
    (Item.name, -Item.rank),
    (-Item.size, Item.name),
]


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("orders", ORDERS, ids=range(len(ORDERS)))
def test_what_stays_is_given_once_while_others_write(db: Any, orders: Any, back: bool) -> None:
    rng = random.Random(8)
    staying = {f"s{n:02}": item(rng, f"s{n:02}") for n in range(40)}
    passing = [f"p{n:02}" for n in range(40)]
    for conditions in [(), (Item.kind == "k",), (Item.rank >= 2,)]:
        db.save_many(staying.values())
        db.save_many(item(rng, id) for id in passing)
        query = db.find(Item, *conditions)
        query = query.order_by(*orders) if orders else query
        wanted = [one.id for one in query.all() if one.id in staying]
        if not orders:
            wanted.sort()
        found: list[str] = []
        cursor = None
        while True:
            before = db._executor.round_trips
            page = query.before(cursor, size=7) if back else query.after(cursor, size=7)
            assert db._executor.round_trips == before + 1
            ids = [one.id for one in page.items if one.id in staying]
            found = ids + found if back else found + ids
            cursor = page.previous if back else page.next
            if cursor is None:
                break
            # The record that the cursor was made from is among those that go, or move.
            for id in {*rng.sample(passing, 5), *(one.id for one in page.items if one.id in passing)}:
                if rng.random() < 0.5:
                    db.delete(Item, id)
                else:
                    db.save(item(rng, id))
        assert found == wanted
    assert db.check(Item).clean


def test_records_that_went_without_a_word_leave_no_gap(db: Any, raw: Any) -> None:
    db.save_many(Item(id=f"{n:02}", rank=n, size=n, name="a", kind="k") for n in range(30))
    for n in range(5, 15):
        raw("DEL", f"cursor-items:{n:02}")
    for orders in [(Item.rank,), (Item.rank, Item.name)]:
        query = db.find(Item).order_by(*orders)
        first = query.after(size=5)
        second = query.after(first.next, size=5)
        assert [one.rank for one in second.items] == [15, 16, 17, 18, 19]
        assert [one.rank for one in query.before(second.previous, size=3).items] == [2, 3, 4]
    assert db.check(Item).clean


def test_a_cursor_of_another_query_is_refused(db: Any) -> None:
    db.save_many(item(random.Random(1), f"{n}") for n in range(9))
    query = db.find(Item, Item.kind.in_({"k", "l"}), Item.rank >= 0).order_by(Item.rank)
    cursor = query.after(size=3).next
    assert query.after(cursor, size=5).items
    assert db.find(Item, Item.kind.in_(["l", "k"]), Item.rank >= 0).order_by(Item.rank).after(cursor).items
    assert cursor.replace("-", "").replace("_", "").isalnum()
    others = [
        db.find(Item).order_by(Item.rank),
        query.order_by(Item.name),
        db.find(Item, Item.kind.in_({"k", "l"}), Item.rank >= 0).order_by(-Item.rank),
        db.find(Item, Item.kind.in_({"k", "l"}), Item.rank >= 1).order_by(Item.rank),
    ]
    for other in others:
        with pytest.raises(InvalidCursor):
            other.after(cursor)
    for wrong in ["", "x", cursor[:-2], cursor + "A", "é", cursor[:5] + "A" + cursor[6:], 3]:
        with pytest.raises(InvalidCursor):
            query.before(wrong)
    for size in (0, 1001, True, "3"):
        with pytest.raises(QueryError):
            query.after(size=size)
    with pytest.raises(QueryError):
        query.limit(3).after(cursor)


def test_projections_and_the_long_way_round(db: Any) -> None:
    db.save_many(item(random.Random(3), f"{n:02}") for n in range(20))
    query = db.find(Item).order_by(Item.rank).values(Item.name)
    page = query.after(size=6)
    again = query.before(query.after(page.next, size=6).previous, size=6)
    assert again.items == page.items
    assert again.previous is None and again.next is not None
    assert all(type(row) is tuple for row in page.items)
    assert db.find(Item, Item.rank > 99).after() == ([], None, None)
