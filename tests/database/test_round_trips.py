"""How many times each verb goes to the server: counted by the server itself, as the reads that it made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from redmodel import AsyncDatabase, Database, Field, Model, Ref
from tests.contract.models import Code, Session, User, user
from tests.servers import RealServer


@pytest.fixture(params=["redis7", "redis6"])
def server(request: pytest.FixtureRequest) -> RealServer:
    real: RealServer = request.getfixturevalue(request.param)
    real.flush()
    return real


@pytest.fixture
def trips(server: RealServer) -> Iterator[Callable[[Callable[[], object]], int]]:
    """Counts the reads that the server makes while something runs."""
    with redis.Redis(unix_socket_path=server.socket_path, single_connection_client=True) as watcher:

        def count(action: Callable[[], object]) -> int:
            before = watcher.info("stats")["total_reads_processed"]
            action()
            return int(watcher.info("stats")["total_reads_processed"] - before - 1)

        yield count


class Shelf(Model, prefix="trip-shelves"):
    slots: dict[str, int] = Field(default_factory=dict)


class Leaf(Model, prefix="trip-leaves", versioned=True, unique_together=[("book", "place")]):
    book: str = "a"
    place: int = 1
    text: str = "a"


class Branch(Model, prefix="trip-branches", ttl=60, sliding=True):
    parent: Ref[Branch | None] = Field(default=None, on_delete="cascade")


def verbs(save: Callable[..., Any], db: Any) -> dict[str, tuple[Callable[[], object], int]]:
    """Each verb's call and the round trips that it may take."""
    loaded = user(1, id="1")
    leaf = Leaf(id="1")
    save(leaf)
    branch = Branch(id="2", parent="1")
    save(Branch(id="1")), save(branch)
    fresh = iter(user(n, id=str(n)) for n in range(100, 200))

    def change() -> object:
        loaded.age += 1
        return save(loaded)

    return {
        "save new": (lambda: save(next(fresh)), 1),
        "save again": (lambda: save(loaded), 1),
        "save changed": (change, 1),
        "save refused": (lambda: _refused(lambda: save(user(2, id="2", email=loaded.email))), 1),
        "get": (lambda: db.get(User, "1"), 1),
        "get of a record with fields that expire": (lambda: db.get_many(Code, ["1"]), 1),
        "get of a sliding record": (lambda: db.get(Branch, "1"), 1),
        "get_many of sliding records": (lambda: db.get_many(Branch, ["1", "2"]), 1),
        "get and prefetch": (lambda: db.get(Branch, "2", prefetch=[Branch.parent]), 2),
        "find and prefetch": (lambda: db.find(Branch, Branch.parent == "1").prefetch(Branch.parent).page(), 2),
        "load": (lambda: db.load(branch.parent), 1),
        "load again": (lambda: db.load(branch.parent), 0),
        "persist": (lambda: db.persist(Branch, "1"), 1),
        "ttl": (lambda: db.ttl(Branch, "1"), 1),
        "delete with what refers": (lambda: db.delete(Branch, "1"), 1),
        "exists": (lambda: db.exists(User, "1"), 1),
        "count": (lambda: db.count(User), 1),
        "count of a query": (lambda: db.count(User, User.age > 3, User.name == "x"), 1),
        "update": (lambda: db.update(User, "1", age=3), 1),
        "increment": (lambda: db.increment(User, "1", age=1), 1),
        "append": (lambda: db.append(User, "1", tags="a"), 1),
        "extend": (lambda: db.extend(User, "1", tags=["b", "c"]), 1),
        "prepend": (lambda: db.prepend(loaded, tags="d"), 1),
        "add": (lambda: db.add(User, "1", tags="e"), 1),
        "discard": (lambda: db.discard(User, "1", tags="a"), 1),
        "put": (lambda: db.put(Shelf, "1", slots={"a": 1}), 1),
        "upsert": (lambda: db.upsert(Shelf(id="1", slots={"b": 2})), 1),
        "replace": (lambda: db.replace(Shelf(id="1")), 1),
        "modify": (lambda: db.modify(Shelf, "1", lambda shelf: shelf.slots.update(c=3)), 2),
        "update of a versioned record": (lambda: db.update(leaf, text="b"), 1),
        "save of a versioned record": (lambda: (setattr(leaf, "text", leaf.text + "c"), save(leaf)), 1),
        "update of some that are unique together": (lambda: db.update(Leaf, "1", place=5), 2),
        "update of all that are unique together": (lambda: db.update(Leaf, "1", place=5, book="b"), 1),
        "touch": (lambda: db.touch(Session, "1"), 1),
        "refresh": (lambda: db.refresh(loaded), 1),
        "page": (lambda: db.find(User, User.age > 3, User.name == "N1").order_by(-User.age).page(size=20), 1),
        "first": (lambda: db.find(User).order_by(User.email).first(), 1),
        "all": (lambda: db.find(User, User.name.in_(["N1", "N2"])).all(), 1),
        "delete": (lambda: db.delete(User, "199"), 1),
        "transaction of 10 records": (lambda: _transaction(db), 1),
    }


def _transaction(db: Any) -> None:
    with db.transaction() as tx:
        for n in range(200, 206):
            tx.save(user(n, id=str(n)))
        for n in range(206, 208):
            tx.delete(User, str(n))
        tx.update(User, "1", bio="x")
        tx.touch(Session, "1")


def _refused(action: Callable[[], object]) -> None:
    with pytest.raises(Exception, match="unique"):
        action()


def test_each_verb_takes_one_round_trip(server: RealServer, trips: Callable[..., int]) -> None:
    with Database(server.unix_url) as db:
        db.save_many([user(1, id="1"), Session(id="1", token="t", user="u"), Code(id="1", number="1"), Shelf(id="1")])
        (
            db.find(User).page(),
            db.delete(User, "none"),
            db.delete(Branch, "none"),
            db.touch(Session, "1"),
            db.increment(User, "1", age=0),
            db.append(User, "1", tags="z"),
            _transaction(db),
        )  # the scripts are loaded at first use
        for name, (action, allowed) in verbs(db.save, db).items():
            if name == "save again":
                db.save(user(1, id="1"))
            assert trips(action) == allowed, name


def test_each_verb_takes_one_round_trip_in_asyncio(
    server: RealServer, trips: Callable[..., int], request: pytest.FixtureRequest
) -> None:
    from tests.contract.blocking import Blocking

    loop = asyncio.new_event_loop()
    db = Blocking(AsyncDatabase(server.unix_url), loop)
    request.addfinalizer(loop.close)
    request.addfinalizer(db.close)
    db.save_many([user(1, id="1"), Session(id="1", token="t", user="u"), Code(id="1", number="1"), Shelf(id="1")])
    (
        db.find(User).page(),
        db.delete(User, "none"),
        db.delete(Branch, "none"),
        db.touch(Session, "1"),
        db.increment(User, "1", age=0),
        db.append(User, "1", tags="z"),
        _transaction(db),
    )
    for name, (action, allowed) in verbs(db.save, db).items():
        assert trips(action) == allowed, name


def test_a_thousand_records_take_one_round_trip(server: RealServer) -> None:
    """The server reads a long batch in pieces; the handle sends it once and waits once."""
    with Database(server.unix_url) as db:
        db.save(user(0, id="0"))
        ids = [str(n) for n in range(1, 1001)]
        for action in (
            lambda: db.save_many(user(int(id), id=id) for id in ids),
            lambda: db.get_many(User, ids),
            lambda: db.find(User).page(size=1000),
            lambda: db.delete_many(User, ids),
        ):
            action()  # the scripts are loaded at first use
            before: int = db._executor.round_trips  # type: ignore[attr-defined]
            action()
            assert db._executor.round_trips - before == 1  # type: ignore[attr-defined]
