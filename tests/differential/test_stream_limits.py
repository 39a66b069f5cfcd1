"""Trims with ~ under other sizes of a stream's nodes, which decide how much such a trim leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.both import Both


@pytest.fixture
def sized(both: Both) -> Iterator[Both]:
    yield both
    both.check_all("CONFIG SET stream-node-max-entries 100 stream-node-max-bytes 4096")


@pytest.mark.parametrize("entries", [0, 1, 2, 10, 101])
@pytest.mark.parametrize("size", [0, 80, 4096])
def test_trims_of_whole_nodes(sized: Both, entries: int, size: int) -> None:
    sized.check_all(f"CONFIG SET stream-node-max-entries {entries} stream-node-max-bytes {size}")
    for number in range(1, 205):
        sized.check(f"XADD s {number}-1 field value-{number % 7}")
    sized.check_all(
        """
        XINFO STREAM s
        XTRIM s MAXLEN ~ 190 LIMIT 1
        XTRIM s MAXLEN ~ 180 LIMIT 10
        XADD s MAXLEN ~ 150 LIMIT 30 300-1 field value
        XADD s MINID ~ 40 LIMIT 30 301-1 field value
        XADD s MINID ~ 80 302-1 field value
        XLEN s
        XTRIM s MAXLEN ~ 85
        XTRIM s MAXLEN ~ 0
        XINFO STREAM s
        """
    )
