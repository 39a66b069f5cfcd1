"""CLIENT TRACKING: who is told of which keys, in which form, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.server import Server
from tests import servers
from tests.differential.scenes import Seen, Stage, compare

SCENES = {
    "keys that were read": """
        a: HELLO 3
        a: CLIENT TRACKING on
        a: GET x
        a: MGET y z
        b: SET x 1
        b: SET x 2
        b: SET w 1
        b: MSET y 1 z 2
        a: SET x mine
        a: GET x
        a: SET x mine
        a: INCR n
        b: INCR n
        a: CLIENT TRACKING off
        a: GET x
        b: SET x 3
    """,
    "its own change, when it has waited": """
        a: RPUSH to x
        b: HELLO 3
        b: CLIENT TRACKING on
        b: LRANGE to 0 -1
        b: BLMOVE from to left left 0
        a: RPUSH from y
        b: LRANGE to 0 -1
        a: RPUSH to z
    """,
    "keys of a script": """
        a: HELLO 3
        a: CLIENT TRACKING on
        a: EVAL "redis.call('set', 'k3', 'x')" 2 k1 k2
        b: MSET k1 1 k2 1
        a: EVAL "return redis.call('get', 'k3')" 2 k1 k2
        b: SET k3 1
        b: SET k1 2
        b: SET k2 2
        a: EVAL_RO "return redis.call('ping')" 1 k1
        b: SET k1 3
        a: EVAL_RO "return redis.call('get', 'k1')" 1 k1
        b: SET k1 4
    """,
    "noloop": """
        a: HELLO 3
        a: CLIENT TRACKING on NOLOOP
        a: GET x
        a: SET x 1
        a: GET x
        b: SET x 2
    """,
    "optin": """
        a: HELLO 3
        a: CLIENT TRACKING on OPTIN
        a: GET x
        b: SET x 1
        a: CLIENT CACHING yes
        a: GET x
        a: GET y
        b: SET x 2
        b: SET y 2
        a: CLIENT CACHING yes
        a: MULTI
        a: GET x
        a: GET y
        a: EXEC
        b: SET x 3
        b: SET y 3
        a: CLIENT CACHING no
        a: CLIENT CACHING foo
    """,
    "optout": """
        a: HELLO 3
        a: CLIENT TRACKING on OPTOUT
        a: GET x
        b: SET x 1
        a: CLIENT CACHING no
        a: GET x
        a: GET y
        b: SET x 2
        b: SET y 2
        a: CLIENT CACHING yes
    """,
    "broadcast": """
        a: HELLO 3
        a: CLIENT TRACKING on BCAST PREFIX x: PREFIX y:
        b: SET x:1 1
        b: MSET y:1 1 y:2 2 z 3
        b: DEL x:1
        a: SET x:9 9
        a: CLIENT TRACKING on BCAST PREFIX q
        b: SET q1 1
        a: CLIENT TRACKING on BCAST PREFIX x
        a: CLIENT TRACKING off
        a: CLIENT TRACKING on BCAST
        b: SET anything 1
        a: CLIENT TRACKING on
        a: CLIENT TRACKING on BCAST PREFIX a PREFIX ab
        a: CLIENT TRACKINGINFO
    """,
    "broadcast without the own": """
        a: HELLO 3
        a: CLIENT TRACKING on BCAST NOLOOP
        a: SET x 1
        b: SET y 1
    """,
    "flushes and expiry": """
        a: HELLO 3
        a: CLIENT TRACKING on
        a: GET x
        b: SET x 1 PX 30
        a: GET x
        wait 0.4
        a: GET y
        b: FLUSHALL
        a: GET z
        b: FLUSHDB
        b: SET y 1
        a: FLUSHALL
    """,
    "renames and transactions": """
        a: HELLO 3
        b: SET x 1
        a: CLIENT TRACKING on
        a: GET x
        a: GET y
        b: RENAME x y
        a: GET y
        b: MULTI
        b: SET y 2
        b: SET y 3
        b: DEL y
        b: EXEC
        a: GET y
        b: EVAL "redis.call('set','y',1) redis.call('set','y',2)" 1 y
        a: EVAL "return redis.call('get','y')" 1 y
        b: SET y 5
        a: EVAL_RO "return redis.call('get','y')" 1 y
        b: SET y 6
        a: HGETALL h
        b: HSET h a b
        a: SELECT 1
        a: GET k
        b: SET k 1
        a: EXISTS k2
        b: SET k2 1
        a: TTL k3
        b: SET k3 1
        a: SINTER s1 s2
        b: SADD s2 1
    """,
    "errors": """
        a: CLIENT TRACKING on
        a: CLIENT TRACKING
        a: CLIENT TRACKING foo
        a: CLIENT TRACKING on foo
        a: CLIENT TRACKING on PREFIX x
        a: CLIENT TRACKING on OPTIN OPTOUT
        a: CLIENT TRACKING on BCAST OPTIN
        a: CLIENT TRACKING on REDIRECT x
        a: CLIENT TRACKING on REDIRECT 999999
        a: CLIENT TRACKING on BCAST PREFIX a PREFIX ab
        a: CLIENT CACHING yes
        a: CLIENT TRACKINGINFO
        a: CLIENT GETREDIR
        a: HELLO 3
        a: CLIENT TRACKINGINFO
        a: CLIENT TRACKING on OPTIN NOLOOP
        a: CLIENT TRACKINGINFO
        a: CLIENT TRACKING on OPTOUT
        a: CLIENT TRACKING on BCAST
        a: CLIENT CACHING yes
        a: CLIENT TRACKINGINFO
        a: CLIENT GETREDIR
        a: CLIENT TRACKING off
        a: CLIENT CACHING no
        a: CLIENT TRACKINGINFO
        a: CLIENT TRACKING on OPTOUT
        a: CLIENT CACHING no
        a: CLIENT TRACKINGINFO
        a: CLIENT GETREDIR
        a: RESET
        a: CLIENT TRACKINGINFO
    """,
}


def _quiet(seen: Seen) -> Seen:
    return [one for one in seen if "HELLO" not in one[0]]


@pytest.mark.parametrize("name", SCENES)
def test_scenes(truth: servers.RealServer, tmp_path: Path, name: str) -> None:
    compare(truth, str(tmp_path / "s"), SCENES[name], _quiet)


REDIRECTED = """
    r: CLIENT ID
    r: SUBSCRIBE __redis__:invalidate
    a: CLIENT TRACKING on REDIRECT {r}
    a: CLIENT GETREDIR
    a: GET x
    a: GET y
    b: SET x 1
    b: MSET x 2 y 3
    a: GET x
    b: FLUSHALL
    a: GET x
    r: UNSUBSCRIBE
    b: SET x 3
    r: SUBSCRIBE __redis__:invalidate
    a: GET x
    r: close
    b: SET x 4
    a: CLIENT TRACKINGINFO
    a: GET x
    b: SET x 5
"""


@pytest.mark.parametrize("protocol", ["2", "3"])
def test_redirection(truth: servers.RealServer, tmp_path: Path, protocol: str) -> None:
    def play(path: str) -> object:
        stage = Stage(path)
        number = stage.play("r: CLIENT ID")[0][2][1].decode()  # type: ignore[index]
        scene = REDIRECTED.replace("r: CLIENT ID", "").replace("{r}", number)
        seen = stage.play(f"a: HELLO {protocol}\nr: HELLO {protocol}\n" + scene)
        stage.close()
        return [
            (line.replace(number, "N"), who, repr(got).replace(number, "N"))
            for line, who, got in seen
            if "HELLO" not in line
        ]

    truth.flush()
    real = play(truth.socket_path)
    with Server(Engine(), unixsocket=tmp_path / "s"):
        ours = play(str(tmp_path / "s"))
    assert real == ours


def test_a_lower_limit_holds_at_once(tmp_path: Path) -> None:
    with Server(Engine(), unixsocket=str(tmp_path / "s")):
        stage = Stage(str(tmp_path / "s"))
        scene = """
            a: HELLO 3
            a: CLIENT TRACKING on
            a: MGET x y z
            b: CONFIG SET tracking-table-max-keys 1
        """
        seen = stage.play(scene)
        stage.close()
    told = [got for _, who, got in seen if who == "a"][3:]
    assert len(told) == 2
