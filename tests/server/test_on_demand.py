"""A socket that waits without cost: what it starts and leaves, and that clients come and go as with any server."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.server import accepting
from redmodel.server.on_demand import OnDemandServer


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def server(place: Path) -> Iterator[OnDemandServer]:
    server = OnDemandServer(Engine(), place)
    yield server
    server.stop()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_clients_come_and_go_and_come_again(server: OnDemandServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "_LINGER", 0.05)
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    for turn in range(3):
        with redis.Redis(unix_socket_path=str(server.path)) as client:
            assert client.incr("a") == turn + 1
        time.sleep(0.3)  # the loop has ended by now, and the thread sleeps


def test_many_at_once(server: OnDemandServer) -> None:
    wrong: list[BaseException] = []

    def work() -> None:
        try:
            with redis.Redis(unix_socket_path=str(server.path)) as client:
                for _ in range(100):
                    client.incr("n")
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with redis.Redis(unix_socket_path=str(server.path)) as client:
        assert client.get("n") == b"1000"


def test_keys_expire_while_clients_are_idle(server: OnDemandServer) -> None:
    with redis.Redis(unix_socket_path=str(server.path)) as client:
        client.set("a", 1, px=30)
        time.sleep(0.5)
        assert server._engine.databases[0].values == {}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_stopping_leaves_nothing_and_answers_what_was_read(place: Path) -> None:
    warm = OnDemandServer(Engine(), place)
    with redis.Redis(unix_socket_path=str(place)) as client:
        client.ping()
    warm.stop()
    threads, before = set(threading.enumerate()), descriptors()
    for clients in (0, 1, 5):
        server = OnDemandServer(Engine(), place)
        socks = [socket.socket(socket.AF_UNIX) for _ in range(clients)]
        for sock in socks:
            sock.connect(str(place))
            sock.sendall(b"PING\r\n")
            assert sock.recv(100) == b"+PONG\r\n"
        server.stop()
        server.stop()
        assert not place.exists()
        for sock in socks:
            assert sock.recv(100) == b""
            sock.close()
        with pytest.raises(OSError), socket.socket(socket.AF_UNIX) as late:
            late.connect(str(place))
    assert (set(threading.enumerate()), descriptors()) == (threads, before)


def test_stopping_while_clients_write(place: Path) -> None:
    for _ in range(10):
        engine = Engine()
        server = OnDemandServer(engine, place)
        acknowledged = 0

        def work() -> None:
            nonlocal acknowledged
            try:
                with redis.Redis(unix_socket_path=str(place)) as client:
                    while True:
                        client.rpush("list", acknowledged)
                        acknowledged += 1
            except (redis.ConnectionError, FileNotFoundError):
                pass

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.05)
        server.stop()
        thread.join()
        items = engine.databases[0].values.get(b"list", [])
        assert len(items) in (acknowledged, acknowledged + 1)
        engine.close()


def test_the_path(tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(stale))
    OnDemandServer(Engine(), stale).stop()
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with pytest.raises(OSError):
        OnDemandServer(Engine(), taken)
    assert taken.read_text() == "mine"
    with pytest.raises(OSError):
        OnDemandServer(Engine(), tmp_path / ("x" * 120))
    with pytest.raises(OSError):
        OnDemandServer(Engine(), tmp_path / "none" / "s")


def test_nothing_heavy_is_loaded_before_the_first_client(tmp_path: Path) -> None:
    script = (
        "import sys; from redmodel.engine.engine import Engine; from redmodel.server.on_demand import OnDemandServer\n"
        f"server = OnDemandServer(Engine(), __import__('pathlib').Path({str(tmp_path / 's')!r}))\n"
        "print('asyncio' in sys.modules); server.stop()"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "False\n"
