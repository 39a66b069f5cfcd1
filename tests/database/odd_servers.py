"""Servers that misbehave on purpose, on unix sockets or loopback, each in a thread that ends with the test."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import hiredis


class OddServer:
    """Accepts connections and gives each to ``talk(connection, number)`` in a thread. Closed when the block ends."""

    def __init__(self, talk: Callable[[socket.socket, int], None], *, tcp: bool = False) -> None:
        self._talk = talk
        self._directory = tempfile.mkdtemp(prefix="redmodel-")
        self.socket_path = str(Path(self._directory) / "s")
        self._listener = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self._listener.bind(("127.0.0.1", 0) if tcp else self.socket_path)
        self._listener.listen(64)
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}" if tcp else f"unix://{self.socket_path}"
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept)
        thread.start()
        self._threads.append(thread)
        return self

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, self.connections))
            self.connections += 1
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            self._talk(connection, number)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        shutil.rmtree(self._directory, ignore_errors=True)


def commands(connection: socket.socket) -> Iterator[list[bytes]]:
    """The commands that a client sends, until it leaves."""
    # A request is an array of bulk strings, so a parser of replies reads it.
    reader = hiredis.Reader()
    while data := connection.recv(65536):
        reader.feed(data)
        while (command := reader.gets()) is not False:
            yield command


def cutting_proxy(path: str, cut: Callable[[int], int | None]) -> OddServer:
    """Passes everything to the server at ``path``; connection n is cut after ``cut(n)`` bytes of replies."""

    def talk(client: socket.socket, number: int) -> None:
        left = cut(number)
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(path)

            def forward() -> None:
                with contextlib.suppress(OSError):
                    while data := client.recv(65536):
                        server.sendall(data)
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=forward)
            thread.start()
            try:
                while data := server.recv(65536):
                    if left is not None:
                        data, left = data[:left], left - len(data)
                    client.sendall(data)
                    if left is not None and left <= 0:
                        break
            finally:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                thread.join(10)

    return OddServer(talk)
