"""Batches to a Redis over TCP or a unix socket, blocking. TLS, Sentinel and Cluster go through redis-py instead.

Why not redis-py here: its command layer costs more than Redis does (a GET: 28 µs, of which 12 are the socket). Timeouts
are the kernel's (no poll before each call), the pool is a deque (its ends are atomic), and a connection isn't asked
whether it lives before it is used: a broken one shows itself, and what may be sent twice is sent again.
"""

from __future__ import annotations

import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, cast

import hiredis

from redmodel.database.forks import forget_after_fork
from redmodel.database.greeting import Arg, Broken, check_greeting, closed, greeting, unreachable, why
from redmodel.database.patience import ErrorWatch, Patient, WithErrors
from redmodel.database.url import Target
from redmodel.plan.core import Batch, Reply

# The stub of hiredis admits tuples of one item only.
_pack: Callable[[tuple[Arg, ...]], bytes] = cast("Any", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]
_CHUNK = 65536
# Up to this size one blocking send is enough: the kernel's buffers take it. Beyond, a server that waits for us to read
# its replies would wait for ever if we only wrote.
_LARGE = 65536


def pack(batch: Batch) -> bytes:
    """The bytes of a batch.

    Raises:
        TypeError: an argument that is no bytes, str, int or float.
    """
    commands = batch.commands
    if len(commands) == 1:
        return _pack(commands[0].args)
    return b"".join([_pack(command.args) for command in commands])


class Connection:
    """One socket and its parser. Not for two threads at once. Any error makes it useless: close it."""

    __slots__ = ("_errors", "_feed", "_gets", "_reader", "_recv", "_sendall", "_sock", "_timeout")

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._errors = ErrorWatch()
        self._reader = hiredis.Reader(replyError=self._errors.reply_error)
        self._feed = self._reader.feed
        self._gets = self._reader.gets
        self._recv = sock.recv
        self._sendall = sock.sendall
        self._timeout = timeout

    def exchange(self, data: bytes, count: int) -> list[Reply]:
        """Send, and read ``count`` replies; a `WithErrors` list if any of them is an error.

        Raises:
            Broken: the connection broke, was silent for too long, or speaks no RESP.
        """
        # One command that left in part is never executed; of several, the first ones may have been.
        sent = count > 1
        try:
            gets, feed, recv = self._gets, self._feed, self._recv
            if len(data) > _LARGE:
                self._send_large(data)
            else:
                self._sendall(data)
                sent = True
                feed(recv(_CHUNK) or _ended())
            sent = True
            replies: list[Reply] = []
            while True:
                while (reply := gets()) is not False:
                    replies.append(reply)
                    if len(replies) == count:
                        if self._reader.has_data():
                            # Whose reply would that be? Every later one would reach the wrong caller.
                            raise Broken("the server sent more replies than it was asked for")
                        if self._errors.seen:
                            self._errors.seen = False
                            return WithErrors(replies)
                        return replies
                feed(recv(_CHUNK) or _ended())
        except OSError as error:
            raise Broken(why(error), sent=sent) from None
        except hiredis.ProtocolError:
            raise Broken("what answers there speaks no Redis protocol (is it TLS? then write rediss://)") from None

    def _send_large(self, data: bytes) -> None:
        """Send while also taking in replies, as neither side may wait for the other."""
        view = memoryview(data)
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | select.POLLOUT)
        while view:
            events = poll.poll(self._timeout * 1000)
            if not events:
                raise TimeoutError
            if events[0][1] & ~select.POLLOUT:
                self._feed(self._recv(_CHUNK) or _ended())
            if events[0][1] & select.POLLOUT:
                try:
                    view = view[self._sock.send(view[:1_048_576], socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    continue  # room for less than the kernel wants to take at once: wait for more

    def is_quiet(self) -> bool:
        """Whether the connection is open and nothing waits on it; asked only before work that can't be sent twice."""
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def _ended() -> NoReturn:
    raise Broken("the server closed it")


def open_connection(target: Target) -> Connection:
    """Connect and greet.

    Raises:
        ConnectionFailed: nobody answers there, or it isn't a Redis that lets us in.
    """
    try:
        sock = _open_socket(target)
    except OSError as error:
        raise unreachable(target, why(error)) from None
    connection = Connection(sock, target.timeout)
    try:
        # The greeting is answered at once or not at all; the patience of connecting applies, not that of a slow script.
        _set_timeout(sock, target.connect_timeout)
        commands = greeting(target)
        replies = connection.exchange(b"".join([_pack(args) for args in commands]), len(commands))
        check_greeting(target, replies)
        _set_timeout(sock, target.timeout)
    except Broken as error:
        connection.close()
        raise unreachable(target, error.reason) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _open_socket(target: Target) -> socket.socket:
    if target.kind == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(target.connect_timeout)
            sock.connect(target.path)
        except BaseException:
            sock.close()
            raise
    else:
        sock = socket.create_connection((target.host, target.port), target.connect_timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.settimeout(None)  # blocking for Python, so that it polls nothing; the kernel keeps the time
    return sock


def _set_timeout(sock: socket.socket, seconds: float) -> None:
    # At least a microsecond: zero means for ever.
    whole, part = int(seconds), max(1, int(seconds % 1 * 1_000_000))
    value = struct.pack("@ll", whole, part if not whole or seconds % 1 else 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


class _Closed(deque[Connection]):
    """The pool of a closed handle: gives nothing out, and closes what comes back."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target

    def pop(self) -> Connection:  # type: ignore[override]
        raise closed(self._target)

    def append(self, connection: Connection, /) -> None:
        connection.close()


class RedisExecutor(Patient):
    """Executes batches on a Redis, for any number of threads; connects when first needed.

    ``round_trips`` counts what was sent and answered since the start (not exact when threads race).
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._idle: deque[Connection] = deque()
        forget_after_fork(self)

    def execute(self, batch: Batch) -> Sequence[Reply]:
        """Send a batch and read its replies: one round trip. Error replies are values in the list.

        Raises:
            ConnectionFailed: the server can't be reached, or the connection broke and trying again did not help.
            TypeError: an argument that can't be sent; nothing was sent.
        """
        commands = batch.commands
        if not batch.resend:
            return self._patiently(batch)
        data = _pack(commands[0].args) if len(commands) == 1 else pack(batch)
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._patiently(batch)
        try:
            replies = connection.exchange(data, len(commands))
        except Broken as error:
            connection.close()
            return self._patiently(batch, error)
        except BaseException:
            connection.close()
            raise
        self.round_trips += 1
        self._idle.append(connection)
        if type(replies) is WithErrors:
            return self._mended(batch, replies, self._deadline())
        return replies

    def close(self) -> None:
        """Close every connection; later work is refused."""
        self._closed = True
        idle, self._idle = self._idle, _Closed(self.target)
        _close_all(idle)

    def after_fork(self) -> None:
        """Forget the parent's connections: closing the child's copies says nothing to the server."""
        if not self._closed:
            idle, self._idle = self._idle, deque()
            _close_all(idle)

    def _attempt(self, batch: Batch) -> list[Reply]:
        data = pack(batch)
        try:
            connection = self._idle.pop()
            # Only work that can't be sent twice is worth a look at the connection first.
            if not batch.resend and not connection.is_quiet():
                connection.close()
                raise IndexError
        except IndexError:
            connection = open_connection(self.target)
            self._met = True
        try:
            replies = connection.exchange(data, len(batch.commands))
        except BaseException:
            connection.close()
            raise
        self.round_trips += 1
        self._idle.append(connection)
        return replies

    def _renew(self) -> None:
        _close_all(self._idle)


def _close_all(connections: deque[Connection]) -> None:
    while connections:
        try:
            connections.pop().close()
        except IndexError:  # another thread took the last one
            return
