"""Several connections at once: the same scene played on a real server and on ours, and what each connection got.

A scene is a text. ``a: BLPOP k 0`` sends a command on connection ``a`` and does not wait for its reply; ``wait 0.1``
lets time pass; ``a: close`` ends a connection. After each line everything that arrived anywhere is collected.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from redmodel.engine.engine import Engine
from redmodel.server import Server
from tests import servers
from tests.differential.both import words
from tests.differential.wire import Incomplete, Parsed, pack, parse

Seen = list[tuple[str, str, object]]
"""For each line: the line, the connection, and what arrived there."""


class Client:
    """One connection that never waits."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.buffer = b""
        self.closed = False

    def send(self, args: list[bytes]) -> None:
        self.socket.sendall(pack(args))

    def receive(self, *, wait: bool = False) -> list[Parsed]:
        """All that has arrived; with ``wait`` at least one reply."""
        found: list[Parsed] = []
        while True:
            while self.buffer:
                try:
                    reply, at = parse(self.buffer)
                except Incomplete:
                    break
                self.buffer = self.buffer[at:]
                found.append(reply)
            if self.closed or not select.select([self.socket], [], [], 20 if wait and not found else 0)[0]:
                return found
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionResetError:
                more = b""
            if not more:
                self.closed = True
                found.append(("closed", None))
            self.buffer += more


class Stage:
    """One server, and the connections of a scene on it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.clients: dict[str, Client] = {}
        self.control = Client(path)

    def _settled(self) -> None:
        for _ in range(3):
            self.control.send([b"PING"])
            [(kind, said)] = self.control.receive(wait=True)
            assert kind == "+" or said.startswith(b"BUSY")  # a script runs too long

    def play(self, scene: str) -> Seen:
        """Play all lines, from an empty database."""
        seen: Seen = []
        for line in filter(None, map(str.strip, scene.splitlines())):
            who, _, command = line.partition(": ")
            if line.startswith("wait "):
                time.sleep(float(line.split()[1]))
            else:
                if who not in self.clients:
                    self.clients[who] = client = Client(self.path)
                    client.send([b"PING"])
                    client.receive(wait=True)
                if command == "close":
                    self.clients.pop(who).socket.close()
                else:
                    self.clients[who].send(words(command))
            self._settled()
            seen += [(line, name, got) for name, client in self.clients.items() for got in client.receive()]
        return seen

    def close(self) -> None:
        for client in [*self.clients.values(), self.control]:
            client.socket.close()


def by_client(seen: Seen) -> object:
    """What each connection got, in its order: for scenes in which time decides after which line."""
    return {name: [got for _, who, got in seen if who == name] for _, name, _ in seen}


def compare(truth: servers.RealServer, path: str, scene: str, normal: Callable[[Seen], object] = list) -> Seen:
    """Play a scene on both, and assert that every connection gets the same after every line; returns what we said.

    Args:
        truth: the real server, which is flushed.
        path: where our socket is to be.
        scene: what to play.
        normal: takes away what may differ.
    """
    truth.flush()
    real_stage = Stage(truth.socket_path)
    try:
        real = real_stage.play(scene)
    finally:
        real_stage.close()
    with Server(Engine(), unixsocket=path):
        stage = Stage(path)
        try:
            ours = stage.play(scene)
        finally:
            stage.close()
    one, other = normal(real), normal(ours)
    assert one == other, "\n" + _difference(one, other)
    return ours


def _difference(real: object, ours: object) -> str:
    if not isinstance(real, list) or not isinstance(ours, list):
        return f"redis  {real}\nours   {ours}"
    lines = [f"  both   {one}" for one, other in zip(real, ours, strict=False) if one == other]
    pairs = [(one, other) for one, other in zip(real, ours, strict=False) if one != other]
    lines += [f"  redis  {one}\n  ours   {other}" for one, other in pairs]
    lines += [f"  redis  {one}" for one in real[len(ours) :]] + [f"  ours   {other}" for other in ours[len(real) :]]
    return "\n".join(lines)
