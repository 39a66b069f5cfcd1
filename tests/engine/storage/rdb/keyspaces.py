"""A keyspace with every type and encoding, made on a real server, and the content of servers and engines compared."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import redis

from redmodel.engine.engine import Engine
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream, id_text
from tests.servers import RealServer

FAR = 4_000_000_000_000  # a deadline in the year 2096
NUMBERS = (
    0,
    1,
    -1,
    127,
    128,
    -128,
    -129,
    32767,
    32768,
    -32768,
    -32769,
    2**31 - 1,
    2**31,
    -(2**31),
    -(2**31) - 1,
    2**63 - 1,
)
LENGTHS = (0, 1, 19, 20, 21, 44, 45, 63, 64, 65, 253, 254, 255, 4095, 4096, 16378, 16379, 16383, 16384, 70000)


def client_of(server: RealServer) -> redis.Redis:
    return redis.Redis(unix_socket_path=server.socket_path, password=server.password or None, protocol=2)


def noise(rng: random.Random, length: int) -> bytes:
    return rng.randbytes(length)


def prose(rng: random.Random, length: int) -> bytes:
    words = [b"alpha ", b"beta ", b"gamma ", b"delta ", b"\x00\xff", b"12345"]
    return b"".join(rng.choice(words) for _ in range(length // 2 + 1))[:length]


def fill(client: redis.Redis, seed: int = 1) -> None:
    """Write keys of every type, in every encoding that this server's version has."""
    rng = random.Random(seed)
    pipe = client.pipeline(transaction=False)
    for length in LENGTHS:
        pipe.set(f"noise:{length}", noise(rng, length))
        pipe.set(f"prose:{length}", prose(rng, length))
        pipe.set(b"name:" + noise(rng, min(length, 300)), b"named")
        pipe.rpush(f"list:one:{length}", prose(rng, length))
        pipe.hset(f"hash:one:{length}", "f", prose(rng, length))
        pipe.sadd(f"set:one:{length}", noise(rng, length))
        pipe.zadd(f"zset:one:{length}", {noise(rng, length): 1.5})
    for number in NUMBERS:
        pipe.set(f"int:{number}", number)
        pipe.set(str(number), "a key that is a number")
        pipe.hset(f"hash:int:{number}", mapping={str(number): number, f"0{number}": f"+{number}"})
        pipe.rpush(f"list:int:{number}", number, f"0{number}", f" {number}")
        pipe.zadd(f"zset:int:{number}", {str(number): number, "half": number + 0.5})
    pipe.set("same", b"a" * 100_000)
    for count in (1, 2, 5, 127, 128, 129, 512, 513, 3000):
        pipe.sadd(f"set:16:{count}", *range(count))
        pipe.sadd(f"set:32:{count}", *(100_000 + n for n in range(count)))
        pipe.sadd(f"set:64:{count}", *(-(2**40) - n for n in range(count)))
        pipe.sadd(f"set:text:{count}", *(f"member {n}" for n in range(count)))
        pipe.hset(f"hash:{count}", mapping={f"field {n}": n * n - 1000 for n in range(count)})
        pipe.hset(f"hash:text:{count}", mapping={f"{n}": prose(rng, n % 70) for n in range(count)})
        pipe.zadd(f"zset:{count}", {f"member {n}": (n - 50) * 1.1 for n in range(count)})
        pipe.zadd(f"zset:equal:{count}", {f"{n}": 3 for n in range(count)})
        pipe.rpush(f"list:{count}", *(n - 64 for n in range(count)))
        pipe.rpush(f"list:text:{count}", *(prose(rng, n % 90) for n in range(count)))
        pipe.rpush(f"list:same:{count}", *(b"the same text in every element" for _ in range(count)))
    pipe.rpush("list:huge", *(prose(rng, 9000) for _ in range(5)), noise(rng, 20000), b"", b"end")
    pipe.zadd(
        "zset:odd",
        {
            "inf": "inf",
            "-inf": "-inf",
            "zero": 0,
            "minus zero": "-0.0",
            "small": 5e-324,
            "big": 1.7e308,
            "third": 1 / 3,
        },
    )
    pipe.hset("hash:empty", mapping={"": "", "a": ""})
    pipe.setbit("bits", 100_000, 1)
    pipe.pfadd("hll", *range(1000))
    fill_streams(pipe, rng)
    for number in range(50):
        pipe.set(f"deadline:{number}", number)
        pipe.pexpireat(f"deadline:{number}", FAR + number)
    pipe.hset("hash:deadline", "f", "v")
    pipe.expireat("hash:deadline", FAR // 1000)
    pipe.execute()
    for number in (1, 7, 15):
        pipe.execute_command("SELECT", number)
        pipe.set("where", number)
        pipe.zadd("scores", {"a": number})
        pipe.pexpireat("scores", FAR + number)
    pipe.execute_command("SELECT", 0)
    pipe.execute()


def fill_streams(pipe: Any, rng: random.Random) -> None:
    for number in range(250):
        pipe.xadd("stream:same", {"name": f"n{number}", "age": number * 1000 - 5}, id=f"{1000 + number // 7}-{number}")
        pipe.xadd("stream:other", {prose(rng, number % 90): number, f"f{number}": noise(rng, 5)}, id=f"{number + 1}-7")
        pipe.xadd("stream:large", {"a": prose(rng, 17 * number), "b": ""}, id=f"5-{number + 1}")
    pipe.xdel("stream:other", "1-7", "3-7", "100-7", "250-7")
    pipe.xtrim("stream:same", maxlen=200, approximate=False)
    pipe.xadd("stream:empty", {"a": "b"}, id="18446744073709551615-1")
    pipe.xdel("stream:empty", "18446744073709551615-1")
    pipe.xgroup_create("stream:made", "g", id="0", mkstream=True)
    for name, start in (("g1", "0"), ("g2", "$"), ("g3", "1005-40"), (b"g\xff", "5-5")):
        pipe.xgroup_create("stream:same", name, id=start)
    pipe.xgroup_create("stream:other", "g", id="0")
    pipe.xreadgroup("g1", "ada", {"stream:same": ">"}, count=120)
    pipe.xreadgroup("g1", "bob", {"stream:same": ">"}, count=10)
    pipe.xreadgroup("g1", "idle", {"stream:same": ">"}, count=1)
    pipe.xreadgroup("g3", b"c\x00", {"stream:same": ">"}, count=3)
    pipe.xreadgroup("g", "ada", {"stream:other": ">"}, count=20)
    pipe.xdel("stream:other", "9-7")  # it stays pending
    pipe.xack("stream:same", "g1", "1008-57", "1020-140")
    pipe.xgroup_createconsumer("stream:same", "g2", "nobody")


def stream_of(client: redis.Redis, name: bytes) -> Any:
    """All that can be seen of a stream, but how long ago things were."""
    info: dict[str, Any] = client.xinfo_stream(name)  # type: ignore[assignment]
    found: dict[str, Any] = {
        "entries": client.execute_command("XRANGE", name, "-", "+"),
        "last": info["last-generated-id"],
    }
    for counter in ("max-deleted-entry-id", "entries-added"):  # unknown before version 7
        if counter in info:
            found[counter] = info[counter]
    for group in client.xinfo_groups(name):
        group.pop("lag", None)  # computed from the others
        if "entries-read" in group and "entries-added" not in info:
            del group["entries-read"]
        waiting: Any = client.xpending_range(name, group["name"], "-", "+", 1000)
        waiting = [(one["message_id"], one["consumer"], one["times_delivered"]) for one in waiting]
        consumers = [(one["name"], one["pending"]) for one in client.xinfo_consumers(name, group["name"])]
        found[repr(group["name"])] = (group, waiting, consumers)
    return found


def content_of_server(client: redis.Redis) -> dict[tuple[int, bytes], Any]:
    """Each key's value and deadline: None, or in units of 100 ms, as old servers only say what is left."""
    found: dict[tuple[int, bytes], Any] = {}
    for database in range(16):
        client.execute_command("SELECT", database)
        names: list[bytes] = client.keys()  # type: ignore[assignment]
        for name in names:
            found[database, name] = (value_of(client, name), deadline_of(client, name))
    client.execute_command("SELECT", 0)
    return found


def value_of(client: redis.Redis, name: bytes) -> Any:
    kind = client.type(name)
    if kind == b"string":
        return client.get(name)
    if kind == b"hash":
        return client.hgetall(name)
    if kind == b"set":
        return set(client.smembers(name))  # type: ignore[arg-type]
    if kind == b"list":
        return client.lrange(name, 0, -1)
    if kind == b"zset":
        return dict(client.zrange(name, 0, -1, withscores=True))  # type: ignore[arg-type]
    if kind == b"stream":
        return stream_of(client, name)
    raise AssertionError(kind)


def deadline_of(client: redis.Redis, name: bytes) -> int | None:
    left: int = client.pttl(name)  # type: ignore[assignment]
    return None if left < 0 else round((left + time.time() * 1000) / 100)


def content_of_engine(engine: Engine) -> dict[tuple[int, bytes], Any]:
    found: dict[tuple[int, bytes], Any] = {}
    for database in engine.databases:
        database.check()
        for name, value in database.values.items():
            deadline = database.deadlines.get(name)
            found[database.number, name] = (plain(value), None if deadline is None else round(deadline / 100))
    return found


def plain(value: Any) -> Any:
    if isinstance(value, SortedSet):
        value.check()
        return value.scores
    if isinstance(value, Stream):
        return plain_stream(value)
    if isinstance(value, (bytes, set, dict)):
        return value
    return list(value)


def plain_stream(stream: Stream) -> Any:
    """A stream in the shape of `stream_of`."""
    stream.check()
    found: dict[str, Any] = {
        "entries": [(id_text(entry), dict(zip(flat[::2], flat[1::2], strict=True))) for entry, flat in stream],
        "last": id_text(stream.last_id),
        "max-deleted-entry-id": id_text(stream.max_deleted_id),
        "entries-added": stream.entries_added,
    }
    for name, group in stream.sorted_groups():
        about = {
            "name": name,
            "consumers": len(group.consumers),
            "pending": len(group.pending),
            "last-delivered-id": id_text(group.last_id),
            "entries-read": group.entries_read,
        }
        waiting = [
            (id_text(entry), group.pending[entry].consumer.name, group.pending[entry].count)
            for entry in group.pending_since(0)
        ]
        consumers = [(one.name, len(one.pending)) for one in group.sorted_consumers()]
        found[repr(name)] = (about, waiting, consumers)
    return found


def is_like(found: Any, wanted: Any) -> bool:
    """Whether the same is found; of a stream only what the server could tell is compared."""
    if not (isinstance(wanted, dict) and "entries" in wanted):
        return type(found) is type(wanted) and bool(found == wanted)
    if "entries-added" not in wanted:
        found = {name: part for name, part in found.items() if name in wanted}
        for part in found.values():
            if isinstance(part, tuple):
                part[0].pop("entries-read", None)
    return bool(found == wanted)


def assert_same(found: dict[tuple[int, bytes], Any], wanted: dict[tuple[int, bytes], Any]) -> None:
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    for name, (value, deadline) in wanted.items():
        assert is_like(found[name][0], value), f"{name!r}\n{found[name][0]!r}\n{value!r}"[:5000]
        other = found[name][1]
        assert other == deadline or abs(other - deadline) <= 1, name


def dump_of(server: RealServer) -> Path:
    server.command("SAVE")
    return server.directory / "dump.rdb"
