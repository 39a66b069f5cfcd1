"""SCAN's promise: what is there from the first call to the last is returned, whatever happens meanwhile."""

from __future__ import annotations

import random

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.scan_order import ScanOrders
from tests.engine.memory import Shell


@pytest.mark.parametrize("seed", range(5))
def test_what_stays_is_returned(seed: int) -> None:
    chance = random.Random(seed)
    staying = {b"stay%d" % n for n in range(500)}
    source = set(staying)
    orders = ScanOrders()
    cursor, found, steps = 0, [], 0
    while True:
        cursor, some = orders.step(b"key", source, cursor, 7)
        found += some
        steps += 1
        if not cursor:
            break
        for _ in range(5):
            name = b"other%d" % chance.randrange(1000)
            source.symmetric_difference_update((name,))
        if chance.random() < 0.1:
            orders.step(b"key", source, 0, 3)  # another walk begins
        if chance.random() < 0.1:
            orders.clear()
        for n in range(chance.randrange(3)):
            orders.step(b"elsewhere%d" % chance.randrange(40), {b"x%d" % n for n in range(30)}, 0, 1)
    assert staying <= set(found)
    assert steps >= 70


def test_a_walk_over_still_keys_returns_each_once() -> None:
    run = Shell(Engine())
    for n in range(1000):
        run(f"SET k{n} v")
    cursor, found = b"0", []
    while True:
        cursor, keys = run(f"SCAN {cursor.decode()} COUNT 13")  # type: ignore[misc]
        found += keys
        if cursor == b"0":
            break
    assert sorted(found) == sorted(b"k%d" % n for n in range(1000))


@pytest.mark.parametrize(
    ("add", "scan", "width"), [("SADD k m{}", "SSCAN", 1), ("HSET k m{} v", "HSCAN", 2), ("ZADD k 1 m{}", "ZSCAN", 2)]
)
def test_big_collections_are_walked_in_steps(add: str, scan: str, width: int) -> None:
    run = Shell(Engine())
    for n in range(1000):
        run(add.format(n))
    cursor, found, steps = b"0", [], 0
    while True:
        cursor, some = run(f"{scan} k {cursor.decode()} COUNT 50")  # type: ignore[misc]
        found += some[::width]
        steps += 1
        if cursor == b"0":
            break
    assert sorted(found) == sorted(b"m%d" % n for n in range(1000))
    assert steps == 20


def test_a_key_that_holds_another_collection_now_is_walked_anew() -> None:
    run = Shell(Engine())
    for n in range(600):
        run(f"SADD k m{n}")
        run(f"SADD l n{n}")
    cursor, _ = run("SSCAN k 0")  # type: ignore[misc]
    run("RENAME l k")
    found = []
    while cursor != b"0":
        cursor, some = run(f"SSCAN k {cursor.decode()} COUNT 100")  # type: ignore[misc]
        found += some
    assert found
    assert all(member.startswith(b"n") for member in found)
