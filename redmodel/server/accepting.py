"""Serving the clients of a socket that somebody else holds, until nobody is left: an event loop for that long.

May live here: accepting and counting clients. The socket is ``on_demand``'s, each client's work ``connection``'s.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from weakref import WeakSet

from redmodel.engine.engine import Engine
from redmodel.server.connection import ClientConnection
from redmodel.server.meanwhile import answer_meanwhile
from redmodel.server.on_demand import unforked

logger = logging.getLogger(__name__)

_LINGER = 1.0  # seconds without a client after which the loop ends
_GRACE = 1.0  # seconds that clients get to take their last replies
_EXPIRE_EACH = 0.1  # seconds between two steps of active expiry, as redis-server with hz 10
_EXPIRE_KEYS = 200
_FULL = 0.1  # seconds until accepting is tried again when there are no file descriptors left


def serve(engine: Engine, listening: socket.socket, wake: socket.socket, sockets: WeakSet[socket.socket]) -> None:
    """Serve until nobody has been there for a second, or ``wake`` has something to read.

    Args:
        engine: who answers.
        listening: a socket that listens and does not block; it stays open.
        wake: ends the work: what has been read is answered, and every connection closed.
        sockets: gets every accepted socket, for a forked child to close.
    """
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_Clients(engine, listening, wake, sockets).serve())


class _Clients:
    """Those who are connected now."""

    def __init__(
        self, engine: Engine, listening: socket.socket, wake: socket.socket, sockets: WeakSet[socket.socket]
    ) -> None:
        self._engine = engine
        self._listening = listening
        self._wake = wake
        self._sockets = sockets
        self._clients: set[ClientConnection] = set()
        self._coming: set[asyncio.Task[object]] = set()
        self._ended = asyncio.Event()
        self._empty = asyncio.Event()
        self._left_at = 0.0

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._listening, self._accept)
        loop.add_reader(self._wake, self._ended.set)
        no_meanwhile = answer_meanwhile(self._engine)
        self._left_at = loop.time()
        try:
            while not self._ended.is_set():
                try:
                    await asyncio.wait_for(self._ended.wait(), _EXPIRE_EACH)
                except TimeoutError:
                    self._engine.expire_step(_EXPIRE_KEYS)
                    if not self._clients and not self._coming and loop.time() - self._left_at > _LINGER:
                        break
        finally:
            loop.remove_reader(self._listening)
            loop.remove_reader(self._wake)
            no_meanwhile()
            await self._close_all()

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            with unforked:
                sock, _ = self._listening.accept()
                self._sockets.add(sock)
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            logger.warning("can't accept a client: %s", error.strerror)
            loop.remove_reader(self._listening)
            loop.call_later(_FULL, self._accept_again)
            return
        sock.setblocking(False)
        task = loop.create_task(self._welcome(sock))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    def _accept_again(self) -> None:
        if not self._ended.is_set():
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    async def _welcome(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._client, sock)
        except OSError:
            sock.close()  # it went before it was let in

    def _client(self) -> ClientConnection:
        return ClientConnection(self._engine, self._gone, self._come)

    def _come(self, client: ClientConnection) -> bool:
        self._clients.add(client)
        return True

    def _gone(self, client: ClientConnection) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._empty.set()
            self._left_at = asyncio.get_running_loop().time()

    async def _close_all(self) -> None:
        if self._coming:
            await asyncio.wait(list(self._coming))
        for client in list(self._clients):
            client.shut_down()
        if not self._clients:
            return
        self._empty.clear()
        try:
            await asyncio.wait_for(self._empty.wait(), _GRACE)
        except TimeoutError:
            for client in list(self._clients):
                client.abort()
            await self._empty.wait()
