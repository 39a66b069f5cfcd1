"""A real redis-server follows the engine, and so does whatever else asks for the stream of commands."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import hiredis
import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage import open_storage
from redmodel.server.server import Server
from tests import servers


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def serving(engine: Engine) -> Iterator[Server]:
    with Server(engine, port=0) as server:
        yield server


@pytest.fixture
def client(serving: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=serving.port) as client:
        yield client


@pytest.fixture
def replica() -> Iterator[redis.Redis]:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH: apt-get install redis-server.")
    with (
        servers.running(binary, tcp=False, options={"enable-debug-command": "yes"}) as server,
        redis.Redis(unix_socket_path=server.socket_path) as client,
    ):
        yield client


class Follower:
    """What is behind SYNC: the snapshot, and then commands."""

    def __init__(self, port: int, *before: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(10)
        self.reader = hiredis.Reader()
        for line in before:
            self.socket.sendall(f"{line}\r\n".encode())
            assert self.socket.recv(100) == b"+OK\r\n"
        self.socket.sendall(b"SYNC\r\n")
        data = b""
        while b"\r\n" not in data.lstrip(b"\n"):
            data += self.socket.recv(1 << 16)
        head, _, self.rest = data.lstrip(b"\n").partition(b"\r\n")
        self.head = head
        if head.startswith(b"$EOF:"):
            mark = head.removeprefix(b"$EOF:")
            while mark not in self.rest:
                self.rest += self.socket.recv(1 << 16)
            self.snapshot, _, self.rest = self.rest.partition(mark)
        else:
            size = int(head[1:])
            while len(self.rest) < size:
                self.rest += self.socket.recv(1 << 16)
            self.snapshot, self.rest = self.rest[:size], self.rest[size:]
        self.reader.feed(self.rest)

    def next(self) -> list[bytes]:
        while (command := self.reader.gets()) is False:
            self.reader.feed(self.socket.recv(1 << 16))
        assert isinstance(command, list)
        return command

    def upto(self, last: list[bytes]) -> list[list[bytes]]:
        got = [self.next()]
        while got[-1] != last:
            got.append(self.next())
        return got

    def close(self) -> None:
        self.socket.close()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def churn(client: redis.Redis, rng: random.Random, count: int) -> None:
    pipeline = client.pipeline(transaction=False)
    for number in range(count):
        key = rng.randrange(40)
        line: tuple[object, ...] = rng.choice(
            (
                ("SET", f"s{key}", number),
                ("SET", f"s{key}", number, "PX", rng.randrange(1, 300)),
                ("HSET", f"h{key}", rng.randrange(9), number),
                ("SADD", f"t{key}", *range(rng.randrange(1, 9))),
                ("SPOP", f"t{key}", 3),
                ("ZADD", f"z{key}", rng.random(), rng.randrange(30)),
                ("RPUSH", f"l{key}", number),
                ("LPOP", f"l{key}"),
                ("XADD", f"x{key}", "*", "a", number),
                ("DEL", f"h{key}"),
                ("SELECT", rng.randrange(3)),
                ("RENAME", f"h{key}", f"h{key + 1}"),
            )
        )
        pipeline.execute_command(*line)
    pipeline.execute(raise_on_error=False)


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_real_server_follows(
    engine: Engine, client: redis.Redis, serving: Server, replica: redis.Redis, diskless: str
) -> None:
    rng = random.Random(5)
    client.config_set("repl-diskless-sync", diskless)
    client.function_load("#!lua name=one\nredis.register_function('f', function() return 1 end)")
    churn(client, rng, 5000)
    replica.execute_command("REPLICAOF", "127.0.0.1", serving.port)
    while replica.info("replication")["master_link_status"] != "up":
        churn(client, rng, 100)
    churn(client, rng, 3000)
    client.set("last", 1)
    assert client.wait(1, 10_000) == 1
    time.sleep(0.35)  # what has a deadline is gone on both sides, where somebody looks
    engine.expire_step(10_000)
    for number in range(3):
        client.execute_command("SELECT", number)
        client.set("last", 2)
    assert client.wait(1, 10_000) == 1
    assert client.wait(2, 20) == 1
    session = Session()
    engine.execute(session, [b"DEBUG", b"DIGEST"])
    assert replica.execute_command("DEBUG", "DIGEST") == engine.execute(session, [b"DEBUG", b"DIGEST"])
    assert replica.function_list() == client.function_list()
    told = client.info("replication")
    assert told["connected_slaves"] == 1 and told["slave0"]["state"] == "online"
    assert client.execute_command("ROLE")[2][0][0] == b"127.0.0.1"
    assert [each["flags"] for each in client.client_list("replica")] == ["S"]
    assert replica.info("replication")["master_link_status"] == "up"
    replica.execute_command("REPLICAOF", "NO", "ONE")
    eventually(lambda: client.info("replication")["connected_slaves"] == 0)
    assert not engine._context.logging


def test_the_stream_is_what_the_log_holds(tmp_path: Path) -> None:
    engine = Engine(storage=open_storage(tmp_path))
    with Server(engine, port=0) as server, redis.Redis(port=server.port) as client:
        client.set("before", 1)
        follower = Follower(server.port)
        assert follower.head.startswith(b"$") and b"before" in follower.snapshot
        client.set("a", 1, px=1_000_000)
        client.publish("channel", "message")
        with client.pipeline() as pipeline:
            pipeline.incr("n").publish("channel", "x").sadd("s", "m").spop("s").execute()
        client.eval("redis.call('SET', 'one', 1)", 0)
        client.execute_command("SELECT", 2)
        client.set("last", 1)
        got = follower.upto([b"SET", b"last", b"1"])
        assert [command[0] for command in got[:3]] == [b"SELECT", b"SET", b"PUBLISH"]
        assert got[1][3] == b"PXAT"
        assert got[3:] == [
            [b"MULTI"],
            [b"INCRBY", b"n", b"1"],
            [b"PUBLISH", b"channel", b"x"],
            [b"SADD", b"s", b"m"],
            [b"DEL", b"s"] if [b"DEL", b"s"] in got else [b"SREM", b"s", b"m"],
            [b"EXEC"],
            [b"SET", b"one", b"1"],
            [b"SELECT", b"2"],
            [b"SET", b"last", b"1"],
        ]
        follower.close()
    engine.close()
    again = Engine(storage=open_storage(tmp_path))
    assert again.execute(Session(2), [b"GET", b"last"]) == b"1"
    again.close()


def test_what_is_written_while_the_snapshot_is_made_comes_behind_it(client: redis.Redis, serving: Server) -> None:
    for number in range(200):
        client.rpush(f"l{number}", 1)
    client.config_set("rdb-key-save-delay", 2000)
    with socket.create_connection(("127.0.0.1", serving.port)) as sock:
        sock.sendall(b"SYNC\r\n")
        eventually(lambda: client.info("replication")["connected_slaves"] == 1)
        for number in range(200):
            client.rpush(f"l{number}", 2)
        assert client.info("replication")["slave0"]["state"] == "send_bulk"
        data = b""
        while data.count(b"RPUSH") < 200:
            data += sock.recv(1 << 16)
    head, _, rest = data.lstrip(b"\n").partition(b"\r\n")
    assert b"RPUSH" not in rest[: int(head[1:])]
    assert rest[int(head[1:]) :].startswith(b"*2\r\n$6\r\nSELECT")


def test_a_marked_snapshot_and_its_stream_are_apart(client: redis.Redis, serving: Server) -> None:
    client.set("a", 1)
    follower = Follower(serving.port, "REPLCONF listening-port 7 capa eof", "REPLCONF ip-address elsewhere")
    client.set("b", 1)
    assert follower.rest == b""
    follower.socket.sendall(b"REPLCONF ACK 0\r\n")
    assert follower.next() == [b"SELECT", b"0"]
    assert follower.next() == [b"SET", b"b", b"1"]
    told = client.info("replication")["slave0"]
    assert (told["ip"], told["port"]) == ("elsewhere", 7)
    follower.socket.sendall(b"RESET\r\n")
    assert "can only reset normal client connections" in follower.socket.recv(1 << 16).decode()
    follower.close()


def test_a_replica_that_reads_nothing_is_let_go(client: redis.Redis, serving: Server, engine: Engine) -> None:
    client.config_set("client-output-buffer-limit", "slave 3mb 0 0")
    follower = Follower(serving.port)
    eventually(lambda: client.info("replication")["slave0"]["state"] == "online")
    value = b"x" * 100_000
    for number in range(200):
        client.set(f"k{number}", value)
    eventually(lambda: client.info("replication")["connected_slaves"] == 0)
    assert not engine.replication
    follower.close()


def test_redis_cli_takes_a_snapshot(client: redis.Redis, serving: Server, tmp_path: Path) -> None:
    if which("redis-cli") is None or which("redis-check-rdb") is None:
        pytest.skip("No redis-cli on PATH: apt-get install redis-server.")
    client.mset({f"k{number}": number for number in range(1000)})
    path = tmp_path / "dump.rdb"
    ran = subprocess.run(
        ["redis-cli", "-p", str(serving.port), "--rdb", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "Transfer finished with success" in ran.stderr
    checked = subprocess.run(["redis-check-rdb", str(path)], capture_output=True, text=True, timeout=30, check=True)
    assert "1000 keys read" in checked.stdout
    ran = subprocess.run(
        ["redis-cli", "-p", str(serving.port), "--functions-rdb", str(path)],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert b"k1" not in path.read_bytes()


def test_the_words_of_replication(both_words: Callable[[str], tuple[object, object]]) -> None:
    for line in (
        "REPLCONF foo 1", "REPLCONF capa other", "REPLCONF listening-port x", "REPLCONF rdb-filter-only functions",
        "PSYNC ? x", "SYNC x", "PSYNC ?", "REPLCONF rdb-only 3", "REPLCONF rdb-filter-only data", "WAIT 0 0",
        "WAIT 1 10", "WAIT x 0", "WAIT 2 -1", "REPLICAOF NO ONE", "PSYNC a 1 failover", "FAILOVER", "REPLCONF",
        "REPLCONF a", "ROLE", "SYNC",
    ):  # fmt: skip
        real, ours = both_words(line)
        if line == "SYNC":
            assert "EOF capability" in str(real)
        assert str(real) == str(ours), line


@pytest.fixture
def both_words(client: redis.Redis) -> Iterator[Callable[[str], tuple[object, object]]]:
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH: apt-get install redis-server.")

    def said(connection: redis.Connection, line: str) -> object:
        connection.send_command(*line.split())
        try:
            return connection.read_response(timeout=5)
        except redis.ResponseError as error:
            return error

    with servers.running(binary, tcp=False) as server, redis.Redis(unix_socket_path=server.socket_path) as real:
        one, other = real.connection_pool.get_connection(), client.connection_pool.get_connection()
        yield lambda line: (said(one, line), said(other, line))


def test_writes_wait_for_enough_replicas(client: redis.Redis, serving: Server) -> None:
    client.set("x", 1)
    client.config_set("min-replicas-to-write", 1)
    assert client.info("replication")["min_slaves_good_slaves"] == 0
    refusal = "Not enough good replicas to write"
    for line in (
        ("SET", "x", 2),
        ("EVAL", "return redis.call('SET', 'x', 2)", 0),
        ("EVAL", "#!lua\nreturn redis.call('GET', 'x')", 0),
    ):
        with pytest.raises(redis.ResponseError, match=refusal):
            client.execute_command(*line)
    pipeline = client.pipeline().set("x", 2)
    with pytest.raises(redis.ResponseError, match=refusal):
        pipeline.execute()
    assert client.eval("return redis.call('GET', 'x')", 0) == b"1"
    assert client.eval("#!lua flags=no-writes\nreturn redis.call('GET', 'x')", 0) == b"1"
    follower = Follower(serving.port)
    eventually(lambda: client.info("replication")["slave0"]["state"] == "online")
    assert client.set("x", 2)
    follower.close()
