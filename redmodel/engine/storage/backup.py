"""Copying a store's log as it was at one moment into a fresh directory.

May live here: the copy, and the order of steps that leaves either a whole backup or none. What the moment is, is said
by the process that owns the log (`SharedLog.moment`).
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from redmodel.engine.storage.files import FileSystem, pieces_of, write_file
from redmodel.engine.storage.manifest import FOLDER, MANIFEST
from redmodel.engine.storage.shared import Moment
from redmodel.errors import StorageError


def copy_log(source: Path, moment: Moment, destination: Path) -> int:
    """Copy the log of the store in ``source``, as it was at that moment; returns how many bytes.

    The files of a log only grow, so a moment's sizes stay true while the owner goes on writing.

    Args:
        source: the directory of the store.
        moment: which files, and how much of each.
        destination: made anew, mode 0700; it must not exist, or be empty.
    Raises:
        FileNotFoundError: the log was rewritten since that moment: ask for another one.
        StorageError: something stands at the destination, or a step failed; nothing is left there then.
    """
    destination = destination.absolute()
    if os.path.lexists(destination) and not (destination.is_dir() and not any(destination.iterdir())):
        raise StorageError(
            f"{destination} is there already, and a backup overwrites nothing: name a new directory",
            path=str(destination),
        )
    files = FileSystem()
    descriptors: dict[str, int] = {}
    try:
        # First all files are opened: the owner may delete their names at any time, but not what an open file holds.
        for part in moment.manifest.parts:
            descriptors[part.name] = files.open_read(source / FOLDER / part.name)
        return _write(files, descriptors, moment, destination)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(
            f"can't write the backup {destination}: {error.strerror or error}", path=str(destination)
        ) from error
    finally:
        for fd in descriptors.values():
            files.close(fd)


def _write(files: FileSystem, descriptors: dict[str, int], moment: Moment, destination: Path) -> int:
    # Beside the destination, and renamed when it is whole: there is never half a backup under the name.
    try:
        files.make_directory(destination.parent)
        temporary = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.partial")
        folder = temporary / FOLDER
        files.make_directory(temporary)
        files.make_directory(folder)
    except FileNotFoundError as error:
        raise StorageError(f"can't make {destination}: {error.strerror}", path=str(destination)) from error
    try:
        done = 0
        for part in moment.manifest.parts:
            pieces = pieces_of(files, descriptors[part.name], end=moment.sizes[part.name])
            done += write_file(files, folder / part.name, pieces)
        write_file(files, folder / MANIFEST, (moment.manifest.dump(),))
        files.fsync_directory(folder)
        files.fsync_directory(temporary)
        files.rename(temporary, destination)
    except BaseException:
        _remove(temporary)
        raise
    files.fsync_directory(destination.parent)
    return done


def _remove(temporary: Path) -> None:
    with suppress(OSError):
        for path in sorted(temporary.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
        temporary.rmdir()
