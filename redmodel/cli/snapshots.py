"""``redmodel import`` and ``redmodel export``: a keyspace out of an RDB file, and into one."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from redmodel.cli import settings
from redmodel.cli.faults import CLEAN, Refused
from redmodel.cli.output import Form, Table, emit, note
from redmodel.cli.spelling import size, spell_key, took
from redmodel.cli.tree import progress
from redmodel.database.backend import open_backend
from redmodel.database.database import Database
from redmodel.engine.engine import Engine, now_ms
from redmodel.engine.storage import open_storage
from redmodel.engine.storage.dump import dump_key
from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.rdb import Entry, Report, load_into, payload, read, save_from
from redmodel.engine.storage.rdb.writing import SnapshotWriter
from redmodel.engine.storage.shared import ReadOnlyLog
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.stream import Stream
from redmodel.engine.values.types import TYPE_NAMES
from redmodel.errors import ReplyError, StorageError, StoreLocked

if TYPE_CHECKING:
    from redmodel.database.url import Target

_BATCH = 200  # keys in one round trip
_OLD = 8  # the version of payloads that every Redis from 4.0 on takes, for all values but streams


def load(file: str, url: str | None, directory: str | None, *, write: bool, replace: bool, form: Form) -> int:
    """Tell what an RDB file holds, and with ``write`` load it."""
    url, target = settings.target_of(_place(url, directory))
    _no_memory(target)
    began = time.perf_counter()
    groups = _Groups()
    with progress("read", "bytes") as advance:  # to its end, where the checksum is, before anything is written
        report = read(file, groups.add, now_ms(), progress=advance)
    _tell(report, groups, form)
    for warning in report.warnings:
        note(f"{file}: {warning}")
    where = target.place
    if not write:
        note(f"nothing was written: --write loads these {report.keys:,} keys into {where}")
        return CLEAN
    if target.kind != "embedded" or not _load_alone(target, file, replace=replace):
        with _connection(url) as client:
            _load_into_server(client, file, replace=replace, where=where)
    note(f"loaded {report.keys:,} keys into {where} in {took(time.perf_counter() - began)}")
    return CLEAN


def save(file: str, url: str | None, directory: str | None, *, replace: bool) -> int:
    """Save the keyspace as an RDB file."""
    path = Path(file)
    url, target = settings.existing(_place(url, directory))
    _no_memory(target)
    if path.exists() and not replace:
        raise Refused(f"{path} is there already: --replace writes over it")
    began = time.perf_counter()
    saved = _save_from_store(target, path) if target.kind == "embedded" else None
    if saved is not None:
        keys, written = saved
    else:
        with _connection(url) as client, progress("save", "keys") as advance:
            keys, written = _save_from_server(client, path, advance)
        note("the keys were taken one after the other: what changed meanwhile is there as it was when its turn came")
    note(f"saved {keys:,} keys as {path}, {size(written)}, in {took(time.perf_counter() - began)}")
    return CLEAN


def _place(url: str | None, directory: str | None) -> str | None:
    if directory is None:
        return url
    if url is not None:
        raise Refused("--url and --dir exclude each other")
    return f"embedded://{Path(directory).absolute()}"


def _no_memory(target: Target) -> None:
    if target.kind == "memory":
        raise Refused("memory:// ends with this command: name a store with --dir, or a server with --url")


class _Groups:
    """How many keys of which type there are in which database, and how many of them expire."""

    def __init__(self) -> None:
        self.keys: Counter[tuple[int, str]] = Counter()
        self.timed: Counter[tuple[int, str]] = Counter()

    def add(self, entry: Entry) -> None:
        group = entry.database, TYPE_NAMES[type(entry.value)].decode()
        self.keys[group] += 1
        if entry.deadline is not None:
            self.timed[group] += 1


def _load_alone(target: Target, file: str, *, replace: bool) -> bool:
    """Load a file into a store that nobody has open, all of it or nothing; False if somebody has."""
    try:
        storage = open_storage(target.path, appendfsync=target.appendfsync)
    except StoreLocked as locked:
        note(f"the keys go one after the other through process {locked.pid}, which has the store open")
        return False
    with storage:
        engine = Engine(storage=storage)
        try:
            load_into(engine, file, replace=replace)
        finally:
            engine.close()
    return True


def _save_from_store(target: Target, path: Path) -> tuple[int, int] | None:
    """Save a store as it is at one moment, without a change in it, also while others use it; keys and bytes.

    None if its owner has no whole files to copy, because its disk failed.
    """
    with ExitStack() as stack:
        try:
            storage = ReadOnlyLog(target.path)
        except StoreLocked:
            try:
                beside = TemporaryDirectory(prefix=f".{path.name}.", dir=path.absolute().parent)
            except OSError as error:
                raise StorageError(f"can't write {path}: {error.strerror}", path=str(path)) from error
            place = Path(stack.enter_context(beside)) / "copy"
            try:
                with Database(str(target)) as db:
                    db.backup(place)
            except StorageError as error:
                note(f"no copy of one moment: {error}")
                return None
            storage = ReadOnlyLog(place)
        engine = Engine(storage=storage)
        stack.callback(engine.close)
        with progress("save", "keys") as advance:
            keys = sum(len(database.values) for database in engine.databases)
            return keys, save_from(engine, path, progress=lambda done: advance(done, keys))


@contextmanager
def _connection(url: str) -> Generator[Any]:
    """One connection to a server, on which SELECT holds."""
    backend = open_backend(url, retry_seconds=settings.patience(url), timeout=None)
    try:
        shared: Any = backend.client()
        with shared.client() as client:
            yield client
    finally:
        backend.close()


def _tell(report: Report, groups: _Groups, form: Form) -> None:
    """Show what the file holds: keys of each type in each database."""
    rows = [
        {"database": database, "type": kind, "keys": count, "with_ttl": groups.timed[database, kind]}
        for (database, kind), count in sorted(groups.keys.items())
    ]

    def table() -> Table:
        shown = Table(("database", "type", "keys", "with ttl"), numbers=frozenset({"database", "keys", "with ttl"}))
        for row in rows:
            shown.add(str(row["database"]), str(row["type"]), f"{row['keys']:,}", f"{row['with_ttl']:,}")
        return shown

    document = {
        "version": report.version,
        "bytes": report.size,
        "keys": report.keys,
        "expired": report.expired,
        "checksum": report.checksum,
        "written_by": report.aux.get(b"redis-ver", b"").decode("utf-8", "replace") or None,
        "groups": rows,
        "warnings": report.warnings,
    }
    emit(form, table=table, document=lambda: document, records=lambda: rows)
    checked = "checksum right" if report.checksum else "no checksum"
    note(
        f"RDB version {report.version}, {size(report.size)}, {checked}: {report.keys:,} keys"
        + (f"; {report.expired:,} have expired and are left out" if report.expired else "")
    )


def _databases(client: Any) -> dict[int, int]:
    """How many keys there are in each database that holds any."""
    info: dict[str, Any] = client.info("keyspace")
    return {int(name[2:]): about["keys"] for name, about in info.items() if re.fullmatch(r"db\d+", name)}


def _load_into_server(client: Any, file: str, *, replace: bool, where: str) -> None:
    keys = sum(_databases(client).values())
    if keys and not replace:
        raise Refused(f"{where} holds {keys:,} keys: --replace deletes them first")
    if keys:
        client.flushall()
    batch: list[Entry] = []
    timeless = 0

    def send() -> None:
        nonlocal timeless
        pipe = client.pipeline(transaction=False)
        for entry in batch:
            version = 10 if type(entry.value) is Stream else _OLD
            plain = dict(entry.value) if type(entry.value) is ExpiringHash else entry.value
            pipe.execute_command("SELECT", entry.database)
            pipe.restore(entry.key, entry.deadline or 0, payload.dump(plain, version), absttl=True)
        replies = pipe.execute(raise_on_error=False)[1::2]
        for entry, reply in zip(batch, replies, strict=True):
            if isinstance(reply, Exception):
                raise ReplyError(f"{reply}: at the key {spell_key(entry.key)}; what came before it is loaded")
            if type(entry.value) is ExpiringHash:
                timeless += not _set_field_deadlines(client, entry)
        batch.clear()

    def add(entry: Entry) -> None:
        batch.append(entry)
        if len(batch) == _BATCH:
            send()

    with progress("load", "bytes") as advance:
        read(file, add, now_ms(), progress=advance)
        send()
    if timeless:
        note(f"{where} has no times to live for fields (Redis 7.4 has): {timeless:,} hashes keep all fields")


def _set_field_deadlines(client: Any, entry: Entry) -> bool:
    """Give the fields of a hash that is loaded their deadlines; False where the server knows none."""
    from redis.exceptions import ResponseError

    client.execute_command("SELECT", entry.database)
    for _, command in dump_key(entry.database, entry.key, entry.value, None):
        if command[0] == b"HPEXPIREAT":
            try:
                client.execute_command(*command)
            except ResponseError as error:
                if "unknown command" in str(error):
                    return False
                raise
    return True


def _save_from_server(client: Any, path: Path, advance: Callable[[int, int], None]) -> tuple[int, int]:
    databases = _databases(client)
    exact = int(str(client.info("server")["redis_version"]).split(".")[0]) >= 7
    total = sum(databases.values())
    done = 0
    writer: SnapshotWriter | None = None
    with _Later(path) as later:
        for database in sorted(databases):
            client.execute_command("SELECT", database)
            selected = False
            for names in _names(client):
                for name, data, deadline in _dumped(client, database, names, exact=exact):
                    writer = later.writer(int.from_bytes(data[-10:-8], "little"))
                    if not selected:
                        selected = True
                        writer.select(database, databases[database], 0)
                    writer.add_encoded(name, data[:1], (data[1:-10],), deadline)
                    done += 1
                advance(done, total)
        writer = later.writer(10)
    return done, writer.size


class _Later:
    """A file whose version is known when the first key is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: SnapshotWriter | None = None

    def writer(self, version: int) -> SnapshotWriter:
        if self._writer is None:
            aux = {b"ctime": b"%d" % (now_ms() // 1000)}
            self._writer = SnapshotWriter(FileSystem(), self._path, aux, version=version).__enter__()
        return self._writer

    def __enter__(self) -> _Later:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, trace)


def _names(client: Any) -> Iterator[list[bytes]]:
    """The keys of the selected database, each once."""
    seen: set[bytes] = set()
    cursor: Any = 0
    while True:
        cursor, found = client.scan(cursor, count=_BATCH)
        names = [name for name in dict.fromkeys(found) if name not in seen]
        seen.update(names)
        yield names
        if not int(cursor):
            return


def _dumped(
    client: Any, database: int, names: list[bytes], *, exact: bool
) -> Iterator[tuple[bytes, bytes, int | None]]:
    """Each key's payload and deadline; those that are gone meanwhile are left out. Redis 7 tells deadlines exactly."""
    pipe = client.pipeline(transaction=True)
    pipe.execute_command("SELECT", database)  # a pipeline may have a connection of its own
    pipe.time()
    for name in names:
        pipe.dump(name)
        if exact:
            pipe.pexpiretime(name)
        else:
            pipe.pttl(name)
    _, (seconds, micros), *replies = pipe.execute()
    base = 0 if exact else seconds * 1000 + micros // 1000
    for name, data, until in zip(names, replies[::2], replies[1::2], strict=True):
        if data is not None:
            yield name, data, None if until < 0 else base + until
