"""``redmodel check-store`` says what is wrong, and cuts it off only when it is told to."""

from __future__ import annotations

from pathlib import Path

from redmodel import Database
from tests.cli.conftest import Cli
from tests.engine.storage.faulty import incr


def store(directory: Path) -> bytes:
    with Database(f"embedded://{directory}") as db:
        for n in range(5):
            db.client.set(f"k{n}", "x" * 20)
    return incr(directory).read_bytes()


def test_clean(cli: Cli, tmp_path: Path) -> None:
    store(tmp_path / "store")
    said = cli("check-store", str(tmp_path / "store"))
    assert said.code == 0
    assert "clean" in said.err
    assert cli("check-store", str(tmp_path / "store"), "--json").json["clean"] is True


def test_damaged(cli: Cli, tmp_path: Path) -> None:
    whole = store(tmp_path / "store")
    damaged = whole.replace(b"k2", b"q2")
    incr(tmp_path / "store").write_bytes(damaged)
    said = cli("check-store", str(tmp_path / "store"))
    assert said.code == 1
    assert "damaged" in said.out
    assert "at byte" in said.err
    report = cli("check-store", str(tmp_path / "store"), "--json")
    assert report.code == 1
    assert report.json["dropped_commands"] == 3
    refused = cli("check-store", str(tmp_path / "store"), "--write")
    assert refused.code == 2
    assert "about 3 commands" in refused.err
    assert incr(tmp_path / "store").read_bytes() == damaged
    written = cli("check-store", str(tmp_path / "store"), "--write", "--yes", "--json")
    assert written.code == 0
    assert Path(written.json["copies"]).is_dir()
    with Database(f"embedded://{tmp_path / 'store'}") as db:
        assert db.client.dbsize() == 2


def test_no_store(cli: Cli, tmp_path: Path) -> None:
    said = cli("check-store", str(tmp_path))
    assert said.code == 2
    assert "no store" in said.err
