"""Scripts and libraries that run too long: what others may say meanwhile, who ends them, and what is left behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.resp.writer import ReplyWriter
from redmodel.server.connection import SHAPES
from tests import servers
from tests.differential.both import Both
from tests.differential.scenes import by_client, compare
from tests.differential.wire import pack

LIBRARY = "#!lua name=lib\\nredis.register_function('loop', function() while true do end end)"
SCENES = {
    "a script that only computes": """
        a: CONFIG SET busy-reply-threshold 20
        b: EVAL "while true do end" 0
        wait 0.2
        a: GET x
        a: FUNCTION KILL
        a: SCRIPT FLUSH
        a: SHUTDOWN
        a: SCRIPT KILL
        wait 0.2
        a: GET x
        a: SCRIPT KILL
        b: EVAL "return 1" 0
    """,
    "one that catches all errors": """
        a: CONFIG SET busy-reply-threshold 20
        b: EVAL "while 1 do pcall(function() while 1 do redis.call('ping') end end) end" 0
        wait 0.2
        a: SCRIPT KILL
        wait 0.2
        b: EVAL "return redis.call('ping')" 0
        b: EVAL "local a = 0 for i = 1, 100000 do a = a + 1 end return a" 0
    """,
    "one that has written": """
        a: CONFIG SET busy-reply-threshold 20
        b: EVAL "redis.call('set', 'x', 1) for i = 1, 1e8 do end return redis.call('get', 'x')" 0
        wait 0.2
        a: SCRIPT KILL
        a: FUNCTION KILL
        wait 3
        a: GET x
    """,
    "a function": f"""
        a: CONFIG SET busy-reply-threshold 20
        a: FUNCTION FLUSH
        a: FUNCTION LOAD "{LIBRARY}"
        b: FCALL loop 0
        wait 0.2
        a: GET x
        a: SCRIPT KILL
        a: FUNCTION KILL
        wait 0.2
        a: FUNCTION LOAD REPLACE "{LIBRARY}"
        a: FUNCTION FLUSH
    """,
    "who waits is asked behind the script": """
        a: CONFIG SET busy-reply-threshold 20
        c: BLPOP l 0
        b: EVAL "redis.call('rpush', 'l', 1) for i = 1, 1e8 do end redis.call('lpush', 'l', 2)" 0
        wait 0.2
        a: HELLO 9
        wait 3
        a: LRANGE l 0 -1
    """,
}


@pytest.fixture(autouse=True)
def leave_nothing(truth: servers.RealServer) -> Iterator[None]:
    """What scripts leave in the interpreter is memory that other tests would see."""
    yield
    truth.flush()
    truth.command("FUNCTION", "FLUSH")


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_scene(truth: servers.RealServer, tmp_path: Path, scene: str) -> None:
    compare(truth, str(tmp_path / "s"), scene, by_client)
    truth.command("CONFIG", "SET", "busy-reply-threshold", 5000)


def test_a_library_must_load_fast(both: Both) -> None:
    both.check([b"FUNCTION", b"LOAD", b"#!lua name=slow\nlocal a = 1 while 1 do a = a + 1 end"])
    both.check([b"EVAL", b"return 1", b"0"])


def test_names_of_functions_have_no_case(both: Both) -> None:
    register = b"redis.register_function('%b', function() return 1 end)"
    both.check([b"FUNCTION", b"FLUSH"])
    for library, function in ((b"one", b"Test"), (b"two", b"TEST"), (b"ONE", b"other")):
        both.check([b"FUNCTION", b"LOAD", b"#!lua name=%b\n" % library + register % function])
    both.check([b"FUNCTION", b"LOAD", b"#!lua name=two\n" + register % b"a" + register % b"A"])
    both.check_all("FCALL tEST 0\nFUNCTION FLUSH sync x\nFUNCTION FLUSH x\nFCALL OTHER 0\nFUNCTION FLUSH")


@pytest.mark.parametrize(
    "line",
    [
        "#! name=t",
        "#!",
        '#!lua name="a"',
        "#!lua name='a",
        '#!lua name="a"b',
        "#! lua name=x",
        "#!lua NAME=q \t name=x",
    ],
)
def test_the_first_line_of_a_library(both: Both, line: str) -> None:
    source = line.encode() + b"\nredis.register_function('f', function() return 1 end)"
    both.check([b"FUNCTION", b"LOAD", b"REPLACE", source])
    both.check([b"FUNCTION", b"FLUSH"])


@pytest.mark.parametrize(
    "line",
    [
        "#! lua",
        '#!lua flags="no-writes"',
        '#!lua flags="a',
        "#!lua flags='no-writes,allow-oom'  flags=no-cluster",
        '#!lua "flags="x',
        "#!lua flags=",
        "#!lua flags=,",
        "#!lua x",
        "#!lu",
    ],
)
def test_the_first_line_of_a_script(both: Both, line: str) -> None:
    both.check([b"EVAL", line.encode() + b"\nreturn 1", b"0"])


@pytest.mark.parametrize(
    "name", ["pcall", "string", "math", "tostring", "setmetatable", "redis.call", "redis.sha1hex", "redis.REPL_ALL"]
)
def test_a_library_sees_little_while_it_loads(both: Both, name: str) -> None:
    both.check([b"FUNCTION", b"LOAD", b"#!lua name=l\nlocal a = " + name.encode()])


def test_many_arguments(both: Both) -> None:
    push = "local t = {} for i = 1, %d do t[i] = 'v' .. i end %s return redis.pcall('rpush', 'l', unpack(t))"
    for count in (99, 100, 101, 199, 200, 201, 202, 7990):
        both.check([b"EVAL", (push % (count, "")).encode(), b"0"])
        both.check("LRANGE l 95 105")
        both.check("LRANGE l -3 -1")
        both.check("DEL l")
    both.check([b"EVAL", (push % (300, "t[299] = {}")).encode(), b"0"])
    both.check([b"EVAL", (push % (300, "t[3] = true")).encode(), b"0"])
    both.check("LLEN l")


def test_tables_that_hold_themselves(truth: servers.RealServer) -> None:
    # How deep Redis goes is the depth of the C stack: only how it ends is the same.
    source = b"local a = {} local b = {a} a[1] = b return a"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(truth.socket_path)
        sock.sendall(pack([b"EVAL", source, b"0"]))
        said = b""
        while b"-" not in said or not said.endswith(b"\r\n"):
            said += sock.recv(1 << 20)
    ours = ReplyWriter(2, SHAPES).write(Engine().execute(Session(), [b"EVAL", source, b"0"]))
    assert set(said.splitlines()) == set(ours.splitlines()) == {b"*1", b"-ERR reached lua stack limit"}


def test_what_scripts_must_not_do(both: Both) -> None:
    both.check_all(
        """
        XADD s 1-1 a b
        EVAL "return redis.pcall('xread', 'BLOCK', 0, 'STREAMS', 's', '0')" 0
        EVAL "return redis.pcall('XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', 0, 'STREAMS', 's', '>')" 0
        EVAL "getmetatable(_G).__index = {}" 0
        EVAL "getmetatable(redis).__newindex = nil" 0
        """
    )


def test_functions_see_a_global_table_that_they_cannot_change(both: Both) -> None:
    bodies = ("getmetatable(_G).__index = {}", "_G.x = 1", "x = 1", "return getmetatable(redis)", "return tostring(x)")
    for body in bodies:
        source = f"#!lua name=l\nredis.register_function('f', function() {body} end)"
        both.check([b"FUNCTION", b"LOAD", b"REPLACE", source.encode()])
        both.check("FCALL f 0")
    both.check("FUNCTION FLUSH")
