"""Queries where nothing can be written, on a replica or by a user who may only read: answers are exact all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from redmodel import Database, Field, Indexed, Model, ReadOnly, RedModelError, Unique
from redmodel.plan import stream
from tests.servers import RealServer, redis6_binary, redis7_binary

RIGHTS = {
    # The least: docs/how-to/read-only.md.
    "redis7": "+@read +evalsha +script|load +time",
    "redis6": "+@read +evalsha +script +time",
}


class Note(Model, prefix="ro-notes"):
    id: str
    place: Indexed[str]
    size: Indexed[int | None]
    code: Unique[str | None] = Field(default=None)
    tags: Indexed[list[str]] = Field(default_factory=list)


@pytest.fixture(scope="module", params=["redis7", "redis6"])
def master(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    binary = {"redis7": redis7_binary, "redis6": redis6_binary}[request.param]()
    if binary is None:
        pytest.skip(f"there is no {request.param}")
    with RealServer(binary, options={"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0"}) as server:
        yield server


@pytest.fixture
def filled(master: RealServer) -> Database:
    """Thirty living records, a hundred and fifty that expired, and five whose hash another program deleted."""
    master.flush()
    db = Database(master.unix_url)
    db.save_many(a_note(n) for n in range(35))
    for n in range(1000, 1150):
        db.save(a_note(n), ttl=timedelta(milliseconds=1))
    for n in range(30, 35):
        master.command("DEL", f"ro-notes:{n}")
    time.sleep(0.01)
    return db


def a_note(n: int) -> Note:
    return Note(id=str(n), place="ab"[n % 2], size=None if n % 5 == 0 else n, code=f"c{n}", tags=["t"] * (n % 3))


def answers_are_exact(db: Database, *, stale: bool) -> None:
    """Stale entries are told by looking at the record: a count that looks at none may hold them."""
    notes = [a_note(n) for n in range(30)]

    def sizes(found: Any) -> list[int | None]:
        return sorted((note.size for note in found), key=lambda size: size or 0)

    assert sizes(db.find(Note)) == sizes(notes)
    assert sizes(db.find(Note).stream(batch=7)) == sizes(notes)
    assert sizes(db.find(Note, Note.place == "a").all()) == sizes(n for n in notes if n.place == "a")
    assert db.find(Note, Note.size > 20).order_by(-Note.size).values(Note.size).all() == [
        (note.size,) for note in sorted(notes, key=lambda n: -(n.size or 0)) if (note.size or 0) > 20
    ]
    page = db.find(Note, Note.tags.contains("t")).order_by(Note.size).page(1, size=5)
    assert len(page.items) == 5
    assert len(db.find(Note).order_by(Note.size).after(size=20).items) == 20
    assert db.find(Note, Note.code == "c3").one().id == "3"
    assert db.get(Note, "7") == notes[7]
    assert db.get_many(Note, ["1", "1001", "31"]) == [notes[1], None, None]
    assert not db.exists(Note, "1001")
    if not stale:
        assert db.count(Note) == 30
        assert page.total == sum(bool(note.tags) for note in notes)
        assert db.find(Note).sum(Note.size) == sum(note.size or 0 for note in notes)
        assert db.find(Note).group_by(Note.place).count() == {"a": 15, "b": 15}
    else:
        assert 30 <= db.count(Note) <= 35


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("stale", [True, False])
def test_a_user_who_may_only_read(master: RealServer, filled: Database, read_only: bool, stale: bool) -> None:
    if not stale:
        filled.find(Note).all()
    before = keys_of(master)
    rights = RIGHTS["redis6" if master.version < (7, 0) else "redis7"].split()
    master.command("ACL", "SETUSER", "reader", "reset", "on", ">secret", "~ro-notes*", *rights)
    master.command("SCRIPT", "FLUSH")
    url = f"redis://reader:secret@{master.host}:{master.port}"
    with Database(url, read_only=read_only) as db:
        answers_are_exact(db, stale=stale)
        with pytest.raises(ReadOnly if read_only else RedModelError):
            db.save(a_note(1))
    assert keys_of(master) == before
    filled.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_replica(master: RealServer, filled: Database, read_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "FEW", 5)  # else few records are found at one moment
    with RealServer(master.binary) as replica:
        replica.command("REPLICAOF", master.host, master.port)
        deadline = time.monotonic() + 20
        while replica.command("EXISTS", "ro-notes:29") != 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        with Database(replica.unix_url, read_only=read_only, retry_seconds=0) as db:
            answers_are_exact(db, stale=True)
            with pytest.raises(RedModelError):
                db.save(a_note(1))
        filled.find(Note).all()
        while replica.command("SCARD", "ro-notes@ids") != 30 and time.monotonic() < deadline:
            time.sleep(0.01)
        with Database(replica.unix_url, read_only=read_only) as db:
            answers_are_exact(db, stale=False)
    filled.close()


def keys_of(master: RealServer) -> Any:
    keys = master.command("KEYS", "*")
    assert isinstance(keys, list)
    return sorted(keys)
