"""Lengths and strings, of which all else in an RDB file is made: read from a buffer, and written.

Reading never looks further than the buffer, and never makes anything larger than it, but for compressed strings, whose
announced size is checked first. A buffer that ends too early raises `NeedMore` or IndexError, and whoever has the file
reads on and tries again.
"""

from __future__ import annotations

import zlib

from redmodel.engine.storage.rdb.lzf import EXPANSION, compress, decompress

COMPRESSED_FROM = 256
"""Shorter strings are not compressed: Redis does from 21 bytes on, but C compresses a hundred times faster."""

_PROBE = 4096
_PAYS = 0.4


class NeedMore(Exception):
    """What is read reaches to ``end`` at least, which is past the end of the buffer."""

    def __init__(self, end: int) -> None:
        super().__init__(end)
        self.end = end


class BadData(Exception):
    """What stands at ``position`` of the buffer can't be right."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


def read_length(buffer: bytes, position: int) -> tuple[int, int]:
    """A length, and the position after it."""
    first = buffer[position]
    if first < 0x40:
        return first, position + 1
    if first < 0x80:
        return (first & 0x3F) << 8 | buffer[position + 1], position + 2
    if first == 0x80:
        end = position + 5
    elif first == 0x81:
        end = position + 9
    else:
        raise BadData(position, "no length")
    if end > len(buffer):
        raise NeedMore(end)
    return int.from_bytes(buffer[position + 1 : end], "big"), end


def read_count(buffer: bytes, position: int) -> tuple[int, int]:
    """How many elements follow, each of which takes a byte at least, and the position after it."""
    count, position = read_length(buffer, position)
    if count > len(buffer) - position:
        raise NeedMore(position + count)
    return count, position


def read_string(buffer: bytes, position: int) -> tuple[bytes, int]:
    """A string, and the position after it."""
    first = buffer[position]
    if first < 0x40:
        start = position + 1
        end = start + first
    elif first < 0xC0:
        length, start = read_length(buffer, position)
        end = start + length
    else:
        return _read_encoded(buffer, position)
    if end > len(buffer):
        raise NeedMore(end)
    return buffer[start:end], end


def _read_encoded(buffer: bytes, position: int) -> tuple[bytes, int]:
    """A string that is a number or compressed."""
    kind = buffer[position] & 0x3F
    if kind < 3:
        end = position + 1 + (1 << kind)
        if end > len(buffer):
            raise NeedMore(end)
        return b"%d" % int.from_bytes(buffer[position + 1 : end], "little", signed=True), end
    if kind > 3:
        raise BadData(position, "a string of an unknown encoding")
    compressed, start = read_length(buffer, position + 1)
    size, start = read_length(buffer, start)
    end = start + compressed
    if size > compressed * EXPANSION:
        raise BadData(position, "compressed data that can't hold what it announces")
    if end > len(buffer):
        raise NeedMore(end)
    try:
        return decompress(buffer[start:end], size), end
    except ValueError as error:
        raise BadData(position, str(error)) from None


_HEADS = [bytes((length,)) for length in range(0x40)]


def length(number: int) -> bytes:
    """A length as it is written.

    >>> length(10), length(300), length(70000)
    (b'\\n', b'A,', b'\\x80\\x00\\x01\\x11p')
    """
    if number < 0x40:
        return _HEADS[number]
    if number < 0x4000:
        return (number | 0x4000).to_bytes(2, "big")
    if number < 1 << 32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")


def string(text: bytes) -> bytes:
    """A string as it is written: as a number where it is one, compressed where that halves it."""
    size = len(text)
    if size < 0x40:
        if size < 12 and (text.isdigit() or text[:1] == b"-") and (packed := _packed(text)):
            return packed
        return _HEADS[size] + text
    if size >= COMPRESSED_FROM and _pays(text) and (compressed := compress(text)) is not None:
        return b"".join((b"\xc3", length(len(compressed)), length(size), compressed))
    return length(size) + text


def _pays(text: bytes) -> bool:
    """Whether compressing would about halve a string, by the look of its beginning.

    zlib tells that in a tenth of the time; without codes of its own for single bytes it finds what LZF finds.
    """
    beginning = text[:_PROBE]
    probe = zlib.compressobj(1, zlib.DEFLATED, -13, 8, zlib.Z_FIXED)
    return len(probe.compress(beginning)) + len(probe.flush()) < _PAYS * len(beginning)


def _packed(text: bytes) -> bytes:
    """A number of up to 32 bits, or nothing where the text is not exactly how one is written."""
    try:
        number = int(text)
    except ValueError:
        return b""
    if b"%d" % number != text:
        return b""
    for kind in (0, 1, 2):
        size = 1 << kind
        if -(1 << 8 * size - 1) <= number < 1 << 8 * size - 1:
            return bytes((0xC0 | kind,)) + number.to_bytes(size, "little", signed=True)
    return b""
