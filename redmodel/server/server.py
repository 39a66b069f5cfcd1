"""A listener in a thread of its own, for tests and for programs that serve their engine while they do other work."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from redmodel.engine.engine import Engine
from redmodel.server.listener import Listener


class Server:
    """Serves an engine to any Redis client, from a background thread.

    >>> from redmodel.engine.engine import Engine
    >>> import socket
    >>> with Server(Engine()) as server, socket.create_connection((server.host, server.port)) as client:
    ...     _ = client.send(b"PING\\r\\n")
    ...     client.recv(100)
    b'+PONG\\r\\n'
    """

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
        """Say where to serve; nothing is opened before `start`.

        Args:
            engine: who answers; it stays open when the server stops.
            host: a loopback address.
            port: TCP port, 0 for any that is free. None: no TCP where there is a unix socket, else any port.
            unixsocket: path of a unix socket, None for none.
            unixsocketperm: the socket's mode.
            maxclients: how many are served at once.
        """
        if port is None and unixsocket is None:
            port = 0
        self._settings: dict[str, Any] = {
            "host": host,
            "port": port,
            "unixsocket": unixsocket,
            "unixsocketperm": unixsocketperm,
            "maxclients": maxclients,
        }
        self._engine = engine
        self.host = host
        #: The TCP port; 0 when there is none or before `start`.
        self.port = port or 0
        self.unixsocket = None if unixsocket is None else os.fspath(unixsocket)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failures: list[BaseException] = []

    @property
    def url(self) -> str:
        """Where clients find it: ``unix://…`` when there is a socket, else ``redis://…``."""
        return f"unix://{self.unixsocket}" if self.unixsocket else f"redis://{self.host}:{self.port}"

    def start(self) -> Server:
        """Listen; returns when clients can connect.

        Raises:
            OSError: a socket can't be opened, or another server listens there.
        """
        if self._thread is not None:
            raise RuntimeError("the server runs already")
        self._ready.clear()
        self._failures.clear()
        self._thread = threading.Thread(target=self._run, name="redmodel-server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failures:
            self._thread.join()
            self._thread = None
            raise self._failures.pop()
        return self

    def stop(self) -> None:
        """Answer what has been read, close all connections, and end the thread; harmless when it doesn't run."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:
            self._failures.append(failure)  # for whoever called start()
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        listener = Listener(self._engine, **self._settings)
        await listener.start()
        self.port = listener.port or 0
        self._ready.set()
        await self._stop.wait()
        await listener.stop()
