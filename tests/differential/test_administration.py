"""ACL, CLIENT, MEMORY, LATENCY, SLOWLOG, DEBUG and the words of replication, against a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import servers
from tests.differential.both import Both, words
from tests.differential.test_command import NEWER
from tests.differential.wire import Parsed


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def open_both(request: pytest.FixtureRequest) -> Iterator[Both]:
    """A server that answers DEBUG, and an engine."""
    binary = servers.redis7_binary()
    if binary is None:
        pytest.skip("No redis-server 7 on PATH: apt-get install redis-server.")
    with servers.RealServer(binary, tcp=False, options={"enable-debug-command": "yes"}) as server:
        pair = Both(server.socket_path, request.param)
        yield pair
        pair.close()


def sorted_rules(reply: Parsed) -> object:
    """A reply with the words of each text sorted: single commands come in the order of a hash table."""
    kind, content = reply
    if isinstance(content, list):
        return kind, [sorted_rules(item) for item in content]
    return kind, sorted(content.split()) if isinstance(content, bytes) else content


def check_rules(both: Both, script: str) -> None:
    for line in script.splitlines():
        if line.strip():
            args = words(line)
            real, ours = both.real.execute(args), both.ask_engine(args)
            if args[1:] != [b"ACL", b"GENPASS"]:
                assert sorted_rules(real) == sorted_rules(ours), line


def test_users_and_their_rules(both: Both) -> None:
    check_rules(
        both,
        r"""
        ACL SETUSER a on >p ~x* %R~y* &c* +get +@hash +config|get +select|0 "(~z* +set)"
        ACL GETUSER a
        ACL LIST
        ACL GETUSER default
        ACL SETUSER b +foo
        ACL SETUSER b ~* ~x
        ACL SETUSER b #x
        ACL SETUSER b <nope
        ACL SETUSER b "(~x"
        ACL SETUSER b "(~x" "+get)"
        ACL SETUSER b +config|nosuch
        ACL SETUSER b +config|get|x
        ACL SETUSER b -select|0
        ACL SETUSER b %Q~x
        ACL SETUSER b foo
        ACL SETUSER b +@foo
        ACL SETUSER b +publish allchannels resetchannels &x &* &y
        ACL SETUSER b allkeys resetkeys ~a ~b %W~a
        ACL GETUSER b
        ACL SETUSER b +@all -@all +@all +@read -get -config|set
        ACL GETUSER b
        ACL SETUSER b -@all +@string +@list -@dangerous +@connection
        ACL SETUSER b nopass
        ACL SETUSER b >one >two #e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        ACL SETUSER b <one
        ACL SETUSER b sanitize-payload
        ACL LIST
        ACL SETUSER b reset
        ACL SETUSER b clearselectors "(+get ~a)" "(+set ~b)"
        ACL GETUSER b
        ACL LIST
        ACL SETUSER "c d" on
        ACL SETUSER
        ACL GETUSER nosuch
        ACL DELUSER default
        ACL DELUSER nosuch b
        ACL CAT foo
        ACL CAT a b
        ACL GENPASS 5000
        ACL GENPASS 0
        ACL GENPASS x
        ACL LOG x
        ACL LOG -1
        ACL LOG RESET
        ACL LOAD
        ACL SAVE
        ACL WHOAMI
        ACL USERS
        ACL DRYRUN nosuch get
        ACL DRYRUN a nosuch
        ACL DRYRUN a get
        ACL DRYRUN a get q
        ACL DRYRUN a get x1
        ACL DRYRUN a set x1 1
        ACL DRYRUN a set z1 1
        ACL DRYRUN a hset y1 1 1
        ACL DRYRUN a hget y1 1
        ACL DRYRUN a config set x y
        ACL DRYRUN a config get x
        ACL DRYRUN a publish c x
        ACL DRYRUN a select 0
        ACL DRYRUN a select 1
        ACL HELP
        ACL DELUSER a
    """,
    )


def test_the_members_of_each_category(both: Both) -> None:
    categories = both.real.execute([b"ACL", b"CAT"])[1]
    assert both.ask_engine([b"ACL", b"CAT"])[1] == categories
    for _, name in categories:
        args = [b"ACL", b"CAT", name]
        real = {member for _, member in both.real.execute(args)[1]}
        ours = {member for _, member in both.ask_engine(args)[1]}
        assert ours - real <= NEWER, name
        assert real <= ours, name


def test_clients(both: Both) -> None:
    both.check_all(r"""
        CLIENT KILL
        CLIENT KILL x
        CLIENT KILL 1.1.1.1:1
        CLIENT KILL ID x
        CLIENT KILL ID 0
        CLIENT KILL ID 9999999
        CLIENT KILL TYPE foo
        CLIENT KILL USER nosuch
        CLIENT KILL ADDR x
        CLIENT KILL LADDR x
        CLIENT KILL SKIPME foo
        CLIENT KILL SKIPME yes foo bar
        CLIENT KILL foo bar
        CLIENT LIST TYPE foo
        CLIENT LIST TYPE
        CLIENT LIST ID
        CLIENT LIST ID x
        CLIENT LIST ID 0
        CLIENT LIST foo
        CLIENT LIST TYPE pubsub
        CLIENT LIST TYPE normal foo
        CLIENT PAUSE
        CLIENT PAUSE x
        CLIENT PAUSE -1
        CLIENT PAUSE 1 foo
        CLIENT UNPAUSE
        CLIENT UNPAUSE x
        CLIENT REPLY foo
        CLIENT REPLY
        CLIENT NO-EVICT x
        CLIENT NO-EVICT on
        CLIENT NO-EVICT off
        CLIENT HELP
    """)


def test_what_is_slow_and_what_is_big(both: Both) -> None:
    both.check_all(r"""
        MEMORY USAGE nosuch
        MEMORY USAGE
        MEMORY USAGE a SAMPLES
        MEMORY USAGE a SAMPLES -1
        MEMORY USAGE a SAMPLES 0
        MEMORY USAGE a foo
        MEMORY PURGE
        MEMORY DOCTOR
        MEMORY HELP
        LATENCY LATEST
        LATENCY RESET
        LATENCY RESET x
        LATENCY DOCTOR
        LATENCY GRAPH foo
        LATENCY HISTORY foo
        LATENCY HISTOGRAM nosuch
        LATENCY HELP
        SLOWLOG GET x
        SLOWLOG GET -2
        SLOWLOG GET 1 2
        SLOWLOG RESET
        SLOWLOG GET
        SLOWLOG GET -1
        SLOWLOG LEN
        SLOWLOG HELP
    """)


def test_words_of_replication(both: Both) -> None:
    both.check_all(r"""
        ROLE
        REPLICAOF NO ONE
        SLAVEOF no one
        REPLICAOF x
        REPLICAOF 127.0.0.1 1x
        FAILOVER
        FAILOVER ABORT
        REPLCONF
        REPLCONF a
        REPLCONF listening-port 1
        READONLY
        READWRITE
        MODULE LIST
        MODULE LOAD x
        MODULE HELP
        SHUTDOWN foo
        SHUTDOWN ABORT
        SHUTDOWN SAVE NOSAVE
        LOLWUT
    """)


def test_signatures_are_those_of_redis(open_both: Both) -> None:
    open_both.check_all(r"""
        DEBUG DIGEST
        SET string value
        SET number 12345
        SET brief x EX 1000
        RPUSH list a b c a
        SADD set a b c
        SADD numbers 1 2 3
        ZADD zset 1 a 2.5 b -inf c
        HSET hash f1 v1 f2 v2
        XADD stream 1-1 a 1 b 2
        XADD stream 2-0 c 3
        SELECT 3
        SET elsewhere x
        SELECT 0
        DEBUG DIGEST
        DEBUG DIGEST-VALUE string number brief list set numbers zset hash stream nosuch
        DEBUG RELOAD
        DEBUG DIGEST
        DEBUG POPULATE 100 k 20
        DEBUG POPULATE 10
        DEBUG DIGEST
        DEBUG POPULATE x
        DEBUG OBJECT nosuch
        DEBUG foo
        DEBUG
        DEBUG SLEEP 0
        DEBUG SET-ACTIVE-EXPIRE 1
        DEBUG CHANGE-REPL-ID
        DEBUG RELOAD x
        DEBUG QUICKLIST-PACKED-THRESHOLD 100b
        DEBUG PROTOCOL string
        DEBUG PROTOCOL integer
        DEBUG PROTOCOL double
        DEBUG PROTOCOL null
        DEBUG PROTOCOL array
        DEBUG PROTOCOL set
        DEBUG PROTOCOL map
        DEBUG PROTOCOL verbatim
        DEBUG PROTOCOL true
        DEBUG PROTOCOL false
    """)
