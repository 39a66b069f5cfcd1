"""The append-only log of a store: what the engine hands its effects to, and gets them back from.

May live here: `AppendOnlyLog`, which joins lock, folder, loading and writing. Each of those has its own module.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from redmodel.engine.keyspace import Keyspace
from redmodel.engine.storage.compaction import write_base
from redmodel.engine.storage.dump import dump
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.folder import LogFolder
from redmodel.engine.storage.format import Command, UnitEncoder
from redmodel.engine.storage.loading import load_file
from redmodel.engine.storage.lock import DirectoryLock
from redmodel.engine.storage.manifest import Manifest
from redmodel.engine.storage.writing import LogWriter, Policy
from redmodel.errors import StorageError

logger = logging.getLogger(__name__)

COMPACT_FROM = 64 << 20
COMPACT_RATIO = 2


class AppendOnlyLog:
    """A directory's log of commands, in the files that redis-server 7 writes and reads.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     with AppendOnlyLog(directory) as log:
    ...         _ = list(log.replay())
    ...         log.append([(0, (b"SET", b"k", b"v"))])
    ...     with AppendOnlyLog(directory) as log:
    ...         list(log.replay())
    [(b'SELECT', b'0'), (b'SELECT', b'0'), (b'SET', b'k', b'v')]
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, fsync: Policy = "everysec", files: FileSystem | None = None
    ) -> None:
        """Lock the directory, making it when it is missing, and find the log in it.

        Args:
            directory: where the store lives.
            fsync: when an acknowledged write is on the disk: ``always``, ``everysec`` (a power cut may take the last
                second) or ``no``. The end of the process alone loses nothing under any of them.
            files: the disk; tests put their own here.
        Raises:
            StoreLocked: the directory is open elsewhere.
            StoreDamaged: the manifest is damaged or names files that are missing.
            StorageError: a step failed.
        """
        if fsync not in ("always", "everysec", "no"):
            raise ValueError(f"fsync is 'always', 'everysec' or 'no', not {fsync!r}")
        self.directory = Path(directory).absolute()
        self.fsync: Policy = fsync
        self._files = files or FileSystem()
        self._encoder = UnitEncoder()
        self._writer: LogWriter | None = None
        self._append_lock = threading.Lock()
        try:
            self._files.make_directory(self.directory)
        except OSError as error:
            raise StorageError(f"can't make {self.directory}: {error.strerror}", path=str(self.directory)) from error
        self._lock = DirectoryLock(self.directory, self._files)
        try:
            self._folder = LogFolder(self.directory, self._files)
        except BaseException:
            self._lock.release()
            raise
        self._size = sum(self._folder.size_of.values())
        self._open = True
        _open_logs.add(self)

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
    def compaction_due(self) -> bool:
        """Whether the log is over 64 MB and over twice its base, so that rewriting it is worth the time."""
        base = self._folder.manifest.base
        base_size = self._folder.size_of.get(base.name, 0) if base else 0
        return self._size > COMPACT_FROM and self._size > COMPACT_RATIO * base_size

    def replay(self) -> Iterator[Command]:
        """Yield every command of the log in order, SELECT included; appending is possible once it is used up.

        A torn end is cut off and reported to `logging`.

        Raises:
            StoreDamaged: a file is damaged before its end; nothing is changed then.
            StorageError: a step failed.
        """
        parts = self._folder.manifest.parts
        for part in parts:
            yield (b"SELECT", b"0")  # each file starts there, wherever the one before it ended
            yield from load_file(self._files, self._folder.path_of(part), last=part is parts[-1])
        self._start_writing()

    def append(self, unit: Sequence[tuple[int, Sequence[bytes]]]) -> None:
        """Write one atomic unit of ``(database, command)``; returns when it is as durable as the policy says.

        Raises:
            StorageError: it could not be written, and whether it was is unknown; all further appends are refused.
        """
        if not unit:
            return
        with self._append_lock:
            writer = self._writer
            if writer is None:
                raise StorageError(
                    f"{self.directory} is {'not read to its end yet' if self._open else 'closed'}",
                    path=str(self.directory),
                )
            data = self._encoder.encode(unit)
            writer.write(data)
            self._size += len(data)

    def sync(self) -> None:
        """Wait until everything appended is on the disk, whatever the policy."""
        if self._writer is not None:
            self._writer.sync()

    def compact(self, commands: Iterable[tuple[int, Sequence[bytes]]]) -> None:
        """Replace the log by a base of these commands, which must rebuild the present data.

        Appends wait meanwhile.

        Raises:
            StorageError: a step failed. The old log holds then, unless the failed step was the last one: after that
                appends are refused, and the next opening finds a whole log, old or new.
        """
        with self._append_lock:
            if self._writer is None:
                raise StorageError(f"{self.directory} is closed or not read to its end yet", path=str(self.directory))
            old = self._folder.manifest
            manifest = old.rewritten()
            assert manifest.base is not None
            path = self._folder.path_of(manifest.base)
            increment = self._folder.path_of(manifest.increments[0])
            try:
                size = write_base(self._files, self._folder, path, commands)
                fd = self._folder.create(increment)
                try:
                    self._files.fsync(fd)
                    self._files.fsync_directory(self._folder.path)
                    self._folder.write_manifest(manifest)
                except OSError as error:
                    self._files.close(fd)
                    if self._folder.manifest is manifest:
                        self._writer.refuse("replace the manifest of", error)
                    raise
            except OSError as error:
                raise StorageError(
                    f"can't rewrite the log as {path}: {error.strerror or error}", path=str(path)
                ) from error
            writer, self._writer = self._writer, LogWriter(self._files, fd, increment, self.fsync)
            self._encoder = UnitEncoder()
            self._size = size
            self._folder.size_of = {manifest.base.name: size}
            writer.close()
            self._folder.clean()
            self._rewrite_manifest_without_history()

    def compact_if_due(self, databases: Iterable[Keyspace]) -> bool:
        """Rewrite the log when that is worth the time, and say whether it was done; nothing may change meanwhile.

        A failure that leaves the old log whole is only reported to `logging`.
        """
        if not self.compaction_due:
            return False
        try:
            self.compact(dump(databases))
        except StorageError as error:
            if self.failure is not None:
                raise
            logger.warning("the log is not rewritten: %s", error)
            return False
        return True

    def close(self) -> None:
        """Sync, close and unlock; harmless when closed already.

        Raises:
            StorageError: the last sync failed.
        """
        if not self._open:
            return
        self._open = False
        _open_logs.discard(self)
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            self._writer = None
            self._lock.release()

    def __enter__(self) -> AppendOnlyLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_writing(self) -> None:
        """Open the last increment, making the first one in a new log."""
        if self._writer is not None or not self._open:
            return
        folder, files = self._folder, self._files
        try:
            if folder.manifest.increments:
                path = folder.path_of(folder.manifest.increments[-1])
                fd = files.open_append(path)
            else:
                manifest = folder.manifest.with_increment()
                path = folder.path_of(manifest.increments[-1])
                fd = folder.create(path)
                try:
                    files.fsync(fd)
                    files.fsync_directory(folder.path)
                    folder.write_manifest(manifest)
                    files.fsync_directory(self.directory)
                    files.fsync_directory(self.directory.parent)
                except OSError:
                    files.close(fd)
                    raise
        except OSError as error:
            raise StorageError(
                f"can't open the log in {folder.path} for writing: {error.strerror}", path=str(folder.path)
            ) from error
        self._writer = LogWriter(files, fd, path, self.fsync)
        folder.clean()
        self._rewrite_manifest_without_history()

    def _rewrite_manifest_without_history(self) -> None:
        manifest = self._folder.manifest
        if manifest.history:
            try:
                self._folder.write_manifest(Manifest(manifest.base, manifest.increments))
            except OSError as error:
                if self._writer is not None:
                    self._writer.refuse("replace the manifest of", error)

    def _forget(self) -> None:
        """In a forked child: the store belongs to the parent alone."""
        self._append_lock = threading.Lock()
        self._lock.forget()
        if self._writer is not None:
            self._writer.forget()


_open_logs: weakref.WeakSet[AppendOnlyLog] = weakref.WeakSet()


def _forget_all() -> None:
    for log in list(_open_logs):
        log._forget()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
