"""Each step on the disk fails once, or for ever from there on: what was acknowledged is kept, and the error says so."""

from __future__ import annotations

import errno
import random
import threading
import time
from pathlib import Path

import pytest

from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.writing import Policy
from redmodel.errors import StorageError
from tests.engine.storage.disk import SimulatedDisk
from tests.engine.storage.faulty import FailingFileSystem, ShortWrites
from tests.engine.storage.test_torn_and_damaged_logs import read_log

ERRNOS = [
    errno.EIO,
    errno.ENOSPC,
    errno.EROFS,
    errno.EDQUOT,
    errno.EACCES,
    errno.EFBIG,
    errno.EINTR,
    errno.ENOENT,
    errno.EMFILE,
]


def work(directory: Path, disk: FailingFileSystem, policy: Policy) -> tuple[list[bytes], StorageError | None]:
    """Open, write, rewrite, write, close; returns what was acknowledged, and the first error."""
    acknowledged: list[bytes] = []
    first: StorageError | None = None
    try:
        log = AppendOnlyLog(directory, fsync=policy, files=disk)
    except StorageError as error:
        return acknowledged, error
    try:
        list(log.replay())
        for n in range(12):
            if n == 6:
                try:
                    log.compact([(0, (b"SET", name, b"v")) for name in acknowledged])
                except StorageError as error:
                    first = first or error
            name = b"%d" % n
            try:
                log.wait(
                    log.append(
                        [(0, (b"SET", name, b"v")), (1, (b"INCR", b"n"))] if n % 3 == 2 else [(0, (b"SET", name, b"v"))]
                    )
                )
            except StorageError as error:
                first = first or error
                with pytest.raises(StorageError):
                    log.append([(0, (b"SET", b"never", b"v"))])
                assert log.failure is not None
            else:
                acknowledged.append(name)
    except StorageError as error:
        first = first or error
    finally:
        try:
            log.close()
        except StorageError as error:
            first = first or error
    return acknowledged, first


@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize("code", ERRNOS, ids=errno.errorcode.get)
def test_every_step_fails_once_or_for_ever(code: int, for_ever: bool) -> None:
    at = 0
    while True:
        at += 1
        platter = SimulatedDisk()
        disk = FailingFileSystem(at, code, for_ever=for_ever, short=at % 2 == 0, disk=platter)
        acknowledged, error = work(Path("/store"), disk, "always")
        # The power goes too: what was acknowledged is durable, and not only in the memory of the operating system.
        for after in (platter.after_cut(random.Random(at)), platter):
            with AppendOnlyLog(Path("/store"), fsync="no", files=after) as log:
                found = [args[1] for args in log.replay() if args[0] == b"SET"]
            assert found[: len(acknowledged)] == acknowledged, (at, disk.failed)
            # The unit in flight may be there or not; whatever follows it can't be.
            assert len(found) <= len(acknowledged) + 1, (at, disk.failed)
            assert b"never" not in found
        if not disk.failed:
            assert error is None
            assert len(acknowledged) == 12
            if disk.count < at:
                break
        elif error is None:  # a step whose failure costs nothing: tidying up, noting in the manifest where the end is
            assert len(acknowledged) == 12
    assert at > 50


def test_a_failed_fsync_is_never_tried_again(tmp_path: Path) -> None:
    class Disk(ShortWrites):
        syncs = 0
        broken = False

        def fsync(self, fd: int) -> None:
            self.syncs += 1
            if self.broken:
                self.broken = False
                raise OSError(errno.EIO, "Input/output error")

    disk = Disk()
    log = AppendOnlyLog(tmp_path, fsync="always", files=disk)
    list(log.replay())
    log.wait(log.append([(0, (b"SET", b"a", b"1"))]))
    disk.broken = True
    with pytest.raises(StorageError, match="Input/output error") as caught:
        log.wait(log.append([(0, (b"SET", b"b", b"1"))]))
    assert caught.value.path.endswith(".incr.aof")
    syncs = disk.syncs
    for _ in range(3):
        with pytest.raises(StorageError):
            log.append([(0, (b"SET", b"c", b"1"))])
        with pytest.raises(StorageError):
            log.sync()
    log.close()
    assert disk.syncs == syncs
    assert [args[1] for args in read_log(tmp_path)] == [b"a", b"b"]


def test_a_failed_background_fsync_stops_the_writers(tmp_path: Path) -> None:
    class Disk(ShortWrites):
        broken = False

        def fsync(self, fd: int) -> None:
            if self.broken:
                raise OSError(errno.EIO, "Input/output error")

    disk = Disk()
    log = AppendOnlyLog(tmp_path, fsync="everysec", files=disk)
    list(log.replay())
    disk.broken = True
    log.append([(0, (b"SET", b"a", b"1"))])
    deadline = time.monotonic() + 5
    while log.failure is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(StorageError, match="can't sync"):
        log.append([(0, (b"SET", b"b", b"1"))])
    log.close()


def test_short_writes_are_completed(tmp_path: Path) -> None:
    with AppendOnlyLog(tmp_path, files=ShortWrites()) as log:
        list(log.replay())
        log.append([(0, (b"SET", b"a", b"x" * 100))])
        log.compact([(0, (b"SET", b"a", b"x" * 100))])
        log.append([(2, (b"SET", b"b", b"y" * 100))])
    assert read_log(tmp_path) == [(b"SET", b"a", b"x" * 100), (b"SET", b"b", b"y" * 100)]


def test_writers_wait_for_a_background_fsync_that_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk(ShortWrites):
        slow = False
        at_work = threading.Event()
        go_on = threading.Event()

        def fsync(self, fd: int) -> None:
            if self.slow:
                self.at_work.set()
                self.go_on.wait(10)

    monkeypatch.setattr("redmodel.engine.storage.writing._LATE", 0.2)
    disk = Disk()
    log = AppendOnlyLog(tmp_path, fsync="everysec", files=disk)
    list(log.replay())
    disk.slow = True
    log.append([(0, (b"SET", b"a", b"1"))])
    assert disk.at_work.wait(5)
    began = time.monotonic()
    log.append([(0, (b"SET", b"b", b"1"))])
    assert time.monotonic() - began < 0.1, "it is not late yet"
    time.sleep(0.3)
    threading.Timer(0.3, disk.go_on.set).start()
    began = time.monotonic()
    log.append([(0, (b"SET", b"c", b"1"))])
    assert time.monotonic() - began > 0.2
    disk.slow = False
    log.close()


def test_closing_never_waits_for_the_syncing_thread_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "threading.Event.wait",
        lambda self, timeout=None, wait=threading.Event.wait: wait(self, None if timeout is None else timeout / 1000),
    )
    for _ in range(300):
        log = AppendOnlyLog(tmp_path, fsync="everysec", files=ShortWrites())
        list(log.replay())
        log.append([(0, (b"SET", b"a", b"1"))])
        log.append([(0, (b"SET", b"a", b"1"))])
        log.close()
