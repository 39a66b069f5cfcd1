"""The checksum against its definition and its table, and the compression against real data and lies."""

from __future__ import annotations

import random

import pytest

from redmodel.engine.storage.rdb import checksum, lzf
from redmodel.engine.storage.rdb.checksum import crc64

JONES = 0xAD93D23594C935A9


def plainly(data: bytes, state: int = 0) -> int:
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (checksum._POLYNOMIAL if state & 1 else 0)
    return state


def test_the_polynomial() -> None:
    assert int(f"{JONES:064b}"[::-1], 2) == checksum._POLYNOMIAL
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert crc64(b"") == 0


def test_the_rests_of_the_large_powers() -> None:
    wanted = dict([checksum._LARGE, checksum._SMALL])
    rest = 1
    for power in range(max(wanted) + 1):
        if power in wanted:
            assert tuple(bit for bit in range(64) if rest >> bit & 1) == wanted[power]
        rest = (rest << 1) % (1 << 64) ^ (JONES if rest >> 63 else 0)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 95, 96, 97, 98, 120, 256, 1000, 4097, 40_000, 90_001])
def test_any_size_in_any_pieces(size: int) -> None:
    rng = random.Random(size)
    data = rng.randbytes(size)
    state = rng.getrandbits(64)
    assert crc64(data, state) == plainly(data, state)
    cut = rng.randrange(size + 1)
    assert crc64(data[cut:], crc64(data[:cut], state)) == plainly(data, state)
    assert crc64(memoryview(data)) == crc64(bytearray(data)) == plainly(data)


def test_compressed_is_what_it_was() -> None:
    rng = random.Random(3)
    for _ in range(2000):
        alphabet = rng.choice([b"a", b"ab", b"abc", bytes(range(256)), b"hello world "])
        data = bytes(rng.choice(alphabet) for _ in range(rng.randrange(400)))
        data *= rng.choice([1, 1, 2, 5])
        small = lzf.compress(data)
        if small is not None:
            assert len(small) < len(data) - 4
            assert lzf.decompress(small, len(data)) == data
    for data in (b"x" * 100_000, rng.randbytes(5000) * 3, b"abcdefgh" * 4000 + rng.randbytes(3000)):
        small = lzf.compress(data)
        assert small is not None
        assert lzf.decompress(small, len(data)) == data
    assert lzf.compress(rng.randbytes(100_000)) is None


def test_lies_in_compressed_data() -> None:
    good = lzf.compress(b"abcabcabcabcabcabcabcabcabc")
    assert good is not None
    for size in (0, 26, 28, 10**9):
        with pytest.raises(ValueError, match="compressed data"):
            lzf.decompress(good, size)
    for end in range(len(good)):
        with pytest.raises(ValueError, match="compressed data"):
            lzf.decompress(good[:end], 27)
    with pytest.raises(ValueError, match="before its start"):
        lzf.decompress(b"\x00a\x20\x01", 4)
