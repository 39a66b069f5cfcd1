"""One store directory, many processes: no record lost, no index wrong, whichever of them owns it and however that ends.

The suite runs a short form; ``REDMODEL_LONG=1`` runs the figures that the project holds itself to.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from redmodel import Database
from redmodel.engine.storage.shared import sharing_of
from tests.contract.models import User, user
from tests.reliability.auditor import drift
from tests.reliability.test_drift import writer
from tests.reliability.writers import HOT

LONG = bool(os.environ.get("REDMODEL_LONG"))
UPDATES = 20_000 if LONG else 2_400
ROUNDS, KILLS = 10 if LONG else 1, 20  # each round in a new directory: taking over takes as long as loading the log


@pytest.mark.timeout(1800 if LONG else 180)
def test_no_drift_after_updates_by_eight_processes_of_one_directory(tmp_path: Path) -> None:
    url = f"embedded://{tmp_path / 'store'}"
    with Database(url) as db:
        db.save_many(user(n, id=id, email=f"{id}@example.org") for n, id in enumerate(HOT))
    writers = [writer("update_async" if n % 2 else "update", url, n, UPDATES // 8) for n in range(8)]
    for process in writers:
        _, errors = process.communicate(timeout=900)
        assert process.returncode == 0, errors.decode()
        assert errors == b""
    with Database(url) as db:
        assert drift(db.client) == []
        assert db.count(User) == len(HOT)


@pytest.mark.parametrize("policy", ["everysec", "always"])
@pytest.mark.parametrize("start_at", range(ROUNDS))
def test_nothing_acknowledged_is_lost_when_owners_are_killed(tmp_path: Path, start_at: int, policy: str) -> None:
    directory = tmp_path / "store"
    url = f"embedded://{directory}?appendfsync={policy}"
    rng = random.Random(start_at)
    running: dict[int, subprocess.Popen[bytes]] = {}
    ended: list[subprocess.Popen[bytes]] = []
    outputs: dict[int, Path] = {}
    seed = start_at * 1000

    def start() -> None:
        nonlocal seed
        seed += 1
        kind = "save_steadily_async" if seed % 2 else "save_steadily"
        outputs[seed] = tmp_path / f"said-{seed}"
        with outputs[seed].open("wb") as out, (tmp_path / f"wrong-{seed}").open("wb") as wrong:
            process = writer(kind, url, seed, 1_000_000, stdout=out, stderr=wrong)
        running[process.pid] = process

    def acknowledged() -> set[str]:
        # The last line of a killed process may be cut off in its middle.
        return {line.decode() for path in outputs.values() for line in path.read_bytes().split(b"\n")[:-1]} - {"ready"}

    def all_ready() -> bool:
        return sum(path.stat().st_size > 0 for path in outputs.values()) == len(running) + len(ended)

    took: list[float] = []
    try:
        for _ in range(4):
            start()
        for _ in range(KILLS):
            count = len(acknowledged())
            deadline = time.monotonic() + 20
            # Those who are still being started could not take over.
            while len(acknowledged()) < count + 5 or not all_ready():
                assert time.monotonic() < deadline, "the writers stand still"
                time.sleep(0.01)
            owner = _owner(directory, running)
            time.sleep(rng.random() * 0.1)
            os.kill(owner, signal.SIGKILL)
            began = time.monotonic()
            killed = running.pop(owner)
            killed.wait()
            ended.append(killed)
            count = len(acknowledged())
            while len(acknowledged()) < count + 1:
                assert time.monotonic() - began < 10, "nobody took over"
                time.sleep(0.005)
            took.append(time.monotonic() - began)
            start()
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    median, slowest = sorted(took)[len(took) // 2], max(took)
    figures = f"takeover in {median:.2f} s, the slowest in {slowest:.2f} s"
    print(f" [{KILLS} owners killed, {len(acknowledged()):,} saves acknowledged, {figures}]", end="")
    assert slowest < 2
    assert {path.read_bytes() for path in tmp_path.glob("wrong-*")} == {b""}
    with Database(url) as db:
        assert drift(db.client) == []
        ids = sorted(acknowledged())
        lost = [id for id, found in zip(ids, db.get_many(User, ids), strict=True) if found is None]
        assert lost == []
        assert len(ids) > KILLS


def _owner(directory: Path, running: dict[int, subprocess.Popen[bytes]]) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = sharing_of(directory)
        if found.socket is not None and found.owner.pid in running:
            return found.owner.pid
        time.sleep(0.005)
    raise AssertionError("nobody owns the store")
