"""Listening on TCP and on a unix socket, in the event loop that runs; `connection` serves each client."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redmodel.engine.engine import Engine
from redmodel.errors import ReplyError
from redmodel.server.connection import ClientConnection
from redmodel.server.cron import Cron
from redmodel.server.meanwhile import answer_meanwhile

logger = logging.getLogger(__name__)

# An address of ``bind`` that begins with a minus may fail with these.
_MAY_BE_MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


class Listener:
    """Accepts clients for an engine: `start`, and `stop` in the same event loop."""

    def __init__(
        self,
        engine: Engine,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        unixsocket: str | os.PathLike[str] | None = None,
        unixsocketperm: int = 0o600,
        maxclients: int = 10_000,
    ) -> None:
        """Say where to listen; nothing is opened yet.

        Args:
            engine: who answers; it stays open when the listener stops.
            host: a loopback address; for others see `of_settings`.
            port: TCP port, 0 for any that is free, None for no TCP.
            unixsocket: path of a unix socket, None for none.
            unixsocketperm: the socket's mode.
            maxclients: how many are served at once.
        Raises:
            ValueError: neither a port nor a socket, or an address that others could reach.
        """
        if port is None and unixsocket is None:
            raise ValueError("nowhere to listen: give a port (0 for any), or a unixsocket, or both")
        if port is not None and not _is_loopback(host):
            raise ValueError(
                f"{host} can be reached from elsewhere: listen on 127.0.0.1, or use redmodel serve with a password"
            )
        self.host = host
        self.port = port
        self.unixsocket = None if unixsocket is None else Path(unixsocket)
        self.clients: set[ClientConnection] = set()
        self._engine = engine
        self._mode: int | None = unixsocketperm
        engine.settings.preset("maxclients", str(maxclients))
        self._hosts = [host]
        self._tls: ssl.SSLContext | None = None
        self._tls_port = 0
        self._servers: list[asyncio.Server] = []
        self._tcp: list[asyncio.Server] = []  # those of ``port``, which CONFIG SET may move
        self._opening: set[asyncio.Task[None]] = set()
        self._socket_identity: tuple[int, int] | None = None
        self._empty = asyncio.Event()
        self._cron = Cron(engine, lambda: self.clients)
        self._stopping = False
        self._no_meanwhile: Callable[[], None] | None = None

    @classmethod
    def of_settings(cls, engine: Engine, tls: ssl.SSLContext | None = None) -> Listener:
        """A listener where the parameters of the engine say: port, bind, unixsocket, tls-port, and the rest.

        Whoever is no neighbour needs a password, unless protected-mode is off.

        Args:
            engine: who answers, and whose parameters these are.
            tls: the context for ``tls-port``.
        """
        settings = engine.settings
        path = settings.text("unixsocket")
        listener = cls(
            engine, port=settings.number("port"), unixsocket=path or None, maxclients=settings.number("maxclients")
        )
        listener.port = settings.number("port") or None
        listener._mode = settings.number("unixsocketperm") or None
        listener._hosts = settings.text("bind").split()
        listener._tls, listener._tls_port = tls, settings.number("tls-port")
        return listener

    async def start(self) -> None:
        """Open the sockets; ``port`` is the real one afterwards.

        Raises:
            OSError: a socket can't be opened, or another server listens there.
        """
        loop = asyncio.get_running_loop()
        try:
            if self.port is not None:
                self.port = await self._listen(self.port, None)
            if self._tls is not None:
                await self._listen(self._tls_port, self._tls)
            if self.unixsocket is not None:
                listening = _bound(self.unixsocket, self._mode)
                found = self.unixsocket.lstat()
                self._socket_identity = (found.st_dev, found.st_ino)
                self._servers.append(await loop.create_unix_server(self._client, sock=listening, backlog=511))
        except BaseException:
            self._close_sockets()
            raise
        self._cron.start()
        self._no_meanwhile = answer_meanwhile(self._engine)

    async def _listen(self, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen on all addresses; one with a minus may be missing. Returns the port."""
        loop = asyncio.get_running_loop()
        backlog = self._engine.settings.number("tcp-backlog")
        found = 0
        for host in self._hosts:
            name = _address_of(host)
            try:
                server = await loop.create_server(self._client, name, port, backlog=backlog, ssl=tls)
            except OSError as error:
                if host.startswith("-") and error.errno in _MAY_BE_MISSING:
                    continue
                logger.warning("Warning: Could not create server TCP listening socket %s:%d: %s", name, port, error)
                raise
            (self._servers if tls is not None else self._tcp).append(server)
            found = server.sockets[0].getsockname()[1]
        return found

    def move(self) -> None:
        """Listen where ``port`` and ``bind`` say now, and no longer where they said before; clients stay.

        Raises:
            ValueError: it isn't possible, and nothing has changed.
        """
        settings = self._engine.settings
        port, hosts = settings.number("port"), settings.text("bind").split()
        if (port or None, hosts) == (self.port, self._hosts):
            return
        sockets: list[socket.socket] = []
        same = port == self.port
        if same:
            self._close_tcp()  # the addresses may be the same, too
        for host in hosts if port else ():
            name = _address_of(host)
            try:
                family = socket.AF_INET6 if ":" in name else socket.AF_INET
                sockets.append(
                    socket.create_server((name, port), family=family, backlog=settings.number("tcp-backlog"))
                )
            except OSError as error:
                if host.startswith("-") and error.errno in _MAY_BE_MISSING:
                    continue
                for each in sockets:
                    each.close()
                logger.warning("Could not listen on %s:%d: %s", name, port, error)
                if same:
                    self._open_again()
                reason = "Failed to bind to specified addresses." if same else "Unable to listen on this port."
                raise ValueError(reason if same else f"{reason} Check server logs.") from error
        self._close_tcp()
        self.port, self._hosts = port or None, hosts
        self._serve_sockets(sockets)

    def _open_again(self) -> None:
        sockets: list[socket.socket] = []
        for host in self._hosts:
            with suppress(OSError):
                name = _address_of(host)
                family = socket.AF_INET6 if ":" in name else socket.AF_INET
                sockets.append(socket.create_server((name, self.port or 0), family=family))
        self._serve_sockets(sockets)

    def _serve_sockets(self, sockets: list[socket.socket]) -> None:
        async def serve(listening: socket.socket) -> None:
            loop = asyncio.get_running_loop()
            self._tcp.append(await loop.create_server(self._client, sock=listening, backlog=511))

        for each in sockets:
            task = asyncio.get_running_loop().create_task(serve(each))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _close_tcp(self) -> None:
        for server in self._tcp:
            server.close()
        self._tcp.clear()

    async def stop(self, grace: float = 1.0) -> None:
        """Accept no more, answer what has been read, and close; after ``grace`` seconds close all the same."""
        self._stopping = True
        self._cron.stop()
        if self._no_meanwhile is not None:
            self._no_meanwhile()
            self._no_meanwhile = None
        self._close_sockets()
        for client in list(self.clients):
            client.shut_down()
        if self.clients:
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), grace)
            except TimeoutError:
                for client in list(self.clients):
                    client.abort()
                await self._empty.wait()

    def _client(self) -> asyncio.Protocol:
        if len(self.clients) >= self._engine.settings.number("maxclients") or self._stopping:
            return _Refused(self._engine, lambda _: None)
        client = ClientConnection(self._engine, self._gone)
        self.clients.add(client)
        return client

    def _gone(self, client: ClientConnection) -> None:
        self.clients.discard(client)
        if not self.clients:
            self._empty.set()

    def _close_sockets(self) -> None:
        self._close_tcp()
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self.unixsocket is not None and self._socket_identity is not None:
            try:
                found = self.unixsocket.lstat()
                if (found.st_dev, found.st_ino) == self._socket_identity:
                    self.unixsocket.unlink()
            except OSError as error:
                logger.warning("can't delete the socket %s: %s", self.unixsocket, error.strerror)
            self._socket_identity = None


class _Refused(ClientConnection):
    """A client that came when there was no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._engine.clients.rejected += 1
        self.refuse(ReplyError("ERR max number of clients reached"))


def _address_of(host: str) -> str:
    """An address of ``bind`` as the system knows it."""
    name = host.removeprefix("-")
    return {"*": "0.0.0.0", "::*": "::"}.get(name, name)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(path: Path, mode: int | None) -> socket.socket:
    """A socket bound to the path with its mode set, before anybody can connect to it."""
    if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()  # what a killed server left behind
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(path))
        if mode is not None:
            path.chmod(mode)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening
