"""What the engine remembers about one connection: its database, its transaction, its names.

Nothing here runs a command: the engine and the command files read and write these fields under the engine's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redmodel.engine.access.users import User
    from redmodel.engine.clients import Peer
    from redmodel.engine.registry import Command
    from redmodel.engine.replication import Replica
    from redmodel.engine.replies import Reply
    from redmodel.engine.tracking import Tracked

_ids = count(1)


class Session:
    """The state of one connection: make one for each client, and give it with every command.

    Args:
        db: number of the database selected at first.
        name: what ``CLIENT GETNAME`` answers.
        protocol: 2 or 3, which ``HELLO`` changes; replies don't depend on it, the writer of the wire format does.
        address: what ``CLIENT INFO`` shows as ``addr``.

    >>> Session(db=3).db
    3
    """

    __slots__ = (
        "_queue",
        "active",
        "address",
        "authenticated",
        "channels",
        "closing",
        "counted",
        "db",
        "deliver",
        "deliver_behind",
        "descriptor",
        "dirty",
        "gated",
        "held_up",
        "id",
        "last_command",
        "library_name",
        "library_version",
        "local_address",
        "monitoring",
        "muted",
        "name",
        "no_evict",
        "owes",
        "patient",
        "patterns",
        "peer",
        "protocol",
        "queue_failed",
        "replica",
        "shards",
        "since",
        "tracked",
        "user",
        "watched",
        "written_to",
    )

    def __init__(self, db: int = 0, name: bytes = b"", *, protocol: int = 2, address: bytes = b"") -> None:
        self.id = next(_ids)
        self.db = db
        #: CLIENT PAUSE keeps its command waiting.
        self.held_up = False
        self.name = name
        self.protocol = protocol
        self.address = address
        self.library_name = b""
        self.library_version = b""
        #: QUIT was answered: the connection should be closed once the reply is sent.
        self.closing = False
        #: Who executes its commands waits in its own way: a command that waits raises `Suspended`.
        self.patient = False
        #: Takes what the session is to hear unasked; called under the engine's lock, from any thread. None: nothing.
        self.deliver: Callable[[Reply], object] | None = None
        #: The same, for what must not come before the reply of the session's own command.
        self.deliver_behind: Callable[[Reply], object] | None = None
        self.monitoring = False
        self.tracked: Tracked | None = None
        #: What it is subscribed to.
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shards: dict[bytes, None] = {}
        #: Not every command may run now: see `regate`.
        self.gated = False
        self._queue: list[tuple[Command, Sequence[bytes]]] | None = None
        #: A client's: its commands are counted, and checked against its user, the memory and the rest; see `gate`.
        self.counted = False
        #: Who it is; None for whoever holds the engine itself, and may do everything.
        self.user: User | None = None
        self.authenticated = False
        #: The connection behind it, where there is one, and what CLIENT LIST tells of it.
        self.peer: Peer | None = None
        self.local_address = b""
        self.descriptor = -1
        self.since = self.active = monotonic()
        #: What it said of itself as one that follows the engine; None for all others.
        self.replica: Replica | None = None
        #: The offset in the stream for replicas behind its last write.
        self.written_to = 0
        #: The full name of the last command, as ``client|list``.
        self.last_command = b""
        self.no_evict = False
        #: A command of its that has waited is answered now, or is about to be sent its reply.
        self.owes = False
        #: CLIENT REPLY: 0 replies are sent, 1 none is, 2 the next isn't, 3 this one isn't.
        self.muted = 0
        #: A command was refused while queueing, so EXEC must answer EXECABORT.
        self.queue_failed = False
        #: (database, key) pairs under WATCH; ``dirty`` says that one of them has changed.
        self.watched: set[tuple[int, bytes]] = set()
        self.dirty = False

    @property
    def queue(self) -> list[tuple[Command, Sequence[bytes]]] | None:
        """The commands queued since MULTI, or None outside a transaction."""
        return self._queue

    @queue.setter
    def queue(self, queue: list[tuple[Command, Sequence[bytes]]] | None) -> None:
        self._queue = queue
        self.regate()

    @property
    def subscribed(self) -> bool:
        """Whether messages of any channel are delivered."""
        return bool(self.channels or self.patterns or self.shards)

    @property
    def follows(self) -> bool:
        """Whether it is a replica, which is given the stream of commands."""
        return self.replica is not None and bool(self.replica.state)

    @property
    def near(self) -> bool:
        """Whether it is the program's own, or its client is on this machine."""
        return not self.counted or self.local_address.startswith(b"/") or self.address.startswith((b"127.", b"[::1]"))

    @property
    def hears(self) -> bool:
        """Whether something may be told to the session that it didn't ask for."""
        return self.subscribed or self.monitoring or self.tracked is not None

    def regate(self) -> None:
        """Find out anew whether every command may run: in RESP2 a subscriber's connection is for its messages."""
        self.gated = self._queue is not None or (self.protocol == 2 and self.subscribed)

    def tell_behind(self, message: Reply) -> None:
        """Deliver what was not asked for, behind the reply of the command that the session runs now, if it runs one."""
        if self.deliver_behind is not None:
            self.deliver_behind(message)
        else:
            self.tell(message)

    def tell(self, message: Reply) -> None:
        """Deliver what was not asked for."""
        if self.deliver is not None:
            self.deliver(message)
