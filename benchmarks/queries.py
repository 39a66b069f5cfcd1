"""Queries over a million records: beside ten thousand, beside scripts written by hand for one query, and embedded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from benchmarks.rounds import Action, Case
from redmodel import Database, Indexed, Model

MANY, FEW = 1_000_000, 10_000


class Person(Model, prefix="people", index_together=[("city", "age")]):
    city: Indexed[str]
    team: Indexed[str]
    level: Indexed[str]
    house: Indexed[int]
    age: Indexed[int]
    name: str


def people(number: int) -> Iterator[Person]:
    """Half of them live in four cities; the others by fifties in houses, each of which is in a city of its own."""
    rng = random.Random(number)
    for n in range(number):
        yield Person(
            city=f"large{rng.randrange(4)}" if n % 2 else f"small{n // 100}",
            team=f"t{rng.randrange(10)}",
            level=f"l{rng.randrange(3)}",
            house=n // 50,
            age=rng.randrange(18, 90),
            name=f"name {n}",
        )


def by_size(many: Database, few: Database) -> list[Case]:
    """The same page of twenty, with its total, among a million records and among ten thousand."""

    def case(name: str, times: int, *conditions: Any, order: Any = ()) -> Case:
        def page(db: Database) -> Action:
            query = db.find(Person, *conditions).order_by(*order)
            return lambda: query.page(size=20)

        return Case(name, {"of 1,000,000": page(many), "of 10,000": page(few)}, times, 1.2)

    return [
        case("equality, 50 meet it", 100, Person.city == "small7"),
        case("number, 50 meet it", 100, Person.house == 7),
        case("equality, an eighth meets it, in order", 50, Person.city == "large1", order=[Person.age]),
        case(
            "equality, range, order",
            50,
            Person.city == "large1",
            Person.age.between(30, 40),
            order=[-Person.age],
        ),
    ]


_RANGE_BY_HAND = """
local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[1])
local kept, n = {}, 0
for i = 1, #found, 1000 do
  local part = {unpack(found, i, math.min(i + 999, #found))}
  local there = redis.call('SMISMEMBER', KEYS[2], unpack(part))
  for j = 1, #part do
    if there[j] == 1 then n = n + 1 kept[n] = part[j] end
  end
end
local rows = {}
for i = 1, math.min(20, n) do rows[i] = redis.call('HGETALL', 'people:' .. kept[i]) end
return {n, rows}
"""


def by_hand(many: Database, client: Any) -> list[Case]:
    """A script for just that query, which checks nothing; and an intersection counted, with the records of one page."""
    ranged = client.register_script(_RANGE_BY_HAND)
    query = many.find(Person, Person.team == "t1", Person.age.between(30, 40)).order_by(-Person.age)
    sets = ("people@city:large1", "people@team:t1", "people@level:l1")
    together = many.find(Person, Person.city == "large1", Person.team == "t1", Person.level == "l1")
    page = [f"people:{person.id}" for person in together.page(size=20).items]

    def counted() -> object:
        pipe = client.pipeline(transaction=False)
        pipe.sintercard(3, sets)
        for key in page:
            pipe.hgetall(key)
        return pipe.execute()

    return [
        Case(
            "equality, range, order; page of 20",
            {
                "redmodel": lambda: query.page(size=20),
                "by hand": lambda: ranged(["people@age", "people@team:t1"], ["30", "40"]),
            },
            2,
            1.5,
        ),
        Case("three sets; page of 20", {"redmodel": lambda: together.page(size=20), "by hand": counted}, 2, 2.0),
    ]


def by_engine(embedded: Database, server: Database) -> list[Case]:
    """The same queries on the embedded engine and on a redis-server over a unix socket."""

    def case(name: str, times: int, target: float, *conditions: Any, order: Any = ()) -> Case:
        def page(db: Database) -> Action:
            query = db.find(Person, *conditions).order_by(*order)
            return lambda: query.page(size=20)

        return Case(name, {"embedded": page(embedded), "redis-server": page(server)}, times, target)

    return [
        case("equality, 50 meet it", 100, 0.2, Person.city == "small7"),
        case("equality, range, order", 50, 0.2, Person.city == "large1", Person.age > 60, order=[Person.age]),
        case("three sets", 2, 3.0, Person.city == "large1", Person.team == "t1", Person.level == "l1"),
        case("either of two sets", 2, 3.0, (Person.city == "large1") | (Person.team == "t1")),
    ]
