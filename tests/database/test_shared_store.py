"""One directory, several processes: attaching to the owner, taking over, and when it is refused instead."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from redmodel import AsyncDatabase, Database, Indexed, Model, ReadOnly, StorageError, StoreLocked
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.shared import sharing_of

ROOT = Path(__file__).parents[2]

# An owner in another process: says that it is ready, and closes its handle when its input ends.
OWNER = """
import sys
from redmodel import Database
from tests.database.test_shared_store import Note
with Database(sys.argv[1]) as db:
    db.save(Note(id="owner", number=0))
    print("ready", flush=True)
    sys.stdin.read()
"""


class Note(Model, prefix="shared-notes"):
    number: Indexed[int]


@contextmanager
def owner_of(url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as owner:
        assert owner.stdout is not None
        try:
            assert owner.stdout.readline() == "ready\n"
            yield owner
        finally:
            owner.kill()


def end(owner: subprocess.Popen[str], *, cleanly: bool) -> None:
    if cleanly:
        owner.communicate(timeout=20)
    else:
        owner.kill()
        owner.wait()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"embedded://{tmp_path / 'store'}"


@pytest.mark.parametrize("cleanly", [True, False])
def test_attach_and_take_over(url: str, cleanly: bool, tmp_path: Path) -> None:
    with owner_of(url) as owner, Database(url) as db:
        assert db.save(Note(id="1", number=1)) is True
        assert [note.id for note in db.find(Note).order_by(Note.number).all()] == ["owner", "1"]
        assert db.client.hget("shared-notes:1", "number") == b"1"
        assert sharing_of(tmp_path / "store").owner.pid == owner.pid
        end(owner, cleanly=cleanly)
        began = time.monotonic()
        assert db.save(Note(id="2", number=2)) is True
        assert time.monotonic() - began < 2
        assert sharing_of(tmp_path / "store").owner.pid == os.getpid()
        assert db.count(Note) == 3
        assert db.client.dbsize() > 3
    with Database(url) as again:
        assert again.count(Note) == 3


@pytest.mark.parametrize("cleanly", [True, False])
def test_attach_and_take_over_async(url: str, cleanly: bool) -> None:
    async def main(owner: subprocess.Popen[str]) -> None:
        async with AsyncDatabase(url) as db:
            await asyncio.gather(*(db.save(Note(id=f"a{n}", number=n)) for n in range(50)))
            assert await db.count(Note) == 51
            assert await db.client.hget("shared-notes:a1", "number") == b"1"
            await asyncio.to_thread(end, owner, cleanly=cleanly)
            await asyncio.gather(*(db.save(Note(id=f"b{n}", number=n)) for n in range(50)))
            assert await db.count(Note) == 101
            # Handles of both colours in one process share what it took over.
            with Database(url) as other:
                assert other.count(Note) == 101

    with owner_of(url) as owner:
        asyncio.run(main(owner))


def test_a_client_of_redis_py_finds_the_next_owner_and_takes_over_itself(url: str, tmp_path: Path) -> None:
    with owner_of(url) as first, Database(url) as db:
        client = db.client
        client.set("a", 1)
        lock = client.lock("exclusive", timeout=5)
        assert lock.acquire()
        lock.release()
        assert client.pipeline().incr("a").incr("a").execute() == [2, 3]
        end(first, cleanly=False)
        assert client.incr("a") == 4
        assert sharing_of(tmp_path / "store").owner.pid == os.getpid()
        client.close()


def test_threads_take_over_once(url: str) -> None:
    with owner_of(url) as owner, Database(url) as db:
        stop = threading.Event()
        wrong: list[BaseException] = []
        saved: list[str] = []

        def work(me: int) -> None:
            number = 0
            try:
                while not stop.is_set():
                    number += 1
                    db.save(Note(id=f"{me}-{number}", number=number))
                    saved.append(f"{me}-{number}")
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        end(owner, cleanly=False)
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert db.count(Note) == len(saved) + 1
        assert None not in db.get_many(Note, saved)


def test_the_second_opener_is_refused_at_once_without_attaching(url: str) -> None:
    with owner_of(url) as owner:
        for _ in range(100):
            began = time.perf_counter()
            with pytest.raises(StoreLocked) as caught:
                Database(f"{url}?attach=no")
            assert time.perf_counter() - began < 0.1
            assert (caught.value.pid, caught.value.host) == (owner.pid, socket.gethostname())
        assert str(owner.pid) in str(caught.value)


def test_an_owner_that_does_not_share(url: str, tmp_path: Path) -> None:
    with owner_of(f"{url}?attach=no") as owner:
        assert not (tmp_path / "store" / "redmodel.sock").exists()
        began = time.perf_counter()
        with pytest.raises(StoreLocked, match="attach=no") as caught:
            Database(url)
        assert time.perf_counter() - began < 0.2
        assert caught.value.pid == owner.pid


def test_a_lock_of_another_host_is_named_and_never_attached_to(url: str, tmp_path: Path) -> None:
    with AppendOnlyLog(tmp_path / "store") as log:
        list(log.replay())
        lock = tmp_path / "store" / "redmodel.lock"
        lock.write_text("4711 elsewhere.example\nopening\nsocket redmodel.sock\n")
        with pytest.raises(StoreLocked, match="another machine") as caught:
            Database(url)
        assert (caught.value.pid, caught.value.host) == (4711, "elsewhere.example")
    Database(url).close()


def test_what_a_killed_owner_left_behind_is_cleaned(url: str, tmp_path: Path) -> None:
    with owner_of(url) as owner:
        owner.kill()
        owner.wait()
    place = tmp_path / "store" / "redmodel.sock"
    assert place.exists()
    with Database(url) as db:
        assert db.count(Note) == 1
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        with redis.Redis(unix_socket_path=str(place)) as client:
            assert client.ping()
    assert not place.exists()


def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = tmp_path / "r"
    runtime.mkdir()
    if len(str(runtime)) > 40:
        runtime = Path("/tmp") / f"rm-{os.getpid()}"
        runtime.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    directory = tmp_path / ("long" * 30) / "sto\nre %"
    url = "embedded://" + str(directory).replace("%", "%25")
    try:
        with owner_of(url), Database(url) as db:
            assert db.count(Note) == 1
            place = sharing_of(directory).socket
            assert place is not None
            assert place.parent.parent == runtime
            assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    finally:
        for path in sorted(runtime.rglob("*"), reverse=True):
            path.unlink() if not path.is_dir() else path.rmdir()
        runtime.rmdir()


def state_of(directory: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of change of each file; when it was last read is no change."""
    files = {path: path.stat() for path in directory.rglob("*") if path.is_file()}
    return {path: (found.st_size, found.st_mtime_ns) for path, found in files.items()}


def test_reading_only_attached_and_alone(url: str, tmp_path: Path) -> None:
    ro = f"{url}?mode=ro"
    with pytest.raises(StorageError):
        Database(ro)
    assert not (tmp_path / "store").exists()
    with owner_of(url), Database(ro) as db:
        assert db.get(Note, "owner").number == 0
        assert db.count(Note, Note.number == 0) == 1
        with pytest.raises(ReadOnly):
            db.save(Note(number=1))
        assert db.client.dbsize() > 1
        with pytest.raises(redis.ReadOnlyError):
            db.client.set("a", 1)
        with pytest.raises(redis.ReadOnlyError):
            db.client.pipeline().get("a").set("a", 1).execute()
    before = state_of(tmp_path / "store")
    with Database(ro) as db:
        # It holds no lock: what it read is the store as it was.
        with Database(url, retry_seconds=0.1) as same:
            assert same.count(Note) == 1
        assert db.find(Note).all()[0].id == "owner"
        with pytest.raises(ReadOnly):
            db.save(Note(number=1))
        with pytest.raises(redis.ResponseError, match="mode=ro"):
            db.client.set("a", 1)
    after = state_of(tmp_path / "store")
    assert {path: state for path, state in after.items() if path in before} == before


def test_reading_only_leaves_a_torn_end_alone(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with Database(url) as db:
        db.save(Note(id="1", number=1))
        db.client.set("last", "x" * 100)
        shutil.copytree(tmp_path / "store" / "appendonlydir", copy / "appendonlydir")
    log = max((copy / "appendonlydir").glob("*.incr.aof"))
    log.write_bytes(log.read_bytes()[:-5])
    torn = log.read_bytes()
    with Database(f"embedded://{copy}?mode=ro") as db:
        assert db.count(Note) == 1
        assert db.client.get("last") is None
    assert log.read_bytes() == torn
    assert not (copy / "redmodel.lock").exists()


def test_a_reader_does_not_refuse_a_writer(url: str, tmp_path: Path) -> None:
    """A writer that comes while a reader loads waits for it."""
    Database(url).close()
    import fcntl

    with (tmp_path / "store" / "redmodel.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        threading.Timer(0.3, lambda: fcntl.flock(lock, fcntl.LOCK_UN)).start()
        began = time.monotonic()
        with Database(f"{url}?attach=no"):
            assert time.monotonic() - began > 0.25


def _handles() -> tuple[set[str], set[int]]:
    return (
        {thread.name for thread in threading.enumerate()},
        {int(fd) for fd in os.listdir("/proc/self/fd")},
    )


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_is_left_open_after_closing(url: str) -> None:
    Database(url).close()
    asyncio.run(asyncio.sleep(0))
    script = (
        "import sys; from redmodel import Database; from tests.database.test_shared_store import Note\n"
        "with Database(sys.argv[1]) as db: assert db.count(Note) >= 0; db.client.ping()"
    )
    before = _handles()
    for _ in range(2):
        with Database(url) as db:
            db.save(Note(number=1))
            subprocess.run([sys.executable, "-c", script, url], check=True, cwd=ROOT)
        with owner_of(url), Database(url) as db:
            db.count(Note)
    after = _handles()
    assert after[0] == before[0]
    assert len(after[1]) == len(before[1])


def test_an_open_store_does_not_keep_the_process_alive(url: str) -> None:
    script = (
        "import sys, redis; from redmodel import Database\n"
        "db = Database(sys.argv[1]); db.client.set('a', 1)\n"
        "client = redis.Redis(unix_socket_path=str(db._executor.holder.socket())); client.ping(); print('said')"
    )
    began = time.monotonic()
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, url], check=True, capture_output=True, text=True, timeout=20
    )
    assert time.monotonic() - began < 10
    assert (said.stdout, said.stderr) == ("said\n", "")


def test_opening_and_closing_costs_little(url: str) -> None:
    Database(url).close()
    times: dict[str, list[float]] = {"?attach=no": [], "": []}
    for _ in range(15):
        for setting, taken in times.items():
            began = time.perf_counter()
            Database(url + setting).close()
            taken.append(time.perf_counter() - began)
    alone, shared = (sorted(taken)[len(taken) // 2] for taken in times.values())
    print(f" [open and close: alone {alone * 1000:.2f} ms, shared {shared * 1000:.2f} ms]", end="")
    assert shared < alone + 0.01


def test_the_owner_waits_for_nobody_who_stops_reading(url: str) -> None:
    with Database(url) as db:
        db.client.set("big", b"x" * 5_000_000)
        place = sharing_of(Path(url.removeprefix("embedded://"))).socket
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place))
            client.sendall(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 20)
            time.sleep(0.2)
            began = time.monotonic()
            db.close()
            assert time.monotonic() - began < 3
