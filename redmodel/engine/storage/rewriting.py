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

from redmodel.engine.storage.compaction import BaseWriter
from redmodel.engine.storage.dump import dump_key
from redmodel.errors import StorageError

if TYPE_CHECKING:
    from redmodel.engine.storage.log import AppendOnlyLog
    from redmodel.engine.storage.seam import Source

logger = logging.getLogger(__name__)

SLICE = 0.001  # seconds that the engine waits for us at a time
_PIECE = 64  # keys between two offers to let others run


class Stopped(Exception):
    """The log is being closed: the rewrite is given up."""


class Rewrite:
    """One rewrite of a log in a thread of its own."""

    def __init__(self, log: AppendOnlyLog, source: Source) -> None:
        self._log = log
        self._source = source
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redmodel-rewrite", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Give up, and return when no step is under way any more."""
        self._stop.set()
        self.join()

    def join(self) -> None:
        """Return when it has ended."""
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        before = self._log.size
        try:
            rewrite(self._log, self._source, self._stop)
        except Stopped:
            logger.info("the rewrite of %s is given up, because the log is closed", self._log.directory)
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


def rewrite(log: AppendOnlyLog, source: Source, stop: threading.Event) -> None:
    """Take all steps.

    Raises:
        StorageError: one failed, and the log goes on as it was.
        Stopped: somebody set ``stop``.
    """
    try:
        with log.changing_files:
            following = log.prepare_increment()
            log.sync()  # nearly everything, so that the sync under the lock is short
            with source.lock:
                try:
                    log.switch_to(following)
                    snapshot = source.begin_snapshot()
                except BaseException:
                    following.discard()
                    raise
            base: BaseWriter | None = None
            try:
                base = log.begin_base()
                while True:
                    with source.lock:
                        kept = snapshot.take(SLICE)
                    if not kept:
                        break
                    for at in range(0, len(kept), _PIECE):
                        if stop.is_set():
                            raise Stopped
                        for key in kept[at : at + _PIECE]:
                            base.add(dump_key(*key))
                        time.sleep(0)  # the interpreter's lock
                    time.sleep(SLICE)  # the engine's
                log.install(base.finish(), following.part)
                base = None
            finally:
                if base is not None:
                    base.give_up()
                with source.lock:
                    source.end_snapshot()
    except OSError as error:
        raise StorageError(
            f"can't rewrite the log in {log.directory}: {error.strerror or error}", path=str(log.directory)
        ) from error
