"""LZF, the compression of strings in RDB files: literal runs and references at most 8 KB back. No I/O."""

from __future__ import annotations

EXPANSION = 88
"""No three bytes of LZF stand for more than 264: a longer announced length is a lie."""

_WINDOW = 1 << 13
_LONGEST = 264
_RUN = 32
_PROBE = 2 * _WINDOW


def decompress(data: bytes, size: int) -> bytes:
    """Expand ``data``, which must give exactly ``size`` bytes.

    Raises:
        ValueError: it is cut off, refers to what is before its start, or gives another size.
    """
    if size > len(data) * EXPANSION:
        raise ValueError("compressed data that can't hold what it announces")
    out = bytearray()
    position, end = 0, len(data)
    try:
        while position < end:
            control = data[position]
            position += 1
            if control < _RUN:
                after = position + control + 1
                out += data[position:after]
                position = after
            else:
                length = (control >> 5) + 2
                if length == 9:
                    length += data[position]
                    position += 1
                back = ((control & 31) << 8) + data[position] + 1
                position += 1
                start = len(out) - back
                if start < 0:
                    raise ValueError("compressed data that refers to what is before its start")
                if back >= length:
                    out += out[start : start + length]
                else:
                    out += (out[start:] * (length // back + 1))[:length]
            if len(out) > size:
                break
    except IndexError:
        raise ValueError("compressed data that is cut off") from None
    if position != end or len(out) != size:
        raise ValueError("compressed data of another length than announced")
    return bytes(out)


def compress(data: bytes) -> bytes | None:
    """Compress ``data``, or None where that saves fewer than five bytes, or nothing in the first 16 KB."""
    size = len(data)
    out = bytearray()
    seen: dict[bytes, int] = {}
    position = written = 0
    probe = min(_PROBE, size)
    last = size - 2
    while position < last:
        three = data[position : position + 3]
        start = seen.get(three, -1)
        seen[three] = position
        if start < 0 or position - start > _WINDOW:
            position += 1
            if position >= probe:
                if len(out) + position - written >= position:
                    return None
                probe = size
            continue
        length = _shared(data, start, position, min(_LONGEST, size - position))
        if written < position:
            _literals(out, data, written, position)
        back = position - start - 1
        if length < 9:
            out.append((length - 2) << 5 | back >> 8)
        else:
            out.append(7 << 5 | back >> 8)
            out.append(length - 9)
        out.append(back & 0xFF)
        position += length
        written = position
        if position < last:
            # Redis notes the last two places of a match as well, and nothing inside it.
            seen[data[position - 2 : position + 1]] = position - 2
            seen[data[position - 1 : position + 2]] = position - 1
    _literals(out, data, written, size)
    return bytes(out) if len(out) < size - 4 else None


def _shared(data: bytes, start: int, position: int, most: int) -> int:
    """How many bytes at two places are the same; the first three are."""
    length = 3
    step = 16
    while length < most:
        step = min(step, most - length)
        if data[start + length : start + length + step] == data[position + length : position + length + step]:
            length += step
            step *= 2
        elif step == 1:
            break
        else:
            step = step // 4 or 1
    return length


def _literals(out: bytearray, data: bytes, start: int, end: int) -> None:
    for at in range(start, end, _RUN):
        run = data[at : min(at + _RUN, end)]
        out.append(len(run) - 1)
        out += run
