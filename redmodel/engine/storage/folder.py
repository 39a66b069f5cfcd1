"""The directory of a store: finding the log in it, making a new one, and replacing the manifest.

May live here: which files stand where, and the order of steps that leaves a whole log behind whenever it is
interrupted. Not the contents of log files.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from redmodel.engine.storage.checksums import LINE_LIMIT, MARK, read_header
from redmodel.engine.storage.files import FileSystem, pieces_of, reading, size_of, write_file
from redmodel.engine.storage.manifest import FILE, FOLDER, MANIFEST, TEMPORARY, Manifest, Part, parse_manifest
from redmodel.errors import StorageError, StoreDamaged

logger = logging.getLogger(__name__)

_MANIFEST_LIMIT = 1 << 20


class LogFolder:
    """The log's files in ``directory``/appendonlydir, as its manifest lists them."""

    def __init__(self, directory: Path, files: FileSystem, name: str = FOLDER, file: str = FILE) -> None:
        """Find the log; nothing is written yet, except that an old single-file log is taken in.

        Args:
            directory: the store's.
            files: the disk.
            name: of the folder in it.
            file: what the names of the log's files begin with.

        Raises:
            StoreDamaged: the manifest can't be right, or is missing while log files are there.
            StorageError: a step failed.
        """
        self.directory = directory
        self.path = directory / name
        self.file = file
        self._files = files
        self.manifest_path = self.path / f"{file}.manifest"
        self.size_of: dict[str, int] = {}
        #: How far files reached that were finished, and what their chains are there.
        self.floors: dict[str, tuple[int, int]] = {}
        try:
            files.make_directory(self.path)
            self.manifest = self._find()
            self._finish_upgrade()
            for part in self.manifest.parts:
                self._measure(part)
        except OSError as error:
            raise StorageError(f"can't open the log in {self.path}: {error.strerror}", path=str(self.path)) from error

    @classmethod
    def of(cls, path: Path, files: FileSystem, manifest: Manifest) -> LogFolder:
        """The folder of a manifest that was read already; nothing is touched but the files' sizes.

        Raises:
            StoreDamaged: a file is missing.
            OSError: a step failed.
        """
        folder = cls.__new__(cls)
        folder.directory, folder.path, folder._files = path.parent, path, files
        folder.file, folder.manifest_path = FILE, path / MANIFEST
        folder.size_of, folder.floors, folder.manifest = {}, {}, manifest
        for part in manifest.parts:
            if files.exists(folder.path_of(part)):
                folder._measure(part)
        return folder

    def path_of(self, part: Part) -> Path:
        """Where a part's file is."""
        return self.path / part.name

    def write_manifest(self, manifest: Manifest) -> None:
        """Put a new manifest in the place of the old one, in one step.

        Raises:
            OSError: before the step the old manifest holds; when the last sync fails, either may.
        """
        manifest = replace(
            manifest,
            increments=tuple(
                replace(part, floor=self.floors[part.name]) if part.name in self.floors else part
                for part in manifest.increments
            ),
        )
        temporary = self.path / (TEMPORARY + self.manifest_path.name)
        self._make_way(temporary)
        write_file(self._files, temporary, (manifest.dump(),))
        self._files.rename(temporary, self.manifest_path)
        self.manifest = manifest
        self._files.fsync_directory(self.path)

    def create(self, path: Path) -> int:
        """Make an empty file; what an interrupted rewrite left under the name is deleted, no manifest names it."""
        self._make_way(path)
        return self._files.create(path)

    def _make_way(self, path: Path) -> None:
        if self._files.exists(path):
            self._files.remove(path)

    def clean(self) -> None:
        """Delete what a rewrite left behind; a failure is logged, and does no harm."""
        with suppress(OSError):
            for name in self._files.list_directory(self.path):
                if name.startswith(TEMPORARY):
                    self._remove(name)
        history = self.manifest.history
        for part in history:
            self._remove(part.name)
        if history:
            try:
                self.write_manifest(replace(self.manifest, history=()))
            except OSError as error:
                logger.warning("%s still names deleted files: %s", self.manifest_path, error.strerror)

    def last_with_content(self) -> int:
        """The position, in the order of reading, of the last file that holds more than its first line.

        Raises:
            StorageError: a file can't be read.
        """
        for position in range(len(self.manifest.parts) - 1, -1, -1):
            part = self.manifest.parts[position]
            if self.size_of.get(part.name, 0) > LINE_LIMIT or not is_fresh(self._files, self.path_of(part)):
                return position
        return 0

    def _find(self) -> Manifest:
        files = self._files
        if files.exists(self.manifest_path):
            return read_manifest(files, self.manifest_path)[0]
        orphans = [name for name in files.list_directory(self.path) if name.startswith(f"{self.file}.")]
        for name in orphans:
            if not is_fresh(files, self.path / name):
                raise StoreDamaged(
                    f"{self.manifest_path} is missing, but {name} holds data: restore the manifest from a backup, or "
                    f"run 'redmodel check-store {self.directory} --write', which writes it anew",
                    path=str(self.manifest_path),
                )
        if files.exists(self.directory / self.file):
            # The one file of a Redis before 7: redis-server 7 takes it in as the base, and so do we. The manifest
            # comes first, so that an interruption before the move is seen and the move made later.
            self.write_manifest(Manifest(Part(self.file, 1), file=self.file))
            logger.info("took %s in as the base of the log", self.directory / self.file)
            return self.manifest
        snapshot = self.directory / "dump.rdb"
        if files.exists(snapshot):
            logger.warning(
                "%s is not loaded: this is a new, empty store; `redmodel import` loads RDB files into one", snapshot
            )
        return Manifest(file=self.file)

    def _finish_upgrade(self) -> None:
        """Move an old single-file log into the folder, once the manifest names it."""
        base = self.manifest.base
        old = self.directory / self.file
        if base and base.name == self.file and self._files.exists(old) and not self._files.exists(self.path_of(base)):
            self._files.rename(old, self.path_of(base))
            self._files.fsync_directory(self.path)
            self._files.fsync_directory(self.directory)

    def _measure(self, part: Part) -> None:
        path = self.path_of(part)
        if not self._files.exists(path):
            raise StoreDamaged(
                f"{path} is missing, but the manifest names it: restore the file from a backup, or delete its line "
                f"from {self.manifest_path} to go on without what it held",
                path=str(path),
            )
        self.size_of[part.name] = size_of(self._files, path)

    def _remove(self, name: str) -> None:
        path = self.path / name
        try:
            if self._files.exists(path):
                self._files.remove(path)
        except OSError as error:
            logger.warning("can't delete %s, which the log no longer needs: %s", path, error.strerror)


def is_fresh(files: FileSystem, path: Path) -> bool:
    """Whether a file holds nothing, or nothing but the first line that we write; StorageError if it can't be read."""
    try:
        with reading(files, path) as fd:
            data = files.read(fd, LINE_LIMIT + 1)
        if len(data) > LINE_LIMIT:
            return False
        data = data.rstrip(b"\0")  # what a power cut may leave of a line that was not synced
        begin = read_header(data, path.name)
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror}", path=str(path)) from error
    except ValueError:
        return False
    if begin is None:  # nothing, or half of it
        return b"\n" not in data and MARK.startswith(data[: len(MARK)])
    return begin[0] == len(data)


def read_manifest(files: FileSystem, path: Path) -> tuple[Manifest, int]:
    """Read a manifest; returns it with its size in bytes.

    Raises:
        StoreDamaged: it can't be right.
        OSError: it can't be read.
    """
    with reading(files, path) as fd:
        size = files.size(fd)
        if size > _MANIFEST_LIMIT:
            raise StoreDamaged(
                f"{path} is {size} bytes long, which no manifest is: restore it from a backup", path=str(path)
            )
        return parse_manifest(b"".join(pieces_of(files, fd)), path), size
