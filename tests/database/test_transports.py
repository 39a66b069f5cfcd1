"""One suite over every transport and every real server: the same commands, the same replies, the same errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from redmodel.errors import AuthenticationFailed, ConnectionFailed, ReplyError
from tests.database.transports import KINDS, OVER_A_SOCKET, OWN, Transport, batch
from tests.servers import RealServer

SOURCE = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}"
BROKEN_SOURCE = "return redis.error_reply('TRIED it')"


@pytest.fixture(params=["redis7", "redis6"])
def server(request: pytest.FixtureRequest) -> RealServer:
    found: RealServer = request.getfixturevalue(request.param)
    found.flush()
    return found


@pytest.fixture(params=KINDS)
def open_one(request: pytest.FixtureRequest) -> Iterator[Callable[..., Transport]]:
    """Opens transports of one kind, and closes them."""
    opened: list[Transport] = []

    def opener(url: str, **settings: Any) -> Transport:
        opened.append(Transport(request.param, url, **settings))
        return opened[-1]

    opener.kind = request.param  # type: ignore[attr-defined]
    yield opener
    for transport in opened:
        transport.close()


@pytest.fixture
def transport(open_one: Callable[..., Transport], server: RealServer) -> Transport:
    return open_one(server.unix_url)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Two scripts that are ours: their SHAs."""
    from hashlib import sha1
    from types import SimpleNamespace

    import redmodel.procedures

    known = {sha1(text.encode()).hexdigest().encode(): text for text in (SOURCE, BROKEN_SOURCE)}
    monkeypatch.setattr(
        redmodel.procedures, "BY_SHA", {sha: SimpleNamespace(source=text) for sha, text in known.items()}
    )
    return list(known)


def test_replies_have_the_shape_of_resp2(transport: Transport) -> None:
    assert transport.ask(["SET", "s", b"\xff\x00\r\n"]) == [b"OK"]
    assert transport.ask(["GET", "s"]) == [b"\xff\x00\r\n"]
    assert transport.ask(["GET", "none"]) == [None]
    assert transport.ask(["INCRBY", "n", 41], ["INCR", "n"]) == [41, 42]
    assert transport.ask(["HSET", "h", "a", 1, "b", "é"]) == [2]
    assert transport.ask(["HGETALL", "h"]) == [[b"a", b"1", b"b", "é".encode()]]
    assert transport.ask(["HMGET", "h", "a", "x", "b"]) == [[b"1", None, "é".encode()]]
    assert transport.ask(["ZADD", "z", 1.5, "a", "2", "b"]) == [2]
    assert transport.ask(["ZSCORE", "z", "a"], ["ZMSCORE", "z", "b", "x"]) == [b"1.5", [b"2", None]]
    assert transport.ask(["ZRANGE", "z", 0, -1, "WITHSCORES"]) == [[b"a", b"1.5", b"b", b"2"]]
    assert transport.ask(["ZRANGEBYSCORE", "z", "-inf", "+inf", "WITHSCORES"]) == [[b"a", b"1.5", b"b", b"2"]]
    assert transport.ask(["ZRANGE", "z", 0, -1]) == [[b"a", b"b"]]
    assert transport.ask(["ZPOPMIN", "z"]) == [[b"a", b"1.5"]]
    assert transport.ask(["ZPOPMAX", "z", 2]) == [[b"b", b"2"]]
    assert transport.ask(["SADD", "t", "x"], ["SMEMBERS", "t"], ["SISMEMBER", "t", "y"]) == [1, [b"x"], 0]
    assert transport.ask(["LRANGE", "none", 0, -1]) == [[]]
    assert all(isinstance(reply, bytes) for reply in transport.ask(["PING"], ["ECHO", "x"]))


def test_a_transaction(transport: Transport) -> None:
    replies = transport.ask(
        ["MULTI"], ["ZADD", "z", 1, "a"], ["ZRANGE", "z", 0, -1, "WITHSCORES"], ["INCR", "z"], ["EXEC"]
    )
    assert replies[:4] == [b"OK", b"QUEUED", b"QUEUED", b"QUEUED"]
    last = replies[4]
    assert isinstance(last, list)
    assert last[:2] == [1, [b"a", b"1"]]
    assert isinstance(last[2], ReplyError)
    assert last[2].text == "WRONGTYPE Operation against a key holding the wrong kind of value"


def test_errors_are_values_with_their_whole_text(transport: Transport) -> None:
    transport.ask(["SET", "s", "x"])
    replies = transport.ask(["INCR", "s"], ["GET", "s"], ["LPUSH", "s", "1"], ["EVALSHA", "f" * 40, 0])
    assert [r.text if isinstance(r, ReplyError) else r for r in replies] == [
        "ERR value is not an integer or out of range",
        b"x",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "NOSCRIPT No matching script. Please use EVAL.",
    ]
    assert transport.ask(["GET", "s"]) == [b"x"]


def test_scripts_are_loaded_when_the_server_lacks_them(transport: Transport, scripts: list[bytes]) -> None:
    sent = batch(
        ["SET", "x", 5], ["EVALSHA", scripts[0], 1, "x", "a"], ["GET", "x"], ["EVALSHA", scripts[0], 1, "x", "b"]
    )
    replies = transport.execute(sent)
    # What did not lack the script was not executed twice; what did ran in its order, after the rest.
    assert list(replies) == [b"OK", [b"x", b"a", 6], b"5", [b"x", b"b", 7]]
    before = transport.executor.round_trips
    assert transport.ask(["EVALSHA", scripts[0], 1, "x", "c"], resend=False) == [[b"x", b"c", 8]]
    assert transport.executor.round_trips == before + 1


def test_an_error_of_a_script(transport: Transport, scripts: list[bytes]) -> None:
    (reply,) = transport.ask(["EVALSHA", scripts[1], 0])
    assert isinstance(reply, ReplyError)
    assert reply.text.startswith("TRIED it")


def test_an_argument_that_cannot_be_sent_sends_nothing(transport: Transport) -> None:
    with pytest.raises(TypeError):
        transport.ask(["SET", "a", "1"], ["SET", "b", None])  # type: ignore[list-item]
    assert transport.ask(["EXISTS", "a"], ["PING"]) == [0, b"PONG"]


def test_a_batch_is_one_round_trip(transport: Transport) -> None:
    transport.ask(["PING"])
    before = transport.executor.round_trips
    transport.ask(*(["SET", f"k{i}", i] for i in range(100)))
    transport.ask(["GET", "k7"])
    assert transport.executor.round_trips == before + 2


def test_closed_means_closed(transport: Transport) -> None:
    transport.ask(["PING"])
    if transport.kind.endswith("asyncio"):
        transport.run(transport.executor.close())
    else:
        transport.executor.close()
    with pytest.raises(ConnectionFailed, match="is closed"):
        transport.ask(["PING"])


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
def test_the_server_reads_once_for_a_batch(kind: str, server: RealServer) -> None:
    with Transport(kind, server.unix_url) as transport:
        transport.ask(["PING"])
        before = int(server.info()["total_reads_processed"])
        for _ in range(50):
            transport.ask(["SET", "a", "1"], ["GET", "a"], ["HGETALL", "h"])
        # One more is INFO's own; its connection adds another read that ends it.
        assert int(server.info()["total_reads_processed"]) - before <= 52


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
@pytest.mark.parametrize("which", ["unix_url", "tcp_url"])
def test_database_and_client_name(kind: str, which: str, server: RealServer) -> None:
    url = getattr(server, which)
    with Transport(kind, f"{url}?db=3") as third, Transport(kind, url) as zeroth:
        third.ask(["SET", "only", "here"])
        assert zeroth.ask(["GET", "only"]) == [None]
        assert third.ask(["GET", "only"]) == [b"here"]
        if kind.startswith("own"):
            assert third.ask(["CLIENT", "GETNAME"]) == [b"redmodel"]


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
def test_fifty_megabytes_each_way(kind: str, server: RealServer) -> None:
    value = b"x" * 500_000
    with Transport(kind, server.unix_url, timeout=30.0) as transport:
        assert transport.ask(*(["SET", f"big{i}", value] for i in range(50))) == [b"OK"] * 50
        # Large requests whose replies are just as large: neither side may wait for the other.
        replies = transport.ask(*(["ECHO", value] for _ in range(100)))
        assert len(replies) == 100
        assert set(replies) == {value}  # type: ignore[arg-type]
        many = transport.ask(*(["GET", "big7"] for _ in range(100)), *(["STRLEN", "big8"] for _ in range(2000)))
        assert many[:100] == [value] * 100
        assert many[100:] == [500_000] * 2000
    server.flush()


CANARY = "c4n4ry-s3cret"


@pytest.fixture(scope="module")
def locked(redis7: RealServer) -> Iterator[RealServer]:
    with RealServer(redis7.binary, password=CANARY) as server:
        yield server


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
@pytest.mark.parametrize("which", ["unix_url", "tcp_url"])
def test_passwords(kind: str, which: str, locked: RealServer) -> None:
    url: str = getattr(locked, which)
    with Transport(kind, url) as transport:
        assert transport.ask(["PING"]) == [b"PONG"]
    for wrong in (url.replace(CANARY, f"{CANARY}x"), url.replace(f":{CANARY}@", f"ada:{CANARY}@")):
        with Transport(kind, wrong) as transport, pytest.raises(AuthenticationFailed, match="refused") as caught:
            transport.ask(["PING"])
        assert CANARY not in str(caught.value) + repr(caught.value)
        assert "\n" not in str(caught.value)
        assert locked.socket_path in str(caught.value) or str(locked.port) in str(caught.value)
    without = url.replace(f":{CANARY}@", "")
    with Transport(kind, without) as transport, pytest.raises(AuthenticationFailed, match="wants a password"):
        transport.ask(["PING"])


def test_a_password_where_none_is_wanted(redis7: RealServer) -> None:
    for kind in OWN:  # redis-py logs in by HELLO, where such a server takes any password
        url = redis7.unix_url.replace("unix://", f"unix://:{CANARY}@")
        with Transport(kind, url) as transport, pytest.raises(AuthenticationFailed) as caught:
            transport.ask(["PING"])
        assert CANARY not in str(caught.value)
