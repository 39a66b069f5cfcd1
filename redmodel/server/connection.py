"""One client's connection: requests in, replies out, in order, with bounded buffers. No listening, no command."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from redmodel.engine.engine import Engine
from redmodel.engine.replies import (
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
    Push: "push",
    Several: "several",
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

    While the client doesn't read its replies, its requests are neither read nor run: what one client can make us keep
    is one piece of input, the high-water mark of output, and one reply.
    """

    def __init__(self, engine: Engine, gone: Callable[[ClientConnection], None]) -> None:
        self.session = Session()
        self.session.patient = True
        self._engine = engine
        self._gone = gone
        self._parser = RequestParser()
        self._transport: asyncio.Transport | None = None
        self._output: Output | None = None
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
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        self.session.address = _address(transport).encode()
        self._output = Output(
            self._engine, self.session, transport, lambda message: WRITERS[self.session.protocol].write(message)
        )
        self.session.deliver = self._output.deliver

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._backlog.clear()
        self._held.clear()
        self._held_size = 0
        self._stop_waiting()
        if self._output is not None:
            self._output.end()
        self._engine.release(self.session)
        self._gone(self)

    def data_received(self, data: bytes) -> None:
        self._backlog += self._parser.feed(data)
        self._run()

    def eof_received(self) -> bool:
        """The client sends no more, and may still read: what it asked for is answered before the end."""
        self._ended = True
        self._stop_waiting()
        self._run()
        return True

    def pause_writing(self) -> None:
        self._full = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self._run()

    def shut_down(self) -> None:
        """Read no more; answer what has been read, and close."""
        if self._transport is not None and not self._transport.is_closing() and not self._full:
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

    def _run(self) -> None:
        """Run what waits, as long as the client takes its replies."""
        backlog = self._backlog
        output = self._output
        assert output is not None
        inbox = output.inbox
        replies: list[bytes] = []
        size = 0
        while backlog and not self._full and not self._closing and self._held_size < _FLUSH_AT:
            if self._waiter is not None:
                break
            self._position = 0
            reply = self._answer(backlog.popleft())
            if inbox:
                replies += output.taken()  # what the command itself brought comes before its reply
            if self._position or self._held:
                for part in replies:
                    self._hold(part, 0)
                replies, size = [], 0
                self._hold(reply, self._position)
                continue
            replies.append(reply)
            size += len(reply)
            if size >= _FLUSH_AT:
                self._send(replies)
                replies, size = [], 0
        if replies:
            self._send(replies)
        if backlog or self._closing or self._held or self._waiter is not None:
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
                self._backlog.clear()
                self._close()
                return b""
            reply = error
        except Suspended as suspended:
            self._wait(suspended.waiter)
            return b""
        except Exception:
            # A fault of ours must not take the other clients' server down.
            logger.exception("%s: the command %r failed", session.address.decode(), args[0][:50])
            reply = ReplyError("ERR internal error; the server's log says more")
        if session.closing:
            self._backlog.clear()
            self._ended = True
        writer = WRITERS[session.protocol]
        if reply is None:
            return writer.write(None, nil_array=self._has_nil_array(args))
        return writer.write(reply)

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
        if waiter.position or self._held:
            self._hold(reply, waiter.position)
        else:
            self._send([reply])
        self._run()

    def _stop_waiting(self) -> None:
        """The client is going: as in Redis it is not served, and what it asked for behind that is not run."""
        if self._waiter is not None:
            self._waiter.cancel()
            self._forget_waiter()
            self._backlog.clear()

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

    def _close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.close()


def _address(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    if isinstance(peer, tuple):
        host, port = cast("tuple[str, int]", peer[:2])
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{transport.get_extra_info('sockname')}:0"
