"""An independent look at the indexes: reads raw keys, never through the library, and knows nothing but the layout."""

from __future__ import annotations

import json
from typing import Any

import redis

EQUAL, RANGE, UNIQUE = ("name", "active"), ("age",), ("email",)


def drift(client: redis.Redis) -> list[str]:
    """Everything that is wrong with the indexes of the contract suite's users: stale, missing and torn entries."""
    wrong: list[str] = []
    records: dict[bytes, dict[bytes, bytes]] = {}
    for key in client.scan_iter("users:*", count=1000):
        records[key.removeprefix(b"users:")] = client.hgetall(key)
    live = set(records)
    if (ids := client.smembers("users@ids")) != live:
        wrong.append(f"ids: {sorted(ids ^ live)[:5]}")
    if (logged := set(client.hkeys("users@log"))) != live:
        wrong.append(f"log: {sorted(logged ^ live)[:5]}")
    expected: dict[bytes, Any] = {}

    def entry(key: str, id: bytes) -> None:
        expected.setdefault(key.encode(), set()).add(id)

    for id, record in records.items():
        for field in (b"id", b"email", b"age", b"name", b"active", b"tags", b"address"):
            if field not in record:
                wrong.append(f"torn record {id!r}: no {field!r}")
                break
        else:
            for name in EQUAL:
                entry(f"users@{name}:{record[name.encode()].decode()}", id)
            for tag in json.loads(record[b"tags"]):
                entry(f"users@tags:{tag}", id)
            entry(f"users@address.city:{json.loads(record[b'address'])['city']}", id)
            for name in ("score", "joined", "nickname"):
                if name.encode() not in record:
                    entry(f"users@{name}:~null", id)
            for name in RANGE:
                expected.setdefault(f"users@{name}".encode(), {})[id] = float(record[name.encode()])
            for name in UNIQUE:
                expected.setdefault(f"users@{name}".encode(), {})[record[name.encode()]] = id
    found: dict[bytes, Any] = {}
    for key in client.scan_iter("users@*", count=1000):
        if key in (b"users@ids", b"users@log", b"users@schema", b"users@expires"):
            continue
        kind = client.type(key)
        if kind == b"set":
            found[key] = client.smembers(key)
        elif kind == b"zset":
            found[key] = dict(client.zrange(key, 0, -1, withscores=True))
        else:
            found[key] = client.hgetall(key)
    for key in expected.keys() | found.keys():
        if key.startswith((b"users@score", b"users@joined", b"users@nickname")) and not key.endswith(b"~null"):
            continue
        if expected.get(key) != found.get(key):
            wrong.append(f"{key!r}: holds {found.get(key)}, should hold {expected.get(key)}")
    return wrong
