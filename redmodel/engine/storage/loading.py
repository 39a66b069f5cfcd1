"""Reading one file of the log back, to its end or to the place where it is torn or damaged.

May live here: what a bad end means and what is said about it. Not how commands are spelled (`format`), nor which files
there are (`manifest`, `folder`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.format import Command, CommandDecoder, is_torn
from redmodel.errors import StorageError, StoreDamaged

logger = logging.getLogger(__name__)

_CHUNK = 1 << 18
_CHUNK_LIMIT = 1 << 26
_TAIL_LIMIT = 1 << 28  # more than the largest argument: what is left after a torn command is never longer


def load_file(files: FileSystem, path: Path, *, last: bool) -> Iterator[Command]:
    """Yield a log file's commands; transactions whole, without their MULTI and EXEC.

    The torn end of the last file is cut off, with a line in the log that says what was dropped.

    Raises:
        StoreDamaged: the text is wrong before its end, or the end is torn in a file that is not the last.
        StorageError: the file can't be read, or it is an RDB snapshot.
    """
    decoder = CommandDecoder()
    try:
        fd = files.open_read(path)
        try:
            size = files.size(fd)
            done = 0
            chunk = _CHUNK
            while done < size and decoder.bad is None and decoder.wanted <= size - done:
                data = files.read(fd, max(chunk, decoder.wanted))
                if not data:
                    break
                if not done and data.startswith(b"REDIS"):
                    raise _is_snapshot(path)
                done += len(data)
                units = decoder.feed(data)
                yield from units
                # A command that fills several pieces is decoded anew with each: let the pieces grow with it.
                chunk = _CHUNK if units else min(chunk * 2, _CHUNK_LIMIT)
            if decoder.bad is None:
                yield from decoder.finish()
            tail = decoder.rest
            while done < size and len(tail) < _TAIL_LIMIT and (data := files.read(fd, _CHUNK_LIMIT)):
                done += len(data)
                tail += data
        finally:
            files.close(fd)
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror}", path=str(path)) from error
    if not tail and not decoder.in_transaction:
        return
    if (done < size) or not is_torn(tail):
        offset = decoder.bad.offset if decoder.bad else decoder.rest_offset
        reason = decoder.bad.reason if decoder.bad else "an argument reaches past the end, with commands inside"
        raise _damaged(path, offset, reason, size - decoder.offset)
    if not last:
        raise _damaged(path, decoder.offset, "cut off, though it is not the last file", size - decoder.offset)
    what = "half a transaction" if decoder.in_transaction else "half a command"
    _cut(files, path, decoder.offset)
    logger.warning(
        "%s ended in %s: dropped %d bytes from byte %d on; everything before is kept",
        path,
        what,
        size - decoder.offset,
        decoder.offset,
    )


def _cut(files: FileSystem, path: Path, offset: int) -> None:
    try:
        fd = files.open_append(path)
        try:
            files.truncate(fd, offset)
            files.fsync(fd)
        finally:
            files.close(fd)
    except OSError as error:
        raise StorageError(f"can't cut the torn end off {path}: {error.strerror}", path=str(path)) from error


def _damaged(path: Path, offset: int, reason: str, dropped: int) -> StoreDamaged:
    return StoreDamaged(
        f"{path} is damaged at byte {offset} ({reason}). Nothing was changed. Restore the directory from a backup; or, "
        f"on a copy, run 'redis-check-aof --fix' on its manifest, which keeps what stands before the damage and drops "
        f"up to {dropped} bytes",
        path=str(path),
        offset=offset,
    )


def _is_snapshot(path: Path) -> StorageError:
    return StorageError(
        f"{path} is an RDB snapshot, which is not read yet: on the redis-server that wrote it, run "
        f"'CONFIG SET aof-use-rdb-preamble no' and 'BGREWRITEAOF', and copy the directory again",
        path=str(path),
    )
