"""A store whose disk fails: writers are told, readers go on, and once it is mended the store recovers when asked."""

from __future__ import annotations

import errno
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.writing import Policy
from redmodel.errors import ReplyError, StorageError
from tests.engine.storage.disk import SimulatedDisk
from tests.engine.storage.faulty import FailingFileSystem
from tests.engine.storage.test_engine_on_disk import content, run


class Disk(FileSystem):
    """Fails every write, or every fsync, with ``code`` while it is set."""

    write_code = 0
    fsync_code = 0

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.write_code:
            raise OSError(self.write_code, os.strerror(self.write_code))
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        if self.fsync_code:
            raise OSError(self.fsync_code, os.strerror(self.fsync_code))
        super().fsync(fd)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("step", ["write_code", "fsync_code"])
def test_read_only_after_a_failure_until_it_is_recovered(tmp_path: Path, code: int, step: str) -> None:
    disk = Disk()
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, fsync="always", files=disk)), Session()
    run(engine, session, "SET a 1")
    setattr(disk, step, code)
    for line in ("SET b 1", "SET c 1"):
        error = run(engine, session, line)
        assert isinstance(error, ReplyError)
        assert error.code == "MISCONF"
        assert os.strerror(code) in error.text
    assert run(engine, session, "GET a") == b"1"
    with pytest.raises(StorageError):
        engine.recover()
    assert isinstance(run(engine, session, "SET c 1"), ReplyError)
    setattr(disk, step, 0)
    assert isinstance(run(engine, session, "SET c 1"), ReplyError), "not before it is asked to"
    engine.recover()
    assert run(engine, session, "SET d 1") == b"OK"
    expected = content(engine)
    engine.close()
    again = Engine(storage=AppendOnlyLog(tmp_path))
    assert content(again) == expected
    assert {key for _, key in expected} >= {b"a", b"d"}
    assert (0, b"c") not in expected
    again.close()


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_a_removed_directory_is_noticed_and_made_again(tmp_path: Path, policy: Policy) -> None:
    log = AppendOnlyLog(tmp_path / "store", fsync=policy)
    engine, session = Engine(storage=log), Session()
    run(engine, session, "SET a 1")
    shutil.rmtree(tmp_path / "store")
    assert run(engine, session, "SET b 1") == b"OK" or policy == "always"
    if policy == "everysec":
        assert log._writer is not None
        log._writer.sync_in_background()
    error = run(engine, session, "SET c 1")
    assert isinstance(error, ReplyError)
    assert "deleted or replaced" in error.text
    engine.recover()
    assert run(engine, session, "SET d 1") == b"OK"
    engine.close()
    again = Engine(storage=AppendOnlyLog(tmp_path / "store"))
    assert {key for _, key in content(again)} >= {b"a", b"d"}
    again.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_recovered_wherever_a_step_fails(code: int) -> None:
    """Whichever step fails, before the recovery or in it: what was acknowledged is there after a power cut."""
    at = 0
    while True:
        at += 1
        platter = SimulatedDisk()
        disk = FailingFileSystem(at, code, short=at % 2 == 0, disk=platter)
        try:
            engine = Engine(storage=AppendOnlyLog(Path("/store"), fsync="always", files=disk))
        except StorageError:
            continue
        session, acknowledged = Session(), set[bytes]()
        for n in range(8):
            name = b"%d" % n
            if isinstance(run(engine, session, f"SET {n} v"), ReplyError):
                with suppress(StorageError):
                    engine.recover()  # this may be the step that fails, too
                continue
            acknowledged.add(name)
            if n == 2:  # the same as after a failure
                engine.failed(StorageError("a failure"))
                with suppress(StorageError):
                    engine.recover()
        for after in (platter.after_cut(random.Random(at)), platter):
            again = Engine(storage=AppendOnlyLog(Path("/store"), fsync="no", files=after))
            assert {key for _, key in content(again)} >= acknowledged, (at, disk.failed)
            again.close()
        assert len(acknowledged) >= 2, disk.failed
        if disk.count < at:
            assert len(acknowledged) == 8
            break
    assert at > 40


@pytest.mark.parametrize("step", ["rename", "fsync_directory"])
def test_a_recovery_that_fails_makes_nothing_durable(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    engine, session = Engine(storage=AppendOnlyLog(tmp_path, fsync="always", files=disk)), Session()
    reply, position = engine.submit(session, [b"SET", b"a", b"1"])
    assert reply == b"OK"
    disk.fsync_code = errno.EIO
    with pytest.raises(ReplyError):
        engine.wait(position)
    disk.fsync_code = 0

    def fail(*args: object) -> None:
        if step != "rename" or "manifest" in str(args[0]):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(disk, step, fail)
    with pytest.raises(StorageError):
        engine.recover()
    with pytest.raises(ReplyError):
        engine.wait(position)
    monkeypatch.undo()
    engine.recover()
    engine.wait(position)
    engine.close()
    again = Engine(storage=AppendOnlyLog(tmp_path))
    assert content(again) == {(0, b"a"): (b"1", None)}
    again.close()


def test_nothing_to_recover(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="memory only"):
        Engine().recover()
    engine = Engine(storage=AppendOnlyLog(tmp_path))
    engine.recover()
    assert run(engine, Session(), "SET a 1") == b"OK"
    engine.close()
