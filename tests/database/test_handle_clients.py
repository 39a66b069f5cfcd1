"""`db.client`: one redis-py client for a handle, and one for each event loop; closed with the handle."""

from __future__ import annotations

import asyncio
import os

import pytest

from redmodel import AsyncDatabase, Database
from tests.servers import RealServer


def sockets() -> int:
    return sum(os.readlink(f"/proc/self/fd/{fd}").startswith("socket:") for fd in _open_files())


def _open_files() -> list[str]:
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}")]


@pytest.mark.parametrize("kind", ["unix", "tcp", "memory"])
def test_a_handle_has_one_client(redis7: RealServer, kind: str) -> None:
    url = {"unix": redis7.unix_url, "tcp": redis7.tcp_url, "memory": "memory://one-client"}[kind]
    with Database(url) as db:
        assert db.client is db.client
        db.client.set("a", 1)
        before = sockets()
        for _ in range(20):
            assert db.client.get("a") == b"1"
        assert sockets() == before


def test_closing_the_handle_closes_its_client(redis7: RealServer) -> None:
    before = sockets()
    with Database(redis7.unix_url) as db:
        assert db.client.ping()
        assert sockets() > before
    assert sockets() == before


def test_the_same_for_asyncio(redis7: RealServer) -> None:
    async def main() -> None:
        before = sockets()
        async with AsyncDatabase(redis7.unix_url) as db:
            client = db.client
            for _ in range(20):
                assert db.client is client
                await db.client.ping()
            assert sockets() == before + 1
        await asyncio.sleep(0)
        assert sockets() == before

    asyncio.run(main())


def test_each_loop_has_its_own(redis7: RealServer) -> None:
    db = AsyncDatabase(redis7.unix_url)

    async def ask() -> bool:
        answer = bool(await db.client.ping())
        await db.client.aclose()
        return answer

    assert [asyncio.run(ask()) for _ in range(3)] == [True, True, True]
    asyncio.run(db.close())
