"""The embedded engine against fakeredis, command by command: `engine.execute` and fakeredis through its client."""

from __future__ import annotations

from itertools import count, cycle
from typing import Any

from benchmarks.rounds import Case
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session

KEYS = 10_000


def cases(fake: Any, target: float) -> list[Case]:
    """The commands of the comparison, on the same data."""
    engine, session = Engine(), Session()

    def ask(*args: bytes) -> Any:
        return engine.execute(session, args)

    hash8 = {f"field{n}": "x" * 10 for n in range(8)}
    hash8_args = [part.encode() for item in hash8.items() for part in item]
    for n in range(KEYS):
        ask(b"SET", b"s:%d" % n, b"v" * 10)
        ask(b"HSET", b"h:%d" % n, *hash8_args)
        ask(b"ZADD", b"z", b"%d" % n, b"m%d" % n)
        ask(b"SADD", b"a", b"%d" % n)
        ask(b"SADD", b"b", b"%d" % (n + KEYS - 100))
    pipe = fake.pipeline(transaction=False)
    for n in range(KEYS):
        pipe.set(f"s:{n}", "v" * 10)
        pipe.hset(f"h:{n}", mapping=hash8)
        pipe.zadd("z", {f"m{n}": n})
        pipe.sadd("a", n)
        pipe.sadd("b", n + KEYS - 100)
    pipe.execute()

    numbers = cycle(range(KEYS))
    new = count()

    def pair(ours: Any, theirs: Any) -> dict[str, Any]:
        return {"engine": ours, "fakeredis": theirs}

    rows = [
        (
            "SET",
            pair(lambda: ask(b"SET", b"s:%d" % next(numbers), b"v"), lambda: fake.set(f"s:{next(numbers)}", "v")),
            500,
        ),
        ("GET", pair(lambda: ask(b"GET", b"s:%d" % next(numbers)), lambda: fake.get(f"s:{next(numbers)}")), 500),
        (
            "HSET of 8 fields",
            pair(
                lambda: ask(b"HSET", b"h:%d" % next(numbers), *hash8_args),
                lambda: fake.hset(f"h:{next(numbers)}", mapping=hash8),
            ),
            500,
        ),
        (
            "HGETALL of 8 fields",
            pair(lambda: ask(b"HGETALL", b"h:%d" % next(numbers)), lambda: fake.hgetall(f"h:{next(numbers)}")),
            500,
        ),
        ("SADD", pair(lambda: ask(b"SADD", b"new", b"%d" % next(new)), lambda: fake.sadd("new", next(new))), 500),
        ("SINTER, 2 of 10,000 → 100", pair(lambda: ask(b"SINTER", b"a", b"b"), lambda: fake.sinter("a", "b")), 20),
        (
            "ZADD, 10,000 there",
            pair(
                lambda: ask(b"ZADD", b"z", b"%d" % next(new), b"m%d" % next(numbers)),
                lambda: fake.zadd("z", {f"m{next(numbers)}": next(new)}),
            ),
            500,
        ),
        (
            "ZRANGEBYSCORE, 100 of 10,000",
            pair(
                lambda: ask(b"ZRANGEBYSCORE", b"z2", b"5000", b"5099"),
                lambda: fake.zrangebyscore("z2", 5000, 5099),
            ),
            200,
        ),
        (
            "HGET",
            pair(
                lambda: ask(b"HGET", b"h:%d" % next(numbers), b"field3"),
                lambda: fake.hget(f"h:{next(numbers)}", "field3"),
            ),
            500,
        ),
        (
            "ZRANGE, 10 of 10,000",
            pair(lambda: ask(b"ZRANGE", b"z", b"500", b"509"), lambda: fake.zrange("z", 500, 509)),
            500,
        ),
        (
            "LPUSH",
            pair(lambda: ask(b"LPUSH", b"l", b"%d" % next(new)), lambda: fake.lpush("l", next(new))),
            500,
        ),
        (
            "XADD",
            pair(
                lambda: ask(b"XADD", b"x", b"*", b"f", b"%d" % next(new)),
                lambda: fake.xadd("x", {"f": next(new)}),
            ),
            200,
        ),
        ("INCR", pair(lambda: ask(b"INCR", b"n"), lambda: fake.incr("n")), 500),
    ]
    ask(b"COPY", b"z", b"z2")
    fake.copy("z", "z2")
    return [Case(name, contenders, times, target) for name, contenders, times in rows]
