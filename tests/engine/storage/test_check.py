"""Checking a store and cutting off its damage: what is said first is what is dropped, and a copy of it is kept."""

from __future__ import annotations

import errno
import random
import shutil
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.check import check_store, repair_store
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.errors import StorageError, StoreDamaged, StoreLocked
from tests import servers
from tests.engine.storage.disk import PowerCut, SimulatedDisk
from tests.engine.storage.faulty import FailingFileSystem, incr
from tests.engine.storage.test_torn_and_damaged_logs import (
    MANIFEST,
    UNITS,
    commands_of,
    read_log,
    write_foreign,
    write_log,
)


def test_a_clean_store(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS, clean=True)
    report = check_store(tmp_path)
    assert report.clean
    assert [(file.kind, file.state, file.checksums) for file in report.files] == [
        ("manifest", "clean", True),
        ("increment", "clean", True),
    ]
    assert report.files[1].size == report.files[1].good == incr(tmp_path).stat().st_size
    assert repair_store(tmp_path) == (report, None)


@pytest.mark.parametrize("foreign", [False, True])
def test_damage_is_cut_off_and_kept(tmp_path: Path, foreign: bool) -> None:
    sizes = write_foreign(tmp_path, UNITS) if foreign else write_log(tmp_path, UNITS, clean=True)
    data = bytearray(incr(tmp_path).read_bytes())
    data[sizes[2] + 1] ^= 0x40
    incr(tmp_path).write_bytes(data)
    report = check_store(tmp_path)
    assert incr(tmp_path).read_bytes() == data, "a check changes nothing"
    assert not report.clean
    assert report.repairable
    damaged = report.files[1]
    assert (damaged.state, damaged.good, damaged.dropped_bytes) == ("damaged", sizes[2], len(data) - sizes[2])
    assert 3 <= report.dropped_commands <= 5
    assert "check-store" in damaged.reason
    _, copies = repair_store(tmp_path)
    assert copies is not None
    assert (copies / f"{incr(tmp_path).name}.from-byte-{sizes[2]}").read_bytes() == data[sizes[2] :]
    assert check_store(tmp_path).clean
    assert read_log(tmp_path) == commands_of(UNITS[:2])


def test_files_after_a_damaged_one_go_with_it(tmp_path: Path) -> None:
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
        log.compact([(0, (b"SET", b"k%d" % n, b"x" * 100)) for n in range(2000)])
        log.append([(0, (b"SET", b"later", b"1"))])
    base = tmp_path / "appendonlydir" / "appendonly.aof.1.base.aof"
    data = bytearray(base.read_bytes())
    data[len(data) // 2] ^= 1
    base.write_bytes(data)
    report = check_store(tmp_path)
    assert [file.state for file in report.files] == ["clean", "damaged", "after damage"]
    later = incr(tmp_path, 2).read_bytes()
    _, copies = repair_store(tmp_path)
    assert copies is not None
    assert (copies / f"{incr(tmp_path, 2).name}.from-byte-0").read_bytes() == later
    found = read_log(tmp_path)
    assert 0 < len(found) < 2000
    assert found == [(b"SET", b"k%d" % n, b"x" * 100) for n in range(len(found))]


def test_a_torn_end_is_said_and_cut(tmp_path: Path) -> None:
    sizes = write_log(tmp_path, UNITS)
    with incr(tmp_path).open("r+b") as file:
        file.truncate(sizes[-1] - 2)
    report = check_store(tmp_path)
    assert (report.files[1].state, report.files[1].good) == ("torn", sizes[-2])
    repair_store(tmp_path)
    assert incr(tmp_path).stat().st_size == sizes[-2]


def test_a_missing_file(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS, clean=True)
    incr(tmp_path).unlink()
    assert [file.state for file in check_store(tmp_path).files] == ["clean", "missing"]
    repair_store(tmp_path)
    assert read_log(tmp_path) == []


def test_what_cannot_be_repaired(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no store"):
        check_store(tmp_path)
    write_log(tmp_path, UNITS, clean=True)
    incr(tmp_path).unlink()
    (tmp_path / MANIFEST).write_bytes(b"file")
    report = check_store(tmp_path)
    assert not report.clean
    assert not report.repairable
    with pytest.raises(StoreDamaged):
        repair_store(tmp_path)


def test_a_damaged_manifest_is_written_anew(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS, clean=True)
    text = (tmp_path / MANIFEST).read_bytes()
    for damaged in (text.replace(b"type i", b"type z"), b"", text[:-3], bytes(range(256)), text.replace(b"1", b"2")):
        (tmp_path / MANIFEST).write_bytes(damaged)
        report = check_store(tmp_path)
        assert [file.state for file in report.files] == ["damaged", "clean"]
        assert (report.clean, report.repairable, report.dropped_bytes) == (False, True, 0)
        with pytest.raises(StoreDamaged, match="check-store"):
            read_log(tmp_path)
        _, copies = repair_store(tmp_path)
        assert copies is not None
        assert (copies / Path(MANIFEST).name).read_bytes() == damaged
        assert check_store(tmp_path).clean
        assert read_log(tmp_path) == commands_of(UNITS)


def rewrite_and_go_on(disk: SimulatedDisk) -> None:
    """Fill a list, with a rewrite after every three items; nothing in it may be applied twice or forgotten."""
    with AppendOnlyLog(Path("/store"), fsync="no", files=disk) as log:
        list(log.replay())
        items: list[bytes] = []
        for n in range(8):
            items.append(b"%d" % n)
            log.append([(0, (b"RPUSH", b"list", items[-1]))])
            if n % 3 == 2:
                log.compact([(0, (b"RPUSH", b"list", *items))])


def items_of(disk: SimulatedDisk) -> list[bytes]:
    return [item for args in read_log(Path("/store"), disk) for item in args[2:]]


def test_a_missing_manifest_is_written_anew_wherever_the_power_went() -> None:
    whole = SimulatedDisk()
    rewrite_and_go_on(whole)
    superseded = 0
    for cut_at in range(20, whole.steps + 2):
        disk = SimulatedDisk(cut_at)
        try:
            rewrite_and_go_on(disk)
        except PowerCut:
            pass
        expected = items_of(disk.copy())
        assert expected == [b"%d" % n for n in range(len(expected))]
        lost = disk.copy()
        lost.names.pop(Path("/store") / MANIFEST, None)
        if not expected:
            continue
        report = check_store("/store", files=lost)
        assert (report.files[0].state, report.repairable) == ("missing", True)
        superseded += sum(file.state == "superseded" for file in report.files)
        _, copies = repair_store("/store", files=lost)
        assert copies is not None
        assert check_store("/store", files=lost).clean
        assert items_of(lost) == expected, cut_at
    assert superseded > 10


@pytest.mark.parametrize("lost", [False, True], ids=["a damaged file", "and no manifest"])
def test_a_repair_that_is_interrupted_is_finished_by_the_next(lost: bool) -> None:
    whole = SimulatedDisk()
    rewrite_and_go_on(whole)
    damaged = bytes(whole.names[incr(Path("/store"), 3)].now).replace(b"RPUSH", b"RPOSH", 1)
    at = 0
    while True:
        at += 1
        disk = whole.copy()
        disk.names[incr(Path("/store"), 3)].now[:] = damaged
        if lost:
            del disk.names[Path("/store") / MANIFEST]
        disk.durable_names = dict(disk.names)
        cut = disk.copy()
        cut.cut_at = at
        failing = FailingFileSystem(at, errno.EIO, disk=disk)
        with suppress(StorageError):
            repair_store("/store", files=failing)
        try:
            repair_store("/store", files=cut)
        except PowerCut:
            pass
        for after in (disk, cut.after_cut(random.Random(at))):
            repair_store("/store", files=after)
            assert check_store("/store", files=after).clean
            assert items_of(after) == [b"%d" % n for n in range(6)], at
        if failing.count < at and cut.steps < at:
            break
    assert at > 40


@pytest.mark.parametrize("rewrites", [0, 1, 2])
def test_a_missing_manifest_of_redis_server(tmp_path: Path, rewrites: int) -> None:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH.")
    server = servers.RealServer(binary, tcp=False, appendonly=True)
    with server, redis.Redis(unix_socket_path=server.socket_path) as client:
        for n in range(30):
            client.rpush("list", n)
            if n % 10 == 9 and n // 10 < rewrites:
                client.bgrewriteaof()
                while any(client.info("persistence")[f"aof_rewrite_{what}"] for what in ("in_progress", "scheduled")):
                    time.sleep(0.01)
        while client.info("persistence")["aof_buffer_length"]:
            time.sleep(0.01)  # while the disk is busy with an fsync, Redis writes later
        shutil.copytree(server.directory / "appendonlydir", tmp_path / "appendonlydir")
    (tmp_path / MANIFEST).unlink()
    repair_store(tmp_path)
    engine = Engine(storage=AppendOnlyLog(tmp_path))
    assert engine.execute(Session(), [b"LRANGE", b"list", b"0", b"-1"]) == [b"%d" % n for n in range(30)]
    engine.close()


def test_the_one_file_of_an_old_redis_is_repaired(tmp_path: Path) -> None:
    sizes = write_foreign(tmp_path, UNITS)
    data = bytearray(incr(tmp_path).read_bytes())
    shutil.rmtree(tmp_path / "appendonlydir")
    data[sizes[2] + 1] ^= 0x40
    (tmp_path / "appendonly.aof").write_bytes(data)
    assert [file.state for file in check_store(tmp_path).files] == ["damaged"]
    repair_store(tmp_path)
    assert check_store(tmp_path).clean
    assert read_log(tmp_path) == commands_of(UNITS[:2])


def test_an_open_store_is_not_repaired(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS)
    sizes = [incr(tmp_path).stat().st_size]
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
        with incr(tmp_path).open("ab") as file:
            file.write(b"*1\r\n$")
        with pytest.raises(StoreLocked):
            repair_store(tmp_path)
    assert incr(tmp_path).stat().st_size > sizes[0]
    shutil.rmtree(tmp_path / "appendonlydir")
