"""What several clients see of each other beyond data: pauses, scripts that run too long, transactions given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import servers
from tests.differential.both import Both
from tests.differential.scenes import by_client, compare

SCENES = {
    "a pause of writes": """
        a: CONFIG RESETSTAT
        a: SET x y
        a: CLIENT PAUSE 60000 WRITE
        b: GET x
        b: EVAL "#!lua flags=no-writes\\nreturn 'reads'" 0
        b: EVAL "#!lua flags=no-writes\\nreturn 'reads'" 0
        b: EVAL_RO "return redis.call('GET', 'x')" 1 x
        b: SCRIPT LOAD "#!lua flags=no-writes\\nreturn 2"
        b: MULTI
        b: EVAL "#!lua flags=no-writes\\nreturn 'reads'" 0
        b: EXEC
        b: SET x
        b: NOSUCH x
        c: EVAL "#!lua\\nreturn 'may write'" 0
        d: SET x z
        e: MULTI
        e: EVAL "return 1" 0
        e: EXEC
        f: MULTI
        f: SET x 1
        a: CLIENT UNPAUSE
        c: PING
        d: GET x
        e: PING
        f: EXEC
    """,
    "a transaction while a script runs too long": """
        a: CONFIG SET lua-time-limit 10
        a: SET x 1
        b: MULTI
        c: MULTI
        c: INCR x
        a: EVAL "while true do end" 0
        wait 0.3
        b: INCR x
        c: EXEC
        d: MULTI
        d: INCR x
        e: SCRIPT KILL
        wait 0.2
        b: INCR x
        b: EXEC
        c: EXEC
        d: INCR x
        d: EXEC
        e: GET x
        e: CONFIG SET lua-time-limit 5000
    """,
    "what DISCARD leaves alone": """
        a: HELLO 3
        a: SUBSCRIBE news
        a: CLIENT TRACKING ON
        a: MULTI
        a: DISCARD
        b: PUBLISH news 1
        a: CLIENT TRACKINGINFO
        a: EXEC 1
        b: PUBLISH news 2
        a: UNSUBSCRIBE
    """,
    "a group that goes while somebody waits": """
        a: CONFIG RESETSTAT
        a: XGROUP CREATE s g $ MKSTREAM
        b: XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        a: XGROUP DESTROY s g
        a: INFO errorstats
    """,
    "a key that expires before the one who waits is asked": """
        a: BRPOP k 0
        b: MULTI
        b: RPUSH k v
        b: PEXPIRE k 50
        b: EVAL "local n = 0 while n < 3e7 do n = n + 1 end" 0
        b: EXEC
        wait 0.2
        b: EXISTS k
        b: RPUSH k w
    """,
}


@pytest.mark.parametrize("name", SCENES)
def test_scenes(truth: servers.RealServer, tmp_path: Path, name: str) -> None:
    scene = SCENES[name]
    compare(truth, str(tmp_path / "s"), scene, lambda seen: by_client([one for one in seen if "HELLO" not in one[0]]))


def test_a_swap_with_keys_that_have_expired(both: Both) -> None:
    both.check_all(
        """
        SET x old PX 1
        EVAL "local n = 0 while n < 100000 do n = n + 1 end" 0
        SELECT 1
        WATCH x
        SWAPDB 0 1
        MULTI
        PING
        EXEC
        WATCH x
        SET x new
        SWAPDB 0 1
        MULTI
        PING
        EXEC
        SELECT 0
        """
    )
