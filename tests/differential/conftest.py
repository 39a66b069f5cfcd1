"""The real server of these tests: one of their own, because they flush and swap its databases."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import servers
from tests.differential.both import Both


@pytest.fixture(scope="session")
def truth() -> Iterator[servers.RealServer]:
    """A redis-server 7.0, the version whose behaviour the engine has."""
    binary = servers.redis7_binary()
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("No redis-server 7 on PATH: see .ci/run")
        pytest.skip("No redis-server 7 on PATH: apt-get install redis-server.")
    with servers.RealServer(binary, tcp=False) as server:
        if server.version != (7, 0):
            pytest.skip(f"the truth is redis-server 7.0, not {server.version}")
        yield server


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def both(request: pytest.FixtureRequest, truth: servers.RealServer) -> Iterator[Both]:
    """The server and an engine, both empty."""
    pair = Both(truth.socket_path, request.param)
    yield pair
    pair.close()
