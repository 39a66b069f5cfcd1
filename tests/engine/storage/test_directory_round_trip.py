"""Every type and encoding in the directory of a real server, opened here, written on, and given back; key by key."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.storage.check import check_store
from redmodel.engine.storage.log import AppendOnlyLog
from tests.engine.storage.rdb.keyspaces import (
    assert_same,
    client_of,
    content_of_engine,
    content_of_server,
    fill,
)
from tests.servers import RealServer, redis7_binary

pytestmark = pytest.mark.skipif(redis7_binary() is None, reason="no redis-server 7")

FORMS = {
    "as it was written": {},
    "rewritten as RDB": {"aof-use-rdb-preamble": "yes"},
    "rewritten as commands": {"aof-use-rdb-preamble": "no"},
}


def deadlines_of_server(client: Any) -> dict[tuple[int, bytes], int]:
    """The deadline of each key that has one, to the millisecond."""
    found: dict[tuple[int, bytes], int] = {}
    for database in range(16):
        client.execute_command("SELECT", database)
        names: list[bytes] = client.keys()
        for name in names:
            deadline = client.execute_command("PEXPIRETIME", name)
            if deadline >= 0:
                found[database, name] = deadline
    client.execute_command("SELECT", 0)
    return found


def deadlines_of_engine(engine: Engine) -> dict[tuple[int, bytes], int]:
    return {(db.number, name): deadline for db in engine.databases for name, deadline in db.deadlines.items()}


def start_on(directory: Path) -> RealServer:
    """A server on a copy of a store."""
    server = RealServer(redis7_binary() or "", tcp=False, appendonly=True)
    shutil.copytree(directory / "appendonlydir", server.directory / "appendonlydir")
    return server


@pytest.mark.parametrize("form", FORMS)
def test_there_and_back(tmp_path: Path, form: str) -> None:
    server = RealServer(redis7_binary() or "", tcp=False, appendonly=True, options=FORMS[form])
    with server:
        client = client_of(server)
        fill(client)
        if FORMS[form]:
            client.bgrewriteaof()
            while any(client.info("persistence")[f"aof_rewrite_{what}"] for what in ("in_progress", "scheduled")):  # type: ignore[index]
                time.sleep(0.01)
        client.set("appended", "later")
        client.close()
        server.stop(remove=False)
        shutil.copytree(server.directory / "appendonlydir", tmp_path / "appendonlydir")
        server.restart()  # what it finds in its own files is what counts: of streams it logs less than it shows
        client = client_of(server)
        wanted, deadlines = content_of_server(client), deadlines_of_server(client)
        assert len(deadlines) > 50
        client.close()

    # Theirs, here: as it is, and after a rewrite of our own.
    for rewritten in (False, True):
        engine = Engine(storage=AppendOnlyLog(tmp_path, fsync="no"))
        assert_same(content_of_engine(engine), wanted)
        assert deadlines_of_engine(engine) == deadlines
        if not rewritten:
            engine.execute(Session(), [b"SET", b"ours", b"1"])
            wanted[0, b"ours"] = (b"1", None)
            engine.rewrite()
            log: Any = engine._storage
            log.join_rewrite()
            assert log.rewrites.error is None
        engine.close()
        assert check_store(tmp_path).clean
        with start_on(tmp_path) as server:
            client = client_of(server)
            assert_same(content_of_server(client), wanted)
            assert deadlines_of_server(client) == deadlines
            client.close()
