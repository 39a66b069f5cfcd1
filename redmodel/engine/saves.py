"""The snapshots that SAVE and BGSAVE take of an engine that has a directory: when the last one was, and how it ended.

May live here: that account. The file's format is `storage.rdb`'s, imported when the first snapshot is taken.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from redmodel.errors import StorageError

if TYPE_CHECKING:
    from redmodel.engine.engine import Engine
    from redmodel.engine.storage.files import FileSystem


class Saves:
    """The account of one engine's snapshots.

    Args:
        directory: where they are put; None where the engine keeps nothing on a disk.
        files: the disk.
        started: unix milliseconds; LASTSAVE says that time until there is a snapshot, as in Redis.
    """

    def __init__(self, directory: Path | None, files: FileSystem | None, started: int) -> None:
        self.directory = directory
        self.last = started // 1000
        self.failed = False
        self.seconds = -1
        self.count = 0
        #: Commands that changed something since the last snapshot.
        self.changes = 0
        self._files = files

    def save(self, engine: Engine) -> None:
        """Write the snapshot, while no command runs.

        Raises:
            StorageError: there is no directory, or a step failed; the older snapshot still stands.
        """
        if self.directory is None:
            raise StorageError("this engine keeps its data in memory only, and has no directory to save it in")
        from redmodel.engine.storage.rdb import save_from

        began = monotonic()
        changes = self.changes
        self.failed = True
        save_from(engine, self.directory / engine.settings.text("dbfilename"), files=self._files)
        self.failed = False
        self.seconds = int(monotonic() - began)
        with engine.exclusively() as context:
            self.last = context.now() // 1000
        self.count += 1
        self.changes -= changes

    def info(self) -> dict[str, object]:
        """What INFO says about snapshots."""
        return {
            "rdb_changes_since_last_save": self.changes,
            "rdb_bgsave_in_progress": 0,
            "rdb_last_save_time": self.last,
            "rdb_last_bgsave_status": "err" if self.failed else "ok",
            "rdb_last_bgsave_time_sec": self.seconds,
            "rdb_current_bgsave_time_sec": -1,
            "rdb_saves": self.count,
        }
