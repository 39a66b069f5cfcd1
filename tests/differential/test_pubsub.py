"""Publishing and subscribing: what each connection hears, in which order, in RESP2 and RESP3."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import servers
from tests.differential.scenes import Seen, compare

SCENES = {
    "channels": """
        a: SUBSCRIBE x y x
        b: SUBSCRIBE y
        c: PUBLISH x 1
        c: PUBLISH y 2
        c: PUBLISH z 3
        a: UNSUBSCRIBE x
        c: PUBLISH x 4
        a: UNSUBSCRIBE
        a: UNSUBSCRIBE
        a: UNSUBSCRIBE nothing other
        c: PUBLISH y 5
        b: close
        c: PUBLISH y 6
    """,
    "patterns": """
        a: PSUBSCRIBE x* *
        a: SUBSCRIBE xy
        c: PUBLISH xy 1
        c: PUBLISH z 2
        a: PUNSUBSCRIBE *
        c: PUBLISH z 3
        c: PUBSUB NUMPAT
        b: PSUBSCRIBE x*
        c: PUBSUB NUMPAT
        a: PUNSUBSCRIBE
        a: PUNSUBSCRIBE
        a: PUNSUBSCRIBE q
        c: PUBLISH xy 4
    """,
    "shards": """
        a: SSUBSCRIBE x y
        a: SUBSCRIBE x
        c: SPUBLISH x 1
        c: PUBLISH x 2
        c: PUBSUB SHARDCHANNELS x*
        c: PUBSUB SHARDNUMSUB x y z
        c: PUBSUB CHANNELS
        a: SUNSUBSCRIBE x
        a: SUNSUBSCRIBE
        a: SUNSUBSCRIBE
        a: UNSUBSCRIBE
        a: PING
    """,
    "questions": """
        a: SUBSCRIBE x y
        b: SUBSCRIBE x
        b: PSUBSCRIBE z*
        c: PUBSUB NUMSUB x y z
        c: PUBSUB NUMSUB
        c: PUBSUB CHANNELS x
        c: PUBSUB CHANNELS q*
        c: PUBSUB CHANNELS x y
        c: PUBSUB NUMPAT x
        c: PUBSUB HELP
        c: PUBSUB FOO
        c: PUBSUB
        c: SUBSCRIBE
        c: PSUBSCRIBE
        c: SSUBSCRIBE
        c: PUBLISH x
        c: SPUBLISH
    """,
    "what a subscriber may do": """
        a: SUBSCRIBE x
        a: GET k
        a: FOO k
        a: GET
        a: PING
        a: PING hello
        a: PING a b
        a: MULTI
        a: EXEC
        a: HELLO 3
        a: CLIENT ID
        a: PUBLISH x me
        a: WATCH k
        a: UNSUBSCRIBE
        a: GET k
        a: PING
        a: SUBSCRIBE x
        a: RESET
        a: GET k
        c: PUBLISH x 1
        a: SSUBSCRIBE s
        a: GET k
        a: SUNSUBSCRIBE s
        a: GET k
        a: PSUBSCRIBE s
        a: SET k v
        a: QUIT
        c: PUBLISH s 1
    """,
    "in transactions": """
        a: MULTI
        a: SUBSCRIBE x
        a: PUBLISH y 1
        a: PING
        a: EXEC
        b: SUBSCRIBE x
        c: MULTI
        c: PUBLISH x 1
        c: PUBLISH x 2
        c: EXEC
    """,
    "binary": """
        a: SUBSCRIBE '\\\\x00\\\\xff\\\\r\\\\n' ''
        c: PUBLISH '\\\\x00\\\\xff\\\\r\\\\n' '\\\\x00\\\\xfe'
        c: PUBLISH '' ''
        a: PSUBSCRIBE 'h[ae]llo' 'h\\\\\\\\?' '?'
        c: PUBLISH hallo 1
        c: PUBLISH h? 1
        c: PUBLISH hx 1
        c: PUBLISH x 1
    """,
}


def sorted_patterns(seen: Seen) -> Seen:
    """Patterns are asked in no order that Redis promises: what arrives for one line is sorted where all are of them."""
    found: Seen = []
    for line, who, got in seen:
        found.append((line, who, got))
        at = len(found) - 1
        while at and found[at - 1][:2] == (line, who) and _is_pattern(found[at - 1]) and _is_pattern(found[at]):
            if repr(found[at - 1]) > repr(found[at]):
                found[at - 1], found[at] = found[at], found[at - 1]
            at -= 1
    return found


def _is_pattern(one: tuple[str, str, object]) -> bool:
    return "pmessage" in repr(one[2])


@pytest.mark.parametrize("name", SCENES)
def test_scenes(truth: servers.RealServer, tmp_path: Path, name: str) -> None:
    compare(truth, str(tmp_path / "s"), SCENES[name], sorted_patterns)


@pytest.mark.parametrize("name", SCENES)
def test_scenes_of_resp3(truth: servers.RealServer, tmp_path: Path, name: str) -> None:
    greeting = "\n".join(f"{who}: HELLO 3" for who in "abc")
    own = """
        a: PUBLISH x mine
        a: PUBLISH xy mine
        b: GET k
        a: PING x
    """
    compare(
        truth,
        str(tmp_path / "s"),
        greeting + SCENES[name].replace("a: QUIT", "") + own,
        lambda seen: [one for one in sorted_patterns(seen) if "HELLO" not in one[0] and "CLIENT ID" not in one[0]],
    )
