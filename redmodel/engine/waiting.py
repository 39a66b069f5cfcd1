"""Waiting: a command that can't be answered yet, and what answers it later. No command's own logic lives here.

A handler calls `Context.wait`, which makes a `Waiter` and leaves by way of `Suspended`. The waiter stands in a queue
for each of its keys; when one of them was changed, the engine asks the waiters in the order in which they came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from redmodel.errors import ReplyError

if TYPE_CHECKING:
    from redmodel.engine.context import Context
    from redmodel.engine.engine import Engine
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.replies import Reply
    from redmodel.engine.session import Session

Attempt: TypeAlias = "Callable[[Context, bytes], Reply | NotYet]"
"""Tries to answer from a key that was changed; runs under the engine's lock, in the waiter's session and database."""

_LONGEST = 86_400.0 * 365


class NotYet:
    """What an attempt gives when there is still nothing for it."""


NOT_YET = NotYet()


class Suspended(Exception):
    """The command waits: raised to callers who wait in their own way, see `Session.patient`."""

    def __init__(self, waiter: Waiter) -> None:
        super().__init__("the command waits")
        self.waiter = waiter


class Waiter:
    """A session that waits for keys, or only for time to pass.

    Args:
        engine: who answers.
        session: who waits.
        keys: any of these may bring the answer; in the database that the session has selected.
        seconds: how long to wait; 0 is for ever.
        attempt: asked when one of the keys was changed.
        nothing: the reply when the time is over.
    """

    __slots__ = (
        "attempt",
        "call",
        "deadline",
        "done",
        "engine",
        "keys",
        "nothing",
        "number",
        "position",
        "reply",
        "session",
        "told",
    )

    def __init__(
        self,
        engine: Engine,
        session: Session,
        keys: Iterable[bytes],
        seconds: float,
        attempt: Attempt,
        nothing: Reply,
    ) -> None:
        self.engine = engine
        self.session = session
        self.keys = list(dict.fromkeys(keys))
        self.number = session.db
        self.attempt = attempt
        self.nothing = nothing
        #: On the monotonic clock; None for no end.
        self.deadline = time.monotonic() + min(seconds, _LONGEST) if seconds > 0 else None
        self.done = False
        #: The command with its arguments and the moment at which it began, where it is counted.
        self.call: tuple[Command, Args, int] | None = None
        self.reply: Reply = None
        #: What the storage must have before anybody sees the reply; 0 for nothing.
        self.position = 0
        #: Called once, under the engine's lock, when there is a reply; it must not block.
        self.told: Callable[[], object] | None = None

    @property
    def left(self) -> float | None:
        """Seconds until the time is over; None for no end."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    def when_done(self, told: Callable[[], object]) -> None:
        """Call ``told`` from whichever thread brings the reply; at once where it is there."""
        with self.engine.lock:
            if not self.done:
                self.told = told
                return
        told()

    def wait(self) -> Reply:
        """Block this thread until there is a reply, and return it.

        Raises:
            ReplyError: the reply is an error.
        """
        gate = Lock()
        gate.acquire()
        self.when_done(gate.release)
        try:
            left = self.left
            if not gate.acquire(timeout=-1 if left is None else left):
                self.time_out()
        except BaseException:
            self.cancel()
            raise
        return self.answer()

    def answer(self) -> Reply:
        """The reply, when the disk has what it acknowledges."""
        self.session.owes = False
        if self.position:
            self.engine.wait(self.position)
        if isinstance(self.reply, ReplyError):
            raise self.reply
        return self.reply

    def time_out(self) -> None:
        """The time is over: answer with nothing, unless there is a reply by now."""
        with self.engine.lock:
            self.finish(self.nothing)

    def cancel(self) -> bool:
        """Nobody is interested any more; False if there is a reply already, which took effect."""
        with self.engine.lock:
            if self.done:
                return False
            self.told = self.call = None
            self.finish(None)
            return True

    def finish(self, reply: Reply) -> None:
        """Leave all queues with this reply; to be called under the engine's lock. A second call does nothing."""
        if self.done:
            return
        self.done = True
        self.reply = reply
        self.engine.waiters.leave(self)
        self.engine.gate.waited(self)
        if self.told is not None:
            self.told()


class Waiters:
    """Everybody who waits, in one queue for each key of each database, and by the session's number."""

    def __init__(self) -> None:
        self._queues: dict[tuple[int, bytes], dict[Waiter, None]] = {}
        self._by_session: dict[int, Waiter] = {}
        #: Keys that were changed while somebody waits for them, in that order.
        self.ready: dict[tuple[int, bytes], None] = {}

    def __len__(self) -> int:
        return len(self._by_session)

    def join(self, waiter: Waiter) -> None:
        """Stand at the end of the queue of each key."""
        for key in waiter.keys:
            self._queues.setdefault((waiter.number, key), {})[waiter] = None
        self._by_session[waiter.session.id] = waiter

    def leave(self, waiter: Waiter) -> None:
        """Leave every queue."""
        for key in waiter.keys:
            queue = self._queues.get((waiter.number, key))
            if queue is not None and queue.pop(waiter, self) is None and not queue:
                del self._queues[waiter.number, key]
        if self._by_session.get(waiter.session.id) is waiter:
            del self._by_session[waiter.session.id]

    def of(self, session: int) -> Waiter | None:
        """Who waits for the session with this number."""
        return self._by_session.get(session)

    def queue(self, number: int, key: bytes) -> list[Waiter]:
        """Who waits for a key, the first to come first."""
        return list(self._queues.get((number, key), ()))

    def heed(self, number: int, key: bytes) -> None:
        """A key was changed: whoever waits for it is to be asked when the running command has ended."""
        if (number, key) in self._queues:
            self.ready[number, key] = None

    def serve(self, engine: Engine, context: Context) -> None:
        """Ask those who wait for keys that were changed, the first to come first; their answers may change others."""
        while self.ready:
            ready, self.ready = self.ready, {}
            for waiter, key in [(waiter, where[1]) for where in ready for waiter in self.queue(*where)]:
                if not waiter.done:
                    _ask(engine, context, waiter, key)
        context.reckon()

    def heed_all(self, number: int) -> None:
        """Any key of a database may have changed."""
        for queued in self._queues:
            if queued[0] == number:
                self.ready[queued] = None


def _ask(engine: Engine, context: Context, waiter: Waiter, key: bytes) -> None:
    engine.adopt(waiter.session)
    context.moment = 0  # the command that changed the key may have taken its time, and the key have expired
    context.may_wait = False
    waiter.session.owes = True
    try:
        reply: Reply | NotYet = waiter.attempt(context, key)
    except ReplyError as error:
        reply = error
    finally:
        context.may_wait = True
    if context.changed and context.logging:
        try:
            engine.settle(())
        except ReplyError as error:
            reply = error
        waiter.position = engine.owed
    context.changed = False
    if isinstance(reply, NotYet):
        waiter.session.owes = False
    else:
        waiter.finish(reply)
