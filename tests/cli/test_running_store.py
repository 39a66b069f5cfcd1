"""The command line beside an application that has the store open, and on a store that nobody has open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from redmodel import Database
from tests.cli.conftest import MODELS, Cli
from tests.cli.shop import Customer

ROOT = Path(__file__).parents[2]
APPLICATION = """
import sys
from redmodel import Database
from tests.cli.conftest import customer
with Database(sys.argv[1]) as db:
    db.save(customer(11))
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def running(store: str) -> Iterator[str]:
    """A store that another process uses, with one customer more."""
    with subprocess.Popen(
        [sys.executable, "-c", APPLICATION, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as application:
        assert application.stdout is not None
        assert application.stdout.readline() == "ready\n"
        yield store
        application.communicate(timeout=20)


def test_reading_commands(cli: Cli, running: str) -> None:
    assert cli("count", "Customer", "--url", running, *MODELS).out == "11\n"
    assert len(cli("find", "Customer", "--all", "--json", "--url", running, *MODELS).json["items"]) == 11
    assert cli("tree", "--json", "--url", running).json["keys"] > 11
    assert cli("show", "plain:hash", "--url", running).code == 0


def test_backup_of_a_running_store(cli: Cli, running: str, tmp_path: Path) -> None:
    said = cli("backup", str(tmp_path / "copy"), "--url", running)
    assert (said.code, said.out) == (0, "")
    assert "open it with embedded://" in said.err
    with Database(f"embedded://{tmp_path / 'copy'}") as db:
        assert db.count(Customer) == 11
    again = cli("backup", str(tmp_path / "copy"), "--url", running)
    assert again.code == 2
    assert "overwrites nothing" in again.err


def test_recover(cli: Cli, running: str) -> None:
    said = cli("recover", "--url", running)
    assert (said.code, said.out, said.err) == (0, "", "the store takes writes\n")
    assert "only an embedded store" in cli("recover", "--url", "redis://localhost:1").err


def test_export_of_a_running_store(cli: Cli, running: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump.rdb"
    assert cli("export", "--rdb", str(dump), "--url", running).code == 0
    assert [path.name for path in tmp_path.iterdir() if "dump" in path.name] == ["dump.rdb"]
    assert cli("import", str(dump), "--dir", str(tmp_path / "copy"), "--write").code == 0
    with Database(f"embedded://{tmp_path / 'copy'}") as db:
        assert db.count(Customer) == 11


def test_export_of_a_running_store_whose_disk_failed(cli: Cli, store: str, tmp_path: Path) -> None:
    fails = APPLICATION.replace(
        '    print("ready"',
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))\n"
        "    try:\n        db.save(customer(12))\n    except StorageError:\n        pass\n"
        '    print("ready"',
    ).replace("import sys\n", "import resource, sys\nfrom redmodel import StorageError\n")
    with subprocess.Popen(
        [sys.executable, "-c", fails, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as application:
        assert application.stdout is not None
        assert application.stdout.readline() == "ready\n"
        said = cli("export", "--rdb", str(tmp_path / "dump.rdb"), "--url", store)
        assert said.code == 0
        assert "File too large" in said.err
        assert "one after the other" in said.err
        application.communicate(timeout=20)
    assert cli("import", str(tmp_path / "dump.rdb"), "--dir", str(tmp_path / "copy"), "--write").code == 0
    with Database(f"embedded://{tmp_path / 'copy'}") as db:
        assert db.count(Customer) >= 11


def test_import_into_a_running_store(cli: Cli, running: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump.rdb"
    cli("export", "--rdb", str(dump), "--url", running)
    with Database(running) as db:
        db.client.flushall()
        said = cli("import", str(dump), "--url", running, "--write")
        assert said.code == 0
        assert "which has the store open" in said.err
        assert db.count(Customer) == 11
    refused = cli("import", str(dump), "--url", running, "--write")
    assert refused.code == 2
    assert "--replace deletes them first" in refused.err


def test_export_of_a_closed_store_changes_nothing_in_it(cli: Cli, store: str, tmp_path: Path) -> None:
    directory = Path(store.removeprefix("embedded://"))

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}

    before = files()
    assert cli("export", "--rdb", str(tmp_path / "dump.rdb"), "--url", store).code == 0
    assert files() == before


def test_backup_of_a_closed_store(cli: Cli, store: str, tmp_path: Path) -> None:
    assert cli("backup", str(tmp_path / "copy"), "--url", store).code == 0
    with Database(f"embedded://{tmp_path / 'copy'}") as db:
        assert db.count(Customer) == 10
    assert cli("backup", str(tmp_path / "more"), "--url", "redis://localhost").code == 2
    assert cli("backup", str(tmp_path / "more"), "--url", f"embedded://{tmp_path / 'none'}").code == 2
    assert not (tmp_path / "more").exists()


def test_reading_a_closed_store_changes_no_byte(cli: Cli, store: str) -> None:
    directory = Path(store.removeprefix("embedded://"))

    def state() -> list[tuple[str, int, int]]:
        found = [path for path in sorted(directory.rglob("*")) if path.is_file()]
        return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found]

    before = state()
    assert cli("count", "Customer", "--url", store, *MODELS).out == "10\n"
    assert cli("tree", "--url", store).code == 0
    assert state() == before
    if os.geteuid():  # root may write anywhere
        for path in (directory, directory / "appendonlydir"):
            path.chmod(0o500)
        try:
            assert cli("count", "Customer", "--url", store, *MODELS).out == "10\n"
        finally:
            for path in (directory, directory / "appendonlydir"):
                path.chmod(0o700)
