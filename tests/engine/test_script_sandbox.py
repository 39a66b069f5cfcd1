"""Scripts reach nothing of the host, keep nothing for the next one, and can be ended: by kill, by memory."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import redis

from redmodel.database.client_over_engine import sync_client
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.errors import ReplyError
from redmodel.server import Server

# What has led out of sandboxes of Lua, of lupa and of Redis. Each must give nil, false, or an error.
ESCAPES = [
    "return python",
    "return python.eval('1')",
    "return python.builtins",
    "return rawget(_G, 'python')",
    "return getmetatable(redis.call)",
    "return redis.call.__class__",
    "return redis.call.__globals__",
    "return redis.sha1hex.__self__",
    "return redis.call['__init__']",
    "return debug.getupvalue(redis.call, 1)",
    "return debug.getregistry()",
    "return require('os').execute('id')",
    "return package.loaded.python",
    "return package.loadlib('/lib/x86_64-linux-gnu/liblua5.1.so.0', 'luaopen_io')",
    "return io.open('/etc/passwd')",
    "return os.execute('id')",
    "return os.getenv('HOME')",
    "return dofile('/etc/passwd')",
    "return loadfile('/etc/passwd')",
    "return getfenv(0)",
    "return getfenv(redis.call)",
    "return setfenv(1, {})",
    "return newproxy(true)",
    "return loadstring(string.dump(function() return 1 end))",
    "return loadstring('\\27Lua')",
    "local f = load(function() return nil end) return getfenv and getfenv(f)",
    "local done = false return load(function() if done then return nil end done = true return '\\27LuaQ' end)",
    "return getmetatable('').__index.system",
    "return getmetatable(bit.band)",
    "return bit.band.__call",
    "return cjson.null.x",
    "return getmetatable(cjson.null)",
    "return coroutine.create(redis.call).x",
    "return __redis__err__handler and __redis__err__handler.x",
    "local ok, e = pcall(redis.call, 'get') return e.__class__",
    "local ok, e = pcall(bit.band, {}) return e.__traceback__",
    "return xpcall(redis.call, function(e) return e.__class__ end)",
    "return select(2, pcall(function() return redis.acl_check_cmd({}) end)).args",
    "return table.foreach(_G, function(k, v) if k == 'python' or k == 'io' then return v end end)",
    "for k, v in pairs(_G) do if type(v) == 'userdata' then return k end end",
    "for _, t in pairs({redis, bit}) do for k, v in pairs(t) do if type(v) == 'userdata' then return k end end end",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_known_ways_out_are_closed(source: str) -> None:
    said = ""
    try:
        reply = Engine().execute(Session(), [b"EVAL", source.encode(), b"0"])
    except ReplyError as error:
        reply, said = None, error.text
    assert reply in (None, 0)
    assert not any(word in said for word in ("Python", "0x", "object at", "Traceback"))


# What a script tries to leave behind, and how the next one would see it.
LEFT_BEHIND = [
    ("x = 1", "return rawget(_G, 'x')"),
    ("rawset(_G, 'x', 1)", "return rawget(_G, 'x')"),
    ("string.rep = nil", "return string.rep and 0"),
    ("redis.call = function() return 'evil' end", "return redis.call('ping') == 'evil'"),
    ("getmetatable('').__index = function() return 'evil' end", "return ('x').foo"),
    ("getmetatable(_G).__index = {x = 1}", "return rawget(_G, 'x')"),
    ("setmetatable(_G, {__index = function() return 1 end})", "return rawget(_G, 'x')"),
    ("table.insert(redis, 1, 'evil')", "return rawget(redis, 1)"),
    ("math.huge = 1", "return math.huge == 1"),
    ("for k in pairs(_G) do rawset(_G, k, nil) end", "return type(redis) ~= 'table'"),
    ("_G.pcall = error", "return pcall == error"),
    ("cjson.encode = nil", "return cjson.encode == nil"),
]


@pytest.mark.parametrize(("first", "second"), LEFT_BEHIND)
def test_one_script_leaves_nothing_for_the_next(first: str, second: str) -> None:
    engine = Engine()
    try:
        engine.execute(Session(), [b"EVAL", first.encode(), b"0"])
    except ReplyError:
        pass
    assert engine.execute(Session(), [b"EVAL", second.encode(), b"0"]) in (None, 0)


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redmodel.engine.scripting.interpreter.MEMORY", 16 << 20)
    engine = Engine()
    for source in (b"local s = 'x' while true do s = s .. s end", b"local t = {} while true do t[#t + 1] = {} end"):
        with pytest.raises(ReplyError, match="memory"):
            engine.execute(Session(), [b"EVAL", source, b"0"])
        assert engine.execute(Session(), [b"EVAL", b"return 1", b"0"]) == 1


ENDLESS = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local co = coroutine.wrap(function() while true do end end) co()",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "while true do redis.pcall('get', 'x') end",
]


@pytest.mark.parametrize("source", ENDLESS)
def test_an_endless_script_is_killed_from_another_thread(source: str) -> None:
    engine = Engine()
    client = sync_client(engine)
    client.config_set("busy-reply-threshold", 30)
    failures: list[str] = []

    def run() -> None:
        try:
            sync_client(engine).eval(source, 0)
        except redis.ResponseError as error:
            failures.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not engine.scripting.busy and time.monotonic() < deadline:
        time.sleep(0.005)
    with pytest.raises(redis.exceptions.RedisError, match="busy running a script"):
        client.get("x")
    while thread.is_alive() and time.monotonic() < deadline:
        try:
            client.script_kill()
        except redis.exceptions.RedisError:
            pass
        time.sleep(0.01)
    thread.join(10)
    assert "killed" in failures[0]
    assert client.get("x") is None


def test_a_server_answers_others_while_a_script_runs_too_long(tmp_path: Path) -> None:
    with Server(Engine(), unixsocket=tmp_path / "s") as server:
        one, other = redis.Redis.from_url(server.url), redis.Redis.from_url(server.url)
        other.config_set("busy-reply-threshold", 30)
        failures: list[str] = []

        def run() -> None:
            try:
                one.eval("while true do end", 0)
            except redis.exceptions.RedisError as error:
                failures.append(str(error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        busy = False
        while not busy and time.monotonic() < deadline:
            try:
                other.get("x")
            except redis.exceptions.RedisError as error:
                busy = "SCRIPT KILL" in str(error)
        assert busy
        assert other.script_kill()
        thread.join(10)
        assert "killed" in failures[0]
        assert other.get("x") is None
        with pytest.raises(redis.exceptions.RedisError, match="No scripts in execution"):
            other.script_kill()
        one.close()
        other.close()
