"""What is sent again, with hand-written replies: no server, no clock but the deadline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from redmodel.database.resending import mend, pauses
from redmodel.errors import ReplyError
from redmodel.plan.core import Batch, Command, Reply

SHA = b"a" * 40
OTHER = b"b" * 40
NOSCRIPT = ReplyError("NOSCRIPT No matching script. Please use EVAL.")
LOADING = ReplyError("LOADING Redis is loading the dataset in memory")


class Ours:
    source = "return 1"


@pytest.fixture(autouse=True)
def one_script(monkeypatch: pytest.MonkeyPatch) -> None:
    import redmodel.procedures

    monkeypatch.setattr(redmodel.procedures, "BY_SHA", {SHA: Ours()})


def command(*args: bytes | str) -> Command[Any]:
    return Command(args, lambda reply: reply)


def batch(*commands: Sequence[bytes | str], resend: bool = True) -> Batch:
    return Batch(tuple(command(*args) for args in commands), resend)


def drive(
    sent: Batch, replies: list[Reply], rounds: list[list[Reply]], *, seconds: float = 10.0
) -> tuple[list[Reply], list[list[tuple[Any, ...]]]]:
    """Run `mend` against prepared answers: the final replies, and what was sent in each round."""
    mending = mend(sent, replies, time.monotonic() + seconds)
    asked: list[list[tuple[Any, ...]]] = []
    try:
        again = next(mending)
        while True:
            asked.append([c.args for c in again.batch.commands])
            assert again.batch.resend == sent.resend
            again = mending.send(rounds.pop(0))
    except StopIteration as stop:
        assert not rounds, "fewer rounds than expected"
        return stop.value, asked


def test_other_errors_stay_as_they_are() -> None:
    wrong = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")
    assert drive(batch(["GET", "a"], ["GET", "b"]), [b"1", wrong], []) == ([b"1", wrong], [])


def test_a_lost_script_is_loaded_and_only_what_missed_it_is_sent_again() -> None:
    sent = batch(["GET", "a"], ["EVALSHA", SHA, "1", "x"], ["GET", "b"], ["evalsha", SHA.decode(), "1", "y"])
    replies, asked = drive(sent, [b"A", NOSCRIPT, b"B", NOSCRIPT], [[SHA, b"X", b"Y"]])
    assert replies == [b"A", b"X", b"B", b"Y"]
    assert asked == [[(b"SCRIPT", b"LOAD", b"return 1"), sent.commands[1].args, sent.commands[3].args]]


def test_a_script_that_is_not_ours_stays_missing() -> None:
    assert drive(batch(["EVALSHA", OTHER, "0"]), [NOSCRIPT], []) == ([NOSCRIPT], [])


def test_a_user_who_may_not_load_scripts_is_told_so() -> None:
    refused = ReplyError("NOPERM this user has no permissions to run the 'script|load' command")
    replies, asked = drive(batch(["EVALSHA", SHA, "0"]), [NOSCRIPT], [[refused, NOSCRIPT]])
    assert replies == [refused]
    assert len(asked) == 1


def test_a_server_that_keeps_losing_scripts_is_given_up() -> None:
    replies, asked = drive(batch(["EVALSHA", SHA, "0"]), [NOSCRIPT], [[SHA, NOSCRIPT]] * 3)
    assert replies == [NOSCRIPT]
    assert len(asked) == 3


@pytest.mark.parametrize("code", ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY"])
def test_not_now_is_asked_again(code: str) -> None:
    sent = batch(["SET", "a", "1"], ["SET", "b", "2"], resend=False)
    error = ReplyError(f"{code} not now")
    replies, asked = drive(sent, [b"OK", error], [[error], [b"OK"]])
    assert replies == [b"OK", b"OK"]
    assert asked == [[sent.commands[1].args]] * 2


def test_not_now_inside_a_script_of_redis_6() -> None:
    error = ReplyError(
        "ERR Error running script (call to f_0a): @user_script:1: -READONLY You can't write against a replica."
    )
    assert drive(batch(["EVALSHA", SHA, "0"]), [error], [[b"OK"]])[0] == [b"OK"]


def test_not_now_is_the_answer_after_the_deadline() -> None:
    assert drive(batch(["GET", "a"]), [LOADING], [], seconds=-1) == ([LOADING], [])


def test_a_script_is_loaded_even_after_the_deadline() -> None:
    assert drive(batch(["EVALSHA", SHA, "0"]), [NOSCRIPT], [[SHA, b"1"]], seconds=-1)[0] == [b"1"]


def test_a_new_connection_is_asked_for_when_the_server_stepped_down() -> None:
    again = next(mend(batch(["SET", "a", "1"]), [ReplyError("READONLY x")], time.monotonic() + 10))
    assert again.reconnect
    again = next(mend(batch(["SET", "a", "1"]), [LOADING], time.monotonic() + 10))
    assert not again.reconnect
    assert 0 < again.after <= 0.01


def test_an_aborted_transaction_is_sent_again_whole() -> None:
    sent = batch(["MULTI"], ["SET", "a", "1"], ["EXEC"])
    aborted: list[Reply] = [b"OK", ReplyError("READONLY x"), ReplyError("EXECABORT Transaction discarded")]
    replies, asked = drive(sent, aborted, [[b"OK", b"QUEUED", [b"OK"]]])
    assert replies == [b"OK", b"QUEUED", [b"OK"]]
    assert asked == [[c.args for c in sent.commands]]


def test_a_transaction_that_was_executed_is_left_alone() -> None:
    sent = batch(["MULTI"], ["EVALSHA", SHA, "0"], ["EXEC"])
    replies: list[Reply] = [b"OK", b"QUEUED", [NOSCRIPT]]
    assert drive(sent, replies, []) == (replies, [])
    sent = batch(["MULTI"], ["NONSENSE"], ["EXEC"])
    replies = [b"OK", ReplyError("ERR unknown command"), ReplyError("EXECABORT x")]
    assert drive(sent, replies, []) == (replies, [])


def test_waiting_times_grow_and_end_at_half_a_second() -> None:
    waits = pauses()
    first = [next(waits) for _ in range(12)]
    assert all(0 < wait <= 0.5 for wait in first)
    assert first[0] <= 0.01
    assert first[-1] >= 0.25
