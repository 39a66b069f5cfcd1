"""Batches to a Redis over TCP or a unix socket, on asyncio. TLS, Sentinel and Cluster go through redis-py instead.

One connection per event loop carries every task's batches, so a busy program makes far fewer system calls than calls:
see ``over_redis_link``. Here stands which connection serves which loop, and how it is opened, shared and given up.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import AbstractEventLoop
from collections.abc import Sequence
from typing import ClassVar

from redmodel.database.forks import forget_after_fork
from redmodel.database.greeting import Broken
from redmodel.database.over_redis_link import Link, open_link, pack_one
from redmodel.database.patience import AsyncPatient, WithErrors
from redmodel.database.resending import pauses
from redmodel.database.url import Target
from redmodel.errors import AuthenticationFailed, ConnectionFailed
from redmodel.plan.core import Batch, Reply


class AsyncRedisExecutor(AsyncPatient):
    """Executes batches on a Redis, for any number of tasks on any number of event loops; connects when first needed.

    ``round_trips`` counts the batches that were answered since the start; those of one tick share a write.
    """

    # Whether a server that was reached before is waited for right where the connection is opened.
    _waits_for_server: ClassVar[bool] = True

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._links: dict[AbstractEventLoop, Link] = {}
        self._opening: dict[AbstractEventLoop, asyncio.Task[Link]] = {}
        self._link: Link | None = None  # the one used last
        forget_after_fork(self)

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        """Send a batch and await its replies: one round trip. Error replies are values in the list.

        Cancelling the task gives up the wait, not the work: what was sent is executed, its replies are dropped.

        Raises:
            ConnectionFailed: the server can't be reached, or the connection broke and trying again did not help.
            TypeError: an argument that can't be sent; nothing was sent.
        """
        commands = batch.commands
        data = pack_one(commands[0].args) if len(commands) == 1 else _join(batch)
        link = self._link
        if link is None or link.broken or link.loop is not asyncio.get_running_loop() or link.crowded:
            return await self._patiently(batch)
        try:
            replies = await link.send(data, len(commands))
        except Broken as error:
            return await self._patiently(batch, error)
        self.round_trips += 1
        if type(replies) is WithErrors:
            return await self._mended(batch, replies, self._deadline())
        return replies

    async def close(self) -> None:
        """Close the connection of every loop; later work is refused."""
        self._closed = True
        here = asyncio.get_running_loop()
        for task in list(self._opening.values()):
            if task.get_loop() is here:
                task.cancel()
        for loop, link in list(self._links.items()):
            if loop is here:
                link.fail(Broken("the handle was closed"))
            elif loop.is_closed():
                link.abandon()
            else:
                loop.call_soon_threadsafe(link.fail, Broken("the handle was closed"))
        self._links.clear()
        self._link = None

    def after_fork(self) -> None:
        """Forget the parent's connections: closing the child's copies says nothing to the server."""
        for link in list(self._links.values()):
            link.abandon()
        self._links.clear()
        self._opening.clear()
        self._link = None

    async def _attempt(self, batch: Batch) -> list[Reply]:
        link = await self._connected()
        if link.crowded:
            await link.room()
        if link.broken:
            raise Broken("it broke before the work was sent", sent=False)
        replies = await link.send(_join(batch), len(batch.commands))
        self.round_trips += 1
        return replies

    async def _renew(self) -> None:
        # The connection is shared: other tasks' replies are still due on it.
        link = self._links.pop(asyncio.get_running_loop(), None)
        self._link = None
        if link is not None:
            link.retire()

    async def _connected(self) -> Link:
        """This loop's connection; opened once however many tasks ask for it."""
        self._refuse_if_closed()
        loop = asyncio.get_running_loop()
        link = self._links.get(loop)
        if link is None or link.broken:
            opening = self._opening.get(loop)
            if opening is None or opening.done():
                opening = loop.create_task(self._open(loop))
                # Errors reach the tasks that wait; when all of them were cancelled, nobody is left to be told.
                opening.add_done_callback(_retrieve)
                self._opening[loop] = opening
            # Shielded: a task that gives up must not take the connection away from the others.
            try:
                link = await asyncio.shield(opening)
            except ConnectionFailed as error:
                raise type(error)(*error.args) from None  # one instance per task: each has its own traceback
            except asyncio.CancelledError:
                if opening.cancelled():
                    self._refuse_if_closed()
                raise
            finally:
                if opening.done() and self._opening.get(loop) is opening:
                    del self._opening[loop]
        self._link = link
        return link

    async def _open(self, loop: AbstractEventLoop) -> Link:
        """Connect; a server that was reached before gets ``retry_seconds`` to come back."""
        for other, link in list(self._links.items()):
            if other.is_closed():
                link.abandon()
                del self._links[other]
        deadline = self._deadline()
        for wait in pauses():
            try:
                link = await open_link(self.target, loop)
            except AuthenticationFailed:
                raise
            except ConnectionFailed:
                if not (self._met and self._waits_for_server) or time.monotonic() + wait >= deadline:
                    raise
                await asyncio.sleep(wait)
            else:
                self._met = True
                self._links[loop] = link
                return link
        raise AssertionError("pauses() has no end")


def _join(batch: Batch) -> bytes:
    return b"".join([pack_one(command.args) for command in batch.commands])


def _retrieve(task: asyncio.Task[Link]) -> None:
    if not task.cancelled():
        task.exception()
