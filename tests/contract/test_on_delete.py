"""What a delete does to the records that refer to it, at once and in steps, on every back end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from redmodel import (
    ConnectionFailed,
    Database,
    Embedded,
    Field,
    Indexed,
    Model,
    Ref,
    Refs,
    Restricted,
    SchemaError,
    StaleWrite,
    WrongType,
)
from redmodel.model import rules_of, schema_of
from redmodel.plan import cascade
from tests.contract.test_relations import Trips
from tests.contract.test_verbs import keyspace


class Team(Model, prefix="del-teams"):
    name: Indexed[str] = ""


class Player(Model, prefix="del-players"):
    team: Ref[Team] = Field(on_delete="cascade")
    captain: Ref[Player | None] = Field(default=None, on_delete="set_null")
    name: Indexed[str] = ""


class Prize(Model, prefix="del-prizes"):
    player: Ref[Player] = Field(on_delete="restrict")
    team: Ref[Team | None] = Field(default=None, on_delete="cascade")


class Fan(Model, prefix="del-fans", versioned=True):
    team: Ref[Team | None] = Field(default=None, on_delete="set_null")
    likes: Refs[Player] = Field(default_factory=list, on_delete="cascade")
    name: str = ""


class Node(Model, prefix="del-nodes"):
    parent: Ref[Node | None] = Field(default=None, on_delete="cascade")


class Note(Model, prefix="del-notes"):
    team: Ref[Team]  # nothing declared: it stays, and leads nowhere


def filled(db: Any, players: int = 6) -> None:
    db.save_many(Team(id=id, name=id) for id in "ab")
    db.save_many(
        Player(id=f"p{n}", team="ab"[n % 2], captain=f"p{(n + 1) % players}", name=str(n % 3)) for n in range(players)
    )


def clean(db: Any) -> bool:
    return all(db.check(model).clean for model in (Team, Player, Prize, Fan, Node, Note))


def test_cascade_and_set_null_are_one_step(db: Any, raw: Callable[..., Any]) -> None:
    filled(db)
    db.save(Fan(id="f", team="a", likes=["p1", "p3"]))
    db.save(Note(id="n", team="a"))
    db.delete(Team, "none")
    trips = Trips(db)
    assert db.delete(Team, "a") is True and trips.round_trips == 1
    assert {p.id for p in db.find(Player)} == {"p1", "p3", "p5"}
    assert [p.captain for p in db.find(Player)] == [None] * 3
    assert db.count(Player, Player.captain == None) == 3 and db.count(Player, Player.captain == "p2") == 0
    assert raw("HEXISTS", "del-players:p1", "captain") == 0
    assert db.get(Fan, "f").team is None and db.count(Fan, Fan.team.is_null()) == 1
    assert db.get(Note, "n", prefetch=[Note.team]).team.missing
    assert clean(db)
    assert db.delete(Team, "a") is False


def test_a_list_that_names_the_record_cascades_too(db: Any) -> None:
    filled(db)
    db.save_many([Fan(id="f", likes=["p1", "p2"]), Fan(id="g", likes=["p3"])])
    assert db.delete(Player, "p2")
    assert [fan.id for fan in db.find(Fan)] == ["g"] and clean(db)


def test_restrict_names_who_refers_and_writes_nothing(db: Any, raw: Callable[..., Any]) -> None:
    filled(db)
    db.save(Prize(id="gold", player="p2"))
    before = keyspace(raw)
    for delete in (
        lambda: db.delete(Player, "p2"),
        lambda: db.delete(db.get(Player, "p2")),
        lambda: db.delete(Team, "a"),
    ):
        with pytest.raises(Restricted, match="'gold'") as caught:
            delete()
        error = caught.value
        assert (error.model, error.id, error.referrer) == ("Player", "p2", "Prize")
        assert (error.referrer_id, error.field) == ("gold", "player")
    assert keyspace(raw) == before
    db.delete(Prize, "gold")
    assert db.delete(Team, "a") and clean(db)


def test_what_goes_along_does_not_stand_in_the_way(db: Any) -> None:
    filled(db)
    db.save(Prize(id="gold", player="p2", team="a"))
    assert db.delete(Team, "a") and db.count(Prize) == 0 and db.count(Player) == 3 and clean(db)


def test_delete_many_does_the_same(db: Any) -> None:
    filled(db)
    assert db.delete_many(Team, ["a", "none", "b"]) == 2
    assert db.count(Player) == 0 and clean(db)


def test_circles_go_whole(db: Any) -> None:
    db.save_many(Node(id=str(n), parent=str((n + 1) % 5)) for n in range(5))
    db.save(Node(id="self", parent="self"))
    assert db.delete(Node, "self") and db.delete(Node, "3")
    assert db.count(Node) == 0 and clean(db)


def test_references_of_records_whose_time_is_over_do_not_count(db: Any) -> None:
    import time

    filled(db)
    db.save(Prize(id="brief", player="p2"), ttl=0.02)
    time.sleep(0.03)
    assert db.delete(Player, "p2") and db.count(Prize) == 0 and clean(db)


def test_a_record_that_was_changed_elsewhere_is_left_alone(db: Any, raw: Callable[..., Any]) -> None:
    filled(db)
    raw("HSET", "del-players:p0", "team", "b")
    assert db.delete(Team, "a")
    assert {p.id for p in db.find(Player)} == {"p0", "p1", "p3", "p5"}
    db.repair(Player)
    assert clean(db)


def test_deleting_what_is_gone_clears_up_after_it(db: Any, raw: Callable[..., Any]) -> None:
    filled(db)
    raw("DEL", "del-teams:a")
    assert db.delete(Team, "a") is False
    assert {p.id for p in db.find(Player)} == {"p1", "p3", "p5"} and clean(db)


def test_a_foreign_key_in_the_way_refuses_all(db: Any, raw: Callable[..., Any]) -> None:
    filled(db)
    for key in ("del-players@name:0", "del-players@captain:~null"):
        kept = raw("TYPE", key) != b"none"
        raw("RENAME", key, "aside") if kept else None
        raw("SET", key, "x")
        before = keyspace(raw)
        with pytest.raises(WrongType):
            db.delete(Team, "a")
        assert keyspace(raw) == before
        raw("DEL", key)
        raw("RENAME", "aside", key) if kept else None
    assert db.delete(Team, "a") and clean(db)


def test_a_versioned_record_that_loses_a_reference_is_changed(db: Any) -> None:
    filled(db)
    db.save_many([Fan(id="f", team="a"), Fan(id="g", likes=["p1"])])
    mine = db.get(Fan, "f")
    db.delete(Team, "a")
    mine.team = "b"
    with pytest.raises(StaleWrite, match="team"):
        db.save(mine)
    assert db.get(Fan, "f").team is None


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of seven records, so that deletes take many."""
    monkeypatch.setattr(cascade, "MOST", 7)


@pytest.mark.usefixtures("small")
def test_more_than_one_step_can_hold(db: Any) -> None:
    filled(db, players=40)
    db.save_many(Fan(id=str(n), team="a", likes=[f"p{n}", f"p{n + 1}"]) for n in range(10))
    db.save_many(Fan(id=f"x{n}", team="a") for n in range(10))
    assert db.delete(Team, "a") is True
    assert db.count(Player) == 20 and db.count(Team) == 1
    assert all(player.captain is None for player in db.find(Player))
    assert db.count(Fan) == db.count(Fan, Fan.team == None) == 10
    assert clean(db)


@pytest.mark.usefixtures("small")
def test_a_chain_and_a_circle_longer_than_one_step(db: Any) -> None:
    db.save_many(Node(id=str(n), parent=str(n - 1) if n else None) for n in range(120))
    assert db.delete(Node, "0") and db.count(Node) == 0
    db.save_many(Node(id=str(n), parent=str((n - 1) % 30)) for n in range(30))
    assert db.delete(Node, "4") and db.count(Node) == 0
    assert clean(db)


@pytest.mark.usefixtures("small")
def test_restrict_beyond_one_step(db: Any) -> None:
    filled(db, players=40)
    db.save(Prize(id="gold", player="p2"))
    with pytest.raises(Restricted, match="gold"):
        db.delete(Player, "p2")
    with pytest.raises(Restricted, match="gold"):
        db.delete(Team, "a")
    assert db.exists(Team, "a") and db.exists(Player, "p2") and clean(db)
    assert all(player.team.id == "a" or player.team.id == "b" for player in db.find(Player))
    db.delete(Prize, "gold")
    assert db.delete(Team, "a") and db.count(Player) == 20 and clean(db)


class Breaks:
    """An executor that fails after so many batches."""

    def __init__(self, inner: Any, after: int) -> None:
        self.inner, self.left = inner, after

    def execute(self, batch: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ConnectionFailed("gone")
        return self.inner.execute(batch)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5])
def test_a_long_delete_that_is_broken_off_leaves_nothing_that_leads_nowhere(db: Any, steps: int) -> None:
    filled(db, players=60)
    handle = getattr(db, "_database", db)
    writer = handle._writer
    handle._writer = Breaks(writer, steps)
    with pytest.raises(ConnectionFailed):
        db.delete(Team, "a")
    handle._writer = writer
    left = db.find(Player).prefetch(Player.team, Player.captain).all()
    assert len(left) <= 60 and not any(player.team.missing for player in left)
    assert not any(player.captain is not None and player.captain.missing for player in left)
    assert clean(db)
    assert db.delete(Team, "a") is True
    assert db.count(Player) == 30 and clean(db)


@pytest.mark.usefixtures("small")
def test_a_long_delete_beside_writers(make_db: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["make_db"].endswith("-async"):
        return  # the writers below are threads of blocking handles
    db = make_db()
    filled(db, players=60)
    over = threading.Event()
    errors: list[Exception] = []

    def write() -> None:
        try:
            n = 0
            while not over.is_set():
                n += 1
                other.save(Player(id=f"w{n % 20}", team="b", captain=f"w{(n + 1) % 20}"))
                other.delete(Player, f"w{(n + 7) % 20}")
        except Exception as error:
            errors.append(error)

    other = db
    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert db.delete(Team, "a") is True
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert db.count(Player, Player.team == "a") == 0 and db.check(Player).clean and db.check(Team).clean


def test_declarations_that_can_not_be_kept() -> None:
    with pytest.raises(SchemaError, match="no Ref"):

        class Plain(Model, prefix="del-plain"):
            x: int = Field(default=0, on_delete="cascade")

    with pytest.raises(SchemaError, match="no Ref"):

        class Number(Model, prefix="del-number"):
            x: Indexed[int] = Field(default=0, on_delete="cascade")

    with pytest.raises(SchemaError, match="not 'drop'"):

        class Wrong(Model, prefix="del-wrong"):
            x: Ref[Team] = Field(on_delete="drop")  # type: ignore[arg-type]

    with pytest.raises(SchemaError, match="can't be set to None"):

        class NoNone(Model, prefix="del-no-none"):
            x: Ref[Team] = Field(on_delete="set_null")

    with pytest.raises(SchemaError, match="For a list"):

        class List(Model, prefix="del-list"):
            x: Refs[Team] = Field(default_factory=list, on_delete="set_null")


class Stem(Model, prefix="del-stems"):
    parent: Ref[Stem | None] = Field(default=None, on_delete="cascade")


def test_rules_follow_the_models_that_are_declared() -> None:
    rules = rules_of(schema_of(Stem))
    assert rules_of(schema_of(Note)) is None
    assert rules is not None and len(rules.words) == 7

    class Inner(BaseModel):
        stem: Ref[Stem] = Field(on_delete="restrict")

    class Holder(Model, prefix="del-holders"):
        inner: Embedded[Inner]

    with Database("memory://") as db:
        db.save_many([Stem(id="1"), Stem(id="2", parent="1")])
        db.save(Holder(id="h", inner=Inner(stem="2")))
        with pytest.raises(Restricted) as caught:
            db.delete(Stem, "1")
        assert (caught.value.referrer, caught.value.field, caught.value.id) == ("Holder", "inner.stem", "2")
        db.delete(Holder, "h")
        assert db.delete(Stem, "1") and db.count(Stem) == 0


class Place(Model, prefix="places"):
    name: str


class Seat(Model, prefix="seats", unique_together=[("place", "number")]):
    place: Ref[Place | None] = Field(default=None, on_delete="set_null")
    number: int


def test_what_is_unique_together_with_a_reference_that_went_is_free(db: Any) -> None:
    place = Place(name="hall")
    db.save(place)
    seats = [Seat(id=str(n), place=place, number=n) for n in range(3)]
    db.save_many(seats)
    db.delete(place)
    assert [db.get(Seat, seat.id).place for seat in seats] == [None, None, None]
    assert db.check(Seat).drift == 0
    db.save(Seat(id="4", number=1))
    again = db.get(Seat, "1")
    again.number = 7
    db.save(again)
    assert db.check(Seat).drift == 0
