"""A store that takes no writes any more: who writes is told why, who reads goes on, and `recover` mends it."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from redmodel import AsyncDatabase, Database, Indexed, Model, ReadOnly, StorageError
from redmodel.engine.storage.files import FileSystem
from redmodel.errors import StoreLocked
from tests.database.test_shared_store import ROOT, owner_of

POLICIES = ["always", "everysec"]


class Pass(Model, prefix="passes", ttl=0.05):
    number: Indexed[int]


class Entry(Model, prefix="entries"):
    number: Indexed[int]
    text: str = ""


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, code: int, *steps: str) -> Iterator[None]:
    """Every one of these steps on the disk fails."""

    def fail(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        for step in steps:
            patch.setattr(FileSystem, step, fail)
        yield


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("policy", POLICIES)
def test_read_only_until_it_is_recovered(
    tmp_path: Path, policy: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(f"embedded://{tmp_path}?appendfsync={policy}") as db, Database(f"embedded://{tmp_path}") as reader:
        db.save(Entry(id="1", number=1))
        with failing(monkeypatch, code, "write", "create"):
            for _ in range(2):
                with pytest.raises(StorageError, match=os.strerror(code)) as caught:
                    db.save(Entry(id="2", number=2))
                assert "recover" in str(caught.value)
                assert caught.value.path
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                db.client.set("a", 1)
            with pytest.raises(StorageError, match=os.strerror(code)):
                db.recover()
            assert reader.get(Entry, "1").number == 1
        with pytest.raises(StorageError, match=os.strerror(code)):
            db.save(Entry(id="2", number=2))
        reader.recover()
        db.recover()  # nothing is wrong any more
        assert db.save(Entry(id="3", number=3))
    with Database(f"embedded://{tmp_path}") as db:
        assert {entry.id for entry in db.find(Entry)} >= {"1", "3"}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("known", [False, True], ids=["the reader is the first to meet it", "a writer has met it"])
def test_queries_that_would_purge_still_answer(
    tmp_path: Path, policy: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ("write", "fsync") if policy == "always" else ("write",)
    with Database(f"embedded://{tmp_path}?appendfsync={policy}") as db:
        for number in range(5):
            db.save(Pass(id=f"{number}", number=number))
        db.save(Pass(id="re-scored", number=7), ttl=60)
        db.save(Pass(id="persisted", number=8), ttl=60)
        client = db.client
        client.persist("passes:persisted")
        client.zadd("passes@expires", {"persisted": 5, "re-scored": 5})
        while client.exists("passes:4"):
            pass
        with failing(monkeypatch, errno.ENOSPC, *steps):
            if known:
                with pytest.raises(StorageError):
                    db.save(Entry(number=1))
            for _ in range(2):
                assert db.count(Pass) <= 2
                assert {found.number for found in db.find(Pass)} <= {7, 8}
                assert db.find(Pass, Pass.number < 5).count() == 0
                assert db.find(Pass, Pass.number >= 0).order_by(-Pass.number).page().total <= 2
                assert db.get_many(Pass, ["0", "4"]) == [None, None]
            with pytest.raises(StorageError):
                db.save(Entry(number=1))
        db.recover()
        assert db.count(Pass) == 2
        assert {found.number for found in db.find(Pass)} == {7, 8}


def test_a_purge_that_was_asked_for_says_that_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database(f"embedded://{tmp_path}?appendfsync=always") as db:
        db.save(Pass(id="1", number=1))
        while db.client.exists("passes:1"):
            pass
        with failing(monkeypatch, errno.ENOSPC, "write"):
            with pytest.raises(StorageError):
                db.save(Entry(number=1))
            with pytest.raises(StorageError):
                db.purge(Pass)
        db.recover()
        db.purge(Pass)
        assert db.client.zcard("passes@expires") == 0


@pytest.mark.parametrize("policy", POLICIES)
def test_a_removed_directory_is_made_again_and_others_find_it(tmp_path: Path, policy: str) -> None:
    url = f"embedded://{tmp_path / 'store'}?appendfsync={policy}"
    with owner_of(url) as owner, Database(url) as attached:
        attached.save(Entry(id="0", number=0))
        shutil.rmtree(tmp_path / "store")
        deadline = time.monotonic() + 30
        with pytest.raises(StorageError, match="deleted or replaced"):
            while time.monotonic() < deadline:  # with everysec it is noticed within a second
                attached.save(Entry(id="1", number=1))
        assert attached.count(Entry, Entry.number == 1) <= 1
        attached.recover()
        attached.save(Entry(id="2", number=2))
        code = "import sys; from redmodel import Database; print(Database(sys.argv[1]).client.exists('entries:2'))"
        out = subprocess.run(
            [sys.executable, "-c", code, url], check=True, capture_output=True, text=True, timeout=60, cwd=ROOT
        )
        assert out.stdout == "1\n", "another process comes in at the new socket"
        owner.communicate(timeout=20)
        assert attached.get(Entry, "2").number == 2
    with Database(url) as db:
        assert db.get(Entry, "2").number == 2


def test_another_store_in_the_place_of_a_removed_one_is_left_alone(tmp_path: Path) -> None:
    url = f"embedded://{tmp_path / 'store'}?appendfsync=always"
    with Database(url) as db:
        db.save(Entry(id="1", number=1))
        shutil.rmtree(tmp_path / "store")
        with owner_of(url) as other:
            with pytest.raises(StorageError, match="deleted or replaced"):
                db.save(Entry(id="2", number=2))
            with pytest.raises(StoreLocked, match=str(other.pid)):
                db.recover()
            other.communicate(timeout=20)
        with pytest.raises(StorageError, match="those of another store"):
            db.recover()
        (tmp_path / "store").rename(tmp_path / "theirs")
        db.recover()
        db.save(Entry(id="3", number=3))
    with Database(f"embedded://{tmp_path / 'theirs'}") as theirs, Database(url) as ours:
        assert theirs.client.exists("shared-notes:owner")
        assert theirs.count(Entry) == 0
        assert {entry.id for entry in ours.find(Entry)} >= {"1", "3"}


def test_recovering_gives_up_a_rewrite_that_is_under_way_and_allows_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(f"embedded://{tmp_path}?appendfsync=always") as db:
        db.save_many([Entry(id=f"{n}", number=n, text="x" * 100) for n in range(300)])
        held, go_on = threading.Event(), threading.Event()
        create = FileSystem.create

        def slowly(self: FileSystem, path: Path) -> int:
            if "temp-" in path.name and "base" in path.name:
                held.set()
                assert go_on.wait(30)
            return create(self, path)

        with monkeypatch.context() as patch:
            patch.setattr(FileSystem, "create", slowly)
            db.client.bgrewriteaof()
            assert held.wait(30)
        with failing(monkeypatch, errno.ENOSPC, "write"), pytest.raises(StorageError):
            db.save(Entry(id="new", number=-1))
        threading.Timer(0.2, go_on.set).start()
        db.recover()
        db.save(Entry(id="after", number=-2))
        db.client.bgrewriteaof()
        deadline = time.monotonic() + 30
        while db.client.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert db.client.info("persistence")["aof_last_bgrewrite_status"] == "ok"
    with Database(f"embedded://{tmp_path}") as db:
        assert db.count(Entry) >= 301
        assert db.get(Entry, "after").number == -2


def test_asyncio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with AsyncDatabase(f"embedded://{tmp_path}?appendfsync=always") as db:
            await db.save(Entry(id="1", number=1))
            with failing(monkeypatch, errno.ENOSPC, "write"):
                with pytest.raises(StorageError):
                    await db.save(Entry(id="2", number=2))
                with pytest.raises(StorageError):
                    await db.recover()
                assert await db.count(Entry, Entry.number == 1) == 1
            await db.recover()
            await asyncio.gather(*(db.save(Entry(id=f"{n}", number=n)) for n in range(3, 9)))
            assert await db.count(Entry) >= 7

    asyncio.run(body())


def test_where_there_is_nothing_to_recover(tmp_path: Path) -> None:
    with Database("memory://") as db, pytest.raises(StorageError, match="embedded"):
        db.recover()
    url = f"embedded://{tmp_path}"
    with Database(url) as db:
        db.save(Entry(id="1", number=1))
        db.recover()
        with Database(f"{url}?mode=ro") as reader, pytest.raises(ReadOnly):
            reader.recover()


# A program whose files may not grow over a limit, or whose disk is small; it writes until it is refused.
FULL = """
import resource, signal, sys
from redmodel import Database, StorageError
from tests.database.test_recovery import Entry
directory, policy, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
with Database(f"embedded://{directory}?appendfsync={policy}") as db:
    done = 0
    try:
        while True:
            db.save(Entry(id=f"{done}", number=done, text="x" * 1000))
            done += 1
    except StorageError as error:
        print(error, flush=True)
    assert db.count(Entry, Entry.number < done) == done
    assert len(db.find(Entry, Entry.number < done).limit(50).all()) == min(done, 50)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        print("full", flush=True)
        sys.stdin.readline()
    db.recover()
    db.save(Entry(id="after", number=-1))
    print(done, flush=True)
"""


def fill(directory: Path, policy: str, limit: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FULL, str(directory), policy, str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def check_filled(directory: Path, done: int) -> None:
    assert done > 20
    with Database(f"embedded://{directory}") as db:
        assert {f"{n}" for n in range(done)} | {"after"} <= {entry.id for entry in db.find(Entry)}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_file_that_really_may_not_grow(tmp_path: Path, policy: str) -> None:
    with fill(tmp_path, policy, 200_000) as writer:
        out, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
    message, done = out.splitlines()
    assert os.strerror(errno.EFBIG) in message
    check_filled(tmp_path, int(done))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("policy", POLICIES)
def test_a_disk_that_really_is_full(tmp_path: Path, policy: str) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (tmp_path / "ballast").write_bytes(b"x" * 600_000)
        with fill(tmp_path / "store", policy, 0) as writer:
            assert writer.stdout is not None
            assert os.strerror(errno.ENOSPC) in writer.stdout.readline()
            assert writer.stdout.readline() == "full\n"
            (tmp_path / "ballast").unlink()
            out, _ = writer.communicate("go on\n", timeout=60)
            assert writer.returncode == 0
        check_filled(tmp_path / "store", int(out))
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
