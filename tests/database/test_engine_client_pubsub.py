"""Publishing and subscribing through redis-py's own PubSub in process: threads, tasks, timeouts, RESP2 and RESP3."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from redmodel.database.client_over_engine import async_client, sync_client
from redmodel.engine.engine import Engine

protocols = pytest.mark.parametrize("protocol", [2, 3])


def _heard(pubsub: Any, count: int) -> list[tuple[str, Any, Any]]:
    found = []
    deadline = time.monotonic() + 10
    while len(found) < count and time.monotonic() < deadline:
        message = pubsub.get_message(timeout=1)
        if message is not None:
            found.append((message["type"], message["channel"], message["data"]))
    return found


@protocols
def test_messages_come_in_their_order(protocol: int) -> None:
    client = sync_client(Engine(), decode_responses=True, protocol=protocol)
    with client.pubsub() as pubsub:
        pubsub.subscribe("a", "b")
        pubsub.psubscribe("a*")
        assert client.publish("a", "1") == 2
        assert client.publish("b", "2") == 1
        assert client.publish("c", "3") == 0
        assert _heard(pubsub, 6) == [
            ("subscribe", "a", 1),
            ("subscribe", "b", 2),
            ("psubscribe", "a*", 3),
            ("message", "a", "1"),
            ("pmessage", "a", "1"),
            ("message", "b", "2"),
        ]
        pubsub.unsubscribe()
        assert _heard(pubsub, 2) == [("unsubscribe", "a", 2), ("unsubscribe", "b", 1)]
        assert client.pubsub_numpat() == 1
    assert client.pubsub_numpat() == 0


@protocols
def test_a_timeout_is_kept_and_ends_when_a_message_comes(protocol: int) -> None:
    client = sync_client(Engine(), protocol=protocol)
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("a")
        assert pubsub.get_message() is None
        assert pubsub.get_message() is None
        began = time.monotonic()
        assert pubsub.get_message(timeout=0.05) is None
        assert 0.04 < time.monotonic() - began < 5
        timer = threading.Timer(0.05, client.publish, ["a", "x"])
        timer.start()
        message = pubsub.get_message(timeout=30)
        assert message is not None
        assert message["data"] == b"x"
        timer.join()


@protocols
def test_listen_and_a_thread_that_handles(protocol: int) -> None:
    client = sync_client(Engine(), protocol=protocol)
    heard: list[bytes] = []
    pubsub = client.pubsub()
    pubsub.subscribe(a=lambda message: heard.append(message["data"]))
    thread = pubsub.run_in_thread(sleep_time=0.01)
    for number in range(20):
        client.publish("a", number)
    deadline = time.monotonic() + 10
    while len(heard) < 20 and time.monotonic() < deadline:
        time.sleep(0.002)
    thread.stop()
    thread.join(10)
    assert heard == [b"%d" % number for number in range(20)]
    with client.pubsub() as other:
        other.ssubscribe("s")
        listening = other.listen()
        assert next(listening)["type"] == "ssubscribe"
        client.spublish("s", "x")
        assert next(listening) == {"type": "smessage", "pattern": None, "channel": b"s", "data": b"x"}


@pytest.mark.anyio
@protocols
async def test_a_task_hears_and_its_loop_goes_on(protocol: int) -> None:
    engine = Engine()
    client = async_client(engine, protocol=protocol)
    async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe("a")
        assert await pubsub.get_message(timeout=0.02) is None
        waiting = asyncio.create_task(_next(pubsub))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(sync_client(engine).publish, "a", "x")
        assert (await asyncio.wait_for(waiting, 10))["data"] == b"x"
        assert await client.ping()
        for number in range(5):
            await client.publish("a", number)
        assert [(await _next(pubsub))["data"] for _ in range(5)] == [b"%d" % number for number in range(5)]
    assert not engine.pubsub.channels


async def _next(pubsub: Any) -> Any:
    while True:
        message = await pubsub.get_message(timeout=10)
        if message is not None:
            return message


def test_a_cancelled_or_forgotten_subscriber_leaves_nothing_behind() -> None:
    engine = Engine()
    client = sync_client(engine)
    pubsub = client.pubsub()
    pubsub.subscribe("a")
    pubsub.close()
    assert not engine.pubsub.channels

    async def forget() -> None:
        mine = async_client(engine)
        subscriber = mine.pubsub(ignore_subscribe_messages=True)
        await subscriber.subscribe("a")
        task = asyncio.create_task(_next(subscriber))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await subscriber.aclose()

    asyncio.run(forget())
    assert not engine.pubsub.channels


def test_messages_that_nobody_reads_are_bounded() -> None:
    engine = Engine()
    client = sync_client(engine)
    client.config_set("client-output-buffer-limit", "pubsub 100kb 0 0")
    pubsub = client.pubsub()
    pubsub.subscribe("a")
    for _ in range(200):
        client.publish("a", b"x" * 1000)
    assert not pubsub.connection._conversation.replies  # type: ignore[union-attr]
    with pytest.raises(RedisConnectionError, match="too many messages"):
        pubsub.get_message(timeout=1)
    pubsub.close()


def test_the_state_of_a_subscriber_in_resp2_is_kept() -> None:
    client = sync_client(Engine(), protocol=2)
    with client.pubsub() as pubsub:
        pubsub.subscribe("a")
        pubsub.get_message()
        pubsub.ping("hello")
        assert pubsub.get_message(timeout=1) == {"type": "pong", "pattern": None, "channel": None, "data": b"hello"}
