"""One asyncio connection to a Redis, shared by all tasks of its event loop: its socket, its parser, whose turn it is.

What is asked for in one tick of the loop leaves in one write, and replies come back in the order of the questions. The
socket is watched with ``loop.add_reader`` and not through a transport, so that a loop that was closed under us (each
``asyncio.run`` closes its own) leaves nothing behind but a file descriptor.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from redmodel.database.greeting import Arg, Broken, check_greeting, greeting, unreachable, why
from redmodel.database.patience import ErrorWatch, WithErrors
from redmodel.database.url import Target
from redmodel.errors import ConnectionFailed
from redmodel.plan.core import Reply

# The stub of hiredis admits tuples of one item only.
pack_one: Callable[[tuple[Arg, ...]], bytes] = cast("Any", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]
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
            replies = await link.send(b"".join([pack_one(args) for args in commands]), len(commands))
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
