"""Writing at the end of one log file, under one of three promises about when it is on the disk.

May live here: write, fsync and the thread that does it each second. Not what is written.
"""

from __future__ import annotations

import threading
import time
import weakref
from pathlib import Path
from typing import Literal

from redmodel.engine.storage.files import FileSystem, write_all
from redmodel.errors import StorageError

Policy = Literal["always", "everysec", "no"]

_LATE = 2.0  # seconds that a background fsync may take before writers wait for it, as in redis-server


class LogWriter:
    """One file open for appending.

    ``always``: a write returns when its data is on the disk. ``everysec``: a thread syncs once a second while there is
    something to sync. ``no``: the operating system decides. Under each, a write that returned is with the operating
    system, so the end of this process loses nothing.

    After a failed write or fsync the file is never touched again: what the kernel did with the data can't be known.
    """

    def __init__(self, files: FileSystem, fd: int, path: Path, policy: Policy) -> None:
        self.path = path
        self.failure: StorageError | None = None
        self._files = files
        self._fd = fd
        self._always = policy == "always"
        self._each_second = policy == "everysec"
        self._dirty = False
        self._sync_began = 0.0  # 0: no background fsync is running
        self._lock = threading.Lock()
        self._synced = threading.Condition(threading.Lock())
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._finalizer: weakref.finalize[..., LogWriter] | None = None
        self._closed = False

    def write(self, data: bytes) -> None:
        """Append ``data`` whole.

        Raises:
            StorageError: this write failed, or an earlier one did, or the file is closed.
        """
        with self._lock:
            if self.failure is not None or self._closed:
                raise self._refusal()
            try:
                written = self._files.write(self._fd, data)
                if written < len(data):
                    write_all(self._files, self._fd, data, written)
                if self._always:
                    self._files.fsync(self._fd)
            except OSError as error:
                raise self._fail("write to", error) from error
            if self._each_second and not self._dirty:
                self._wake_syncer()
        if self._sync_began and time.monotonic() - self._sync_began > _LATE:
            self._wait_for_syncer()

    def sync(self) -> None:
        """Wait until everything written is on the disk.

        Raises:
            StorageError: it failed, now or before.
        """
        with self._lock:
            if self.failure is not None or self._closed:
                raise self._refusal()
            self._dirty = False
            try:
                self._files.fsync(self._fd)
            except OSError as error:
                raise self._fail("sync", error) from error

    def close(self) -> None:
        """Sync unless the policy is ``no``, and close; raises `StorageError` when the last sync fails."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                if self._dirty and self.failure is None:
                    self._files.fsync(self._fd)
            except OSError as error:
                raise self._fail("sync", error) from error
            finally:
                try:
                    self._files.close(self._fd)
                except OSError as error:
                    if self.failure is None:
                        raise self._fail("close", error) from error

    def forget(self) -> None:
        """In a forked child: let go of the file, which belongs to the parent."""
        # A lock that another thread held at the fork stays held here for ever.
        self._lock = threading.Lock()
        self._wake, self._stop, self._thread = threading.Event(), threading.Event(), None
        if self._finalizer is not None:
            self._finalizer.detach()
        if not self._closed:
            self._closed = True
            self.failure = StorageError(
                f"{self.path} belongs to the process that this one was forked from: open the store after the fork",
                path=str(self.path),
            )
            self._files.close(self._fd)

    def refuse(self, verb: str, error: OSError) -> None:
        """Take no more writes, because something that the file depends on failed."""
        with self._lock:
            self._fail(verb, error)

    def _wake_syncer(self) -> None:
        self._dirty = True
        if self._thread is None:
            self._thread = threading.Thread(
                target=_sync_each_second,
                args=(weakref.ref(self), self._wake, self._stop),
                name="redmodel-everysec",
                daemon=True,
            )
            self._finalizer = weakref.finalize(self, _let_go, self._wake, self._stop)
            self._thread.start()
        self._wake.set()

    def _sync_in_background(self) -> None:
        # Outside the lock: writers go on meanwhile. What they add now is dirty again, and synced next time.
        self._wake.clear()
        self._dirty = False
        if self.failure is not None:
            return
        self._sync_began = time.monotonic()
        try:
            self._files.fsync(self._fd)
        except OSError as error:
            self._fail("sync", error)
        finally:
            with self._synced:
                self._sync_began = 0.0
                self._synced.notify_all()

    def _wait_for_syncer(self) -> None:
        with self._synced:
            while self._sync_began:
                self._synced.wait()
        if self.failure is not None:
            raise self._refusal()

    def _fail(self, verb: str, error: OSError) -> StorageError:
        self.failure = StorageError(
            f"can't {verb} {self.path}: {error.strerror or error}. What was acknowledged before is kept as the fsync "
            f"policy promises; free space or mend the disk, then open the store again",
            path=str(self.path),
        )
        return self.failure

    def _refusal(self) -> StorageError:
        if self.failure is None:
            return StorageError(f"{self.path} is closed: open the store again", path=str(self.path))
        return StorageError(str(self.failure), path=str(self.path))


def _sync_each_second(ref: weakref.ref[LogWriter], wake: threading.Event, stop: threading.Event) -> None:
    # Asked first: a sync clears ``wake``, also when `close` has set it meanwhile.
    while not stop.is_set():
        wake.wait()
        stop.wait(1.0)
        writer = ref()
        if stop.is_set() or writer is None:
            return
        writer._sync_in_background()  # pyright: ignore[reportPrivateUsage]
        del writer


def _let_go(wake: threading.Event, stop: threading.Event) -> None:
    stop.set()
    wake.set()
