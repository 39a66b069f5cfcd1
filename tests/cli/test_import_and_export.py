"""``redmodel import`` and ``redmodel export``."""

from __future__ import annotations

from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.storage import open_storage
from redmodel.engine.storage.rdb import load_into
from tests.cli.conftest import Cli
from tests.engine.storage.rdb.keyspaces import (
    assert_same,
    client_of,
    content_of_engine,
    content_of_server,
    dump_of,
    fill,
)
from tests.servers import RealServer, redis6_binary, redis7_binary

needs_7 = pytest.mark.skipif(redis7_binary() is None, reason="no redis-server 7")


def keys_in(store: str) -> dict[tuple[int, bytes], object]:
    with open_storage(store.removeprefix("embedded://")) as storage:
        engine = Engine(storage=storage)
        content = content_of_engine(engine)
        engine.close()
    return content


def test_out_of_a_store_and_into_another(cli: Cli, store: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump.rdb"
    said = cli("export", "--rdb", str(dump), "--url", store)
    assert said.code == 0
    assert said.out == ""
    assert f"keys as {dump}" in said.err
    target = tmp_path / "other"
    looked = cli("import", str(dump), "--dir", str(target))
    assert looked.code == 0
    assert "nothing was written: --write loads these" in looked.err
    assert looked.lines[0].split() == ["database", "type", "keys", "with", "ttl"]
    assert not target.exists()
    said = cli("import", str(dump), "--dir", str(target), "--write", "--json")
    assert said.code == 0
    assert said.json["version"] == 10
    assert said.json["checksum"]
    assert said.json["keys"] == len(keys_in(store))
    assert keys_in(str(target)) == keys_in(store)
    assert cli("find", "Customer", "age>=22", "--models", "tests.cli.shop", "--url", f"embedded://{target}").code == 0


def test_what_is_there_is_not_written_over(cli: Cli, store: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump.rdb"
    assert cli("export", "--rdb", str(dump), "--url", store).code == 0
    before = keys_in(store)
    again = cli("export", "--rdb", str(dump), "--url", store)
    assert again.code == 2
    assert "--replace writes over it" in again.err
    assert cli("export", "--rdb", str(dump), "--url", store, "--replace").code == 0
    refused = cli("import", str(dump), "--url", store, "--write")
    assert refused.code == 2
    assert "keys: replace them" in refused.err
    assert keys_in(store) == before
    assert cli("import", str(dump), "--url", store, "--write", "--replace").code == 0
    assert keys_in(store) == before


def test_damaged_files_and_wrong_places(cli: Cli, store: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump.rdb"
    cli("export", "--rdb", str(dump), "--url", store)
    dump.write_bytes(dump.read_bytes()[:-30])
    said = cli("import", str(dump), "--dir", str(tmp_path / "new"), "--write")
    assert said.code == 2
    assert "is damaged at byte" in said.err
    assert not (tmp_path / "new").exists()
    for args in (
        ("import", str(tmp_path / "missing"), "--write"),
        ("import", str(dump), "--url", "memory://"),
        ("import", str(dump), "--url", store, "--dir", "x"),
        ("export", "--rdb", "x.rdb"),
        ("export", "--rdb", str(tmp_path / "no such directory" / "x.rdb"), "--url", store),
        ("export", "--rdb", "x.rdb", "--url", "memory://x"),
        ("export",),
    ):
        said = cli(*args)
        assert said.code == 2, args
        assert said.err.startswith("redmodel: "), args


def test_a_directory_with_an_rdb_file_only(cli: Cli, store: str, tmp_path: Path) -> None:
    directory = tmp_path / "old"
    directory.mkdir()
    cli("export", "--rdb", str(directory / "dump.rdb"), "--url", store)
    said = cli("tree", "--url", f"embedded://{directory}")
    assert said.code == 2
    assert f"redmodel import {directory}/dump.rdb --dir {directory} --write" in said.err


@needs_7
@pytest.mark.parametrize("binary", [redis7_binary(), redis6_binary()], ids=["7", "6.2"])
def test_servers(cli: Cli, binary: str | None, tmp_path: Path) -> None:
    if binary is None:
        pytest.skip("no such server")
    dump = tmp_path / "dump.rdb"
    with RealServer(binary, tcp=False, password="secret") as server:
        client = client_of(server)
        fill(client)
        for name in client.keys("stream:*") if server.version < (7, 0) else []:  # type: ignore[union-attr]
            client.delete(name)  # 7.0's streams are not for 6.2
        wanted = content_of_server(client)
        url = server.unix_url
        said = cli("export", "--rdb", str(dump), "--url", url)
        assert (said.code, said.out) == (0, "")
        assert "secret" not in said.err
        engine = Engine()
        load_into(engine, dump)
        assert_same(content_of_engine(engine), wanted)
        said = cli("import", str(dump), "--url", url, "--write")
        assert said.code == 2
        assert "--replace deletes them first" in said.err
        client.execute_command("SELECT", 9)
        client.set("other", 1)
        client.execute_command("SELECT", 0)
        assert cli("import", str(dump), "--url", url, "--write", "--replace").code == 0
        assert_same(content_of_server(client), wanted)
        assert cli("import", str(dump_of(server)), "--url", url, "--write", "--replace").code == 0
        assert_same(content_of_server(client), wanted)
        client.close()
