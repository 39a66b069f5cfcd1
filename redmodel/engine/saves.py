"""The snapshots that an engine writes to its directory: at once (SAVE) or beside its commands (BGSAVE); their account.

May live here: that account, and the thread that writes while commands go on. What is written at which moment is
`snapshot`'s, the file's format `storage.rdb`'s, which is imported when the first snapshot is taken.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from redmodel.engine.snapshot import Stopped, held, in_slices
from redmodel.errors import ReplyError, StorageError

if TYPE_CHECKING:
    from redmodel.engine.engine import Engine
    from redmodel.engine.storage.files import FileSystem

logger = logging.getLogger("redmodel.server")
_NOTICE = 25


class Saves:
    """The account of one engine's snapshots; what begins or ends one is called under the engine's lock.

    Args:
        directory: where they are put; None where the engine keeps nothing on a disk.
        files: the disk.
        started: unix milliseconds; LASTSAVE says that time until there is a snapshot, as in Redis.
    """

    def __init__(self, directory: Path | None, files: FileSystem | None, started: int) -> None:
        self.directory = directory
        self.files = files
        self.last = started // 1000
        #: The last one beside commands did not succeed.
        self.failed = False
        self.seconds = -1
        self.count = 0
        #: How many keys the last load of a snapshot found, and how many of them had expired.
        self.loaded = self.expired = 0
        #: Commands that changed something since the last snapshot.
        self.changes = 0
        #: One is wanted as soon as nothing else is under way.
        self.scheduled = False
        #: And so is a rewrite of the log.
        self.rewrite_scheduled = False
        self._running: _Background | None = None

    @property
    def running(self) -> bool:
        """Whether one is being written beside commands."""
        return self._running is not None

    def place(self, engine: Engine) -> Path:
        """Where the snapshot stands.

        Raises:
            StorageError: there is no directory.
        """
        if self.directory is None:
            raise StorageError("this engine keeps its data in memory only, and has no directory to save it in")
        return self.directory / engine.settings.text("dbfilename")

    def save(self, engine: Engine) -> None:
        """Write the snapshot, while no command runs.

        Raises:
            StorageError: there is no directory, or a step failed; the older snapshot still stands.
        """
        from redmodel.engine.storage.rdb import save_from

        path = self.place(engine)
        self.stop(engine)
        with engine.exclusively():
            save_from(engine, path, files=self.files)
            self.count += 1
            self._succeeded(engine, self.changes)

    def begin(self, engine: Engine) -> None:
        """Write the snapshot as the data is now, while commands go on; does nothing while that is done already.

        Raises:
            StorageError: there is no directory.
        """
        if self._running is None:
            background = _Background(engine, self.place(engine))
            self.scheduled = False
            self.count += 1
            self._running = background
            background.thread.start()
            logger.log(_NOTICE, "Background saving started")

    def begin_when_due(self, engine: Engine) -> None:
        """Begin what is scheduled, if nothing else is under way."""
        if self._running is not None or engine.rewriting:
            return
        with suppress(StorageError, ReplyError):  # which nobody waits for
            if self.rewrite_scheduled:
                self.rewrite_scheduled = False
                engine.rewrite()
            elif self.scheduled:
                self.begin(engine)

    def stop(self, engine: Engine) -> None:
        """Give up the one that is being written; the older snapshot still stands."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()
            engine.end_snapshot(running.snapshot)

    def join(self) -> None:
        """Return when none is being written; not under the engine's lock."""
        running = self._running
        if running is not None:
            running.thread.join()

    def ended(self, engine: Engine, background: _Background, error: Exception | None) -> None:
        """The thread of a snapshot has done its work, or failed."""
        if self._running is not background:
            return  # it was given up
        self._running = None
        engine.end_snapshot(background.snapshot)
        self.failed = error is not None
        if error is None:
            self._succeeded(engine, background.changes)
            logger.log(_NOTICE, "Background saving terminated with success")
        else:
            logger.warning("Background saving error: %s", error)
        self.seconds = int(monotonic() - background.began)

    def _succeeded(self, engine: Engine, changes: int) -> None:
        self.failed = False
        self.changes -= changes
        self.last = engine.now() // 1000

    def info(self) -> dict[str, object]:
        """What INFO says about snapshots."""
        running = self._running
        return {
            "current_fork_perc": f"{100 * running.done / running.keys:.2f}" if running and running.keys else "0.00",
            "current_save_keys_processed": running.done if running else 0,
            "current_save_keys_total": running.keys if running else 0,
            "rdb_changes_since_last_save": self.changes,
            "rdb_bgsave_in_progress": int(running is not None),
            "rdb_last_save_time": self.last,
            "rdb_last_bgsave_status": "err" if self.failed else "ok",
            "rdb_last_bgsave_time_sec": self.seconds,
            "rdb_current_bgsave_time_sec": int(monotonic() - running.began) if running else -1,
            "rdb_saves": self.count,
            "rdb_last_load_keys_expired": self.expired,
            "rdb_last_load_keys_loaded": self.loaded,
        }


class _Background:
    """One snapshot on its way to the disk; made under the engine's lock."""

    def __init__(self, engine: Engine, path: Path) -> None:
        from redmodel.engine.storage.rdb.library import snapshot_aux
        from redmodel.engine.storage.rdb.writing import version_for

        self._engine = engine
        self._path = path
        self._aux = snapshot_aux(engine)
        self._version = version_for(engine.databases)
        self._functions = engine.functions()
        self._delay = engine.settings.number("rdb-key-save-delay")
        self._stop = threading.Event()
        self.began = monotonic()
        self.changes = engine.saves.changes
        self.keys = sum(len(database.values) for database in engine.databases)
        self.done = 0
        self.snapshot = engine.begin_snapshot()
        self.thread = threading.Thread(target=self._run, name="redmodel-save", daemon=True)

    def stop(self) -> None:
        """Give up; returns when nothing is written any more."""
        self._stop.set()
        self.thread.join()

    def _run(self) -> None:
        engine = self._engine
        error: Exception | None = None
        try:
            self._write()
        except Stopped:
            return
        except Exception as failure:
            error = failure
        try:
            with held(engine.lock, self._stop):
                engine.saves.ended(engine, self, error)
        except Stopped:
            pass

    def _write(self) -> None:
        from redmodel.engine.storage.files import FileSystem
        from redmodel.engine.storage.rdb.writing import SnapshotWriter

        files = self._engine.saves.files or FileSystem()
        with SnapshotWriter(files, self._path, self._aux, version=self._version) as writer:
            writer.add_functions(self._functions)
            for kept in in_slices(self._engine.lock, self.snapshot, self._stop, self._delay):
                writer.add_kept(kept)
                self.done += 1
