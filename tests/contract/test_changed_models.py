"""Models that got fields and indexes after records were written, and orders over what those records lack."""

from __future__ import annotations

from typing import Any

import pytest

from redmodel import Database, Field, Indexed, IndexNotReady, Model


def plant_of(version: int) -> Any:
    """The model Plant as it was first written, and as it came to be: one name, so that it is one model."""
    if version == 1:

        class Plant(Model, prefix="contract-plants"):
            id: str
            bed: Indexed[str]

        return Plant

    class Plant(Model, prefix="contract-plants"):  # type: ignore[no-redef]
        id: str
        bed: Indexed[str]
        height: Indexed[int] = Field(default=0)

    return Plant


class Plot(Model, prefix="contract-plots"):
    id: str
    bed: Indexed[str]
    height: int = 0


class Label(Model, prefix="contract-labels"):
    id: str
    text: Indexed[str | None] = Field(default="none given")


def test_an_order_by_a_new_index_leaves_no_old_record_out(db: Any) -> None:
    old = plant_of(1)
    db.save_many([old(id=id, bed="a") for id in "abcdefghij"])
    plant = plant_of(2)
    db.save(plant(id="k", bed="a", height=9))
    with pytest.raises(IndexNotReady, match="sync"):
        db.find(plant).order_by(plant.height).all()
    assert db.sync(plant).ready
    by_height = db.find(plant, plant.bed == "a").order_by(plant.height)
    assert [found.id for found in by_height.page(1, size=20).items] == [*"abcdefghijk"]
    assert by_height.page(1, size=3).total == 11
    assert [found.id for found in by_height.page(1, size=3).items] == [*"abc"]
    everything = db.find(plant).order_by(-plant.height)
    assert everything.page(1, size=20).items[0].id == "k"
    assert everything.page(1, size=20).total == len(everything.page(1, size=20).items) == 11


def test_a_program_with_the_older_model_leaves_the_new_index_as_it_was(db: Any) -> None:
    db.save(plant_of(2)(id="a", bed="a", height=5))
    old = plant_of(1)
    record = db.get(old, "a")
    record.bed = "b"
    db.save(record)
    plant = plant_of(2)
    assert db.find(plant, plant.bed == "b", plant.height == 5).one().id == "a"


def test_what_was_loaded_elsewhere_is_saved_whole(db: Any) -> None:
    with Database("memory://") as other:
        for handle, text in ((db, "here"), (other, "there")):
            handle.save_many([Label(id="1", text=text), Label(id="2", text=text)])
        other.delete(Label, "2")
        first, second = db.find(Label).order_by(Label.id).all()
        other.save(first)
        other.save_many([second])
        assert [found.text for found in other.find(Label)] == ["here", "here"]
        assert other.count(Label, Label.text == "there") == 0
        db.delete(Label, "1")
        first.text = "changed"
        other.save(first)  # it belongs there by now
        db.save(first)
        assert [db.get(Label, "1"), other.get(Label, "1")] == [first, first]


def test_two_handles_on_one_keyspace_send_only_changes(make_db: Any) -> None:
    one, two = make_db(), make_db()
    one.save(Plot(id="1", bed="a", height=1))
    mine, theirs = one.get(Plot, "1"), two.get(Plot, "1")
    theirs.bed = "b"
    one.save(theirs)
    mine.height = 2
    two.save(mine)
    assert (one.get(Plot, "1").bed, one.get(Plot, "1").height) == ("b", 2)


def test_none_comes_last_also_where_a_missing_field_means_another_value(db: Any) -> None:
    db.save_many([Label(id="1", text=None), Label(id="2", text="b"), Label(id="3", text="a"), Label(id="4", text="")])
    assert [found.id for found in db.find(Label).order_by(Label.text)] == ["4", "3", "2", "1"]
    assert [found.id for found in db.find(Label).order_by(-Label.text)] == ["2", "3", "4", "1"]
