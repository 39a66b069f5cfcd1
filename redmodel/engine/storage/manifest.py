"""The manifest of a multi-part append-only log: which files make up the log, in which order.

May live here: the manifest's text, read and written, and the names of the files in it. No I/O.

Ours says two things more than redis-server's, which passes over both: the ``size`` that a file had when it was finished
or closed, with the ``crc`` of its chain there, and on the first line a checksum of all the lines after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from zlib import crc32

from redmodel.errors import StoreDamaged

FOLDER = "appendonlydir"
FILE = "appendonly.aof"
MANIFEST = f"{FILE}.manifest"
TEMPORARY = "temp-"

_LINE_LIMIT = 1024
_MAX_SEQUENCE = 1 << 62  # leaves room to count on
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_SEAL = re.compile(rb"#CRC:([0-9a-f]{8})\n")
_SIZE = re.compile(r"[0-9]{1,18}")
_CRC = re.compile(r"[0-9a-f]{8}")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b"}


@dataclass(frozen=True)
class Part:
    """One file of the log: its name in the folder, and its sequence number among its kind.

    ``floor`` is a size that the file is known to have reached on the disk, and its chain's value there.
    """

    name: str
    sequence: int
    floor: tuple[int, int] | None = None


@dataclass(frozen=True)
class Manifest:
    """The files of a log: at most one base, then the increments in order; ``history`` waits to be deleted.

    ``sealed`` says that a checksum vouched for its text when it was read; the names of new files begin with ``file``.
    """

    base: Part | None = None
    increments: tuple[Part, ...] = ()
    history: tuple[Part, ...] = field(default=())
    sealed: bool = field(default=False, compare=False)
    file: str = field(default=FILE, compare=False)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Base and increments, in the order in which they are read."""
        return (*((self.base,) if self.base else ()), *self.increments)

    def with_increment(self) -> Manifest:
        """The same log with one more, empty, increment at its end."""
        return replace(self, increments=(*self.increments, self.next_increment()))

    def next_base(self) -> Part:
        """The base that the next rewrite makes."""
        sequence = self.base.sequence + 1 if self.base else 1
        return Part(f"{self.file}.{sequence}.base.aof", sequence)

    def rewritten(self, base: Part, begin: Part) -> Manifest:
        """What the log is after a rewrite: the new base, the increments from ``begin`` on, and all else history."""
        kept = tuple(part for part in self.increments if part.sequence >= begin.sequence)
        gone = tuple(part for part in self.parts if part not in kept)
        return Manifest(base, kept, (*self.history, *gone), file=self.file)

    def next_increment(self) -> Part:
        sequence = self.increments[-1].sequence + 1 if self.increments else 1
        return Part(f"{self.file}.{sequence}.incr.aof", sequence)

    def dump(self) -> bytes:
        """The manifest's text.

        >>> Manifest().with_increment().dump()
        b'#CRC:ca96b25f\\nfile appendonly.aof.1.incr.aof seq 1 type i\\n'
        """
        lines = [_line(self.base, "b")] if self.base else []
        lines += [_line(part, "h") for part in self.history]
        lines += [_line(part, "i") for part in self.increments]
        text = "".join(lines).encode()
        return b"#CRC:%08x\n" % crc32(text) + text


def parse_manifest(text: bytes, path: Path) -> Manifest:
    """Read a manifest's text.

    Comment lines and further key-value pairs are passed over, as redis-server does.

    Raises:
        StoreDamaged: a line that is no file entry, two bases, increments out of order, no entry at all, or a checksum
            that doesn't fit.
    """
    base: Part | None = None
    increments: list[Part] = []
    history: list[Part] = []
    offset = 0
    seal = _SEAL.match(text)
    if seal and b"%08x" % crc32(text[seal.end() :]) != seal[1]:
        raise _damaged(path, 0, "has a checksum that doesn't fit the lines after it")
    for raw in text.splitlines(keepends=True):
        if not raw.startswith(b"#"):
            part, kind = _entry(raw, path, offset)
            if kind == "b":
                if base is not None:
                    raise _damaged(path, offset, "names two base files")
                base = part
            elif kind == "h":
                history.append(part)
            else:
                if increments and part.sequence <= increments[-1].sequence:
                    raise _damaged(path, offset, "has increments out of order")
                increments.append(part)
        offset += len(raw)
    if base is None and not increments:
        raise _damaged(path, 0, "names no file")
    if not seal and any(part.floor is not None for part in (base, *increments) if part is not None):
        raise _damaged(path, 0, "lacks the checksum at its beginning")
    file = path.name.removesuffix(".manifest")
    return Manifest(base, tuple(increments), tuple(history), sealed=seal is not None, file=file)


def _entry(raw: bytes, path: Path, offset: int) -> tuple[Part, str]:
    """The part and the type that one line states."""
    try:
        line = raw.decode()
    except UnicodeDecodeError:
        raise _damaged(path, offset, "has a line that is not text") from None
    if len(raw) > _LINE_LIMIT or not raw.endswith(b"\n") or "\0" in line:
        raise _damaged(path, offset, "has a line that is too long, cut off or not text")
    tokens = [_unquoted(token) for token in _TOKEN.findall(line)]
    if len(tokens) < 6 or len(tokens) % 2:
        raise _damaged(path, offset, "has a line that is no file entry")
    pairs = dict(zip((token.lower() for token in tokens[::2]), tokens[1::2], strict=True))
    name, sequence, kind = pairs.get("file"), pairs.get("seq"), pairs.get("type")
    if not name or sequence is None or kind not in ("b", "i", "h"):
        raise _damaged(path, offset, "has a line that is no file entry")
    if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
        raise _damaged(path, offset, "names a file outside its own directory")
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 19 and 0 < int(sequence) <= _MAX_SEQUENCE):
        raise _damaged(path, offset, "has a sequence number that is none")
    size, crc = pairs.get("size", ""), pairs.get("crc", "")
    floor = None
    if "size" in pairs or "crc" in pairs:
        if not (_SIZE.fullmatch(size) and _CRC.fullmatch(crc)):
            raise _damaged(path, offset, "has a size or a checksum that is none")
        floor = int(size), int(crc, 16)
    return Part(name, int(sequence), floor), kind


def _unquoted(token: str) -> str:
    if token.startswith('"') and token.endswith('"') and len(token) > 1:
        return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), token[1:-1])
    return token


def _line(part: Part, kind: str) -> str:
    plain = part.name.isascii() and part.name.isprintable() and not set(part.name) & set(" \"'\\#")
    escaped = part.name.replace("\\", "\\\\").replace('"', '\\"')
    name = part.name if plain else f'"{escaped}"'
    floor = "" if part.floor is None or kind == "h" else f" size {part.floor[0]} crc {part.floor[1]:08x}"
    return f"file {name} seq {part.sequence} type {kind}{floor}\n"


def _damaged(path: Path, offset: int, what: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path} {what} (at byte {offset}): restore the manifest from a backup, or run 'redmodel check-store "
        f"{path.parent.parent} --write', which writes it anew from the log files; they are untouched",
        path=str(path),
        offset=offset,
    )
