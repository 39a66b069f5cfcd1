"""What the racing processes of these tests run: ``python -m tests.reliability.racers KIND URL SEED TIMES``.

Each tells at its end, as one line of JSON, what it did.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from typing import Any

from redmodel import AsyncDatabase, Database, Field, Indexed, Model, Unique, UniqueViolation
from tests.contract.models import User
from tests.reliability.writers import HOT, change

SIDES = 3
"""Processes that race for each value: one of them plain, one with threads, one with tasks."""

STEP = 20
"""Values after which all processes wait for each other."""


class Tally(Model, prefix="tallies", versioned=True):
    """Counted in several ways, so that a lost or a doubled write shows in the sums."""

    id: str
    counted: Indexed[int] = Field(default=0)
    modified: Indexed[int] = Field(default=0)
    told: Indexed[set[int]] = Field(default_factory=set)


class Ticket(Model, prefix="race-tickets", unique_together=[("show", "seat")]):
    id: str
    code: Unique[str]
    show: Indexed[str]
    seat: int


def _did() -> dict[str, int]:
    return {"counted": 0, "modified": 0, "calls": 0}


def update(url: str, seed: int, times: int) -> dict[str, int]:
    """Change hot records in every way there is."""
    rng, did = random.Random(seed), _did()

    def again(tally: Tally) -> None:
        tally.modified += 1
        did["calls"] += 1

    with Database(url) as db:
        for _ in range(times):
            id = rng.choice(HOT)
            match rng.randrange(6):
                case 0:
                    db.increment(Tally, id, counted=1)
                    did["counted"] += 1
                case 1:
                    db.modify(Tally, id, again)
                    did["modified"] += 1
                case 2:
                    mark = rng.randrange(4)
                    db.add(Tally, id, told=mark) if rng.random() < 0.5 else db.discard(Tally, id, told=mark)
                case 3:
                    db.update(User, id, age=rng.randrange(100), name=rng.choice("ABCDE"))
                case 4:
                    db.extend(User, id, tags=["a", "b"]) if rng.random() < 0.2 else db.discard(User, id, tags="a")
                case _:
                    record = db.get(User, id)
                    change(rng, record)
                    db.save(record)
    return did


def update_async(url: str, seed: int, times: int) -> dict[str, int]:
    """The same by ten tasks of one event loop."""
    did = _did()

    def again(tally: Tally) -> None:
        tally.modified += 1
        did["calls"] += 1

    async def one(db: AsyncDatabase, rng: random.Random) -> None:
        for _ in range(times // 10):
            id = rng.choice(HOT)
            match rng.randrange(6):
                case 0:
                    await db.increment(Tally, id, counted=1)
                    did["counted"] += 1
                case 1:
                    await db.modify(Tally, id, again)
                    did["modified"] += 1
                case 2:
                    mark = rng.randrange(4)
                    await (db.add(Tally, id, told=mark) if rng.random() < 0.5 else db.discard(Tally, id, told=mark))
                case 3:
                    await db.update(User, id, age=rng.randrange(100), name=rng.choice("ABCDE"))
                case 4:
                    await (
                        db.extend(User, id, tags=["a", "b"]) if rng.random() < 0.2 else db.discard(User, id, tags="a")
                    )
                case _:
                    record = await db.get(User, id)
                    change(rng, record)
                    await db.save(record)

    async def main() -> None:
        async with AsyncDatabase(url) as db:
            await asyncio.gather(*(one(db, random.Random(seed * 100 + n)) for n in range(10)))

    asyncio.run(main())
    return did


def ticket(seed: int, who: int, n: int) -> Ticket:
    """A racer's claim of value n: of even ones the code is unique, of odd ones show and seat together."""
    id = f"{n}-{seed}-{who}"
    return Ticket(id=id, code=str(n) if n % 2 == 0 else id, show="s" if n % 2 else id, seat=n)


def race(url: str, seed: int, times: int) -> list[int]:
    """Claim each value, alone."""
    with Database(url) as db:
        return [n for n in _together(db, times) if _claims(db, ticket(seed, 0, n))]


def race_threads(url: str, seed: int, times: int) -> list[int]:
    """Claim each value by three threads."""
    won: list[int] = []
    with Database(url) as db:
        for n in _together(db, times):
            gate = threading.Barrier(3)

            def one(who: int, n: int = n, gate: threading.Barrier = gate) -> None:
                gate.wait()
                if _claims(db, ticket(seed, who, n)):
                    won.append(n)

            threads = [threading.Thread(target=one, args=(who,)) for who in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    return won


def race_tasks(url: str, seed: int, times: int) -> list[int]:
    """Claim each value by three tasks."""
    won: list[int] = []

    async def one(db: AsyncDatabase, who: int, n: int) -> None:
        try:
            await db.save(ticket(seed, who, n))
        except UniqueViolation:
            return
        won.append(n)

    async def main() -> None:
        async with AsyncDatabase(url) as db:
            with Database(url) as waiting:
                for n in _together(waiting, times):
                    await asyncio.gather(*(one(db, who, n) for who in range(3)))

    asyncio.run(main())
    return won


def _claims(db: Database, claim: Ticket) -> bool:
    try:
        return db.save(claim)
    except UniqueViolation:
        return False


def _together(db: Database, times: int) -> Any:
    """The values in order; all processes begin each step at the same moment."""
    for n in range(times):
        if n % STEP == 0:
            gate = f"gate:{n // STEP}"
            db.client.incr(gate)
            while int(db.client.get(gate) or 0) < SIDES:
                time.sleep(0.0005)
        yield n


if __name__ == "__main__":
    kinds = (update, update_async, race, race_threads, race_tasks)
    result = {kind.__name__: kind for kind in kinds}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    print(json.dumps(result))
