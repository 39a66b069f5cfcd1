"""Functions: loading, calling, listing, and payloads that both servers restore."""

from __future__ import annotations

import pytest

from tests.differential.both import Both, words
from tests.differential.wire import Parsed

LIBRARIES = [
    r"""#!lua name=l1
redis.register_function('f1', function(keys,args) return {keys[1],args[1],#keys,#args} end)""",
    r"""#!lua name=l1
redis.register_function('f1', function(keys,args) return 1 end)""",
    r"""#!lua name=l2
redis.register_function('f1', function(keys,args) return 1 end)""",
    r"""#!lua name=l2
redis.register_function{function_name='f2', flags={'allow-oom'}, description='d', callback=function()
 return redis.call('set','x',1) end}
redis.register_function{function_name='f3', callback=function() return redis.call('get','x') end, flags={'no-writes'}}
redis.register_function('err', function() return redis.call('nosuch') end)
redis.register_function('err2', function()
 error('boom') end)
redis.register_function('glob', function() return foo end)
redis.register_function('setg', function() foo=1 end)
redis.register_function('K', function() return KEYS end)
redis.register_function('ver', function() redis.setresp(3) return redis.call('hgetall','hh') end)
redis.register_function('reg', function() redis.register_function('x', function() end) end)""",
    r"""redis.register_function('f1', function() end)""",
    r"""#!lua""",
    r"""#!lua
""",
    r"""#!lua name=
x""",
    r"""#!lua name=a-b
x=1""",
    r"""#!js name=a
x""",
    r"""#!lua foo=1
x""",
    r"""#!lua name=a name=b
x""",
    r"""#!lua name=x
return (""",
    r"""#!lua name=x
""",
    r"""#!lua name=x
local a=nil
a.b=1""",
    r"""#!lua name=x
redis.call('get','k')""",
    r"""#!lua name=x
foo=1""",
    r"""#!lua name=x
return foo""",
    r"""#!lua name=x
redis.register_function()""",
    r"""#!lua name=x
redis.register_function(1)""",
    r"""#!lua name=x
redis.register_function('a')""",
    r"""#!lua name=x
redis.register_function('a','b')""",
    r"""#!lua name=x
redis.register_function(1,2)""",
    r"""#!lua name=x
redis.register_function({},function() end)""",
    r"""#!lua name=x
redis.register_function('a',function() end,3)""",
    r"""#!lua name=x
redis.register_function('a-b',function() end)""",
    r"""#!lua name=x
redis.register_function('',function() end)""",
    r"""#!lua name=x
redis.register_function{function_name='a'}""",
    r"""#!lua name=x
redis.register_function{callback=function() end}""",
    r"""#!lua name=x
redis.register_function{function_name=1,callback=function() end}""",
    r"""#!lua name=x
redis.register_function{function_name={},callback=function() end}""",
    r"""#!lua name=x
redis.register_function{function_name='a',callback=1}""",
    r"""#!lua name=x
redis.register_function{function_name='a',callback=function() end, flags=1}""",
    r"""#!lua name=x
redis.register_function{function_name='a',callback=function() end, flags={'x'}}""",
    r"""#!lua name=x
redis.register_function{function_name='a',callback=function() end, flags={1}}""",
    r"""#!lua name=x
redis.register_function{function_name='a',callback=function() end, description=1}""",
    r"""#!lua name=x
redis.register_function{function_name='a',callback=function() end, description={}}""",
    r"""#!lua name=x
redis.register_function{function_name='a',callback=function() end, zzz=1}""",
    r"""#!lua name=x
redis.register_function{1,2}""",
    r"""#!lua name=x
redis.register_function('a',function() end) redis.register_function('a',function() end)""",
    r"""#!lua name=x
redis.log(redis.LOG_NOTICE,'hi') redis.register_function('xx',function() return redis.REDIS_VERSION end)""",
    r"""#!lua name=x
local t=redis.call""",
    r"""#!lua name=x
local t=math.random()""",
    r"""#!lua name=x
redis.setresp(3)""",
    r"""#!lua name=x
redis.foo=1""",
    r"""#!lua name=x
local x=KEYS""",
    r"""#!lua name=loc
local n=0 local function inc() n=n+1 return n end redis.register_function('cnt', inc)""",
]

COMMANDS = r"""
FUNCTION LOAD
FCALL f1 1 k a b
FCALL f1 0
FCALL nof 0
FCALL f1 x
FCALL f1 -1
FCALL f1 5 a
FCALL f1
FCALL f2 0
FCALL_RO f2 0
FCALL_RO f3 0
FCALL f3 0
FCALL err 0
FCALL err2 0
FCALL glob 0
FCALL setg 0
FCALL K 0
FCALL ver 0
FCALL reg 0
FCALL xx 0
FCALL cnt 0
FCALL cnt 0
FUNCTION LIST
FUNCTION LIST WITHCODE
FUNCTION LIST LIBRARYNAME l*
FUNCTION LIST LIBRARYNAME nothing*
FUNCTION LIST LIBRARYNAME
FUNCTION LIST LIBRARYNAME a LIBRARYNAME b
FUNCTION LIST WITHCODE WITHCODE
FUNCTION LIST x
FUNCTION STATS
FUNCTION KILL
FUNCTION DELETE nolib
FUNCTION DELETE
FUNCTION RESTORE x
FUNCTION RESTORE x y
FUNCTION FLUSH x
FUNCTION NOSUCH
FUNCTION HELP
FUNCTION DELETE loc
FCALL cnt 0
EVAL 'return redis.call("fcall","f1",0)' 0
EVAL 'return redis.register_function' 0
MULTI
FCALL f1 1 a b
FUNCTION DELETE l1
EXEC
FUNCTION FLUSH
FUNCTION LIST
FUNCTION STATS
FUNCTION LOAD REPLACE x
FUNCTION LOAD x y
""".strip().splitlines()


def _sorted(reply: Parsed) -> object:
    kind, content = reply
    return (kind, sorted(map(repr, map(_sorted, content)))) if isinstance(content, list) else reply


def _differences(both: Both, commands: list[list[bytes]]) -> list[str]:
    found = []
    for args in commands:
        real, ours = both.real.execute(args), both.ask_engine(args)
        unordered = args[:2] == [b"FUNCTION", b"LIST"]
        if (_sorted(real), _sorted(ours)) != (_sorted(ours), _sorted(real)) if unordered else real != ours:
            found.append(f"{args}\n  redis  {real}\n  engine {ours}")
    return found


@pytest.fixture(autouse=True)
def _no_functions(both: Both) -> None:
    both.real.execute([b"FUNCTION", b"FLUSH"])


def test_loading(both: Both) -> None:
    differences = []
    for source in LIBRARIES:
        differences += _differences(both, [[b"FUNCTION", b"LOAD", source.encode()]])
        if source.startswith("#!lua name=x"):
            differences += _differences(both, [[b"FUNCTION", b"DELETE", b"x"]])
    assert not differences, "\n" + "\n".join(differences)


def test_commands(both: Both) -> None:
    for source in (*LIBRARIES[:4], LIBRARIES[-1]):
        both.real.execute([b"FUNCTION", b"LOAD", source.encode()])
        both.ask_engine([b"FUNCTION", b"LOAD", source.encode()])
    differences = _differences(both, [words(line) for line in COMMANDS])
    assert not differences, "\n" + "\n".join(differences)


def test_payloads_go_both_ways(both: Both) -> None:
    source = LIBRARIES[0].encode()
    both.real.execute([b"FUNCTION", b"LOAD", source])
    dumped = both.real.execute([b"FUNCTION", b"DUMP"])
    assert both.ask_engine([b"FUNCTION", b"RESTORE", dumped[1]]) == ("+", b"OK")
    both.real.execute([b"FUNCTION", b"FLUSH"])
    assert both.real.execute([b"FUNCTION", b"RESTORE", both.ask_engine([b"FUNCTION", b"DUMP"])[1]]) == ("+", b"OK")
    commands = [
        [b"FUNCTION", b"RESTORE", dumped[1]],
        [b"FUNCTION", b"RESTORE", dumped[1], b"APPEND"],
        [b"FUNCTION", b"RESTORE", dumped[1], b"REPLACE"],
        [b"FUNCTION", b"RESTORE", dumped[1], b"FLUSH"],
        [b"FUNCTION", b"RESTORE", dumped[1][:-1] + b"x"],
        [b"FUNCTION", b"RESTORE", dumped[1], b"FLUSH", b"FLUSH"],
        [b"FCALL", b"f1", b"1", b"k", b"a"],
        [b"FUNCTION", b"LOAD", b"REPLACE", LIBRARIES[1].encode()],
        [b"FCALL", b"f1", b"1", b"k", b"a"],
    ]
    differences = _differences(both, commands)
    assert not differences, "\n" + "\n".join(differences)
