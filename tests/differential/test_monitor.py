"""MONITOR: which commands are shown, when, and how they are spelled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import servers
from tests.differential.scenes import Seen, compare

SCENE = r"""
    m: MONITOR
    m: MONITOR
    a: SET k v
    a: set k
    a: FOO
    a: MULTI
    a: SET k "a\\x01\\n\\\"\\\\\\xff\\t\\r\\a\\b'"
    a: INCR k
    a: EXEC
    a: EVAL "redis.call('set',KEYS[1],ARGV[1]) return redis.call('get','k')" 1 k 5
    a: EVAL "return redis.pcall('nosuch')" 0
    a: SCRIPT LOAD "return 1"
    a: EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
    a: CONFIG GET maxclients
    a: AUTH x
    a: SELECT 3
    a: GET x
    a: SELECT 0
    a: SUBSCRIBE a
    a: UNSUBSCRIBE a
    a: BLPOP q 0.4
    wait 0.8
    a: MULTI
    a: GET a
    a: DISCARD
    a: WATCH k
    a: ECHO x
    m: ECHO y
    a: CLIENT SETNAME a
    m: RESET
    a: ECHO x
    m: ECHO y
    a: MULTI
    a: MONITOR
    a: EXEC
    n: MONITOR
    a: ECHO x
    n: QUIT
    a: ECHO x
"""


def _timeless(seen: Seen) -> object:
    """Each reply without times and paths; the PINGs are the stage's own."""
    found = [
        (line, who, re.sub(r"[\d.]+ \[(\d+) (unix|lua)[^]]*\]", r"T [\1 \2]", repr(got))) for line, who, got in seen
    ]
    return [one for one in found if '"PING"' not in one[2]]


@pytest.mark.parametrize("protocol", ["2", "3"])
def test_scene(truth: servers.RealServer, tmp_path: Path, protocol: str) -> None:
    compare(truth, str(tmp_path / "s"), SCENE, _timeless)
