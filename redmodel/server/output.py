"""What goes out to one client: replies, and messages that other threads bring; within its output-buffer limit.

May live here: the order of both, and the end of a client that doesn't read. What is said is the engine's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from redmodel.engine.engine import Engine
    from redmodel.engine.replies import Reply
    from redmodel.engine.session import Session

logger = logging.getLogger(__name__)

_NORMAL, _REPLICA, _PUBSUB = 0, 1, 2  # places in client-output-buffer-limit


class Output:
    """The way out to one client, in the event loop that runs where it is made."""

    def __init__(
        self, engine: Engine, session: Session, transport: asyncio.Transport, write: Callable[[Reply], bytes]
    ) -> None:
        """Begin.

        Args:
            engine: whose limits hold.
            session: whose messages these are.
            transport: where the bytes go.
            write: gives the bytes of a message.
        """
        self._engine = engine
        self._session = session
        self._transport = transport
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        #: Messages that wait; see `taken`.
        self.inbox: deque[bytes] = deque()
        #: The client's own command runs now, and what is to come behind its reply.
        self.answering = False
        self.behind: list[bytes] = []
        self._inbox_size = 0
        self._rung = False
        self._over_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._ended = False

    @property
    def waiting(self) -> int:
        """How many bytes the client has not taken."""
        return self._transport.get_write_buffer_size() + self._inbox_size

    @property
    def most(self) -> int:
        """How many bytes may wait; 0 for no limit."""
        return self._limits()[0]

    @property
    def ended(self) -> bool:
        """Whether nothing is sent any more."""
        return self._ended

    def send(self, parts: list[bytes]) -> None:
        """Send replies, behind the messages that came before them."""
        if self.inbox:
            parts = [*self.taken(), *parts]
        if not self._transport.is_closing():
            data = b"".join(parts) if len(parts) > 1 else parts[0]
            if (hard := self.most) and len(data) + self._transport.get_write_buffer_size() >= hard:
                self._give_up()  # as in Redis also where the network would take it all at once
                return
            self._engine.statistics.written_bytes += len(data)
            self._transport.write(data)
            if self._transport.get_write_buffer_size():
                self._check()
            account = self._engine.client_memory
            if account.kept:
                with self._engine.lock:
                    account.weigh(self._session)

    def deliver(self, message: Reply) -> None:
        """Send a message soon; to be called under the engine's lock, from any thread."""
        if not self._ended:
            self.deliver_bytes(self._write(message))

    def deliver_bytes(self, data: bytes) -> None:
        """Send bytes soon; to be called as `deliver`."""
        if self._ended:
            return
        self.inbox.append(data)
        self._inbox_size += len(data)
        hard = self.most
        if hard and self._inbox_size > hard:
            self.inbox.clear()  # nobody will read it
            self._ended = True
        if not self._rung:
            self._rung = True
            if get_ident() == self._thread:
                self._loop.call_soon(self._ring)
            else:
                with suppress(RuntimeError):  # the loop is closed: nobody reads any more
                    self._loop.call_soon_threadsafe(self._ring)

    def deliver_behind(self, message: Reply) -> None:
        """Send a message soon, but not before the reply of the client's own command, if one runs now."""
        if self._session.owes or (self.answering and get_ident() == self._thread):
            self.behind.append(self._write(message))
        else:
            self.deliver(message)

    def taken_behind(self) -> list[bytes]:
        """What is to come behind the reply that was made just now."""
        taken, self.behind = self.behind, []
        return taken

    def taken(self) -> list[bytes]:
        """The messages that wait, which are the caller's to send now."""
        taken: list[bytes] = []
        while self.inbox:
            taken.append(self.inbox.popleft())
            self._inbox_size -= len(taken[-1])
        return taken

    def end(self) -> None:
        """Take no more messages."""
        self._ended = True
        self.inbox.clear()
        if self._watch is not None:
            self._watch.cancel()

    def _ring(self) -> None:
        self._rung = False
        if self._ended and not self._transport.is_closing():
            self._give_up()
        elif self.inbox:
            self.send([])

    def _limits(self) -> tuple[int, int, int]:
        session = self._session
        place = _REPLICA if session.follows else _PUBSUB if session.subscribed else _NORMAL
        limits: tuple[int, int, int] = self._engine.settings.items("client-output-buffer-limit")[place]
        return limits

    def _check(self) -> None:
        """End a client that doesn't read: over the hard limit at once, over the soft one after its time."""
        size = self._transport.get_write_buffer_size()
        hard, soft, seconds = self._limits()
        if hard and size >= hard:
            self._give_up()
        elif soft and size >= soft:
            now = self._loop.time()
            if self._over_since is None:
                self._over_since = now
            if now - self._over_since > seconds:
                self._give_up()
            elif self._watch is None:
                self._watch = self._loop.call_later(seconds + 0.05, self._check_again)
        else:
            self._over_since = None

    def _check_again(self) -> None:
        self._watch = None
        if not self._transport.is_closing():
            self._check()

    def _give_up(self) -> None:
        self.end()
        logger.warning(
            "Client id=%d addr=%s scheduled to be closed ASAP for overcoming of output buffer limits.",
            self._session.id,
            self._session.address.decode(),
        )
        with self._engine.lock:
            self._engine.clients.leave(self._session)  # from now on it is not listed
        self._transport.abort()
