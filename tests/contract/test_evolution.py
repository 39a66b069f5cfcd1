"""Two versions of a model beside each other: no index lies, before, while and after one is built or cleared away."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from redmodel import (
    DecodeError,
    Field,
    Indexed,
    IndexNotReady,
    LayoutError,
    Model,
    RenamedFrom,
    SchemaError,
    Unique,
    UniqueViolation,
    migration,
)


def version(number: int) -> Any:
    """The model Tree in one of its versions: one name, so that it is one model to this process."""
    if number == 1:

        class Tree(Model, prefix="evolving-trees"):
            id: str
            kind: Indexed[str]
            height: int = 0
            sign: str = ""

        return Tree
    if number == 2:

        class Tree(Model, prefix="evolving-trees"):  # type: ignore[no-redef]
            id: str
            kind: Indexed[str]
            height: Indexed[int] = Field(default=0)
            sign: str = ""

        return Tree
    if number == 3:

        class Tree(Model, prefix="evolving-trees"):  # type: ignore[no-redef]
            id: str
            kind: str
            height: Indexed[int] = Field(default=0)
            sign: Unique[str | None] = Field(default=None)

        return Tree
    if number == 4:  # height has another meaning, and another type

        class Tree(Model, prefix="evolving-trees"):  # type: ignore[no-redef]
            id: str
            kind: Indexed[str]
            height: Indexed[str] = Field(default="0")
            sign: str = ""

        return Tree

    class Tree(Model, prefix="evolving-trees"):  # type: ignore[no-redef]
        id: str
        species: Annotated[Indexed[str], RenamedFrom("kind")]
        millimetres: Annotated[Indexed[int], RenamedFrom("height")] = Field(default=0)
        sign: int = 0

        @migration("millimetres")
        @staticmethod
        def from_metres(stored: bytes) -> int:
            return int(stored) * 1000

        @migration("sign")
        @staticmethod
        def from_words(stored: bytes) -> int:
            return len(stored)

    return Tree


@pytest.fixture
def one() -> Any:
    return version(1)


def heights(db: Any, tree: Any, *values: int) -> list[str]:
    return sorted(found.id for found in db.find(tree, tree.height.in_(values)))


def test_a_new_index_is_refused_then_built_then_right(db: Any, raw: Any, one: Any) -> None:
    db.save_many(one(id=str(n), kind="oak", height=n % 5) for n in range(1200))
    two = version(2)
    report = db.status(two)
    assert not report.current and {row.path: row.state for row in report.indexes} == {"kind": "ready", "height": "new"}
    for ask in (
        lambda: db.find(two, two.height == 3).all(),
        lambda: db.count(two, two.height > 1),
        lambda: db.find(two).order_by(two.height).page(1),
        lambda: db.find(two).sum(two.height),
    ):
        with pytest.raises(IndexNotReady, match=r"db\.sync\(Tree\)") as caught:
            ask()
        assert (caught.value.model, caught.value.field) == ("Tree", "height")
    assert db.count(two, two.kind == "oak") == 1200  # the others answer
    db.save(two(id="x", kind="elm", height=3))
    assert {row.path: row.state for row in db.status(two).indexes}["height"] == "building"
    told: list[int] = []
    done = db.sync(two, progress=lambda report: told.append(report.done))
    assert done.ready and done.built == ["height"] and done.entered == 1200 and str(done).endswith("Tree: ready")
    assert told[-1] == done.done == 1201 and db.status(two).current
    assert db.count(two, two.height == 3) == 241 and db.check(two).clean
    again = db.sync(two)
    assert again.ready and again.built == [] and again.done == 0


def test_an_older_version_goes_on_writing_beside_it(db: Any, raw: Any, one: Any) -> None:
    db.save_many(one(id=str(n), kind="oak", height=1) for n in range(10))
    two = version(2)
    assert db.sync(two).ready
    old = db.get(one, "1")
    old.height = 2
    db.save(old)  # it knows of no index on height
    assert raw("ZRANGE", "evolving-trees@~height", "0", "-1") == [b"1"]
    assert not db.check(two).foreign
    assert heights(db, two, 2) == ["1"] and "1" not in heights(db, two, 1)
    assert raw("EXISTS", "evolving-trees@~height") == 0
    db.save(one(id="2", kind="elm", height=2))  # whole
    db.save(one(id="new", kind="elm", height=2))
    db.increment(one, "3", height=1)
    db.update(one, "4", height=2)
    assert db.status(two).indexes[1].state == "waiting"
    assert heights(db, two, 2) == ["1", "2", "3", "4", "new"] and db.count(two, two.height == 1) == 6
    assert db.delete(one, "2") and heights(db, two, 2) == ["1", "3", "4", "new"]
    assert db.find(two).order_by(two.height).first().id == "0"
    assert db.check(two).clean and db.status(two).others == 1
    assert db.sync(two).ready and db.status(two).others == 0
    db.update(one, "5", height=2)  # it registers again by itself
    assert db.count(two, two.height == 2) == 5 and db.status(two).others == 1


def test_a_dropped_index_goes_and_who_still_has_it_is_refused(db: Any, raw: Any, one: Any) -> None:
    two, three = version(2), version(3)
    db.save_many(two(id=str(n), kind="oak", height=n, sign=f"s{n}") for n in range(20))
    assert db.sync(three).dropped == ["kind"]
    assert raw("KEYS", "evolving-trees@kind*") == []
    assert b"kind" not in b"".join(raw("HVALS", "evolving-trees@log"))
    with pytest.raises(IndexNotReady):
        db.count(two, two.kind == "oak")
    assert db.count(three, three.height >= 10) == 10 and db.check(three).clean
    db.save(two(id="back", kind="elm", height=1))  # the older version is still about
    with pytest.raises(IndexNotReady):
        db.count(two, two.kind == "elm")
    assert {row.path: row.state for row in db.status(three).indexes}["kind"] == "dropped"
    assert db.find(three, three.height == 1).count() == 2
    assert db.sync(three).dropped == ["kind"] and db.check(three).clean


def test_a_unique_index_over_duplicates_names_them(db: Any, one: Any) -> None:
    db.save_many(one(id=str(n), kind="oak", sign=f"s{n % 9}") for n in range(10))
    three = version(3)
    report = db.sync(three)
    assert not report.ready and report.building == ["sign"] and report.built == ["height"]
    (obstacle,) = report.obstacles
    assert {obstacle.id, obstacle.owner} == {"0", "9"} and obstacle.field == "sign"
    with pytest.raises(IndexNotReady):
        db.find(three, three.sign == "s0").all()
    assert db.count(three, three.height == 0) == 10
    db.update(three, "9", sign="other")
    assert db.sync(three).ready and db.find(three, three.sign == "s0").one().id == "0"
    with pytest.raises(UniqueViolation):
        db.save(three(id="x", kind="elm", sign="s1"))
    db.save(one(id="late", kind="elm", sign="s1"))  # an older version can't know
    with pytest.raises(IndexNotReady) as caught:
        db.find(three, three.sign == "s1").all()
    assert caught.value.ids == ["late"]


def test_another_type_of_index_waits_for_a_sync_too(db: Any, raw: Any) -> None:
    two, four = version(2), version(4)
    db.save_many(two(id=str(n), kind="oak", height=n % 3) for n in range(9))
    with pytest.raises(IndexNotReady):
        db.count(four, four.height == "1")
    db.save(four(id="x", kind="oak", height="1"))
    assert db.count(two, two.height == 1) == 4  # the older one still answers, with what the newer has written
    assert db.sync(four).built == ["height"]
    assert db.count(four, four.height == "1") == 4 and raw("EXISTS", "evolving-trees@height") == 0
    with pytest.raises(IndexNotReady):
        db.count(two, two.height == 1)
    assert db.check(four).clean


def test_a_sync_that_was_stopped_is_run_again(db: Any, one: Any) -> None:
    db.save_many(one(id=str(n), kind="oak", height=7) for n in range(2000))
    two = version(2)
    first = db.sync(two, progress=lambda report: False)
    if first.stopped:
        assert not first.ready and first.done < 2000
        with pytest.raises(IndexNotReady):
            db.count(two, two.height == 7)
    second = db.sync(two)
    assert second.ready and first.entered + second.entered == 2000
    assert db.count(two, two.height == 7) == 2000 and db.check(two).clean


def test_renamed_fields_and_other_types_are_migrated_on_reading_or_by_a_sync(db: Any, raw: Any, one: Any) -> None:
    db.save_many(one(id=str(n), kind=f"k{n % 2}", height=n, sign="abc") for n in range(30))
    five = version(5)
    found = db.get(five, "3")
    assert (found.species, found.millimetres, found.sign) == ("k1", 3000, 3)
    found.species = "larch"
    db.save(found)
    assert raw("HMGET", "evolving-trees:3", "kind", "species", "height", "millimetres") == [None, b"larch", b"3", None]
    report = db.sync(five)
    assert report.ready and report.migrated == 30 and sorted(report.built) == ["millimetres", "species"]
    assert report.dropped == ["kind"]
    assert raw("HMGET", "evolving-trees:4", "kind", "species", "height", "millimetres", "sign") == [
        None, b"k0", None, b"4000", b"3",
    ]  # fmt: skip
    assert db.count(five, five.species == "k0") == 15 and db.count(five, five.millimetres >= 20_000) == 10
    assert db.find(five, five.species == "larch").one().id == "3" and db.check(five).clean
    assert db.sync(five).migrated == 0
    db.save(one(id="4", kind="old again", height=9, sign="abcd"))  # an older version: what it wrote last counts
    assert db.get(five, "4").millimetres == 9000
    assert db.find(five, five.species == "old again").one().millimetres == 9000
    assert (
        raw("HGET", "evolving-trees:4", "species") == b"old again" and raw("HGET", "evolving-trees:4", "kind") is None
    )


def test_what_a_migration_cannot_read_is_said_with_its_place(db: Any, raw: Any, one: Any) -> None:
    db.save_many([one(id="1", kind="a", height=1), one(id="2", kind="a", height=2)])
    raw("HSET", "evolving-trees:1", "height", "tall")
    five = version(5)
    with pytest.raises(DecodeError) as caught:
        db.get(five, "1")
    assert (caught.value.key, caught.value.field, caught.value.raw) == (b"evolving-trees:1", "millimetres", b"tall")
    report = db.sync(five)
    assert not report.ready and [obstacle.id for obstacle in report.obstacles] == ["1"]
    with pytest.raises(IndexNotReady):
        db.count(five, five.millimetres == 2000)
    raw("HSET", "evolving-trees:1", "height", "1")
    assert db.sync(five).ready and db.count(five, five.millimetres == 2000) == 1


def test_an_open_handle_says_again_what_a_flush_has_taken(db: Any, raw: Any, one: Any) -> None:
    db.save(one(id="1", kind="oak"))
    before = raw("HGET", "evolving-trees@schema", "indexes")
    raw("FLUSHALL")
    assert db.count(one, one.kind == "oak") == 0
    db.save(one(id="2", kind="oak"))
    assert raw("HGET", "evolving-trees@schema", "indexes") == before and db.count(one, one.kind == "oak") == 1
    raw("FLUSHALL")
    assert db.save_many(one(id=str(n), kind="oak") for n in range(30)) == 30
    assert db.count(one, one.kind == "oak") == 30
    raw("FLUSHALL")
    raw("HSET", "evolving-trees@schema", "layout", "99")
    with pytest.raises(LayoutError):
        db.save(one(id="1", kind="oak"))


def test_a_handle_that_only_reads_says_what_it_cannot_settle(make_db: Any, one: Any) -> None:
    db = make_db()
    two = version(2)
    db.save_many(two(id=str(n), kind="oak", height=1) for n in range(5))
    db.update(one, "1", height=2)
    reader = make_db(read_only=True)
    with pytest.raises(IndexNotReady, match="read-only"):
        reader.count(two, two.height == 2)
    assert reader.count(two, two.kind == "oak") == 5 and not reader.status(two).current
    assert db.count(two, two.height == 2) == 1 == reader.count(two, two.height == 2)


def test_what_cannot_be_declared() -> None:
    with pytest.raises(SchemaError, match="field of its own"):

        class Twice(Model, prefix="evolving-twice"):
            name: str
            title: Annotated[str, RenamedFrom("name")]

    with pytest.raises(SchemaError, match="no field"):

        class Nothing(Model, prefix="evolving-nothing"):
            @migration("nothing")
            @staticmethod
            def read(stored: bytes) -> int:
                return 1

    with pytest.raises(SchemaError, match="is the id"):

        class Key(Model, prefix="evolving-key"):
            id: Annotated[str, RenamedFrom("key")]
