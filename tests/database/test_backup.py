"""Backups: the store as it was at one moment, whole or not at all, opened by the engine and by redis-server."""

from __future__ import annotations

import asyncio
import os
import random
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from redmodel import AsyncDatabase, Database, StorageError
from tests import servers
from tests.database.test_shared_store import Note, owner_of


def numbers(db: Database) -> list[int]:
    """The numbers of the pair of records that are always saved one after the other."""
    return [note.number for note in db.get_many(Note, ["first", "second"]) if note is not None]


@pytest.mark.parametrize("attached", [False, True])
def test_a_backup_under_load_is_one_moment(tmp_path: Path, attached: bool) -> None:
    url = f"embedded://{tmp_path / 'store'}"
    stop = threading.Event()

    def write(db: Database) -> None:
        number = 0
        client = db.client
        while not stop.is_set():
            number += 1
            db.save(Note(id="first", number=number))
            db.save(Note(id="second", number=number))
            pipe = client.pipeline(transaction=True)
            pipe.set("a", number).set("b", number).rpush("list", number).execute()

    def check(db: Database, before: int) -> None:
        first, second = numbers(db)
        assert first - second in (0, 1)
        assert first >= before
        client = db.client
        (a, b), items = client.mget("a", "b"), client.lrange("list", 0, -1)
        assert a == b
        assert [int(item) for item in items] == list(range(1, int(a) + 1))
        assert second - int(a) in (0, 1)
        assert db.count(Note, Note.number == first) in (1, 2)

    def back_up(db: Database) -> None:
        writer = threading.Thread(target=write, args=(db,))
        writer.start()
        try:
            while db.client.llen("list") < 5:
                pass
            for turn in range(5):
                before = db.get(Note, "first").number
                assert db.backup(tmp_path / f"backup{turn}") > 0
                with Database(f"embedded://{tmp_path / f'backup{turn}'}") as copy:
                    check(copy, before)
        finally:
            stop.set()
            writer.join()

    if attached:
        with owner_of(url), Database(url) as db:
            back_up(db)
    else:
        with Database(url) as db:
            back_up(db)


def test_a_backup_while_the_log_is_rewritten(tmp_path: Path) -> None:
    with Database(f"embedded://{tmp_path / 'store'}") as db:
        client = db.client
        rng = random.Random(3)
        for turn in range(8):
            client.mset({f"k{n}": rng.randbytes(50) for n in range(300)})
            expected = {key: client.dump(key) for key in client.keys("*")}
            with suppress(redis.ResponseError):  # the last one is still under way
                client.bgrewriteaof()
            db.backup(tmp_path / f"b{turn}")
            with Database(f"embedded://{tmp_path / f'b{turn}'}") as copy:
                assert {key: copy.client.dump(key) for key in copy.client.keys("*")} == expected


def test_redis_server_opens_a_backup(tmp_path: Path) -> None:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("needs a redis-server 7")
    with Database(f"embedded://{tmp_path / 'store'}") as db:
        db.save_many(Note(id=str(n), number=n) for n in range(100))
        db.backup(tmp_path / "copy")
        expected = {key: db.client.type(key) for key in db.client.keys("*")}
    options = {"appendonly": "yes", "dir": str(tmp_path / "copy")}
    with servers.RealServer(binary, options=options) as server:
        with redis.Redis(unix_socket_path=server.socket_path) as client:
            assert {key: client.type(key) for key in client.keys("*")} == expected
        with Database(server.unix_url) as db:
            assert db.count(Note, Note.number >= 50) == 50


def test_files_are_the_owners_and_nothing_is_overwritten(tmp_path: Path) -> None:
    with Database(f"embedded://{tmp_path / 'store'}") as db:
        db.save(Note(id="1", number=1))
        (tmp_path / "empty").mkdir()
        db.backup(tmp_path / "empty")
        db.backup(str(tmp_path / "new" / "deep"))
        for path in (tmp_path / "new" / "deep", *(tmp_path / "new" / "deep").rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        (tmp_path / "file").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        for taken in ("empty", "new", "file", "link", "store"):
            with pytest.raises(StorageError, match="overwrites nothing"):
                db.backup(tmp_path / taken)
        assert (tmp_path / "file").read_text() == "mine"
        if os.geteuid():
            locked = tmp_path / "locked"
            locked.mkdir(mode=0o500)
            with pytest.raises(StorageError):
                db.backup(locked / "in")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "locked") == [
        "empty", "file", "link", "new", "store",
    ]  # fmt: skip


def test_a_failing_copy_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from redmodel.engine.storage import backup

    with Database(f"embedded://{tmp_path / 'store'}") as db:
        db.save(Note(id="1", number=1))
        steps = ("create", "write", "fsync", "fsync_directory", "rename", "open_read", "make_directory")
        for step in steps:

            class Failing(backup.FileSystem):
                pass

            def fail(*_: object) -> None:
                raise OSError(28, "No space left on device")

            setattr(Failing, step, fail)
            with monkeypatch.context() as patch, pytest.raises(StorageError, match="No space"):
                patch.setattr(backup, "FileSystem", Failing)
                db.backup(tmp_path / "copy")
            assert [path.name for path in tmp_path.iterdir()] == ["store"], step
        assert db.backup(tmp_path / "copy") > 0
        assert db.count(Note) == 1


def test_only_stores_on_the_disk(tmp_path: Path, redis7: servers.RealServer) -> None:
    for url in ("memory://", redis7.unix_url):
        with Database(url) as db, pytest.raises(StorageError, match="embedded"):
            db.backup(tmp_path / "copy")


def test_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncDatabase(f"embedded://{tmp_path / 'store'}") as db:
            await asyncio.gather(*(db.save(Note(id=str(n), number=n)) for n in range(50)))
            await asyncio.gather(db.backup(tmp_path / "a"), db.save(Note(id="x", number=1)), db.backup(tmp_path / "b"))
            with pytest.raises(StorageError, match="overwrites nothing"):
                await db.backup(tmp_path / "a")

    asyncio.run(main())
    for name in ("a", "b"):
        with Database(f"embedded://{tmp_path / name}") as copy:
            assert copy.count(Note) in (50, 51)
