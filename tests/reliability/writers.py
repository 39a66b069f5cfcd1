"""What the writing processes of these tests run: ``python -m tests.reliability.writers KIND URL SEED TIMES``."""

from __future__ import annotations

import asyncio
import random
import sys
import time

from redmodel import AsyncDatabase, Database
from tests.contract.models import Address, User, user

HOT = ["hot0", "hot1", "hot2", "hot3"]


def change(rng: random.Random, record: User) -> None:
    """Change one to three fields, most of them indexed."""
    for _ in range(rng.randrange(1, 4)):
        match rng.randrange(6):
            case 0:
                record.age = rng.randrange(100)
            case 1:
                record.name = rng.choice("ABCDE")
            case 2:
                record.active = not record.active
            case 3:
                record.tags = rng.sample(["a", "b", "c", "d"], rng.randrange(4))
            case 4:
                record.address = Address(street="s", city=rng.choice(["Oslo", "Rome", "Paris"]))
            case _:
                record.email = f"{record.id}-{rng.randrange(10**9)}@example.org"


def update(url: str, seed: int, times: int) -> None:
    """Load, change and save hot records, over and over."""
    rng = random.Random(seed)
    with Database(url) as db:
        for _ in range(times):
            record = db.get(User, rng.choice(HOT))
            change(rng, record)
            db.save(record)


def update_async(url: str, seed: int, times: int) -> None:
    """The same by ten tasks of one event loop."""

    async def one(db: AsyncDatabase, rng: random.Random) -> None:
        for _ in range(times // 10):
            record = await db.get(User, rng.choice(HOT))
            change(rng, record)
            await db.save(record)

    async def main() -> None:
        async with AsyncDatabase(url) as db:
            await asyncio.gather(*(one(db, random.Random(seed * 100 + n)) for n in range(10)))

    asyncio.run(main())


def save_for_ever(url: str, seed: int, times: int, pause: float = 0.0) -> None:
    """Save, change and delete records until killed; says each id that was acknowledged."""
    rng = random.Random(seed)
    with Database(url) as db:
        print("ready", flush=True)
        for n in range(times):
            record = user(n, id=f"{seed}-{n}", email=f"{seed}-{n}@example.org", tags=["a"])
            db.save(record)
            change(rng, record)
            db.save(record)
            if n % 3 == 0:
                db.delete(record)
            else:
                print(record.id, flush=True)
            time.sleep(pause)


def save_steadily(url: str, seed: int, times: int) -> None:
    """The same at a pace that keeps the log small."""
    save_for_ever(url, seed, times, 0.01)


def save_steadily_async(url: str, seed: int, times: int) -> None:
    """The same by five tasks of one event loop."""

    async def one(db: AsyncDatabase, part: int) -> None:
        rng = random.Random(seed * 100 + part)
        for n in range(times):
            name = f"{seed}-{part}-{n}"
            record = user(n, id=name, email=f"{name}@example.org", tags=["a"])
            await db.save(record)
            change(rng, record)
            await db.save(record)
            if n % 3 == 0:
                await db.delete(record)
            else:
                print(record.id, flush=True)
            await asyncio.sleep(0.05)

    async def main() -> None:
        async with AsyncDatabase(url) as db:
            print("ready", flush=True)
            await asyncio.gather(*(one(db, part) for part in range(5)))

    asyncio.run(main())


if __name__ == "__main__":
    kinds = (update, update_async, save_for_ever, save_steadily, save_steadily_async)
    {kind.__name__: kind for kind in kinds}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
