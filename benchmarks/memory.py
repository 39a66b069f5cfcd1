"""Memory on redis-server: what a record takes with its indexes, key by key, beside a bare hash."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import redis

from redmodel import Database, Indexed, Model, Unique
from redmodel.model import new_id
from tests.servers import RealServer, redis7_binary

RECORDS = 100_000


class Plain(Model, prefix="plain"):
    """Four fields and three indexes."""

    email: Unique[str]
    age: Indexed[int]
    city: Indexed[str]
    name: str


class Expiring(Plain, prefix="expiring", ttl=timedelta(days=1)):
    """The same with a time to live."""


def values() -> Iterator[dict[str, Any]]:
    """The fields of each record but the id."""
    for n in range(RECORDS):
        yield {"email": f"u{n}@example.org", "age": n % 90, "city": f"City {n % 500}", "name": f"Name {n}"}


def used(client: redis.Redis) -> int:
    """Bytes that the server has in use, without what it keeps for connections."""
    memory: Any = client.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_clients_normal"]) - int(memory["used_memory_scripts"])


def parts(client: redis.Redis, prefix: str) -> dict[str, float]:
    """Bytes a record in each kind of key, as MEMORY USAGE says."""
    found: dict[str, float] = {}
    for key in client.scan_iter(match=f"{prefix}*", count=1000):
        name = key.decode().removeprefix(prefix)
        kind = "record" if name.startswith(":") else "@" + name[1:].partition(":")[0]
        size: Any = client.memory_usage(key, samples=0)
        found[kind] = found.get(kind, 0) + size / RECORDS
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def report(rounds: int) -> str:
    """The table; one round, as memory is the same in each."""
    binary = redis7_binary()
    if binary is None:
        return "No redis-server 7 was found."
    lines = ["| | bytes a record | of which |", "|---|---:|---|"]
    with RealServer(binary) as server:
        client = redis.Redis(unix_socket_path=server.socket_path)
        before = used(client)
        pipe = client.pipeline(transaction=False)
        for at, fields in enumerate(values()):
            pipe.hset(f"bare:{new_id()}", mapping=cast("Any", fields))
            if at % 1000 == 999:
                pipe.execute()
        lines.append(f"| a bare hash of the four fields | {(used(client) - before) / RECORDS:.0f} | |")
        for title, model, prefix in (("without a TTL", Plain, "plain"), ("with a TTL", Expiring, "expiring")):
            client.flushall()
            before = used(client)
            with Database(server.unix_url) as db:
                db.save_many(model(**fields) for fields in values())
            total = (used(client) - before) / RECORDS
            split = ", ".join(f"`{name}` {size:.0f}" for name, size in parts(client, prefix).items() if size >= 0.5)
            lines.append(f"| {title} | {total:.0f} | {split} |")
        client.close()
    return "\n".join(lines)
