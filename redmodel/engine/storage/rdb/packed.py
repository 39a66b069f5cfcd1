"""The packed collections that RDB files hold as one string: listpack, ziplist, intset and zipmap. No I/O.

All are read, and listpacks are written, of which streams consist. Each function that reads gives the elements as Redis
would answer them, numbers as their digits, and raises ValueError (or IndexError) for a blob that is not exactly what
its header says.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from struct import pack, unpack_from

from redmodel.engine.arguments import parse_integer

_NUMBERS = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}  # of a listpack: how many bytes follow
_ZIPLIST_NUMBERS = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
_SMALL = [b"%d" % number for number in range(128)]
_UNCOUNTED = 0xFFFF  # a count of this says: more than fit into two bytes


def listpack(blob: bytes) -> list[bytes]:
    """The elements of a listpack."""
    size = len(blob)
    if size < 7 or int.from_bytes(blob[:4], "little") != size or blob[-1] != 0xFF:
        raise ValueError("a listpack of another size than it says")
    elements: list[bytes] = []
    append = elements.append
    small = _SMALL
    position, last = 6, size - 1
    while position < last:
        first = blob[position]
        if 0x80 <= first < 0xC0:  # a string of up to 63 bytes
            end = position + first - 0x7F
            append(blob[position + 1 : end])
            if blob[end] != end - position:
                raise ValueError("a listpack whose element has two lengths")
            position = end + 1
        elif first < 0x80:  # a number up to 127
            append(small[first])
            if blob[position + 1] != 1:
                raise ValueError("a listpack whose element has two lengths")
            position += 2
        else:
            element, end = _listpack_element(blob, position)
            append(element)
            position = _after_back_length(blob, end, end - position)
    if position != last:
        raise ValueError("a listpack whose element reaches past its end")
    count = blob[4] | blob[5] << 8
    if count not in (len(elements), _UNCOUNTED):
        raise ValueError("a listpack with another number of elements than it says")
    return elements


def _listpack_element(blob: bytes, position: int) -> tuple[bytes, int]:
    """A longer element, and where the length behind it stands."""
    first = blob[position]
    start = position + 1
    if first < 0xE0:
        number = (first & 0x1F) << 8 | blob[start]
        return b"%d" % (number if number < 0x1000 else number - 0x2000), start + 1
    if first < 0xF0:
        end = start + 1 + ((first & 0x0F) << 8 | blob[start])
        return blob[start + 1 : end], end
    if first == 0xF0:
        end = start + 4 + int.from_bytes(blob[start : start + 4], "little")
        return blob[start + 4 : end], end
    if first not in _NUMBERS:
        raise ValueError("a listpack with an element of an unknown encoding")
    end = start + _NUMBERS[first]
    return b"%d" % int.from_bytes(blob[start:end], "little", signed=True), end


def _after_back_length(blob: bytes, position: int, length: int) -> int:
    """The position after the length that stands behind a long element, for those who walk backwards."""
    size = _back_length_size(length)
    found = 0
    for byte in blob[position : position + size]:
        found = found << 7 | byte & 0x7F
    if found != length or position + size >= len(blob):
        raise ValueError("a listpack whose element has two lengths")
    return position + size


def _back_length_size(length: int) -> int:
    """How many bytes Redis takes for it: one more than needed where all bits are set."""
    if length < 128:
        return 1
    if length < 16_383:
        return 2
    if length < 2_097_151:
        return 3
    return 4 if length < 268_435_455 else 5


def to_listpack(elements: Sequence[bytes]) -> bytes:
    """A listpack of these elements; those that are numbers as text are kept as numbers, as Redis does."""
    parts: list[bytes] = []
    for element in elements:
        entry = _to_element(element)
        parts.append(entry)
        size = len(entry)
        if size < 128:
            parts.append(bytes((size,)))
        else:
            count = _back_length_size(size)
            # The highest seven bits first; all but the first byte say that more stand before them.
            parts.append(
                bytes((size >> 7 * at & 0x7F) | (0 if at == count - 1 else 0x80) for at in reversed(range(count)))
            )
    body = b"".join(parts)
    return pack("<IH", len(body) + 7, min(len(elements), _UNCOUNTED)) + body + b"\xff"


def _to_element(text: bytes) -> bytes:
    size = len(text)
    if size <= 20 and text[:1] in b"-0123456789" and (number := parse_integer(text)) is not None:
        if 0 <= number < 128:
            return bytes((number,))
        if -4096 <= number < 4096:
            number &= 0x1FFF
            return bytes((0xC0 | number >> 8, number & 0xFF))
        for first, width in _NUMBERS.items():
            if -(1 << 8 * width - 1) <= number < 1 << 8 * width - 1:
                return bytes((first,)) + number.to_bytes(width, "little", signed=True)
    if size < 64:
        return bytes((0x80 | size,)) + text
    if size < 4096:
        return bytes((0xE0 | size >> 8, size & 0xFF)) + text
    return b"\xf0" + size.to_bytes(4, "little") + text


def ziplist(blob: bytes) -> list[bytes]:
    """The elements of a ziplist."""
    size = len(blob)
    if size < 11 or int.from_bytes(blob[:4], "little") != size or blob[-1] != 0xFF:
        raise ValueError("a ziplist of another size than it says")
    elements: list[bytes] = []
    position, last, previous, tail = 10, size - 1, 0, 10
    while position < last:
        tail = position
        if blob[position] < 0xFE:
            stated, start = blob[position], position + 1
        else:
            stated, start = int.from_bytes(blob[position + 1 : position + 5], "little"), position + 5
        if stated != previous or blob[position] == 0xFF:
            raise ValueError("a ziplist whose element has two lengths")
        element, end = _ziplist_element(blob, start)
        if end > last:
            raise ValueError("a ziplist whose element reaches past its end")
        elements.append(element)
        previous = end - position
        position = end
    if int.from_bytes(blob[4:8], "little") != tail:
        raise ValueError("a ziplist whose last element is elsewhere than it says")
    count = blob[8] | blob[9] << 8
    if count not in (len(elements), _UNCOUNTED):
        raise ValueError("a ziplist with another number of elements than it says")
    return elements


def _ziplist_element(blob: bytes, start: int) -> tuple[bytes, int]:
    first = blob[start]
    if first < 0xC0:
        if first < 0x40:
            begin, length = start + 1, first
        elif first < 0x80:
            begin, length = start + 2, (first & 0x3F) << 8 | blob[start + 1]
        elif first == 0x80:
            begin, length = start + 5, int.from_bytes(blob[start + 1 : start + 5], "big")
        else:
            raise ValueError("a ziplist with an element of an unknown encoding")
        return blob[begin : begin + length], begin + length
    width = _ZIPLIST_NUMBERS.get(first)
    if width is not None:
        end = start + 1 + width
        return b"%d" % int.from_bytes(blob[start + 1 : end], "little", signed=True), end
    if 0xF1 <= first <= 0xFD:
        return _SMALL[first - 0xF1], start + 1
    raise ValueError("a ziplist with an element of an unknown encoding")


def intset(blob: bytes) -> list[bytes]:
    """The members of an intset, in order."""
    if len(blob) < 8:
        raise ValueError("an intset that is cut off")
    width, count = unpack_from("<II", blob)
    kind = {2: "h", 4: "i", 8: "q"}.get(width)
    if kind is None or len(blob) != 8 + width * count:
        raise ValueError("an intset of another size than it says")
    numbers: tuple[int, ...] = unpack_from(f"<{count}{kind}", blob, 8)
    if any(one >= other for one, other in pairwise(numbers)):
        raise ValueError("an intset that is out of order")
    return [b"%d" % number for number in numbers]


def zipmap(blob: bytes) -> list[bytes]:
    """The fields and values of a zipmap, in turn; Redis 2.4 and older wrote such."""
    elements: list[bytes] = []
    position, last = 1, len(blob) - 1
    if last < 1 or blob[last] != 0xFF:
        raise ValueError("a zipmap that is cut off")
    while position < last:
        for is_value in (False, True):
            length = blob[position]
            position += 1
            if length > 0xFD:
                if length == 0xFF:
                    raise ValueError("a zipmap with a field and no value")
                length = int.from_bytes(blob[position : position + 4], "little")
                position += 4
            unused = blob[position] if is_value else 0
            position += is_value
            if position + length + unused > last:
                raise ValueError("a zipmap whose element reaches past its end")
            elements.append(blob[position : position + length])
            position += length + unused
    if blob[0] < 0xFE and blob[0] != len(elements) // 2:
        raise ValueError("a zipmap with another number of fields than it says")
    return elements
