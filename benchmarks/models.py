"""redmodel against hand-written redis-py: each operation of the comparison, on one pair of back ends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, cycle

from benchmarks.hand import Hand
from benchmarks.people import CITIES, PlainUser, User, fields
from benchmarks.rounds import Case
from redmodel import Database

SIZE = 10_000


def load(db: Database, hand: Hand) -> None:
    """The same users for both."""
    for start in range(0, SIZE, 1000):
        db.save_many([User.model_validate(fields(n)) for n in range(start, start + 1000)])
        hand.save_many([PlainUser.model_validate(fields(n)) for n in range(start, start + 1000)])


def _fresh(start: int) -> Iterator[int]:
    return count(start)


def cases(db: Database, hand: Hand, targets: dict[str, float], scale: float = 1.0) -> list[Case]:
    """The operations, with the ratio that each is to reach."""
    ours: Iterator[User]
    theirs: Iterator[PlainUser]
    numbers = _fresh(10 * SIZE)
    batches = 1 + max(1, int(4 * scale))
    new_users: list[User] = []
    new_plain: list[PlainUser] = []

    def stock(amount: int) -> None:
        new_users.clear()
        new_plain.clear()
        for _ in range(amount):
            n = next(numbers)
            new_users.append(User.model_validate(fields(n)))
            new_plain.append(PlainUser.model_validate(fields(n)))

    many = max(20, int(400 * scale))
    few = max(5, int(60 * scale))

    ids = cycle([f"{n * 7919 % SIZE:026d}" for n in range(SIZE)])
    thousand = [f"{n * 7 % SIZE:026d}" for n in range(1000)]
    cities = cycle(CITIES)
    loaded = [db.get(User, f"{n:026d}") for n in range(0, SIZE, 10)]
    plain = [hand.get(f"{n:026d}") for n in range(0, SIZE, 10)]
    ours, theirs = cycle(loaded), cycle(plain)
    where = cycle(CITIES)

    def our_move() -> None:
        user = next(ours)
        user.city = CITIES[(CITIES.index(user.city) + 1) % 100]
        db.save(user)

    def their_move() -> None:
        user = next(theirs)
        old = user.city
        user.city = CITIES[(CITIES.index(old) + 1) % 100]
        hand.move(user, old)

    doomed: list[User] = []
    doomed_plain: list[PlainUser] = []

    def plant(who: str) -> None:
        stock(many + 20)
        if who == "redmodel":
            db.save_many(new_users)
            doomed[:] = new_users
        else:
            hand.save_many(new_plain)
            doomed_plain[:] = new_plain

    return [
        Case(
            "get",
            {"redmodel": lambda: db.get(User, next(ids)), "hand": lambda: hand.get(next(ids))},
            many,
            targets.get("get"),
        ),
        Case(
            "get_many(1,000)",
            {"redmodel": lambda: db.get_many(User, thousand), "hand": lambda: hand.get_many(thousand)},
            batches,
            targets.get("get_many"),
        ),
        Case(
            "find of 100 by equality",
            {
                "redmodel": lambda: db.find(User, User.city == next(cities)).all(),
                "hand": lambda: hand.by_city(next(cities)),
            },
            few,
            targets.get("find"),
        ),
        Case(
            "find by equality + flag + range",
            {
                "redmodel": lambda: db.find(
                    User,
                    User.city == next(where),
                    User.active == True,
                    User.age.between(30, 50),
                ).all(),
                "hand": lambda: hand.by_city_flag_range(next(where), True, 30, 50),
            },
            few,
            targets.get("find range"),
        ),
        Case(
            "count of the same",
            {
                "redmodel": lambda: db.count(
                    User,
                    User.city == next(where),
                    User.active == True,
                    User.age.between(30, 50),
                ),
                "hand": lambda: hand.count(next(where), True, 30, 50),
            },
            few,
            targets.get("count"),
        ),
        Case(
            "sorted page of 20",
            {
                "redmodel": lambda: db.find(User, User.city == next(where)).order_by(User.age).page(2, size=20),
                "hand": lambda: hand.page(next(where), 2, 20),
            },
            few,
            targets.get("page"),
        ),
        Case(
            "save with a changed index",
            {"redmodel": our_move, "hand": their_move},
            many,
            targets.get("save changed"),
        ),
        Case(
            "save new",
            {"redmodel": lambda: db.save(new_users.pop()), "hand": lambda: hand.save(new_plain.pop())},
            many,
            targets.get("save new"),
            lambda who: stock(many + 20),
        ),
        Case(
            "save_many(1,000)",
            {
                "redmodel": lambda: db.save_many([new_users.pop() for _ in range(1000)]),
                "hand": lambda: hand.save_many([new_plain.pop() for _ in range(1000)]),
            },
            1,
            targets.get("save_many"),
            lambda who: stock(2000),
        ),
        Case(
            "delete",
            {"redmodel": lambda: db.delete(doomed.pop()), "hand": lambda: hand.delete(doomed_plain.pop())},
            many,
            targets.get("delete"),
            plant,
        ),
    ]
