"""WATCH and the life of a transaction, where a real server can't be asked: expiry by clock, closed connections."""

from __future__ import annotations

import pytest

from redmodel.engine.engine import Engine
from redmodel.errors import ReplyError
from tests.engine.memory import Clock, MemoryStorage, Shell


def test_a_watched_key_that_expires_breaks_the_transaction() -> None:
    clock = Clock()
    run = Shell(Engine(clock=clock))
    run("SET a 1 PX 100")
    run("WATCH a")
    run("MULTI")
    run("SET b 1")
    clock.now += 101
    assert run("EXEC") is None
    assert run("EXISTS b") == 0


def test_a_watched_key_that_expires_breaks_it_when_another_connection_saw_it() -> None:
    clock = Clock()
    engine = Engine(clock=clock)
    run, other = Shell(engine), Shell(engine)
    run("SET a 1 PX 100")
    run("WATCH a")
    clock.now += 101
    other("GET a")
    run("MULTI")
    assert run("EXEC") is None


def test_a_key_that_had_expired_before_watch_breaks_nothing() -> None:
    clock = Clock()
    engine = Engine(clock=clock)
    run, other = Shell(engine), Shell(engine)
    run("SET a 1 PX 100")
    clock.now += 101
    run("WATCH a")
    other("GET a")
    engine.expire_step()
    run("MULTI")
    assert run("EXEC") == []


def test_exec_ends_watching() -> None:
    engine = Engine()
    run, other = Shell(engine), Shell(engine)
    run("WATCH a")
    other("SET a 1")
    run("MULTI")
    assert run("EXEC") is None
    run("MULTI")
    run("PING")
    assert run("EXEC") == [b"PONG"]
    assert not engine.databases[0].watchers


def test_a_released_session_leaves_nothing_behind() -> None:
    engine = Engine()
    run = Shell(engine)
    run("WATCH a b")
    run("SELECT 3")
    run("WATCH a")
    run("MULTI")
    engine.release(run.session)
    assert not any(database.watchers for database in engine.databases)
    assert run("PING") == b"PONG"


def test_watch_is_per_database() -> None:
    engine = Engine()
    run, other = Shell(engine), Shell(engine)
    run("WATCH a")
    other("SELECT 1")
    other("SET a 1")
    run("MULTI")
    assert run("EXEC") == []


def test_queued_arguments_are_kept_as_they_were() -> None:
    engine = Engine()
    run = Shell(engine)
    run("MULTI")
    args = [b"SET", b"a", b"1"]
    engine.execute(run.session, args)
    args[2] = b"2"
    run("EXEC")
    assert run("GET a") == b"1"


def test_an_error_inside_leaves_the_rest_done_and_logged() -> None:
    storage = MemoryStorage()
    run = Shell(Engine(storage=storage))
    run("MULTI")
    run("SET a x")
    run("INCR a")
    run("SET b 1")
    ok, error, other = run("EXEC")  # type: ignore[misc]
    assert (ok, other) == (b"OK", b"OK")
    assert isinstance(error, ReplyError)
    assert storage.taken() == [[(0, (b"SET", b"a", b"x")), (0, (b"SET", b"b", b"1"))]]


def test_discard_forgets_an_error_and_what_was_queued() -> None:
    run = Shell(Engine())
    run("MULTI")
    with pytest.raises(ReplyError):
        run("NOSUCH")
    run("DISCARD")
    run("MULTI")
    assert run("EXEC") == []
