"""The engine behind sockets: redis-py in both colours, redis-cli, both protocols, and clients that misbehave."""

from __future__ import annotations

import asyncio
import shutil
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio

from redmodel.engine.engine import Engine
from redmodel.server import Listener, Server


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[Server]:
    with Server(engine, port=0, unixsocket=tmp_path / "s") as server:
        yield server


def connect(server: Server) -> socket.socket:
    sock = socket.create_connection((server.host, server.port))
    sock.settimeout(5)
    return sock


def ask(server: Server, data: bytes, *, end: bool = True) -> bytes:
    """Send bytes, end the sending side, and give all that comes until the server closes."""
    with connect(server) as sock:
        sock.sendall(data)
        if end:
            sock.shutdown(socket.SHUT_WR)
        said = b""
        while piece := sock.recv(65536):
            said += piece
        return said


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decode", [False, True])
def test_redis_py(server: Server, protocol: int, decode: bool) -> None:
    with redis.Redis(port=server.port, protocol=protocol, decode_responses=decode) as client:
        client.flushall()
        assert client.set("a", 1)
        assert client.incr("a") == 2
        client.hset("h", mapping={"f": "v"})
        assert client.hgetall("h") == ({"f": "v"} if decode else {b"f": b"v"})
        client.zadd("z", {"m": 1.5})
        pair = ("m" if decode else b"m", 1.5)
        assert [tuple(found) for found in client.zrange("z", 0, -1, withscores=True)] == [pair]
        assert client.pipeline().get("a").smembers("none").execute() == ["2" if decode else b"2", set()]
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            client.get("h")
        with pytest.raises(redis.exceptions.NoScriptError):
            client.evalsha("0" * 40, 0)
        assert client.info()["redis_version"].startswith("7.0")
        assert client.client_id() > 0


def test_redis_py_on_the_unix_socket(server: Server, engine: Engine) -> None:
    assert server.unixsocket is not None
    assert stat.S_IMODE(Path(server.unixsocket).stat().st_mode) == 0o600
    assert server.url == f"unix://{server.unixsocket}"
    with redis.Redis.from_url(server.url, db=3) as client:
        client.set("a", "x" * 1_000_000)
        assert len(client.get("a") or b"") == 1_000_000
        pipe = client.pipeline()
        pipe.watch("a")
        client.set("a", 1)
        pipe.multi()
        pipe.get("a")
        with pytest.raises(redis.WatchError):
            pipe.execute()
        pipe.close()
    assert len(engine.databases[3].values) == 1


@pytest.mark.anyio
async def test_redis_py_awaited(server: Server) -> None:
    async with redis.asyncio.Redis(port=server.port) as client:
        await asyncio.gather(*(client.incr("n") for _ in range(80)))
        assert await client.get("n") == b"80"
        async with client.pipeline() as pipe:
            assert await pipe.set("a", 1).get("a").execute() == [True, b"1"]


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="no redis-cli")
def test_redis_cli(server: Server) -> None:
    def cli(*args: str, stdin: str | None = None) -> str:
        command = ["redis-cli", "-p", str(server.port), *args]
        return subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=20, check=True).stdout

    assert cli("SET", "a", "1") == "OK\n"
    assert cli("--no-raw", "INCR", "a") == "(integer) 2\n"
    assert cli("-3", "--no-raw", "HGETALL", "none") == "(empty hash)\n"
    assert "WRONGTYPE" in cli("LPUSH", "a", "x") or "unknown command" in cli("LPUSH", "a", "x")
    assert cli(stdin="PING\nGET a\nMULTI\nINCR a\nEXEC\n").split() == ["PONG", "2", "OK", "QUEUED", "3"]
    assert cli("-s", str(server.unixsocket), "PING") == "PONG\n"
    mass = "".join(f"*3\r\n$3\r\nSET\r\n$4\r\nk{n:03}\r\n$1\r\nv\r\n" for n in range(1000))
    assert "errors: 0, replies: 1000" in cli("--pipe", stdin=mass)


def test_what_was_asked_is_answered_after_the_client_ends_its_side(server: Server) -> None:
    assert ask(server, b"PING\r\n" * 3) == b"+PONG\r\n" * 3
    assert ask(server, b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nGET none\r\nEXEC\r\n") == (
        b"$2\r\nhi\r\n$-1\r\n-ERR EXEC without MULTI\r\n"
    )
    assert ask(server, b"*1\r\n$4\r\nPI") == b""


def test_the_nil_of_a_refused_transaction_is_an_arrays(server: Server, engine: Engine) -> None:
    with connect(server) as sock:
        sock.sendall(b"WATCH a\r\nMULTI\r\nSET a 1\r\n")
        time.sleep(0.1)
        with redis.Redis(port=server.port) as other:
            other.set("a", 2)
        sock.sendall(b"EXEC\r\nHELLO 3\r\n")
        sock.shutdown(socket.SHUT_WR)
        said = b""
        while piece := sock.recv(65536):
            said += piece
    assert said.startswith(b"+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n%7\r\n$6\r\nserver\r\n")


def test_quit_answers_and_closes(server: Server) -> None:
    assert ask(server, b"PING\r\nQUIT\r\nPING\r\n", end=False) == b"+PONG\r\n+OK\r\n"


def test_a_violation_is_told_and_closes(server: Server) -> None:
    said = ask(server, b"PING\r\n*1\r\n$-5\r\nPING\r\n", end=False)
    assert said == b"+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"


def test_web_pages_are_shut_out(server: Server) -> None:
    assert ask(server, b"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a 1\r\n", end=False) == b""
    assert b"OK" not in ask(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\nSET a 1\r\n", end=False)
    with redis.Redis(port=server.port) as client:
        assert client.get("a") is None


def test_every_request_cut_at_every_byte(server: Server) -> None:
    stream = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\nGET k\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n"
    whole = ask(server, stream)
    assert whole == b"+OK\r\n$2\r\n\r\n\r\n$2\r\n\r\n\r\n+PONG\r\n"
    for cut in range(1, len(stream)):
        with connect(server) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(stream[:cut])
            time.sleep(0.001)
            sock.sendall(stream[cut:])
            sock.shutdown(socket.SHUT_WR)
            said = b""
            while piece := sock.recv(65536):
                said += piece
        assert said == whole, cut


def test_a_client_that_never_reads_costs_little_and_harms_nobody(server: Server, engine: Engine) -> None:
    with redis.Redis(port=server.port) as client:
        client.set("big", b"x" * 100_000)
        ran = 0
        with connect(server) as greedy:
            greedy.setblocking(False)
            request = b"INCR asked\r\nGET big\r\n"
            try:
                while ran < 200_000:
                    ran += greedy.send(request * 500)
            except BlockingIOError:
                pass
            time.sleep(0.3)
            # 1,000 replies would be 100 MB: they are not made before there is room for them.
            assert int(client.get("asked") or 0) < 400
            assert client.ping()
            greedy.setblocking(True)
            greedy.settimeout(5)
            greedy.shutdown(socket.SHUT_WR)
            got = 0
            while piece := greedy.recv(1 << 20):
                got += len(piece)
        assert got > 100_000 * int(client.get("asked") or 0)


def test_a_deep_pipeline(server: Server) -> None:
    assert ask(server, b"PING\r\n" * 100_000) == b"+PONG\r\n" * 100_000


def test_slow_senders_and_sudden_ends(server: Server) -> None:
    with connect(server) as slow, connect(server) as rude, redis.Redis(port=server.port) as client:
        for byte in b"*1\r\n$4\r\nPING\r\n":
            slow.send(bytes([byte]))
            assert client.ping()
        assert slow.recv(100) == b"+PONG\r\n"
        rude.sendall(b"MULTI\r\nSET a 1\r\n")
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        rude.close()
        assert client.get("a") is None


def test_too_many_clients(engine: Engine) -> None:
    with Server(engine, maxclients=2) as server, connect(server) as first, connect(server) as second:
        for sock in (first, second):
            sock.sendall(b"PING\r\n")
            assert sock.recv(100) == b"+PONG\r\n"
        with connect(server) as third:
            assert third.recv(100) == b"-ERR max number of clients reached\r\n"
            assert third.recv(100) == b""
        first.close()
        time.sleep(0.1)
        with connect(server) as third:
            third.sendall(b"PING\r\n")
            assert third.recv(100) == b"+PONG\r\n"


def test_stopping_answers_what_was_read_and_ends_in_time(engine: Engine, tmp_path: Path) -> None:
    server = Server(engine, port=0, unixsocket=tmp_path / "s").start()
    idle = connect(server)
    stuck = connect(server)
    engine_client = redis.Redis(port=server.port)
    engine_client.set("big", b"x" * 1_000_000)
    stuck.sendall(b"GET big\r\n" * 100)
    time.sleep(0.1)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 4
    assert idle.recv(10) == b""
    with pytest.raises(OSError):
        connect(server)
    assert not (tmp_path / "s").exists()
    server.stop()
    for sock in (idle, stuck, engine_client):
        sock.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "redmodel-server"]


def test_a_server_can_start_again(engine: Engine) -> None:
    server = Server(engine)
    for _ in range(3):
        with server:
            assert ask(server, b"PING\r\n") == b"+PONG\r\n"


def test_a_taken_port_and_a_taken_socket_are_errors(server: Server, engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Server(engine, port=server.port).start()
    assert server.unixsocket is not None
    with pytest.raises(OSError):
        Server(engine, unixsocket=server.unixsocket).start()
    assert ask(server, b"PING\r\n") == b"+PONG\r\n"
    left = tmp_path / "left"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    with Server(engine, unixsocket=left) as again, redis.Redis.from_url(again.url) as client:
        assert client.ping()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError):
        Server(engine, unixsocket=tmp_path / "file").start()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_only_this_machine_is_served(engine: Engine, host: str) -> None:
    with pytest.raises(ValueError, match="reached from elsewhere"):
        Listener(engine, host=host, port=0)
    with pytest.raises(ValueError, match="nowhere to listen"):
        Listener(engine)


def test_expired_keys_go_without_traffic(engine: Engine, server: Server) -> None:
    with redis.Redis(port=server.port) as client:
        client.set("a", 1, px=50)
    time.sleep(0.5)
    assert not engine.databases[0].values


def test_many_connections(server: Server) -> None:
    socks = [connect(server) for _ in range(300)]
    for sock in socks:
        sock.sendall(b"PING\r\n")
    assert all(sock.recv(10) == b"+PONG\r\n" for sock in socks)
    for sock in socks:
        sock.close()
