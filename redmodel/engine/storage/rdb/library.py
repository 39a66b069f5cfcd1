"""Loading an RDB file into an engine, and saving an engine as one: the calls of the library."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from redmodel.engine.session import Session
from redmodel.engine.storage.files import FileSystem, reading
from redmodel.engine.storage.rdb.preamble import as_commands
from redmodel.engine.storage.rdb.reading import Entry, Report, SnapshotReader
from redmodel.engine.storage.rdb.writing import write_snapshot
from redmodel.engine.version import REDIS_VERSION
from redmodel.errors import ReplyError, StorageError

if TYPE_CHECKING:
    from redmodel.engine.context import Context
    from redmodel.engine.engine import Engine

_STEP = 1024  # keys between two calls of ``progress``
_UNIT = 512  # keys that are handed to the storage as one unit


def load_into(
    engine: Engine,
    path: str | PathLike[str],
    *,
    replace: bool = False,
    files: FileSystem | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Load all keys of an RDB file into an engine, and into its storage where it has one.

    The file is read to its end before anything changes. Keys that have expired meanwhile are left out.

    Args:
        engine: must be empty, unless ``replace`` is given.
        path: the file: of Redis 2.6 to 8.0, or of Valkey up to 8, which are versions 1 to 12 of the format.
        replace: delete what the engine holds first.
        files: the disk; the real one by default.
        progress: told from time to time how many bytes of how many are read.

    Returns:
        What was found in the file besides its keys, and what had no place in the engine.

    Raises:
        StoreDamaged: the file is cut off, or damaged; nothing was changed. ``offset`` says where.
        StorageError: it can't be read, or holds what only a newer Redis or a module reads, or the engine is not empty;
            nothing was changed. Or its storage failed, and refuses writes now.

    >>> import tempfile
    >>> from redmodel.engine.engine import Engine
    >>> from redmodel.engine.session import Session
    >>> first, second, session = Engine(), Engine(), Session()
    >>> first.execute(session, [b"SET", b"k", b"v"])
    b'OK'
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     _ = save_from(first, f"{directory}/dump.rdb")
    ...     load_into(second, f"{directory}/dump.rdb").keys
    1
    """
    path = Path(path)
    if not replace:
        _check_empty(engine)
    with engine.exclusively() as context:
        now = context.now()
    entries: list[Entry] = []
    report = read(path, entries.append, now, files=files, progress=progress)
    highest = max((entry.database for entry in entries), default=0)
    if highest >= len(engine.databases):
        raise StorageError(
            f"{path} holds keys in the database {highest}, and this engine has {len(engine.databases)}", path=str(path)
        )
    try:
        with engine.exclusively() as context:
            if context.refusal is not None:
                raise StorageError(f"this engine takes no writes: {context.refusal}")
            if replace:
                engine.execute(Session(), [b"FLUSHALL"])
                engine.execute(Session(), [b"FUNCTION", b"FLUSH"])
            else:
                _check_empty(engine)
            for source in report.functions:
                _keep(context, source)
            for number, entry in enumerate(entries, 1):
                _put(context, entry)
                if not number % _UNIT:
                    engine.keep()
            engine.keep()
            engine.saves.loaded, engine.saves.expired = report.keys, report.expired
    except ReplyError as error:
        raise StorageError(f"{path} is loaded in part only: {error}") from error
    return report


def read(
    path: str | PathLike[str],
    visit: Callable[[Entry], None],
    now: int | None = None,
    *,
    files: FileSystem | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Read an RDB file to its end, and show each of its keys; returns what else was found in it.

    No more is kept than one key and a piece of the file. Its checksum stands at its end: until then the keys may be
    damaged.

    Args:
        path: the file.
        visit: called with each key in the order of the file.
        now: unix milliseconds; keys that have expired by then are left out. None gives all keys.
        files: the disk; the real one by default.
        progress: told from time to time how many bytes of how many are read.

    Raises:
        StoreDamaged: the file is cut off, or damaged.
        StorageError: it can't be read, or holds what only a newer Redis or a module reads.
    """
    path = Path(path)
    files = files or FileSystem()
    try:
        with reading(files, path) as fd:
            reader = SnapshotReader(files, fd, path)
            report = reader.report
            for entry in reader.entries(now):
                visit(entry)
                if progress is not None and not report.keys % _STEP:
                    progress(reader.offset, report.size)
            return report
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror or error}", path=str(path)) from error


def _check_empty(engine: Engine) -> None:
    keys = sum(len(database.values) for database in engine.databases)
    if keys:
        raise StorageError(f"the target holds {keys} keys: replace them, or load into an empty one")


def _keep(context: Context, source: bytes) -> None:
    context.engine.scripting.libraries.keep(source)
    if context.logging:
        context.effects.append((0, (b"FUNCTION", b"LOAD", b"REPLACE", source)))


def _put(context: Context, entry: Entry) -> None:
    database = context.engine.databases[entry.database]
    database.put(entry.key, entry.value)
    if entry.deadline is not None:
        database.set_deadline(entry.key, entry.deadline)
    if context.heeded:
        context.heed(database, entry.key)
    if context.logging:
        context.effects += as_commands(entry)


def save_from(
    engine: Engine,
    path: str | PathLike[str],
    *,
    files: FileSystem | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Save all keys of an engine as an RDB file that redis-server 7.0 and everything after it load; gives its size.

    Where fields of hashes have deadlines, only 7.4 and later load it.

    No command runs meanwhile. The file stands in its place only when it is whole and on the disk.

    Args:
        engine: what to save.
        path: where; a file that stands there is replaced.
        files: the disk; the real one by default.
        progress: told from time to time how many keys are written.

    Raises:
        StorageError: it could not be written; what stood there before still does.
    """
    with engine.exclusively():
        return write_snapshot(
            files or FileSystem(), Path(path), engine.databases, snapshot_aux(engine), progress, engine.functions()
        )


def snapshot_aux(engine: Engine) -> dict[bytes, bytes]:
    """What a snapshot of an engine says about itself."""
    return {
        b"redis-ver": REDIS_VERSION.encode(),
        b"redis-bits": b"64",
        b"ctime": b"%d" % (engine.now() // 1000),
        b"aof-base": b"0",
    }
