"""The engine over TCP and unix sockets, to any client that speaks RESP.

Here live the connection of one client, the listener that accepts them, and the thread that runs a listener for tests
and embedding. What commands do is the engine's business.
"""

from __future__ import annotations

from redmodel.server.listener import Listener
from redmodel.server.server import Server

__all__ = ["Listener", "Server"]
