"""Repair beside writers: nothing is mended that is right, all damage is found, and a second pass finds nothing.

The suite runs a short form; ``REDMODEL_LONG=1`` runs the figures that the project holds itself to.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from redmodel import AsyncDatabase, Database, NotFound
from tests.contract.models import Address, User, user
from tests.reliability.auditor import drift
from tests.reliability.writers import change
from tests.servers import RealServer

LONG = bool(os.environ.get("REDMODEL_LONG"))
RECORDS = 100_000 if LONG else 4_000
SECONDS = 20.0 if LONG else 1.5
WARM = [f"warm{n}" for n in range(40)]


def write_for_ever(url: str, seed: int, stopped: threading.Event, counted: list[int]) -> None:
    """Load, change, save, update, delete and create warm records."""
    rng = random.Random(seed)
    with Database(url) as db:
        while not stopped.is_set():
            id = rng.choice(WARM)
            try:
                match rng.randrange(8):
                    case 0:
                        db.delete(User, id)
                    case 1:
                        db.save(user(rng.randrange(100), id=id, email=f"{id}@example.org", tags=["a"]))
                    case 2:
                        db.update(User, id, age=rng.randrange(90))
                    case 3:
                        db.increment(User, id, age=1)
                    case 4:
                        db.save(user(5, id=id, email=f"{id}@example.org"), ttl=rng.choice([0.003, 0.05, 100]))
                    case _:
                        record = db.get(User, id)
                        change(rng, record)
                        db.save(record)
                counted[0] += 1
            except NotFound:
                pass


def write_for_ever_async(url: str, seed: int, stopped: threading.Event, counted: list[int]) -> None:
    async def one(db: AsyncDatabase, rng: random.Random) -> None:
        while not stopped.is_set():
            try:
                record = await db.get(User, rng.choice(WARM))
                change(rng, record)
                await db.save(record)
                counted[0] += 1
            except NotFound:
                pass

    async def main() -> None:
        async with AsyncDatabase(url) as db:
            await asyncio.gather(*(one(db, random.Random(seed * 100 + n)) for n in range(5)))

    asyncio.run(main())


@contextmanager
def writers(url: str) -> Iterator[list[int]]:
    """Three threads and five tasks that write until the block ends; yields how many writes they made."""
    stopped, counted = threading.Event(), [0]
    jobs: list[Callable[..., None]] = [write_for_ever, write_for_ever, write_for_ever, write_for_ever_async]
    threads = [threading.Thread(target=job, args=(url, n, stopped, counted)) for n, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        stopped.set()
        for thread in threads:
            thread.join(30)


def audit(server: RealServer) -> list[str]:
    """The auditor's findings, after what expired was cleared."""
    time.sleep(0.1)
    with Database(server.unix_url) as db:
        db.purge(User)
    with redis.Redis(unix_socket_path=server.socket_path) as client:
        return drift(client)


@pytest.mark.parametrize("version", ["redis7", "redis6"])
def test_nothing_is_mended_that_is_right(version: str, request: pytest.FixtureRequest) -> None:
    server: RealServer = request.getfixturevalue(version)
    server.flush()
    with Database(server.unix_url) as db:
        db.save_many(user(n, id=id, email=f"{id}@example.org") for n, id in enumerate(WARM))
        passes, ends = 0, time.monotonic() + SECONDS
        with writers(server.unix_url) as counted:
            while time.monotonic() < ends:
                looked, mended = db.check(User), db.repair(User)
                assert looked.clean, str(looked)
                assert not mended.drift and mended.whole, str(mended)
                passes += 1
        assert counted[0] > 100 and passes > 3
    assert audit(server) == []


def damage(client: redis.Redis, rng: random.Random, ids: list[str]) -> int:
    """Five in a hundred records damaged, in eight ways; returns in how many places."""
    pipe: Any = client.pipeline(transaction=False)
    chosen = rng.sample(ids, len(ids) // 20)
    for n, id in enumerate(chosen):
        match n % 8:
            case 0:
                pipe.hset(f"users:{id}", mapping={"age": 200 + n, "name": "raw"})
            case 1:
                pipe.delete(f"users:{id}")
            case 2:
                pipe.pexpire(f"users:{id}", 1)
            case 3:
                pipe.hdel("users@log", id)
            case 4:
                pipe.srem("users@ids", id)
                pipe.zrem("users@age", id)
            case 5:
                pipe.sadd("users@name:Foreign", id, f"ghost{n}")
                pipe.hset("users@email", f"ghost{n}@example.org", f"ghost{n}")
            case 6:
                pipe.zadd("users@age", {id: -n, f"ghost{n}": n})
                pipe.zadd("users@expires", {id: 10**13})
            case _:
                pipe.hset(f"users:{id}", mapping={"email": f"raw{n}@example.org", "tags": '["raw"]'})
                pipe.hset("users@log", id, "12345678u=team\x1fred\x1e")
                pipe.sadd("users@team:red", id)
    pipe.delete("users@name:N3", "users@active:1", "users@address.city:London")
    pipe.execute()
    return len(chosen)


def test_damage_is_mended_while_writers_run(redis7: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    redis7.flush()
    rng = random.Random(3)
    ids = [f"idle{n}" for n in range(RECORDS)]
    cities = [Address(street="1 A St", city=city) for city in ("Oslo", "Rome", "London")]
    with Database(redis7.unix_url) as db, redis.Redis(unix_socket_path=redis7.socket_path) as client:
        db.save_many(
            user(n, id=id, email=f"{id}@example.org", tags=["a", "b"][: n % 3], address=cities[n % 3])
            for n, id in enumerate(ids)
        )
        db.save_many(user(n, id=id, email=f"{id}@example.org") for n, id in enumerate(WARM))
        began = time.perf_counter()
        assert db.check(User).clean
        clean_took = time.perf_counter() - began
        damaged = damage(client, rng, ids)
        time.sleep(0.01)
        assert len(drift(client)) > 5
        with writers(redis7.unix_url) as counted:
            began = time.perf_counter()
            found = db.check(User)
            checked = time.perf_counter() - began
            assert found.drift > damaged
            began = time.perf_counter()
            report = db.repair(User)
            mended = time.perf_counter() - began
            second = db.repair(User)
            assert report.whole and not second.drift, f"{report}\n{second}"
            # The keys that were deleted grow again under the writers' hands, so the two may differ by their records.
            assert abs(report.drift - found.drift) <= 20 * len(WARM), f"{found}\n{report}"
            assert counted[0]
        assert audit(redis7) == []
        assert db.check(User).clean
    with capsys.disabled():
        print(
            f" [{RECORDS:,} records, {damaged:,} damaged in 8 ways: check {clean_took:.1f} s clean, "
            f"{checked:.1f} s beside writers; repair {mended:.1f} s, {report.drift:,} entries mended beside "
            f"{counted[0]:,} writes; second pass {second.drift}] ",
            end="",
        )


def test_only_the_commands_that_are_fit_for_a_busy_server(redis7: RealServer) -> None:
    redis7.flush()
    with Database(redis7.unix_url) as db, redis.Redis(unix_socket_path=redis7.socket_path) as client:
        db.save_many(user(n, id=str(n)) for n in range(2000))
        damage(client, random.Random(1), [str(n) for n in range(2000)])
        client.config_resetstat()
        db.repair(User)
        used = {name.removeprefix("cmdstat_") for name in redis7.info("commandstats")}
        unbounded = {"keys", "smembers", "hgetall|", "hkeys", "hvals", "sort", "flushdb", "config"}
        assert sorted(used & (unbounded - {"config"})) == []
        assert {"scan", "sscan", "zscan", "hscan", "evalsha"} <= used
