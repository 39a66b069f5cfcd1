"""A log cut anywhere opens with its longest valid prefix; damage before the end is refused, with its place."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from itertools import pairwise, permutations
from pathlib import Path

import pytest

from redmodel.engine.storage.files import FileSystem
from redmodel.engine.storage.format import CommandDecoder, UnitEncoder, encode_command, is_torn
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.writing import Policy
from redmodel.errors import StoreDamaged
from tests.engine.storage.disk import SimulatedDisk
from tests.engine.storage.faulty import incr

MANIFEST = "appendonlydir/appendonly.aof.manifest"

UNITS: list[list[tuple[int, tuple[bytes, ...]]]] = [
    [(0, (b"SET", b"a", b"1"))],
    [(0, (b"SET", b"b", b"2")), (0, (b"HSET", b"h", b"f\r\n", b"*1\r\n"))],
    [(3, (b"SADD", b"s", b"", b"\x00\xff"))],
    [(3, (b"SET", b"c", b"x" * 40)), (1, (b"SET", b"d", b"y")), (0, (b"DEL", b"a"))],
    [(0, (b"SET", b"e", b"last"))],
]


def commands_of(units: list[list[tuple[int, tuple[bytes, ...]]]]) -> list[tuple[bytes, ...]]:
    return [args for unit in units for _, args in unit]


def write_log(
    directory: Path, units: list[list[tuple[int, tuple[bytes, ...]]]], *, clean: bool = False, policy: Policy = "always"
) -> list[int]:
    """Write the units; returns the file's size after its first line and after each unit. Only closed if ``clean``."""
    with AppendOnlyLog(directory, fsync=policy) as log:
        assert list(log.replay()) == []
        sizes = [incr(directory).stat().st_size]
        for unit in units:
            log.append(unit)
            sizes.append(incr(directory).stat().st_size)
        manifest = (directory / MANIFEST).read_bytes()
    if not clean:
        (directory / MANIFEST).write_bytes(manifest)
    return sizes


def write_foreign(directory: Path, units: list[list[tuple[int, tuple[bytes, ...]]]]) -> list[int]:
    """Write the units as redis-server does: without checksums. Returns the file's size after each."""
    (directory / MANIFEST).parent.mkdir()
    (directory / MANIFEST).write_bytes(b"file appendonly.aof.1.incr.aof seq 1 type i\n")
    encoder = UnitEncoder()
    data = b""
    sizes = [0]
    for unit in units:
        data += encoder.encode(unit)
        sizes.append(len(data))
    incr(directory).write_bytes(data)
    return sizes


def read_log(directory: Path, files: FileSystem | None = None) -> list[tuple[bytes, ...]]:
    with AppendOnlyLog(directory, fsync="no", files=files) as log:
        return [command for command in log.replay() if command[0].upper() != b"SELECT"]


def test_a_log_reads_back(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS)
    assert read_log(tmp_path) == commands_of(UNITS)
    with AppendOnlyLog(tmp_path) as log:
        assert [c for c in log.replay() if c[0].upper() == b"SELECT"] == [
            (b"SELECT", b"0"),
            *((b"select", db) for db in (b"0", b"3", b"1", b"0")),
        ]


def test_cut_at_every_byte(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sizes = write_log(tmp_path, UNITS)
    whole, manifest = incr(tmp_path).read_bytes(), (tmp_path / MANIFEST).read_bytes()
    for cut in range(len(whole) + 1):
        (tmp_path / MANIFEST).write_bytes(manifest)
        incr(tmp_path).write_bytes(whole[:cut])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            kept = read_log(tmp_path)
        complete = max((n for n, size in enumerate(sizes) if size <= cut), default=0)
        assert kept == commands_of(UNITS[:complete]), cut
        left = incr(tmp_path).stat().st_size
        assert left == (sizes[complete] if cut >= sizes[0] else 0)
        if left < cut:
            assert f"dropped {cut - left} bytes from byte {left}" in caplog.text
        else:
            assert not caplog.records
        assert read_log(tmp_path) == kept


def test_a_log_of_redis_server_cut_at_every_byte(tmp_path: Path) -> None:
    sizes = write_foreign(tmp_path, UNITS)
    whole, manifest = incr(tmp_path).read_bytes(), (tmp_path / MANIFEST).read_bytes()
    for cut in range(len(whole) + 1):
        (tmp_path / MANIFEST).write_bytes(manifest)
        incr(tmp_path).write_bytes(whole[:cut])
        complete = max(n for n, size in enumerate(sizes) if size <= cut)
        assert read_log(tmp_path) == commands_of(UNITS[:complete]), cut


def test_a_log_that_was_closed_and_is_shorter_now_is_damaged(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS, clean=True)
    whole = incr(tmp_path).read_bytes()
    for cut in range(len(whole)):
        incr(tmp_path).write_bytes(whole[:cut])
        with pytest.raises(StoreDamaged, match="check-store"):
            read_log(tmp_path)


def test_random_cuts_of_a_large_log_and_going_on_after_them(tmp_path: Path) -> None:
    rng = random.Random(20)
    units = [
        [
            (rng.randrange(3), (b"SET", b"key:%d" % n, rng.randbytes(rng.randrange(200))))
            for _ in range(rng.choice((1, 1, 4)))
        ]
        for n in range(2000)
    ]
    sizes = write_log(tmp_path, units, policy="everysec")
    whole = incr(tmp_path).read_bytes()
    more = [(0, (b"SET", b"more", b"1"))]
    manifest = (tmp_path / MANIFEST).read_bytes()
    for _ in range(60):
        cut = rng.randrange(sizes[0], len(whole) + 1)
        (tmp_path / MANIFEST).write_bytes(manifest)
        incr(tmp_path).write_bytes(whole[:cut])
        complete = max(n for n, size in enumerate(sizes) if size <= cut)
        with AppendOnlyLog(tmp_path, fsync="no") as log:
            assert [c for c in log.replay() if c[0].upper() != b"SELECT"] == commands_of(units[:complete])
            log.append(more)
        assert read_log(tmp_path) == commands_of([*units[:complete], more])


@pytest.mark.parametrize("zeros", [1, 3, 512, 100_000])
def test_a_tail_of_zeros_is_torn(tmp_path: Path, zeros: int) -> None:
    sizes = write_log(tmp_path, UNITS, policy="everysec")
    whole, manifest = incr(tmp_path).read_bytes(), (tmp_path / MANIFEST).read_bytes()
    for cut in (sizes[2], sizes[2] + 7, len(whole) - 3, len(whole)):
        (tmp_path / MANIFEST).write_bytes(manifest)
        incr(tmp_path).write_bytes(whole[:cut] + b"\0" * zeros)
        complete = max(n for n, size in enumerate(sizes) if size <= cut)
        assert read_log(tmp_path) == commands_of(UNITS[:complete])


@pytest.mark.parametrize(
    ("offset", "byte", "reason"),
    [(0, b"x", "expected a command"), (4, b"x", "expected an argument"), (5, b"x", "expected a number")],
)
def test_damage_in_a_log_of_redis_server_is_refused_with_its_place(
    tmp_path: Path, offset: int, byte: bytes, reason: str
) -> None:
    sizes = write_foreign(tmp_path, UNITS)
    whole = bytearray(incr(tmp_path).read_bytes())
    place = sizes[2] + offset
    whole[place : place + 1] = byte
    incr(tmp_path).write_bytes(whole)
    with pytest.raises(StoreDamaged, match=reason) as caught:
        read_log(tmp_path)
    assert sizes[2] <= caught.value.offset <= place
    assert caught.value.path == str(incr(tmp_path))
    assert "check-store" in str(caught.value)
    assert incr(tmp_path).read_bytes() == whole, "a damaged file is left as it is"


def test_a_length_that_swallows_the_rest_is_damage_not_a_torn_end(tmp_path: Path) -> None:
    write_foreign(tmp_path, UNITS)
    whole = incr(tmp_path).read_bytes()
    incr(tmp_path).write_bytes(whole.replace(b"$40\r\n", b"$4000000\r\n"))
    with pytest.raises(StoreDamaged, match="commands inside"):
        read_log(tmp_path)


def flipped(data: bytes) -> Iterator[bytes]:
    """The data with each of its bits flipped in turn."""
    changed = bytearray(data)
    for bit in range(len(data) * 8):
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)
        changed[bit // 8] ^= 1 << bit % 8


STORE = Path("/store")


def test_every_bit_of_a_closed_log_flipped() -> None:
    disk = SimulatedDisk()
    with AppendOnlyLog(STORE, files=disk) as log:
        list(log.replay())
        for unit in UNITS:
            log.append(unit)
    for data in flipped(bytes(disk.names[incr(STORE)].now)):
        damaged = disk.copy()
        damaged.names[incr(STORE)].now[:] = data
        with pytest.raises(StoreDamaged):
            read_log(STORE, damaged)
        assert damaged.names[incr(STORE)].now == data, "a damaged file is left as it is"


@pytest.mark.parametrize("policy", ["always", "no"])
def test_every_bit_of_a_log_that_was_not_closed_flipped(policy: Policy, caplog: pytest.LogCaptureFixture) -> None:
    """Damage of what was synced is refused; the last unit, for which nothing speaks that comes later, may go."""
    units = [*UNITS, [(0, (b"SET", b"g", b"2"))]]
    disk = SimulatedDisk()
    log = AppendOnlyLog(STORE, fsync=policy, files=disk)
    list(log.replay())
    for unit in units:
        log.wait(log.append(unit))
    counts = {"refused": 0, "shorter": 0}
    for data in flipped(bytes(disk.names[incr(STORE)].now)):
        damaged = disk.copy()
        damaged.names[incr(STORE)].now[:] = data
        caplog.clear()
        try:
            found = read_log(STORE, damaged)
        except StoreDamaged:
            counts["refused"] += 1
        else:
            assert found == commands_of(units[:-1]), "neither refused nor the prefix without the last unit"
            assert "dropped" in caplog.text
            counts["shorter"] += 1
    assert counts["refused"] > 3 * counts["shorter"]
    log.close()


def test_every_bit_of_a_base_flipped_and_every_cut_of_it() -> None:
    disk = SimulatedDisk()
    with AppendOnlyLog(STORE, files=disk) as log:
        list(log.replay())
        log.compact([command for unit in UNITS for command in unit])
    base = STORE / "appendonlydir" / "appendonly.aof.1.base.aof"
    whole = bytes(disk.names[base].now)
    for data in (*flipped(whole), *(whole[:cut] for cut in range(len(whole)))):
        damaged = disk.copy()
        damaged.names[base].now[:] = data
        with pytest.raises(StoreDamaged):
            read_log(STORE, damaged)


def test_pieces_of_a_log_removed_doubled_or_swapped(tmp_path: Path) -> None:
    sizes = write_log(tmp_path, UNITS, clean=True)
    whole = incr(tmp_path).read_bytes()
    pieces = [whole[: sizes[0]], *(whole[a:b] for a, b in pairwise(sizes))]
    wrong = {tuple(order) for order in permutations(range(1, 6), 5)} | {(1, 2, 2, 3, 4, 5), (1, 1, 2, 3, 4, 5)}
    wrong |= {tuple(n for n in range(1, 6) if n != left_out) for left_out in range(1, 6)}
    for order in wrong - {(1, 2, 3, 4, 5)}:
        incr(tmp_path).write_bytes(pieces[0] + b"".join(pieces[n] for n in order))
        with pytest.raises(StoreDamaged):
            read_log(tmp_path)


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
    write_foreign(tmp_path, UNITS)
    with incr(tmp_path).open("ab") as file:
        file.write(text + encode_command((b"SET", b"k", b"v")))
    with pytest.raises(StoreDamaged):
        read_log(tmp_path)


def test_annotation_lines_of_others_are_passed_over(tmp_path: Path) -> None:
    write_foreign(tmp_path, UNITS)
    whole = incr(tmp_path).read_bytes()
    incr(tmp_path).write_bytes(b"#TS:1795440650\r\n" + whole.replace(b"*4\r\n", b"#TS:1\n*4\r\n") + b"#TS:17")
    assert read_log(tmp_path) == commands_of(UNITS)


def test_checksums_without_a_beginning_are_damage(tmp_path: Path) -> None:
    sizes = write_log(tmp_path, UNITS)
    incr(tmp_path).write_bytes(incr(tmp_path).read_bytes()[sizes[0] :])
    with pytest.raises(StoreDamaged, match="none is expected"):
        read_log(tmp_path)


def test_a_file_under_another_name_is_damage(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS)
    (tmp_path / MANIFEST).write_text("file appendonly.aof.2.incr.aof seq 2 type i\n")
    incr(tmp_path).rename(incr(tmp_path, 2))
    with pytest.raises(StoreDamaged, match=r"written as appendonly.aof.1.incr.aof"):
        read_log(tmp_path)


def test_a_torn_file_that_is_not_the_last_is_damage(tmp_path: Path) -> None:
    sizes = write_foreign(tmp_path, UNITS)
    incr(tmp_path, 2).write_bytes(incr(tmp_path).read_bytes())
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n"
    )
    manifest = (tmp_path / MANIFEST).read_bytes()
    assert read_log(tmp_path) == commands_of(UNITS) * 2
    (tmp_path / MANIFEST).write_bytes(manifest)
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
