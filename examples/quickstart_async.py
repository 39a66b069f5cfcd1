"""The quick start in asyncio: the same models and verbs, awaited.

Run it with `python examples/quickstart_async.py`, with or without `REDMODEL_URL`.
"""

import asyncio
from datetime import timedelta

from redmodel import AsyncDatabase, Field, Indexed, Model, Unique, UniqueViolation


class Player(Model, prefix="quickstart-players"):
    name: Unique[str]
    points: Indexed[int] = Field(default=0)


class Seat(Model, prefix="quickstart-seats", ttl=timedelta(minutes=30)):
    player: Indexed[str]


async def main() -> None:
    async with AsyncDatabase() as db:
        await db.delete_many(Player, [player.id async for player in db.find(Player)])  # so that it can be run again

        # On a server, what many tasks ask at the same moment travels together over one connection.
        names = ["ada", "grace", "linus", "guido"]
        await asyncio.gather(*(db.save(Player(name=name, points=len(name) * 10)) for name in names))

        async for player in db.find(Player, Player.points >= 50).order_by(Player.name):
            print("strong:", player.name, player.points)
        page = await db.find(Player).order_by(-Player.points, Player.name).page(2, size=3)
        print("last page:", [player.name for player in page.items], "of", page.total)

        ada = await db.find(Player, Player.name == "ada").one()
        ada.points += 25
        await db.save(ada)
        print("best:", [player.name for player in await db.find(Player).order_by(-Player.points).limit(1)])

        try:
            await db.save(Player(name="ada"))
        except UniqueViolation as refusal:
            print("refused:", refusal.value)

        seat = Seat(player=ada.id)
        await db.save(seat)
        await db.touch(seat, ttl=timedelta(hours=2))
        print("seated:", await db.count(Seat, Seat.player == ada.id))
        await db.delete(seat)


if __name__ == "__main__":
    asyncio.run(main())
