"""A log cut anywhere opens with its longest valid prefix; damage before the end is refused, with its place."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest

from redmodel.engine.storage.format import CommandDecoder, UnitEncoder, encode_command, is_torn
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.errors import StorageError, StoreDamaged
from tests.engine.storage.faulty import incr

UNITS: list[list[tuple[int, tuple[bytes, ...]]]] = [
    [(0, (b"SET", b"a", b"1"))],
    [(0, (b"SET", b"b", b"2")), (0, (b"HSET", b"h", b"f\r\n", b"*1\r\n"))],
    [(3, (b"SADD", b"s", b"", b"\x00\xff"))],
    [(3, (b"SET", b"c", b"x" * 40)), (1, (b"SET", b"d", b"y")), (0, (b"DEL", b"a"))],
    [(0, (b"SET", b"e", b"last"))],
]


def commands_of(units: list[list[tuple[int, tuple[bytes, ...]]]]) -> list[tuple[bytes, ...]]:
    return [args for unit in units for _, args in unit]


def write_log(directory: Path, units: list[list[tuple[int, tuple[bytes, ...]]]]) -> list[int]:
    """Write the units; returns the file's size after each."""
    sizes = [0]
    with AppendOnlyLog(directory, fsync="no") as log:
        assert list(log.replay()) == []
        for unit in units:
            log.append(unit)
            sizes.append(incr(directory).stat().st_size)
    return sizes


def read_log(directory: Path) -> list[tuple[bytes, ...]]:
    with AppendOnlyLog(directory, fsync="no") as log:
        return [command for command in log.replay() if command[0] != b"SELECT"]


def test_a_log_reads_back(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS)
    assert read_log(tmp_path) == commands_of(UNITS)
    with AppendOnlyLog(tmp_path) as log:
        assert [c for c in log.replay() if c[0] == b"SELECT"] == [
            (b"SELECT", db) for db in (b"0", b"0", b"3", b"1", b"0")
        ]


def test_cut_at_every_byte(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sizes = write_log(tmp_path, UNITS)
    whole = incr(tmp_path).read_bytes()
    for cut in range(len(whole) + 1):
        incr(tmp_path).write_bytes(whole[:cut])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            kept = read_log(tmp_path)
        complete = max(n for n, size in enumerate(sizes) if size <= cut)
        assert kept == commands_of(UNITS[:complete]), cut
        left = incr(tmp_path).stat().st_size
        # A SELECT that got through alone is kept: it stands before the unit and changes nothing.
        assert sizes[complete] <= left <= cut
        if left < cut:
            assert f"dropped {cut - left} bytes from byte {left}" in caplog.text
        else:
            assert not caplog.records
        assert read_log(tmp_path) == kept


def test_random_cuts_of_a_large_log_and_going_on_after_them(tmp_path: Path) -> None:
    rng = random.Random(20)
    units = [
        [
            (rng.randrange(3), (b"SET", b"key:%d" % n, rng.randbytes(rng.randrange(200))))
            for _ in range(rng.choice((1, 1, 4)))
        ]
        for n in range(2000)
    ]
    sizes = write_log(tmp_path, units)
    whole = incr(tmp_path).read_bytes()
    more = [(0, (b"SET", b"more", b"1"))]
    for _ in range(60):
        cut = rng.randrange(len(whole) + 1)
        incr(tmp_path).write_bytes(whole[:cut])
        complete = max(n for n, size in enumerate(sizes) if size <= cut)
        with AppendOnlyLog(tmp_path, fsync="no") as log:
            assert [c for c in log.replay() if c[0] != b"SELECT"] == commands_of(units[:complete])
            log.append(more)
        assert read_log(tmp_path) == commands_of([*units[:complete], more])


@pytest.mark.parametrize("zeros", [1, 3, 512, 100_000])
def test_a_tail_of_zeros_is_torn(tmp_path: Path, zeros: int) -> None:
    sizes = write_log(tmp_path, UNITS)
    whole = incr(tmp_path).read_bytes()
    for cut in (sizes[2], sizes[2] + 7, len(whole) - 3, len(whole)):
        incr(tmp_path).write_bytes(whole[:cut] + b"\0" * zeros)
        complete = max(n for n, size in enumerate(sizes) if size <= cut)
        assert read_log(tmp_path) == commands_of(UNITS[:complete])


@pytest.mark.parametrize(
    ("offset", "byte", "reason"),
    [(0, b"x", "expected a command"), (4, b"x", "expected an argument"), (5, b"x", "expected a number")],
)
def test_damage_in_the_middle_is_refused_with_its_place(tmp_path: Path, offset: int, byte: bytes, reason: str) -> None:
    sizes = write_log(tmp_path, UNITS)
    whole = bytearray(incr(tmp_path).read_bytes())
    place = sizes[2] + offset
    whole[place : place + 1] = byte
    incr(tmp_path).write_bytes(whole)
    with pytest.raises(StoreDamaged, match=reason) as caught:
        read_log(tmp_path)
    assert sizes[2] <= caught.value.offset <= place
    assert caught.value.path == str(incr(tmp_path))
    assert "redis-check-aof" in str(caught.value)
    assert incr(tmp_path).read_bytes() == whole, "a damaged file is left as it is"


def test_a_length_that_swallows_the_rest_is_damage_not_a_torn_end(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS)
    whole = incr(tmp_path).read_bytes()
    incr(tmp_path).write_bytes(whole.replace(b"$40\r\n", b"$4000000\r\n"))
    with pytest.raises(StoreDamaged, match="commands inside"):
        read_log(tmp_path)


def test_every_bit_flipped(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    """Without checksums a changed value can't be seen; what must hold: no other error, and never half a transaction."""
    write_log(tmp_path, UNITS)
    whole = incr(tmp_path).read_bytes()
    expected = commands_of(UNITS)
    counts = {"refused": 0, "same": 0, "shorter": 0, "different": 0}
    for bit in range(len(whole) * 8):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        incr(tmp_path).write_bytes(data)
        try:
            found = read_log(tmp_path)
        except StoreDamaged:
            counts["refused"] += 1
            continue
        if found == expected:
            counts["same"] += 1
        elif found == expected[: len(found)]:
            counts["shorter"] += 1  # only the last unit can go: its end looks torn
            assert len(found) >= len(expected) - 1
        else:
            assert abs(len(found) - len(expected)) <= 1  # a SELECT that became another name
            counts["different"] += 1  # a byte inside an argument, or a digit of SELECT
    for name, count in counts.items():
        record_property(name, count)
    assert counts["refused"] > counts["shorter"]


def test_damaged_blocks_never_raise_anything_else(tmp_path: Path) -> None:
    rng = random.Random(4)
    write_log(tmp_path, UNITS * 40)
    whole = incr(tmp_path).read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        at, size = rng.randrange(len(data)), rng.randrange(1, 600)
        match rng.randrange(4):
            case 0:
                data[at : at + size] = bytes(len(data[at : at + size]))
            case 1:
                data[at:at] = data[at : at + size]
            case 2:
                del data[at : at + size]
            case _:
                data[at : at + size] = rng.randbytes(size)
        incr(tmp_path).write_bytes(data)
        try:
            read_log(tmp_path)
        except StoreDamaged:
            pass


@pytest.mark.parametrize(
    "text",
    [
        b"*0\r\n", b"*-1\r\n", b"*1\r\n$-1\r\n", b"*+1\r\n$4\r\nPING\r\n", b"*1\r\n$99999999999\r\nx",
        b"*99999999999999999999999\r\n", b"*1\r\n$4\r\nPINGxx", b"PING\r\n", b"*1\r\n+PING\r\n", b"$4\r\nPING\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n", b"*1\n$4\nPING\n",
        b"* 1\r\n$4\r\nPING\r\n",
    ],
)  # fmt: skip
def test_text_that_no_log_holds(tmp_path: Path, text: bytes) -> None:
    write_log(tmp_path, UNITS)
    with incr(tmp_path).open("ab") as file:
        file.write(text + encode_command((b"SET", b"k", b"v")))
    with pytest.raises(StoreDamaged):
        read_log(tmp_path)


def test_annotation_lines_are_passed_over(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS)
    whole = incr(tmp_path).read_bytes()
    incr(tmp_path).write_bytes(b"#TS:1795440650\r\n" + whole.replace(b"*4\r\n", b"#CRC:1\n*4\r\n") + b"#TS:17")
    assert read_log(tmp_path) == commands_of(UNITS)


def test_a_torn_file_that_is_not_the_last_is_damage(tmp_path: Path) -> None:
    sizes = write_log(tmp_path, UNITS)
    incr(tmp_path, 2).write_bytes(incr(tmp_path).read_bytes())
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n"
    )
    assert read_log(tmp_path) == commands_of(UNITS) * 2
    with incr(tmp_path).open("r+b") as file:
        file.truncate(sizes[-1] - 1)
    with pytest.raises(StoreDamaged, match="not the last"):
        read_log(tmp_path)


def test_a_huge_argument_and_a_huge_command(tmp_path: Path) -> None:
    units = [
        [(0, (b"SET", b"big", b"\r\n*1\r\n" * 1_000_000))],
        [(0, (b"SADD", b"many", *(b"%d" % n for n in range(200_000))))],
        [(0, (b"SET", b"after", b"1"))],
    ]
    write_log(tmp_path, units)
    assert read_log(tmp_path) == commands_of(units)


def test_a_snapshot_is_named_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    (folder / "appendonly.aof.1.base.rdb").write_bytes(b"REDIS0010\xfa\x09redis-ver")
    (folder / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")
    with pytest.raises(StorageError, match="aof-use-rdb-preamble"):
        read_log(tmp_path)


def test_decoding_is_the_same_for_every_split() -> None:
    encoder = UnitEncoder()
    data = b"#TS:1\r\n" + b"".join(encoder.encode(unit) for unit in UNITS)
    whole = CommandDecoder().feed(data)
    for cut in range(len(data)):
        decoder = CommandDecoder()
        assert decoder.feed(data[:cut]) + decoder.feed(data[cut:]) == whole
        assert decoder.offset == len(data)
    decoder = CommandDecoder()
    assert [command for byte in data for command in decoder.feed(bytes([byte]))] == whole


def test_what_is_torn() -> None:
    assert is_torn(b"")
    assert is_torn(b"*3\r\n$3\r\nSET\r\n$1\r\nk")
    assert is_torn(b"\0" * 100)
    assert not is_torn(b"x")
    assert not is_torn(b"*9\r\n$3\r\nSET\r\n" + encode_command((b"SET", b"k", b"v")))
