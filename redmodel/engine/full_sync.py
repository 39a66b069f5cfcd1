"""The snapshot that a new replica begins with: made in a thread of its own while commands go on, and sent in pieces.

May live here: the two forms in which it is sent. Its bytes are `storage.rdb`'s, what comes behind it `replication`'s.

A replica that can read a snapshot of which only the end is marked is sent each piece as it is made. For others it is
written to a temporary file first, because its length has to come before it.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import IO, TYPE_CHECKING

from redmodel.engine.snapshot import Stopped, in_slices

if TYPE_CHECKING:
    from redmodel.engine.engine import Engine
    from redmodel.engine.replication import Replica

logger = logging.getLogger("redmodel.server")

_PIECE = 256 << 10
_AHEAD = 1 << 20  # bytes that a replica may have before it
_PATIENCE = 0.005  # seconds between two looks at whether it has read
_ALIVE = 1.0  # seconds between two signs of life while it has to wait
_KEPT_IN_MEMORY = 4 << 20


class FullSync:
    """One snapshot on its way to one replica; made and started under the engine's lock."""

    def __init__(self, engine: Engine, replica: Replica) -> None:
        from redmodel.engine.storage.rdb.library import snapshot_aux
        from redmodel.engine.storage.rdb.writing import version_for

        self._engine = engine
        self._replica = replica
        self._stop = threading.Event()
        self._aux = snapshot_aux(engine)
        self._aux[b"repl-stream-db"] = b"0"
        self._version = version_for(engine.databases)
        wanted = replica.only
        self._functions = engine.functions() if wanted is None or b"functions" in wanted else []
        self._snapshot = engine.begin_snapshot() if wanted is None else None
        self._marked = replica.eof and (engine.settings.flag("repl-diskless-sync") or wanted is not None)
        self._thread = threading.Thread(target=self._run, name="redmodel-full-sync", daemon=True)
        self._told = monotonic()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Give up soon; doesn't wait for it."""
        self._stop.set()

    def _run(self) -> None:
        engine, replica = self._engine, self._replica
        try:
            mark = self._send_marked() if self._marked else self._send_measured()
            with engine.lock:
                if engine.replication.replicas.get(replica.session) is replica:
                    self._end(mark)
        except Stopped:
            pass
        except Exception as error:
            logger.warning("the replica %s gets no snapshot: %s", replica.session.address.decode(), error)
            with engine.lock:
                peer = replica.session.peer
                if peer is not None:
                    peer.end()
        finally:
            if self._snapshot is not None:
                with engine.lock:
                    engine.end_snapshot(self._snapshot)

    def _end(self, mark: bytes) -> None:
        replica, peer = self._replica, self._replica.session.peer
        if mark and peer is not None:
            peer.send(mark)  # and the answer to it finds the replica online
        logger.log(25, "Synchronization with replica %s succeeded", replica.session.address.decode())
        replica.heard = monotonic()
        if replica.snapshot_only:
            return  # it closes the connection
        replica.state = "online"
        # What is behind a mark would hide it: the stream begins when the replica says that it has found it.
        if not mark:
            replica.begin_stream()

    def _send_marked(self) -> bytes:
        """Send the snapshot without its mark, which is returned."""
        mark = os.urandom(20).hex().encode()
        self._send(b"$EOF:%b\r\n" % mark)
        self._make(self._send)
        return mark

    def _send_measured(self) -> bytes:
        """Send the snapshot behind its length; there is no mark."""
        with tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY) as file:

            def write(data: bytes | bytearray) -> None:
                file.write(data)
                if monotonic() - self._told > _ALIVE:
                    self._send(b"\n")

            self._make(write)
            self._send(b"$%d\r\n" % file.tell())
            file.seek(0)
            for piece in _pieces(file):
                self._send(piece)
        return b""

    def _make(self, write: Callable[[bytes | bytearray], object]) -> None:
        from redmodel.engine.storage.rdb.writing import SnapshotText

        text = SnapshotText(write, self._aux, version=self._version)
        text.add_functions(self._functions)
        if self._snapshot is not None:
            delay = self._engine.settings.number("rdb-key-save-delay")
            for kept in in_slices(self._engine.lock, self._snapshot, self._stop, delay):
                text.add_kept(kept)
        text.finish()

    def _send(self, data: bytes | bytearray) -> None:
        """Send a piece when the replica has read most of what it was sent before."""
        peer = self._replica.session.peer
        assert peer is not None
        self._told = monotonic()
        while True:
            if self._stop.is_set():
                raise Stopped
            with self._engine.lock:
                if peer.buffers().replies < _AHEAD:
                    peer.send(bytes(data))
                    return
            self._stop.wait(_PATIENCE)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
