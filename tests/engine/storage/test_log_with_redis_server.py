"""A copy of the directory opens in redis-server 7, and what redis-server wrote opens here."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
import redis

from redmodel.engine.storage.format import encode_command
from redmodel.engine.storage.log import AppendOnlyLog
from tests import servers
from tests.engine.storage.faulty import incr

UNITS: list[list[tuple[int, tuple[bytes, ...]]]] = [
    [(0, (b"SET", b"text", b"a\r\nb\x00\xff"))],
    [(0, (b"HSET", b"h", b"f", b"1", b"g", b"")), (0, (b"SADD", b"s", b"a", b"b"))],
    [(4, (b"ZADD", b"z", b"1.5", b"m", b"-inf", b"n"))],
    [(4, (b"SET", b"later", b"x", b"PXAT", b"4102444800000")), (0, (b"DEL", b"s")), (9, (b"RPUSH", b"l", b"1"))],
    [(0, (b"PEXPIREAT", b"h", b"4102444800000"))],
]


def keyspace(port: int) -> dict[tuple[int, bytes], object]:
    """Every key of a server with its value and expiry."""
    found: dict[tuple[int, bytes], object] = {}
    for db in range(16):
        with redis.Redis(port=port, db=db) as client:
            for key in client.scan_iter():
                kind = client.type(key)
                value = {
                    b"string": client.get,
                    b"hash": client.hgetall,
                    b"set": client.smembers,
                    b"zset": lambda key, client=client: client.zrange(key, 0, -1, withscores=True),
                    b"list": lambda key, client=client: client.lrange(key, 0, -1),
                }[kind](key)
                found[db, key] = (kind, value, client.execute_command("PEXPIRETIME", key))
    return found


@pytest.fixture
def starting():
    """Starts redis-server on a copy of a directory."""
    started: list[servers.RealServer] = []

    def start(directory: Path, **options: str) -> servers.RealServer:
        binary = servers.redis7_binary()
        if binary is None:
            pytest.skip("No redis-server 7 on PATH.")
        server = servers.RealServer(binary, appendonly=True, options={"aof-use-rdb-preamble": "no", **options})
        started.append(server)
        shutil.copytree(directory, server.directory, dirs_exist_ok=True)
        return server.start()

    yield start
    for server in started:
        server.stop()


def test_redis_server_loads_a_copy(tmp_path: Path, starting) -> None:
    with AppendOnlyLog(tmp_path / "store") as log:
        list(log.replay())
        for unit in UNITS:
            log.append(unit)
        server = starting(tmp_path / "store")  # as it stands, while the owner has it open
        expected = keyspace(server.port)
        assert len(expected) == 5
        with redis.Redis(port=server.port) as client:
            assert client.get("text") == b"a\r\nb\x00\xff"
            assert client.execute_command("PEXPIRETIME", "h") == 4102444800000
        log.compact([command for unit in UNITS for command in unit])
        log.append([(7, (b"SET", b"more", b"1"))])
    rewritten = keyspace(starting(tmp_path / "store").port)
    assert rewritten.pop((7, b"more"))
    assert rewritten == expected


def test_redis_server_loads_what_an_interrupted_write_left(tmp_path: Path, starting) -> None:
    with AppendOnlyLog(tmp_path / "store") as log:
        list(log.replay())
        for unit in UNITS:
            log.append(unit)
        shutil.copytree(tmp_path / "store", tmp_path / "killed")  # as it stands while it is open
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "killed").rename(tmp_path / "store")
    with incr(tmp_path / "store").open("r+b") as file:
        file.truncate(incr(tmp_path / "store").stat().st_size - 105)
    theirs = keyspace(starting(tmp_path / "store").port)
    with AppendOnlyLog(tmp_path / "store") as log:
        list(log.replay())
    assert keyspace(starting(tmp_path / "store").port) == theirs
    assert (9, b"l") not in theirs


def test_what_redis_server_wrote_opens_here(tmp_path: Path, starting) -> None:
    (tmp_path / "empty").mkdir()
    server = starting(tmp_path / "empty")
    with redis.Redis(port=server.port) as client, redis.Redis(port=server.port, db=3) as third:
        client.set("before", "1", ex=1000)
        third.sadd("s", "a")
        client.bgrewriteaof()
        while (
            client.info("persistence")["aof_rewrite_in_progress"] or client.info("persistence")["aof_rewrite_scheduled"]
        ):
            time.sleep(0.01)
        with third.pipeline() as pipe:
            pipe.set("after", "2").incr("after").execute()
        client.config_set("aof-timestamp-enabled", "yes")
        client.set("stamped", "3")
    server.stop(remove=False)
    with AppendOnlyLog(server.directory) as log:
        found = list(log.replay())
        log.append([(0, (b"SET", b"ours", b"4"))])
    db = b"0"
    keys: set[tuple[bytes, bytes]] = set()
    for command in found:
        if command[0].upper() == b"SELECT":
            db = command[1]
        else:
            keys.add((db, command[1]))
    assert keys == {(b"0", b"before"), (b"3", b"s"), (b"3", b"after"), (b"0", b"stamped")}
    assert (b"INCR", b"after") in found or (b"INCRBY", b"after", b"1") in found
    again = starting(server.directory)
    with redis.Redis(port=again.port) as client:
        assert client.get("ours") == b"4"
        assert client.get("stamped") == b"3"
    server.stop()


@pytest.mark.skipif(shutil.which("redis-check-aof") is None, reason="no redis-check-aof")
def test_redis_check_aof_finds_nothing_wrong(tmp_path: Path) -> None:
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
        for unit in UNITS:
            log.append(unit)
        log.compact([command for unit in UNITS for command in unit])
        log.append(UNITS[1])
    manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
    said = subprocess.run(["redis-check-aof", str(manifest)], capture_output=True, text=True, timeout=20, check=False)
    assert said.returncode == 0, said.stdout
    assert "All AOF files and manifest are valid" in said.stdout


def test_a_rewrite_interrupted_before_its_clean_up_loads_in_both(tmp_path: Path, starting) -> None:
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
        log.append([(0, (b"SET", b"old", b"1"))])
    folder = tmp_path / "appendonlydir"
    (folder / "appendonly.aof.1.base.aof").write_bytes(encode_command((b"SET", b"new", b"1")))
    (folder / "appendonly.aof.2.incr.aof").touch()
    (folder / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.base.aof seq 1 type b\n"
        "file appendonly.aof.1.incr.aof seq 1 type h\n"
        "file appendonly.aof.0.gone.aof seq 1 type h\n"
        "file appendonly.aof.2.incr.aof seq 2 type i\n"
    )
    assert {key for _, key in keyspace(starting(tmp_path).port)} == {b"new"}
    with AppendOnlyLog(tmp_path) as log:
        assert [command[1] for command in log.replay() if command[0] == b"SET"] == [b"new"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "appendonly.aof.1.base.aof",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.3.incr.aof",
        "appendonly.aof.manifest",
    ]
    assert b"type h" not in (folder / "appendonly.aof.manifest").read_bytes()
