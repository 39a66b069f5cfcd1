"""Reading one file of the log back, to its end or to the place where it is torn or damaged.

May live here: what a bad end means and what is said about it. Not how commands are spelled (`format`) or vouched for
(`checksums`), nor which files there are (`manifest`, `folder`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from redmodel.engine.storage.checksums import LINE_LIMIT, MARK, Verifier, claims_beyond, is_foreign, read_header
from redmodel.engine.storage.files import FileSystem, reading
from redmodel.engine.storage.format import Command, CommandDecoder, decode_units, is_torn
from redmodel.engine.storage.manifest import Part
from redmodel.errors import StorageError, StoreDamaged

logger = logging.getLogger(__name__)

_CHUNK = 1 << 18
_CHUNK_LIMIT = 1 << 26
_TAIL_LIMIT = 1 << 28  # more than the largest argument: what is left after a torn command is never longer


class LogFile:
    """One file of the log on its way into memory.

    `commands` yields what it holds. Afterwards ``size`` says up to where the file is good, ``chain`` what its checksums
    begin with there, or None where none of ours may follow, and ``torn`` how many bytes of a torn end come after.
    """

    def __init__(self, files: FileSystem, path: Path, part: Part, *, last: bool) -> None:
        """Say which file.

        Args:
            files: the disk.
            path: where it is.
            part: what the manifest says about it.
            last: no later file holds anything, so that an interrupted write may have torn its end.
        """
        self.path = path
        self.size = 0
        self.chain: int | None = None
        self.torn = 0
        self.tail = ""
        self.checked = False
        self._files = files
        self._part = part
        self._last = last

    def commands(self) -> Iterator[Command]:
        """Yield the commands; transactions whole, without their MULTI and EXEC. Nothing is changed on the disk.

        Raises:
            StoreDamaged: the file is wrong before its end, or its end is torn though another follows.
            StorageError: the file can't be read, or holds what only a newer Redis or a module reads.
        """
        files = self._files
        try:
            with reading(files, self.path) as fd:
                total = files.size(fd)
                first = self._read(fd, min(total, _CHUNK))
                if first.startswith(b"REDIS"):
                    yield from self._snapshot(fd, first, total)
                    return
                begin = self._header(first, total)
                if begin is None:
                    if self._part.floor is not None:
                        raise self._damaged(0, "its first line is missing", total)
                    yield from self._foreign(fd, first, total)
                else:
                    yield from self._ours(fd, first, begin, total)
        except OSError as error:
            raise StorageError(f"can't read {self.path}: {error.strerror}", path=str(self.path)) from error

    def cut(self) -> None:
        """Cut the torn end off, and say so to `logging`; does nothing where there is none."""
        if not self.torn:
            return
        try:
            fd = self._files.open_append(self.path)
            try:
                self._files.truncate(fd, self.size)
                self._files.fsync(fd)
            finally:
                self._files.close(fd)
        except OSError as error:
            raise StorageError(
                f"can't cut the torn end off {self.path}: {error.strerror}", path=str(self.path)
            ) from error
        logger.warning(
            "%s ended in %s: dropped %d bytes from byte %d on; everything before is kept",
            self.path,
            self.tail,
            self.torn,
            self.size,
        )

    def _read(self, fd: int, size: int) -> bytes:
        data = self._files.read(fd, size)
        while len(data) < size and (more := self._files.read(fd, size - len(data))):
            data += more
        return data

    def _header(self, first: bytes, total: int) -> tuple[int, int] | None:
        if first and MARK.startswith(first[: len(MARK)]) and total < LINE_LIMIT and b"\n" not in first:
            self._torn_from(0, total, "half of its first line")
            return total, 0
        try:
            return read_header(first, self.path.name)
        except ValueError as error:
            raise self._damaged(0, str(error), total) from None

    def _ours(self, fd: int, first: bytes, begin: tuple[int, int], total: int) -> Iterator[Command]:
        """A file that begins with our checksums: they decide what is good, and where it ends."""
        if self.torn:
            return
        verifier = Verifier(*begin, self._part.floor)
        self.checked = True
        data = first[begin[0] :]
        done = len(first)
        chunk = _CHUNK
        while True:
            at = verifier.offset
            units = verifier.feed(data)
            if units:
                try:
                    yield from decode_units(b"".join(units))
                except ValueError as error:
                    raise self._damaged(at, str(error), total - at) from None
            chunk = _CHUNK if units else min(chunk * 2, _CHUNK_LIMIT)
            if done >= total or not (data := self._files.read(fd, min(chunk, total - done))):
                break
            done += len(data)
        self.size, self.chain = verifier.offset, verifier.crc
        if not verifier.reached:
            reason = "the next checksum doesn't fit" if verifier.rest else "it is shorter than when it was closed"
            raise self._damaged(verifier.offset, reason, total - verifier.offset)
        tail = verifier.rest
        if not tail:
            return
        if is_foreign(tail):
            self.chain = None
            yield from self._foreign(fd, tail, total, verifier.offset)
        elif claims_beyond(tail, verifier.offset):
            raise self._damaged(verifier.offset, "the next checksum doesn't fit", total - verifier.offset)
        elif not self._last:
            raise self._damaged(verifier.offset, "cut off, though it is not the last file", total - verifier.offset)
        else:
            self._torn_from(verifier.offset, total, "half a unit")

    def _snapshot(self, fd: int, first: bytes, total: int) -> Iterator[Command]:
        """An RDB file, as redis-server writes the base of a log by default; before version 7 commands follow in it."""
        from redmodel.engine.storage.rdb.preamble import replay

        end, rest, report = yield from replay(self._files, fd, self.path, first)
        for warning in report.warnings:
            logger.warning("%s: %s", self.path, warning)
        self.size = end
        if end < total:
            yield from self._foreign(fd, rest or self._read(fd, min(total - end, _CHUNK)), total, end)

    def _foreign(self, fd: int, first: bytes, total: int, start: int = 0) -> Iterator[Command]:
        """What redis-server wrote: no checksums, so only what can't be its text is found."""
        decoder = CommandDecoder(start)
        data = first
        done = start + len(first)
        chunk = _CHUNK
        while data:
            units = decoder.feed(data)
            yield from units
            # A command that fills several pieces is decoded anew with each: let the pieces grow with it.
            chunk = _CHUNK if units else min(chunk * 2, _CHUNK_LIMIT)
            if done >= total or decoder.bad is not None or decoder.wanted > total - done:
                break
            data = self._files.read(fd, min(max(chunk, decoder.wanted), total - done))
            done += len(data)
        if decoder.bad is None:
            yield from decoder.finish()
        tail = decoder.rest
        while done < total and len(tail) < _TAIL_LIMIT and (data := self._files.read(fd, _CHUNK_LIMIT)):
            done += len(data)
            tail += data
        self.size = decoder.offset
        if not tail and not decoder.in_transaction:
            return
        dropped = total - decoder.offset
        if done < total or not is_torn(tail):
            offset = decoder.bad.offset if decoder.bad else decoder.rest_offset
            reason = decoder.bad.reason if decoder.bad else "an argument reaches past the end, with commands inside"
            raise self._damaged(offset, reason, dropped)
        if not self._last:
            raise self._damaged(decoder.offset, "cut off, though it is not the last file", dropped)
        self._torn_from(decoder.offset, total, "half a transaction" if decoder.in_transaction else "half a command")

    def _torn_from(self, offset: int, total: int, what: str) -> None:
        if not self._last:
            raise self._damaged(offset, "cut off, though it is not the last file", total - offset)
        if self._part.floor is not None and offset < self._part.floor[0]:
            raise self._damaged(offset, "it is shorter than when it was closed", total - offset)
        self.size, self.torn, self.tail = offset, total - offset, what

    def _damaged(self, offset: int, reason: str, dropped: int) -> StoreDamaged:
        return StoreDamaged(
            f"{self.path} is damaged at byte {offset} ({reason}). Nothing was changed. Restore the directory from a "
            f"backup; or run 'redmodel check-store --write' on it, which keeps what stands before the damage, puts a "
            f"copy of the rest beside it, and drops up to {dropped} bytes of this file with all later ones",
            path=str(self.path),
            offset=offset,
        )
