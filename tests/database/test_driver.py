"""The drivers: replies are sent in, errors thrown in, and every plan is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from redmodel.database.driver import run, run_async
from redmodel.errors import ConnectionFailed, ReplyError
from redmodel.plan.commands import as_int, exists
from redmodel.plan.core import Batch, Command, Plan, Reply, call, each, together


class Replies:
    """An executor that answers from a list, and remembers what it was asked."""

    def __init__(self, *replies: Sequence[Reply] | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[bytes, ...]] = []

    def execute(self, batch: Batch) -> Sequence[Reply]:
        self.asked += [command.args for command in batch.commands]
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None: ...


class AsyncReplies:
    def __init__(self, *replies: Sequence[Reply] | Exception) -> None:
        self.inner = Replies(*replies)

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        await asyncio.sleep(0)
        return self.inner.execute(batch)

    async def close(self) -> None: ...


def three() -> Plan[list[int]]:
    first = yield from call(exists(b"a"))
    more = yield from each([exists(b"b"), exists(b"c")])
    last, again = yield from together(exists(b"d"), Command((b"DBSIZE",), as_int))
    return [first, *more, last, again]


def test_a_plan_runs_to_its_end_in_both_colours() -> None:
    replies: list[list[Reply]] = [[1], [0, 1], [1, 7]]
    executor = Replies(*replies)
    assert run(three(), executor) == [1, 0, 1, 1, 7]
    assert executor.asked[-1] == (b"DBSIZE",)
    assert asyncio.run(run_async(three(), AsyncReplies(*replies))) == [1, 0, 1, 1, 7]


def test_an_error_reply_is_raised() -> None:
    with pytest.raises(ReplyError, match="ERR no"):
        run(three(), Replies([ReplyError("ERR no")]))
    with pytest.raises(ReplyError):
        run(three(), Replies([1], [1, ReplyError("ERR no")]))


def test_an_executors_error_reaches_the_plan_which_may_answer_it() -> None:
    closed: list[bool] = []

    def careful() -> Plan[str]:
        try:
            yield from call(exists(b"a"))
        except ConnectionFailed:
            yield from call(exists(b"b"))
            return "answered"
        finally:
            closed.append(True)
        return "never"

    assert run(careful(), Replies(ConnectionFailed("gone"), [1])) == "answered"
    assert asyncio.run(run_async(careful(), AsyncReplies(ConnectionFailed("gone"), [1]))) == "answered"
    with pytest.raises(ConnectionFailed):
        run(careful(), Replies(ConnectionFailed("gone"), ConnectionFailed("gone again")))
    assert closed == [True] * 3


def test_a_cancelled_plan_is_closed() -> None:
    closed: list[bool] = []

    def plan() -> Plan[int]:
        try:
            return (yield from call(exists(b"a")))
        finally:
            closed.append(True)

    class Never:
        async def execute(self, batch: Batch) -> Sequence[Reply]:
            await asyncio.sleep(60)
            return []

        async def close(self) -> None: ...

    async def main() -> None:
        task = asyncio.create_task(run_async(plan(), Never()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert closed == [True]
