"""Checking a store that nobody has open, file by file, and cutting off what is damaged.

May live here: what is found and what a repair would drop; the repair itself, which copies first whatever it cuts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Literal

from redmodel.engine.storage.files import FileSystem, pieces_of, reading, size_of, write_file
from redmodel.engine.storage.folder import LogFolder, is_fresh, read_manifest
from redmodel.engine.storage.loading import LogFile
from redmodel.engine.storage.lock import DirectoryLock
from redmodel.engine.storage.manifest import FILE, FOLDER, MANIFEST, Manifest, Part
from redmodel.engine.storage.salvage import Salvaged, salvage
from redmodel.errors import StorageError, StoreDamaged

State = Literal["clean", "torn", "damaged", "missing", "after damage", "superseded"]
Kind = Literal["manifest", "base", "increment"]

_COMMAND = re.compile(rb"\*[1-9][0-9]{0,9}\r\n\$[0-9]{1,9}\r\n(?!(?i:multi|exec|select)\r\n)")


@dataclass(frozen=True)
class FileReport:
    """What is known of one file.

    ``good`` is up to which byte it can be used, ``commands`` how many stand there. ``dropped_bytes`` and
    ``dropped_commands``, the latter counted by their looks, are what a repair would cut off. ``checksums`` says whether
    they vouch for the good part: a file that redis-server wrote has none. A file that is ``superseded`` belongs to an
    older state of the log, and holds nothing that a newer file doesn't.
    """

    name: str
    kind: Kind
    state: State
    size: int
    good: int
    commands: int = 0
    checksums: bool = False
    reason: str = ""
    dropped_bytes: int = 0
    dropped_commands: int = 0


@dataclass(frozen=True)
class StoreReport:
    """What a check found: one report for each file in the order of reading, the manifest first.

    ``manifest`` is what the log's manifest says; where it is damaged or missing, what it must have said.
    """

    directory: Path
    files: Sequence[FileReport] = field(default=())
    manifest: Manifest | None = field(default=None, repr=False)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return all(file.state == "clean" for file in self.files)

    @property
    def repairable(self) -> bool:
        """Whether `repair_store` can help: not where there is a damaged manifest alone, and no log file beside it."""
        return not self.clean and self.manifest is not None

    @property
    def dropped_bytes(self) -> int:
        """How many bytes a repair would drop."""
        return sum(file.dropped_bytes for file in self.files)

    @property
    def dropped_commands(self) -> int:
        """About how many commands a repair would drop."""
        return sum(file.dropped_commands for file in self.files)


def check_store(directory: str | PathLike[str], *, files: FileSystem | None = None) -> StoreReport:
    """Read every byte of a store and say what is wrong; nothing is changed, and no lock is taken.

    A store that somebody has open may seem torn at its end. Cost: one reading of all files.

    Args:
        directory: where the store lives.
        files: the disk; tests put their own here.

    Raises:
        StorageError: there is no store, or it can't be read.
    """
    disk = files or FileSystem()
    place = Path(directory).absolute()
    path = place / FOLDER / MANIFEST
    try:
        if not disk.exists(path):
            found = salvage(disk, place / FOLDER) if disk.exists(place / FOLDER) else None
            if found is not None and any(not is_fresh(disk, place / FOLDER / p.name) for p in found.manifest.parts):
                reason = f"{path} is missing: a repair writes it anew from the names and first lines of the log files"
                return _salvaged(disk, place, FileReport(MANIFEST, "manifest", "missing", 0, 0, reason=reason), found)
            if disk.exists(place / FILE):
                return _of_files(disk, place, place, Manifest(Part(FILE, 1)), [])
            raise StorageError(f"there is no store in {place}: {path} is missing", path=str(path))
        try:
            manifest, size = read_manifest(disk, path)
        except StoreDamaged as error:
            listed = FileReport(MANIFEST, "manifest", "damaged", size_of(disk, path), error.offset, reason=str(error))
            return _salvaged(disk, place, listed, salvage(disk, place / FOLDER))
        listed = FileReport(MANIFEST, "manifest", "clean", size, size, checksums=manifest.sealed)
        return _of_files(disk, place, place / FOLDER, manifest, [listed])
    except OSError as error:
        raise StorageError(f"can't read {place}: {error.strerror or error}", path=str(place)) from error


def repair_store(directory: str | PathLike[str], *, files: FileSystem | None = None) -> tuple[StoreReport, Path | None]:
    """Cut a store back to the last unit before its damage.

    Args:
        directory: where the store lives; nobody may have it open.
        files: the disk; tests put their own here.

    Returns:
        What was wrong; and the directory with a copy of all that was cut, None where nothing had to be.

    Raises:
        StoreLocked: somebody has the store open.
        StoreDamaged: the manifest is damaged, and there is no log file that it could be made from.
        StorageError: a step failed; repeat it.
    """
    disk = files or FileSystem()
    place = Path(directory).absolute()
    report = check_store(place, files=disk)
    if report.clean:
        return report, None
    lock = DirectoryLock(place, disk)
    try:
        report = check_store(place, files=disk)
        if report.files[0].kind != "manifest":  # the one file of a Redis before 7
            LogFolder(place, disk)
            report = check_store(place, files=disk)
        if report.manifest is None:
            raise StoreDamaged(report.files[0].reason, path=str(place / FOLDER / MANIFEST))
        return report, _cut(disk, place, report, report.manifest)
    except OSError as error:
        raise StorageError(f"can't repair {place}: {error.strerror or error}", path=str(place)) from error
    finally:
        lock.release()


def _salvaged(disk: FileSystem, place: Path, listed: FileReport, found: Salvaged | None) -> StoreReport:
    """The report where the manifest itself is lost."""
    if found is None:
        return StoreReport(place, [listed])
    report = _of_files(disk, place, place / FOLDER, found.manifest, [listed])
    spare: list[FileReport] = []
    for name in found.superseded:
        size = size_of(disk, place / FOLDER / name)
        kind: Kind = "base" if ".base." in name else "increment"
        reason = "it belongs to an older state of the log: a repair moves it aside"
        spare.append(FileReport(name, kind, "superseded", size, 0, reason=reason))
    return replace(report, files=[*report.files, *spare])


def _of_files(
    disk: FileSystem, place: Path, folder: Path, manifest: Manifest, reports: list[FileReport]
) -> StoreReport:
    held = _last_with_content(disk, folder, manifest)
    broken = False
    for position, part in enumerate(manifest.parts):
        kind: Kind = "base" if part is manifest.base else "increment"
        path = folder / part.name
        if not disk.exists(path):
            state: State = "after damage" if broken else "missing"
            reports.append(
                FileReport(part.name, kind, state, 0, 0, reason="the manifest names it, and it is not there")
            )
            broken = True
            continue
        file = LogFile(disk, path, part, last=position >= held)
        commands, reason, state = 0, "", "clean"
        try:
            for _ in file.commands():
                commands += 1
        except StoreDamaged as error:
            state, reason = "damaged", str(error)
        size = size_of(disk, path)
        if file.torn:
            state, reason = "torn", f"it ends in {file.tail}, which the next opening cuts off"
        good = size if state == "clean" else file.size
        if broken:
            good, reason = 0, "what it holds comes after what is damaged"
            state = "after damage"
        reports.append(
            FileReport(
                part.name,
                kind,
                state,
                size,
                good,
                commands,
                file.checked,
                reason,
                size - good,
                _commands_from(disk, path, good) if good < size else 0,
            )
        )
        broken = broken or state == "damaged"
    return StoreReport(place, reports, manifest)


def _last_with_content(disk: FileSystem, folder: Path, manifest: Manifest) -> int:
    """Which file is the last that an interrupted write may have torn."""
    try:
        found = LogFolder.of(folder, disk, manifest)
        return found.last_with_content()
    except StorageError:
        return len(manifest.parts) - 1


def _commands_from(disk: FileSystem, path: Path, offset: int) -> int:
    with reading(disk, path) as fd:
        return sum(len(_COMMAND.findall(piece)) for piece in pieces_of(disk, fd, offset))


def _copy(disk: FileSystem, source: Path, target: Path, offset: int = 0) -> None:
    with reading(disk, source) as fd:
        write_file(disk, target, pieces_of(disk, fd, offset))


def _cut(disk: FileSystem, place: Path, report: StoreReport, manifest: Manifest) -> Path:
    """Copy what goes, let the manifest forget it, and cut: interrupted anywhere, a repetition finishes the work."""
    folder = LogFolder.of(place / FOLDER, disk, manifest)
    copies = _copies(disk, place)
    keep: dict[str, int] = {}
    for file in report.files[1:]:
        path = folder.path / file.name
        if file.state in ("damaged", "torn", "after damage", "superseded") and disk.exists(path):
            _copy(disk, path, copies / f"{file.name}.from-byte-{file.good}", file.good)
        if file.state in ("clean", "torn", "damaged"):
            keep[file.name] = file.good
    if disk.exists(folder.path / MANIFEST):
        _copy(disk, folder.path / MANIFEST, copies / MANIFEST)
    disk.fsync_directory(copies)
    disk.fsync_directory(place)

    def kept(part: Part) -> Part:
        whole = part.floor is None or part.floor[0] <= keep[part.name]
        return part if whole and report_of[part.name].state == "clean" else replace(part, floor=None)

    report_of = {file.name: file for file in report.files}
    base = kept(manifest.base) if manifest.base is not None and manifest.base.name in keep else None
    increments = tuple(kept(part) for part in manifest.increments if part.name in keep)
    if base is None and not increments:
        increments = (manifest.next_increment(),)
        disk.close(folder.create(folder.path_of(increments[0])))
    folder.write_manifest(Manifest(base, increments))
    for name, good in keep.items():
        if report_of[name].size > good:
            fd = disk.open_append(folder.path / name)
            try:
                disk.truncate(fd, good)
                disk.fsync(fd)
            finally:
                disk.close(fd)
    for file in report.files[1:]:
        if file.name not in keep and disk.exists(folder.path / file.name):
            disk.remove(folder.path / file.name)
    return copies


def _copies(disk: FileSystem, place: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    number = 0
    while True:
        path = place / f"cut-{stamp}{f'-{number}' if number else ''}"
        if not disk.exists(path):
            disk.make_directory(path)
            return path
        number += 1
