"""Indexes never lie: many processes on a few records, and processes killed in the middle of their work.

The suite runs a short form; ``REDMODEL_LONG=1`` runs the figures that the project holds itself to.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import redis

from redmodel import Database
from tests.contract.models import User, user
from tests.reliability.auditor import drift
from tests.reliability.writers import HOT
from tests.servers import RealServer

LONG = bool(os.environ.get("REDMODEL_LONG"))
UPDATES = 100_000 if LONG else 6_000
KILLS = 100 if LONG else 12
ROOT = Path(__file__).parents[2]


def writer(
    kind: str, url: str, seed: int, times: int, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.reliability.writers", kind, url, str(seed), str(times)],
        stdout=stdout,
        stderr=stderr,
        cwd=ROOT,
    )


def test_no_drift_after_updates_by_eight_processes_on_four_records(redis7: RealServer) -> None:
    redis7.flush()
    with Database(redis7.unix_url) as db:
        db.save_many(user(n, id=id, email=f"{id}@example.org") for n, id in enumerate(HOT))
    writers = [writer("update_async" if n % 2 else "update", redis7.unix_url, n, UPDATES // 8) for n in range(8)]
    for process in writers:
        _, errors = process.communicate(timeout=900)
        assert process.returncode == 0, errors.decode()
    with redis.Redis(unix_socket_path=redis7.socket_path) as client:
        assert drift(client) == []


def test_no_damage_when_writers_are_killed(redis7: RealServer) -> None:
    redis7.flush()
    rng = random.Random(5)
    acknowledged: set[str] = set()
    for seed in range(KILLS):
        process = writer("save_for_ever", redis7.unix_url, seed, 1_000_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.25)
        process.kill()
        said, _ = process.communicate()
        # The last line may be cut off in its middle.
        acknowledged |= {line.decode() for line in said.split(b"\n")[:-1]}
    with redis.Redis(unix_socket_path=redis7.socket_path) as client:
        assert drift(client) == []
    with Database(redis7.unix_url) as db:
        lost = [id for id, found in zip(acknowledged, db.get_many(User, acknowledged), strict=True) if found is None]
        assert lost == []
        assert db.count(User) >= len(acknowledged) > 0
