"""Checksums in the log: annotation lines that redis-server skips, chained from a file's first byte to its last.

May live here: what the lines say, writing them, and finding the first byte that they don't vouch for. No I/O.

A file of ours begins with ``#CRC:v1 <nonce> <name>,<crc>``; a base says behind its name which increment comes next,
``before <number>``, so that the order can be found again without the manifest. After each unit (in a base: after each
group) stands ``#CRC:<synced>,<crc>``. A ``crc`` is CRC-32 over everything since the line before it, begun with that
line's own value: so a piece that is changed, missing, doubled or in another place is found by the next line. ``synced``
is up to which byte the file was known to be on the disk when the line was written, in hexadecimal, or empty where an
earlier line said so: damage before it is damage of acknowledged data, and not what a power cut left of a file's end.
"""

from __future__ import annotations

import re
from binascii import hexlify
from zlib import crc32

MARK = b"#CRC:"
LINE_LIMIT = 512  # a header is not longer: the name of a file is part of it

_LINE = re.compile(rb"#CRC:([0-9a-f]{0,16}),([0-9a-f]{8})\r\n")
_HEADER = re.compile(rb"#CRC:v1 ([0-9a-f]{16}) ([^\r\n,]+?)(?: before ([0-9]{1,19}))?,([0-9a-f]{8})\r\n")
# How redis-server begins to write at the end of a file that we began. We spell these in lower case, so that the half of
# a unit of ours never passes for its work.
_FOREIGN = (b"*2\r\n$6\r\nSELECT\r\n", b"*1\r\n$5\r\nMULTI\r\n", b"#TS:")


def header(name: str, nonce: bytes, before: int | None = None) -> tuple[bytes, int]:
    """The first line of a file, and the value that its chain begins with.

    Args:
        name: the file's name, which ties its content to its place in the log.
        nonce: eight random bytes, which tie the chain to this very file.
        before: of a base, the number of the first increment that comes after it.

    >>> header("a.aof", b"12345678")
    (b'#CRC:v1 3132333435363738 a.aof,060d5768\\r\\n', 101537640)
    """
    follows = b"" if before is None else b" before %d" % before
    text = MARK + b"v1 " + hexlify(nonce) + b" " + name.encode("utf-8", "surrogateescape") + follows + b","
    crc = crc32(text)
    return text + b"%08x\r\n" % crc, crc


def sealed(data: bytes, crc: int, synced: int | None = None) -> tuple[bytes, int]:
    """``data`` with the line that vouches for it, and the chain's new value.

    Args:
        data: one unit, or one group of a base.
        crc: the chain's value before it.
        synced: up to where the file is on the disk; None where nothing new is known.
    """
    text = data + b"#CRC:," if synced is None else b"%b#CRC:%x," % (data, synced)
    crc = crc32(text, crc)
    return b"%b%08x\r\n" % (text, crc), crc


def read_header(data: bytes, name: str) -> tuple[int, int] | None:
    """Where the first line of a file of ours ends and what its chain begins with; None if there is no whole such line.

    Raises:
        ValueError: the line is damaged, or was written for another file; the text says which.
    """
    if not data.startswith(MARK):
        return None
    found = _HEADER.match(data)
    if found is None:
        if len(data) < LINE_LIMIT and b"\n" not in data:
            return None
        raise ValueError("its first line is no checksum line")
    crc = crc32(data[: found.start(4)])
    if b"%08x" % crc != found[4]:
        raise ValueError("its first line is damaged")
    if found[2] != name.encode("utf-8", "surrogateescape"):
        raise ValueError(f"it was written as {found[2].decode('utf-8', 'replace')}")
    return found.end(), crc


def read_before(data: bytes) -> int | None:
    """Which increment the first line of a base says comes next; None if it doesn't, or is not ours and whole."""
    found = _HEADER.match(data)
    if found is None or not found[3] or b"%08x" % crc32(data[: found.start(4)]) != found[4]:
        return None
    return int(found[3])


class Verifier:
    """Follows a file's chain, fed piece by piece.

    ``offset`` is up to where the chain vouches for the file, ``crc`` its value there, ``rest`` what was read beyond.

    Args:
        offset: where the header ends.
        crc: what the chain begins with.
        floor: size and CRC that the manifest says the file reached; ``reached`` tells whether it did.
    """

    def __init__(self, offset: int, crc: int, floor: tuple[int, int] | None = None) -> None:
        self.offset = offset
        self.crc = crc
        self.rest: bytes = b""
        self.floor = floor
        self.reached = floor is None or floor == (offset, crc)
        self._state = crc
        self._scanned = 0  # up to where in ``rest`` the running value counts

    def feed(self, data: bytes) -> list[bytes]:
        """What the chain vouches for now that ``data`` has come: whole units, without the lines between them."""
        if self.rest:
            data = self.rest + data
        sealed: list[bytes] = []
        begin, scanned, state, crc = 0, self._scanned, self._state, self.crc
        base = self.offset
        floor_at = self.floor[0] if self.floor is not None else -1
        with memoryview(data) as view:
            for found in _LINE.finditer(data, scanned):
                digits = found.start(2)
                state = crc32(view[scanned:digits], state)
                if b"%08x" % state == found[2]:
                    sealed.append(data[begin : found.start()])
                    begin = scanned = found.end()
                    crc = state
                    if base + begin == floor_at and self.floor is not None:
                        self.reached = crc == self.floor[1]
                else:
                    scanned = digits  # a value that looks like a line, or a damaged unit: the file's end will tell
        self.offset += begin
        self.rest = data[begin:] if begin else data
        self._scanned = scanned - begin
        self._state, self.crc = state, crc
        return sealed


def claims_beyond(tail: bytes, offset: int) -> bool:
    """Whether a line in ``tail``, which begins at ``offset``, says that bytes in it had reached the disk."""
    return any(found[1] and offset < int(found[1], 16) <= offset + found.start() for found in _LINE.finditer(tail))


def is_foreign(tail: bytes) -> bool:
    """Whether what follows our last line was appended by redis-server, and not by an interrupted write of ours."""
    return tail.startswith(_FOREIGN)
