"""SAVE, BGSAVE and LASTSAVE; failing disks; and an RDB file as the base of a log."""

from __future__ import annotations

import errno
import logging
import shutil
import stat
import time
from copy import deepcopy
from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage import open_storage
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.rdb import load_into, save_from
from redmodel.errors import ReplyError, StorageError, StoreDamaged
from tests.engine.memory import Clock, Shell
from tests.engine.storage.rdb.keyspaces import assert_same, client_of, content_of_engine, content_of_server, fill
from tests.servers import RealServer, redis6_binary, redis7_binary

CALLS = ("create", "write", "fsync", "close", "rename", "fsync_directory")


class Failing(FileSystem):
    """A disk on which one kind of step fails."""

    def __init__(self, step: str) -> None:
        self.step = step


def _failing(step: str) -> None:
    def fail(self: Failing, *args: object) -> object:
        if self.step == step:
            raise OSError(errno.ENOSPC, "No space left on device")
        return getattr(FileSystem, step)(self, *args)

    setattr(Failing, step, fail)


for _step in CALLS:
    _failing(_step)


def test_memory_has_no_place_for_snapshots() -> None:
    shell = Shell(Engine())
    for command in ("SAVE", "BGSAVE"):
        with pytest.raises(ReplyError, match="memory only"):
            shell(command)


def test_save_and_what_is_said_about_it(tmp_path: Path) -> None:
    clock = Clock(5_000_000)
    engine = Engine(storage=open_storage(tmp_path), clock=clock)
    shell = Shell(engine)
    shell("SET k v")
    assert shell("LASTSAVE") == 5000
    clock.now = 9_000_000
    assert shell("LASTSAVE") == 5000
    assert shell("SAVE") == b"OK"
    assert shell("LASTSAVE") == 9000
    clock.now = 10_000_000
    assert shell("BGSAVE") == b"Background saving started"
    engine.saves.join()
    assert shell("LASTSAVE") == 10_000
    assert shell("BGSAVE SCHEDULE") == b"Background saving started"
    engine.saves.join()
    info = shell("INFO persistence")
    assert isinstance(info, bytes)
    for line in (
        b"rdb_bgsave_in_progress:0",
        b"rdb_last_save_time:10000",
        b"rdb_last_bgsave_status:ok",
        b"rdb_saves:3",
    ):
        assert line in info.splitlines()
    engine.close()
    dump = tmp_path / "dump.rdb"
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    again = Engine()
    load_into(again, dump)
    assert content_of_engine(again) == {(0, b"k"): (b"v", None)}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("temp-")]


@pytest.mark.parametrize("step", CALLS)
def test_a_failing_disk_leaves_the_older_file(step: str, tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    engine = Engine()
    engine.databases[0].put(b"k", b"old")
    save_from(engine, path)
    before = path.read_bytes()
    engine.databases[0].put(b"k", b"new")
    with pytest.raises(StorageError, match="No space left"):
        save_from(engine, path, files=Failing(step))
    if step != "fsync_directory":
        assert path.read_bytes() == before
    assert [name.name for name in tmp_path.iterdir()] == ["dump.rdb"]


def test_a_failed_save_is_told(tmp_path: Path) -> None:
    engine = Engine(storage=open_storage(tmp_path))
    engine.saves.files = Failing("rename")
    shell = Shell(engine)
    with pytest.raises(ReplyError, match="No space left"):
        shell("SAVE")
    assert shell("BGSAVE") == b"Background saving started"
    engine.saves.join()
    assert b"rdb_last_bgsave_status:err" in info_lines(shell)
    engine.saves.files = None
    shell("SAVE")
    assert b"rdb_last_bgsave_status:ok" in info_lines(shell)
    engine.close()


def info_lines(shell: Shell) -> list[bytes]:
    said = shell("INFO persistence")
    assert isinstance(said, bytes)
    return said.splitlines()


def test_commands_go_on_while_a_snapshot_is_written(tmp_path: Path) -> None:
    """The snapshot holds the moment when it was begun, of every type, whatever is done meanwhile."""
    engine = Engine(storage=open_storage(tmp_path))
    shell = Shell(engine)
    for number in range(200):
        for line in ("SET s%d 1", "HSET h%d f 1", "RPUSH l%d 1", "SADD t%d 1", "ZADD z%d 1 a", "XADD x%d 1-1 f 1"):
            shell(line % number)
    before = deepcopy(content_of_engine(engine))
    shell("CONFIG SET rdb-key-save-delay 200")
    assert shell("BGSAVE") == b"Background saving started"
    shell("CONFIG SET rdb-key-save-delay 0")
    for number in range(200):
        for line in ("SET s%d 2", "HSET h%d f 2", "RPUSH l%d 2", "DEL t%d", "ZADD z%d 2 a", "XADD x%d 2-1 f 2"):
            shell(line % number)
    lines = info_lines(shell)
    assert b"rdb_bgsave_in_progress:1" in lines and b"current_save_keys_total:1200" in lines
    for command in ("SAVE", "BGSAVE", "BGSAVE SCHEDULE"):
        with pytest.raises(ReplyError, match="Background save already in progress"):
            shell(command)
    assert shell("BGREWRITEAOF") == b"Background append only file rewriting scheduled"
    assert b"aof_rewrite_scheduled:1" in info_lines(shell)
    engine.saves.join()
    lines = info_lines(shell)
    assert b"rdb_bgsave_in_progress:0" in lines and b"rdb_changes_since_last_save:1200" in lines
    saved = Engine()
    load_into(saved, tmp_path / "dump.rdb")
    assert content_of_engine(saved) == before
    engine.expire_step()
    assert engine.rewriting or b"aof_rewrites:1" in info_lines(shell)
    engine.close()


def test_in_a_transaction_a_snapshot_is_scheduled(tmp_path: Path) -> None:
    engine = Engine(storage=open_storage(tmp_path))
    shell = Shell(engine)
    for line in ("MULTI", "SET a 1", "BGSAVE", "SET b 1"):
        shell(line)
    assert shell("EXEC") == [b"OK", b"Background saving scheduled", b"OK"]
    engine.expire_step()
    engine.saves.join()
    saved = Engine()
    assert load_into(saved, tmp_path / "dump.rdb").keys == 2
    engine.close()


@pytest.mark.parametrize("end", ["close", "FLUSHALL", "SAVE in a shutdown"])
def test_a_snapshot_that_is_given_up_leaves_the_older_file(tmp_path: Path, end: str) -> None:
    engine = Engine(storage=open_storage(tmp_path))
    shell = Shell(engine)
    shell("SET k old")
    shell("SAVE")
    for number in range(100):
        shell(f"RPUSH l{number} 1")
    shell("CONFIG SET rdb-key-save-delay 10000000")
    shell("BGSAVE")
    if end == "FLUSHALL":
        shell("FLUSHALL")
    elif end == "close":
        engine.close()
    else:
        shell("SET k new")
        engine.shutdown.begin(engine, save=True)
    assert not engine.snapshots and not engine.saves.running
    saved = Engine()
    load_into(saved, tmp_path / "dump.rdb")
    assert content_of_engine(saved)[0, b"k"] == (b"new" if end.startswith("SAVE") else b"old", None)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("temp-")]
    engine.close()


def test_what_is_loaded_is_in_the_store(tmp_path: Path) -> None:
    source = Engine()
    shell = Shell(source)
    for number in range(1500):
        shell(f"SET k{number} {number}")
    shell("PEXPIREAT k7 4000000000000")
    shell("XADD s 1-1 a b")
    shell("SELECT 4")
    shell("ZADD z 1.5 a")
    save_from(source, tmp_path / "dump.rdb")
    store = tmp_path / "store"
    engine = Engine(storage=open_storage(store))
    load_into(engine, tmp_path / "dump.rdb")
    wanted = content_of_engine(source)
    assert content_of_engine(engine) == wanted
    engine.close()
    engine = Engine(storage=open_storage(store))
    assert content_of_engine(engine) == wanted
    Shell(engine)("SET other 1")
    load_into(engine, tmp_path / "dump.rdb", replace=True)
    engine.close()
    engine = Engine(storage=open_storage(store))
    assert content_of_engine(engine) == wanted
    engine.close()


def test_loading_wakes_those_who_watch(tmp_path: Path) -> None:
    source = Engine()
    Shell(source)("SET k 1")
    save_from(source, tmp_path / "dump.rdb")
    shell = Shell(Engine())
    shell("WATCH k")
    load_into(shell.engine, tmp_path / "dump.rdb")
    shell("MULTI")
    shell("GET k")
    assert shell("EXEC") is None


def stored_by(binary: str, tmp_path: Path) -> tuple[Path, dict[tuple[int, bytes], object]]:
    """A copy of the directory of a server with its default log: an RDB file and commands behind it."""
    with RealServer(binary, tcp=False, appendonly=True) as server:
        client = client_of(server)
        fill(client)
        client.bgrewriteaof()
        while any(client.info("persistence")[f"aof_rewrite_{what}"] for what in ("in_progress", "scheduled")):
            time.sleep(0.02)
        client.set("after", "1")
        client.execute_command("SELECT", 5)
        client.hset("behind", "f", "v")
        wanted = content_of_server(client)
        server.stop(remove=False)
        store = tmp_path / "store"
        shutil.copytree(server.directory, store, ignore=shutil.ignore_patterns("*.sock", "*.log"))
        shutil.rmtree(server.directory)
    return store, wanted


@pytest.mark.parametrize("binary", [redis7_binary(), redis6_binary()], ids=["7", "6.2"])
def test_the_log_that_a_server_writes_by_default(binary: str | None, tmp_path: Path) -> None:
    if binary is None:
        pytest.skip("no such server")
    store, wanted = stored_by(binary, tmp_path)
    engine = Engine(storage=open_storage(store))
    assert_same(content_of_engine(engine), wanted)
    engine.execute(Session(), [b"SET", b"mine", b"1"])
    engine.close()
    engine = Engine(storage=open_storage(store))
    found = content_of_engine(engine)
    assert found.pop((0, b"mine")) == (b"1", None)
    assert_same(found, wanted)
    engine.close()


@pytest.mark.skipif(redis7_binary() is None, reason="no redis-server 7")
def test_a_damaged_base_is_refused(tmp_path: Path) -> None:
    store, _ = stored_by(redis7_binary() or "", tmp_path)
    base = next((store / "appendonlydir").glob("*.base.rdb"))
    data = base.read_bytes()
    for bad in (data[:-1], data[: len(data) // 2], data[:5000] + b"x" + data[5001:]):
        base.write_bytes(bad)
        with open_storage(store) as log, pytest.raises(StoreDamaged, match=r"base\.rdb"):
            Engine(storage=log)
    assert base.read_bytes() == bad


def test_what_a_base_holds_and_the_engine_has_no_place_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = Engine()
    Shell(source)("SET k 1")
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    base = folder / "appendonly.aof.1.base.rdb"
    save_from(source, base)
    data = base.read_bytes()[:-8] + bytes(8)  # no checksum
    base.write_bytes(data)
    (folder / "appendonly.aof.manifest").write_text(f"file {base.name} seq 1 type b\n")
    with caplog.at_level(logging.WARNING):
        Engine(storage=open_storage(tmp_path)).close()
    assert "no checksum" in caplog.text


def test_an_rdb_file_alone_is_not_loaded_but_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = Engine()
    Shell(source)("SET k 1")
    save_from(source, tmp_path / "dump.rdb")
    with caplog.at_level(logging.WARNING):
        engine = Engine(storage=open_storage(tmp_path))
    assert content_of_engine(engine) == {}
    assert "dump.rdb is not loaded" in caplog.text
    load_into(engine, tmp_path / "dump.rdb")
    engine.close()
    caplog.clear()
    Engine(storage=open_storage(tmp_path)).close()
    assert not caplog.text
