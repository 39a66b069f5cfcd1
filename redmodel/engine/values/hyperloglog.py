"""HyperLogLog: the bytes of Redis' counters of distinct elements, sparse and dense. No keys, no commands.

A counter is a string: ``HYLL``, its encoding, three bytes that are not used, the last count in eight (the highest bit
says that it is out of date), and 16,384 registers. Dense ones take six bits each. Sparse ones are runs: ``00llllll``
is up to 64 zeros, ``01llllll llllllll`` up to 16,384 zeros, ``1vvvvvll`` up to four times a value of up to 32.
What is written here is bit for bit what Redis writes, as values are copied between them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from math import inf, sqrt

REGISTERS = 1 << 14
_BITS = 6
_HEADER = 16
DENSE_SIZE = _HEADER + REGISTERS * _BITS // 8
_MAGIC = b"HYLL"
_DENSE, _SPARSE = 0, 1
_OUT_OF_DATE = 0x80
_HASH_BITS = 64 - 14
_SPARSE_MOST = 32  # the largest value of a run
_ALPHA = 0.721347520444481703680

# Either many runs of one byte, or one of two.
_RUNS = re.compile(rb"[^\x40-\x7f]+|[\x40-\x7f].", re.DOTALL)
_SPANS = bytes([code + 1 if code < 0x40 else (code & 3) + 1 for code in range(256)])

_U64 = (1 << 64) - 1
_M = 0xC6A4A7935BD1E995
_SEED = 0xADC83B19


class Corrupted(ValueError):
    """The runs of a sparse counter don't fill its registers."""


def empty() -> bytes:
    """A counter of nothing: one run of zeros.

    >>> count(add(empty(), [b"a", b"b", b"a"], 3000))
    2
    """
    return _MAGIC + bytes((_SPARSE,)) + bytes(11) + b"\x7f\xff"


def is_counter(value: bytes) -> bool:
    """Whether a string can be a counter, by its beginning and its length."""
    if len(value) < _HEADER or not value.startswith(_MAGIC) or value[4] > _SPARSE:
        return False
    return value[4] == _SPARSE or len(value) == DENSE_SIZE


def is_dense(value: bytes) -> bool:
    """Which of the two encodings a counter has."""
    return value[4] == _DENSE


def known_count(value: bytes) -> int | None:
    """The count that a counter holds; None if it is out of date."""
    return None if value[15] & _OUT_OF_DATE else int.from_bytes(value[8:16], "little")


def with_count(value: bytes, number: int) -> bytes:
    """The counter with a count that is up to date."""
    return value[:8] + number.to_bytes(8, "little") + value[16:]


def _hash(data: bytes) -> int:
    """MurmurHash2, the 64-bit version for little-endian machines, with Redis' seed."""
    size = len(data)
    h = _SEED ^ (size * _M & _U64)
    whole = size & ~7
    for at in range(0, whole, 8):
        k = int.from_bytes(data[at : at + 8], "little") * _M & _U64
        k ^= k >> 47
        h = (h ^ (k * _M & _U64)) * _M & _U64
    if size & 7:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _U64
    h ^= h >> 47
    h = h * _M & _U64
    return h ^ h >> 47


def place_of(element: bytes) -> tuple[int, int]:
    """The register of an element, and the value that it wants there: the zeros at the end of its hash, and one."""
    number = _hash(element)
    rest = number >> 14 | 1 << _HASH_BITS
    return number & (REGISTERS - 1), (rest & -rest).bit_length()


def add(value: bytes, elements: Iterable[bytes], sparse_most: int) -> bytes:
    """The counter with more elements, marked as out of date; the very same object where nothing has changed.

    Args:
        value: a counter.
        elements: what was seen.
        sparse_most: bytes a sparse counter may take (``hll-sparse-max-bytes``) before it is made dense.

    Raises:
        Corrupted: a run doesn't end where it should.

    Cost: O(elements * runs) for a sparse counter, O(elements) for a dense one.
    """
    return _raised(value, map(place_of, elements), sparse_most)


def _raised(value: bytes, places: Iterable[tuple[int, int]], sparse_most: int) -> bytes:
    found = bytearray(value)
    changed = False
    for index, wanted in places:
        if found[4] == _SPARSE:
            raised = _raise_sparse(found, index, wanted, sparse_most)
            if raised is None:
                found = bytearray(dense(bytes(found)))
                raised = _raise_dense(found, index, wanted)
        else:
            raised = _raise_dense(found, index, wanted)
        changed |= raised
    if not changed:
        return value
    found[15] |= _OUT_OF_DATE
    return bytes(found)


def _raise_dense(found: bytearray, index: int, wanted: int) -> bool:
    at, shift = _HEADER + (index * _BITS >> 3), index * _BITS & 7
    pair = found[at] | (found[at + 1] << 8 if at + 1 < DENSE_SIZE else 0)
    if pair >> shift & 63 >= wanted:
        return False
    pair = pair & ~(63 << shift) | wanted << shift
    found[at] = pair & 0xFF
    if at + 1 < DENSE_SIZE:
        found[at + 1] = pair >> 8
    return True


def _raise_sparse(found: bytearray, index: int, wanted: int, sparse_most: int) -> bool | None:
    """Raise one register; None if the counter must be made dense for that."""
    if wanted > _SPARSE_MOST:
        return None
    at, first, span, size, previous = _run_with(bytes(found), index)
    code = found[at]
    current = (code >> 2 & 31) + 1 if code & 0x80 else 0
    if current >= wanted:
        return False
    if span == 1 and size == 1:
        found[at] = _run(wanted, 1)
    else:
        before, after = index - first, first + span - 1 - index
        runs = _runs(current, before) + bytes((_run(wanted, 1),)) + _runs(current, after)
        more = len(runs) - size
        if more > 0 and len(found) + more > sparse_most:
            return None
        found[at : at + size] = runs
    _join_runs(found, previous)
    found[15] |= _OUT_OF_DATE
    return True


def _run_with(value: bytes, index: int) -> tuple[int, int, int, int, int]:
    """Where the run with a register stands, its first register, its length, its bytes, and where the one before is."""
    first, previous = 0, _HEADER
    for match in _RUNS.finditer(value, _HEADER):
        runs = match[0]
        if runs[0] & 0xC0 == 0x40:
            span = ((runs[0] & 0x3F) << 8 | runs[1]) + 1
            if index < first + span:
                return match.start(), first, span, 2, previous
            first += span
            previous = match.start()
        else:
            spans = runs.translate(_SPANS)
            total = sum(spans)
            if index < first + total:
                ends = list(accumulate(spans, initial=first))
                number = bisect_right(ends, index) - 1
                at = match.start() + number
                return at, ends[number], spans[number], 1, at - 1 if number else previous
            first += total
            previous = match.end() - 1
    raise Corrupted


def _run(value: int, length: int) -> int:
    return 0x80 | value - 1 << 2 | length - 1


def _runs(value: int, length: int) -> bytes:
    """A run of a value, or of zeros, as short as can be."""
    if not length:
        return b""
    if value:
        return bytes((_run(value, length),))
    if length > 64:
        return bytes((0x40 | length - 1 >> 8, length - 1 & 0xFF))
    return bytes((length - 1,))


def _join_runs(found: bytearray, at: int) -> None:
    """Join runs of one value that stand side by side, among the five from here on, as Redis does after a change."""
    scanned = 0
    while at < len(found) and scanned < 5:
        scanned += 1
        code = found[at]
        if not code & 0x80:
            at += 2 if code & 0x40 else 1
            continue
        if at + 1 < len(found) and found[at + 1] & 0x80:
            follower = found[at + 1]
            length = (code & 3) + (follower & 3) + 2
            if code & 0x7C == follower & 0x7C and length <= 4:
                found[at : at + 2] = bytes((code & 0xFC | length - 1,))
                continue
        at += 1


def _sparse_runs(value: bytes) -> Iterator[tuple[int, int]]:
    """Each run as (value, length)."""
    at, end, total = _HEADER, len(value), 0
    while at < end:
        code = value[at]
        if code & 0x80:
            run, length = (code >> 2 & 31) + 1, (code & 3) + 1
        elif code & 0x40:
            if at + 1 >= end:
                raise Corrupted
            run, length = 0, ((code & 0x3F) << 8 | value[at + 1]) + 1
            at += 1
        else:
            run, length = 0, code + 1
        at += 1
        total += length
        if total > REGISTERS:
            raise Corrupted
        yield run, length
    if total != REGISTERS:
        raise Corrupted


def registers(value: bytes) -> bytes:
    """The value of each register of a counter.

    Raises:
        Corrupted: the runs don't fill the registers.
    """
    if value[4] == _SPARSE:
        return b"".join([bytes((run,)) * length for run, length in _sparse_runs(value)])
    found = bytearray(REGISTERS)
    body = value[_HEADER:]
    one, two, three = body[::3], body[1::3], body[2::3]
    # Four registers in three bytes, the lowest bits first.
    found[::4] = bytes([a & 63 for a in one])
    found[1::4] = bytes([a >> 6 | (b & 15) << 2 for a, b in zip(one, two, strict=True)])
    found[2::4] = bytes([b >> 4 | (c & 3) << 4 for b, c in zip(two, three, strict=True)])
    found[3::4] = bytes([c >> 2 for c in three])
    return bytes(found)


def dense(value: bytes) -> bytes:
    """The same counter in the dense encoding.

    Raises:
        Corrupted: the runs don't fill the registers.
    """
    if is_dense(value):
        return value
    values = registers(value)
    body = bytearray(REGISTERS * _BITS // 8)
    quads = list(zip(values[::4], values[1::4], values[2::4], values[3::4], strict=True))
    body[::3] = bytes([(a | b << 6) & 0xFF for a, b, _, _ in quads])
    body[1::3] = bytes([(b >> 2 | c << 4) & 0xFF for _, b, c, _ in quads])
    body[2::3] = bytes([c >> 4 | d << 2 for _, _, c, d in quads])
    return value[:4] + bytes((_DENSE,)) + value[5:_HEADER] + body


def highest(counters: Iterable[bytes]) -> bytes:
    """The highest value of each register among some counters.

    Raises:
        Corrupted: the runs of one don't fill its registers.
    """
    found = bytes(REGISTERS)
    for value in counters:
        found = bytes(map(max, found, registers(value)))
    return found


def merged(target: bytes, values: bytes, sparse_most: int) -> bytes:
    """A counter with its registers raised to these values, marked as out of date."""
    raised = _raised(target, ((index, value) for index, value in enumerate(values) if value), sparse_most)
    return raised[:15] + bytes((raised[15] | _OUT_OF_DATE,)) + raised[16:]


def count(value: bytes) -> int:
    """About how many distinct elements a counter has seen.

    Raises:
        Corrupted: the runs don't fill the registers.
    """
    return count_of(registers(value))


def count_of(values: bytes) -> int:
    """The count that register values stand for, by Otmar Ertl's estimator, as Redis does."""
    often = [values.count(value) for value in range(64)]
    m = float(REGISTERS)
    z = m * _tau((m - often[_HASH_BITS + 1]) / m)
    for value in range(_HASH_BITS, 0, -1):
        z = (z + often[value]) * 0.5
    z += m * _sigma(often[0] / m)
    return int(_ALPHA * m * m / z + 0.5) if z else 1 << 63  # what C makes of infinity


def _sigma(x: float) -> float:
    if x == 1.0:
        return inf
    y, z = 1.0, x
    while True:
        x *= x
        before = z
        z += x * y
        y += y
        if before == z:
            return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z = 1.0, 1 - x
    while True:
        x = sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
        if before == z:
            return z / 3


def spelled(value: bytes) -> str:
    """The runs of a sparse counter as PFDEBUG DECODE shows them.

    Raises:
        Corrupted: half a run stands at the end.
    """
    shown: list[str] = []
    at = _HEADER
    while at < len(value):
        code = value[at]
        if code & 0x80:
            shown.append(f"v:{(code >> 2 & 31) + 1},{(code & 3) + 1}")
        elif code & 0x40:
            at += 1
            if at == len(value):
                raise Corrupted
            shown.append(f"Z:{((code & 0x3F) << 8 | value[at]) + 1}")
        else:
            shown.append(f"z:{code + 1}")
        at += 1
    return " ".join(shown)
