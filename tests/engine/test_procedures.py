"""Native procedures: what they may do, what is logged of them, and what is left when they fail."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from redmodel.engine.engine import Engine
from redmodel.engine.procedures import ProcedureContext
from redmodel.engine.replies import Reply
from redmodel.errors import ReplyError
from tests.engine.memory import Clock, MemoryStorage, Shell

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def run(clock: Clock, storage: MemoryStorage) -> Shell:
    return Shell(Engine(clock=clock, storage=storage))


Procedure = Callable[[ProcedureContext, list[bytes], list[bytes]], Reply]


def call(run: Shell, procedure: Procedure, line: str = "0") -> Reply:
    run.engine.register_procedure(SHA.encode(), procedure)
    return run(f"EVALSHA {SHA} {line}")


def test_keys_and_arguments_are_split(run: Shell) -> None:
    assert call(run, lambda ctx, keys, argv: [keys, argv], "2 a b c d") == [[b"a", b"b"], [b"c", b"d"]]
    assert run(f"EVALSHA {SHA.upper()} 0") == [[], []]


def test_effects_are_one_unit(run: Shell, storage: MemoryStorage) -> None:
    def procedure(ctx: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Reply:
        ctx.call(b"HSET", keys[0], b"f", b"v")
        ctx.call(b"GET", b"nothing")
        ctx.call(b"pexpire", keys[0], b"500")
        return ctx.call(b"SADD", b"ids", keys[0])

    assert call(run, procedure, "1 a") == 1
    assert storage.taken() == [
        [(0, (b"HSET", b"a", b"f", b"v")), (0, (b"PEXPIREAT", b"a", b"1000500")), (0, (b"SADD", b"ids", b"a"))]
    ]


def test_a_failure_leaves_what_was_done_before(run: Shell, storage: MemoryStorage) -> None:
    def procedure(ctx: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Reply:
        ctx.call(b"SET", b"a", b"1")
        return ctx.call(b"SADD", b"a", b"x")

    with pytest.raises(ReplyError, match="WRONGTYPE"):
        call(run, procedure)
    assert storage.taken() == [[(0, (b"SET", b"a", b"1"))]]

    def broken(ctx: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Reply:
        ctx.call(b"SET", b"b", b"1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(run, broken)
    assert storage.taken() == [[(0, (b"SET", b"b", b"1"))]]
    assert run("MGET a b") == [b"1", b"1"]


def test_an_error_reply_can_be_caught(run: Shell, storage: MemoryStorage) -> None:
    def procedure(ctx: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Reply:
        ctx.call(b"SET", b"a", b"x")
        try:
            ctx.call(b"INCR", b"a")
        except ReplyError as error:
            return error.text.encode()
        return None

    assert call(run, procedure) == b"ERR value is not an integer or out of range"
    assert len(storage.taken()) == 1


def test_time_stands_still_and_decides_what_has_expired(run: Shell, clock: Clock) -> None:
    def procedure(ctx: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Reply:
        start = ctx.now
        before = ctx.value(b"a")
        clock.now += 1000
        return [ctx.now == start, before == ctx.value(b"a") == ctx.call(b"GET", b"a")]

    run("SET a 1 PX 500")
    assert call(run, procedure) == [True, True]
    assert run("GET a") is None


def test_value_gives_the_live_container(run: Shell, clock: Clock, storage: MemoryStorage) -> None:
    run("SADD s a")
    run("HSET h f v")
    run("SET gone v PX 5")
    clock.now += 6
    storage.taken()

    def procedure(ctx: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Reply:
        members = ctx.value(b"s")
        ctx.call(b"SADD", b"s", b"b")
        return [sorted(members or ()), ctx.value(b"h"), ctx.value(b"nothing"), ctx.value(b"gone")]  # type: ignore[type-var]

    assert call(run, procedure) == [[b"a", b"b"], {b"f": b"v"}, None, None]
    assert storage.taken() == [[(0, (b"SADD", b"s", b"b")), (0, (b"DEL", b"gone"))]]


def test_what_a_procedure_may_not_call(run: Shell) -> None:
    def calling(*args: bytes) -> Procedure:
        return lambda ctx, keys, argv: ctx.call(*args)

    for args, text in [
        ((b"NOSUCH",), "Unknown Redis command called from script"),
        ((b"GET",), "Wrong number of args calling Redis command from script"),
        ((b"MULTI",), "This Redis command is not allowed from script"),
        ((b"EVALSHA", SHA.encode(), b"0"), "This Redis command is not allowed from script"),
    ]:
        with pytest.raises(ReplyError, match=text):
            call(run, calling(*args))


def test_a_read_only_call_refuses_writes(run: Shell) -> None:
    run.engine.register_procedure(SHA.encode(), lambda ctx, keys, argv: ctx.call(*argv))
    assert run(f"EVALSHA_RO {SHA} 0 GET a") is None
    with pytest.raises(ReplyError, match="Write commands are not allowed from read-only scripts"):
        run(f"EVALSHA_RO {SHA} 0 SET a 1")


def test_select_ends_with_the_procedure(run: Shell, storage: MemoryStorage) -> None:
    def procedure(ctx: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Reply:
        ctx.call(b"SELECT", b"4")
        return ctx.call(b"SET", b"a", b"1")

    call(run, procedure)
    assert run("GET a") is None
    assert storage.taken() == [[(4, (b"SET", b"a", b"1"))]]


def test_inside_a_transaction(run: Shell, storage: MemoryStorage) -> None:
    run.engine.register_procedure(SHA.encode(), lambda ctx, keys, argv: ctx.call(b"INCR", b"n"))
    run("MULTI")
    run("SET n 5")
    run(f"EVALSHA {SHA} 0")
    run(f"EVALSHA {'f' * 40} 0")
    ok, six, missing = run("EXEC")  # type: ignore[misc]
    assert (ok, six) == (b"OK", 6)
    assert isinstance(missing, ReplyError)
    assert missing.code == "NOSCRIPT"
    assert storage.taken() == [[(0, (b"SET", b"n", b"5")), (0, (b"INCR", b"n"))]]


def test_script_answers_sensibly(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lupa", None)  # as where the extra is not installed
    source = b"return 1"
    sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
    run.engine.register_procedure(sha.encode(), lambda ctx, keys, argv: 1)
    execute, session = run.engine.execute, run.session
    assert run(f"SCRIPT EXISTS {sha} {SHA}") == [1, 0]
    assert execute(session, [b"SCRIPT", b"LOAD", source]) == sha.encode()
    assert execute(session, [b"EVAL", source, b"0"]) == 1
    run("SCRIPT FLUSH")
    assert run(f"EVALSHA {sha} 0") == 1
    with pytest.raises(ReplyError, match=r"pip install .redmodel\[lua\]"):
        execute(session, [b"SCRIPT", b"LOAD", b"return 2"])
    with pytest.raises(ReplyError, match=r"pip install .redmodel\[lua\]"):
        execute(session, [b"EVAL", b"return 2", b"0"])
