"""What clients cost the server: who is sent away, before what, and what is counted and listed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    engine = Engine()
    with Server(engine, port=0) as server:
        yield server
    engine.close()


@pytest.fixture
def admin(server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, decode_responses=True) as client:
        client.execute_command("CLIENT", "NO-EVICT", "ON")
        yield client


class Greedy:
    """A client that sends what it likes and reads only what it must."""

    def __init__(self, server: Server, name: str = "") -> None:
        self.socket = socket.create_connection((server.host, server.port))
        self.socket.settimeout(10)
        if name:
            self.ask(f"CLIENT SETNAME {name}")

    def ask(self, line: str) -> bytes:
        self.socket.sendall(line.encode() + b"\r\n")
        return self.socket.recv(1 << 16)

    def gone(self) -> bool:
        """Whether the server has closed the connection; reads all that is there."""
        try:
            while self.socket.recv(1 << 20):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True


@pytest.fixture
def greedy(server: Server) -> Iterator[Callable[..., Greedy]]:
    """Makes clients, and closes them at the end."""
    made: list[Greedy] = []

    def make(name: str = "") -> Greedy:
        made.append(Greedy(server, name))
        return made[-1]

    yield make
    for client in made:
        client.socket.close()


def names(admin: redis.Redis) -> set[str]:
    return {client["name"] for client in admin.client_list()} - {""}


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_request_that_is_too_large(admin: redis.Redis, greedy: Callable[..., Greedy]) -> None:
    admin.config_set("maxmemory-clients", 500_000)
    large, modest = greedy("large"), greedy("modest")
    modest.socket.sendall(b"*1\r\n$200000\r\n" + b"v" * 100_000)
    large.socket.sendall(b"*1\r\n$900000\r\n" + b"v" * 600_000)
    assert large.gone()
    assert names(admin) == {"modest"}
    assert admin.info("stats")["evicted_clients"] == 1


@pytest.mark.parametrize(
    "line", ["WATCH key{}", "SUBSCRIBE ch{}", "PSUBSCRIBE p{}", "SSUBSCRIBE s{}", "SET k " + "v" * 99]
)
def test_many_small_things(admin: redis.Redis, greedy: Callable[..., Greedy], line: str) -> None:
    client = greedy("greedy")
    if line.startswith("SET"):
        client.ask("MULTI")
    admin.config_set("maxmemory-clients", 100_000)
    before = admin.client_list()[1]["tot-mem"]
    client.ask(line.format(0))
    assert int(admin.client_list()[1]["tot-mem"]) > int(before)
    try:
        for number in range(5000):
            if not client.ask(line.format(number)):
                break
    except ConnectionError:
        pass
    assert client.gone()
    assert names(admin) == set()


def test_less_is_allowed_the_largest_go_first(admin: redis.Redis, greedy: Callable[..., Greedy]) -> None:
    clients = [greedy(f"c{number}") for number in range(4)]
    for number, client in enumerate(clients):
        client.socket.sendall(b"*1\r\n$900000\r\n" + b"v" * 50_000 * (number + 1))
    until(lambda: sum(int(client["qbuf"]) for client in admin.client_list()) > 500_000)
    admin.config_set("maxmemory-clients", 200_000)
    assert names(admin) == {"c0", "c1"}
    admin.config_set("maxmemory", 10_000_000)
    admin.config_set("maxmemory-clients", "1%")
    assert names(admin) == {"c0"}
    with pytest.raises(redis.ResponseError, match="percentage argument must be less or equal to 100"):
        admin.config_set("maxmemory-clients", "101%")


def test_who_may_not_be_sent_away(admin: redis.Redis, greedy: Callable[..., Greedy]) -> None:
    admin.config_set("maxmemory-clients", 100_000)
    safe = greedy("safe")
    safe.ask("CLIENT NO-EVICT on")
    safe.socket.sendall(b"*1\r\n$900000\r\n" + b"v" * 200_000)
    until(lambda: int(admin.client_list()[1]["qbuf"]) >= 200_000)
    other = greedy()
    other.socket.sendall(b"PING\r\n")
    assert other.gone()
    assert names(admin) == {"safe"}


def test_clients_cost_keys(admin: redis.Redis, greedy: Callable[..., Greedy]) -> None:
    for number in range(20):
        admin.set(f"k{number}", "x" * 50_000)
    admin.config_set("maxmemory-policy", "allkeys-lru")
    admin.config_set("maxmemory", int(admin.info("memory")["used_memory"]) + 100_000)
    client = greedy("greedy")
    client.socket.sendall(b"*1\r\n$9000000\r\n" + b"v" * 500_000)
    until(lambda: admin.dbsize() < 13)
    assert admin.info("stats")["evicted_keys"] >= 7
    assert admin.info("memory")["mem_clients_normal"] >= 500_000
    client.socket.close()
    until(lambda: admin.info("memory")["mem_clients_normal"] < 10_000)


@pytest.mark.parametrize("how", ["one reply", "many replies", "a transaction"])
def test_replies_over_the_hard_limit_are_not_sent(admin: redis.Redis, greedy: Callable[..., Greedy], how: str) -> None:
    admin.set("big", "x" * 10_000)
    admin.rpush("list", *["x" * 1_000] * 150)
    admin.config_set("client-output-buffer-limit", "normal 100000 0 0")
    client = greedy("greedy")
    if how == "one reply":
        client.socket.sendall(b"LRANGE list 0 -1\r\nSET after 1\r\n")
    elif how == "many replies":
        client.socket.sendall(b"GET big\r\n" * 15 + b"SET after 1\r\n")
    else:
        client.socket.sendall(b"MULTI\r\nLRANGE list 0 -1\r\nSET inside 1\r\nEXEC\r\nSET after 1\r\n")
    said = client.socket.recv(1 << 20) if how == "a transaction" else b""
    assert said in (b"", b"+OK\r\n+QUEUED\r\n+QUEUED\r\n")
    assert client.gone()
    assert names(admin) == set()
    assert admin.exists("inside") == (how == "a transaction")
    assert admin.exists("after") == 0


def test_what_has_waited_is_counted_when_it_is_answered(admin: redis.Redis, greedy: Callable[..., Greedy]) -> None:
    admin.config_set("slowlog-log-slower-than", 0)
    waiting, refused = greedy("waiting"), greedy("refused")
    admin.config_resetstat()
    for client in (waiting, refused):
        client.socket.sendall(b"BLPOP l 0\r\n")
    until(lambda: admin.info("clients")["blocked_clients"] == 2)
    assert "cmdstat_blpop" not in admin.info("commandstats")
    number = next(client["id"] for client in admin.client_list() if client["name"] == "refused")
    admin.execute_command("CLIENT", "UNBLOCK", number, "ERROR")
    admin.rpush("l", 1)
    assert waiting.socket.recv(100).startswith(b"*2")
    counted = admin.info("commandstats")["cmdstat_blpop"]
    assert (counted["calls"], counted["failed_calls"]) == (2, 1)
    assert admin.info("errorstats")["errorstat_UNBLOCKED"] == {"count": 1}
    until(lambda: b"BLPOP l 0" in [entry["command"] for entry in admin.slowlog_get(10)])


def test_the_slow_log_tells_no_secrets(admin: redis.Redis, greedy: Callable[..., Greedy]) -> None:
    admin.config_set("slowlog-log-slower-than", 0)
    admin.execute_command("ACL", "SETUSER", "me", ">hidden", "on", "+@all")
    admin.execute_command("AUTH", "me", "hidden")
    admin.execute_command("HELLO", "2", "AUTH", "me", "hidden")
    admin.config_set("masterauth", "hidden")
    for line in ("ACL GETUSER hidden", "ACL DELUSER hidden"):
        admin.execute_command(*line.split())
    text = str(admin.execute_command("SLOWLOG", "GET", "50"))
    assert "hidden" not in text
    assert text.count("(redacted)") == 4 + 2 + 2 + 1 + 1 + 1


def test_commands_of_scripts_are_counted(admin: redis.Redis, greedy: Callable[..., Greedy]) -> None:
    admin.config_resetstat()
    before = admin.info("memory")["number_of_cached_scripts"]
    admin.script_load("return 1")
    assert admin.info("memory")["number_of_cached_scripts"] == before + 1
    admin.eval("redis.call('set', 'a', 1) redis.call('set', 'b', 2) redis.pcall('incr', 'x', 'y')", 0)
    admin.eval("redis.pcall('lpush', 'a', 'y')", 0)
    assert admin.info("commandstats")["cmdstat_set"]["calls"] == 2
    assert admin.info("errorstats")["errorstat_WRONGTYPE"] == {"count": 1}
