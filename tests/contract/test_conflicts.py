"""Several writers of one record: versions, edits, what is unique together; and writing a record whatever is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import ConfigDict, ValidationError

from redmodel import TTL, Field, Indexed, Model, Unique, computed
from redmodel.errors import (
    AlreadyExists,
    BulkError,
    EncodingError,
    NotFound,
    QueryError,
    SchemaError,
    StaleWrite,
    UniqueViolation,
)
from tests.contract.test_verbs import keyspace


class Page(Model, prefix="pages", versioned=True):
    id: str
    title: Indexed[str]
    views: Indexed[int] = Field(default=0)
    tags: Indexed[list[str]] = Field(default_factory=list)
    note: str | None = None


class Member(Model, prefix="members", unique_together=[("team", "email"), ("team", "seat")]):
    id: str
    team: Indexed[str]
    email: str
    seat: int | None = None
    note: str = ""


class Draft(Model, prefix="drafts"):
    id: str
    title: Indexed[str]
    body: str = ""
    state: str = "new"
    code: Annotated[str | None, TTL(hours=1)] = None

    @computed(index=True, depends_on=["title", "state"])
    def label(self) -> str:
        return f"{self.title}/{self.state}"


# -- versions ----------------------------------------------------------------------------------------------------------


def test_a_save_of_what_another_changed_is_refused_and_names_the_fields(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Page(id="1", title="a"))
    mine, theirs = db.get(Page, "1"), db.find(Page).one()
    theirs.title, theirs.note = "b", "x"
    db.save(theirs)
    mine.views = 5
    before = keyspace(raw)
    with pytest.raises(StaleWrite, match="title, note") as refusal:
        db.save(mine)
    assert (refusal.value.fields, refusal.value.id, refusal.value.model) == (("title", "note"), "1", "Page")
    assert keyspace(raw) == before
    db.refresh(mine)
    mine.views = 5
    db.save(mine)
    assert db.get(Page, "1") == Page(id="1", title="b", views=5, note="x")
    theirs.note = "y"
    with pytest.raises(StaleWrite):
        db.save(theirs)


def test_a_writer_goes_on_from_its_own_saves(db: Any) -> None:
    page = Page(id="1", title="a")
    assert db.save(page)
    for n in range(3):
        page.views = n
        db.save(page)
        db.update(page, note=str(n))
        db.increment(page, views=10)
        db.append(page, tags=str(n))
        assert db.add(page, tags=str(n)) is False
        db.discard(page, tags=str(n))
    db.save(page)  # nothing to save
    db.save_many([page])
    assert db.get(Page, "1") == page
    assert db.delete(page)


@pytest.mark.parametrize("verb", ["update", "increment", "append", "discard", "save", "replace", "upsert", "edit"])
def test_every_write_makes_a_new_version(db: Any, verb: str) -> None:
    db.save(Page(id="1", title="a", tags=["t"]))
    mine = db.get(Page, "1")
    match verb:
        case "update":
            db.update(Page, "1", note="n")
        case "increment":
            db.increment(Page, "1", views=1)
        case "append":
            db.append(Page, "1", tags="a")
        case "discard":
            db.discard(Page, "1", tags="t")
        case "replace":
            db.replace(Page(id="1", title="b"))
        case "upsert":
            db.upsert(Page(id="1", title="b"))
        case "edit":
            db.modify(Page, "1", lambda page: setattr(page, "title", "b"))
        case _:
            other = db.get(Page, "1")
            other.note = "n"
            db.save(other)
    for action in (lambda: db.save(mine), lambda: db.update(mine, note="m"), lambda: db.delete(mine)):
        mine.note = "mine"
        with pytest.raises(StaleWrite):
            action()
    with pytest.raises(BulkError) as refusal:
        db.save_many([mine, Page(id="2", title="c")])
    assert [type(error) for _, error in refusal.value.failures] == [StaleWrite]
    assert db.exists(Page, "2")


def test_what_was_written_behind_a_record_at_hand_is_not_taken_for_seen(db: Any) -> None:
    page = Page(id="1", title="a")
    db.save(page)
    db.update(Page, "1", title="b")
    db.increment(page, views=1)  # counts, whatever else changed
    page.title = "c"
    with pytest.raises(StaleWrite):
        db.save(page)
    assert db.get(Page, "1") == Page(id="1", title="b", views=1)


def test_a_new_object_is_no_way_around_a_version(db: Any) -> None:
    db.save(Page(id="1", title="a"))
    with pytest.raises(AlreadyExists):
        db.save(Page(id="1", title="b"))
    with pytest.raises(AlreadyExists):
        db.save(db.get(Page, "1").model_copy())
    gone = db.get(Page, "1")
    db.delete(Page, "1")
    gone.title = "c"
    with pytest.raises(NotFound):
        db.save(gone)
    db.save(Page(id="1", title="again"))
    with pytest.raises(StaleWrite):
        db.save(gone)  # one record of this id is not the next one


def test_records_from_before_a_model_had_versions(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Page(id="1", title="a"))
    raw("HDEL", "pages:1", "@version")
    mine, theirs = db.get(Page, "1"), db.get(Page, "1")
    theirs.views = 1
    db.save(theirs)
    mine.views = 2
    with pytest.raises(StaleWrite):
        db.save(mine)
    assert db.check(Page).clean


def test_an_unchanged_record_is_never_stale(db: Any) -> None:
    db.save(Page(id="1", title="a"))
    mine = db.get(Page, "1")
    db.update(Page, "1", note="n")
    db.save(mine)
    assert db.get(Page, "1").note == "n"


# -- edits -------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[Page, Draft])
def model(request: pytest.FixtureRequest) -> Any:
    return request.param


def edit(db: Any, model: Any, id: str, change: Callable[[Any], object]) -> Any:
    """A with block, in the handle's colour."""
    block = db.edit(model, id)
    if not hasattr(block, "__aenter__"):
        with block as record:
            change(record)
        return record

    async def main() -> Any:
        async with block as record:
            change(record)
        return record

    return db._loop.run_until_complete(main())


def test_an_edit_saves_what_the_block_changed(db: Any, model: Any) -> None:
    db.save(model(id="1", title="a"))
    record = edit(db, model, "1", lambda record: setattr(record, "title", "b"))
    assert db.get(model, "1") == record
    assert db.count(model, model.title == "b") == 1
    with pytest.raises(NotFound):
        edit(db, model, "2", lambda record: None)
    with pytest.raises(ZeroDivisionError):
        edit(db, model, "1", lambda record: (setattr(record, "title", "c"), 1 / 0))
    assert db.get(model, "1").title == "b"


def test_an_edit_takes_over_other_fields_and_refuses_the_same(db: Any, model: Any) -> None:
    db.save(model(id="1", title="a"))
    other = "note" if model is Page else "body"

    def meanwhile(record: Any, name: str) -> None:
        db.update(model, "1", **{name: "theirs"}) if name != "title" else db.modify(
            model, "1", lambda them: setattr(them, "title", "theirs")
        )
        record.title = f"mine, {name}"

    record = outside(db, model, "1", lambda record: meanwhile(record, other)) if model is Page else None
    if record is not None:
        assert getattr(record, other) == "theirs"  # taken over
        record.views = 7
        db.save(record)
    with pytest.raises(StaleWrite) as refusal:
        outside(db, model, "1", lambda record: meanwhile(record, "title"))
    assert refusal.value.fields == ("title",)
    assert db.get(model, "1").title == "theirs"
    assert db.check(model).clean


def outside(db: Any, model: Any, id: str, change: Callable[[Any], object]) -> Any:
    """A with block of which the body runs between the event loop's steps, so that it may use the blocking handle."""
    block = db.edit(model, id)
    if not hasattr(block, "__aenter__"):
        with block as record:
            change(record)
        return record
    record = db._loop.run_until_complete(block.__aenter__())
    change(record)
    db._loop.run_until_complete(block.__aexit__(None, None, None))
    return record


def test_modify_tries_again_until_nobody_came_between(make_db: Any, model: Any) -> None:
    db, other = make_db(), make_db()
    db.save(model(id="1", title="a"))
    calls: list[str] = []
    name = "note" if model is Page else "code"

    def change(record: Any) -> None:
        calls.append(record.title)
        record.title += "+"

    found = db.modify(model, "1", change)
    assert (found.title, calls) == ("a+", ["a"])
    stale = other.get(model, "1")
    setattr(stale, name, "theirs")
    first = iter([True])

    def meanwhile(record: Any) -> Any:
        calls.append(record.title)
        record.title += "!"
        if next(first, False):
            return _elsewhere(other, stale)
        return None

    found = db.modify(model, "1", meanwhile)
    assert (found.title, getattr(found, name), calls) == ("a+!", "theirs", ["a", "a+", "a+"])
    assert db.check(model).clean
    with pytest.raises(NotFound):
        db.modify(model, "2", change)


def _elsewhere(other: Any, record: Any) -> Any:
    """A save by the other handle, blocking, or to be awaited by the function's driver."""
    if not hasattr(other, "_database"):
        return other.save(record)
    return other._database.save(record)


# -- unique together ---------------------------------------------------------------------------------------------------


def test_unique_together(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Member(id="1", team="a", email="x@x", seat=1))
    db.save_many([Member(id="2", team="a", email="y@x", seat=2), Member(id="3", team="b", email="x@x", seat=1)])
    before = keyspace(raw)
    for refused in (
        lambda: db.save(Member(id="9", team="a", email="x@x")),
        lambda: db.save(Member(id="2", team="a", email="z@x", seat=1)),
        lambda: db.update(Member, "2", email="x@x"),
        lambda: db.update(Member, "3", team="a"),
        lambda: db.update(Member, "2", seat=1, note="n"),
        lambda: db.upsert(Member(id="3", team="a", email="x@x")),
        lambda: db.modify(Member, "2", lambda member: setattr(member, "seat", 1)),
        lambda: db.save_many([Member(id="9", team="a", email="x@x")]),
    ):
        with pytest.raises((UniqueViolation, BulkError)) as refusal:
            refused()
        error = refusal.value.failures[0][1] if isinstance(refusal.value, BulkError) else refusal.value
        assert error.fields in (("team", "email"), ("team", "seat"))
        assert "together" in str(error)
    with pytest.raises(QueryError, match="indexed together"):
        db.increment(Member, "2", seat=1)
    assert keyspace(raw) == before
    db.update(Member, "2", email="x@x", team="c")
    db.update(Member, "1", email="w@x")
    db.save(Member(id="4", team="a", email="x@x"))
    assert db.check(Member).clean


def test_what_is_none_is_not_compared(db: Any) -> None:
    db.save_many([Member(id=str(n), team="a", email=str(n)) for n in range(3)])
    assert db.count(Member) == 3
    db.update(Member, "0", seat=1)
    with pytest.raises(UniqueViolation):
        db.update(Member, "1", seat=1)
    db.update(Member, "0", seat=None)
    db.update(Member, "1", seat=1)
    assert db.check(Member).clean


@pytest.mark.parametrize("way", ["delete", "expire", "raw"])
def test_values_are_free_when_their_owner_is_gone(db: Any, raw: Callable[..., Any], way: str) -> None:
    import time

    db.save(Member(id="1", team="a", email="x@x"), ttl=timedelta(milliseconds=20) if way == "expire" else None)
    if way == "delete":
        db.delete(Member, "1")
    elif way == "raw":
        raw("DEL", "members:1")
    else:
        time.sleep(0.05)
    assert db.save(Member(id="2", team="a", email="x@x"))
    assert db.check(Member).clean or way != "delete"
    db.repair(Member)
    assert db.check(Member).clean
    with pytest.raises(UniqueViolation):
        db.save(Member(id="3", team="a", email="x@x"))


def test_partial_saves_that_meet_compare_what_will_be_stored(make_db: Any) -> None:
    one, two = make_db(), make_db()
    one.save_many([Member(id="1", team="a", email="x"), Member(id="2", team="b", email="y")])
    mine, theirs = one.get(Member, "1"), two.get(Member, "1")
    theirs.team = "b"
    two.save(theirs)
    mine.email = "y"  # (a, y) would be free, but the record is of team b by now
    with pytest.raises(UniqueViolation):
        one.save(mine)
    mine.email = "z"
    one.save(mine)
    assert (one.get(Member, "1").team, one.get(Member, "1").email, mine.team) == ("b", "z", "b")
    assert one.check(Member).clean
    two.save(Member(id="3", team="a", email="z"))


def test_values_that_look_alike_when_joined(db: Any) -> None:
    pairs = [
        ("a,b", "c"),
        ("a", "b,c"),
        ("a%2Cb", "c"),
        ("~a", "b"),
        ("a", "~b"),
        ("x" * 99, "y"),
        ("", ""),
        ("\0", ""),
    ]
    db.save_many([Member(id=str(n), team=team, email=email) for n, (team, email) in enumerate(pairs)])
    assert db.check(Member).clean
    for team, email in pairs:
        with pytest.raises(UniqueViolation):
            db.save(Member(id="new", team=team, email=email))


def test_computed_fields_follow_what_others_wrote(make_db: Any) -> None:
    one, two = make_db(), make_db()
    one.save(Draft(id="1", title="a"))
    mine, theirs = one.get(Draft, "1"), two.get(Draft, "1")
    theirs.state = "done"
    two.save(theirs)
    mine.title = "b"
    one.save(mine)
    assert one.find(Draft, Draft.label == "b/done").one().state == "done"
    assert one.check(Draft).clean


def test_rules_that_cannot_work_are_refused() -> None:
    for groups in (
        ["team"],
        [("team",)],
        [("team", "team")],
        [("team", "nothing")],
        [("team", "tags")],
        "team",
        [("id", "team")],
    ):
        with pytest.raises(SchemaError):

            class Refused(Model, prefix="refused-together", unique_together=groups):  # type: ignore[arg-type]
                team: str
                tags: list[str] = Field(default_factory=list)

    with pytest.raises(SchemaError):

        class Wrong(Model, prefix="refused-versions", versioned="yes"):  # type: ignore[arg-type]
            team: str


# -- whatever is stored ------------------------------------------------------------------------------------------------


def test_upsert_creates_or_writes_what_was_given(db: Any) -> None:
    assert db.upsert(Draft(id="1", title="a", body="text"))
    assert db.upsert(Draft(id="1", title="b", state="x")) is False
    assert db.get(Draft, "1") == Draft(id="1", title="b", body="text", state="x")
    assert db.find(Draft, Draft.label == "b/x").one().body == "text"
    loaded = db.get(Draft, "1")
    loaded.body = "more"
    assert db.upsert(loaded) is False
    assert db.get(Draft, "1").body == "more"
    assert db.upsert(Draft(id="1", title="c")) is False
    assert db.find(Draft, Draft.label == "c/x").one().body == "more"


def test_replace_leaves_nothing_of_what_was_there(db: Any, raw: Callable[..., Any]) -> None:
    with pytest.raises(NotFound):
        db.replace(Draft(id="1", title="a"))
    db.save(Draft(id="1", title="a", body="text", code="1"), ttl=100)
    raw("HSET", "drafts:1", "from_an_older_version", "x")
    db.save(Draft(id="1", title="b"), ttl=100)
    assert raw("HEXISTS", "drafts:1", "from_an_older_version") == 1
    db.replace(Draft(id="1", title="c"))
    assert raw("HEXISTS", "drafts:1", "from_an_older_version") == 0
    assert raw("PTTL", "drafts:1") == -1
    assert db.get(Draft, "1") == Draft(id="1", title="c")
    assert db.find(Draft, Draft.title == "c").one().code is None
    assert db.check(Draft).clean


def test_a_refused_replace_writes_nothing(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many([Member(id="1", team="a", email="x"), Member(id="2", team="a", email="y")])
    before = keyspace(raw)
    with pytest.raises(UniqueViolation):
        db.replace(Member(id="2", team="a", email="x"))
    with pytest.raises(UniqueViolation):
        db.upsert(Member(id="2", team="a", email="x"))
    assert keyspace(raw) == before


# -- validation on assignment ------------------------------------------------------------------------------------------


class Strict(Model, prefix="strict-assignments"):
    id: str
    age: Indexed[int] = Field(default=0, ge=0)
    email: Unique[str] = "e"


class Loose(Model, prefix="loose-assignments"):
    model_config = ConfigDict(validate_assignment=False)
    id: str
    age: Indexed[int] = Field(default=0, ge=0)
    name: str = ""


def test_assignments_are_validated_or_judged_when_saved_and_only_changes_travel(db: Any) -> None:
    db.save_many([Strict(id="1"), Loose(id="1")])
    strict, loose = db.get(Strict, "1"), db.get(Loose, "1")
    with pytest.raises(ValidationError):
        strict.age = -1
    strict.age = "7"  # made an int at once
    assert strict.age == 7
    loose.age = -1
    with pytest.raises(EncodingError):
        db.save(loose)
    loose.age = 7
    db.update(Loose, "1", name="theirs")
    db.save_many([strict, loose])
    assert (db.get(Strict, "1").age, db.get(Loose, "1").age, db.get(Loose, "1").name) == (7, 7, "theirs")
    assert db.count(Strict, Strict.age == 7) == db.count(Loose, Loose.age == 7) == 1
