"""How long a transport keeps trying, blocking and awaiting: the rules of ``resending`` put to work over any connection.

A transport says how one try is made (``_attempt``) and how connections to a server that stepped down are dropped
(``_renew``); everything else about trying again stands here, once per colour.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from redmodel.database.greeting import Broken, broken, closed
from redmodel.database.resending import mend, pauses
from redmodel.database.url import Target
from redmodel.errors import AuthenticationFailed, ConnectionFailed, ReplyError
from redmodel.plan.core import Batch, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator


class WithErrors(list[Reply]):
    """Replies of which at least one is an error, so that nobody has to look through all replies for one."""


class ErrorWatch:
    """Makes a parser's error replies, and remembers that there was one.

    An object of its own and not a method of the connection: the parser would keep the connection alive for ever.
    """

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = False

    def reply_error(self, text: str) -> ReplyError:
        """An error reply as a value."""
        self.seen = True
        return ReplyError(text)


class _Patience:
    """What both colours know: the target, what was counted, and when to give up."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.keyspace: object = target.keyspace
        self.round_trips: int = 0  # batches answered since the start; not exact when threads race
        self._closed = False
        self._met = False  # whether this server ever let us in: until then an error is told at once

    def _deadline(self) -> float:
        return time.monotonic() + self.target.retry_seconds

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise closed(self.target) from None

    def _wait_for(
        self, error: Broken | ConnectionFailed, batch: Batch, deadline: float, waits: Iterator[float]
    ) -> float:
        """How long to wait before the next try; raises when there is to be none."""
        self._refuse_if_closed()
        wait = next(waits)
        late = time.monotonic() + wait >= deadline
        if isinstance(error, Broken):
            if error.sent and not batch.resend:
                raise broken(self.target, error.reason, resend=False) from None
            if late:
                raise broken(self.target, error.reason, resend=True) from None
        elif late or not self._met or isinstance(error, AuthenticationFailed):
            raise error
        return wait


def _waits() -> Iterator[float]:
    yield 0.0  # at once: most often it was an idle connection that the server had closed
    yield from pauses()


class Patient(_Patience, ABC):
    """The blocking colour."""

    @abstractmethod
    def _attempt(self, batch: Batch) -> list[Reply]:
        """One round trip; a `WithErrors` list if any reply is an error.

        Raises:
            Broken: the connection broke on the way.
            ConnectionFailed: there was no connection to be had; nothing was sent.
        """

    @abstractmethod
    def _renew(self) -> None:
        """Drop idle connections: they lead to a server that went away or stepped down."""

    def _patiently(self, batch: Batch, error: Broken | None = None) -> list[Reply]:
        """Try until the deadline; ``error`` is how the first try failed."""
        deadline = self._deadline()
        replies = self._until(deadline, batch, error)
        return self._mended(batch, replies, deadline) if type(replies) is WithErrors else replies

    def _mended(self, batch: Batch, replies: list[Reply], deadline: float) -> list[Reply]:
        """Do what error replies ask for, within the deadline."""
        mending = mend(batch, replies, deadline)
        try:
            again = next(mending)
            while True:
                if again.after:
                    time.sleep(again.after)
                if again.reconnect:
                    self._renew()
                again = mending.send(self._until(deadline, again.batch))
        except StopIteration as stop:
            answers: list[Reply] = stop.value
            return answers

    def _until(self, deadline: float, batch: Batch, error: Broken | ConnectionFailed | None = None) -> list[Reply]:
        waits = _waits()
        while True:
            if error is not None:
                wait = self._wait_for(error, batch, deadline, waits)
                self._renew()
                time.sleep(wait)
            try:
                return self._attempt(batch)
            except (Broken, ConnectionFailed) as trouble:
                error = trouble


class AsyncPatient(_Patience, ABC):
    """The awaiting colour."""

    @abstractmethod
    async def _attempt(self, batch: Batch) -> list[Reply]:
        """One round trip; a `WithErrors` list if any reply is an error.

        Raises:
            Broken: the connection broke on the way.
            ConnectionFailed: there was no connection to be had; nothing was sent.
        """

    @abstractmethod
    async def _renew(self) -> None:
        """Let later work take new connections: the present ones lead to a server that stepped down."""

    async def _patiently(self, batch: Batch, error: Broken | None = None) -> list[Reply]:
        """Try until the deadline; ``error`` is how the first try failed."""
        deadline = self._deadline()
        replies = await self._until(deadline, batch, error)
        return await self._mended(batch, replies, deadline) if type(replies) is WithErrors else replies

    async def _mended(self, batch: Batch, replies: list[Reply], deadline: float) -> list[Reply]:
        """Do what error replies ask for, within the deadline."""
        mending = mend(batch, replies, deadline)
        try:
            again = next(mending)
            while True:
                if again.after:
                    await asyncio.sleep(again.after)
                if again.reconnect:
                    await self._renew()
                again = mending.send(await self._until(deadline, again.batch))
        except StopIteration as stop:
            answers: list[Reply] = stop.value
            return answers

    async def _until(
        self, deadline: float, batch: Batch, error: Broken | ConnectionFailed | None = None
    ) -> list[Reply]:
        waits = _waits()
        while True:
            if error is not None:
                await asyncio.sleep(self._wait_for(error, batch, deadline, waits))
            try:
                return await self._attempt(batch)
            except (Broken, ConnectionFailed) as trouble:
                error = trouble
