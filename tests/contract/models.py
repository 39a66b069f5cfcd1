"""The models of the contract suite."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel

from redmodel import TTL, Embedded, Field, Indexed, Model, Unique


class Address(BaseModel):
    street: str
    city: Indexed[str]


class User(Model, prefix="users"):
    email: Unique[str]
    age: Indexed[int]
    name: Indexed[str] = "Ada"
    active: Indexed[bool] = True
    score: Indexed[float | None] = None
    joined: Indexed[datetime | None] = None
    nickname: Indexed[str | None] = None
    tags: Indexed[list[str]] = Field(default_factory=list)
    address: Embedded[Address] = Field(default_factory=lambda: Address(street="1 A St", city="London"))
    bio: str | None = None


class Session(Model, prefix="sessions", ttl=timedelta(hours=1)):
    token: Unique[str]
    user: Indexed[str]
    note: str = ""


class Code(Model, prefix="codes"):
    number: str
    otp: Annotated[str | None, TTL(milliseconds=60)] = None
    hint: Annotated[str, TTL(hours=1)] = "none"


def user(n: int, **changes: object) -> User:
    """A user with values that follow from a number."""
    fields: dict[str, object] = {"email": f"u{n}@example.org", "age": 20 + n % 50, "name": f"N{n % 7}"}
    return User.model_validate(fields | changes)
