"""The engine with a log under it: what it holds comes back, also in redis-server, also after trouble."""

from __future__ import annotations

import errno
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage import AppendOnlyLog, open_storage
from redmodel.engine.storage.dump import dump
from redmodel.engine.storage.files import FileSystem
from redmodel.errors import ReplyError, StorageError
from tests import servers
from tests.engine.storage.faulty import incr


def content(engine: Engine) -> dict[tuple[int, bytes], Any]:
    """Every key with its type's plain content and its deadline."""
    found: dict[tuple[int, bytes], Any] = {}
    for database in engine.databases:
        for key, value in database.values.items():
            plain = dict(value.scores) if hasattr(value, "scores") else value
            found[database.number, key] = (plain, database.deadlines.get(key))
    return found


def run(engine: Engine, session: Session, line: str) -> Any:
    try:
        return engine.execute(session, [word.encode() for word in line.split()])
    except ReplyError as error:
        return error


def random_line(rng: random.Random) -> str:
    key = f"k{rng.randrange(12)}"
    member = f"m{rng.randrange(6)}"
    number = rng.choice(("1", "-3", "2.5", "0.1", "1e3"))
    return rng.choice(
        [
            f"SET {key} {member}", f"SET {key} 5 EX 1000", f"SET {key} 7 PX 100000 NX", f"INCR {key}",
            f"APPEND {key} x",
            f"INCRBYFLOAT {key} {number}", f"EXPIRE {key} 500", f"PERSIST {key}", f"DEL {key}", f"GETEX {key} EX 900",
            f"HSET {key} {member} {number} x y", f"HINCRBYFLOAT {key} x {number}", f"HDEL {key} {member}",
            f"SADD {key} {member} b c", f"SPOP {key}", f"SPOP {key} 2", f"SREM {key} {member}",
            f"ZADD {key} {number} {member} 7 q", f"ZINCRBY {key} {number} {member}", f"ZPOPMIN {key}",
            f"RENAME {key} k3", f"COPY {key} k4 REPLACE", f"EXPIRE {key} -1", f"GETDEL {key}", f"SETRANGE {key} 3 zz",
            f"SINTERSTORE k5 {key} k6", f"ZUNIONSTORE k7 2 {key} k8", "SELECT 0", "SELECT 3", "MULTI", "EXEC",
            f"SMOVE {key} k1 {member}", f"MSETNX {key} 1 z 2", f"MOVE {key} 3", f"SETNX {key} 1", f"GETSET {key} v",
        ]
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_random_work_comes_back_here_and_in_redis_server(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    engine, session = Engine(storage=open_storage(tmp_path / "store")), Session()
    for _ in range(1500):
        run(engine, session, random_line(rng))
    run(engine, session, "EXEC")
    expected = content(engine)
    assert len(expected) > 5
    engine.close()
    again = Engine(storage=open_storage(tmp_path / "store"))
    assert content(again) == expected
    _compare_with_redis_server(tmp_path / "store", expected)
    # And the same once the log is rewritten.
    log = again._storage
    assert isinstance(log, AppendOnlyLog)
    log.compact(dump(again.databases))
    session = Session()
    run(again, session, "SET after 1")
    expected = content(again)
    again.close()
    third = Engine(storage=open_storage(tmp_path / "store"))
    assert content(third) == expected
    third.close()
    _compare_with_redis_server(tmp_path / "store", expected)


def _compare_with_redis_server(directory: Path, expected: dict[tuple[int, bytes], Any]) -> None:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH.")
    server = servers.RealServer(binary, appendonly=True)
    shutil.copytree(directory, server.directory, dirs_exist_ok=True)
    found: dict[tuple[int, bytes], Any] = {}
    with server:
        for db in range(16):
            with redis.Redis(port=server.port, db=db) as client:
                for key in client.scan_iter():
                    reads: dict[bytes, Callable[[bytes], Any]] = {
                        b"string": client.get,
                        b"hash": client.hgetall,
                        b"set": client.smembers,
                        b"zset": lambda key, client=client: dict(client.zrange(key, 0, -1, withscores=True)),
                    }
                    deadline = client.execute_command("PEXPIRETIME", key)
                    found[db, key] = (reads[client.type(key)](key), deadline if deadline >= 0 else None)
    assert found == expected


def test_what_redis_server_wrote_is_the_engines(tmp_path: Path) -> None:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH.")
    rng = random.Random(11)
    with servers.RealServer(binary, appendonly=True, options={"aof-use-rdb-preamble": "no"}) as server:
        with redis.Redis(port=server.port) as client:
            connection = client.connection_pool.get_connection()
            for number in range(1500):
                connection.send_command(*random_line(rng).split())
                try:
                    connection.read_response()
                except redis.ResponseError:
                    pass
                if number == 700:
                    connection.send_command("DISCARD")
                    try:
                        connection.read_response()
                    except redis.ResponseError:
                        pass
                    connection.send_command("BGREWRITEAOF")
                    connection.read_response()
            connection.send_command("EXEC")
            try:
                connection.read_response()
            except redis.ResponseError:
                pass
            client.connection_pool.release(connection)
            while client.info("persistence")["aof_rewrite_in_progress"]:
                time.sleep(0.01)
        shutil.copytree(server.directory / "appendonlydir", tmp_path / "appendonlydir")
    engine = Engine(storage=open_storage(tmp_path))
    expected = content(engine)
    engine.close()
    _compare_with_redis_server(tmp_path, expected)


def test_a_full_disk_refuses_writers_and_serves_readers(tmp_path: Path) -> None:
    class Disk(FileSystem):
        full = False

        def write(self, fd: int, data: bytes | memoryview) -> int:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(fd, data)

    disk = Disk()
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, files=disk)), Session()
    run(engine, session, "SET a 1")
    disk.full = True
    for line in ("SET b 1", "SET c 1", "INCR a"):
        error = run(engine, session, line)
        assert isinstance(error, ReplyError)
        assert error.code == "MISCONF"
        assert "No space left" in error.text
    assert run(engine, session, "GET a") == b"1"
    disk.full = False
    assert isinstance(run(engine, session, "SET d 1"), ReplyError), "not as if nothing had happened"
    engine.close()
    again = Engine(storage=AppendOnlyLog(tmp_path))
    assert content(again) == {(0, b"a"): (b"1", None)}
    assert run(again, Session(), "SET d 1") == b"OK"
    again.close()


def test_expired_keys_in_the_log_stay_expired(tmp_path: Path) -> None:
    now = [1_000_000]
    engine = Engine(storage=open_storage(tmp_path), clock=lambda: now[0])
    session = Session()
    run(engine, session, "SET a 1 PX 1000")
    run(engine, session, "SET b 1 PX 100000")
    run(engine, session, "SET a2 1")
    engine.close()
    now[0] += 5000
    again = Engine(storage=open_storage(tmp_path), clock=lambda: now[0])
    session = Session()
    assert run(again, session, "GET a") is None
    assert run(again, session, "PTTL b") == 95_000
    # A clock that goes backwards doesn't bring back what was seen to be gone.
    again.close()
    now[0] -= 5000
    third = Engine(storage=open_storage(tmp_path), clock=lambda: now[0])
    assert run(third, Session(), "GET a") is None
    third.close()


def test_an_unknown_command_in_the_log_is_an_error_with_its_name(tmp_path: Path) -> None:
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
        log.append([(0, (b"FRobNICATE", b"k"))])
    with AppendOnlyLog(tmp_path) as log, pytest.raises(StorageError, match="FRobNICATE"):
        Engine(storage=log)


def test_a_procedure_is_one_unit(tmp_path: Path) -> None:
    engine, session = Engine(storage=open_storage(tmp_path)), Session(2)

    def both(context: Any, keys: list[bytes], argv: list[bytes]) -> Any:
        for key in keys:
            context.call(b"SET", key, b"1")
        return 1

    engine.register_procedure(b"f" * 40, both)
    assert run(engine, session, "EVALSHA " + "f" * 40 + " 2 a b") == 1
    engine.close()
    _, text = incr(tmp_path).read_bytes().split(b"\r\n", 1)
    unit, _, crc = text.partition(b"#CRC:")
    assert len(crc) == len(b"0,01234567\r\n") or len(crc) == len(b",01234567\r\n")
    assert unit == (
        b"*2\r\n$6\r\nselect\r\n$1\r\n2\r\n*1\r\n$5\r\nmulti\r\n"
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n*1\r\n$4\r\nexec\r\n"
    )


WORK = """
import os, sys
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage import open_storage
engine, session = Engine(storage=open_storage(sys.argv[1], appendfsync=sys.argv[2])), Session()
acknowledged = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
while True:
    for args in ([b"MULTI"], [b"INCR", b"a"], [b"SELECT", b"1"], [b"INCR", b"a"], [b"SELECT", b"0"]):
        engine.execute(session, args)
    os.write(acknowledged, b"%d\\n" % engine.execute(session, [b"EXEC"])[0])
"""


@pytest.mark.parametrize("policy", ["everysec", "always", "no"])
def test_transactions_survive_a_kill_whole(tmp_path: Path, policy: str) -> None:
    rng = random.Random(1)
    acknowledged = tmp_path / "acknowledged"
    for _ in range(5):
        worker = subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path / "store"), policy, str(acknowledged)])
        try:
            deadline = time.monotonic() + 20
            while not (acknowledged.exists() and acknowledged.stat().st_size) and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(rng.random() * 0.05)
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        last = int(acknowledged.read_bytes().split()[-1])
        acknowledged.unlink()
        engine = Engine(storage=open_storage(tmp_path / "store"))
        values = {number: int(found[0]) for (number, _), found in content(engine).items()}
        engine.close()
        assert values[0] == values[1], "half a transaction"
        assert last <= values[0] <= last + 1
