"""The first line of a script or library, ``#!lua name=x flags=no-writes,…``. Nothing is run here."""

from __future__ import annotations

from dataclasses import dataclass

from redmodel.engine import texts
from redmodel.engine.settings.file import split_words
from redmodel.errors import ReplyError

FLAGS = ("no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys")  # in Redis' order


@dataclass(frozen=True, slots=True)
class Kind:
    """What a script says about itself; ``flags`` is None for one without a shebang, which may do anything."""

    flags: frozenset[str] | None = None

    @property
    def reads_only(self) -> bool:
        """Whether it promises not to write."""
        return self.flags is not None and "no-writes" in self.flags

    @property
    def heeds_memory(self) -> bool:
        """Whether a full server refuses what it writes."""
        return self.flags is None or "allow-oom" not in self.flags


def script(source: bytes) -> tuple[Kind, bytes]:
    """Read the shebang of a script; returns the source without it, its lines numbered as before.

    Raises:
        ReplyError: it can't be read.
    """
    if not source.startswith(b"#!"):
        return Kind(), source
    line, newline, _ = source.partition(b"\n")
    if not newline:
        raise ReplyError("ERR Invalid script shebang")
    words = _words(line)
    if words is None:
        raise ReplyError("ERR Invalid engine in script shebang")
    engine, *options = words
    if engine != b"#!lua":
        raise ReplyError(f"ERR Unexpected engine in script shebang: {texts.shown(engine)}")
    flags: frozenset[str] = frozenset()
    for option in options:
        if not option.startswith(b"flags="):
            raise ReplyError(f"ERR Unknown lua shebang option: {texts.shown(option)}")
        value = option.partition(b"=")[2]
        given = [flag.decode("latin-1") for flag in value.split(b",")] if value else []
        for flag in given:
            if flag not in FLAGS:
                raise ReplyError(f"ERR Unexpected flag in script shebang: {flag}")
        flags |= frozenset(given)
    return Kind(flags), source[len(line) :]


def _words(line: bytes) -> list[bytes] | None:
    """The words of a shebang, quoted as in redis.conf; None where a quote is not closed."""
    words = split_words(line.decode("utf-8", "surrogateescape"))
    return None if words is None else [word.encode("utf-8", "surrogateescape") for word in words]


def library(source: bytes) -> tuple[bytes, bytes, bytes]:
    """Read the shebang of a library; returns the engine, the name, and the source without it.

    Raises:
        ReplyError: it can't be read.
    """
    line, newline, _ = source.partition(b"\n")
    if not source.startswith(b"#!"):
        raise ReplyError("ERR Missing library metadata")
    if not newline:
        raise ReplyError("ERR Invalid library metadata")
    words = _words(line)
    if words is None:
        raise ReplyError("ERR Invalid library metadata")
    engine, *options = words
    name: bytes | None = None
    for option in options:
        key, _, value = option.partition(b"=")
        if key.lower() != b"name" or b"=" not in option:
            raise ReplyError(f"ERR Invalid metadata value given: {texts.shown(option)}")
        if name is not None:
            raise ReplyError("ERR Invalid metadata value, name argument was given multiple times")
        name = value
    if name is None:
        raise ReplyError("ERR Library name was not given")
    return engine.removeprefix(b"#!"), name, source[len(line) :]
