"""What a lost or damaged manifest must have said, from the log files that stand beside it.

May live here: which files are the log, and in which order. Nothing is changed here; see `check` for the repair.

A base of ours says which increment comes next, so the newest base of which all increments are there is the log, with
them: also where a rewrite was interrupted before or after its manifest. Bases of redis-server don't say it. With one of
them, all increments are taken to follow it; of several, the oldest is the log with all increments, because a rewrite
deletes the oldest first.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from redmodel.engine.storage.checksums import LINE_LIMIT, read_before
from redmodel.engine.storage.files import FileSystem, reading
from redmodel.engine.storage.manifest import FILE, Manifest, Part

_NAME = re.compile(re.escape(FILE) + r"(?:\.([0-9]{1,18})\.(?:(base)\.(?:aof|rdb)|incr\.aof))?")


class Salvaged(NamedTuple):
    """A manifest for the files that are there, and the names of those which it leaves out."""

    manifest: Manifest
    superseded: tuple[str, ...]


def salvage(files: FileSystem, folder: Path) -> Salvaged | None:
    """Find the log in a folder by the names and first lines of its files; None where there is no log file.

    Raises:
        OSError: a file can't be read.
    """
    bases: list[Part] = []
    increments: list[Part] = []
    for name in files.list_directory(folder):
        if found := _NAME.fullmatch(name):
            part = Part(name, int(found[1] or 1))
            (increments if found[1] and not found[2] else bases).append(part)
    if not bases and not increments:
        return None
    bases.sort(key=lambda part: part.sequence)
    increments.sort(key=lambda part: part.sequence)
    manifest = Manifest(bases[0] if bases else None, tuple(increments))
    for base in reversed(bases):
        first = _before(files, folder / base.name)
        following = [part for part in increments if first is not None and part.sequence >= first]
        if following and [part.sequence for part in following] == list(range(first or 0, following[-1].sequence + 1)):
            manifest = Manifest(base, tuple(following))
            break
    used = {part.name for part in manifest.parts}
    return Salvaged(manifest, tuple(part.name for part in (*bases, *increments) if part.name not in used))


def _before(files: FileSystem, path: Path) -> int | None:
    with reading(files, path) as fd:
        return read_before(files.read(fd, LINE_LIMIT))
