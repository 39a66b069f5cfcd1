"""Writing an RDB file: as a stream, and in the place of an older one only when it is whole on the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from redmodel.engine.keyspace import Keyspace
from redmodel.engine.snapshot import FrozenScores, Kept
from redmodel.engine.storage.files import FileSystem, write_all
from redmodel.engine.storage.rdb import codes
from redmodel.engine.storage.rdb.checksum import crc64
from redmodel.engine.storage.rdb.encoding import encoded
from redmodel.engine.storage.rdb.primitives import length, string
from redmodel.engine.values.types import Value
from redmodel.errors import StorageError

_BUFFER = 1 << 18
_STEP = 1024  # keys between two calls of ``progress``


class SnapshotText:
    """The bytes of one RDB file, handed on in pieces as they come.

    Args:
        write: takes each piece.
        aux: what the file says about itself.
        version: of the format.
    """

    def __init__(
        self, write: Callable[[bytearray], object], aux: Mapping[bytes, bytes], *, version: int = codes.WRITTEN
    ) -> None:
        self._write = write
        self._buffer = bytearray(b"%b%04d" % (codes.MAGIC, version))
        self._checksum = 0
        self._database: int | None = None
        for name, value in aux.items():
            self._buffer += b"%c%b%b" % (codes.AUX, string(name), string(value))

    def add_functions(self, sources: Iterable[bytes]) -> None:
        """Write libraries of functions, which stand before all keys."""
        for source in sources:
            self._buffer += b"%c%b" % (codes.FUNCTION, string(source))

    def select(self, database: int, keys: int, deadlines: int) -> None:
        """Begin a database: what comes next belongs to it. The numbers let a server make room at once."""
        self._database = database
        sizes = (length(keys), length(deadlines))
        self._buffer += b"%c%b%c%b%b" % (codes.SELECT_DATABASE, length(database), codes.RESIZE_DATABASE, *sizes)

    def add(self, key: bytes, value: Value | FrozenScores, deadline: int | None) -> None:
        """Write one key."""
        kind, pieces = encoded(value)
        self.add_encoded(key, bytes((kind,)), pieces, deadline)

    def add_kept(self, kept: Kept) -> None:
        """Write one key of a snapshot, whose keys come in no order of databases."""
        if kept.database != self._database:
            self._database = kept.database
            self._buffer += b"%c%b" % (codes.SELECT_DATABASE, length(kept.database))
        self.add(kept.key, kept.value, kept.deadline)

    def add_encoded(self, key: bytes, kind: bytes, pieces: Iterable[bytes], deadline: int | None) -> None:
        """Write one key whose value is encoded already."""
        buffer = self._buffer
        if deadline is not None:
            buffer += b"%c%b" % (codes.EXPIRE_MS, deadline.to_bytes(8, "little", signed=True))
        buffer += kind
        buffer += string(key)
        for piece in pieces:
            buffer += piece
            if len(buffer) >= _BUFFER:
                self._flush()
                buffer = self._buffer

    def finish(self) -> None:
        """Write the end, with the checksum of all."""
        self._buffer.append(codes.END)
        self._buffer += crc64(self._buffer, self._checksum).to_bytes(8, "little")
        self._flush()

    def _flush(self) -> None:
        buffer, self._buffer = self._buffer, bytearray()
        self._checksum = crc64(buffer, self._checksum)
        self._write(buffer)


class SnapshotWriter(SnapshotText):
    """One RDB file while it is written; use as a context manager, which keeps or discards it.

    Leaving without an exception puts the file in its place: it is synced under another name, renamed, and the directory
    synced. Leaving with one deletes what was written.

    Args:
        files: the disk.
        path: where the file shall stand; what stands there is replaced.
        aux: what the file says about itself.
        version: of the format.

    Raises:
        StorageError: a step on the disk failed; what stood at ``path`` still stands there, unless the last step, the
            sync of the directory, was the one.
    """

    def __init__(
        self, files: FileSystem, path: Path, aux: Mapping[bytes, bytes], *, version: int = codes.WRITTEN
    ) -> None:
        super().__init__(self._to_file, aux, version=version)
        self.size = 0
        self._files = files
        self._path = path
        self._temporary = path.with_name(f"temp-{os.getpid()}-{path.name}")
        self._fd: int | None = None

    def __enter__(self) -> SnapshotWriter:
        try:
            if self._files.exists(self._temporary):
                self._files.remove(self._temporary)
            self._fd = self._files.create(self._temporary)
        except OSError as error:
            raise self._failure(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self._keep()
            elif isinstance(error, OSError):
                raise self._failure(error) from error
        finally:
            self._discard()

    def _to_file(self, piece: bytearray) -> None:
        assert self._fd is not None
        write_all(self._files, self._fd, piece)
        self.size += len(piece)

    def _keep(self) -> None:
        files = self._files
        try:
            self.finish()
            assert self._fd is not None
            files.fsync(self._fd)
            fd, self._fd = self._fd, None
            files.close(fd)
            files.rename(self._temporary, self._path)
            files.fsync_directory(self._path.parent)
        except OSError as error:
            raise self._failure(error) from error

    def _discard(self) -> None:
        with suppress(OSError):
            if self._fd is not None:
                fd, self._fd = self._fd, None
                self._files.close(fd)
            if self._files.exists(self._temporary):
                self._files.remove(self._temporary)

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"can't write {self._path}: {error.strerror or error}", path=str(self._path))


def version_for(databases: Iterable[Keyspace]) -> int:
    """The version of the format that can hold these databases: 10, or 12 where fields of hashes have deadlines."""
    timed = any(database.has_expiring_fields() for database in databases)
    return codes.WRITTEN_WITH_FIELD_DEADLINES if timed else codes.WRITTEN


def write_snapshot(
    files: FileSystem,
    path: Path,
    databases: Iterable[Keyspace],
    aux: Mapping[bytes, bytes],
    progress: Callable[[int], None] | None = None,
    functions: Iterable[bytes] = (),
) -> int:
    """Write functions and all keys of these databases as an RDB file, and give its size; nothing may change meanwhile.

    Raises:
        StorageError: a step failed; what stood at ``path`` is still there.
    """
    done = 0
    databases = list(databases)
    with SnapshotWriter(files, path, aux, version=version_for(databases)) as writer:
        writer.add_functions(functions)
        for database in databases:
            if not database.values:
                continue
            deadlines = database.deadlines
            writer.select(database.number, len(database.values), len(deadlines))
            for key, value in database.values.items():
                writer.add(key, value, deadlines.get(key))
                done += 1
                if progress is not None and not done % _STEP:
                    progress(done)
    return writer.size
