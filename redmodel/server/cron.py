"""What a server does ten times a second: expiry, save points, idle clients, and the numbers of INFO."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from redmodel.engine.engine import Engine
from redmodel.server.logs import notice

if TYPE_CHECKING:
    from redmodel.server.connection import ClientConnection

logger = logging.getLogger(__name__)

_EACH = 0.1  # seconds between two rounds, as redis-server with hz 10
_KEYS = 200  # that one round removes from a database at most
_RETRY = 5  # seconds after a snapshot that failed


class Cron:
    """The rounds of one listener."""

    def __init__(self, engine: Engine, clients: Callable[[], Iterable[ClientConnection]]) -> None:
        self._engine = engine
        self._clients = clients
        self._timer: asyncio.TimerHandle | None = None
        self._rounds = 0
        self._tried = 0.0

    def start(self) -> None:
        """Begin, in the event loop that runs."""
        self._timer = asyncio.get_running_loop().call_later(_EACH, self._round)

    def stop(self) -> None:
        """End; a second call does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _round(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_EACH, self._round)
        engine = self._engine
        if engine.scripting.busy:
            return
        engine.expire_step(_KEYS)
        engine.statistics.sample(time.monotonic())
        self._rounds += 1
        if not self._rounds % 10:
            self._end_idle()
            self._tend_replicas()
        self._save_when_due()

    def _end_idle(self) -> None:
        timeout = self._engine.settings.number("timeout")
        if timeout:
            now = time.monotonic()
            for client in list(self._clients()):
                if now - client.session.active > timeout and client.may_time_out:
                    logger.info("Closing idle client")
                    client.abort()

    def _tend_replicas(self) -> None:
        engine = self._engine
        replication, settings = engine.replication, engine.settings
        if not replication:
            return
        with engine.lock:
            if not self._rounds % (10 * settings.number("repl-ping-replica-period")):
                replication.ping()
            for replica in replication.silent(settings.number("repl-timeout")):
                logger.warning("Disconnecting timedout replica (streaming sync): %s", replica.place[0].decode())
                if replica.session.peer is not None:
                    replica.session.peer.end()

    def _save_when_due(self) -> None:
        engine = self._engine
        points = engine.settings.items("save")
        saves = engine.saves
        if not points or not saves.changes or saves.directory is None or saves.running or engine.rewriting:
            return
        since = time.time() - saves.last
        for seconds, changes in points:
            if saves.changes >= changes and since > seconds and time.monotonic() - self._tried > _RETRY:
                notice("%d changes in %d seconds. Saving...", changes, seconds)
                self._tried = time.monotonic() if saves.failed else 0.0
                with engine.lock:
                    saves.begin(engine)
                return
