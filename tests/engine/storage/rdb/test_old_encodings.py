"""Encodings that no server here writes, built from their layout: zipmap, old versions, 7.2's and 7.4's types."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest

from redmodel.engine.arguments import parse_integer
from redmodel.engine.engine import Engine
from redmodel.engine.storage.rdb import Report, load_into, packed
from redmodel.engine.storage.rdb.checksum import crc64
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.errors import StoreDamaged
from tests.engine.storage.rdb.keyspaces import content_of_engine

NOW = 2_000_000_000_000


def raw(text: bytes) -> bytes:
    """A string as it stands, with its length in front."""
    if len(text) < 64:
        return bytes((len(text),)) + text
    if len(text) < 16384:
        return struct.pack(">H", len(text) | 0x4000) + text
    return b"\x80" + struct.pack(">I", len(text)) + text


def ziplist(*elements: bytes | int) -> bytes:
    entries: list[bytes] = []
    for element in elements:
        before = len(entries[-1]) if entries else 0
        head = bytes((before,)) if before < 254 else b"\xfe" + struct.pack("<I", before)
        if isinstance(element, bytes):
            size = len(element)
            if size < 64:
                head += bytes((size,))
            elif size < 16384:
                head += struct.pack(">H", size | 0x4000)
            else:
                head += b"\x80" + struct.pack(">I", size)
            entries.append(head + element)
        elif 0 <= element <= 12:
            entries.append(head + bytes((0xF1 + element,)))
        else:
            for code, width in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
                if -(1 << 8 * width - 1) <= element < 1 << 8 * width - 1:
                    entries.append(head + bytes((code,)) + element.to_bytes(width, "little", signed=True))
                    break
    body = b"".join(entries)
    tail = 10 + len(body) - (len(entries[-1]) if entries else 0)
    return struct.pack("<IIH", len(body) + 11, tail, min(len(entries), 65535)) + body + b"\xff"


def zipmap(*pairs: tuple[bytes, bytes], unused: int = 0) -> bytes:
    def length(text: bytes) -> bytes:
        return bytes((len(text),)) if len(text) < 254 else b"\xfe" + struct.pack("<I", len(text))

    parts = [length(field) + field + length(value) + bytes((unused,)) + value + b"?" * unused for field, value in pairs]
    return bytes((min(len(pairs), 254),)) + b"".join(parts) + b"\xff"


def file_of(version: int, *records: bytes) -> bytes:
    body = b"REDIS%04d" % version + b"".join(records) + b"\xff"
    return body + crc64(body).to_bytes(8, "little") if version >= 5 else body


def load(tmp_path: Path, version: int, *records: bytes) -> tuple[dict[bytes, Any], Report]:
    path = tmp_path / "dump.rdb"
    path.write_bytes(file_of(version, *records))
    engine = Engine(clock=lambda: NOW)
    report = load_into(engine, path)
    assert report.version == version
    return {key: value for (_, key), (value, _) in content_of_engine(engine).items()}, report


def record(kind: int, key: bytes, body: bytes) -> bytes:
    return bytes((kind,)) + raw(key) + body


ELEMENTS = [b"", b"text", 0, 12, 13, -1, 127, 128, -129, 40000, -(2**23), 2**23, 2**31, -(2**63), b"x" * 63, b"y" * 64]
ELEMENTS += [b"z" * 253, b"after a long one", b"w" * 20000, 7]
TEXTS = [element if isinstance(element, bytes) else b"%d" % element for element in ELEMENTS]


@pytest.mark.parametrize("version", range(1, 13))
def test_lists_hashes_and_sorted_sets_in_ziplists(version: int, tmp_path: Path) -> None:
    members: list[bytes | int] = [b"a", 1, 7, b"1.5", b"b", b"-inf", b"c", b"3.0e2"]
    found, _ = load(
        tmp_path,
        version,
        record(10, b"list", raw(ziplist(*ELEMENTS))),
        record(13, b"hash", raw(ziplist(b"f", 1, 5, b"v"))),
        record(12, b"zset", raw(ziplist(*members))),
        record(14, b"quick", b"\x02" + raw(ziplist(*ELEMENTS)) + raw(ziplist(b"end"))),
        record(9, b"map", raw(zipmap((b"f", b"v"), (b"long", b"x" * 300), (b"", b""), unused=3))),
        record(3, b"old zset", b"\x03" + raw(b"a") + b"\x031.5" + raw(b"b") + b"\xfe" + raw(b"c") + b"\xff"),
        record(1, b"plain list", b"\x02" + raw(b"a") + b"\xc0\xff"),
        record(11, b"ints", raw(struct.pack("<IIhh", 2, 2, -5, 9))),
    )
    assert found == {
        b"list": TEXTS,
        b"hash": {b"f": b"1", b"5": b"v"},
        b"zset": {b"a": 1.0, b"7": 1.5, b"b": float("-inf"), b"c": 300.0},
        b"quick": [*TEXTS, b"end"],
        b"map": {b"f": b"v", b"long": b"x" * 300, b"": b""},
        b"old zset": {b"a": 1.5, b"b": float("inf"), b"c": float("-inf")},
        b"plain list": [b"a", b"-1"],
        b"ints": {b"-5", b"9"},
    }


def test_expiry_in_seconds_and_opcodes_beside_keys(tmp_path: Path) -> None:
    late = NOW // 1000 + 10
    path = tmp_path / "dump.rdb"
    path.write_bytes(
        file_of(
            9,
            b"\xfa" + raw(b"redis-ver") + raw(b"3.0.0"),
            b"\xfe\x02\xfb\x03\x02",
            b"\xfd" + struct.pack("<i", late) + record(0, b"late", raw(b"1")),
            b"\xfd" + struct.pack("<i", 1000) + record(0, b"gone", raw(b"1")),
            b"\xfc" + struct.pack("<q", NOW + 5) + b"\xf9\x07" + record(0, b"lfu", raw(b"1")),
            b"\xf8\x41\x00" + record(0, b"lru", raw(b"1")),
            b"\xf7\x81" + struct.pack(">Q", 1 << 58) + b"\x02\x02\x05\x01a\x03abcd\x04abcdefgh\x01\x01\x00",
            b"\xf4\x01\x02\x03",
            b"\xf5" + raw(b"#!lua name=l\n"),
            record(0, b"last", raw(b"1")),
        )
    )
    engine = Engine(clock=lambda: NOW)
    report = load_into(engine, path)
    assert engine.databases[2].deadlines == {b"late": late * 1000, b"lfu": NOW + 5}
    assert sorted(engine.databases[2].values) == [b"last", b"late", b"lfu", b"lru"]
    assert report.aux == {b"redis-ver": b"3.0.0"}
    assert (report.keys, report.expired) == (4, 1)
    assert report.functions == [b"#!lua name=l\n"]
    assert any("BAAAAAAAA" in text for text in report.warnings)


def test_sets_in_listpacks(tmp_path: Path) -> None:
    found, _ = load(tmp_path, 11, record(20, b"set", raw(packed.to_listpack(sorted(set(TEXTS))))))
    assert found == {b"set": set(TEXTS)}


def test_hashes_whose_fields_have_deadlines(tmp_path: Path) -> None:
    early = NOW - 100
    fields = ((b"a", b"1", 0), (b"b", b"2", early), (b"c", b"3", NOW + 5000))

    def listed(relative_to: int | None) -> bytes:
        parts = [b"\x03"]
        for field, value, deadline in fields:
            number = deadline - relative_to + 1 if relative_to is not None and deadline else deadline
            parts += [b"\x81" + struct.pack(">Q", number), raw(field), raw(value)]
        return b"".join(parts)

    flat = [part for field, value, deadline in fields for part in (field, value, b"%d" % deadline)]
    first = struct.pack("<q", early)
    found, report = load(
        tmp_path,
        12,
        record(22, b"22", listed(None)),
        record(23, b"23", raw(packed.to_listpack(flat))),
        record(24, b"24", first + listed(early)),
        record(25, b"25", first + raw(packed.to_listpack(flat))),
    )
    assert found == {key: {b"a": b"1", b"c": b"3"} for key in (b"22", b"23", b"24", b"25")}
    assert report.expired == 4
    assert report.warnings == []
    for value in found.values():
        assert isinstance(value, ExpiringHash)
        assert value.deadlines == {b"c": NOW + 5000}


def stream_body(version: int) -> bytes:
    """A stream with a deleted entry, one with other fields, and a group with one pending entry."""
    elements = [2, 1, 2, b"a", b"b", 0]
    elements += [2, 0, 0, b"1", b"2", 5]  # flags, milliseconds, sequence, values, how many parts
    elements += [3, 0, 1, b"x", b"y", 5]  # deleted
    elements += [0, 5, -3, 1, b"other", b"field", 6]
    blob = packed.to_listpack([part if isinstance(part, bytes) else b"%d" % part for part in elements])
    key = struct.pack(">QQ", 1000, 10)
    parts = [b"\x01", raw(key), raw(blob), b"\x02", b"\x43\xed\x07"]  # 1 node; 2 entries; last id 1005-7
    if version > 1:
        parts += [b"\x43\xe8\x0a", b"\x43\xe8\x0b", b"\x03"]  # first 1000-10, deleted 1000-11, 3 added
    parts += [b"\x01", raw(b"g"), b"\x43\xe8\x0a"]
    if version > 1:
        parts += [b"\x01"]
    parts += [b"\x01", key, struct.pack("<q", NOW), b"\x02"]
    parts += [b"\x01", raw(b"ada"), struct.pack("<q", NOW)]
    if version > 2:
        parts += [struct.pack("<q", NOW - 5)]
    parts += [b"\x01", key]
    return b"".join(parts)


@pytest.mark.parametrize(("version", "kind"), [(1, 15), (2, 19), (3, 21)])
def test_streams(version: int, kind: int, tmp_path: Path) -> None:
    found, _ = load(tmp_path, 11, record(kind, b"s", stream_body(version)))
    assert found[b"s"] == {
        "entries": [(b"1000-10", {b"a": b"1", b"b": b"2"}), (b"1005-7", {b"other": b"field"})],
        "last": b"1005-7",
        "max-deleted-entry-id": b"1000-11" if version > 1 else b"0-0",
        "entries-added": 3 if version > 1 else 2,
        repr(b"g"): (
            {
                "name": b"g",
                "consumers": 1,
                "pending": 1,
                "last-delivered-id": b"1000-10",
                "entries-read": 1,
            },
            [(b"1000-10", b"ada", 2)],
            [(b"ada", 1)],
        ),
    }


def test_empty_collections_are_left_out(tmp_path: Path) -> None:
    empty = raw(packed.to_listpack([]))
    found, report = load(
        tmp_path,
        10,
        *(record(kind, b"k%d" % kind, b"\x00") for kind in (1, 2, 3, 4, 5, 14, 18)),
        *(record(kind, b"k%d" % kind, empty) for kind in (16, 17, 20)),
        *(record(kind, b"k%d" % kind, raw(ziplist())) for kind in (10, 12, 13)),
        record(0, b"kept", b"\x00"),
    )
    assert found == {b"kept": b""}
    assert report.keys == 1
    assert report.warnings == ["left out keys of empty collections, as Redis does"]


def test_packed_blobs_with_any_byte_changed() -> None:
    blobs = {
        packed.listpack: packed.to_listpack([b"a", b"5", b"x" * 70, b"-3000", b"70000", b"y" * 5000]),
        packed.ziplist: ziplist(b"a", 5, b"x" * 70, -3000, 70000, b"y" * 300, b"end"),
        packed.intset: struct.pack("<IIiii", 4, 3, -70000, 5, 70000),
        packed.zipmap: zipmap((b"f", b"v"), (b"g", b"x" * 300), unused=1),
    }
    rng = random.Random(5)
    for unpack, blob in blobs.items():
        unpack(blob)
        for at in range(len(blob)):
            for byte in {0, 0xFF, 0x7F, blob[at] ^ 1, rng.randrange(256)}:
                changed = blob[:at] + bytes((byte,)) + blob[at + 1 :]
                try:
                    elements = unpack(changed)
                except (ValueError, IndexError):
                    continue
                assert sum(map(len, elements)) <= 20 * len(elements) + len(blob)
        for end in range(len(blob)):
            with pytest.raises((ValueError, IndexError)):
                unpack(blob[:end])


def test_listpacks_are_written_as_they_are_read() -> None:
    rng = random.Random(9)
    texts = [*TEXTS, b"0" * 3, b"-0", b"+1", b"1 ", b"", *(b"q" * n for n in (4095, 4096, 16378, 16379, 2_097_146))]
    texts += [b"%d" % rng.randrange(-(2 ** rng.randrange(1, 64)), 2 ** rng.randrange(1, 64)) for _ in range(500)]
    assert packed.listpack(packed.to_listpack(texts)) == texts
    assert all(parse_integer(b"%d" % n) == n for n in (0, -1))


@pytest.mark.parametrize("version", [1, 4])
def test_old_files_end_with_their_last_opcode(version: int, tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(file_of(version, record(0, b"k", raw(b"v"))) + b"12345678")
    with pytest.raises(StoreDamaged, match="follows its end"):
        load_into(Engine(), path)
