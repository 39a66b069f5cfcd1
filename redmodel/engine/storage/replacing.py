"""What a log stands on: its lock, its files and its writer, and how they are replaced while it is open.

May live here: the state of an open log, and the steps that a rewrite, a recovery and the closing take. What the engine
calls is in `log`, the order of the steps in the background in `rewriting`.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from redmodel.engine.keyspace import Keyspace
from redmodel.engine.storage.compaction import BaseWriter, write_base
from redmodel.engine.storage.dump import dump, dump_functions
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.folder import LogFolder
from redmodel.engine.storage.format import UnitEncoder
from redmodel.engine.storage.increment import Increment, make_increment
from redmodel.engine.storage.loading import LogFile
from redmodel.engine.storage.lock import DirectoryLock
from redmodel.engine.storage.manifest import FILE, FOLDER, Part
from redmodel.engine.storage.rewriting import Rewrite, Rewrites
from redmodel.engine.storage.seam import Policy
from redmodel.engine.storage.writing import LogWriter
from redmodel.errors import StorageError

if TYPE_CHECKING:
    from redmodel.engine.storage.seam import Source

logger = logging.getLogger(__name__)

COMPACT_FROM = 64 << 20
COMPACT_RATIO = 2


class ReplaceableLog:
    """The part of `AppendOnlyLog` that knows which files it writes to."""

    def __init__(
        self,
        directory: str | PathLike[str],
        fsync: Policy,
        files: FileSystem | None,
        folder: str = FOLDER,
        file: str = FILE,
    ) -> None:
        if fsync not in ("always", "everysec", "no"):
            raise ValueError(f"fsync is 'always', 'everysec' or 'no', not {fsync!r}")
        self.directory = Path(directory).absolute()
        self._promise(fsync)
        #: Held by whoever makes files and changes the manifest; never waited for under the engine's lock.
        self.changing_files = threading.RLock()
        self.rewrites = Rewrites()
        self._files = files or FileSystem()
        self._encoder = UnitEncoder()
        self._writer: LogWriter | None = None
        self._last_read: LogFile | None = None
        self._crc = 0
        self._claimed = 0
        self._append_lock = threading.RLock()
        self._source: weakref.ref[Source] | None = None
        self._rewrite: Rewrite | None = None
        self._make_directory()
        self._lock = DirectoryLock(self.directory, self._files)
        try:
            self._folder = LogFolder(self.directory, self._files, folder, file)
        except BaseException:
            self._lock.release()
            raise
        self._size = sum(self._folder.size_of.values())
        self._rewrite_at = 1 << 62
        self._open = True

    def obey(self, fsync: Policy) -> None:
        """Keep another promise from the next append on; what was appended before is on the disk then.

        Raises:
            StorageError: it is not.
        """
        with self._append_lock:
            writer = self._writer
            if writer is None:
                raise self._not_open()
            writer.sync()
            writer.obey(fsync)
            self._promise(fsync)

    def _promise(self, fsync: Policy) -> None:
        self.fsync: Policy = fsync
        self._waits = fsync == "always"
        self._claims_all = fsync == "no"  # nobody knows what is on the disk: damage before the end is always damage

    @property
    def files(self) -> FileSystem:
        """The disk that the log is on."""
        return self._files

    @property
    def failure(self) -> StorageError | None:
        """Why nothing can be appended any more, or None."""
        return self._writer.failure if self._writer else None

    @property
    def size(self) -> int:
        """The log's size in bytes, its base included."""
        return self._size

    @property
    def base_size(self) -> int:
        """The size of the base; 0 while there is none."""
        base = self._folder.manifest.base
        return self._folder.size_of.get(base.name, 0) if base else 0

    @property
    def compaction_due(self) -> bool:
        """Whether the log is over 64 MB and over twice its base, so that rewriting it is worth the time."""
        return self._size > COMPACT_FROM and self._size > COMPACT_RATIO * self.base_size

    def compact(self, commands: Iterable[tuple[int, Sequence[bytes]]]) -> None:
        """Replace the log by a base of these commands, which must rebuild the present data; appends wait meanwhile.

        Raises:
            StorageError: a step failed; the old log holds.
        """
        with self.changing_files, self._append_lock:
            if self._writer is None:
                raise self._not_open()
            part = self._folder.manifest.next_base()
            try:
                following = self.prepare_increment()
                try:
                    self.switch_to(following)
                except BaseException:
                    following.discard()
                    raise
                self.install(write_base(self._files, self._folder, part, following.part, commands), following.part)
            except OSError as error:
                path = self._folder.path_of(part)
                raise StorageError(
                    f"can't rewrite the log as {path}: {error.strerror or error}", path=str(path)
                ) from error

    def functions(self) -> list[bytes]:
        """The sources of the libraries that the engine holds."""
        source = None if self._source is None else self._source()
        return [] if source is None else source.functions()

    def compact_if_due(self, databases: Iterable[Keyspace]) -> bool:
        """Rewrite the log when that is worth the time, and say whether it was done; nothing may change meanwhile.

        A failure that leaves the old log whole is only reported to `logging`.
        """
        if not self.compaction_due:
            return False
        try:
            self.compact(chain(dump_functions(self.functions()), dump(databases)))
        except StorageError as error:
            if self.failure is not None:
                raise
            logger.warning("the log is not rewritten: %s", error)
            return False
        return True

    def recover(self, databases: Iterable[Keyspace]) -> None:
        """After a failure: write these databases anew, under new names, and go on from there; nothing may change.

        Raises:
            StorageError: it still fails, and the log is as it was.
        """
        with self.changing_files, self._append_lock:
            if not self._open or self._writer is None:
                raise self._not_open()
            old = self._writer
            folder = self._folder
            self._make_directory()
            try:
                self._take_place(old)
                self._files.make_directory(folder.path)
                part = folder.manifest.next_increment()
                whole = chain(dump_functions(self.functions()), dump(databases))
                base = write_base(self._files, folder, folder.manifest.next_base(), part, whole)
                self._files.fsync_directory(self.directory)
                following = make_increment(self._files, folder, part)
                try:
                    manifest = replace(folder.manifest, increments=(*folder.manifest.increments, part))
                    folder.write_manifest(manifest.rewritten(base, part))
                except BaseException:
                    following.discard()
                    raise
            except OSError as error:
                raise StorageError(
                    f"can't recover {self.directory}: {error.strerror or error}", path=str(self.directory)
                ) from error
            # Only now: whoever waits for what was refused would be told that it is on the disk.
            old.abandon()
            self._adopt(following, old.written)
            self._settle(base)

    def _take_place(self, old: LogWriter) -> None:
        """Make sure that the directory is this store's own, or free: it may have been removed, and made by others."""
        if self._lock.stands:
            return
        lock = DirectoryLock(self.directory, self._files)
        self._lock.release()
        self._lock = lock
        manifest = self._folder.manifest_path
        if not old.stands and self._files.exists(manifest):
            raise StorageError(
                f"can't recover {self.directory}: its files were replaced by those of another store. Move that store "
                f"away, then recover this one",
                path=str(manifest),
            )

    # The steps of a rewrite; see `rewriting`.

    def prepare_increment(self) -> Increment:
        """Make the file that units will go to, and let the manifest name it after the others; raises OSError."""
        folder = self._folder
        following = make_increment(self._files, folder, folder.manifest.next_increment())
        try:
            folder.write_manifest(replace(folder.manifest, increments=(*folder.manifest.increments, following.part)))
        except BaseException:
            following.discard()
            raise
        return following

    def switch_to(self, following: Increment) -> None:
        """Sync what was appended, and let units go to another file from now on; raises StorageError."""
        with self._append_lock:
            writer = self._writer
            if writer is None:
                raise self._not_open()
            writer.close()
            folder = self._folder
            name = writer.path.name
            folder.floors[name] = (writer.size, self._crc)
            folder.size_of[name] = writer.size
            self._adopt(following, writer.written)

    def begin_base(self, following: Increment) -> BaseWriter:
        """A file for the new base, which an increment goes on from; raises OSError."""
        return BaseWriter(self._files, self._folder, self._folder.manifest.next_base(), following.part)

    def install(self, base: Part, begin: Part) -> None:
        """Let the manifest name the new base and what follows it, and delete the rest; raises OSError."""
        folder = self._folder
        folder.write_manifest(folder.manifest.rewritten(base, begin))
        with self._append_lock:
            self._settle(base)

    def rewritten(self, error: Exception | None) -> None:
        """A rewrite in the background has ended."""
        with self._append_lock:
            self._rewrite = None
            self.rewrites.end(error)
            if error is not None:  # not again with the next append
                self._rewrite_at = self._size + max(COMPACT_FROM // 16, self._size // 8)

    # How a file is taken up and left.

    def _adopt(self, following: Increment, position: int) -> LogWriter:
        writer = self._writer = LogWriter(
            self._files,
            following.fd,
            self._folder.path_of(following.part),
            self.fsync,
            size=following.size,
            position=position,
        )
        self._encoder = UnitEncoder()
        self._crc, self._claimed = following.crc, 0
        return writer

    def _settle(self, base: Part) -> None:
        """A rewrite is done: forget the old files."""
        assert base.floor is not None
        folder = self._folder
        writer = self._writer
        tail = writer.size if writer is not None else 0
        folder.size_of = {base.name: base.floor[0]}
        self._size = base.floor[0] + tail
        self._rewrite_at = self._grown(base.floor[0])
        folder.clean()

    def _grown(self, base_size: int) -> int:
        """From which size on a log with a base of this size is worth a rewrite."""
        return max(COMPACT_FROM, COMPACT_RATIO * base_size)

    def _abandon_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()

    def _note_end(self, writer: LogWriter) -> None:
        """Note in the manifest how far a file reached that was closed well: should it be shorter, it is damaged."""
        folder = self._folder
        end = (writer.size, self._crc)
        known = {part.name: part.floor for part in folder.manifest.increments}
        name = writer.path.name
        if writer.failure is not None or known.get(name, end) == end:
            return
        folder.floors[name] = end
        try:
            folder.write_manifest(folder.manifest)
        except OSError as error:
            logger.warning("the manifest of %s doesn't say that it was closed well: %s", self.directory, error.strerror)

    def _make_directory(self) -> None:
        try:
            self._files.make_directory(self.directory)
        except OSError as error:
            raise StorageError(f"can't make {self.directory}: {error.strerror}", path=str(self.directory)) from error

    def _not_open(self) -> StorageError:
        state = "not read to its end yet" if self._open else "closed"
        return StorageError(f"{self.directory} is {state}", path=str(self.directory))
