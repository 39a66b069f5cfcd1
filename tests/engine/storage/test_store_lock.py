"""One opener at a time: the second is refused at once, by name; a killed owner leaves the lock free."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.errors import StorageError, StoreLocked

HOLD = """
import sys, time
from redmodel.engine.storage.log import AppendOnlyLog
log = AppendOnlyLog(sys.argv[1])
list(log.replay())
print("open", flush=True)
time.sleep(60)
"""


def test_a_second_opener_in_this_process_is_refused(tmp_path: Path) -> None:
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
        with pytest.raises(StoreLocked, match="this process") as caught:
            AppendOnlyLog(tmp_path)
        assert caught.value.pid == os.getpid()
        log.append([(0, (b"SET", b"a", b"1"))])
    AppendOnlyLog(tmp_path).close()


def test_another_process_is_refused_by_pid_within_100_ms_and_comes_in_after_a_kill(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        for _ in range(100):
            began = time.perf_counter()
            with pytest.raises(StoreLocked) as caught:
                AppendOnlyLog(tmp_path)
            assert time.perf_counter() - began < 0.1
            assert caught.value.pid == owner.pid
            assert caught.value.host == socket.gethostname()
            assert str(owner.pid) in str(caught.value)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        AppendOnlyLog(tmp_path).close()
    finally:
        owner.kill()
        owner.wait()
        if owner.stdout is not None:
            owner.stdout.close()


def test_a_forked_child_can_neither_write_nor_keep_the_lock(tmp_path: Path) -> None:
    log = AppendOnlyLog(tmp_path)
    list(log.replay())
    log.append([(0, (b"SET", b"a", b"1"))])
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            log.append([(0, (b"SET", b"child", b"1"))])
        except StorageError as error:
            code = 0 if "fork" in str(error) else 2
        finally:
            log.close()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    sleeper = os.fork()
    if sleeper == 0:  # pragma: no cover
        time.sleep(60)
        os._exit(0)
    try:
        log.append([(0, (b"SET", b"b", b"1"))])
        log.close()
        with AppendOnlyLog(tmp_path) as again:
            assert [args[1] for args in again.replay() if args[0] == b"SET"] == [b"a", b"b"]
    finally:
        os.kill(sleeper, signal.SIGKILL)
        os.waitpid(sleeper, 0)


def test_the_syncing_thread_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    script = (
        "import sys; from redmodel.engine.storage.log import AppendOnlyLog\n"
        "log = AppendOnlyLog(sys.argv[1]); list(log.replay())\n"
        "log.append([(0, (b'SET', b'a', b'1'))])\n"
    )
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=20)
    assert time.monotonic() - began < 10
    with AppendOnlyLog(tmp_path) as log:
        assert (b"SET", b"a", b"1") in list(log.replay())


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    with AppendOnlyLog(tmp_path / "new" / "store") as log:
        list(log.replay())
        log.compact([(0, (b"SET", b"a", b"1"))])
    for path in (tmp_path / "new" / "store").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("name", ["redmodel.lock", "appendonlydir/appendonly.aof.manifest"])
@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_only_plain_files_are_opened(tmp_path: Path, name: str, kind: str) -> None:
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
    path = tmp_path / name
    path.rename(tmp_path / "elsewhere")
    if kind == "symlink":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    began = time.monotonic()
    with pytest.raises(StorageError):
        AppendOnlyLog(tmp_path)
    assert time.monotonic() - began < 1


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("x")
    with pytest.raises(StorageError):
        AppendOnlyLog(tmp_path / "store")


def test_an_unknown_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="everysec"):
        AppendOnlyLog(tmp_path, fsync="sometimes")  # type: ignore[arg-type]
