"""With ``always`` one fsync serves all who wait, nobody is told too early, and readers don't wait for it."""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redmodel import AsyncDatabase, Database, Model, StorageError
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.server.server import Server


class Note(Model, prefix="notes-of-groups"):
    text: str = ""


class SlowDisk(FileSystem):
    """Takes some milliseconds to sync, and counts it; ``gate`` holds it up."""

    def __init__(self, seconds: float = 0.005) -> None:
        self.syncs = 0
        self.seconds = seconds
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False

    def fsync(self, fd: int) -> None:
        self.syncs += 1
        time.sleep(self.seconds)
        self.gate.wait(10)
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    """The disk under every store that a URL opens."""
    disk = SlowDisk()
    monkeypatch.setattr(FileSystem, "fsync", lambda self, fd: disk.fsync(fd))
    return disk


def in_threads(count: int, body: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=body, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_share_an_fsync(tmp_path: Path) -> None:
    disk = SlowDisk()
    engine = Engine(storage=AppendOnlyLog(tmp_path, fsync="always", files=disk))
    before = disk.syncs

    def write(number: int) -> None:
        session = Session()
        for n in range(10):
            engine.execute(session, [b"SET", b"k%d" % number, b"%d" % n])

    in_threads(20, write)
    assert disk.syncs - before < 200 / 4
    engine.close()


def test_tasks_share_an_fsync(tmp_path: Path, slow: SlowDisk) -> None:
    async def main() -> int:
        async with AsyncDatabase(f"embedded://{tmp_path}?appendfsync=always") as db:
            await db.save(Note())
            before = slow.syncs

            async def write() -> None:
                for _ in range(10):
                    await db.save(Note())

            await asyncio.gather(*(write() for _ in range(50)))
            return slow.syncs - before

    assert asyncio.run(main()) <= 500 / 10


def test_one_batch_waits_once(tmp_path: Path, slow: SlowDisk) -> None:
    with Database(f"embedded://{tmp_path}?appendfsync=always") as db:
        db.save(Note())
        before = slow.syncs
        db.save_many([Note() for _ in range(500)])
        assert slow.syncs - before <= 2


def test_nobody_is_told_before_the_disk_has_it_and_readers_go_on(tmp_path: Path, slow: SlowDisk) -> None:
    async def main() -> None:
        async with AsyncDatabase(f"embedded://{tmp_path}?appendfsync=always") as db:
            await db.save(note := Note(text="old"))
            slow.gate.clear()
            saving = asyncio.ensure_future(db.save(Note()))
            raw = asyncio.ensure_future(db.client.set("a", "1"))
            await asyncio.sleep(0.05)
            assert not saving.done()
            assert not raw.done()
            assert (await asyncio.wait_for(db.get(Note, note.id), 1)).text == "old"
            slow.gate.set()
            await asyncio.wait_for(asyncio.gather(saving, raw), 5)

    asyncio.run(main())


def test_a_failed_fsync_reaches_all_who_wait(tmp_path: Path, slow: SlowDisk) -> None:
    async def main() -> None:
        async with AsyncDatabase(f"embedded://{tmp_path}?appendfsync=always") as db:
            await db.save(note := Note())
            slow.broken = True
            told = await asyncio.gather(*(db.save(Note()) for _ in range(5)), return_exceptions=True)
            assert all(isinstance(error, StorageError) and "Input/output" in str(error) for error in told), told
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                await db.client.set("a", "1")
            await db.get(Note, note.id)
            slow.broken = False

    asyncio.run(main())


def test_the_server_holds_replies_back(tmp_path: Path) -> None:
    disk = SlowDisk()
    engine = Engine(storage=AppendOnlyLog(tmp_path, fsync="always", files=disk))
    with Server(engine) as server:
        before = disk.syncs

        def write(number: int) -> None:
            with redis.Redis(port=server.port) as client:
                for n in range(10):
                    client.set(f"k{number}", n)
                    assert client.get(f"k{number}") == b"%d" % n

        in_threads(20, write)
        assert disk.syncs - before < 200 / 2
        with redis.Redis(port=server.port) as writer, redis.Redis(port=server.port) as reader:
            assert reader.get("k1") == b"9"
            disk.gate.clear()
            done = threading.Event()
            thread = threading.Thread(
                target=lambda: (writer.pipeline(transaction=False).set("a", 1).get("a").execute(), done.set())
            )
            thread.start()
            assert not done.wait(0.1)
            assert reader.get("k1") == b"9", "readers don't wait"
            disk.gate.set()
            assert done.wait(5)
            thread.join()
            disk.broken = True
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                writer.set("b", 1)
            assert reader.get("k1") == b"9"
            disk.broken = False
    engine.close()
