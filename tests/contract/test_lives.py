"""How long records live: from a field, sliding with reads, and swept when idle; exact on every back end."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest

from redmodel import (
    TTL,
    BulkError,
    EncodingError,
    ExpiresAt,
    Field,
    Indexed,
    Key,
    Model,
    NotFound,
    QueryError,
    ReadOnly,
    Ref,
    SchemaError,
    Unique,
)
from tests.contract.models import Session, User, user
from tests.contract.test_relations import Trips
from tests.contract.test_verbs import keyspace


class Offer(Model, prefix="lives-offers"):
    code: Unique[str]
    city: Indexed[str] = "Oslo"
    ends: Annotated[Indexed[datetime | None], ExpiresAt()] = Field(default=None)


class Visit(Model, prefix="lives-visits", ttl=timedelta(seconds=30), sliding=True):
    place: Indexed[str] = "here"
    offer: Ref[Offer | None] = Field(default=None)
    code: Annotated[str | None, TTL(minutes=5)] = None


def from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_record_lives_until_the_moment_that_its_field_names(db: Any, raw: Callable[..., Any]) -> None:
    ends = from_now(100)
    db.save(Offer(id="1", code="a", ends=ends))
    assert db.get(Offer, "1").ends == ends
    deadline = int(raw("ZSCORE", "lives-offers@expires", "1"))
    assert deadline == int(ends.timestamp() * 1_000_000) // 1000
    assert 99 < db.ttl(Offer, "1").total_seconds() <= 100
    assert db.count(Offer, Offer.ends < from_now(200)) == 1


def test_saving_or_updating_the_field_moves_the_end(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Offer(id="1", code="a", ends=from_now(100)))
    offer = db.get(Offer, "1")
    offer.city = "Rome"
    db.save(offer)
    assert 98 < db.ttl(offer).total_seconds() <= 100
    offer.ends = from_now(200)
    db.save(offer)
    assert 198 < db.ttl(offer).total_seconds() <= 200
    db.update(Offer, "1", ends=from_now(300))
    assert 298 < db.ttl(offer).total_seconds() <= 300
    db.update(Offer, "1", city="Paris")
    assert 298 < db.ttl(offer).total_seconds() <= 300
    db.update(offer, ends=None)
    assert db.ttl(offer) is None and raw("EXISTS", "lives-offers@expires") == 0
    db.save_many([Offer(id="2", code="b", ends=from_now(50)), Offer(id="3", code="c")])
    assert 48 < db.ttl(Offer, "2").total_seconds() <= 50 and db.ttl(Offer, "3") is None


def test_a_moment_that_is_past_ends_the_record_at_once(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Offer(id="1", code="a", ends=from_now(100)))
    db.update(Offer, "1", ends=from_now(-5))
    assert not db.exists(Offer, "1") and db.count(Offer) == 0 and db.find(Offer, Offer.city == "Oslo").all() == []
    db.save(Offer(id="2", code="a", ends=datetime(1969, 1, 1, tzinfo=UTC)))
    assert db.count(Offer) == 0
    db.save(Offer(id="3", code="a"))
    assert [offer.id for offer in db.find(Offer)] == ["3"] and db.check(Offer).clean


def test_zones_and_naive_times_name_the_same_moment(db: Any) -> None:
    moment = from_now(1000).replace(microsecond=0)
    for n, ends in enumerate([moment, moment.astimezone(timezone(timedelta(hours=5))), moment.replace(tzinfo=None)]):
        db.save(Offer(id=str(n), code=str(n), ends=ends))
        assert db.get(Offer, str(n)).ends == ends and 995 < db.ttl(Offer, str(n)).total_seconds() <= 1000


def test_the_field_alone_says_when(db: Any) -> None:
    offer = Offer(id="1", code="a", ends=from_now(100))
    with pytest.raises(QueryError, match="set it"):
        db.save(offer, ttl=5)
    with pytest.raises(BulkError, match="set it"):
        db.save_many([offer], ttl=5)
    db.save(offer)
    for attempt in (lambda: db.touch(offer, ttl=5), lambda: db.persist(offer)):
        with pytest.raises(QueryError, match="update"):
            attempt()
    with pytest.raises(EncodingError):
        db.save(Offer(id="2", code="b", ends=datetime(9999, 12, 31)).model_copy(update={"ends": "soon"}))
    db.save(Offer(id="2", code="b", ends=datetime(9999, 12, 31)))
    assert db.ttl(Offer, "2") > timedelta(days=365 * 1000)


def test_everything_is_exact_when_the_moment_comes(db: Any) -> None:
    ends = from_now(0.25)
    db.save(Offer(id="1", code="a", ends=ends))
    db.save(Offer(id="2", code="b", city="Oslo"))
    db.save(Visit(id="v", offer="1"))
    seen = []
    while len(seen) < 3 or seen[-1] == 2:
        moment = datetime.now(UTC)
        total = db.count(Offer)
        assert total == db.count(Offer, Offer.city == "Oslo") or datetime.now(UTC) >= ends
        assert (total == 2) is (moment < ends) or abs((datetime.now(UTC) - ends).total_seconds()) < 0.1
        seen.append(total)
    assert db.find(Offer, Offer.code == "a").first() is None and db.count(Offer, Offer.ends != None) == 0
    db.save(Offer(id="3", code="a"))
    visit = db.get(Visit, "v", prefetch=[Visit.offer])
    assert visit.offer.missing and db.find(Visit, Visit.offer == "1").one() == visit


def lives(raw: Callable[..., Any], id: str) -> tuple[int, float]:
    return raw("PTTL", f"lives-visits:{id}"), float(raw("ZSCORE", "lives-visits@expires", id))


def test_reading_by_id_begins_the_time_anew_in_the_same_trip(db: Any, raw: Callable[..., Any]) -> None:
    ids = ["1", "2", "3"]
    trips = Trips(db)
    for read in (
        lambda: db.get(Visit, "1"),
        lambda: db.get_many(Visit, [*ids, "none"]),
        lambda: db.touch(Visit, "1"),
        lambda: db.refresh(Visit(id="1")),
    ):
        db.save_many((Visit(id=id) for id in ids), ttl=5)
        moment = float(raw("TIME")[0])
        assert trips.round_trips
        read()
        assert trips.round_trips == 1
        left, deadline = lives(raw, "1")
        assert 25_000 < left <= 30_000 and moment * 1000 + 25_000 < deadline
        assert db.check(Visit).clean
        assert trips.round_trips


def test_queries_counts_and_references_do_not_slide(db: Any, raw: Callable[..., Any]) -> None:
    db.save(Visit(id="1"), ttl=5)
    db.find(Visit, Visit.place == "here").all(), db.count(Visit), db.exists(Visit, "1"), db.ttl(Visit, "1")
    assert lives(raw, "1")[0] <= 5000


def test_reading_never_shortens_a_life(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many([Visit(id="long")], ttl=500)
    db.save(Visit(id="ever"), ttl=None)
    db.get_many(Visit, ["long", "ever"])
    assert lives(raw, "long")[0] > 400_000
    assert raw("PTTL", "lives-visits:ever") == -1 and db.ttl(Visit, "ever") is None
    with pytest.raises(NotFound):
        db.get(Visit, "none")
    assert db.check(Visit).clean


def test_a_read_only_handle_reads_without_sliding(make_db: Callable[..., Any], raw: Callable[..., Any]) -> None:
    make_db().save(Visit(id="1"), ttl=5)
    reader = make_db(read_only=True)
    assert reader.get(Visit, "1").id == reader.get_many(Visit, ["1"])[0].id == "1"
    assert lives(raw, "1")[0] <= 5000
    with pytest.raises(ReadOnly):
        reader.persist(Visit, "1")


def test_persist_and_ttl(db: Any) -> None:
    session = Session(id="1", token="t", user="u")
    db.save(session)
    assert 3590 < db.ttl(session).total_seconds() <= 3600
    assert db.persist(session) and db.ttl(session) is None and db.check(Session).clean
    db.save(user(1, id="1"))
    assert db.ttl(User, "1") is None and db.touch(User, "1", ttl=7) and db.ttl(User, "1") <= timedelta(seconds=7)
    assert db.persist(User, "none") is False
    with pytest.raises(NotFound):
        db.ttl(User, "none")


def wait_for(condition: Callable[[], bool], db: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        if hasattr(db, "_loop"):
            import asyncio

            db._loop.run_until_complete(asyncio.sleep(0.01))
        time.sleep(0.01)
    assert condition()


def enter(db: Any, sweeper: Any) -> Callable[[], None]:
    """Enters a sweeper of either colour; what is given back leaves it."""
    if hasattr(sweeper, "__enter__"):
        sweeper.__enter__()
        return lambda: sweeper.__exit__(None, None, None)
    assert inspect.iscoroutinefunction(sweeper.__aenter__)
    db._loop.run_until_complete(sweeper.__aenter__())
    return lambda: db._loop.run_until_complete(sweeper.__aexit__(None, None, None))


def test_a_sweeper_clears_models_that_nobody_asks(db: Any, raw: Callable[..., Any]) -> None:
    db.save_many((Session(id=str(n), token=str(n), user="u") for n in range(40)), ttl=0.05)
    db.save(Visit(id="1"), ttl=0.05)
    sweeper = db.sweeper(Session, Visit, every=0.02)
    leave = enter(db, sweeper)
    wait_for(lambda: keyspace(raw) == {}, db)
    leave()
    assert sweeper.error is None
    turns = sweeper.turns
    time.sleep(0.05)
    assert sweeper.turns == turns
    leave = enter(db, sweeper)
    wait_for(lambda: sweeper.turns > turns, db)
    leave()


def test_what_can_not_be_swept_is_refused(db: Any, make_db: Callable[..., Any]) -> None:
    for attempt in (lambda: db.sweeper(), lambda: db.sweeper(Session, every=None)):
        with pytest.raises(QueryError):
            attempt()
    with pytest.raises(SchemaError):
        db.sweeper(Model)
    with pytest.raises(EncodingError):
        db.sweeper(Session, every=0)
    reader = make_db(read_only=True)
    with pytest.raises(ReadOnly):
        enter(reader, reader.sweeper(Session))


def test_declarations_that_contradict_each_other() -> None:
    with pytest.raises(SchemaError, match="holds a datetime"):

        class Wrong(Model, prefix="lives-wrong"):
            ends: Annotated[int, ExpiresAt()]

    with pytest.raises(SchemaError, match="both a ttl and ends"):

        class Both(Model, prefix="lives-both", ttl=5):
            ends: Annotated[datetime, ExpiresAt()]

    with pytest.raises(SchemaError, match="2 fields"):

        class Two(Model, prefix="lives-two"):
            ends: Annotated[datetime, ExpiresAt()]
            stops: Annotated[datetime, ExpiresAt()]

    with pytest.raises(SchemaError, match="no ttl to begin anew"):

        class NoTtl(Model, prefix="lives-no-ttl", sliding=True):
            x: int = 0

    with pytest.raises(SchemaError, match="no TTL of its own"):

        class Own(Model, prefix="lives-own"):
            ends: Annotated[datetime | None, ExpiresAt(), TTL(hours=1)] = None

    with pytest.raises(SchemaError, match="no id"):

        class AsKey(Model, prefix="lives-key"):
            ends: Annotated[Key[datetime], ExpiresAt()]

    with pytest.raises(SchemaError, match="no effect inside"):

        class Buried(Model, prefix="lives-buried"):
            ends: Annotated[datetime, ExpiresAt()] | None = None


def test_sliding_is_inherited_with_the_ttl() -> None:
    class Base(Model, ttl=5, sliding=True):
        x: int = 0

    class Child(Base, prefix="lives-child"):
        pass

    class Lasting(Base, prefix="lives-lasting", ttl=None):
        pass

    from redmodel.model import schema_of

    assert schema_of(Child).sliding and not schema_of(Lasting).sliding
