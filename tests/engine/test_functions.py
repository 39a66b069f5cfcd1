"""Functions outlive a restart: in the log, in its rewritten base, and in RDB files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.storage.log import AppendOnlyLog
from redmodel.engine.storage.rdb import load_into, save_from
from tests.engine.memory import MemoryStorage, Shell

SOURCE = b"#!lua name=lib\nredis.register_function('f', function(keys, args) return args[1] end)"
OTHER = b"#!lua name=other\nredis.register_function('g', function() return redis.call('set', 'k', 'v') end)"


def _load(engine: Engine, *sources: bytes) -> Shell:
    run = Shell(engine)
    for source in sources:
        engine.execute(run.session, [b"FUNCTION", b"LOAD", source])
    return run


def test_the_log_keeps_functions(tmp_path: Path) -> None:
    engine = Engine(storage=AppendOnlyLog(tmp_path))
    run = _load(engine, SOURCE, OTHER)
    run("FUNCTION DELETE other")
    engine.close()
    again = Shell(Engine(storage=AppendOnlyLog(tmp_path)))
    assert again("FCALL f 0 x") == b"x"
    assert again("FUNCTION STATS")[b"engines"][b"LUA"] == {b"libraries_count": 1, b"functions_count": 1}  # type: ignore[index,call-overload]
    again.engine.close()


def test_a_rewritten_log_keeps_functions(tmp_path: Path) -> None:
    engine = Engine(storage=AppendOnlyLog(tmp_path))
    run = _load(engine, SOURCE)
    run("SET a 1")
    engine.rewrite()
    engine.close()
    again = Shell(Engine(storage=AppendOnlyLog(tmp_path)))
    assert again("FCALL f 0 x") == b"x"
    assert again("GET a") == b"1"
    again.engine.close()


def test_rdb_files_keep_functions(tmp_path: Path) -> None:
    engine = Engine()
    run = _load(engine, SOURCE)
    run("SET a 1")
    save_from(engine, tmp_path / "dump.rdb")
    other = Engine()
    load_into(other, tmp_path / "dump.rdb")
    assert Shell(other)("FCALL f 0 x") == b"x"


def test_a_store_with_functions_opens_without_an_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(storage=AppendOnlyLog(tmp_path))
    _load(engine, SOURCE)
    engine.close()
    monkeypatch.setitem(sys.modules, "lupa", None)
    again = Shell(Engine(storage=AppendOnlyLog(tmp_path)))
    again("SET a 1")
    with pytest.raises(Exception, match=r"redmodel\[lua\]"):
        again("FCALL f 0 x")
    again.engine.close()


def test_what_a_function_does_is_one_unit_of_the_log() -> None:
    storage = MemoryStorage()
    engine = Engine(storage=storage)
    source = b"""#!lua name=two
redis.register_function('two', function() redis.call('set','a','1') redis.call('incr','a') end)"""
    run = _load(engine, source)
    storage.taken()
    run("FCALL two 0")
    engine.execute(run.session, [b"EVAL", b"redis.call('set','b',ARGV[1]) redis.call('spop','nothing')", b"0", b"x"])
    assert storage.taken() == [[(0, (b"set", b"a", b"1")), (0, (b"incr", b"a"))], [(0, (b"set", b"b", b"x"))]]
