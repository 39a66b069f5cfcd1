"""Networks and servers that fail: each a clear typed error in bounded time, or the work is done all the same."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from redmodel.errors import ConnectionFailed, ReplyError
from tests.database.odd_servers import OddServer, commands, cutting_proxy
from tests.database.transports import KINDS, OVER_A_SOCKET, OWN, Transport
from tests.servers import RealServer, free_port

REDIS_PY = tuple(kind for kind in OVER_A_SOCKET if kind not in OWN)


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
def test_nobody_there(kind: str, tmp_path: Path) -> None:
    port = free_port()
    missing = tmp_path / "none.sock"
    for url, place in ((f"redis://127.0.0.1:{port}", str(port)), (f"unix://{missing}", str(missing))):
        start = time.monotonic()
        settings = {"retry_seconds": 10.0} if kind in OWN else {"retry_seconds": 0.2}
        with Transport(kind, url, **settings) as transport, pytest.raises(ConnectionFailed) as caught:
            transport.ask(["PING"])
        # redis-py's own retries of connecting belong to the client that was handed in.
        assert time.monotonic() - start < (1 if kind in OWN else 15)
        assert place in str(caught.value)
        assert "is it running" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_host_without_an_address() -> None:
    for kind in OWN:
        with Transport(kind, "redis://no.such.host.invalid") as transport, pytest.raises(ConnectionFailed) as caught:
            transport.ask(["PING"])
        assert "no.such.host.invalid:6379" in str(caught.value)


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("tcp", [False, True])
def test_a_server_that_accepts_and_never_answers(kind: str, tcp: bool) -> None:
    def silent(connection: socket.socket, number: int) -> None:
        while connection.recv(65536):
            pass

    with OddServer(silent, tcp=tcp) as server, Transport(kind, server.url, connect_timeout=0.2) as transport:
        start = time.monotonic()
        with pytest.raises(ConnectionFailed, match="no answer in time"):
            transport.ask(["PING"])
        assert 0.15 < time.monotonic() - start < 2
        assert server.connections == 1  # the first time nobody waits for a server that may come


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
def test_a_server_that_stops_answering(kind: str, redis7: RealServer) -> None:
    patience = {"timeout": 0.2, "connect_timeout": 0.2, "retry_seconds": 0.5}
    with RealServer(redis7.binary) as server, Transport(kind, server.unix_url, **patience) as transport:
        assert transport.ask(["SET", "a", "1"]) == [b"OK"]
        server.pause()
        start = time.monotonic()
        with pytest.raises(ConnectionFailed, match="no answer in time"):
            transport.ask(["GET", "a"])
        assert time.monotonic() - start < (3 if kind in OWN else 20)
        with pytest.raises(ConnectionFailed):
            transport.ask(["INCR", "a"], resend=False)
        server.resume()
        # The late replies of the questions that were given up do not reach this one.
        assert transport.ask(["ECHO", "hello"]) == [b"hello"]


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Redis protocol"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS"),
        (b"-ERR max number of clients reached\r\n", "max number of clients"),
        (b"-DENIED Redis is running in protected mode because\r\n", "protected mode"),
        (b"", "closed it"),
        (b"+OK\r\n+OK\r\n", "more replies"),
    ],
)
def test_something_else_answers(kind: str, answer: bytes, said: str) -> None:
    def talk(connection: socket.socket, number: int) -> None:
        for _ in commands(connection):
            connection.sendall(answer)
            return

    with OddServer(talk) as server, Transport(kind, server.url) as transport:
        with pytest.raises(ConnectionFailed, match=said) as caught:
            transport.ask(["PING"])
        assert "\n" not in str(caught.value)


def failures(transport: Transport) -> list[str]:
    with pytest.raises(ConnectionFailed) as caught:
        transport.ask(["PING"])
    return [str(caught.value)]


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
def test_no_such_database(kind: str, redis7: RealServer) -> None:
    with Transport(kind, f"{redis7.unix_url}?db=99", retry_seconds=0.1) as transport:
        (error,) = failures(transport)
        assert "out of range" in error or "has no database 99" in error


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
def test_a_server_that_comes_back(kind: str, redis7: RealServer) -> None:
    with RealServer(redis7.binary, appendonly=True) as server, Transport(kind, server.unix_url) as transport:
        assert transport.ask(["SET", "a", "1"]) == [b"OK"]
        server.kill()
        back = threading.Timer(0.5, server.restart)
        back.start()
        try:
            assert transport.ask(["GET", "a"]) == [b"1"]
        finally:
            back.join()
        server.kill()
        server.restart()
        # Work that can't be sent twice goes through too, as nothing of it was sent to the server that went.
        assert transport.ask(["INCR", "a"], resend=False) == [2]


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
def test_a_server_that_stays_away(kind: str, redis7: RealServer) -> None:
    server = RealServer(redis7.binary).start()
    try:
        with Transport(kind, server.unix_url, retry_seconds=0.5) as transport:
            transport.ask(["PING"])
            server.kill()
            start = time.monotonic()
            with pytest.raises(ConnectionFailed):
                transport.ask(["PING"])
            assert 0.15 < time.monotonic() - start < (2 if kind in OWN else 20)
    finally:
        server.stop()


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
def test_replies_cut_at_every_byte(kind: str, redis7: RealServer) -> None:
    redis7.flush()
    redis7.command("SET", "a", "x" * 30)
    greeting = {0: 0}

    def cut(number: int) -> int | None:
        return None if number % 2 else greeting[0]

    # Bytes of replies on a healthy connection: "+OK" for the greeting, then the batch's own 6 + 37 + 4.
    with cutting_proxy(redis7.socket_path, cut) as proxy:
        refused = done = 0
        # redis-py's greeting is longer: HELLO tells much about the server.
        for length in range(1, 56) if kind in OWN else range(1, 500, 13):
            greeting[0] = length
            with Transport(kind, proxy.url, retry_seconds=3.0, timeout=3.0) as transport:
                try:
                    replies = transport.ask(["INCR", "n"], ["GET", "a"], ["PING"])
                except ConnectionFailed:
                    refused += 1  # cut in the greeting of the first connection ever
                    assert length < 30 or kind not in OWN
                    continue
                done += 1
                assert replies[1:] == [b"x" * 30, b"PONG"]
                assert transport.ask(["ECHO", str(length)]) == [str(length).encode()]
    assert done > 15


@pytest.mark.parametrize("kind", OWN)
def test_work_that_must_not_be_sent_twice(kind: str) -> None:
    seen: list[list[bytes]] = []

    def talk(connection: socket.socket, number: int) -> None:
        for command in commands(connection):
            seen.append(command)
            if command[0] not in (b"PING", b"CLIENT"):
                return
            connection.sendall(b"+PONG\r\n")

    with OddServer(talk) as server, Transport(kind, server.url, retry_seconds=0.3) as transport:
        assert transport.ask(["PING"]) == [b"PONG"]
        with pytest.raises(ConnectionFailed, match="not sent twice: read it back"):
            transport.ask(["INCR", "a"], resend=False)
        assert seen.count([b"INCR", b"a"]) == 1
        with pytest.raises(ConnectionFailed, match=r"tried again for 0\.3 s"):
            transport.ask(["INCR", "b"])
        assert seen.count([b"INCR", b"b"]) > 2


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
@pytest.mark.parametrize("code", ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY"])
def test_a_server_that_says_not_now(kind: str, code: str) -> None:
    counts: Counter[bytes] = Counter()
    lock = threading.Lock()

    def talk(connection: socket.socket, number: int) -> None:
        for command in commands(connection):
            name = command[0].upper()
            with lock:
                counts[name] += 1
                tries = counts[name]
            if name == b"SET" and tries <= 3:
                connection.sendall(b"-%s come back later\r\n" % code.encode())
            elif name == b"HELLO":
                connection.sendall(b"%1\r\n+proto\r\n:3\r\n" if command[1] == b"3" else b"*2\r\n+proto\r\n:2\r\n")
            else:
                connection.sendall(b"+OK\r\n")

    with OddServer(talk) as server, Transport(kind, server.url) as transport:
        assert transport.ask(["SET", "a", "1"], ["DEL", "b"]) == [b"OK", b"OK"]
        assert counts[b"SET"] == 4
        if kind in OWN:
            assert counts[b"DEL"] == 1
        counts.clear()
        # Refused before it did anything: not now is safe to answer even for work that must not be sent twice.
        assert transport.ask(["SET", "a", "1"], resend=False) == [b"OK"]


@pytest.mark.parametrize("kind", OWN)
def test_not_now_for_ever_is_the_answer(kind: str, redis7: RealServer) -> None:
    def talk(connection: socket.socket, number: int) -> None:
        for command in commands(connection):
            connection.sendall(b"+OK\r\n" if command[0] == b"CLIENT" else b"-LOADING Redis is loading\r\n")

    with OddServer(talk) as server, Transport(kind, server.url, retry_seconds=0.2) as transport:
        (reply,) = transport.ask(["GET", "a"])
        assert isinstance(reply, ReplyError)
        assert reply.code == "LOADING"


@pytest.mark.parametrize("kind", OWN)
def test_a_server_that_reads_nothing_while_its_replies_wait(kind: str) -> None:
    """The kernel's buffers fill in both directions: whoever only writes waits for ever."""

    def talk(connection: socket.socket, number: int) -> None:
        for command in commands(connection):
            # Blocks until the client reads; Redis itself would keep the reply in memory.
            connection.sendall(b"$%d\r\n%s\r\n" % (len(command[-1]), command[-1]))

    value = b"v" * 100_000
    with OddServer(talk) as server, Transport(kind, server.url, timeout=20.0) as transport:
        replies = transport.ask(*(["ECHO", value] for _ in range(100)))
        assert replies == [value] * 100


def test_eight_threads_share_a_handle(redis7: RealServer) -> None:
    redis7.flush()
    wrong: list[object] = []
    for kind in ("own socket", "redis-py RESP3, decoding", "fakeredis"):
        with Transport(kind, redis7.unix_url) as transport:

            def work(me: int, transport: Transport = transport) -> None:
                for i in range(300):
                    text = f"{me}-{i}".encode()
                    replies = transport.ask(["ECHO", text], ["INCR", f"count {transport.kind}"])
                    if replies[0] != text:
                        wrong.append((text, replies))

            threads = [threading.Thread(target=work, args=(me,)) for me in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert transport.ask(["GET", f"count {kind}"]) == [b"2400"]
    assert wrong == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in OWN or kind == "redis-py RESP2"])
def test_a_child_process_uses_connections_of_its_own(kind: str, redis7: RealServer) -> None:
    with Transport(kind, redis7.unix_url) as transport:
        mine = transport.ask(["CLIENT", "ID"])
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:  # pragma: no cover - the child
            code = 1
            try:
                if kind.endswith("asyncio"):
                    import asyncio

                    from tests.database.transports import batch

                    theirs = list(asyncio.run(transport.executor.execute(batch(["CLIENT", "ID"]))))
                else:
                    theirs = transport.ask(["CLIENT", "ID"])
                os.write(write, repr(theirs).encode())
                code = 0
            finally:
                os._exit(code)
        os.close(write)
        with os.fdopen(read) as pipe:
            theirs = pipe.read()
        assert os.waitpid(pid, 0)[1] == 0
        assert theirs
        assert theirs != repr(mine)
        assert transport.ask(["CLIENT", "ID"]) == mine


def test_an_interrupted_wait_leaves_no_reply_behind(redis7: RealServer) -> None:
    import signal

    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    with Transport("own socket", redis7.unix_url) as transport:
        transport.ask(["PING"])
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(Interrupted):
                transport.ask(["BLPOP", "nothing here", 5])
        finally:
            signal.signal(signal.SIGALRM, before)
        assert transport.ask(["ECHO", "mine"]) == [b"mine"]
