"""Users whose rights change while they are there: who is refused, who is cut off, and what the log says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import servers
from tests.differential.both import Both
from tests.differential.scenes import compare
from tests.differential.wire import Connection

SCENES = {
    "a channel is taken away": """
        a: ACL SETUSER u on nopass +@all ~* resetchannels &one &p*
        b: AUTH u x
        b: SUBSCRIBE one
        c: AUTH u x
        c: PSUBSCRIBE p*
        d: AUTH u x
        d: SSUBSCRIBE p1
        e: AUTH u x
        e: SUBSCRIBE none
        a: ACL SETUSER u &two
        a: ACL SETUSER u resetchannels &one
        a: PUBLISH one 1
        a: ACL SETUSER u allchannels
        b: SUBSCRIBE two
        a: ACL SETUSER u resetchannels
        a: PUBLISH one 2
        e: PING
        a: ACL DELUSER u
    """,
    "channels of a shard are channels": """
        a: ACL SETUSER u on nopass +@all resetchannels &x
        b: AUTH u x
        b: SPUBLISH x 1
        b: SPUBLISH y 1
        b: SSUBSCRIBE y
        b: SSUBSCRIBE x
        a: ACL DRYRUN u SPUBLISH x 1
        a: ACL DRYRUN u SPUBLISH y 1
        a: ACL DRYRUN u SUNSUBSCRIBE y
        a: COMMAND GETKEYS SPUBLISH x 1
        a: COMMAND GETKEYS MIGRATE h 1 "" 0 5 AUTH KEYS KEYS a b
        a: COMMAND GETKEYS MIGRATE h 1 "" 0 5 AUTH2 x KEYS COPY KEYS a b
        a: COMMAND GETKEYS MIGRATE h 1 k 0 5 AUTH KEYS KEYS a b
        a: ACL DELUSER u
    """,
    "what is queued is logged as a transaction's": """
        a: ACL SETUSER u on >p +multi +exec +sort ~mine
        b: AUTH u p
        b: MULTI
        b: INCR n
        b: EXEC
        b: HELLO 2 AUTH u wrong
        b: AuTh u wrong
        b: SORT mine BY v*
        b: SORT mine BY v
        b: SORT mine GET v*
        b: SORT mine GET #
        a: ACL SETUSER u %R~*
        b: SORT mine BY v* GET #
        a: ACL DELUSER u
    """,
    "inside of a script": """
        a: ACL SETUSER u on nopass +eval +get +publish +acl|whoami ~mine* resetchannels &c
        a: SET mine 1
        b: AUTH u x
        b: EVAL "return redis.call('get', 'mine')" 0
        b: EVAL "return redis.call('get', 'other')" 0
        b: EVAL "return redis.call('set', 'mine', 2)" 0
        b: EVAL "return redis.pcall('set', 'mine', 2)" 0
        b: EVAL "return redis.call('publish', 'c', 1)" 0
        b: EVAL "return redis.call('publish', 'd', 1)" 0
        b: EVAL "return {redis.acl_check_cmd('get', 'mine'), redis.acl_check_cmd('get', 'x')}" 1 mine
        b: EVAL "return redis.acl_check_cmd('nosuch')" 0
        b: EVAL "return 1" 1 other
        b: EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
        a: ACL SETUSER u -eval
        b: EVAL "return 1" 0
        a: ACL DELUSER u
    """,
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_scene(truth: servers.RealServer, tmp_path: Path, scene: str) -> None:
    compare(truth, str(tmp_path / "s"), scene)


def logged(connection: Connection) -> list[tuple[object, ...]]:
    """The log of refusals without times and clients."""
    entries = connection.execute([b"ACL", b"LOG"])[1]
    return [tuple(value for _, value in entry[1][1:10:2]) for entry in entries]


def test_the_log_says_where_and_what(truth: servers.RealServer, tmp_path: Path) -> None:
    from redmodel.engine.engine import Engine
    from redmodel.server import Server

    found = []
    with Server(Engine(), unixsocket=str(tmp_path / "s")):
        for path in (truth.socket_path, str(tmp_path / "s")):
            admin, user = Connection(path), Connection(path)
            admin.execute_many([[b"ACL", b"LOG", b"RESET"], b"ACL SETUSER u on >p +multi +discard +eval ~mine".split()])
            user.execute([b"AUTH", b"u", b"p"])
            for line in (b"MULTI", b"INCR n", b"AuTh u no", b"DISCARD", b"GET n", b"HELLO 2 AUTH v no"):
                user.execute(line.split())
            user.execute([b"EVAL", b"return redis.pcall('set', 'mine', 1)", b"0"])
            found.append(logged(admin))
            admin.execute(b"ACL DELUSER u".split())
            admin.close()
            user.close()
    assert found[0] == found[1]
    assert {entry[2] for entry in found[1]} == {b"multi", b"toplevel", b"lua"}


@pytest.mark.parametrize(
    "lines",
    [
        "usr x",
        "user al ice",
        "user x +foo",
        "user x +foo ~* bar",
        "user x (+get",
        "user",
        "user x #12",
        "user x\nuser x\nuser y +foo\nfoo",
        "# a comment\n\n  user x on nopass ~* +@all\n",
        "user default on nopass ~* &* +@all -flushall\nuser z on nopass +@all",
    ],
)
def test_a_file_of_users(tmp_path: Path, lines: str) -> None:
    from redmodel.engine.engine import Engine
    from redmodel.engine.settings import Settings
    from redmodel.server import Server

    file = tmp_path / "users.acl"
    file.write_text("user old on nopass +@all\n")
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH: apt-get install redis-server.")
    engine = Engine(settings=Settings({"aclfile": str(file)}))
    engine.access.load()
    found = []
    with (
        servers.RealServer(binary, tcp=False, options={"aclfile": str(file)}) as real,
        Server(engine, unixsocket=str(tmp_path / "s")),
    ):
        file.write_text(lines)
        for path in (real.socket_path, str(tmp_path / "s")):
            one, other = Connection(path), Connection(path)
            other.execute(b"AUTH old x".split())
            said = [one.execute([b"ACL", b"LOAD"]), one.execute([b"ACL", b"USERS"])]
            try:
                said.append(other.execute([b"ACL", b"WHOAMI"]))
            except ConnectionError:
                said.append(("closed", None))
            found.append(said)
            one.close()
            other.close()
    assert found[0] == found[1]


def test_what_new_selectors_hear_is_asked_anew(both: Both) -> None:
    both.check_all(
        """
        CONFIG SET acl-pubsub-default allchannels
        ACL SETUSER v on nopass
        ACL GETUSER v
        ACL SETUSER v reset
        ACL GETUSER v
        CONFIG SET acl-pubsub-default resetchannels
        ACL GETUSER v
        ACL SETUSER v reset
        ACL GETUSER v
        ACL DELUSER v
        """
    )
