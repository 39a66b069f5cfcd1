"""The wall clock jumps, back and forth: what the disk has keeps its promise, and deadlines mean what they say."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from redmodel import Database, Indexed, Model
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.writing import LogWriter, Policy
from redmodel.errors import ReplyError
from tests.engine.storage.disk import PowerCut, SimulatedDisk
from tests.engine.storage.faulty import ShortWrites
from tests.engine.storage.test_engine_on_disk import content, run

CUTS = 3000 if os.environ.get("REDMODEL_LONG") else 200
STORE = Path("/store")
HOUR = 3_600_000


class Clock:
    """Goes on by some milliseconds with each look, and now and then jumps up to an hour in either direction."""

    def __init__(self, rng: random.Random) -> None:
        self.now = 1_700_000_000_000
        self._rng = rng

    def __call__(self) -> int:
        self.now += self._rng.randrange(3)
        if self._rng.random() < 0.05:
            self.now += self._rng.randrange(-HOUR, HOUR)
        return self.now


def line(rng: random.Random, clock: Clock) -> str:
    key = f"k{rng.randrange(8)}"
    soon = rng.choice((1, 20, 5000, HOUR))
    return rng.choice(
        (
            f"SET {key} {rng.randrange(100)} PX {soon}", f"GET {key}", f"APPEND {key} x", f"PEXPIRE {key} {soon}",
            f"PEXPIREAT {key} {clock.now + rng.randrange(-HOUR, HOUR)}", f"PERSIST {key}", f"GETEX {key} PX {soon}",
            f"DEL {key}", f"INCR n{rng.randrange(3)}", f"PTTL {key}", f"RENAME {key} k1",
        )
    )  # fmt: skip


State = dict[tuple[int, bytes], Any]


class Work:
    """An engine under a jumping clock; ``states[i]`` is what it held after its i-th command."""

    def __init__(self, seed: int, policy: Policy) -> None:
        self.rng = random.Random(seed)
        self.clock = Clock(random.Random(seed))
        self.policy: Policy = policy
        self.states: list[State] = [{}]
        self.promised = 0  # what must be there, as an index of ``states``

    def run(self, disk: SimulatedDisk) -> None:
        engine = Engine(storage=AppendOnlyLog(STORE, fsync=self.policy, files=disk), clock=self.clock)
        session = Session()
        log: Any = engine._storage
        for n in range(40):
            if self.policy == "everysec" and n % 10 == 9:
                log._writer.sync_in_background()
                self.promised = len(self.states) - 1
            before = content(engine)
            reply = run(engine, session, line(self.rng, self.clock))
            after = deepcopy(content(engine))
            self.states.append(after)
            # What nobody asked for, as the removal of keys that expired, is written, and not waited for.
            if self.policy == "always" and after != before and not isinstance(reply, ReplyError):
                self.promised = len(self.states) - 1 if log._writer.synced >= log._writer.written else self.promised
            if self.rng.random() < 0.05:
                engine.expire_step()
                self.states.append(deepcopy(content(engine)))
            if self.rng.random() < 0.04:
                engine.close()
                self.promised = len(self.states) - 1
                engine = Engine(storage=AppendOnlyLog(STORE, fsync=self.policy, files=disk), clock=self.clock)
                log = engine._storage
                assert content(engine) == self.states[-1], "what is loaded is what was there, whatever the time"
        engine.close()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_power_cuts_while_the_clock_jumps(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LogWriter, "_wake_syncer", lambda self: None)
    monkeypatch.setattr(logging.getLogger("redmodel.engine.storage.loading"), "disabled", True)
    cuts = seed = 0
    while cuts < CUTS // 2:
        seed += 1
        rng = random.Random(seed)
        whole, undisturbed = SimulatedDisk(), Work(seed, policy)
        undisturbed.run(whole)
        for _ in range(10):
            cuts += 1
            disk, work = SimulatedDisk(cut_at=rng.randint(1, whole.steps)), Work(seed, policy)
            with pytest.raises(PowerCut):
                work.run(disk)
            again = Engine(storage=AppendOnlyLog(STORE, fsync="no", files=disk.after_cut(rng)))
            # The command under way may have been done as well.
            assert content(again) in undisturbed.states[work.promised : len(work.states) + 1], (seed, disk.cut_at)
            again.close()


def test_a_second_is_a_second_whatever_the_wall_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk(ShortWrites):
        unsynced_since = 0.0
        oldest = 0.0

        def write(self, fd: int, data: bytes | memoryview) -> int:
            self.unsynced_since = self.unsynced_since or time.monotonic()
            return os.write(fd, data)

        def fsync(self, fd: int) -> None:
            if self.unsynced_since:
                self.oldest = max(self.oldest, time.monotonic() - self.unsynced_since)
            self.unsynced_since = 0.0

    disk = Disk()
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, fsync="everysec", files=disk)), Session()
    real, offset = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    monkeypatch.setattr(time, "time_ns", lambda: int((real() + offset) * 1e9))
    monkeypatch.setattr("redmodel.engine.engine.time_ns", time.time_ns)
    until = time.monotonic() + 2.6
    while time.monotonic() < until:
        offset = random.choice((-86400.0, 0.0, 86400.0))
        run(engine, session, "SET a 1")
        threading.Event().wait(0.01)
    assert 0.9 < disk.oldest < 1.9, "a second, and what a loaded machine adds"
    engine.close()


def test_a_deadline_is_a_moment_of_the_wall_clock(tmp_path: Path) -> None:
    now = 1_700_000_000_000
    engine = Engine(storage=AppendOnlyLog(tmp_path, fsync="no"), clock=lambda: now)
    session = Session()
    run(engine, session, "SET a 1 PX 1000")
    run(engine, session, "SET b 1 PX 1000")
    now -= HOUR
    assert run(engine, session, "PTTL a") == HOUR + 1000, "as in Redis"
    now += HOUR + 1001
    assert run(engine, session, "GET a") is None
    now -= 2 * HOUR
    assert run(engine, session, "GET a") is None, "what was seen to be gone stays gone"
    assert run(engine, session, "GET b") == b"1"
    engine.close()
    again = Engine(storage=AppendOnlyLog(tmp_path), clock=lambda: now)
    assert run(again, Session(), "GET a") is None
    assert run(again, Session(), "PTTL b") == 2 * HOUR - 1
    now += 3 * HOUR
    assert run(again, Session(), "GET b") is None
    again.close()


class Visit(Model, prefix="visits-of-clock"):
    number: Indexed[int]


def test_queries_agree_with_records_whatever_the_clock_does(tmp_path: Path) -> None:
    now = 1_700_000_000_000
    rng = random.Random(6)
    with Database(f"embedded://{tmp_path}?appendfsync=no") as db:
        executor: Any = db._executor
        executor.holder.engine._context.clock = lambda: now
        for n in range(400):
            now += rng.choice((1, 1, 500, 2000, HOUR, -500, -HOUR))
            db.save(Visit(id=f"{n % 20}", number=n % 7), ttl=rng.choice((0.01, 1, 600, None)))
            now += rng.choice((1, 1, 500, 2000, HOUR, -500, -HOUR))
            there = {id for id in range(20) if db.client.exists(f"visits-of-clock:{id}")}
            assert {int(visit.id) for visit in db.find(Visit)} == there
            assert db.count(Visit) == len(there)
            assert db.count(Visit, Visit.number == n % 7) == len(db.find(Visit, Visit.number == n % 7).all())
