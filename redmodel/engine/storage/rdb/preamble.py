"""An RDB file as the beginning of a log, as redis-server writes the base of one by default: its keys as commands."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

from redmodel.engine.storage.dump import Effect, dump_key
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.rdb.payload import dump
from redmodel.engine.storage.rdb.reading import Entry, Report, SnapshotReader
from redmodel.engine.values.stream import Stream


def as_commands(entry: Entry) -> Iterable[Effect]:
    """The commands that make one key of a file where there is none."""
    if type(entry.value) is Stream:
        # The commands on streams can't say when entries were given to whom, nor make idle consumers.
        deadline = b"%d" % (entry.deadline or 0)
        return ((entry.database, (b"RESTORE", entry.key, deadline, dump(entry.value), b"ABSTTL")),)
    return dump_key(entry.database, entry.key, entry.value, entry.deadline)


def replay(
    files: FileSystem, fd: int, path: Path, read: bytes
) -> Generator[tuple[bytes, ...], None, tuple[int, bytes, Report]]:
    """Yield the keys of the snapshot that a log file begins with, as commands; SELECT is among them.

    Keys that have expired are given with their deadlines, as what follows in the log may count on them.

    Args:
        files: the disk.
        fd: the log file, open for reading.
        path: its path, for error texts.
        read: what was read of it already, from its start.

    Returns:
        Where the snapshot ends in the file, what was read behind that, and what else was found in it.

    Raises:
        StoreDamaged: the snapshot is cut off or damaged; its checksum is known to be right only at its end.
        StorageError: it is of a newer version, or holds what only a module can read.
        OSError: reading failed.
    """
    reader = SnapshotReader(files, fd, path, read=read, followed=True)
    database = 0
    for entry in reader.entries():
        if entry.database != database:
            database = entry.database
            yield (b"SELECT", b"%d" % database)
        for _, command in as_commands(entry):
            yield command
    if database:
        yield (b"SELECT", b"0")
    for source in reader.report.functions:
        yield (b"FUNCTION", b"LOAD", source)
    return reader.offset, reader.rest, reader.report
