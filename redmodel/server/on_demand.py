"""A unix socket that costs nothing until somebody connects: a thread sleeps in ``poll``, and serves when it must.

May live here: the socket, the thread, and what a forked child lets go of. asyncio is not imported before the first
client comes; serving itself stands in ``accepting``.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from redmodel.engine.engine import Engine

logger = logging.getLogger(__name__)

# Held while a socket or a lock comes into being: a fork in between would leave a child with a handle that it doesn't
# know of, and so can't close. A client of a process that died would then wait for that child.
unforked = threading.RLock()

_BACKLOG = 511


class OnDemandServer:
    """Answers on a unix socket, from a daemon thread that is made at once and wakes when the first client comes."""

    def __init__(self, engine: Engine, path: Path) -> None:
        """Listen; a socket that stands at the path is replaced, so the caller must hold the right to it.

        Args:
            engine: who answers; it stays open when the server stops.
            path: where the socket is to be; mode 0600.
        Raises:
            OSError: the socket can't be made.
        """
        self.path = path
        self._engine = engine
        self._stopping = False
        #: Every socket that a forked child must close.
        self._sockets: WeakSet[socket.socket] = WeakSet()
        with unforked:
            self._listening = _bound(path)
            self._wake, self._waker = socket.socketpair()
            self._sockets.update((self._listening, self._wake, self._waker))
        self._thread = threading.Thread(target=self._run, name="redmodel-share", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self._close()
            raise OSError("no thread can be started") from error
        _servers.add(self)

    def stop(self) -> None:
        """Answer what has been read, close every connection and the socket, delete it, and end the thread."""
        if self._stopping:
            return
        self._stopping = True
        _servers.discard(self)
        with suppress(OSError):
            self.path.unlink()  # first: nobody is to find a door that is about to close
        self._waker.send(b"x")
        self._thread.join()
        self._close()

    def after_fork(self) -> None:
        """In a child: close the copies of the parent's sockets; their file at the path is the parent's."""
        self._stopping = True
        for each in list(self._sockets):
            each.close()

    def _close(self) -> None:
        self._listening.close()
        self._wake.close()
        self._waker.close()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._listening, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            poll.poll()
            if self._stopping:
                return
            try:
                with unforked:  # a fork in the middle of an import would leave a child that can't import it
                    from redmodel.server.accepting import serve
                serve(self._engine, self._listening, self._wake, self._sockets)
            except Exception:
                # Clients will try again; this thread must be there then.
                logger.exception("serving on %s failed", self.path)
                time.sleep(0.5)


def _bound(path: Path) -> socket.socket:
    """A socket that listens at the path, with its mode set before anybody can connect."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()  # its owner is gone: the caller has the right to the path
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(os.fspath(path))
        path.chmod(0o600)
        listening.setblocking(False)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


_servers: WeakSet[OnDemandServer] = WeakSet()


def _after_fork() -> None:
    unforked.release()
    for server in list(_servers):
        server.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=unforked.acquire, after_in_parent=unforked.release, after_in_child=_after_fork)
