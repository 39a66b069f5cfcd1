"""Which nil a command answers depends on how it was asked: the wire says so as redis-server does."""

from __future__ import annotations

import socket
import tempfile

from redmodel.engine.engine import Engine
from redmodel.server import Server


def test_pops_from_nothing() -> None:

    with tempfile.TemporaryDirectory(prefix="rm-") as directory:
        path = f"{directory}/s"
        server = Server(Engine(), unixsocket=path)
        server.start()
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                for sent, expected in (
                    (b"LPOP x\r\n", b"$-1\r\n"),
                    (b"LPOP x 2\r\n", b"*-1\r\n"),
                    (b"GET x\r\n", b"$-1\r\n"),
                ):
                    client.sendall(sent)
                    assert client.recv(100) == expected
        finally:
            server.stop()
