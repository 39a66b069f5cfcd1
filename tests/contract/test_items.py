"""Changing items of lists, sets and dicts without reading them: exact, and never at odds with the indexes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, StringConstraints

from redmodel import TTL, Database, Embedded, Field, Indexed, Model, Refs
from redmodel.errors import EncodingError, NotFound, QueryError, WrongType
from tests.contract.test_verbs import keyspace


class Line(BaseModel):
    sku: Indexed[str]
    count: int = 1


class Basket(Model, prefix="baskets"):
    id: str
    tags: Indexed[list[str]] = Field(default_factory=list)
    marks: Indexed[set[int]] = Field(default_factory=set, max_length=3)
    labels: list[Annotated[str, StringConstraints(to_lower=True, max_length=9)]] = Field(default=["x"], min_length=1)
    sums: list[Decimal] = Field(default_factory=list)
    lines: Embedded[list[Line]] = Field(default_factory=list)
    options: dict[str, int | str] = Field(default_factory=dict, max_length=3)
    ordered: Annotated[list[int], AfterValidator(sorted)] = Field(default_factory=list)
    later: list[str] | None = None
    recent: Annotated[list[str], TTL(hours=1)] = Field(default_factory=list)
    note: str = ""


def test_items_are_put_in_and_taken_out_with_their_entries(db: Any) -> None:
    db.save(Basket(id="1", labels=["x"]))
    db.append(Basket, "1", tags="b")
    db.prepend(Basket, "1", tags="a")
    db.extend(Basket, "1", tags=["c", "b", 'q"],\\'])
    assert db.get(Basket, "1").tags == ["a", "b", "c", "b", 'q"],\\']
    assert db.count(Basket, Basket.tags.contains("b")) == db.count(Basket, Basket.tags.contains('q"],\\')) == 1
    assert (db.add(Basket, "1", tags="b"), db.add(Basket, "1", tags="d")) == (False, True)
    assert (db.discard(Basket, "1", tags="b"), db.discard(Basket, "1", tags="b")) == (True, False)
    assert db.get(Basket, "1").tags == ["a", "c", 'q"],\\', "d"]
    assert db.count(Basket, Basket.tags.contains("b")) == 0
    assert (db.add(Basket, "1", marks=7), db.add(Basket, "1", marks="7"), db.discard(Basket, "1", marks=8)) == (
        True,
        False,
        False,
    )
    assert db.find(Basket, Basket.marks.contains(7)).one().marks == {7}
    assert db.check(Basket).clean


def test_keys_of_a_dict(db: Any) -> None:
    db.save(Basket(id="1", options={"a": 1}))
    db.put(Basket, "1", options={"b": "}", "a": "1"})
    assert db.get(Basket, "1").options == {"a": "1", "b": "}"}
    assert (db.discard(Basket, "1", options="a"), db.discard(Basket, "1", options="a")) == (True, False)
    assert db.get(Basket, "1").options == {"b": "}"}


def test_no_digit_is_lost(db: Any, raw: Callable[..., Any]) -> None:
    many = [Decimal("0.10"), Decimal("12345678901234567890.1234567890"), Decimal("-0E+3")]
    db.save(Basket(id="1"))
    for number in many:
        db.append(Basket, "1", sums=number)
    assert [number.as_tuple() for number in db.get(Basket, "1").sums] == [number.as_tuple() for number in many]
    db.put(Basket, "1", options={"n": 2**63 + 1})
    db.put(Basket, "1", options={"m": 1})
    assert db.get(Basket, "1").options == {"n": 2**63 + 1, "m": 1}
    assert raw("HGET", "baskets:1", "options") == b'{"n":9223372036854775809,"m":1}'


def test_items_that_are_models_keep_their_own_indexes(db: Any) -> None:
    db.save(Basket(id="1"))
    db.append(Basket, "1", lines=Line(sku="A", count=2))
    db.append(Basket, "1", lines={"sku": "B"})
    assert db.find(Basket, Basket.lines.sku == "B").one().lines == [Line(sku="A", count=2), Line(sku="B")]
    assert db.check(Basket).clean
    with pytest.raises(QueryError, match="different texts"):
        db.discard(Basket, "1", lines=Line(sku="A", count=2))


def test_a_record_at_hand_shows_the_items_and_the_rest_stays_unsaved(db: Any) -> None:
    basket = Basket(id="1", tags=["a"])
    db.save(basket)
    db.append(Basket, "1", tags="b")
    basket.note = "not yet"
    db.append(basket, tags="c")
    assert basket.tags == ["a", "b", "c"]
    assert db.add(basket, marks=1)
    db.put(basket, options={"k": 1})
    assert (basket.marks, basket.options, db.get(Basket, "1").note) == ({1}, {"k": 1}, "")
    assert db.add(basket, marks=1) is False
    db.save(basket)
    assert db.get(Basket, "1") == basket


def test_items_are_validated_alone_and_nothing_is_written(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Basket(id="1", labels=["x"], marks={1, 2, 3}, options={"a": 1, "b": 2, "c": 3}))
    before = keyspace(raw)
    refusals: list[tuple[type[Exception], Callable[[], object]]] = [
        (EncodingError, lambda: db.append(Basket, "1", tags=5)),
        (EncodingError, lambda: db.append(Basket, "1", labels="much too long")),
        (EncodingError, lambda: db.append(Basket, "1", tags="\ud800")),
        (EncodingError, lambda: db.add(Basket, "1", marks=4)),
        (EncodingError, lambda: db.discard(Basket, "1", labels="X")),
        (EncodingError, lambda: db.put(Basket, "1", options={"d": 4})),
        (EncodingError, lambda: db.append(Basket, "1", later="a")),
        (EncodingError, lambda: db.append(Basket, "1", lines={"count": 1})),
        (QueryError, lambda: db.append(Basket, "1", marks=1)),
        (QueryError, lambda: db.append(Basket, "1", ordered=1)),
        (QueryError, lambda: db.append(Basket, "1", note="a")),
        (QueryError, lambda: db.append(Basket, "1", nothing="a")),
        (QueryError, lambda: db.append(Basket, "1", tags="a", labels="b")),
        (QueryError, lambda: db.append(Basket, "1")),
        (QueryError, lambda: db.extend(Basket, "1", tags="abc")),
        (QueryError, lambda: db.add(Basket, "1", sums=Decimal(1))),
        (QueryError, lambda: db.add(Basket, "1", options="a")),
        (QueryError, lambda: db.put(Basket, "1", tags={"a": 1})),
        (NotFound, lambda: db.append(Basket, "2", tags="a")),
        (NotFound, lambda: db.discard(Basket, "2", tags="a")),
    ]
    for error, action in refusals:
        with pytest.raises(error):
            action()
    assert keyspace(raw) == before
    assert db.add(Basket, "1", marks=3) is False  # it is full, and nothing changes


def test_items_are_made_what_the_field_makes_of_them(db: Any) -> None:
    db.save(Basket(id="1", labels=["x"]))
    db.append(Basket, "1", labels="SHOUT")
    assert db.get(Basket, "1").labels == ["x", "shout"]


def test_what_other_programs_put_there(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Basket(id="1"))
    raw("HSET", "baskets:1", "labels", ' [ "a" , "b" ] ')
    db.append(Basket, "1", labels="c")
    assert db.get(Basket, "1").labels == ["a", "b", "c"]
    raw("HSET", "baskets:1", "labels", "a,b")
    with pytest.raises(EncodingError, match="no JSON list"):
        db.append(Basket, "1", labels="c")
    raw("HDEL", "baskets:1", "tags", "labels")
    db.append(Basket, "1", tags="again")
    assert db.get(Basket, "1").tags == ["again"]
    raw("SET", "baskets@tags:bad", "text")
    before = keyspace(raw)
    with pytest.raises(WrongType):
        db.append(Basket, "1", tags="bad")
    assert keyspace(raw) == before


def test_an_item_renews_the_time_to_live_of_its_field_and_keeps_the_records(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Basket(id="1", recent=["old"]), ttl=timedelta(minutes=5))
    raw("HSET", "baskets:1", "recent@expires", 1)  # long ago
    db.append(Basket, "1", recent="new")
    assert db.get(Basket, "1").recent == ["new"]
    assert 0 < raw("PTTL", "baskets:1") <= 300_000


def test_random_items_against_python(db: Any) -> None:
    rng = random.Random(4)
    mine = Basket(id="1")
    db.save(mine)
    for _ in range(120):
        tag, mark, key = rng.choice("abc"), rng.randrange(5), rng.choice("xyz")
        match rng.randrange(6):
            case 0:
                db.append(Basket, "1", tags=tag)
                mine.tags.append(tag)
            case 1:
                db.prepend(Basket, "1", tags=tag)
                mine.tags.insert(0, tag)
            case 2:
                assert db.discard(Basket, "1", tags=tag) is (tag in mine.tags)
                mine.tags[:] = [each for each in mine.tags if each != tag]
            case 3:
                assert db.discard(Basket, "1", marks=mark) is (mark in mine.marks)
                mine.marks.discard(mark)
            case 4 if len(mine.marks) < 3:
                assert db.add(Basket, "1", marks=mark) is (mark not in mine.marks)
                mine.marks.add(mark)
            case _:
                db.put(Basket, "1", options={key: mark})
                mine.options[key] = mark
    assert db.get(Basket, "1") == mine
    assert db.check(Basket).clean


def test_appends_of_many_all_count(redis7: Any) -> None:
    import threading

    redis7.flush()
    with Database(redis7.unix_url) as db:
        db.save(Basket(id="1"))
        threads = [
            threading.Thread(target=lambda n=n: [db.append(Basket, "1", tags=f"{n}-{i}") for i in range(40)])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(db.get(Basket, "1").tags) == sorted(f"{n}-{i}" for n in range(8) for i in range(40))
        assert db.check(Basket).clean


class Group(Model, prefix="basket-groups"):
    id: str


class Holder(Model, prefix="basket-holders"):
    id: str
    groups: Refs[Group] = Field(default_factory=list)


def test_references_are_items_too(db: Any) -> None:
    one, two = Group(id="1"), Group(id="2")
    db.save_many([one, two])
    db.save(Holder(id="h"))
    db.append(Holder, "h", groups=one)
    assert (db.add(Holder, "h", groups="1"), db.add(Holder, "h", groups=two)) == (False, True)
    assert db.find(Holder, Holder.groups.contains(two)).one().id == "h"
    assert db.discard(Holder, "h", groups=one) is True
    assert [link.id for link in db.get(Holder, "h").groups] == ["2"]
    assert db.check(Holder).clean
