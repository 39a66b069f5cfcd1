"""A handle's own client over a store on disk: what it writes is kept, and trouble is told in redis-py's words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import redis

from redmodel import Database
from redmodel.engine.storage import open_storage
from redmodel.errors import StoreDamaged, StoreLocked


def test_what_the_client_writes_is_kept(tmp_path: Path) -> None:
    with Database(f"embedded://{tmp_path}") as db:
        db.client.set("a", 1)
        with pytest.raises(StoreLocked):
            open_storage(tmp_path)
    with Database(f"embedded://{tmp_path}") as db:
        assert db.client.get("a") == b"1"


def test_a_damaged_store_can_be_mended_and_opened_again(tmp_path: Path) -> None:
    with Database(f"embedded://{tmp_path}") as db:
        db.client.set("a", 1)
        db.client.set("b", 1)
    log = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
    good = log.read_bytes()
    log.write_bytes(good.replace(b"*3", b"*x", 1))
    with pytest.raises(StoreDamaged) as caught:
        Database(f"embedded://{tmp_path}")
    assert caught.value.path == str(log)
    assert caught.value.offset == good.index(b"*2"), "where the damaged unit begins"
    log.write_bytes(good)
    with Database(f"embedded://{tmp_path}") as db:
        assert db.client.get("b") == b"1"


def test_a_forked_child_is_refused_and_the_parent_goes_on(tmp_path: Path) -> None:
    with Database(f"embedded://{tmp_path}") as db:
        client = db.client
        client.set("a", 1)
        child = os.fork()
        if child == 0:  # pragma: no cover
            code = 1
            try:
                client.set("a", 2)
            except redis.ResponseError as error:
                code = 0 if "fork" in str(error) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.incr("a") == 2
    with Database(f"embedded://{tmp_path}") as db:
        assert db.client.get("a") == b"2"
