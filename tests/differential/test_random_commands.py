"""Thousands of random commands give the same replies and the same keyspace as a real server."""

from __future__ import annotations

import pytest

from tests.differential.both import Both
from tests.differential.random_commands import play


@pytest.mark.parametrize("seed", [1, 2])
def test_random_commands(both: Both, seed: int) -> None:
    assert play(both, seed, 5000) >= 5000
