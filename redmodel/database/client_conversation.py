"""One session of redis-py with an engine in this process: commands go in, replies and messages wait to be heard.

May live here: the queue between the two, and waiting for it, by a thread or by a task.
"""

# redis-py is typed in part only:
# mypy: allow-untyped-calls
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from redmodel.database.client_replies import Decode, error_of, flattened, shaped
from redmodel.database.client_waiting import waited
from redmodel.database.over_engine_commits import commits_of
from redmodel.engine.engine import Engine
from redmodel.engine.replies import Push, Several
from redmodel.engine.session import Session
from redmodel.engine.waiting import Suspended
from redmodel.errors import ReplyError

# While nobody else runs commands, those who wait for messages let keys expire, or nobody would say that they have.
_EXPIRE_EACH = 0.1
_FRAME = 50  # bytes that a message costs beside its text


class Conversation:
    """One session with an engine."""

    def __init__(self, engine: Engine, db: int, name: str | None, protocol: int) -> None:
        self.engine = engine
        self.session = Session(db, (name or "").encode(), protocol=protocol)
        self.session.deliver = self._deliver
        self.replies: deque[Any] = deque()
        self._unheard = 0  # bytes of messages that nobody has heard yet
        self._overrun = False
        self._bell: Callable[[], object] | None = None

    def say(self, command: Iterable[list[bytes]]) -> None:
        """Run commands; what they answer, errors included, is kept. A command that waits blocks this thread."""
        execute, session, replies = self.engine.execute, self.session, self.replies
        session.patient = False
        for args in command:
            try:
                reply = execute(session, args)
            except ReplyError as error:
                replies.append(error)
            else:
                if type(reply) is not Several:
                    replies.append(reply)

    async def say_async(self, command: Iterable[list[bytes]]) -> None:
        """The same, where neither the disk nor other clients must be waited for in the event loop's thread."""
        self.session.patient = True
        owed: list[int] = []
        behind = 0
        for args in command:
            try:
                reply, position = self.engine.submit(self.session, args)
            except Suspended as suspended:
                reply, position = await waited(suspended.waiter)
            if type(reply) is Several:
                continue
            self.replies.append(reply)
            if position:
                owed.append(len(self.replies) - 1)
                behind = position
        if owed:
            try:
                await commits_of(self.engine).wait(behind)
            except ReplyError as error:
                for at in owed:
                    self.replies[at] = error

    def hear(self, decode: Decode) -> Any:
        """The oldest reply or message, as redis-py expects it; an error is raised. A message is a `Push`."""
        if not self.replies:
            if self._overrun:
                raise RedisConnectionError("the engine closed the connection: too many messages were not read")
            raise RedisConnectionError("no reply is waiting: nothing was sent to the engine")
        reply = self.replies.popleft()
        pushed = type(reply) is Push and self.session.protocol >= 3
        if type(reply) is Push:
            self._unheard = max(self._unheard - _cost(reply), 0)
        if self.session.protocol < 3:
            reply = flattened(reply)
        if isinstance(reply, ReplyError):
            raise error_of(reply) from None
        found = shaped(reply, decode)
        return Push(found) if pushed else found

    def wait(self, seconds: float | None) -> bool:
        """Block this thread until something can be heard, and say whether it can; None: while messages may come."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self.replies and self._may_hear():
            left = _EXPIRE_EACH if until is None else min(until - time.monotonic(), _EXPIRE_EACH)
            if left <= 0:
                break
            gate = Lock()
            gate.acquire()
            self._bell = gate.release
            if not self.replies:
                gate.acquire(timeout=left)
            self._bell = None
            self.engine.expire_step()
        return bool(self.replies) or self._overrun

    async def wait_async(self, seconds: float | None) -> bool:
        """The same for a task; its event loop goes on."""
        loop = asyncio.get_running_loop()
        until = None if seconds is None else loop.time() + seconds
        while not self.replies and self._may_hear():
            left = _EXPIRE_EACH if until is None else min(until - loop.time(), _EXPIRE_EACH)
            if left <= 0:
                break
            rung = asyncio.Event()

            def ring(rung: asyncio.Event = rung) -> None:
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(rung.set)

            self._bell = ring
            if not self.replies:
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), left)
            self._bell = None
            self.engine.expire_step()
        return bool(self.replies) or self._overrun

    def end(self) -> None:
        """Forget the session's transaction, watched keys and subscriptions."""
        self.session.deliver = None
        self.engine.release(self.session)
        self.replies.clear()

    def _may_hear(self) -> bool:
        return not self._overrun and self.session.hears

    def _deliver(self, message: Any) -> None:
        """Take a message; called under the engine's lock, from any thread."""
        self.replies.append(message)
        if type(message) is Push:
            self._unheard += _cost(message)
            hard = self.engine.settings.items("client-output-buffer-limit")[2][0]
            if hard and self._unheard > hard:
                self._overrun = True
                self.session.deliver = None
                self.replies.clear()
        bell, self._bell = self._bell, None
        if bell is not None:
            with suppress(RuntimeError):  # it has stopped waiting
                bell()


def _cost(message: Push) -> int:
    return _FRAME + sum(len(part) for part in message if type(part) is bytes)
