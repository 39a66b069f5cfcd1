"""What connected clients cost: requests, arguments, replies that wait, what they watch and hear; and who is sent away.

May live here: that account, kept up while memory is limited, and ``maxmemory-clients``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from redmodel.engine.clients import CLIENT, Buffers, of_client

if TYPE_CHECKING:
    from redmodel.engine.engine import Engine
    from redmodel.engine.session import Session

logger = logging.getLogger("redmodel.server")


class ClientMemory:
    """The account of one engine's clients; every method runs under the engine's lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[Session, int] = {}
        #: Bytes of all that is known, without what clients take that do nothing.
        self.total = 0
        #: Somebody wants to know: `weigh` is to be called when a client may have changed.
        self.kept = False
        #: Bytes that all clients may take; 0 for no limit.
        self._limit = 0
        for name in ("maxmemory", "maxmemory-clients"):
            engine.settings.obey(name, self.obey)
        self.obey()

    def obey(self) -> None:
        """Follow the parameters after a change."""
        settings = self._engine.settings
        most, limit = settings.number("maxmemory"), settings.number("maxmemory-clients")
        self._limit = limit if limit >= 0 else most * -limit // 100
        self.kept = bool(self._limit or most)
        self._known.clear()
        self.total = 0
        if self.kept:
            for session in list(self._engine.clients.by_id.values()):
                self._note(session)
            self._keep_limit()

    def all(self) -> int:
        """Bytes of all clients now, without what those take that do nothing."""
        if self.kept:
            return self.total
        return sum(of_client(session, _buffers(session)) - CLIENT for session in self._engine.clients.by_id.values())

    def weigh(self, session: Session) -> None:
        """A client has sent or been sent something: enter what it takes now, and keep the limit."""
        self._note(session)
        self._keep_limit()

    def forget(self, session: Session) -> None:
        """A client has gone."""
        self.total -= self._known.pop(session, CLIENT) - CLIENT

    def _note(self, session: Session) -> None:
        if session.follows or session.peer is None or session.id not in self._engine.clients.by_id:
            return
        size = of_client(session, _buffers(session))
        self.total += size - self._known.get(session, CLIENT)
        self._known[session] = size

    def _keep_limit(self) -> None:
        while self._limit and self.total + CLIENT * len(self._known) > self._limit:
            able = [session for session in self._known if not session.no_evict]
            if not able:
                return
            largest = max(able, key=self._known.__getitem__)
            logger.info("Evicting client: id=%d addr=%s", largest.id, largest.address.decode())
            self._engine.statistics.evicted_clients += 1
            self.forget(largest)
            if largest.peer is not None:
                largest.peer.end()


def _buffers(session: Session) -> Buffers:
    return session.peer.buffers() if session.peer is not None else Buffers()
