"""The replicas that follow an engine: what is known of each, the stream of commands that they get, who waits for it.

May live here: that account. The snapshot that a replica begins with is `full_sync`'s, the commands are
`commands.replication`'s. A replica is always given everything anew: no stream is kept for one that comes back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from redmodel.engine.storage.format import encode_command

if TYPE_CHECKING:
    from redmodel.engine.engine import Engine
    from redmodel.engine.full_sync import FullSync
    from redmodel.engine.session import Session
    from redmodel.engine.waiting import Waiter

_MULTI, _EXEC = encode_command((b"MULTI",)), encode_command((b"EXEC",))
_PING = encode_command((b"PING",))
_GET_ACK = encode_command((b"REPLCONF", b"GETACK", b"*"))
_REPLICA = 1  # place in client-output-buffer-limit


class Replica:
    """What a session said with REPLCONF, and how far it follows."""

    __slots__ = (
        "acknowledged",
        "answers",
        "eof",
        "heard",
        "host",
        "only",
        "port",
        "session",
        "snapshot_only",
        "state",
        "sync",
        "waiting",
        "waiting_size",
    )

    def __init__(self, session: Session) -> None:
        self.session = session
        #: Where it says that it listens.
        self.port = 0
        self.host = b""
        #: It can read a snapshot of which only the end is marked.
        self.eof = False
        #: It wants the snapshot and no stream; and of the snapshot perhaps only b"functions", or b"" for nothing.
        self.snapshot_only = False
        self.only: bytes | None = None
        #: Empty before it follows; ``send_bulk`` while it is given the snapshot, ``online`` then.
        self.state = ""
        self.acknowledged = 0
        #: It came by PSYNC, and says how far it is.
        self.answers = False
        self.heard = monotonic()
        self.sync: FullSync | None = None
        #: The stream since the snapshot was taken, until it may be sent; None when it is sent as it comes.
        self.waiting: list[bytes] | None = None
        self.waiting_size = 0

    def begin_stream(self) -> None:
        """Send what has come since the snapshot; what follows is sent at once."""
        waiting, self.waiting = self.waiting or [], None
        self.waiting_size = 0
        peer = self.session.peer
        if waiting and peer is not None:
            peer.send(b"".join(waiting))

    @property
    def place(self) -> tuple[bytes, int]:
        """Its address, and the port where it listens."""
        return self.host or self.session.address.rpartition(b":")[0], self.port

    @property
    def lag(self) -> int:
        """Seconds since it was last heard of."""
        return int(monotonic() - self.heard)


class Replication:
    """The replicas of one engine; every method is called under the engine's lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.replicas: dict[Session, Replica] = {}
        self.id = os.urandom(20).hex()
        #: Bytes of the stream so far.
        self.offset = 0
        #: How many replicas were given everything, and how many of them had asked for less.
        self.full_syncs = 0
        self.refused_parts = 0
        self._database: int | None = None
        self._waits: list[tuple[Waiter, int, int]] = []
        #: How many min-replicas-to-write asks for.
        self.needed = 0
        for name in ("min-replicas-to-write", "min-replicas-max-lag"):
            engine.settings.obey(name, self._obey)
        self._obey()

    def _obey(self) -> None:
        settings = self._engine.settings
        self.needed = settings.number("min-replicas-to-write") if settings.number("min-replicas-max-lag") else 0

    def __bool__(self) -> bool:
        return bool(self.replicas)

    def join(self, replica: Replica, *, answers: bool) -> None:
        """Begin to give a session everything; the engine has to collect effects from now on."""
        from redmodel.engine.full_sync import FullSync

        self.full_syncs += 1
        self._database = None  # the next command says SELECT, for whoever has not heard it
        self.replicas[replica.session] = replica
        replica.answers = answers
        replica.state = "send_bulk"
        replica.waiting = []
        replica.heard = monotonic()
        peer = replica.session.peer
        assert peer is not None
        if answers:
            peer.send(b"+FULLRESYNC %b %d\r\n" % (self.id.encode(), self.offset))
        replica.sync = FullSync(self._engine, replica)
        replica.sync.start()

    def leave(self, session: Session) -> bool:
        """Forget a session that has gone, and say whether it was a replica."""
        replica = self.replicas.pop(session, None)
        if replica is not None and replica.sync is not None:
            replica.sync.stop()
        return replica is not None

    def feed(self, unit: Sequence[tuple[int, Sequence[bytes]]], session: Session, *, together: bool) -> None:
        """Give the replicas one unit of effects; ``together`` says that several commands of it are one transaction."""
        parts: list[bytes] = []
        together = together and len(unit) > 1
        for at, (database, args) in enumerate(unit):
            if database != self._database:
                parts.append(encode_command((b"SELECT", b"%d" % database)))
                self._database = database
            if not at and together:
                parts.append(_MULTI)
            parts.append(encode_command(args))
        if together:
            parts.append(_EXEC)
        self._send(b"".join(parts))
        session.written_to = self.offset

    def _send(self, data: bytes) -> None:
        self.offset += len(data)
        hard = 0
        for replica in list(self.replicas.values()):
            peer = replica.session.peer
            if replica.snapshot_only or peer is None:
                continue
            if replica.waiting is None:
                peer.send(data)
                continue
            replica.waiting.append(data)
            replica.waiting_size += len(data)
            hard = hard or self._engine.settings.items("client-output-buffer-limit")[_REPLICA][0]
            if hard and replica.waiting_size > hard:
                self.leave(replica.session)
                peer.end()

    def acknowledged(self, replica: Replica, offset: int) -> None:
        """A replica says how much of the stream it has."""
        replica.acknowledged = max(replica.acknowledged, offset)
        replica.heard = monotonic()
        if replica.state == "online" and replica.waiting is not None:
            replica.begin_stream()  # it has read the snapshot to its end
        waits, self._waits = self._waits, []
        for waiter, upto, wanted in waits:
            waiter.nothing = reached = self.reached(upto)
            if reached >= wanted:
                waiter.finish(reached)
            elif not waiter.done:
                self._waits.append((waiter, upto, wanted))

    def reached(self, offset: int) -> int:
        """How many replicas have the stream up to there."""
        return sum(replica.state == "online" and replica.acknowledged >= offset for replica in self.replicas.values())

    def tell_when_reached(self, waiter: Waiter, offset: int, wanted: int) -> None:
        """Answer somebody when so many replicas have the stream up to there, and ask them how far they are."""
        self._waits.append((waiter, offset, wanted))
        if self.replicas:
            self._send(_GET_ACK)

    def ping(self) -> None:
        """Let the replicas know that the engine lives."""
        self._send(_PING)

    def silent(self, seconds: int) -> list[Replica]:
        """The replicas that should have been heard of within so many seconds."""
        return [
            replica
            for replica in self.replicas.values()
            if replica.answers and replica.state == "online" and replica.lag > seconds
        ]

    @property
    def too_few(self) -> bool:
        """Whether there are fewer replicas than min-replicas-to-write asks for, so that nobody may write."""
        return bool(self.needed) and self.good() < self.needed

    def good(self) -> int:
        """How many replicas follow closely enough for min-replicas-to-write."""
        most = self._engine.settings.number("min-replicas-max-lag")
        return sum(replica.state == "online" and replica.lag <= most for replica in self.replicas.values())
