"""Commands that wait, through redis-py's clients in process: threads and tasks wait for themselves only."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from redmodel.database.client_over_engine import async_client, sync_client
from redmodel.engine.engine import Engine
from tests.engine.memory import MemoryStorage


def _until(condition: object, *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_thread_waits_and_others_go_on() -> None:
    engine = Engine()
    client = sync_client(engine)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(client.blpop, ["a", "b"], 0)
        _until(lambda: len(engine.waiters) == 1)
        second = pool.submit(client.brpop, "b", 0)
        _until(lambda: len(engine.waiters) == 2)
        assert client.ping()
        client.rpush("b", 1, 2, 3)
        assert list(first.result(10)) == [b"b", b"1"]
        assert list(second.result(10)) == [b"b", b"3"]
    assert client.lrange("b", 0, -1) == [b"2"]
    assert not engine.waiters


def test_a_timeout_is_kept() -> None:
    client = sync_client(Engine())
    began = time.monotonic()
    assert client.blpop("a", 0.1) is None
    assert client.xread({"s": "$"}, block=50) in ([], {})
    assert 0.15 <= time.monotonic() - began < 5


def test_wrong_types_and_errors_come_out() -> None:
    engine = Engine()
    client = sync_client(engine)
    client.set("s", "v")
    with pytest.raises(Exception, match="WRONGTYPE"):
        client.blpop("s", 0)
    with ThreadPoolExecutor(1) as pool:
        client.xgroup_create("x", "g", mkstream=True)
        reader = pool.submit(client.xreadgroup, "g", "c", {"x": ">"}, block=0)
        _until(lambda: len(engine.waiters) == 1)
        client.delete("x")
        with pytest.raises(Exception, match="the stream key no longer exists"):
            reader.result(10)


def test_a_transaction_does_not_wait() -> None:
    client = sync_client(Engine())
    with client.pipeline(transaction=True) as pipe:
        assert pipe.blpop("a", 0).bzpopmin("z", 0).execute() == [None, None]


def test_a_pipeline_waits_in_its_middle() -> None:
    engine = Engine()
    client = sync_client(engine)
    with ThreadPoolExecutor(1) as pool:
        replies = pool.submit(client.pipeline(transaction=False).set("k", 1).blpop("a", 0).get("k").execute)
        _until(lambda: len(engine.waiters) == 1)
        client.rpush("a", 1)
        assert replies.result(10) == [True, (b"a", b"1"), b"1"]


def test_a_client_can_be_unblocked() -> None:
    engine = Engine()
    client = sync_client(engine)
    with ThreadPoolExecutor(1) as pool:
        waiting = client.client()
        number = waiting.client_id()
        reply = pool.submit(waiting.blpop, "a", 0)
        _until(lambda: len(engine.waiters) == 1)
        assert client.client_unblock(number, error=True)
        with pytest.raises(Exception, match="unblocked via CLIENT UNBLOCK"):
            reply.result(10)


@pytest.mark.anyio
async def test_a_task_waits_and_its_loop_goes_on() -> None:
    engine = Engine()
    client = async_client(engine)
    first = asyncio.create_task(client.blpop("a", 0))
    await asyncio.sleep(0)
    second = asyncio.create_task(client.blpop("a", 0))
    await asyncio.to_thread(_until, lambda: len(engine.waiters) == 2)
    assert await client.ping()
    await client.rpush("a", 1, 2)
    assert list(await asyncio.wait_for(first, 10)) == [b"a", b"1"]
    assert list(await asyncio.wait_for(second, 10)) == [b"a", b"2"]
    assert await client.blpop("a", 0.02) is None


@pytest.mark.anyio
async def test_a_cancelled_task_takes_nothing() -> None:
    engine = Engine()
    client = async_client(engine)
    task = asyncio.create_task(client.blpop("a", 0))
    await asyncio.to_thread(_until, lambda: len(engine.waiters) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not engine.waiters
    await client.rpush("a", 1)
    assert await client.lrange("a", 0, -1) == [b"1"]
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(client.blmove("b", "c", 0), 0.02)
    assert await client.rpush("b", 1) == 1
    assert await client.llen("b") == 1


def test_many_threads_and_event_loops_share_the_work_and_lose_nothing() -> None:
    engine = Engine()
    client = sync_client(engine)
    threads, tasks, each = 4, 5, 30
    total = 2 * threads * each + 2 * tasks * each
    taken: list[bytes] = []

    def take() -> None:
        while (found := client.blpop("work", 0)[1]) != b"end":
            taken.append(found)

    def loop() -> None:
        async def take_in_task() -> None:
            mine = async_client(engine)
            while (found := (await mine.blpop("work", 0))[1]) != b"end":
                taken.append(found)

        async def main() -> None:
            await asyncio.gather(*(take_in_task() for _ in range(tasks)))

        asyncio.run(main())

    workers = [threading.Thread(target=take, daemon=True) for _ in range(threads)]
    workers += [threading.Thread(target=loop, daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    for number in range(total):
        client.rpush("work", number)
    client.rpush("work", *["end"] * (threads + 2 * tasks))
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
    assert sorted(map(int, taken)) == list(range(total))


def test_what_was_taken_is_logged_as_the_pop_that_it_was() -> None:
    storage = MemoryStorage()
    engine = Engine(storage=storage)
    client = sync_client(engine)
    with ThreadPoolExecutor(1) as pool:
        for start, push in (
            (lambda: client.blpop("a", 0), lambda: client.rpush("a", 1)),
            (lambda: client.blmove("a", "b", 0), lambda: client.rpush("a", 1)),
            (lambda: client.bzpopmax("z", 0), lambda: client.zadd("z", {"m": 1})),
        ):
            waiting = pool.submit(start)
            _until(lambda: len(engine.waiters) == 1)
            push()
            waiting.result(10)
    names = [args[0] for unit in storage.units for _, args in unit]
    assert names == [b"RPUSH", b"LPOP", b"RPUSH", b"LMOVE", b"ZADD", b"ZPOPMAX"]


def test_another_process_would_wait_through_the_store(tmp_path: Path) -> None:
    import redis

    from redmodel.server import Server

    engine = Engine()
    with Server(engine, unixsocket=tmp_path / "s") as server, ThreadPoolExecutor(1) as pool:
        outside = redis.Redis.from_url(server.url)
        reply = pool.submit(outside.blpop, "a", 0)
        _until(lambda: len(engine.waiters) == 1)
        sync_client(engine).rpush("a", "in process")
        assert list(reply.result(10)) == [b"a", b"in process"]
        outside.close()
