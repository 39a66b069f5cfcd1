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
from typing import TypeAlias

from redmodel.engine.engine import Engine
from redmodel.server.connection import ClientConnection
from redmodel.server.cron import Cron
from redmodel.server.meanwhile import answer_meanwhile
from redmodel.server.tls import TlsError, tls_context

logger = logging.getLogger(__name__)

Listening: TypeAlias = asyncio.Server | socket.socket
"""What listens, or soon will: the loop makes a server of a socket in its next turn."""

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
        self._hosts: list[str] = [host]
        self._tls: ssl.SSLContext | None = None
        self._tls_port = 0
        self._tls_said: list[str] = []  # the parameters that were obeyed
        self._tls_servers: list[Listening] = []  # those of ``tls-port``
        self._servers: list[Listening] = []
        self._tcp: list[Listening] = []  # those of ``port``, which CONFIG SET may move
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
        listener._tls_said = [settings.shown(name) for name in settings.names("tls-")]
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
            (self._tls_servers if tls is not None else self._tcp).append(server)
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
        # The addresses may be the same, too: where the port is, they are free only then.
        sockets = self._opened_in_place_of(self._tcp, port, hosts, self.port if port == self.port else None, None)
        if hosts != self._hosts and self._tls_port:
            try:
                encrypted = self._opened_in_place_of(
                    self._tls_servers, self._tls_port, hosts, self._tls_port, self._tls
                )
            except ValueError:
                for each in sockets:
                    each.close()
                if self.port:
                    self._open_again(self._tcp, self.port, None)
                raise
            self._serve_sockets(self._tls_servers, encrypted, self._tls)
        self.port, self._hosts = port or None, hosts
        self._serve_sockets(self._tcp, sockets, None)

    def move_tls(self) -> None:
        """Listen where ``tls-port`` says now, with what the other ``tls-`` parameters say; clients stay.

        Raises:
            ValueError: it isn't possible, and nothing has changed.
        """
        settings = self._engine.settings
        said = [settings.shown(name) for name in settings.names("tls-")]
        if said == self._tls_said:
            return
        port = settings.number("tls-port")
        try:
            context = tls_context(settings) if port else None
        except TlsError as error:
            logger.warning("%s", error)
            raise ValueError("Unable to update TLS configuration. Check server logs.") from error
        before = self._tls_port if port == self._tls_port else None
        sockets = self._opened_in_place_of(self._tls_servers, port, self._hosts, before, self._tls)
        self._tls_port, self._tls, self._tls_said = port, context, said
        self._serve_sockets(self._tls_servers, sockets, context)

    def _opened_in_place_of(
        self,
        servers: list[Listening],
        port: int,
        hosts: list[str],
        before: int | None,
        tls: ssl.SSLContext | None,
    ) -> list[socket.socket]:
        """Sockets for other servers than these, which are closed; ``before`` is their port where it stays.

        Raises:
            ValueError: one can't be opened, and the servers go on.
        """
        if before:
            _close(servers)
        sockets: list[socket.socket] = []
        for host in hosts if port else ():
            try:
                sockets.append(self._opened(host, port))
            except OSError as error:
                if host.startswith("-") and error.errno in _MAY_BE_MISSING:
                    continue
                for each in sockets:
                    each.close()
                logger.warning("Could not listen on %s:%d: %s", _address_of(host), port, error)
                if before:
                    self._open_again(servers, before, tls)
                    raise ValueError("Failed to bind to specified addresses.") from error
                raise ValueError("Unable to listen on this port. Check server logs.") from error
        _close(servers)
        return sockets

    def _opened(self, host: str, port: int) -> socket.socket:
        name = _address_of(host)
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        return socket.create_server((name, port), family=family, backlog=self._engine.settings.number("tcp-backlog"))

    def _open_again(self, servers: list[Listening], port: int, tls: ssl.SSLContext | None) -> None:
        sockets: list[socket.socket] = []
        for host in self._hosts:
            with suppress(OSError):
                sockets.append(self._opened(host, port))
        self._serve_sockets(servers, sockets, tls)

    def _serve_sockets(
        self, servers: list[Listening], sockets: list[socket.socket], tls: ssl.SSLContext | None
    ) -> None:
        async def serve(listening: socket.socket) -> None:
            if listening not in servers:
                return
            server = await asyncio.get_running_loop().create_server(self._client, sock=listening, backlog=511, ssl=tls)
            if listening in servers:
                servers[servers.index(listening)] = server
            else:
                with suppress(ValueError):  # its socket is closed already
                    server.close()

        servers += sockets
        for each in sockets:
            task = asyncio.get_running_loop().create_task(serve(each))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def accept_no_more(self) -> None:
        """Close the sockets that clients come to; those that are there stay."""
        self._stopping = True
        self._close_sockets()

    async def stop(self, grace: float = 1.0) -> None:
        """Accept no more, answer what has been read, and close; after ``grace`` seconds close all the same."""
        self.accept_no_more()
        self._cron.stop()
        if self._no_meanwhile is not None:
            self._no_meanwhile()
            self._no_meanwhile = None
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
        return ClientConnection(self._engine, self._gone, self._come)

    def _come(self, client: ClientConnection) -> bool:
        # Asked when it is there: one with whom TLS can't be agreed upon never is, and several may come at once.
        if len(self.clients) >= self._engine.settings.number("maxclients") or self._stopping:
            return False
        self.clients.add(client)
        return True

    def _gone(self, client: ClientConnection) -> None:
        self.clients.discard(client)
        if not self.clients:
            self._empty.set()

    def _close_sockets(self) -> None:
        for servers in (self._tcp, self._tls_servers, self._servers):
            _close(servers)
        if self.unixsocket is not None and self._socket_identity is not None:
            try:
                found = self.unixsocket.lstat()
                if (found.st_dev, found.st_ino) == self._socket_identity:
                    self.unixsocket.unlink()
            except OSError as error:
                logger.warning("can't delete the socket %s: %s", self.unixsocket, error.strerror)
            self._socket_identity = None


def _close(servers: list[Listening]) -> None:
    for server in servers:
        if isinstance(server, socket.socket):
            # No server yet, or just becoming one: the loop must not look for its number, which the next one may get.
            asyncio.get_running_loop().remove_reader(server.fileno())
        server.close()
    servers.clear()


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
