"""One client's connection: requests in, replies out, in order, with bounded buffers. No listening, no command."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, cast

from redmodel.engine.clients import Buffers, line
from redmodel.engine.engine import Engine
from redmodel.engine.replies import (
    Attributes,
    BigNumber,
    Keyed,
    LongDouble,
    NilArray,
    Pairs,
    Push,
    SetReply,
    Several,
    Status,
    Verbatim,
)
from redmodel.engine.session import Session
from redmodel.engine.waiting import Suspended, Waiter
from redmodel.errors import ReplyError, StorageError
from redmodel.resp.requests import RequestParser
from redmodel.resp.writer import ReplyWriter, Shape
from redmodel.server.output import Output
from redmodel.server.protected_mode import DENIED, is_near

if TYPE_CHECKING:
    from redmodel.engine.replies import Reply

logger = logging.getLogger(__name__)

SHAPES: dict[type, Shape] = {
    Status: "status",
    Verbatim: "verbatim",
    SetReply: "set",
    Pairs: "pairs",
    Keyed: "keyed",
    NilArray: "nil_array",
    Attributes: "attributes",
    Push: "push",
    Several: "several",
    BigNumber: "number",
    LongDouble: "long_double",
}
WRITERS = {protocol: ReplyWriter(protocol, SHAPES) for protocol in (2, 3)}

# Replies are handed to the transport in pieces of this size, so that a transport that is full is noticed.
_FLUSH_AT = 64 << 10
_HIGH_WATER = 256 << 10

# What a browser sends first when a page makes it speak to us; see redis-server's securityWarningCommand.
_CROSS_PROTOCOL = frozenset((b"post", b"host:"))


class ClientConnection(asyncio.Protocol):
    """Serves one client with a session of its own.

    While the client doesn't read its replies, its requests are not run, and kept as the bytes that they are: it may
    write all of a long pipeline before it reads. What one client can make us keep is client-query-buffer-limit of
    requests, the high-water mark of output, and one reply.
    """

    def __init__(
        self,
        engine: Engine,
        gone: Callable[[ClientConnection], None],
        come: Callable[[ClientConnection], bool],
    ) -> None:
        session = self.session = Session()
        session.patient = session.counted = True
        session.peer = self
        session.user = engine.access.default
        self._engine = engine
        self._gone = gone
        self._come = come
        self._parser = RequestParser(max_bulk=engine.settings.number("proto-max-bulk-len"))
        self._parser.trusted = session.authenticated = engine.access.open
        self._query_limit = engine.settings.number("client-query-buffer-limit")
        self._fed = 0  # bytes of the last piece of input
        self._unread: deque[bytes] = deque()  # pieces of input that came while the client took no replies
        self._unread_size = 0
        self._running = False
        self._paused: asyncio.TimerHandle | None = None  # held up by CLIENT PAUSE
        self._transport: asyncio.Transport | None = None
        self._output: Output | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._backlog: deque[list[bytes]] = deque()
        self._held: deque[tuple[int, bytes]] = deque()  # replies that wait for the disk, and for what on it
        self._held_size = 0
        self._position = 0
        self._waiter: Waiter | None = None  # a command that waits: those behind it wait for its reply
        self._timer: asyncio.TimerHandle | None = None
        self._full = False
        self._ended = False  # no further request will come
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        room = self._come(self)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._output = Output(
            self._engine, self.session, transport, lambda message: WRITERS[self.session.protocol].write(message)
        )
        self.session.deliver = self._output.deliver
        self.session.deliver_behind = self._output.deliver_behind
        session, engine = self.session, self._engine
        session.address = _address(transport).encode()
        session.local_address = _local_address(transport).encode()
        sock = transport.get_extra_info("socket")
        if sock is not None:
            session.descriptor = sock.fileno()
            if sock.family != socket.AF_UNIX:
                _keep_alive(sock, engine.settings.number("tcp-keepalive"))
                if engine.settings.flag("protected-mode") and engine.access.open and not is_near(session.address):
                    engine.clients.rejected += 1
                    self.refuse(ReplyError(DENIED))
                    return
        if not room:
            engine.clients.rejected += 1
            self.refuse(ReplyError("ERR max number of clients reached"))
            return
        with engine.lock:
            engine.clients.join(session)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._forget_requests()
        self._held.clear()
        self._held_size = 0
        self._stop_waiting()
        if self._output is not None:
            self._output.end()
        if self._paused is not None:
            self._paused.cancel()
        with self._engine.lock:
            self._engine.clients.leave(self.session)
            self._engine.client_memory.forget(self.session)
        self._engine.release(self.session)
        self._gone(self)

    def data_received(self, data: bytes) -> None:
        self._engine.statistics.read_bytes += len(data)
        self.session.active = monotonic()
        if self._full or self._unread:
            self._unread.append(data)
            self._unread_size += len(data)
        else:
            self._parse(data)
        if self._parser.buffered + self._unread_size > self._query_limit:
            logger.warning("Closing client that reached max query buffer length: %s", line(self.session).decode())
            self.abort()
            return
        account = self._engine.client_memory
        if account.kept:
            with self._engine.lock:
                account.weigh(self.session)
        if not self._closing:
            self._run()

    def _parse(self, data: bytes) -> None:
        self._fed = len(data)
        parser = self._parser
        if not parser.trusted:
            parser.trusted = self._trusted()
        self._backlog += parser.feed(data)

    def _trusted(self) -> bool:
        return self.session.authenticated or self._engine.access.open

    @property
    def may_time_out(self) -> bool:
        """Whether ``timeout`` holds for this client now."""
        return self._waiter is None and self._paused is None and not self.session.follows

    def buffers(self) -> Buffers:
        """What it keeps, in bytes."""
        written = self._output.waiting if self._output is not None else 0
        arguments = sum(len(arg) for args in self._backlog for arg in args)
        requests = self._parser.buffered + self._unread_size + (self._fed if self._running else 0)
        return Buffers(requests, arguments, written + self._held_size, len(self._held))

    def send(self, data: bytes) -> None:
        """Send bytes that are no reply; to be called under the engine's lock, from any thread."""
        if self._output is not None:
            self._output.deliver_bytes(data)

    def end(self) -> None:
        """Close the connection, behind the reply of the command that it runs."""
        if self._running:
            self.session.closing = True
            return
        # From now on it is not served and not listed, whatever the event loop has to do before it can close.
        self._closing = True
        self._engine.clients.leave(self.session)
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and so is this
                loop.call_soon_threadsafe(self.abort)

    def eof_received(self) -> bool:
        """The client sends no more, and may still read: what it asked for is answered before the end."""
        self._ended = True
        self._stop_waiting()
        self._run()
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is None

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._run()

    def shut_down(self) -> None:
        """Read no more; answer what has been read, and close."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._ended = True
        self._stop_waiting()
        self._run()

    def abort(self) -> None:
        """Close at once; replies that wait are lost."""
        if self._transport is not None:
            self._transport.abort()

    def refuse(self, error: ReplyError) -> None:
        """Say why this client is not served, and close."""
        if self._transport is not None:
            self._transport.write(WRITERS[2].write(error))
            self._close()

    def _forget_requests(self) -> None:
        self._backlog.clear()
        self._unread.clear()
        self._unread_size = 0

    def _run(self) -> None:
        """Run what waits, as long as the client takes its replies; what came meanwhile is read then."""
        self._run_backlog()
        while self._unread and not (self._full or self._closing or self._backlog or self._held or self._waiter):
            data = self._unread.popleft()
            self._unread_size -= len(data)
            self._parse(data)
            self._run_backlog()

    def _run_backlog(self) -> None:
        backlog = self._backlog
        output = self._output
        assert output is not None
        if output.answering:
            return  # a script of this client runs, and lets others be answered
        inbox = output.inbox
        gate = self._engine.gate
        replies: list[bytes] = []
        size = 0
        flush_at = output.most or _FLUSH_AT  # where there is a limit, all that is answered at once counts
        while backlog and not self._full and not self._closing and self._held_size < _FLUSH_AT:
            if self._waiter is not None:
                break
            if gate.paused_until and self._held_up(backlog[0]):
                break
            self._position = 0
            output.answering = True
            reply = self._answer(backlog.popleft())
            output.answering = False
            if inbox:
                replies += output.taken()  # what the command itself brought comes before its reply
            if self._position or self._held:
                for part in replies:
                    self._hold(part, 0)
                replies, size = [], 0
                self._hold(reply, self._position)
                for part in output.taken_behind():
                    self._hold(part, 0)
                continue
            replies.append(reply)
            if output.behind:
                replies += output.taken_behind()
            size += len(reply)
            if size >= flush_at:
                self._send(replies)
                replies, size = [], 0
        if replies:
            self._send(replies)
        if backlog or self._closing or self._held or self._waiter is not None or self._unread:
            return
        if not self._parser.trusted and self._trusted():
            self._backlog += self._parser.trust()
            if self._backlog:
                self._run()
                return
        if self._parser.error is not None:
            logger.info("%s: %s", self.session.address.decode(), self._parser.error)
            self._send([WRITERS[2].write(ReplyError(f"ERR {self._parser.error}"))])
            self._close()
        elif self._ended:
            self._close()

    def _answer(self, args: list[bytes]) -> bytes:
        session = self.session
        reply: Reply
        self._running = True
        try:
            if self._engine.waits:
                reply, self._position = self._engine.submit(session, args)
                if isinstance(reply, ReplyError):
                    raise reply
            else:
                reply = self._engine.execute(session, args)
        except ReplyError as error:
            if args[0].lower() in _CROSS_PROTOCOL:
                logger.warning(
                    "%s sent %r: perhaps a web page that attacks this server; closed",
                    session.address.decode(),
                    args[0][:20],
                )
                self._forget_requests()
                self._close()
                return b""
            self._engine.statistics.failed(error.text)
            reply = error
        except Suspended as suspended:
            self._wait(suspended.waiter)
            return b""
        except Exception:
            # A fault of ours must not take the other clients' server down.
            logger.exception("%s: the command %r failed", session.address.decode(), args[0][:50])
            reply = ReplyError("ERR internal error; the server's log says more")
        finally:
            self._running = False
        if session.closing:
            self._forget_requests()
            self._ended = True
        if session.muted and self._silenced():
            return b""
        writer = WRITERS[session.protocol]
        if reply is None:
            return writer.write(None, nil_array=self._has_nil_array(args))
        return writer.write(reply)

    def _silenced(self) -> bool:
        """Whether CLIENT REPLY keeps this reply back."""
        session = self.session
        if session.muted == 1:
            return True
        session.muted = 3 if session.muted == 2 else 0
        return True

    def _held_up(self, args: list[bytes]) -> bool:
        """Whether CLIENT PAUSE holds a command up; it is tried again when the pause is over."""
        if self._paused is not None:
            return True
        with self._engine.lock:
            seconds = self._engine.gate.holds_up(self.session, args)
            if not seconds:
                return False
            loop = asyncio.get_running_loop()

            def resumed() -> None:
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._go_on)

            self._engine.gate.resumed.append(resumed)
        self._paused = loop.call_later(seconds, self._go_on)
        self.session.held_up = True
        return True

    def _go_on(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
            self.session.held_up = False
        self._run()

    def _wait(self, waiter: Waiter) -> None:
        """Run nothing more before a command that waits is answered; other clients go on."""
        loop = asyncio.get_running_loop()

        def told() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._waited, waiter)

        self._waiter = waiter
        waiter.when_done(told)
        left = waiter.left
        if left is not None:
            self._timer = loop.call_later(left, waiter.time_out)

    def _waited(self, waiter: Waiter) -> None:
        if self._waiter is not waiter:
            return
        self._forget_waiter()
        reply = WRITERS[self.session.protocol].write(waiter.reply)
        assert self._output is not None
        with self._engine.lock:
            self.session.owes = False
            behind = self._output.taken_behind()
        if waiter.position or self._held:
            self._hold(reply, waiter.position)
            for part in behind:
                self._hold(part, 0)
        else:
            self._send([reply, *behind])
        self._run()

    def _stop_waiting(self) -> None:
        """The client is going: as in Redis it is not served, and what it asked for behind that is not run."""
        if self._waiter is not None:
            self._waiter.cancel()
            self._forget_waiter()
            self._forget_requests()

    def _forget_waiter(self) -> None:
        self._waiter = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hold(self, reply: bytes, position: int) -> None:
        """Keep a reply back until the disk has what it acknowledges, or what a reply before it does."""
        self._held.append((position, reply))
        self._held_size += len(reply)
        if len(self._held) == 1:
            # Later: when every client that has something to write now has written it.
            asyncio.get_running_loop().call_soon(self._ask_disk)

    def _ask_disk(self) -> None:
        positions = [position for position, _ in self._held if position]
        if not positions:
            return
        loop = asyncio.get_running_loop()

        def told(error: StorageError | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._disk_said, positions[-1], error)

        self._engine.tell(positions[-1], told)

    def _disk_said(self, position: int, error: StorageError | None) -> None:
        """Send the replies that waited, or what became of them."""
        refusal = None if error is None else WRITERS[self.session.protocol].write(self._engine.failed(error))
        ready: list[bytes] = []
        while self._held and (refusal is not None or self._held[0][0] <= position):
            owed, reply = self._held.popleft()
            self._held_size -= len(reply)
            ready.append(refusal if owed and refusal is not None else reply)
        if ready:
            self._send(ready)
        if self._held:
            self._ask_disk()
        if not self._closing:
            self._run()

    def _has_nil_array(self, args: Sequence[bytes]) -> bool:
        command = self._engine.commands.get(args[0]) or self._engine.commands.get(args[0].upper())
        return command is not None and command.nil_is_array(args)

    def _send(self, replies: list[bytes]) -> None:
        if self._output is not None:
            self._output.send(replies)
            self._closing = self._closing or self._output.ended

    def _close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.close()


def _address(transport: asyncio.Transport) -> str:
    return _spelled(transport.get_extra_info("peername")) or f"{transport.get_extra_info('sockname')}:0"


def _local_address(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("sockname")
    return _spelled(name) or f"{name}:0"


def _spelled(name: object) -> str:
    """A TCP address as Redis spells it; nothing for the path of a unix socket."""
    if not isinstance(name, tuple):
        return ""
    host, port = cast("tuple[str, int]", name[:2])
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _keep_alive(sock: socket.socket, seconds: int) -> None:
    """Have the system ask now and then whether the client is still there."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not seconds:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(seconds // 3, 1))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
