"""Writers that meet, and replies that are lost: nothing is written twice, nothing is lost, one of many wins.

The suite runs a short form; ``REDMODEL_LONG=1`` runs the figures that the project holds itself to.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import redis

from redmodel import AsyncDatabase, Database, Field, Indexed, Model
from redmodel.errors import ConnectionFailed
from tests.contract.blocking import Blocking
from tests.contract.models import User, user
from tests.database.odd_servers import cutting_proxy
from tests.reliability.auditor import drift
from tests.reliability.racers import Tally, Ticket
from tests.reliability.writers import HOT
from tests.servers import RealServer

LONG = bool(os.environ.get("REDMODEL_LONG"))
UPDATES = int(os.environ.get("REDMODEL_UPDATES") or (1_000_000 if LONG else 4_000))
RACES = 10_000 if LONG else 300
CUTS = 1000 if LONG else 60
CANCELLED = 100_000 if LONG else 3_000
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(7200 if LONG else 180)


def racers(kinds: list[str], url: str, times: int) -> list[Any]:
    """What each of these processes tells at its end."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.racers", kind, url, str(seed), str(times)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        for seed, kind in enumerate(kinds)
    ]
    told = []
    try:
        for process in processes:
            said, errors = process.communicate(timeout=7200 if LONG else 300)
            assert process.returncode == 0, errors.decode()
            told.append(json.loads(said))
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return told


def test_every_way_to_write_on_hot_records_by_eight_processes(redis7: RealServer) -> None:
    redis7.flush()
    with Database(redis7.unix_url) as db:
        db.save_many(user(n, id=id, email=f"{id}@example.org") for n, id in enumerate(HOT))
        db.save_many(Tally(id=id) for id in HOT)
        did = racers(["update", "update_async"] * 4, redis7.unix_url, UPDATES // 8)
        tallies = list(db.find(Tally))
        assert sum(tally.counted for tally in tallies) == sum(one["counted"] for one in did)
        assert sum(tally.modified for tally in tallies) == sum(one["modified"] for one in did)
        assert db.check(Tally).clean
        assert db.check(User).clean
    with redis.Redis(unix_socket_path=redis7.socket_path) as client:
        assert drift(client) == []
    retries = sum(one["calls"] - one["modified"] for one in did) / sum(one["modified"] for one in did)
    print(f"{UPDATES} updates, {retries:.3f} retries for each modify()")


def test_of_many_that_claim_a_value_exactly_one_wins(redis7: RealServer) -> None:
    redis7.flush()
    wins = Counter[int]()
    for won in racers(["race", "race_threads", "race_tasks"], redis7.unix_url, RACES):
        wins.update(won)
    assert wins == Counter(range(RACES))
    with Database(redis7.unix_url) as db:
        assert db.count(Ticket) == RACES
        assert db.check(Ticket).clean


class Ledger(Model, prefix="ledgers", versioned=True):
    id: str
    total: Indexed[int] = Field(default=0)
    lines: Indexed[list[int]] = Field(default_factory=list)
    flags: set[str] = Field(default_factory=set)
    facts: dict[str, int] = Field(default_factory=dict)
    note: str = ""


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_replies_that_are_cut_off_are_neither_applied_twice_nor_taken_for_conflicts(
    colour: str, redis7: RealServer
) -> None:
    redis7.flush()
    rng = random.Random(CUTS)
    loop = asyncio.new_event_loop()
    with (
        cutting_proxy(
            redis7.socket_path, lambda number: rng.randrange(*((0, 400) if number % 2 else (400, 2500)))
        ) as proxy,
        Database(redis7.unix_url) as straight,
    ):
        db: Any = Database(proxy.url) if colour == "sync" else Blocking(AsyncDatabase(proxy.url), loop)
        mine = Ledger(id="0")
        doubts = 0
        step = 0
        while proxy.connections < CUTS:
            step += 1
            if step % 50 == 1:
                mine = Ledger(id=str(step))
                assert db.save(mine, only_if="new") is True
            try:
                match rng.randrange(7):
                    case 0:
                        mine.note = str(step)
                        assert db.save(mine) is False
                    case 1:
                        db.update(mine, note=f"u{step}")
                    case 2:
                        assert db.increment(mine, total=1) == mine.total
                    case 3:
                        db.append(mine, lines=step)
                        assert mine.lines.count(step) == 1
                    case 4:
                        assert db.add(mine, flags=str(step)) is True
                    case 5:
                        db.put(mine, facts={str(step % 3): step})
                    case _:
                        assert db.discard(mine, lines=mine.lines[0]) is True if mine.lines else True
            except ConnectionFailed:
                # Of what is never sent twice: whether it was done is read again, and never more than once.
                doubts += 1
                seen = straight.get(Ledger, mine.id)
                assert 0 <= seen.total - mine.total <= 1
                assert len(seen.lines) - len(mine.lines) in (0, 1)
                mine = db.get(Ledger, mine.id)
            assert straight.get(Ledger, mine.id) == mine
        db.close()
        assert straight.check(Ledger).clean
        assert doubts < proxy.connections / 10
    loop.close()


def test_cancelled_tasks_swap_no_replies_and_leak_no_connections(redis7: RealServer) -> None:
    redis7.flush()
    rng = random.Random(7)
    finished = Counter[str]()

    async def main() -> None:
        async with AsyncDatabase(f"{redis7.unix_url}?client_name=cancelled") as db:
            await db.save_many(user(n, id=str(n)) for n in range(50))

            async def one(n: int) -> None:
                if n % 5:
                    found = await db.get(User, str(n % 50))
                    assert (found.id, found.email) == (str(n % 50), f"u{n % 50}@example.org")
                else:
                    assert await db.increment(User, str(n % 50), score=1.0) >= 0.0
                finished["done"] += 1

            await db.update(User, "0", score=0.0)
            for n in range(50):
                await db.update(User, str(n), score=0.0)
            for start in range(0, CANCELLED, 500):
                tasks = [asyncio.create_task(one(n)) for n in range(start, start + 500)]
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(0)
                if rng.random() < 0.5:
                    await asyncio.sleep(rng.random() * 0.004)
                for task in tasks:
                    task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    assert result is None or isinstance(result, asyncio.CancelledError), result
            assert (await db.get(User, "7")).id == "7"
            names = [client["name"] for client in await db.client.client_list()]
            assert names.count("cancelled") <= 2  # the handle's one connection, and that of its client

    asyncio.run(main())
    with Database(redis7.unix_url) as db:
        assert db.check(User).clean
    assert finished["done"] > 0


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_lost_scripts_and_a_restart_under_load_reach_nobody(colour: str, redis7: RealServer) -> None:
    seconds = 20.0 if LONG else 2.0
    with RealServer(redis7.binary, appendonly=True) as server:
        stop = threading.Event()
        errors: list[BaseException] = []
        done = Counter[str]()

        def trouble() -> None:
            began = time.monotonic()
            restarted = False
            while time.monotonic() - began < seconds:
                with redis.Redis(unix_socket_path=server.socket_path) as client:
                    client.script_flush()
                time.sleep(0.05)
                if not restarted and time.monotonic() - began > seconds / 2:
                    server.kill()
                    time.sleep(0.3)
                    server.restart()
                    restarted = True
            stop.set()

        def work(db: Any, who: int) -> None:
            rng = random.Random(who)
            record = user(who, id=str(who), email=f"{who}@example.org")
            try:
                db.save(record)
                while not stop.is_set():
                    record.age = rng.randrange(100)
                    db.save(record)
                    db.update(User, str(who), name=rng.choice("ABC"))
                    db.add(User, str(who), tags=rng.choice("ab"))
                    db.discard(User, str(who), tags=rng.choice("ab"))
                    db.find(User, User.age >= 50).page(size=5)
                    done["rounds"] += 1
            except BaseException as error:
                errors.append(error)

        def work_async(who: int) -> None:
            loop = asyncio.new_event_loop()
            db = Blocking(AsyncDatabase(server.unix_url), loop)
            work(db, who)
            db.close()
            loop.close()

        with Database(server.unix_url) as shared:
            threads = [
                threading.Thread(target=work, args=(shared, n))
                if colour == "sync"
                else threading.Thread(target=work_async, args=(n,))
                for n in range(3)
            ]
            threads.append(threading.Thread(target=trouble))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
            assert errors == []
            assert done["rounds"] > 3
            assert shared.check(User).clean
