"""A process killed while it writes loses nothing that it acknowledged."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redmodel.engine.storage.log import AppendOnlyLog

WRITE = """
import os, sys
from redmodel.engine.storage.log import AppendOnlyLog
log = AppendOnlyLog(sys.argv[1], fsync=sys.argv[2])
n = sum(args[0] == b"SET" for args in log.replay())
acknowledged = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
while True:
    log.wait(log.append([(0, (b"SET", b"k%d" % n, b"x" * (n % 300))), (n % 3, (b"INCR", b"n"))]))
    n += 1
    os.write(acknowledged, b"%d\\n" % n)
"""


KILLS = 1000 if os.environ.get("REDMODEL_LONG") else 20


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_killed_again_and_again(tmp_path: Path, policy: str) -> None:
    rng = random.Random(9)
    acknowledged = tmp_path / "acknowledged"
    last = 0
    for kill in range(KILLS):
        if kill % 50 == 49:  # what was found is compared whole each time: don't let it grow without bound
            shutil.rmtree(tmp_path / "store")
            last = 0
        command = [sys.executable, "-c", WRITE, str(tmp_path / "store"), policy, str(acknowledged)]
        writer = subprocess.Popen(command)
        try:
            deadline = time.monotonic() + 20
            while not acknowledged.exists() or not acknowledged.read_bytes().endswith(b"\n"):
                assert time.monotonic() < deadline
                time.sleep(0.005)
            time.sleep(rng.random() * 0.02)
        finally:
            writer.send_signal(signal.SIGKILL)
            assert writer.wait() == -signal.SIGKILL
        lines = acknowledged.read_bytes().split()
        said = max(int(lines[-1]), last)
        with AppendOnlyLog(tmp_path / "store") as log:
            found = [args for args in log.replay() if args[0].upper() != b"SELECT"]
        names = [args[1] for args in found if args[0] == b"SET"]
        assert names == [b"k%d" % n for n in range(len(names))]
        assert len(names) >= said, "an acknowledged write is lost"
        assert len(names) <= said + 1
        assert len(found) == 2 * len(names), "half a unit"
        last = len(names)
        acknowledged.unlink()
