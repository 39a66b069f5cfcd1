"""Commands that wait: who is served, when, with what, and what ends the waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.server import Server
from tests import servers
from tests.differential.both import Both
from tests.differential.scenes import Stage, compare

ERRORS = """
BLPOP k
BLPOP k x
BLPOP k -1
BLPOP k inf
BLPOP k nan
BLPOP k 1e300
BLPOP k 9223372036854775807
BLPOP k -0.1
BLPOP k '1 '
BLPOP k ' 1'
BLPOP k ''
BLPOP k 0x
BLMOVE a b UP LEFT 0
BLMOVE a b LEFT RIGHT x
BRPOPLPUSH a b -1
BLMPOP x 1 a LEFT
BLMPOP 0 0 a LEFT
BLMPOP 0 1 a UP
BLMPOP 0 1 a LEFT COUNT 0
BLMPOP 0 1 a LEFT COUNT 1 COUNT 1
BLMPOP -1 1 a LEFT
BZMPOP 0 1 a UP
BZMPOP 0 -1 a MIN
BZMPOP -1 1 a MIN
BZPOPMIN a x
BZPOPMAX a -1
XREAD BLOCK x STREAMS a 0
XREAD BLOCK -1 STREAMS a 0
XREAD BLOCK 1.5 STREAMS a 0
WAIT x 0
WAIT 0 x
WAIT 0 -1
WAIT 0 0
WAIT -1 0
WAIT 1 5
CLIENT UNBLOCK x
CLIENT UNBLOCK 999999
CLIENT UNBLOCK 999999 FOO
CLIENT UNBLOCK 999999 ERROR
CLIENT UNBLOCK 999999 TIMEOUT
SET string v
BLPOP string 0.01
BLPOP nothing string 0.01
BZPOPMIN string 0.01
BLMOVE string x LEFT LEFT 0.01
BLMPOP 0.01 2 nothing string LEFT
RPUSH list a b c d
BLPOP list 0
BRPOP nothing list 0
BLMOVE list other LEFT RIGHT 0
BLMOVE list string LEFT RIGHT 0
BLMPOP 0 2 nothing list LEFT COUNT 5
LRANGE other 0 -1
BLPOP list 0.01
BLMOVE list x LEFT LEFT 0.01
BRPOPLPUSH list string 0.01
BLMPOP 0.01 1 list LEFT
ZADD zset 1 a 2 b 3.5 c 4 d
BZPOPMIN zset 0
BZPOPMAX nothing zset 0
BZMPOP 0 1 zset MAX COUNT 10
BZPOPMIN zset 0.01
BZMPOP 0.01 1 zset MAX
XREAD BLOCK 10 STREAMS stream $
XADD stream 1-1 a b
XREAD BLOCK 0 STREAMS stream 0
XREAD BLOCK 10 STREAMS stream $
XGROUP CREATE stream g 0
XREADGROUP GROUP g c BLOCK 0 STREAMS stream >
XREADGROUP GROUP g c BLOCK 10 STREAMS stream >
XREADGROUP GROUP g c BLOCK 10 STREAMS stream 0
MULTI
BLPOP list 0
BLMOVE list x LEFT LEFT 0
BRPOPLPUSH list x 0
BLMPOP 0 1 list LEFT
BZPOPMIN zset 0
BZMPOP 0 1 zset MIN
XREAD BLOCK 0 STREAMS stream $
XREADGROUP GROUP g c BLOCK 0 STREAMS stream >
WAIT 1 0
EXEC
""".strip().splitlines()


def test_at_once(both: Both) -> None:
    both.check_all("\n".join(ERRORS))


SCENES = {
    "first come, first served": """
        a: BLPOP k 0
        b: BLPOP k 0
        c: BRPOP k 0
        d: RPUSH k 1
        d: RPUSH k 2 3 4
        d: LRANGE k 0 -1
    """,
    "several keys": """
        a: BLPOP x y z 0
        b: BLPOP z y 0
        d: RPUSH y 1
        d: RPUSH z 2
        d: RPUSH y 3
        d: KEYS *
    """,
    "a key twice": """
        a: BLPOP x x 0
        d: RPUSH x 1 2
        a: BLPOP x x 0
        d: LLEN x
    """,
    "after a transaction": """
        a: BLPOP x y 0
        d: MULTI
        d: RPUSH y 1
        d: RPUSH x 2
        d: DEL y
        d: EXEC
        d: KEYS *
    """,
    "push and delete": """
        a: BLPOP x 0
        d: MULTI
        d: RPUSH x 1
        d: DEL x
        d: EXEC
        d: RPUSH x 2
    """,
    "push, delete, set": """
        a: BLPOP x 0
        d: MULTI
        d: RPUSH x 1
        d: DEL x
        d: SET x foo
        d: EXEC
        d: DEL x
        d: RPUSH x 2
    """,
    "by rename, copy, move": """
        d: RPUSH from 1 2
        a: BLPOP x 0
        d: RENAME from x
        b: BLPOP y 0
        d: COPY x y
        d: SELECT 3
        d: RPUSH m 1
        a: BLPOP m 0
        d: MOVE m 0
    """,
    "swapdb": """
        d: SELECT 9
        d: RPUSH x 1 2
        a: BLPOP x 0
        b: BLMOVE x y LEFT LEFT 0
        d: SWAPDB 0 9
        d: SELECT 0
        d: LRANGE y 0 -1
    """,
    "chains of moves": """
        a: BLMOVE x y LEFT RIGHT 0
        b: BLMOVE y z LEFT RIGHT 0
        c: BLPOP z 0
        d: RPUSH x 1
        d: KEYS *
    """,
    "circles": """
        a: BRPOPLPUSH x y 0
        b: BRPOPLPUSH y x 0
        d: RPUSH x 1
        d: LRANGE x 0 -1
        d: LRANGE y 0 -1
        c: BRPOPLPUSH z z 0
        d: RPUSH z 1
        d: LRANGE z 0 -1
    """,
    "a target of another type": """
        d: SET y s
        a: BLMOVE x y LEFT LEFT 0
        b: BLPOP x 0
        d: RPUSH x 1
        d: LRANGE x 0 -1
    """,
    "other types do not wake": """
        a: BLPOP x 0
        b: BZPOPMIN x 0
        c: XREAD BLOCK 0 STREAMS x $
        d: SET x 1
        d: DEL x
        d: ZADD x 1 m
        d: DEL x
        d: RPUSH x e
        d: XADD x 1-1 f v
    """,
    "counts": """
        a: BLMPOP 0 2 x y RIGHT COUNT 2
        b: BLMPOP 0 1 x LEFT COUNT 10
        d: RPUSH x 1 2 3 4 5
        a: BZMPOP 0 2 z w MAX COUNT 2
        b: BZPOPMIN z 0
        c: BZPOPMAX z 0
        d: ZADD z 1 a 2 b 3 c 4 d 5 e
        d: ZRANGE z 0 -1
    """,
    "zsets by other ways": """
        d: ZADD s 1 a 2 b
        a: BZPOPMIN u 0
        d: ZUNIONSTORE u 1 s
        a: BZPOPMAX v 0
        d: ZRANGESTORE v s 0 -1
        a: BZPOPMAX w 0
        d: ZINCRBY w 5 m
        a: BZPOPMAX g 0
        d: GEOADD g 13.361389 38.115556 Palermo
    """,
    "order of two": """
        a: BLPOP x 0
        b: BLPOP x 0
        d: RPUSH x 1
        a: PING
    """,
    "timeouts and what comes behind": """
        a: BLPOP x 0.05
        a: PING
        a: BLMOVE x y LEFT LEFT 0.05
        b: BZPOPMIN x 5
        b: ECHO b
        wait 0.4
        d: ZADD x 1 a
    """,
    "who goes is not served": """
        a: BLPOP x 0
        b: BLPOP x 0
        a: close
        d: RPUSH x 1 2
        d: LRANGE x 0 -1
    """,
    "streams": """
        a: XREAD BLOCK 0 STREAMS x $
        b: XREAD COUNT 1 BLOCK 0 STREAMS y x 0 0
        d: XADD x 1-1 f 1
        a: XREAD BLOCK 0 STREAMS x 1-1
        d: MULTI
        d: XADD x 2-1 f 2
        d: XADD x 2-2 f 3
        d: EXEC
        a: XREAD BLOCK 50 STREAMS x $
        wait 0.3
        a: XREAD BLOCK 0 STREAMS e 5
        d: XADD e 1-1 f 1
        d: XADD e 6-1 f 1
    """,
    "groups": """
        d: XGROUP CREATE x g $ MKSTREAM
        a: XREADGROUP GROUP g c1 BLOCK 0 STREAMS x >
        b: XREADGROUP GROUP g c2 COUNT 1 BLOCK 0 STREAMS x >
        d: XADD x 1-1 f 1
        d: XADD x 2-1 f 1
        a: XREADGROUP GROUP g c1 BLOCK 0 NOACK STREAMS x >
        d: XADD x 3-1 f 1
        d: XPENDING x g
        a: XREADGROUP GROUP g c1 BLOCK 0 STREAMS x >
        d: XGROUP DESTROY x g
        d: XGROUP CREATE x g $
        a: XREADGROUP GROUP g c1 BLOCK 0 STREAMS x >
        d: DEL x
        d: XGROUP CREATE x g $ MKSTREAM
        a: XREADGROUP GROUP g c1 BLOCK 0 STREAMS x >
        d: SET x 1
        d: DEL x
        d: XGROUP CREATE x g $ MKSTREAM
        a: XREADGROUP GROUP g c1 BLOCK 0 STREAMS x >
        d: FLUSHALL
        d: XGROUP CREATE x g $ MKSTREAM
        a: XREADGROUP GROUP g c1 BLOCK 0 STREAMS x >
        d: SWAPDB 0 5
        d: XGROUP CREATE x g $ MKSTREAM
        a: XREADGROUP GROUP g c1 BLOCK 0 STREAMS x >
        d: MULTI
        d: DEL x
        d: XGROUP CREATE x g $ MKSTREAM
        d: EXEC
        a: PING
        d: RENAME x x2
        d: XGROUP CREATE y g $ MKSTREAM
        b: XREADGROUP GROUP g c1 BLOCK 0 STREAMS y >
        d: PEXPIRE y 1
        wait 0.3
        d: GET y
    """,
    "commands behind one that waits": """
        a: BLPOP x 0
        a: RPUSH y 1
        b: BLPOP y 0
        d: RPUSH x 1
    """,
    "expiring lists": """
        a: BLPOP x 0
        d: MULTI
        d: RPUSH x 1
        d: PEXPIRE x 0
        d: EXEC
        d: RPUSH x 2
    """,
}


@pytest.mark.parametrize("name", SCENES)
def test_scenes(truth: servers.RealServer, tmp_path: Path, name: str) -> None:
    compare(truth, str(tmp_path / "s"), SCENES[name])


def test_scenes_of_resp3(truth: servers.RealServer, tmp_path: Path) -> None:
    scene = "\n".join(f"{who}: HELLO 3" for who in "abc") + SCENES["counts"] + SCENES["groups"] + SCENES["streams"]
    compare(truth, str(tmp_path / "s"), scene, lambda seen: [one for one in seen if "HELLO" not in one[0]])


@pytest.mark.parametrize("reason", ["", " TIMEOUT", " ERROR", " error"])
def test_unblocking_another_client(truth: servers.RealServer, tmp_path: Path, reason: str) -> None:
    seen = []
    for path, real in ((truth.socket_path, True), (str(tmp_path / "s"), False)):

        def play(path: str = path) -> list[object]:
            stage = Stage(path)
            found: list[object] = []
            for kind in ("BLPOP nokey 0", "XREAD BLOCK 0 STREAMS nokey $", "BLMOVE nokey b LEFT LEFT 0", "WAIT 2 0"):
                number = stage.play("a: CLIENT ID")[0][2][1].decode()
                found += [got for _, _, got in stage.play(f"a: {kind}\nd: CLIENT UNBLOCK {number}{reason}\na: PING")]
                found += [got for _, _, got in stage.play(f"d: CLIENT UNBLOCK {number}{reason}")]
            stage.close()
            return found

        if real:
            seen.append(play())
        else:
            with Server(Engine(), unixsocket=path):
                seen.append(play())
    assert seen[0] == seen[1]
