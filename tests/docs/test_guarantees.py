"""What docs/explanation/guarantees.md promises about servers in trouble, where no other room's tests look."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from redmodel import AlreadyExists, Database, Indexed, Model, ReplyError, Unique
from redmodel.plan.core import Batch, Reply
from tests.servers import RealServer


class Parcel(Model, prefix="guarantee-parcels"):
    code: Unique[str]
    weight: Indexed[int]
    note: str = ""


@pytest.fixture
def db(redis7: RealServer) -> Iterator[Database]:
    redis7.flush()
    with Database(redis7.unix_url) as db:
        yield db


def test_a_full_server_refuses_a_save_whole(redis7: RealServer, db: Database) -> None:
    db.save(Parcel(id="1", code="a", weight=1))
    loaded = db.get(Parcel, "1")
    loaded.weight = 2
    before = {key: db.client.dump(key) for key in db.client.keys("*")}
    redis7.command("CONFIG", "SET", "maxmemory", "1")
    try:
        for record in (Parcel(id="2", code="b", weight=1), Parcel(id="1", code="c", weight=3), loaded):
            with pytest.raises(ReplyError, match="OOM"):
                db.save(record)
        assert db.delete(Parcel, "none") is False
    finally:
        redis7.command("CONFIG", "SET", "maxmemory", "0")
    assert {key: db.client.dump(key) for key in db.client.keys("*")} == before
    assert db.save(loaded) is False


def test_a_read_only_handle_reads_a_replica_exactly(redis7: RealServer, db: Database) -> None:
    db.save_many((Parcel(code=f"short{n}", weight=n) for n in range(20)), ttl=1)
    db.save(Parcel(code="long", weight=5))
    with (
        RealServer(redis7.binary, options={"replicaof": f"{redis7.host} {redis7.port}"}) as replica,
        Database(replica.unix_url, read_only=True) as reader,
    ):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and reader.client.info("replication")["master_link_status"] != "up":
            time.sleep(0.05)
        assert reader.count(Parcel) in (1, 21)
        time.sleep(1.1)
        assert reader.count(Parcel) == 1
        assert [parcel.code for parcel in reader.find(Parcel).page().items] == ["long"]
        assert reader.find(Parcel, Parcel.code == "short1").first() is None


class LosesReplies:
    """An executor whose replies are lost on the way: each batch is sent again, as a broken connection has it."""

    def __init__(self, inner: Any, meanwhile: Callable[[], object]) -> None:
        self._inner = inner
        self._meanwhile = meanwhile

    def execute(self, batch: Batch) -> Sequence[Reply]:
        self._inner.execute(batch)
        self._meanwhile()
        replies: Sequence[Reply] = self._inner.execute(batch)
        return replies


def _lossy(url: str, meanwhile: Callable[[], object] = lambda: None) -> Database:
    db = Database(url)
    db._executor = db._writer = LosesReplies(db._executor, meanwhile)
    return db


def test_a_save_that_is_sent_again_answers_as_it_did(redis7: RealServer, db: Database) -> None:
    with _lossy(redis7.unix_url) as lossy:
        assert lossy.save(Parcel(id="1", code="a", weight=1), only_if="new") is True
        assert lossy.save_many([Parcel(id="2", code="b", weight=2)], only_if="new") == 1
        loaded = lossy.get(Parcel, "1")
        loaded.weight = 5
        assert lossy.save(loaded) is False
        assert lossy.delete(loaded) is False  # it was there, and is gone
    assert (db.count(Parcel), db.count(Parcel, Parcel.weight == 2)) == (1, 1)


def test_a_save_that_is_sent_again_after_another_writer(redis7: RealServer, db: Database) -> None:
    def meanwhile() -> None:
        if db.exists(Parcel, "1"):
            other = db.get(Parcel, "1")
            other.note = "seen"
            db.save(other)

    with _lossy(redis7.unix_url, meanwhile) as lossy:
        with pytest.raises(AlreadyExists):
            lossy.save(Parcel(id="1", code="a", weight=1), only_if="new")
        loaded = db.get(Parcel, "1")
        loaded.weight = 7
        assert lossy.save(loaded) is False
    again = db.get(Parcel, "1")
    assert (again.weight, again.note, db.count(Parcel, Parcel.weight == 7)) == (7, "seen", 1)


def test_a_second_process_that_may_not_attach_is_refused_with_the_holder_named(tmp_path: Path) -> None:
    with Database(f"embedded://{tmp_path / 'store'}") as db:
        db.save(Parcel(code="a", weight=1))
        script = (
            "from redmodel import Database, StoreLocked\n"
            "try:\n"
            f"    Database('embedded://{tmp_path / 'store'}?attach=no')\n"
            "except StoreLocked as error:\n"
            "    print(error.pid)\n"
        )
        ran = subprocess.run([sys.executable, "-c", script], cwd=Path.cwd(), capture_output=True, text=True, check=True)
        assert ran.stdout == f"{os.getpid()}\n"
