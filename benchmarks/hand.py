"""The hand-written contender: redis-py as its documentation teaches it, with pipelines and `model_validate`."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.people import PlainUser


def _hash(user: PlainUser) -> dict[str, Any]:
    data = user.model_dump(mode="json")
    data["active"] = int(data["active"])
    data["tags"] = json.dumps(data["tags"])
    data["address"] = json.dumps(data["address"])
    return data


def _user(data: dict[str, Any]) -> PlainUser:
    return PlainUser.model_validate(data | {"tags": json.loads(data["tags"]), "address": json.loads(data["address"])})


class Hand:
    """What a careful developer writes for one model with indexes."""

    def __init__(self, client: Any, prefix: str = "hand") -> None:
        self.client = client
        self.prefix = prefix

    def _save(self, pipe: Any, user: PlainUser) -> None:
        p = self.prefix
        pipe.hset(f"{p}:{user.id}", mapping=_hash(user))
        pipe.sadd(f"{p}:ids", user.id)
        pipe.hset(f"{p}:email", user.email, user.id)
        pipe.sadd(f"{p}:city:{user.city}", user.id)
        pipe.zadd(f"{p}:age", {user.id: user.age})
        pipe.sadd(f"{p}:active:{int(user.active)}", user.id)

    def save(self, user: PlainUser) -> None:
        with self.client.pipeline(transaction=True) as pipe:
            self._save(pipe, user)
            pipe.execute()

    def save_many(self, users: list[PlainUser]) -> None:
        with self.client.pipeline(transaction=True) as pipe:
            for user in users:
                self._save(pipe, user)
            pipe.execute()

    def move(self, user: PlainUser, old_city: str) -> None:
        """Save a user whose city has changed."""
        p = self.prefix
        with self.client.pipeline(transaction=True) as pipe:
            pipe.hset(f"{p}:{user.id}", mapping=_hash(user))
            pipe.srem(f"{p}:city:{old_city}", user.id)
            pipe.sadd(f"{p}:city:{user.city}", user.id)
            pipe.execute()

    def get(self, id: str) -> PlainUser:
        return _user(self.client.hgetall(f"{self.prefix}:{id}"))

    def get_many(self, ids: list[str]) -> list[PlainUser]:
        with self.client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hgetall(f"{self.prefix}:{id}")
            return [_user(data) for data in pipe.execute()]

    def by_city(self, city: str) -> list[PlainUser]:
        return self.get_many(self.client.smembers(f"{self.prefix}:city:{city}"))

    def _in_range(self, city: str, active: bool, low: int, high: int) -> list[str]:
        p = self.prefix
        keys = {f"{p}:city:{city}": 0, f"{p}:active:{int(active)}": 0, f"{p}:age": 1}
        found = self.client.zinter(keys, withscores=True)
        return [id for id, score in found if low <= score <= high]

    def by_city_flag_range(self, city: str, active: bool, low: int, high: int) -> list[PlainUser]:
        return self.get_many(self._in_range(city, active, low, high))

    def count(self, city: str, active: bool, low: int, high: int) -> int:
        return len(self._in_range(city, active, low, high))

    def page(self, city: str, number: int, size: int) -> list[PlainUser]:
        """A page of a city's users by age."""
        ids = self.client.zinter({f"{self.prefix}:city:{city}": 0, f"{self.prefix}:age": 1})
        return self.get_many(ids[(number - 1) * size : number * size])

    def delete(self, user: PlainUser) -> None:
        p = self.prefix
        with self.client.pipeline(transaction=True) as pipe:
            pipe.delete(f"{p}:{user.id}")
            pipe.srem(f"{p}:ids", user.id)
            pipe.hdel(f"{p}:email", user.email)
            pipe.srem(f"{p}:city:{user.city}", user.id)
            pipe.zrem(f"{p}:age", user.id)
            pipe.srem(f"{p}:active:{int(user.active)}", user.id)
            pipe.execute()
