"""Batches to a Redis over TCP or a unix socket, on asyncio. TLS, Sentinel and Cluster go through redis-py instead.

One connection per event loop carries every task's batches: what is asked for in one tick of the loop leaves in one
write, and replies come back in the order of the questions. A busy program makes far fewer system calls than calls.
The socket is watched with ``loop.add_reader`` and not through a transport, so that a loop that was closed under us
(each ``asyncio.run`` closes its own) leaves nothing behind but a file descriptor.
"""

from __future__ import annotations

import asyncio
import socket
import time
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis

from redmodel.database.forks import forget_after_fork
from redmodel.database.greeting import Broken, check_greeting, greeting, unreachable, why
from redmodel.database.patience import AsyncPatient, ErrorWatch, WithErrors
from redmodel.database.resending import pauses
from redmodel.database.url import Target
from redmodel.errors import AuthenticationFailed, ConnectionFailed
from redmodel.plan.core import Arg, Batch, Reply

# The stub of hiredis admits tuples of one item only.
_pack: Callable[[tuple[Arg, ...]], bytes] = cast("Any", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]
_CHUNK = 262_144
# Bytes that may wait to be written before new batches wait for room: a slow server must not fill our memory.
_CROWDED = 4_194_304


class _Socket(socket.socket):
    """Closes itself without a warning when it is dropped: its loop was closed by others, and the handle with it."""

    def __del__(self) -> None:
        self.close()


class _Waiting:
    """One batch whose replies are due; they are taken in even when nobody waits for them any more."""

    __slots__ = ("count", "future", "replies")

    def __init__(self, future: Future[list[Reply]], count: int) -> None:
        self.future = future
        self.count = count
        self.replies: list[Reply] = []


class Link:
    """The connection of one event loop. Used only in that loop's thread. Once ``broken`` it is never used again."""

    def __init__(self, loop: AbstractEventLoop, sock: socket.socket, timeout: float) -> None:
        self.loop = loop
        self.broken = False
        self.trouble: Broken | None = None  # how it broke
        self.backlog = 0  # bytes handed to us and not yet to the kernel
        self._sock = sock
        self._timeout = timeout
        self._errors = ErrorWatch()  # of the batch whose replies are coming in
        self._reader = hiredis.Reader(replyError=self._errors.reply_error)
        self._retired = False
        self._due: deque[_Waiting] = deque()
        self._out: list[bytes] = []  # what this tick of the loop asked for
        self._rest: memoryview | None = None  # what the kernel had no room for
        self._room: list[Future[None]] = []
        self._heard = 0.0  # when bytes last came, or were first awaited
        self._watch: TimerHandle | None = None
        loop.add_reader(sock, self._readable)

    def send(self, data: bytes, count: int) -> Future[list[Reply]]:
        """Send with whatever else this tick asks for; the future gets the ``count`` replies, or ``Broken``."""
        future: Future[list[Reply]] = self.loop.create_future()
        self._due.append(_Waiting(future, count))
        if not self._out and self._rest is None:
            self.loop.call_soon(self._flush)
        self._out.append(data)
        self.backlog += len(data)
        return future

    @property
    def crowded(self) -> bool:
        """Whether so much waits to be written that new work should wait for ``room``."""
        return self.backlog > _CROWDED

    async def room(self) -> None:
        """Wait until what is to be written has become less."""
        while self.crowded and not self.broken:
            future: Future[None] = self.loop.create_future()
            self._room.append(future)
            await future

    def retire(self) -> None:
        """Close the connection as soon as no replies are due; the caller sends nothing more on it."""
        self._retired = True
        if not self._due:
            self.fail(Broken("it was replaced"))

    def abandon(self) -> None:
        """Close the socket without touching the loop: it is closed, or belongs to the parent process."""
        self.broken = True
        self._sock.close()

    def fail(self, error: Broken) -> None:
        """Close the connection; every batch whose replies are due gets the error."""
        if self.broken:
            return
        self.broken = True
        self.trouble = error
        self.loop.remove_reader(self._sock)
        self.loop.remove_writer(self._sock)
        self._sock.close()
        if self._watch is not None:
            self._watch.cancel()
        unsent = len(self._out)
        while self._due:
            # The batches of this tick never left.
            sent = len(self._due) > unsent
            waiting = self._due.popleft()
            if not waiting.future.done():
                waiting.future.set_exception(Broken(error.reason, sent=sent and error.sent))
        self._make_room()

    def _flush(self) -> None:
        """Write what this tick asked for; it counts as sent from the first byte that the kernel takes."""
        if self.broken or not self._out:
            return
        data = b"".join(self._out)
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self.fail(Broken(why(error)))
            return
        self._out.clear()
        if self._watch is None:
            self._watch = self.loop.call_later(self._timeout, self._check_silence)
        self._wrote(sent)
        if sent < len(data):
            self._rest = memoryview(data)[sent:]
            self.loop.add_writer(self._sock, self._writable)

    def _writable(self) -> None:
        """Write more of what the kernel had no room for, and then what was asked for meanwhile."""
        if self._rest is None:
            return
        try:
            sent = self._sock.send(self._rest)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.fail(Broken(why(error)))
            return
        self._wrote(sent)
        self._rest = self._rest[sent:]
        if not self._rest:
            self._rest = None
            self.loop.remove_writer(self._sock)
            self._flush()

    def _wrote(self, count: int) -> None:
        self.backlog -= count
        self._heard = self.loop.time()  # a long upload is no silence
        if self._room and not self.crowded:
            self._make_room()

    def _make_room(self) -> None:
        waiting, self._room = self._room, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.fail(Broken(why(error)))
            return
        if not data:
            self.fail(Broken("the server closed it"))
            return
        self._heard = self.loop.time()
        self._reader.feed(data)
        due, gets = self._due, self._reader.gets
        try:
            while due:
                waiting = due[0]
                replies = waiting.replies
                for _ in range(waiting.count - len(replies)):
                    if (reply := gets()) is False:
                        return
                    replies.append(reply)
                due.popleft()
                errors, self._errors.seen = self._errors.seen, False
                # A cancelled task's replies are dropped here, in their turn: the next ones belong to somebody else.
                if not waiting.future.done():
                    waiting.future.set_result(WithErrors(replies) if errors else replies)
            if self._reader.has_data():
                # Whose reply would that be? Every later one would reach the wrong task.
                self.fail(Broken("the server sent more replies than it was asked for"))
            elif self._retired:
                self.fail(Broken("it was replaced"))
        except hiredis.ProtocolError:
            self.fail(Broken("what answers there speaks no Redis protocol (is it TLS? then write rediss://)"))

    def _check_silence(self) -> None:
        """One timer for all batches: does the server still send anything while replies are due?"""
        self._watch = None
        if not self._due or self.broken:
            return
        end = self._heard + self._timeout
        if self.loop.time() >= end:
            self.fail(Broken("no answer in time"))
        else:
            self._watch = self.loop.call_at(end, self._check_silence)


class AsyncRedisExecutor(AsyncPatient):
    """Executes batches on a Redis, for any number of tasks on any number of event loops; connects when first needed.

    ``round_trips`` counts the batches that were answered since the start; those of one tick share a write.
    """

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
        data = _pack(commands[0].args) if len(commands) == 1 else _join(batch)
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
                if not self._met or time.monotonic() + wait >= deadline:
                    raise
                await asyncio.sleep(wait)
            else:
                self._met = True
                self._links[loop] = link
                return link
        raise AssertionError("pauses() has no end")


def _join(batch: Batch) -> bytes:
    return b"".join([_pack(command.args) for command in batch.commands])


def _retrieve(task: asyncio.Task[Link]) -> None:
    if not task.cancelled():
        task.exception()


async def open_link(target: Target, loop: AbstractEventLoop) -> Link:
    """Connect and greet.

    Raises:
        ConnectionFailed: nobody answers there, or it isn't a Redis that lets us in.
    """
    link: Link | None = None
    try:
        async with asyncio.timeout(target.connect_timeout):
            sock = await _open_socket(target, loop)
            link = Link(loop, sock, target.timeout)
            commands = greeting(target)
            replies = await link.send(b"".join([_pack(args) for args in commands]), len(commands))
            check_greeting(target, replies)
            if link.trouble is not None:
                raise link.trouble
    except BaseException as error:
        if link is not None:
            link.fail(Broken("it was not let in"))
        if isinstance(error, Broken):
            raise unreachable(target, error.reason) from None
        if isinstance(error, OSError) and not isinstance(error, ConnectionFailed):
            raise unreachable(target, why(error)) from None
        raise
    return link


async def _open_socket(target: Target, loop: AbstractEventLoop) -> socket.socket:
    if target.kind == "unix":
        return await _connect(loop, socket.AF_UNIX, target.path)
    trouble: OSError | None = None
    for family, _, _, _, address in await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM):
        try:
            sock = await _connect(loop, family, address)
        except OSError as error:
            trouble = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return sock
    raise trouble or OSError("the host has no address")


async def _connect(loop: AbstractEventLoop, family: int, address: Any) -> socket.socket:
    sock = _Socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
