"""A client that doesn't read costs at most its limits, and one that reads late gets everything."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from redmodel.engine.engine import Engine
from redmodel.server import Server


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def client(engine: Engine, tmp_path: Path) -> Iterator[redis.Redis]:
    with Server(engine, unixsocket=tmp_path / "s") as server, redis.Redis.from_url(server.url) as client:
        yield client


def _subscriber(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(tmp_path / "s"))
    sock.sendall(b"SUBSCRIBE c\r\n")
    assert b"subscribe" in sock.recv(1000)
    return sock


def _until_left(engine: Engine, publish: object = None) -> int:
    """Publish until nobody is subscribed; returns how often that was needed."""
    deadline = time.monotonic() + 30
    count = 0
    while engine.pubsub.channels and time.monotonic() < deadline:
        publish()  # type: ignore[operator]
        count += 1
    assert not engine.pubsub.channels
    return count


def test_a_subscriber_over_the_hard_limit_is_closed(engine: Engine, client: redis.Redis, tmp_path: Path) -> None:
    client.config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
    with _subscriber(tmp_path):
        count = _until_left(engine, lambda: client.publish("c", b"x" * 50_000))
        # The limit, what the kernel takes for a socket, and a little that was under way.
        assert count * 50_000 < 3_000_000
    assert client.ping()


def test_a_subscriber_over_the_soft_limit_is_closed_after_its_time(
    engine: Engine, client: redis.Redis, tmp_path: Path
) -> None:
    client.config_set("client-output-buffer-limit", "pubsub 0 100kb 1")
    with _subscriber(tmp_path):
        for _ in range(20):
            client.publish("c", b"x" * 50_000)
        assert engine.pubsub.channels
        began = time.monotonic()
        _until_left(engine, lambda: time.sleep(0.02))
        assert 0.5 < time.monotonic() - began < 20


def test_a_burst_from_the_program_itself_is_bounded_too(engine: Engine, client: redis.Redis, tmp_path: Path) -> None:
    from redmodel.database.client_over_engine import sync_client

    client.config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
    inside = sync_client(engine)
    with _subscriber(tmp_path):
        _until_left(engine, lambda: inside.publish("c", b"x" * 50_000))
    assert client.ping()


def test_a_subscriber_who_reads_gets_everything(engine: Engine, client: redis.Redis, tmp_path: Path) -> None:
    client.config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
    with _subscriber(tmp_path) as sock:
        for number in range(100):
            client.publish("c", b"%05d" % number + b"x" * 20_000)
            wanted = len(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$20005\r\n") + 20_005 + 2
            got = b""
            while len(got) < wanted:
                got += sock.recv(wanted - len(got))
            assert b"%05d" % number in got


def test_a_long_pipeline_is_written_whole_before_anything_is_read(client: redis.Redis, engine: Engine) -> None:
    """Blocking clients do that: were it not read meanwhile, both sides would wait for ever."""
    client.rpush("l", *[b"x" * 100] * 500)
    pipeline = client.pipeline(transaction=False)
    for _ in range(300):
        pipeline.set("big", b"x" * 20_000).lrange("l", 0, -1)
    replies = pipeline.execute()
    assert [len(reply) for reply in replies[1::2]] == [500] * 300
    assert client.ping()


def test_requests_of_a_client_that_reads_nothing_are_bounded(
    client: redis.Redis, engine: Engine, tmp_path: Path
) -> None:
    client.config_set("client-query-buffer-limit", "2mb")
    client.set("big", b"x" * 1_000_000)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(tmp_path / "s"))
        with pytest.raises(OSError, match=r"(?i)reset|broken pipe"):
            for _ in range(10_000):
                sock.sendall(b"GET big\r\n" * 1000)
    assert client.ping()
