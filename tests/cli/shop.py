"""Models that the tests of the command line name with --models."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from pydantic import BaseModel

from redmodel import Embedded, Field, Indexed, Key, Model, Unique


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Address(BaseModel):
    street: str
    city: Indexed[str]


class Customer(Model, prefix="cli-customers"):
    number: Key[int]
    email: Unique[str]
    age: Indexed[int]
    vip: Indexed[bool] = Field(default=False)
    size: Indexed[Size] = Field(default=Size.SMALL)
    nickname: Indexed[str | None] = Field(default=None)
    tags: Indexed[list[str]] = Field(default_factory=list)
    joined: Indexed[datetime | None] = Field(default=None)
    address: Embedded[Address]
    photo: bytes = b""
    rate: float = 0.5


class NotStored(Model):
    x: int
