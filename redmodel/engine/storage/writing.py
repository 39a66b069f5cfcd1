"""Writing at the end of one log file, under one of three promises about when it is on the disk.

May live here: write, fsync, who waits for it, and the thread that does it for those who can't. Not what is written.

Positions count the bytes appended to a log since it was opened, over all its files; they are what `wait` waits for.
"""

from __future__ import annotations

import threading
import time
import weakref
from pathlib import Path

from redmodel.engine.storage.files import FileSystem, write_all
from redmodel.engine.storage.seam import Policy, Told
from redmodel.errors import StorageError

_LATE = 2.0  # seconds that a background fsync may take before writers wait for it, as in redis-server


class LogWriter:
    """One file open for appending.

    Under each policy a write that returned is with the operating system, so the end of this process loses nothing.
    ``always``: `wait` returns when it is on the disk; one fsync serves everybody who waits. ``everysec``: a thread
    syncs once a second while there is something to sync. ``no``: the operating system decides.

    After a failed write or fsync the file is never touched again: what the kernel did with the data can't be known.
    """

    def __init__(
        self, files: FileSystem, fd: int, path: Path, policy: Policy, *, size: int = 0, position: int = 0
    ) -> None:
        """Take over a file that is open for appending.

        Args:
            files: the disk.
            fd: the handle, closed by `close`.
            path: the file's path, for messages and to see that it still stands there.
            policy: when a write is on the disk.
            size: the file's size.
            position: how much was appended to the log before.
        """
        self.path = path
        self.failure: StorageError | None = None
        self.written = position
        self.synced = position
        self._files = files
        self._fd = fd
        self._policy: Policy = policy
        self._begin = position - size  # a position minus this is an offset in the file
        #: How much of the file is known to be on the disk; 0 before the first sync of this process.
        self.durable_size = 0
        self._syncing_since = 0.0  # 0: nobody syncs now
        #: How often a write waited for an fsync in the background that was late.
        self.delayed = 0
        self._change = threading.Condition(threading.Lock())
        self._told: list[tuple[int, Told]] = []
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._finalizer: weakref.finalize[..., LogWriter] | None = None
        self._closed = False

    def obey(self, policy: Policy) -> None:
        """Keep another promise from the next write on."""
        self._policy = policy

    @property
    def delay(self) -> float:
        """How many seconds a write may wait for its fsync in the background."""
        return 1.0 if self._policy == "everysec" else 0.0

    @property
    def syncing(self) -> bool:
        """Whether an fsync is under way."""
        return self._syncing_since > 0

    @property
    def stands(self) -> bool:
        """Whether the file is still what its path leads to."""
        return not self._closed and self._files.stands(self._fd, self.path)

    @property
    def size(self) -> int:
        """The file's size, once everything written has arrived."""
        return self.written - self._begin

    def write(self, data: bytes) -> int:
        """Append ``data`` whole; one caller at a time. Returns the position behind it.

        Raises:
            StorageError: this write failed, or an earlier one did, or the file is closed.
        """
        if self.failure is not None or self._closed:
            raise self._refusal()
        try:
            written = self._files.write(self._fd, data)
            if written < len(data):
                write_all(self._files, self._fd, data, written)
        except OSError as error:
            raise self._fail("write to", error) from error
        self.written += len(data)
        if self._policy == "everysec":
            if not self._wake.is_set():
                self._wake_syncer()
            since = self._syncing_since
            if since and time.monotonic() - since > _LATE:
                self._wait_for_syncer()
        return self.written

    def wait(self, position: int) -> None:
        """Return when everything up to a position is on the disk; the first who waits syncs for all.

        Raises:
            StorageError: it will never be known to be.
        """
        while self.synced < position:
            with self._change:
                while self._syncing_since and self.synced < position and self.failure is None:
                    self._change.wait()
                if self.synced >= position:
                    return
                if self.failure is not None or self._closed:
                    raise self._refusal()
                self._syncing_since = time.monotonic()
            self._sync_now()

    def tell(self, position: int, told: Told) -> None:
        """Call ``told`` when everything up to a position is on the disk, or with the error why it is not.

        It is called from another thread, or at once, and must not wait.
        """
        with self._change:
            if self.synced < position and self.failure is None and not self._closed:
                self._told.append((position, told))
                self._wake_syncer()
                return
            failure = None if self.synced >= position else self._refusal()
        told(failure)

    def sync(self) -> None:
        """Wait until everything written is on the disk.

        Raises:
            StorageError: it failed, now or before.
        """
        if self.failure is not None or self._closed:
            raise self._refusal()
        if self.durable_size:
            self.wait(self.written)
            return
        with self._change:
            while self._syncing_since:
                self._change.wait()
            self._syncing_since = time.monotonic()
        self._sync_now()
        if self.failure is not None:
            raise self._refusal()

    def sync_in_background(self) -> None:
        """What the thread does when it is woken: sync, and tell those who asked."""
        self._wake.clear()
        with self._change:
            while self._syncing_since:
                self._change.wait()
            if self.failure is not None or self._closed or self.synced >= self.written:
                return
            self._syncing_since = time.monotonic()
        self._sync_now()

    def close(self) -> None:
        """Sync and close; raises `StorageError` when the last sync fails."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if self._closed:
            return
        try:
            if self.failure is None and self.synced < self.written:
                self.sync()
        finally:
            self._closed = True
            try:
                self._files.close(self._fd)
            except OSError as error:
                if self.failure is None:
                    raise self._fail("close", error) from error

    def abandon(self) -> None:
        """Close a file that failed, without another word to the disk about its data."""
        self._stop.set()
        self._wake.set()
        if not self._closed:
            self._closed = True
            try:
                self._files.close(self._fd)
            except OSError:
                pass  # it failed before

    def forget(self) -> None:
        """In a forked child: let go of the file, which belongs to the parent."""
        # A lock that another thread held at the fork stays held here for ever.
        self._change = threading.Condition(threading.Lock())
        self._wake, self._stop, self._thread = threading.Event(), threading.Event(), None
        self._told, self._syncing_since = [], 0.0
        if self._finalizer is not None:
            self._finalizer.detach()
        if not self._closed:
            self._closed = True
            self.failure = StorageError(
                f"{self.path} belongs to the process that this one was forked from: open the store after the fork",
                path=str(self.path),
            )
            self._files.close(self._fd)

    def _sync_now(self) -> None:
        """One fsync for everything written; whoever calls this has set ``_syncing_since``."""
        target = self.written
        failure: tuple[str, OSError] | None = None
        try:
            self._files.fsync(self._fd)
            if not self.stands:
                failure = "find", OSError(2, "it was deleted or replaced while it was in use")
        except OSError as error:
            failure = "sync", error
        finally:
            with self._change:
                self._syncing_since = 0.0
                if failure is not None:
                    self._fail(*failure)
                elif self.failure is None:
                    self.synced = max(self.synced, target)
                    self.durable_size = self.synced - self._begin
                self._change.notify_all()
            if self._told:
                self._tell_all()

    def _tell_all(self) -> None:
        with self._change:
            failure = self.failure
            due = [told for position, told in self._told if failure is not None or position <= self.synced]
            self._told = [] if failure is not None else [entry for entry in self._told if entry[0] > self.synced]
            if self._told:
                self._wake.set()
        for told in due:
            told(None if failure is None else self._refusal())

    def _wake_syncer(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=_sync_when_woken,
                args=(weakref.ref(self), self._wake, self._stop),
                name="redmodel-fsync",
                daemon=True,
            )
            self._finalizer = weakref.finalize(self, _let_go, self._wake, self._stop)
            self._thread.start()
        self._wake.set()

    def _wait_for_syncer(self) -> None:
        self.delayed += 1
        with self._change:
            while self._syncing_since:
                self._change.wait()
        if self.failure is not None:
            raise self._refusal()

    def _fail(self, verb: str, error: OSError) -> StorageError:
        if self.failure is None:
            self.failure = StorageError(
                f"can't {verb} {self.path}: {error.strerror or error}. What was acknowledged before is kept as the "
                f"fsync policy promises; free space or mend the disk, then recover the store or open it again",
                path=str(self.path),
            )
        return self.failure

    def _refusal(self) -> StorageError:
        if self.failure is None:
            return StorageError(f"{self.path} is closed: open the store again", path=str(self.path))
        return StorageError(str(self.failure), path=str(self.path))


def _sync_when_woken(ref: weakref.ref[LogWriter], wake: threading.Event, stop: threading.Event) -> None:
    # Asked first: a sync clears ``wake``, also when `close` has set it meanwhile.
    while not stop.is_set():
        wake.wait()
        writer = ref()
        delay = writer.delay if writer is not None else 0.0
        del writer
        if delay:
            stop.wait(delay)
        writer = ref()
        if stop.is_set() or writer is None:
            return
        writer.sync_in_background()
        del writer


def _let_go(wake: threading.Event, stop: threading.Event) -> None:
    stop.set()
    wake.set()
