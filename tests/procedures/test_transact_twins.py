"""Transactions by the script and by its twin: replies and keyspaces agree, and a refused one leaves all as it was."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from redmodel.procedures import TRANSACT
from tests.procedures.test_twins import IDS, Server, Twin, a_nonce, a_save, a_version, an_operation, keyspace, run, tidy


def _split(command: tuple[bytes, ...]) -> tuple[list[bytes], list[bytes]]:
    count = int(command[2])
    return list(command[3 : 3 + count]), list(command[3 + count :])


def _a_step(rng: random.Random, id: bytes, nonce: bytes) -> list[tuple[bytes, list[bytes], list[Any]]]:
    """The operations on one record: mostly one, sometimes a save and increments of the other fields."""
    keys = [b"t:" + id, b"t@ids", b"t@log", b"t@expires"]
    chance = rng.random()
    if chance < 0.6:
        while True:
            own, argv = _split(a_save(rng))
            if own[0] == keys[0] and not argv[1].startswith(b"1 "):  # what lives on is compared again at once
                break
        argv[0] = nonce + argv[0][8:]
        steps: list[tuple[bytes, list[bytes], list[Any]]] = [(b"s", own, argv)]
        if argv[0][8:9] == b"p" and rng.random() < 0.3:
            steps.append((b"i", keys, [nonce, b"count", b"2", b"i", b"", b"", b""]))
        return steps
    if chance < 0.75:
        return [(b"d", keys, [id])]
    if chance < 0.85:
        return [(b"t", keys, [id, rng.choice([b"-", b"40000"])])]
    if chance < 0.95:
        amount, kind = rng.choice([(b"1", b"i"), (b"-2", b"i"), (b"0.5", b"f"), (b"9007199254740992", b"i")])
        bounds = rng.choice([[b"", b""], [b"0", b""], [b"-1", b"4"]])
        steps = [(b"i", [*keys, b"t@age"], [nonce, b"age", amount, kind, *bounds, a_version(rng)])]
        return [*steps, (b"i", keys, [nonce, b"count", b"1", b"i", b"", b"3", b""])] if rng.random() < 0.3 else steps
    return [(b"w", keys, [id, nonce])]


def a_transaction(rng: random.Random, real: Server) -> tuple[bytes, ...]:
    keys: list[bytes] = []
    argv: list[Any] = []
    nonce = a_nonce(rng)
    for id in rng.sample(IDS, rng.randrange(1, 5)):
        for kind, own, args in _a_step(rng, id, nonce):
            if kind == b"w" and rng.random() < 0.8:
                log = real(b"HGET", b"t@log", id)
                args[1] = log[:8] if isinstance(log, bytes) else b""
            argv += [b"%b %d %d" % (kind, len(own), len(args)), *args]
            keys += own
    return run(TRANSACT, keys, argv)


def _tidy(reply: Any) -> Any:
    """A refusal may tell the time and what the record holds."""
    return [tidy(word, 0) for word in reply] if isinstance(reply, list) else reply


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("version", ["redis7", "redis6"])
def test_the_script_and_the_twin_do_the_same(version: str, seed: int, request: pytest.FixtureRequest) -> None:
    real, twin = Server(request.getfixturevalue(version)), Twin()
    rng = random.Random(seed)
    refusals, done = 0, 0
    for id in IDS:
        for ask in (real, twin):
            ask(b"HSET", b"t:" + id, b"count", b"1")
            ask(b"HSET", b"t@schema", b"writer:01ab00", b"", b"writer:02ab00", b"\x1fcity")
    for step in range(250):
        operation = a_transaction(rng, real) if rng.random() < 0.7 else an_operation(rng)
        if operation == (b"EVICT-STRINGS",):
            for key in twin(b"KEYS", b"*"):
                if twin(b"TYPE", key) == b"string":
                    real(b"DEL", key), twin(b"DEL", key)
            continue
        now = int(time.time() * 1000)
        before = keyspace(twin, now)
        expected, found = real(*operation), twin(*operation)
        if operation[1:2] != (TRANSACT.sha,):
            time.sleep(0.004)  # what was given a millisecond is over on both sides
            continue
        assert _tidy(found) == _tidy(expected), f"seed {seed}, step {step}: {operation}"
        if isinstance(found, list) and found[0]:
            refusals += 1
            assert keyspace(twin, now) == before, f"seed {seed}, step {step}: after the refused {operation}"
        elif isinstance(found, list):
            done += 1
            again = real(*operation), twin(*operation)
            if any(word[:1] in (b"s", b"i") and word[1:2] == b" " for word in operation):
                assert _tidy(again[0]) == _tidy(again[1]), f"seed {seed}, step {step}: {operation} again"
        time.sleep(0.003)
        assert keyspace(twin, now) == keyspace(real, now), f"seed {seed}, step {step}: after {operation}"
    assert refusals > 10 and done > 10


@pytest.mark.parametrize("version", ["redis7", "redis6"])
def test_a_full_server_refuses_it_whole(version: str, request: pytest.FixtureRequest) -> None:
    real = Server(request.getfixturevalue(version))
    rng = random.Random(1)
    real(b"HSET", b"t@schema", b"writer:01ab00", b"")
    for id in IDS:
        real(*run(TRANSACT, *_transaction_of(rng, id, b"s")))
    real.client.hset("t:1", "count", 1)
    before = keyspace(real, 0)
    try:
        real.client.config_set("maxmemory", 1)
        for kinds in (b"sd", b"ds", b"di", b"dt", b"dti", b"dsti"):
            keys: list[bytes] = []
            argv: list[Any] = []
            for id, kind in zip([b"7", b"1", b"a:b", b"{x}"], kinds, strict=False):
                own, args = _transaction_of(rng, b"1" if kind == ord("i") else id, bytes([kind]))
                keys += own
                argv += args
            reply = real(*run(TRANSACT, keys, argv))
            assert reply[0] == "error", kinds
            assert keyspace(real, 0) == before, kinds
    finally:
        real.client.config_set("maxmemory", 0)


def _transaction_of(rng: random.Random, id: bytes, kind: bytes) -> tuple[list[bytes], list[Any]]:
    keys = [b"t:" + id, b"t@ids", b"t@log", b"t@expires"]
    args: list[Any] = [id]
    if kind == b"s":
        args = [
            rng.randbytes(5) + b"\x01\xab\x00w-",
            b"60000 4 0 0 0",
            b"id",
            id,
            b"city",
            id,
            b"=city\x1f" + id + b"\x1e",
        ]
        keys.append(b"t@city:" + id)
    elif kind == b"t":
        args = [id, b"50000"]
    elif kind == b"i":
        args = [rng.randbytes(5) + b"\x01\xab\x00", b"count", b"1", b"i", b"", b"", b""]
    return keys, [b"%b %d %d" % (kind, len(keys), len(args)), *args]
