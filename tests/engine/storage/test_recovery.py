"""A store whose disk fails: writers are told, readers go on, and once it is mended the store recovers when asked."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from redmodel import Database, Model, StorageError
from redmodel.database.over_engine import EngineExecutor
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.writing import Policy
from redmodel.errors import ReplyError
from tests.engine.storage.test_engine_on_disk import content, run


class Note(Model, prefix="notes-of-recovery"):
    text: str


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


def test_models_meet_a_typed_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database(f"embedded://{tmp_path}?appendfsync=always") as db:
        note = Note(text="kept")
        db.save(note)
        executor: Any = db._executor
        assert isinstance(executor, EngineExecutor)

        def full(self: FileSystem, fd: int, data: bytes | memoryview) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(FileSystem, "write", full)
            for _ in range(2):
                with pytest.raises(StorageError, match="No space left on device"):
                    db.save(Note(text="refused"))
            assert db.get(Note, note.id).text == "kept"
        executor.recover()
        db.save(Note(text="after"))
    with Database(f"embedded://{tmp_path}") as db:
        assert {found.text for found in db.find(Note).all()} >= {"kept", "after"}


def test_nothing_to_recover(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="memory only"):
        Engine().recover()
    engine = Engine(storage=AppendOnlyLog(tmp_path))
    engine.recover()
    assert run(engine, Session(), "SET a 1") == b"OK"
    engine.close()
