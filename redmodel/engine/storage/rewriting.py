"""Rewriting the log in the background while the engine goes on: the steps, and the thread that takes them.

May live here: the order of steps that leaves a whole log behind wherever it is interrupted. How files are written is
`compaction`'s and `writing`'s business; what is in them, the snapshot's.

1. A new increment is made and the manifest names it after the others; units still go to the one before it.
2. Under the engine's lock, for a moment: what was appended is synced, the snapshot begins, and units go to the new one.
3. The snapshot is written as a base, slice by slice; the lock is held only to take a slice, some milliseconds.
4. The manifest names the new base and the increments since step 1; the old files are deleted.

Interrupted before 4, the old base and all increments are the log; after it, the new ones are.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from redmodel.engine.snapshot import Snapshot, Stopped, held, in_slices
from redmodel.engine.storage.compaction import BaseWriter
from redmodel.engine.storage.dump import dump_functions, dump_key
from redmodel.errors import StorageError

if TYPE_CHECKING:
    from redmodel.engine.storage.log import AppendOnlyLog
    from redmodel.engine.storage.seam import Source

logger = logging.getLogger(__name__)


class Rewrites:
    """The account of a log's rewrites: how many were begun, and how the last one went."""

    def __init__(self) -> None:
        self.begun = 0
        self.failed = 0  # in a row
        self.error: Exception | None = None
        self.seconds = -1
        self._since: float | None = None

    def begin(self) -> None:
        """One begins."""
        self.begun += 1
        self._since = time.monotonic()

    def end(self, error: Exception | None) -> None:
        """It has ended."""
        if self._since is not None:
            self.seconds = int(time.monotonic() - self._since)
        self._since = None
        self.error = error
        self.failed = self.failed + 1 if error is not None else 0

    def info(self) -> dict[str, object]:
        """What INFO says about rewrites."""
        since = self._since
        return {
            "aof_rewrite_in_progress": int(since is not None),
            "aof_last_rewrite_time_sec": self.seconds,
            "aof_current_rewrite_time_sec": -1 if since is None else int(time.monotonic() - since),
            "aof_last_bgrewrite_status": "ok" if self.error is None else "err",
            "aof_rewrites": self.begun,
            "aof_rewrites_consecutive_failures": self.failed,
        }


class Rewrite:
    """One rewrite of a log in a thread of its own."""

    def __init__(self, log: AppendOnlyLog, source: Source) -> None:
        self._log = log
        self._source = source
        self._stop = threading.Event()
        self._given_up = False
        self._snapshot: Snapshot | None = None
        self._thread = threading.Thread(target=self._run, name="redmodel-rewrite", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Give up, and return when no step is under way any more; also to be called under the engine's lock."""
        self._stop.set()
        self.join()
        if self._given_up and self._snapshot is not None:
            with self._source.lock:
                self._source.end_snapshot(self._snapshot)

    def join(self) -> None:
        """Return when it has ended."""
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        before = self._log.size
        try:
            self._rewrite()
        except Stopped as stopped:
            self._given_up = True
            self._log.rewritten(stopped)
            logger.info("the rewrite of %s is given up", self._log.directory)
        except Exception as error:
            self._log.rewritten(error)
            logger.warning("the log is not rewritten: %s", error)
        else:
            self._log.rewritten(None)
            logger.info(
                "rewrote %s in %.1f s: %d bytes became %d",
                self._log.directory,
                time.monotonic() - began,
                before,
                self._log.size,
            )

    def _rewrite(self) -> None:
        """Take all steps.

        Raises:
            StorageError: one failed, and the log goes on as it was.
            Stopped: `stop` was called.
        """
        log, source, stop = self._log, self._source, self._stop
        try:
            with log.changing_files:
                following = log.prepare_increment()
                log.sync()  # nearly everything, so that the sync under the lock is short
                with held(source.lock, stop):
                    try:
                        log.switch_to(following)
                        snapshot = self._snapshot = source.begin_snapshot()
                        functions = source.functions()
                    except BaseException:
                        following.discard()
                        raise
                base: BaseWriter | None = None
                try:
                    base = log.begin_base(following)
                    base.add(dump_functions(functions))
                    for key in in_slices(source.lock, snapshot, stop):
                        base.add(dump_key(*key))
                    log.install(base.finish(), following.part)
                    base = None
                finally:
                    if base is not None:
                        base.give_up()
                    with held(source.lock, stop):  # who stops this ends the snapshot
                        source.end_snapshot(snapshot)
        except OSError as error:
            raise StorageError(
                f"can't rewrite the log in {log.directory}: {error.strerror or error}", path=str(log.directory)
            ) from error
