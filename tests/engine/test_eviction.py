"""maxmemory: whom each policy sends away, what is counted, said and logged, and what a full engine still takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.errors import ReplyError
from tests.engine.memory import Clock, MemoryStorage, Shell

KEYS = [b"k%02d" % number for number in range(20)]
VALUE = "x" * 10_000


class Full:
    """An engine with keys of one size: odd ones have a deadline, and each was used at its own time, so often."""

    def __init__(self, policy: str) -> None:
        self.clock = Clock()
        self.storage = MemoryStorage()
        self.engine = Engine(clock=self.clock, storage=self.storage)
        self.run = Shell(self.engine)
        self.heard: list[bytes] = []
        hearer = Session()
        hearer.protocol = 3
        hearer.deliver = lambda message: self.heard.append(message[-1])  # type: ignore[index,union-attr]
        for line in (
            f"CONFIG SET maxmemory-policy {policy}",
            "CONFIG SET maxmemory 100mb",
            "CONFIG SET maxmemory-samples 64",  # all keys are looked at, so what is chosen is no chance
            "CONFIG SET lfu-log-factor 0",
            "CONFIG SET notify-keyspace-events Ee",
        ):
            self.run(line)
        self.engine.execute(hearer, [b"SUBSCRIBE", b"__keyevent@0__:evicted"])
        self.heard.clear()
        for number, key in enumerate(KEYS):
            self.run(f"SET {key.decode()} {VALUE}" + (f" EX {100_000 - 7 * number % 20}" if number % 2 else ""))
        for number in range(20):
            self.clock.now += 5_000
            for _ in range(1 + 3 * number % 20):
                self.run(f"GET {KEYS[number * 7 % 20].decode()}")
        self.filled = self.storage.taken()

    def squeeze(self, size: int = 60_000) -> list[bytes]:
        """Take so many bytes away, run one more command, and say which keys have gone."""
        used = self.engine.memory.used()
        self.run(f"CONFIG SET maxmemory {used - size}")
        self.run("SET new 1")
        return [key for key in KEYS if not self.run(f"EXISTS {key.decode()}")]


def last_used(key: bytes) -> int:
    return [number * 7 % 20 for number in range(20)].index(KEYS.index(key))


def times_used(key: bytes) -> int:
    return 3 * last_used(key) % 20


def deadline(key: bytes) -> int:
    return -(7 * KEYS.index(key) % 20)


def nothing(key: bytes) -> int:
    return 0


POLICIES: dict[str, tuple[bool, Callable[[bytes], int] | None]] = {
    "allkeys-lru": (False, last_used),
    "allkeys-lfu": (False, times_used),
    "allkeys-random": (False, None),
    "volatile-lru": (True, last_used),
    "volatile-lfu": (True, times_used),
    "volatile-random": (True, None),
    "volatile-ttl": (True, deadline),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_whom_a_policy_sends_away(policy: str) -> None:
    volatile, order = POLICIES[policy]
    full = Full(policy)
    gone = full.squeeze()
    assert 5 <= len(gone) <= 7
    able = [key for key in KEYS if not volatile or KEYS.index(key) % 2]
    assert set(gone) <= set(able)
    if order is not None:
        assert set(gone) == set(sorted(able, key=order)[: len(gone)])
    assert b"evicted_keys:%d" % len(gone) in full.run("INFO stats")
    assert sorted(full.heard) == gone
    logged = [effect for unit in full.storage.taken() for effect in unit]
    assert sorted(args[1] for _, args in logged if args[0] == b"DEL") == gone
    assert (0, (b"SET", b"new", b"1")) in [(number, tuple(args)) for number, args in logged]
    assert full.engine.memory.used() <= full.engine.settings.number("maxmemory")


def test_another_order_of_use_sends_others_away() -> None:
    full = Full("allkeys-lru")
    oldest = sorted(KEYS, key=last_used)
    full.clock.now += 5_000
    for key in oldest[:4]:
        full.run(f"GET {key.decode()}")
    gone = full.squeeze(40_000)
    assert set(gone) == set(oldest[4 : 4 + len(gone)])


def test_nobody_is_sent_away_without_a_policy() -> None:
    full = Full("noeviction")
    with pytest.raises(ReplyError, match="OOM command not allowed"):
        full.squeeze()
    assert full.run("DBSIZE") == 20
    assert full.run("GET k00") == VALUE.encode()
    for refused in ("APPEND k00 x", "LPUSH l 1", "EVAL return(redis.call('set','x',1)) 0"):
        with pytest.raises(ReplyError, match="OOM"):
            full.run(refused)
    assert full.run("DEL k00 k01 k02 k03 k04 k05 k06") == 7
    assert full.run("SET new 1") == b"OK"
    assert full.heard == []


@pytest.mark.parametrize("policy", [name for name, (volatile, _) in POLICIES.items() if volatile])
def test_keys_without_deadline_are_safe(policy: str) -> None:
    full = Full(policy)
    with pytest.raises(ReplyError, match="OOM"):
        full.squeeze(150_000)
    assert [KEYS.index(key) % 2 for key in KEYS if full.run(f"EXISTS {key.decode()}")] == [0] * 10


@pytest.mark.parametrize("flush", ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1"])
def test_the_account_survives_keys_that_go_all_at_once(flush: str) -> None:
    full = Full("allkeys-lru")
    before = full.engine.memory.used()
    for _ in range(3):
        full.run(flush)
        full.run("FLUSHDB")
        for key in KEYS:
            full.run(f"SET {key.decode()} {VALUE}")
        full.run("PING")
    full.run("SELECT 1")
    full.run("FLUSHDB")
    full.run("PING")
    assert abs(full.engine.memory.used() - before) < 5_000


def test_less_memory_sends_keys_away_also_without_a_command() -> None:
    full = Full("allkeys-lru")
    full.run(f"CONFIG SET maxmemory {full.engine.memory.used() - 50_000}")
    assert full.run("DBSIZE") < 20 or full.engine.expire_step() == 0
    assert len(full.engine.databases[0].values) < 20


def test_the_log_holds_who_went() -> None:
    full = Full("allkeys-random")
    full.squeeze()
    log = [args for unit in [*full.filled, *full.storage.taken()] for _, args in unit]
    again = Engine(storage=MemoryStorage(log), clock=full.clock)
    assert again.databases[0].values == full.engine.databases[0].values
