"""The data of the comparison: users with ten fields, the same for all contenders."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from redmodel import Embedded, Indexed, Model, Unique

CITIES = [f"city-{n:02}" for n in range(100)]


class Address(BaseModel):
    street: str
    zip: str


class User(Model, prefix="bench-users"):
    """redmodel's user: the e-mail unique, city and flag by equality, age by range."""

    email: Unique[str]
    name: str
    city: Indexed[str]
    age: Indexed[int]
    active: Indexed[bool]
    score: float
    joined: datetime
    tags: list[str]
    address: Embedded[Address]


class PlainUser(BaseModel):
    """The same ten fields as a plain Pydantic model, for the hand-written contender."""

    id: str
    email: str
    name: str
    city: str
    age: int
    active: bool
    score: float
    joined: datetime
    tags: list[str]
    address: Address


def fields(n: int) -> dict[str, Any]:
    """The values of user ``n``: they follow from the number."""
    rng = random.Random(n)
    return {
        "id": f"{n:026d}",
        "email": f"user{n}@example.org",
        "name": f"User Number {n}",
        "city": CITIES[n % 100],
        "age": rng.randrange(18, 80),
        "active": rng.random() < 0.5,
        "score": rng.random() * 100,
        "joined": datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(10**8)),
        "tags": rng.sample(["red", "green", "blue", "cyan", "pink", "gold"], 3),
        "address": {"street": f"{n} High Street", "zip": f"{rng.randrange(10**5):05}"},
    }
