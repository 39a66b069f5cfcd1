"""The append-only log of a store: what the engine hands its effects to, and gets them back from.

May live here: `AppendOnlyLog`, which joins lock, folder, loading, writing and rewriting. Each has its own module.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from redmodel.engine.keyspace import Keyspace
from redmodel.engine.storage.compaction import BaseWriter, write_base
from redmodel.engine.storage.dump import dump
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.folder import LogFolder
from redmodel.engine.storage.format import Command, UnitEncoder
from redmodel.engine.storage.increment import Increment, make_increment
from redmodel.engine.storage.loading import LogFile
from redmodel.engine.storage.lock import DirectoryLock
from redmodel.engine.storage.manifest import Part
from redmodel.engine.storage.rewriting import Rewrite
from redmodel.engine.storage.writing import LogWriter, Policy, Told
from redmodel.errors import StorageError

if TYPE_CHECKING:
    from redmodel.engine.storage.seam import Source

logger = logging.getLogger(__name__)

COMPACT_FROM = 64 << 20
COMPACT_RATIO = 2


class AppendOnlyLog:
    """A directory's log of commands, in the files that redis-server 7 writes and reads.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     with AppendOnlyLog(directory) as log:
    ...         _ = list(log.replay())
    ...         _ = log.append([(0, (b"SET", b"k", b"v"))])
    ...     with AppendOnlyLog(directory) as log:
    ...         list(log.replay())
    [(b'SELECT', b'0'), (b'select', b'0'), (b'SET', b'k', b'v')]
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
        self._waits = fsync == "always"
        self._claims_all = fsync == "no"  # nobody knows what is on the disk: damage before the end is always damage
        #: Held by whoever makes files and changes the manifest; never waited for under the engine's lock.
        self.changing_files = threading.RLock()
        self.rewrites = 0
        self.rewrite_error: Exception | None = None
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
            self._folder = LogFolder(self.directory, self._files)
        except BaseException:
            self._lock.release()
            raise
        self._size = sum(self._folder.size_of.values())
        self._rewrite_at = 1 << 62
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
    def base_size(self) -> int:
        """The size of the base; 0 while there is none."""
        base = self._folder.manifest.base
        return self._folder.size_of.get(base.name, 0) if base else 0

    @property
    def compaction_due(self) -> bool:
        """Whether the log is over 64 MB and over twice its base, so that rewriting it is worth the time."""
        return self._size > COMPACT_FROM and self._size > COMPACT_RATIO * self.base_size

    @property
    def rewriting(self) -> bool:
        """Whether the log is being rewritten."""
        return self._rewrite is not None

    def replay(self) -> Iterator[Command]:
        """Yield every command of the log in order, SELECT included; appending is possible once it is used up.

        A torn end is cut off and reported to `logging`.

        Raises:
            StoreDamaged: a file is damaged before its end; nothing is changed then.
            StorageError: a step failed.
        """
        folder = self._folder
        parts = folder.manifest.parts
        held = folder.last_with_content()
        file: LogFile | None = None
        for position, part in enumerate(parts):
            file = LogFile(self._files, folder.path_of(part), part, last=position >= held)
            yield (b"SELECT", b"0")  # each file starts there, wherever the one before it ended
            yield from file.commands()
            file.cut()
            folder.size_of[part.name] = file.size
        self._size = sum(folder.size_of.values())
        self._last_read = file
        self._start_writing()

    def attach(self, source: Source) -> None:
        """Rewrite the log by itself when it is worth it, from what this engine holds."""
        self._source = weakref.ref(source)

    def append(self, unit: Sequence[tuple[int, Sequence[bytes]]]) -> int:
        """Write one atomic unit of ``(database, command)``; returns what to `wait` for, or 0 for nothing.

        Raises:
            StorageError: it could not be written, and whether it was is unknown; all further appends are refused.
        """
        if not unit:
            return 0
        with self._append_lock:
            writer = self._writer
            if writer is None:
                raise self._not_open()
            claim = writer.size if self._claims_all else writer.durable_size
            if claim == self._claimed:
                text = self._encoder.encode(unit) + b"#CRC:,"
            else:
                text = b"%b#CRC:%x," % (self._encoder.encode(unit), claim)
            crc = crc32(text, self._crc)  # as `sealed` does, without a call for each unit
            data = b"%b%08x\r\n" % (text, crc)
            position = writer.write(data)
            self._crc, self._claimed = crc, claim
            self._size += len(data)
        if self._size >= self._rewrite_at:
            self.rewrite()
        return position if self._waits else 0

    def wait(self, position: int) -> None:
        """Return when everything up to a position is on the disk; one fsync serves all who wait.

        Raises:
            StorageError: it failed, and whether it is there will not be known before the next opening.
        """
        writer = self._writer
        if writer is None:
            raise self._not_open()
        writer.wait(position)

    def tell(self, position: int, told: Told) -> None:
        """Call ``told`` with None when everything up to a position is on the disk, or with the error."""
        writer = self._writer
        if writer is None:
            told(self._not_open())
        else:
            writer.tell(position, told)

    def sync(self) -> None:
        """Wait until everything appended is on the disk, whatever the policy."""
        if self._writer is not None:
            self._writer.sync()

    def rewrite(self) -> bool:
        """Rewrite the log in the background; False if that is under way, or nothing was attached to take it from."""
        source = self._source() if self._source is not None else None
        with self._append_lock:
            if source is None or self._rewrite is not None or self.failure is not None or not self._open:
                return False
            self._rewrite_at = 1 << 62
            self._rewrite = Rewrite(self, source)
            self._rewrite.start()
        return True

    def join_rewrite(self) -> None:
        """Return when no rewrite is under way."""
        rewrite = self._rewrite
        if rewrite is not None:
            rewrite.join()

    def pause(self) -> None:
        """Give up a rewrite that is under way; not to be called under the engine's lock."""
        rewrite = self._rewrite
        if rewrite is not None:
            rewrite.stop()

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
                self.install(write_base(self._files, self._folder, part, commands), following.part)
            except OSError as error:
                path = self._folder.path_of(part)
                raise StorageError(
                    f"can't rewrite the log as {path}: {error.strerror or error}", path=str(path)
                ) from error

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

    def recover(self, databases: Iterable[Keyspace]) -> None:
        """After a failure: write these databases anew, under new names, and go on from there; nothing may change.

        Raises:
            StorageError: it still fails, and the log is as it was.
        """
        with self.changing_files, self._append_lock:
            if not self._open or self._writer is None:
                raise self._not_open()
            old = self._writer
            self._make_directory()
            if not self._files.exists(self._lock.path):
                self._lock.release()
                self._lock = DirectoryLock(self.directory, self._files)
            folder = self._folder
            try:
                self._files.make_directory(folder.path)
                base = write_base(self._files, folder, folder.manifest.next_base(), dump(databases))
                following = make_increment(self._files, folder, folder.manifest.next_increment())
                self._files.fsync_directory(self.directory)
            except OSError as error:
                raise StorageError(
                    f"can't recover {self.directory}: {error.strerror or error}", path=str(self.directory)
                ) from error
            old.abandon()
            writer = self._adopt(following, old.written)
            try:
                manifest = replace(folder.manifest, increments=(*folder.manifest.increments, following.part))
                folder.write_manifest(manifest.rewritten(base, following.part))
            except OSError as error:
                raise writer.refuse("replace the manifest of", error) from error
            self._settle(base)

    def close(self) -> None:
        """Sync, close and unlock; harmless when closed already.

        Raises:
            StorageError: the last sync failed.
        """
        if not self._open:
            return
        self.pause()
        self._open = False
        _open_logs.discard(self)
        with self.changing_files, self._append_lock:
            writer, self._writer = self._writer, None
            try:
                if writer is not None:
                    writer.close()
                    self._note_end(writer)
            finally:
                self._lock.release()

    def __enter__(self) -> AppendOnlyLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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

    def begin_base(self) -> BaseWriter:
        """A file for the new base; raises OSError."""
        return BaseWriter(self._files, self._folder, self._folder.manifest.next_base())

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
            self.rewrite_error = error
            if error is None:
                self.rewrites += 1
            else:  # not again with the next append
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
        self._rewrite_at = max(COMPACT_FROM, COMPACT_RATIO * base.floor[0])
        folder.clean()

    def _start_writing(self) -> None:
        """Go on in the last increment if our checksums reach its end, else in a new one."""
        if self._writer is not None or not self._open:
            return
        file = self._last_read
        folder, files = self._folder, self._files
        increments = folder.manifest.increments
        try:
            if increments and file is not None and file.chain is not None and file.path.name == increments[-1].name:
                path = folder.path_of(increments[-1])
                self._adopt(Increment(files, increments[-1], files.open_append(path), file.size, file.chain, path), 0)
            else:
                self._adopt(self.prepare_increment(), 0)
                files.fsync_directory(self.directory)
                with suppress(PermissionError):  # a directory above that may be entered, and not read
                    files.fsync_directory(self.directory.parent)
        except OSError as error:
            self._abandon_writer()
            raise StorageError(
                f"can't open the log in {folder.path} for writing: {error.strerror}", path=str(folder.path)
            ) from error
        self._rewrite_at = max(COMPACT_FROM, COMPACT_RATIO * self.base_size)
        folder.clean()

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

    def _forget(self) -> None:
        """In a forked child: the store belongs to the parent alone."""
        self._append_lock = threading.RLock()
        self.changing_files = threading.RLock()
        self._rewrite = None
        self._lock.forget()
        if self._writer is not None:
            self._writer.forget()


_open_logs: weakref.WeakSet[AppendOnlyLog] = weakref.WeakSet()


def _forget_all() -> None:
    for log in list(_open_logs):
        log._forget()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
