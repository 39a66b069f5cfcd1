"""The engine over TCP and unix sockets, to any client that speaks RESP.

Here live the connection of one client, the listener that accepts them, the thread that runs a listener for tests and
embedding, and the socket of an embedded store that costs nothing until somebody asks. What commands do is the engine's
business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redmodel.server.listener import Listener
    from redmodel.server.server import Server

__all__ = ["Listener", "Server"]


def __getattr__(name: str) -> object:
    # Late: they need asyncio, which an embedded store that nobody shares does not.
    if name == "Listener":
        from redmodel.server.listener import Listener

        return Listener
    if name == "Server":
        from redmodel.server.server import Server

        return Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
