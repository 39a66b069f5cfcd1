"""Where the examples keep their data: in an embedded store of their own, and on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["embedded", "redis7"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The ``REDMODEL_URL`` that an example runs with."""
    if request.param == "embedded":
        return f"embedded://{tmp_path / 'store'}"
    server = request.getfixturevalue("redis7")
    server.flush()
    found: str = server.tcp_url
    return found
