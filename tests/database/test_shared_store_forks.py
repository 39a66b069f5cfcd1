"""Handles that cross a fork: the child asks its parent for the data, and never writes beside it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redmodel import AsyncDatabase, Database, StorageError
from redmodel.engine.storage.shared import sharing_of
from tests.database.test_shared_store import ROOT, Note, end, owner_of

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    # Newer Pythons warn of what is tested here: a fork beside the server's thread.
    pytest.mark.filterwarnings("ignore:This process .*multi-threaded:DeprecationWarning"),
]


def in_child(work: Callable[[], None]) -> int:
    """Fork, and run this in the child, which ends without pytest's doing; returns its pid."""
    pid = os.fork()
    if pid == 0:  # pragma: no cover
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            os.write(2, f"in the child: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    return pid


def wait(*pids: int) -> None:
    for pid in pids:
        deadline = time.monotonic() + 30
        while (found := os.waitpid(pid, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError("the child hangs")
            time.sleep(0.005)
        assert os.waitstatus_to_exitcode(found[1]) == 0


def test_workers_forked_after_the_handle_was_opened(tmp_path: Path) -> None:
    """As a pre-forking web server does it: the application opens the handle, each worker uses it."""
    url = f"embedded://{tmp_path / 'store'}"
    with Database(url) as db:
        db.save(Note(id="parent", number=0))
        client = db.client

        def work(me: int) -> None:
            for number in range(20):
                db.save(Note(id=f"{me}-{number}", number=number))
            assert db.client.hget("shared-notes:parent", "number") == b"0"
            with pytest.raises(redis.ResponseError, match="fork"):
                client.get("a")  # made by the parent: what it saw would be out of date
            if me % 2:
                db.close()

        pids = [in_child(lambda me=me: work(me)) for me in range(4)]
        for number in range(20):
            db.save(Note(id=f"p-{number}", number=number))
        wait(*pids)
        assert db.count(Note) == 101
        assert sharing_of(tmp_path / "store").owner.pid == os.getpid()
    with Database(url) as again:
        assert again.count(Note) == 101


def test_an_asyncio_handle_crosses_a_fork(tmp_path: Path) -> None:
    db = AsyncDatabase(f"embedded://{tmp_path / 'store'}")

    async def save(name: str) -> None:
        await asyncio.gather(*(db.save(Note(id=f"{name}{n}", number=n)) for n in range(30)))

    asyncio.run(save("parent"))
    pids = [in_child(lambda me=me: asyncio.run(save(f"child{me}-"))) for me in range(2)]
    wait(*pids)

    async def finish() -> int:
        count = await db.count(Note)
        await db.close()
        return count

    assert asyncio.run(finish()) == 90


def test_an_attached_handle_crosses_a_fork(tmp_path: Path) -> None:
    url = f"embedded://{tmp_path / 'store'}"
    with owner_of(url) as owner, Database(url) as db:
        assert db.count(Note) == 1
        wait(in_child(lambda: db.save(Note(id="child", number=1)) and None))
        assert db.count(Note) == 2
        end(owner, cleanly=False)
        assert db.count(Note) == 2


def test_locks_that_threads_hold_at_the_fork_stop_no_child(tmp_path: Path) -> None:
    with Database(f"embedded://{tmp_path / 'store'}") as db:
        stop = threading.Event()

        def write(me: int) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                db.save(Note(id=f"{me}-{number % 50}", number=number))

        threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        try:
            for turn in range(15):
                wait(in_child(lambda turn=turn: db.save(Note(id=f"child{turn}", number=1)) and None))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert None not in db.get_many(Note, [f"child{turn}" for turn in range(15)])


def test_memory_is_not_shared_with_a_child() -> None:
    def work(db: Database) -> None:
        with pytest.raises(StorageError, match="fork"):
            db.count(Note)

    for name in ("", "forks"):
        with Database(f"memory://{name}") as db:
            db.save(Note(id="1", number=1))
            wait(in_child(lambda db=db: work(db)))
            assert db.count(Note) == 1


PARENT = """
import os, sys, time
from redmodel import Database
from tests.database.test_shared_store import Note
db = Database(sys.argv[1])
db.save(Note(id="parent", number=0))
import redis
client = redis.Redis(unix_socket_path=str(db._executor.holder.socket()))
client.ping()  # a connection that is open at the fork
child = os.fork()
if child == 0:
    sys.stdin.readline()  # the parent is dead by now
    db.save(Note(id="child", number=1))
    print("saved", os.getpid(), flush=True)
    sys.stdin.readline()
    os._exit(0)
print("ready", os.getpid(), child, flush=True)
time.sleep(60)
"""


def test_a_child_takes_over_from_a_killed_parent_and_holds_nobody_up(tmp_path: Path) -> None:
    url = f"embedded://{tmp_path / 'store'}"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PARENT, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        word, pid, child = parent.stdout.readline().split()
        assert word == "ready"
        with Database(url) as db:
            assert db.count(Note) == 1
            os.kill(int(pid), signal.SIGKILL)
            # The child has copies of the parent's handles, and does nothing: the lock and our connection are free.
            began = time.monotonic()
            db.save(Note(id="other", number=2))
            assert time.monotonic() - began < 2
            assert sharing_of(tmp_path / "store").owner.pid == os.getpid()
            parent.stdin.write("\n")
            parent.stdin.flush()
            assert parent.stdout.readline().split() == ["saved", child]
            assert db.count(Note) == 3
        parent.stdin.write("\n")
        parent.stdin.flush()
