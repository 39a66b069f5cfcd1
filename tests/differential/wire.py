"""A reply as the wire shows it: every kind of nil, of string and of array stays distinct, unlike in clients."""

from __future__ import annotations

import socket
from typing import Any

Parsed = tuple[str, Any]
"""(type character, content); content is bytes, None for a nil, or a list of Parsed (a map's is flat)."""


class Incomplete(Exception):
    """The reply goes on beyond the bytes at hand."""


def parse(data: bytes, at: int = 0) -> tuple[Parsed, int]:
    """Parse one reply of RESP 2 or 3; return it with the offset after it."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    kind, line, after = chr(data[at]), data[at + 1 : end], end + 2
    if kind in "+-:,_#(":
        return (kind, line), after
    size = int(line)
    if size < 0:
        return (kind, None), after
    if kind in "$=":
        if len(data) < after + size + 2:
            raise Incomplete
        return (kind, data[after : after + size]), after + size + 2
    items: list[Parsed] = []
    for _ in range(size * 2 if kind == "%" else size):
        item, after = parse(data, after)
        items.append(item)
    return (kind, items), after


def pack(args: list[bytes]) -> bytes:
    """A request: an array of bulk strings."""
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


class Connection:
    """A blocking connection to a real server that gives parsed replies."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.buffer = b""

    def execute(self, args: list[bytes]) -> Parsed:
        return self.execute_many([args])[0]

    def execute_many(self, commands: list[list[bytes]]) -> list[Parsed]:
        """Send commands in one piece and read all their replies."""
        self.socket.sendall(b"".join(map(pack, commands)))
        replies: list[Parsed] = []
        at = 0
        while len(replies) < len(commands):
            try:
                reply, at = parse(self.buffer, at)
                replies.append(reply)
            except Incomplete:
                more = self.socket.recv(1 << 20)
                if not more:
                    raise ConnectionError("the server closed the connection") from None
                self.buffer = self.buffer[at:] + more
                at = 0
        self.buffer = self.buffer[at:]
        return replies

    def close(self) -> None:
        self.socket.close()
