"""Reading an RDB file from its start to its checksum: the opcodes, and what is said about a damaged file.

Values are `decoding`'s business. Nothing here changes an engine: whoever reads decides what to do with the keys, and
must not trust them before the last one was given, as the checksum stands at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.rdb import codes
from redmodel.engine.storage.rdb.checksum import crc64
from redmodel.engine.storage.rdb.decoding import DECODERS, skip_module
from redmodel.engine.storage.rdb.primitives import BadData, NeedMore, read_length, read_string
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.types import Value
from redmodel.errors import StorageError, StoreDamaged

_CHUNK = 1 << 18
_HEADER = len(codes.MAGIC) + 4


class Entry(NamedTuple):
    """One key of a file: the number of its database, its value, and its deadline in unix milliseconds, if any."""

    database: int
    key: bytes
    value: Value
    deadline: int | None


@dataclass
class Report:
    """What was found in a file besides its keys; complete once the last key was given."""

    path: str
    version: int = 0
    size: int = 0
    keys: int = 0
    expired: int = 0
    """Keys and fields that were gone already, and were left out."""
    checksum: bool = False
    """Whether the file has a checksum; it is right then."""
    aux: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    functions: list[bytes] = field(default_factory=list[bytes])
    warnings: list[str] = field(default_factory=list[str])
    empty: list[bytes] = field(default_factory=list[bytes])
    """Keys of collections that hold nothing, which were left out as Redis does."""

    def warn(self, text: str) -> None:
        """Note what the file holds and the engine has no place for; each text once."""
        if text not in self.warnings:
            self.warnings.append(text)


class SnapshotReader:
    """Gives the keys of one RDB file, read piece by piece.

    ``rest`` holds the bytes read behind its end once `entries` is used up, and ``offset`` is where they begin.

    Args:
        files: the disk.
        fd: the file, open for reading.
        path: its path, for error texts.
        read: what was read of it already.
        followed: something else may follow the snapshot in the same file.
    """

    def __init__(self, files: FileSystem, fd: int, path: Path, *, read: bytes = b"", followed: bool = False) -> None:
        self.report = Report(str(path))
        self._files = files
        self._fd = fd
        self._path = path
        self._followed = followed
        self._buffer = read
        self._base = 0  # where the buffer begins in the file
        self._size = files.size(fd)
        self._checksum = 0  # of all that stands before the buffer
        self.report.size = self._size

    @property
    def offset(self) -> int:
        """Where in the file the buffer begins; it moves on while the file is read."""
        return self._base

    @property
    def rest(self) -> bytes:
        """What was read behind the end of the snapshot."""
        return self._buffer

    def entries(self, now: int | None = None) -> Iterator[Entry]:
        """Yield every key in the order of the file.

        Args:
            now: unix milliseconds; keys and fields whose deadline is before it are left out. None gives all keys.

        Raises:
            StoreDamaged: the file is cut off, or is not what any Redis writes, or its checksum is wrong.
            StorageError: it is of a newer version, or holds what only a module can read.
            OSError: reading failed.
        """
        report = self.report
        position = self._header()
        database = 0
        deadline: int | None = None
        while True:
            buffer = self._buffer
            if position >= _CHUNK or position >= len(buffer):
                position = self._more(position, position + 1)
                buffer = self._buffer
            kind = buffer[position]
            try:
                if kind < codes.FIRST_OPCODE:
                    decode = DECODERS.get(kind)
                    if decode is None:
                        raise self._unknown(position, kind)
                    key, after = read_string(buffer, position + 1)
                    value, after = decode(buffer, after)
                    if type(value) is ExpiringHash and now is not None:
                        report.expired += len(value.take_due(now))
                    position = after
                    if now is not None and deadline is not None and deadline < now:
                        report.expired += 1
                    elif type(value) is bytes or value:
                        report.keys += 1
                        yield Entry(database, key, value, deadline)
                    else:
                        report.warn("left out keys of empty collections, as Redis does")
                        report.empty.append(key)
                    deadline = None
                elif kind == codes.EXPIRE_MS or kind == codes.EXPIRE_SECONDS:
                    unit, width = (1, 8) if kind == codes.EXPIRE_MS else (1000, 4)
                    after = position + 1 + width
                    if after > len(buffer):
                        raise NeedMore(after)
                    deadline = unit * int.from_bytes(buffer[position + 1 : after], "little", signed=True)
                    position = after
                elif kind == codes.SELECT_DATABASE:
                    database, position = read_length(buffer, position + 1)
                elif kind == codes.END:
                    self._end(position + 1)
                    return
                else:
                    position = self._aside(kind, position)
            except NeedMore as need:
                position = self._more(position, need.end)
            except IndexError:
                position = self._more(position, len(buffer) + 1)
            except BadData as bad:
                raise self._damaged(bad.position, bad.reason) from None

    def _header(self) -> int:
        """Check the first bytes, and give the position behind them."""
        self._more(0, min(_HEADER, self._size))
        head = self._buffer[:_HEADER]
        if head[: len(codes.MAGIC)] != codes.MAGIC or len(head) < _HEADER or not head[5:].isdigit():
            raise self._damaged(0, "it does not begin as an RDB file does")
        self.report.version = version = int(head[5:])
        if version > codes.NEWEST:
            raise StorageError(
                f"{self._path} is an RDB file of version {version}, and this engine reads up to {codes.NEWEST}: "
                f"write it with an older server, or use a newer redmodel",
                path=str(self._path),
            )
        if version < codes.OLDEST:
            raise self._damaged(5, "there is no version 0 of RDB files")
        return _HEADER

    def _more(self, position: int, end: int) -> int:
        """Let go of what is before ``position``, read on to ``end`` at least, and give the new position: 0."""
        if self._base + end > self._size:
            raise self._damaged(position, "it is cut off, or announces more than the file holds")
        buffer = self._buffer
        self._checksum = crc64(memoryview(buffer)[:position], self._checksum)
        # A value that fills several pieces is read anew with each: let the pieces grow with it.
        wanted = max(end - len(buffer), _CHUNK, len(buffer) - position)
        pieces = [buffer[position:]]
        self._base += position
        missing = end - len(buffer)
        while wanted > 0:
            piece = self._files.read(self._fd, min(wanted, _CHUNK))
            if not piece:
                break
            pieces.append(piece)
            wanted -= len(piece)
            missing -= len(piece)
        self._buffer = b"".join(pieces)
        if missing > 0:
            raise self._damaged(0, "it ended while it was read")
        return 0

    def _aside(self, kind: int, position: int) -> int:
        """Read what is no key, and give the position behind it."""
        buffer, report = self._buffer, self.report
        at = position
        position += 1
        if kind == codes.AUX:
            name, position = read_string(buffer, position)
            report.aux[name], position = read_string(buffer, position)
        elif kind == codes.RESIZE_DATABASE:
            _, position = read_length(buffer, position)
            _, position = read_length(buffer, position)
        elif kind == codes.SLOT_INFO:
            for _ in range(3):
                _, position = read_length(buffer, position)
        elif kind == codes.IDLE:
            _, position = read_length(buffer, position)
        elif kind == codes.FREQUENCY:
            position += 1
        elif kind == codes.FUNCTION:
            code, position = read_string(buffer, position)
            report.functions.append(code)
        elif kind == codes.MODULE_AUX:
            module, position = skip_module(buffer, position)
            report.warn(f"left out what the module {module} keeps beside its keys")
        else:
            assert kind == codes.FUNCTION_PRE_GA
            raise StorageError(
                f"{self._path} holds functions as only the release candidates of Redis 7.0 wrote them (at byte "
                f"{self._base + at}): load it there, delete the functions, and save it anew",
                path=str(self._path),
            )
        return position

    def _end(self, position: int) -> None:
        """Check the checksum behind the last opcode, and leave what follows in the buffer."""
        if self.report.version >= codes.CHECKSUM_FROM:
            end = position + 8
            if end > len(self._buffer):
                self._more(0, end)
            stated = int.from_bytes(self._buffer[position:end], "little")
            if stated:
                self.report.checksum = True
                found = crc64(memoryview(self._buffer)[:position], self._checksum)
                if found != stated:
                    raise self._damaged(
                        position, f"RDB CRC error: its checksum is {found:016x} and should be {stated:016x}"
                    )
            else:
                self.report.warn("the file has no checksum (rdbchecksum no): damage inside strings can't be seen")
            position = end
        self._buffer = self._buffer[position:]
        self._base += position
        if not self._followed and self._base < self._size:
            raise self._damaged(0, "something follows its end")

    def _unknown(self, position: int, kind: int) -> Exception:
        if kind not in (codes.MODULE, codes.MODULE_2):
            return BadData(position, f"no value is of the type {kind}")
        key, after = read_string(self._buffer, position + 1)
        name = ""
        if kind == codes.MODULE_2:
            name, _ = skip_module(self._buffer, after)
        return StorageError(
            f"{self._path} holds a value of the module {name or '(unnamed)'} at the key {key!r} (at byte "
            f"{self._base + position}), which only that module can read: delete such keys there, and save it anew",
            path=str(self._path),
        )

    def _damaged(self, position: int, reason: str) -> StoreDamaged:
        offset = self._base + position
        return StoreDamaged(
            f"{self._path} is damaged at byte {offset}: {reason}. Nothing was loaded. Restore the file from a backup, "
            f"or let the server that wrote it save it anew; 'redis-check-rdb {self._path}' says more",
            path=str(self._path),
            offset=offset,
        )
