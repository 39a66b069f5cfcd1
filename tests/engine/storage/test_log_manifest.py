"""What a manifest may say, and what is left behind at each step of making and rewriting a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from redmodel.engine.storage.format import UnitEncoder
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.manifest import Manifest, Part, parse_manifest
from redmodel.errors import StoreDamaged
from tests.engine.storage.faulty import incr
from tests.engine.storage.test_torn_and_damaged_logs import UNITS, commands_of, read_log, write_log

WHERE = Path("appendonly.aof.manifest")


def test_a_manifest_reads_back() -> None:
    manifest = Manifest(Part("a b\"'.aof", 3), (Part("x.incr.aof", 1), Part("y.incr.aof", 7)), (Part("old", 2),))
    assert parse_manifest(manifest.dump(), WHERE) == manifest


def test_comments_and_unknown_pairs_are_passed_over() -> None:
    text = b"# comment\nfile appendonly.aof.1.incr.aof seq 1 type i newkey newvalue\n"
    assert parse_manifest(text, WHERE) == Manifest(None, (Part("appendonly.aof.1.incr.aof", 1),))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"# only a comment\n", b"\n", b"file x seq 1 type i", b"file x seq 1 type z\n", b"file x seq 1\n",
        b"file x seq 0 type i\n", b"file x seq -1 type i\n", b"file x seq 99999999999999999999 type i\n",
        b"file ../x seq 1 type i\n", b"file /etc/passwd seq 1 type b\n", b"file x seq 1 type i extra\n",
        b"file x seq 1 type b\nfile y seq 2 type b\n", b"file x seq 2 type i\nfile y seq 1 type i\n",
        b"file x seq 1 type i\nfile x seq 1 type i\n", b"file \xff seq 1 type i\n", b"file x\0 seq 1 type i\n",
        b"file " + b"x" * 2000 + b" seq 1 type i\n", b"\0" * 100, b"file x seq 1 type i\r\n\0\0\0",
    ],
)  # fmt: skip
def test_what_no_manifest_says_is_damage(text: bytes) -> None:
    with pytest.raises(StoreDamaged) as caught:
        parse_manifest(text, WHERE)
    assert "manifest" in str(caught.value)


def test_every_byte_of_a_manifest_changed(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS)
    path = tmp_path / "appendonlydir" / WHERE
    whole = path.read_bytes()
    for at in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[at] ^= 1 << bit
            path.write_bytes(data)
            try:
                assert read_log(tmp_path) == commands_of(UNITS), data
            except StoreDamaged:
                pass
        path.write_bytes(whole[:at])
        with pytest.raises(StoreDamaged):
            read_log(tmp_path)


def test_a_missing_file_or_manifest_is_damage(tmp_path: Path) -> None:
    write_log(tmp_path, UNITS)
    path = tmp_path / "appendonlydir" / WHERE
    text = path.read_bytes()
    path.unlink()
    with pytest.raises(StoreDamaged, match="manifest is missing"):
        read_log(tmp_path)
    path.write_bytes(text)
    incr(tmp_path).unlink()
    with pytest.raises(StoreDamaged, match="is missing"):
        read_log(tmp_path)


def test_an_interrupted_first_opening_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    incr(tmp_path).touch()
    (folder / "temp-appendonly.aof.manifest").write_text("file app")
    write_log(tmp_path, UNITS)
    assert read_log(tmp_path) == commands_of(UNITS)
    assert sorted(path.name for path in folder.iterdir()) == [incr(tmp_path).name, str(WHERE)]


def test_the_one_file_of_an_older_redis_is_taken_in(tmp_path: Path) -> None:
    encoder = UnitEncoder()
    (tmp_path / "appendonly.aof").write_bytes(b"".join(encoder.encode(unit) for unit in UNITS))
    assert read_log(tmp_path) == commands_of(UNITS)
    assert not (tmp_path / "appendonly.aof").exists()
    manifest = tmp_path / "appendonlydir" / WHERE
    lines = manifest.read_bytes().splitlines()
    assert lines[1] == b"file appendonly.aof seq 1 type b"
    assert lines[2].startswith(b"file appendonly.aof.1.incr.aof seq 1 type i")
    # Interrupted between manifest and move:
    (tmp_path / "appendonlydir" / "appendonly.aof").rename(tmp_path / "appendonly.aof")
    assert read_log(tmp_path) == commands_of(UNITS)


def test_a_rewrite_replaces_the_log_and_appending_goes_on(tmp_path: Path) -> None:
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
        for round_ in range(3):
            log.append([(0, (b"SET", b"gone", b"x"))])
            log.compact([(0, (b"SET", b"a", b"1")), (5, (b"SET", b"b", b"%d" % round_))])
            log.append([(0, (b"SET", b"c", b"3")), (2, (b"SET", b"d", b"4"))])
    assert read_log(tmp_path) == [
        (b"SET", b"a", b"1"),
        (b"SET", b"b", b"2"),
        (b"SET", b"c", b"3"),
        (b"SET", b"d", b"4"),
    ]
    names = sorted(path.name for path in (tmp_path / "appendonlydir").iterdir())
    assert names == ["appendonly.aof.3.base.aof", "appendonly.aof.4.incr.aof", str(WHERE)]
    assert b"type h" not in (tmp_path / "appendonlydir" / WHERE).read_bytes()


def test_compaction_is_due_by_size_and_growth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redmodel.engine.storage.replacing.COMPACT_FROM", 1000)
    with AppendOnlyLog(tmp_path) as log:
        list(log.replay())
        assert not log.compaction_due
        log.append([(0, (b"SET", b"a", b"x" * 2000))])
        assert log.compaction_due
        log.compact([(0, (b"SET", b"a", b"x" * 2000))])
        assert not log.compaction_due
        log.append([(0, (b"SET", b"a", b"x" * 3000))])
        assert log.compaction_due
    with AppendOnlyLog(tmp_path) as log:
        assert log.compaction_due
