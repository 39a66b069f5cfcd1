"""The log is rewritten while commands go on: what comes back is what was there, and readers hardly wait."""

from __future__ import annotations

import random
import threading
import time
from copy import deepcopy
from pathlib import Path

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.snapshot import SharingContext, Snapshot
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.values.types import TYPE_NAMES
from redmodel.errors import ReplyError, StorageError
from tests import servers
from tests.engine.storage.test_engine_on_disk import content, random_line, run


def settled(engine: Engine) -> AppendOnlyLog:
    log = engine._storage
    assert isinstance(log, AppendOnlyLog)
    log.join_rewrite()
    assert not isinstance(log.rewrites.error, Exception), log.rewrites.error
    return log


@pytest.mark.parametrize("seed", range(6))
def test_random_work_during_rewrites_comes_back(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redmodel.engine.snapshot.SLICE", 0.00005)
    rng = random.Random(seed)
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, fsync="no")), Session()
    for n in range(3000):
        run(engine, session, random_line(rng))
        if n % 7 == 0:
            run(engine, session, f"HSET many{n % 500} f{rng.randrange(20)} {n}")
            run(engine, session, f"RPUSH list{n % 50} {n}")
        if n % 200 == 100:
            said = run(engine, Session(), "BGREWRITEAOF")
            assert said == b"Background append only file rewriting started" or "in progress" in str(said)
        if n % 1000 == 999:
            settled(engine)  # at least one rewrite gets to its end between two of these, however slow the machine is
        if n % 500 == 333:
            run(engine, Session(), "SWAPDB 0 3")
    run(engine, session, "EXEC")
    log = settled(engine)
    assert log.rewrites.begun >= 1
    assert type(engine._context) is not SharingContext
    expected = content(engine)
    engine.close()
    again = Engine(storage=AppendOnlyLog(tmp_path))
    assert content(again) == expected
    again.close()


def test_a_snapshot_is_one_moment_whatever_happens_after_it() -> None:
    engine, session = Engine(), Session()
    for line in ("SET s 1", "HSET h a 1", "SADD t a", "ZADD z 1 a", "RPUSH l a", "SET d 1 PX 100000", "HSET gone a 1"):
        run(engine, session, line)
    expected = deepcopy(content(engine))
    with engine.lock:
        snapshot = engine.begin_snapshot()
    for line in (
        "SET s 2", "HSET h a 2", "SADD t b", "ZADD z 2 a", "RPUSH l b", "PERSIST d", "DEL gone", "SET new 1",
        "RENAME h h2", "HSET h2 a 3", "SWAPDB 0 1", "FLUSHALL",
    ):  # fmt: skip
        assert not isinstance(run(engine, session, line), Exception), line
    with engine.lock:
        kept = []
        while piece := snapshot.take(0.001):
            kept += piece
        engine.end_snapshot(snapshot)
    other = Engine()
    from redmodel.engine.storage.dump import dump_key

    for entry in kept:
        for number, command in dump_key(*entry):
            other.execute(Session(number), command)
    assert content(other) == expected


def test_every_type_can_be_kept() -> None:
    engine, session = Engine(), Session()
    lines = (
        "SET a 1",
        "HSET b f 1",
        "SADD c a",
        "ZADD d 1 a",
        "RPUSH e a",
        "XADD f 1-1 f v",
        "HSET g f 1",
        "HPEXPIRE g 100000 FIELDS 1 f",
    )
    for line in lines:
        run(engine, session, line)
    kinds = {type(value) for value in engine.databases[0].values.values()}
    assert kinds == set(TYPE_NAMES), "a type of value that no snapshot was tried with"
    for entry in Snapshot(engine.databases).take(1.0):
        live = engine.databases[0].values[entry.key]
        assert entry.value is not live or isinstance(live, bytes)


def test_the_log_is_rewritten_by_itself_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redmodel.engine.storage.replacing.COMPACT_FROM", 50_000)
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, fsync="no")), Session()
    for n in range(3000):
        run(engine, session, f"SET k {n}xxxxxxxxxxxxxxxxxxxxxxxxxxx")
    log = settled(engine)
    assert log.rewrites.begun >= 1
    assert log.size < 150_000
    engine.close()
    again = Engine(storage=AppendOnlyLog(tmp_path))
    assert run(again, Session(), "GET k") == b"2999xxxxxxxxxxxxxxxxxxxxxxxxxxx"
    again.close()


def test_closing_gives_a_rewrite_up(tmp_path: Path) -> None:
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, fsync="no")), Session()
    for n in range(5000):
        run(engine, session, f"HSET h{n} a 1 b 2")
    run(engine, session, "BGREWRITEAOF")
    engine.close()
    again = Engine(storage=AppendOnlyLog(tmp_path))
    assert len(content(again)) == 5000
    again.close()


def test_without_a_log_there_is_nothing_to_rewrite() -> None:
    with pytest.raises(ReplyError, match="no log"):
        Engine().execute(Session(), [b"BGREWRITEAOF"])


def test_readers_hardly_wait(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, fsync="no")), Session()
    for n in range(30_000):
        engine.execute(session, [b"HSET", b"h%d" % n, b"a", b"1", b"b", b"2"])
    log = engine._storage
    assert isinstance(log, AppendOnlyLog)
    worst = 0.0
    run(engine, session, "BGREWRITEAOF")
    while log.rewriting:
        began = time.perf_counter()
        engine.execute(session, [b"HGET", b"h77", b"a"])
        worst = max(worst, time.perf_counter() - began)
        time.sleep(0.0005)
    record_property("longest_wait_ms", round(worst * 1000, 1))
    assert threading.active_count() < 20
    assert worst < 0.25
    engine.close()


def test_info_says_how_the_log_and_its_rewrites_go(tmp_path: Path) -> None:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH.")
    server = servers.RealServer(binary, tcp=False, appendonly=True)
    with server, redis.Redis(unix_socket_path=server.socket_path) as client:
        theirs = client.info("persistence")
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, fsync="no")), Session()

    def info() -> dict[str, str]:
        lines = bytes(run(engine, session, "INFO persistence")).decode().splitlines()[1:]
        return dict(line.split(":") for line in lines)

    def number(name: str) -> int:
        return int(info()[name])

    here = info()
    about_processes = {name for name in theirs if "cow" in name or "fork" in name or name.startswith("current_save")}
    assert set(theirs) - set(here) <= about_processes | {"async_loading", *(n for n in theirs if "_last_load_" in n)}
    assert set(here) <= set(theirs), "no name that Redis doesn't have"
    size = number("aof_current_size")
    run(engine, session, "SET a 1")
    run(engine, session, "SET a 2")
    assert number("aof_current_size") > size
    assert number("aof_base_size") == 0
    assert number("rdb_changes_since_last_save") == 2
    run(engine, session, "SAVE")
    assert number("rdb_changes_since_last_save") == 0
    run(engine, session, "BGREWRITEAOF")
    log = settled(engine)
    assert info()["aof_last_bgrewrite_status"] == "ok"
    assert (number("aof_rewrites"), number("aof_rewrite_in_progress")) == (1, 0)
    assert 0 < number("aof_base_size") < number("aof_current_size")
    log.rewrites.end(OSError("no space"))
    assert info()["aof_last_bgrewrite_status"] == "err"
    assert number("aof_rewrites_consecutive_failures") == 1
    engine.failed(StorageError("broken"))
    assert info()["aof_last_write_status"] == "err"
    engine.close()
