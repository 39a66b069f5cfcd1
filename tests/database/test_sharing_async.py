"""One connection for all tasks of a loop: nobody gets another's reply, whoever is cancelled and whatever breaks."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from redmodel.database.over_redis_async import AsyncRedisExecutor
from redmodel.database.url import parse
from redmodel.errors import ConnectionFailed, ReplyError
from tests.database.transports import batch
from tests.servers import RealServer


def executor_on(url: str, **settings: Any) -> AsyncRedisExecutor:
    import dataclasses

    return AsyncRedisExecutor(dataclasses.replace(parse(url), **settings))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def test_the_batches_of_a_tick_leave_in_one_write(redis7: RealServer) -> None:
    async def main() -> None:
        executor = executor_on(redis7.unix_url)
        await executor.execute(batch(["PING"]))
        before = int(redis7.info()["total_reads_processed"])
        replies = await asyncio.gather(*(executor.execute(batch(["ECHO", str(i)])) for i in range(200)))
        assert [reply[0] for reply in replies] == [str(i).encode() for i in range(200)]
        assert int(redis7.info()["total_reads_processed"]) - before <= 4
        assert redis7.info("clients")["connected_clients"] is not None
        await executor.close()

    run(main())


def test_first_use_by_many_tasks_opens_one_connection(redis7: RealServer) -> None:
    async def main() -> None:
        executor = executor_on(redis7.unix_url)
        before = int(redis7.info()["total_connections_received"])
        ids = await asyncio.gather(*(executor.execute(batch(["CLIENT", "ID"])) for _ in range(50)))
        assert len({str(reply) for reply in ids}) == 1
        assert int(redis7.info()["total_connections_received"]) - before == 2  # ours, and INFO's
        await executor.close()

    run(main())


def test_two_thousand_cancelled_tasks_swap_no_reply(redis7: RealServer) -> None:
    swapped: list[object] = []
    finished = cancelled = 0

    async def main() -> None:
        nonlocal finished, cancelled
        executor = executor_on(redis7.unix_url)
        chance = random.Random(7)

        async def ask(number: int) -> None:
            nonlocal finished
            # Replies of several kinds and sizes, some spread over several reads.
            text = f"{number}-".encode() * chance.choice((1, 10, 5000))
            replies = await executor.execute(batch(["ECHO", text], ["INCRBY", "n", 0], ["ECHO", text]))
            if replies[0] != text or replies[2] != text:
                swapped.append((text[:20], replies[0]))
            finished += 1

        tasks: list[asyncio.Task[None]] = []
        for number in range(4000):
            tasks.append(asyncio.create_task(ask(number)))
            if number % 2:
                victim = chance.choice(tasks[-20:])
                victim.cancel()
            if chance.random() < 0.2:
                await asyncio.sleep(0)
            if chance.random() < 0.01:
                await asyncio.sleep(0.001)
        while cancelled + finished < 4000:
            results = await asyncio.gather(*tasks, return_exceptions=True)
            cancelled = sum(isinstance(result, asyncio.CancelledError) for result in results)
            assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
        assert await executor.execute(batch(["ECHO", "last"])) == [b"last"]
        await executor.close()

    run(main())
    assert swapped == []
    assert cancelled > 1000
    assert finished > 1000


def test_a_server_killed_under_load_swaps_nothing(redis7: RealServer) -> None:
    swapped: list[object] = []

    async def main(server: RealServer) -> None:
        executor = executor_on(server.unix_url)
        stop = asyncio.Event()
        answered = 0

        async def ask(me: int) -> None:
            nonlocal answered
            number = 0
            while not stop.is_set():
                number += 1
                text = f"{me}/{number}".encode()
                (echo, _) = await executor.execute(batch(["ECHO", text], ["SET", f"k{me}", text]))
                if echo != text:
                    swapped.append((text, echo))
                answered += 1

        tasks = [asyncio.create_task(ask(me)) for me in range(50)]
        for _ in range(3):
            await asyncio.sleep(0.15)
            before = answered
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.restart)
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if answered >= before + 200:
                    break
            assert answered >= before + 200
        stop.set()
        await asyncio.gather(*tasks)
        await executor.close()

    with RealServer(redis7.binary) as server:
        run(main(server))
    assert swapped == []


def test_each_loop_has_its_connection_and_closed_loops_leave_none(redis7: RealServer) -> None:
    executor = executor_on(redis7.unix_url)

    async def my_id() -> Any:
        (first,) = await executor.execute(batch(["CLIENT", "ID"]))
        (again,) = await executor.execute(batch(["CLIENT", "ID"]))
        assert first == again
        return first

    # asyncio.run closes its loop without our knowing.
    ids = [run(my_id()) for _ in range(5)]
    assert len(set(ids)) == 5
    names = str(redis7.command("CLIENT", "LIST"))
    assert names.count("name=redmodel ") <= 1
    run(executor.close())
    assert str(redis7.command("CLIENT", "LIST")).count("name=redmodel ") == 0


def test_two_loops_at_once_in_two_threads(redis7: RealServer) -> None:
    executor = executor_on(redis7.unix_url)
    wrong: list[object] = []

    async def work(me: int) -> None:
        for i in range(300):
            text = f"{me}.{i}".encode()
            (reply,) = await executor.execute(batch(["ECHO", text]))
            if reply != text:
                wrong.append((text, reply))

    threads = [threading.Thread(target=run, args=(work(me),)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    run(executor.close())


def test_a_handle_dropped_without_closing_leaves_no_socket(redis7: RealServer) -> None:
    async def main() -> None:
        await executor_on(redis7.unix_url).execute(batch(["PING"]))

    run(main())
    gc.collect()  # a ResourceWarning would be an error here
    assert str(redis7.command("CLIENT", "LIST")).count("name=redmodel ") == 0


def test_every_waiting_task_learns_that_nobody_is_there(tmp_path: Any) -> None:
    async def main() -> None:
        executor = executor_on(f"unix://{tmp_path}/none.sock")
        results = await asyncio.gather(*(executor.execute(batch(["PING"])) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(result, ConnectionFailed) for result in results)
        assert len({id(result) for result in results}) == 20
        task = asyncio.create_task(executor.execute(batch(["PING"])))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await executor.close()

    run(main())


def test_closing_while_tasks_wait(redis7: RealServer) -> None:
    async def main() -> None:
        executor = executor_on(redis7.unix_url)
        waiting = [asyncio.create_task(executor.execute(batch(["BLPOP", "nothing", 5]))) for _ in range(3)]
        await asyncio.sleep(0.05)
        await executor.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, ConnectionFailed) for result in results)

    run(main())


def test_closing_while_it_opens(redis7: RealServer) -> None:
    async def main() -> None:
        executor = executor_on(redis7.unix_url)
        waiting = asyncio.create_task(executor.execute(batch(["PING"])))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await executor.close()
        with pytest.raises(ConnectionFailed, match="is closed"):
            await waiting

    run(main())


def test_a_slow_server_makes_writers_wait(redis7: RealServer) -> None:
    value = b"x" * 1_000_000

    async def main(server: RealServer) -> None:
        executor = executor_on(server.unix_url, timeout=20.0)
        await executor.execute(batch(["PING"]))
        server.pause()
        tasks = [asyncio.create_task(executor.execute(batch(["SET", f"k{i}", value]))) for i in range(50)]
        await asyncio.sleep(0.1)
        (link,) = executor._links.values()
        assert link.backlog < 10_000_000
        tasks[-1].cancel()
        server.resume()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[:-1] == [[b"OK"]] * 49
        assert isinstance(results[-1], asyncio.CancelledError)
        assert link.backlog == 0
        await executor.close()

    with RealServer(redis7.binary) as server:
        run(main(server))


def test_errors_stay_with_their_batch(redis7: RealServer) -> None:
    async def main() -> None:
        executor = executor_on(redis7.unix_url)
        await executor.execute(batch(["SET", "text", "abc"]))
        asked = [["INCR", "text"] if i % 3 == 0 else ["ECHO", str(i)] for i in range(60)]
        results = await asyncio.gather(*(executor.execute(batch(args)) for args in asked))
        for i, (reply,) in enumerate(results):
            if i % 3 == 0:
                assert isinstance(reply, ReplyError)
            else:
                assert reply == str(i).encode()
        await executor.close()

    run(main())
