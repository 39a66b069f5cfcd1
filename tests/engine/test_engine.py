"""The engine's dispatch, its storage and its threads."""

from __future__ import annotations

import threading

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.replies import Status
from redmodel.engine.session import Session
from redmodel.errors import ReplyError, StorageError
from tests.engine.memory import Clock, MemoryStorage, Shell


def test_names_in_any_case() -> None:
    run = Shell(Engine())
    assert run("SET a 1") == run("set a 1") == run("sEt a 1") == b"OK"
    assert isinstance(run("SET a 1"), Status)
    assert run("CLIENT getname") == run("client GETNAME")


def test_unknown_commands_and_wrong_arity_change_nothing() -> None:
    run = Shell(Engine())
    with pytest.raises(ReplyError, match="unknown command 'NOSUCH'"):
        run("NOSUCH a b")
    with pytest.raises(ReplyError, match="wrong number of arguments for 'get' command") as caught:
        run("GET")
    assert caught.value.code == "ERR"


def test_arguments_may_be_a_tuple() -> None:
    engine, session = Engine(), Session()
    engine.execute(session, (b"HSET", b"h", b"a", b"1", b"b", b"2"))
    assert engine.execute(session, (b"HMGET", b"h", b"b", b"c")) == [b"2", None]
    assert engine.execute(session, (b"ZADD", b"z", b"NX", b"1.5", b"m")) == 1
    assert engine.execute(session, (b"SADD", b"s", b"a", b"b")) == 2
    assert engine.execute(session, (b"MSET", b"k", b"1", b"l", b"2")) == b"OK"


def test_sessions_have_their_own_database() -> None:
    engine = Engine(databases=2)
    one, other = Shell(engine), Shell(engine)
    other("SELECT 1")
    one("SET k zero")
    other("SET k one")
    assert one("GET k") == b"zero"
    assert other("GET k") == b"one"
    with pytest.raises(ReplyError, match="DB index is out of range"):
        one("SELECT 2")
    with pytest.raises(ReplyError, match="DB index is out of range"):
        engine.execute(Session(db=7), [b"PING"])
    assert one("GET k") == b"zero"


def test_replies_do_not_share_what_is_stored() -> None:
    engine = Engine()
    run = Shell(engine)
    run("HSET h a 1")
    run("SADD s a")
    run("ZADD z 1 a")
    for reply in (run("HGETALL h"), run("SMEMBERS s"), run("ZRANGE z 0 -1"), run("SINTER s"), run("KEYS *")):
        assert isinstance(reply, dict | list)
        reply.clear()
    assert run("HGETALL h") == {b"a": b"1"}
    assert run("SMEMBERS s") == run("ZRANGE z 0 -1") == [b"a"]
    run("COPY s t")
    run("SADD t b")
    assert run("SCARD s") == 1


def test_effects_are_one_unit_for_each_command_or_transaction() -> None:
    storage = MemoryStorage()
    run = Shell(Engine(storage=storage))
    run("GET a")
    run("SET a 1")
    run("MULTI")
    run("SELECT 3")
    run("INCR a")
    run("GET a")
    run("SADD a x")
    run("EXPIREAT a 4102444800")
    run("EXEC")
    assert storage.taken() == [
        [(0, (b"SET", b"a", b"1"))],
        [(3, (b"INCR", b"a")), (3, (b"PEXPIREAT", b"a", b"4102444800000"))],
    ]


def test_replay_rebuilds_the_databases_and_logs_nothing() -> None:
    log = [
        (b"SELECT", b"2"),
        (b"SET", b"a", b"1"),
        (b"SADD", b"a", b"wrong type: passed over"),
        (b"select", b"0"),
        (b"hset", b"h", b"f", b"v"),
    ]
    storage = MemoryStorage(log)
    run = Shell(Engine(storage=storage))
    assert run("HGET h f") == b"v"
    run("SELECT 2")
    assert run("GET a") == b"1"
    assert storage.units == []


def test_replay_lets_nothing_expire_until_it_is_over() -> None:
    log = [
        (b"SET", b"a", b"1", b"PXAT", b"5"),
        (b"APPEND", b"a", b"2"),
        (b"PEXPIREAT", b"b", b"5"),
        (b"SET", b"b", b"1"),
    ]
    storage = MemoryStorage(log)
    run = Shell(Engine(storage=storage, clock=Clock(10)))
    assert run("EXISTS a") == 0
    assert run("EXISTS b") == 1
    assert storage.taken() == [[(0, (b"DEL", b"a"))]]


def test_replay_refuses_a_command_it_does_not_know() -> None:
    with pytest.raises(StorageError, match="NOSUCH"):
        Engine(storage=MemoryStorage([(b"NOSUCH", b"a")]))


def test_a_storage_that_fails_stops_writers_and_not_readers() -> None:
    storage, clock = MemoryStorage(), Clock()
    engine = Engine(storage=storage, clock=clock)
    run = Shell(engine)
    engine.register_procedure(b"a" * 40, lambda ctx, keys, argv: ctx.call(b"SET", keys[0], b"by procedure"))
    run("SET a 1")
    run("SET gone 1 PX 100")
    storage.broken = "No space left on device"
    wanted = "^MISCONF Errors writing to the AOF file: No space left on device$"
    with pytest.raises(ReplyError, match=wanted) as caught:
        run("SET b 1")
    assert isinstance(caught.value.__cause__, StorageError)
    storage.broken = ""
    for line in ("SET a 2", "DEL a", "EVALSHA " + "a" * 40 + " 1 a", "FLUSHALL", "GETEX a"):
        with pytest.raises(ReplyError, match=wanted):
            run(line)
    assert run("GET a") == b"1"
    clock.now += 1000
    assert run("GET gone") is None
    run("MULTI")
    with pytest.raises(ReplyError, match=wanted):
        run("SET a 2")
    with pytest.raises(ReplyError, match="EXECABORT"):
        run("EXEC")
    assert storage.taken() == [[(0, (b"SET", b"a", b"1"))], [(0, (b"SET", b"gone", b"1", b"PXAT", b"1000100"))]]
    assert b"aof_last_write_status:err" in run("INFO persistence")  # type: ignore[operator]


def test_a_failure_between_multi_and_exec_aborts_the_transaction() -> None:
    storage = MemoryStorage()
    engine = Engine(storage=storage)
    run, other = Shell(engine), Shell(engine)
    run("MULTI")
    run("SET a 1")
    storage.broken = "disk gone"
    with pytest.raises(ReplyError, match="MISCONF"):
        other("SET b 1")
    with pytest.raises(ReplyError, match=r"^EXECABORT Transaction discarded because of: MISCONF Errors"):
        run("EXEC")
    assert run("GET a") is None


def test_a_read_that_meets_an_expired_key_goes_on_when_the_storage_fails() -> None:
    storage, clock = MemoryStorage(), Clock()
    run = Shell(Engine(storage=storage, clock=clock))
    run("SET a 1 PX 100")
    clock.now += 1000
    storage.broken = "disk gone"
    assert run("GET a") is None
    with pytest.raises(ReplyError, match="MISCONF"):
        run("SET a 1")


def test_close_closes_the_storage_once() -> None:
    storage = MemoryStorage()
    engine = Engine(storage=storage)
    run = Shell(engine)
    run("SET a 1")
    engine.close()
    engine.close()
    assert storage.closed == 1
    with pytest.raises(ReplyError, match="MISCONF"):
        run("SET a 2")
    assert run("GET a") == b"1"


def test_threads_take_turns() -> None:
    engine = Engine()

    def work() -> None:
        run = Shell(engine)
        for _ in range(500):
            run("INCR n")
            run("MULTI")
            run("INCR one")
            run("INCR two")
            one, two = run("EXEC")  # type: ignore[misc]
            assert one == two

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = Shell(engine)
    assert run("MGET n one two") == [b"2000"] * 3


def test_info_names_both_versions() -> None:
    info = Shell(Engine())("INFO server")
    assert isinstance(info, bytes)
    assert b"redis_version:7.0.15\r\n" in info
    assert b"redmodel_version:" in info
