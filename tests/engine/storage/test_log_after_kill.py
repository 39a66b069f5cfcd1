"""A process killed while it writes loses nothing that it acknowledged."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.writing import Policy


def write_for_ever(store: Path, policy: Policy, acknowledged: Path) -> None:
    """Write units one after the other, and note each as soon as it is acknowledged."""
    log = AppendOnlyLog(store, fsync=policy)
    n = sum(args[0] == b"SET" for args in log.replay())
    fd = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        log.wait(log.append([(0, (b"SET", b"k%d" % n, b"x" * (n % 300))), (n % 3, (b"INCR", b"n"))]))
        n += 1
        os.write(fd, b"%d\n" % n)


KILLS = 1000 if os.environ.get("REDMODEL_LONG") else 20


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_killed_again_and_again(tmp_path: Path, policy: Policy) -> None:
    rng = random.Random(9)
    acknowledged = tmp_path / "acknowledged"
    last = 0
    for kill in range(KILLS):
        if kill % 10 == 9:  # what was found is compared whole each time: don't let it grow without bound
            shutil.rmtree(tmp_path / "store")
            last = 0
        writer = os.fork()  # and not a new interpreter: to start one takes longer than all the rest
        if not writer:
            try:
                write_for_ever(tmp_path / "store", policy, acknowledged)
            finally:
                os._exit(1)
        try:
            deadline = time.monotonic() + 20
            while not acknowledged.exists() or not acknowledged.read_bytes().endswith(b"\n"):
                assert time.monotonic() < deadline
                time.sleep(0.001)
            time.sleep(rng.random() * 0.02)
        finally:
            os.kill(writer, signal.SIGKILL)
            _, status = os.waitpid(writer, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        lines = acknowledged.read_bytes().rpartition(b"\n")[0].split()  # the kill may have torn the last one
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
