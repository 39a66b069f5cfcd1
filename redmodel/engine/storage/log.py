"""The append-only log of a store: what the engine hands its effects to, and gets them back from.

May live here: `AppendOnlyLog`, which joins lock, folder, loading, writing and rewriting. Each has its own module.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from zlib import crc32

from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.format import Command
from redmodel.engine.storage.increment import Increment
from redmodel.engine.storage.loading import LogFile
from redmodel.engine.storage.manifest import FILE, FOLDER
from redmodel.engine.storage.replacing import ReplaceableLog
from redmodel.engine.storage.rewriting import Rewrite
from redmodel.engine.storage.seam import Policy, Told
from redmodel.errors import StorageError

if TYPE_CHECKING:
    from redmodel.engine.storage.seam import Source


class AppendOnlyLog(ReplaceableLog):
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
        self,
        directory: str | os.PathLike[str],
        *,
        fsync: Policy = "everysec",
        files: FileSystem | None = None,
        folder: str = FOLDER,
        file: str = FILE,
    ) -> None:
        """Lock the directory, making it when it is missing, and find the log in it.

        Args:
            directory: where the store lives.
            fsync: when an acknowledged write is on the disk: ``always``, ``everysec`` (a power cut may take the last
                second) or ``no``. The end of the process alone loses nothing under any of them.
            files: the disk; tests put their own here.
            folder: the name of the folder that the files are in; appenddirname.
            file: what their names begin with; appendfilename.
        Raises:
            StoreLocked: the directory is open elsewhere.
            StoreDamaged: the manifest is damaged or names files that are missing.
            StorageError: a step failed.
        """
        super().__init__(directory, fsync, files, folder, file)
        _open_logs.add(self)

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
            text = self._encoder.encode(unit, b"#CRC:," if claim == self._claimed else b"#CRC:%x," % claim)
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
            self.rewrites.begin()
            self._rewrite.start()
        return True

    def info(self) -> dict[str, object]:
        """What INFO says about the log: in bytes, seconds, and Redis' own words."""
        writer = self._writer
        return {
            **self.rewrites.info(),
            "aof_last_write_status": "ok" if self.failure is None else "err",
            "aof_current_size": self._size,
            "aof_base_size": self.base_size,
            "aof_pending_rewrite": 0,
            "aof_buffer_length": 0,
            "aof_pending_bio_fsync": int(writer is not None and writer.syncing),
            "aof_delayed_fsync": writer.delayed if writer is not None else 0,
        }

    def join_rewrite(self) -> None:
        """Return when no rewrite is under way."""
        rewrite = self._rewrite
        if rewrite is not None:
            rewrite.join()

    def pause(self) -> None:
        """Give up a rewrite that is under way."""
        rewrite = self._rewrite
        if rewrite is not None:
            rewrite.stop()

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
        self._rewrite_at = self._grown(self.base_size)
        folder.clean()

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
