"""CRC-64 with Jones' polynomial, reflected, as Redis puts it behind an RDB file and a DUMP payload. No I/O.

Long data is not walked byte by byte: as one large integer it is a polynomial over GF(2), and may be replaced by any
other that leaves the same rest. Each `_Fold` states that one power of x leaves the same rest as a few small powers, so
a few shifts and XORs of the integer, which run in C, take away half of the data. What is left at last, some sixty
bytes, goes through the usual table.
"""

from __future__ import annotations

from collections.abc import Sequence

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # Jones' 0xAD93D23594C935A9, its bits reversed
_TABLE_BYTES = 96  # below this the table alone is faster


def _make_table() -> tuple[int, ...]:
    table: list[int] = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _make_table()

# x**power leaves the rest sum(x**p for p in powers). Squaring doubles all of them, and so there is one for every size.
# These were found by looking for rests of few terms; a test computes them anew.
_Fold = tuple[int, Sequence[int]]
_LARGE: _Fold = (149742, (0, 4, 9, 12, 26, 33, 37, 39, 40, 41, 43, 45, 46, 59))
_SMALL: _Fold = (214, (0, 1, 3, 6, 7, 8, 18, 19, 27, 29, 30, 34, 35, 36, 41, 48, 49, 54, 55, 61))


def crc64(data: bytes | bytearray | memoryview, state: int = 0) -> int:
    """The checksum of ``data``, or of all data so far where ``state`` is the checksum of what came before.

    >>> hex(crc64(b"123456789"))
    '0xe9c6d914c4b8d9ca'
    >>> crc64(b"6789", crc64(b"12345")) == crc64(b"123456789")
    True
    """
    if len(data) > _TABLE_BYTES:
        data = _folded(data, state)
        state = 0
    table = _TABLE
    for byte in data:
        state = table[(state ^ byte) & 0xFF] ^ state >> 8
    return state


def _folded(data: bytes | bytearray | memoryview, state: int) -> bytes:
    """Some 60 bytes with the checksum that ``data`` has after ``state``."""
    # The first byte holds the highest powers: bit i of the integer stands for x**(bits - 1 - i).
    message = int.from_bytes(data, "little") ^ state
    bits = 8 * len(data)
    for power, terms in (_LARGE, _SMALL):
        while bits > 2 * power:
            scale = (bits // (2 * power)).bit_length() - 1
            reach = power << scale
            # Cut off the low bits, the high powers; each comes back at the places of the terms, further up.
            cut = min(reach - (terms[-1] << scale), bits - reach) & ~7
            high = message & ((1 << cut) - 1)
            lowest = reach - (terms[-1] << scale)
            gathered = 0
            for term in terms:
                gathered ^= high << ((terms[-1] - term) << scale)
            message = message >> cut ^ gathered << (lowest - cut)
            bits -= cut
    return message.to_bytes((bits + 7) // 8, "little")
