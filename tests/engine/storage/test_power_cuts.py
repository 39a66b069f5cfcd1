"""The power goes at any moment: what was promised is there, always a prefix, and never half a transaction."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path

import pytest

from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.writing import LogWriter, Policy
from tests.engine.storage.disk import PowerCut, SimulatedDisk

CUTS = 10_000 if os.environ.get("REDMODEL_LONG") else 500
STORE = Path("/store")
State = dict[bytes, bytes]
Unit = list[tuple[int, tuple[bytes, ...]]]


class Work:
    """A program that writes units, and now and then rewrites its log or opens the store anew."""

    def __init__(self, rng: random.Random, policy: Policy) -> None:
        self.rng = rng
        self.policy: Policy = policy
        self.states: list[State] = [{}]
        self.acknowledged: list[float] = []  # when each unit was
        self.now = 0.0

    def run(self, disk: SimulatedDisk) -> None:
        """Work until the power goes, or twenty-five units are written."""
        while len(self.acknowledged) < 25:
            log = AppendOnlyLog(STORE, fsync=self.policy, files=disk)
            for _ in log.replay():
                pass
            dirty_since: float | None = None
            while len(self.acknowledged) < 25:
                done = len(self.acknowledged)
                if self.rng.random() < 0.05:
                    log.compact([(done % 2, (b"SET", key, value)) for key, value in self.states[-1].items()])
                if self.rng.random() < 0.05:
                    break
                then = self.now + self.rng.random() * 0.4
                if dirty_since is not None and then - dirty_since >= 1.0:
                    self.now = dirty_since + 1.0
                    assert log._writer is not None
                    log._writer.sync_in_background()
                    dirty_since = None
                self.now = then
                unit, state = self.unit(done + 1)
                self.states.append(state)
                log.wait(log.append(unit)) if self.policy == "always" else log.append(unit)
                self.acknowledged.append(self.now)
                if dirty_since is None:
                    dirty_since = self.now
            log.close()

    def unit(self, number: int) -> tuple[Unit, State]:
        """The next unit, and what holds after it."""
        state = dict(self.states[-1])
        unit: Unit = []
        for key in (b"n", *(b"k%d" % self.rng.randrange(9) for _ in range(self.rng.choice((0, 0, 1, 5))))):
            state[key] = b"%d:" % number + self.rng.randbytes(self.rng.choice((0, 3, 40, 700)))
            unit.append((number % 3, (b"SET", key, state[key])))
        return unit, state

    def promised(self) -> int:
        """How many units must be there after a cut now."""
        if self.policy == "always":
            return len(self.acknowledged)
        return sum(when < self.now - 1.000001 for when in self.acknowledged)


def found_in(disk: SimulatedDisk) -> State:
    """What an opening finds."""
    state: State = {}
    with AppendOnlyLog(STORE, files=disk) as log:
        for command in log.replay():
            if command[0] == b"SET":
                state[command[1]] = command[2]
    return state


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is simulated: `Work` does what the syncing thread does."""
    monkeypatch.setattr(LogWriter, "_wake_syncer", lambda self: None)
    monkeypatch.setattr(logging.getLogger("redmodel.engine.storage.loading"), "disabled", True)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_power_cuts(policy: Policy, record_property: pytest.RecordProperty) -> None:
    lost_most = cuts = 0
    seed = 0
    while cuts < CUTS // 2:
        seed += 1
        rng = random.Random(seed)
        whole = SimulatedDisk()
        Work(random.Random(seed), policy).run(whole)
        for _ in range(20):
            cuts += 1
            disk = SimulatedDisk(cut_at=rng.randint(1, whole.steps))
            work = Work(random.Random(seed), policy)
            with pytest.raises(PowerCut):
                work.run(disk)
            promised = work.promised()
            after = disk.after_cut(rng)
            state = found_in(after)
            assert state in work.states, (seed, disk.cut_at, "no prefix, or half a transaction")
            present = work.states.index(state)
            assert present >= promised, (seed, disk.cut_at, promised, present)
            lost_most = max(lost_most, len(work.acknowledged) - present)
            assert found_in(after.after_cut(rng)) == state, "what was found once is kept"
    record_property("cuts", cuts)
    record_property("acknowledged_units_lost_at_most", lost_most)
    assert policy != "always" or lost_most <= 0
