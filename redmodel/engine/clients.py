"""Who is connected: the sessions of one engine's clients, in the order in which they came.

May live here: the register, what a client takes, and its line in CLIENT LIST. Whom a filter means is CLIENT's business.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from redmodel.engine.session import Session

CLIENT = 2000
"""What a client takes that does nothing."""

_NAME = 100  # a key that is watched, a channel that is heard: beside its own bytes


class Buffers(NamedTuple):
    """How many bytes a connection keeps: of requests, of arguments, of replies; and how many replies wait."""

    requests: int = 0
    arguments: int = 0
    replies: int = 0
    waiting: int = 0


class Peer(Protocol):
    """What the engine may ask of the connection behind a session; under the engine's lock, from any thread."""

    def buffers(self) -> Buffers:
        """What it keeps."""
        ...

    def send(self, data: bytes) -> None:
        """Send bytes that are no reply, soon."""
        ...

    def end(self) -> None:
        """Close the connection: at once, or behind the reply where it is the one whose command runs."""
        ...


class Clients:
    """The sessions that are connected."""

    def __init__(self) -> None:
        self.by_id: dict[int, Session] = {}
        #: How many came since the start, and how many were turned away.
        self.received = 0
        self.rejected = 0

    def join(self, session: Session) -> None:
        """A client has come."""
        self.by_id[session.id] = session
        self.received += 1

    def leave(self, session: Session) -> None:
        """A client has gone."""
        self.by_id.pop(session.id, None)


def of_queue(session: Session) -> int:
    """Bytes of the commands that wait for EXEC, and of what is watched for it."""
    queued = session.queue or ()
    return sum(len(arg) for _, args in queued for arg in args) + sum(len(key) + _NAME for _, key in session.watched)


def of_client(session: Session, buffers: Buffers) -> int:
    """Bytes that a client takes, about."""
    heard = (session.channels, session.patterns, session.shards)
    names = sum(len(name) + _NAME for each in heard for name in each)
    if session.tracked is not None:
        names += sum(len(prefix) + _NAME for prefix in session.tracked.prefixes)
    return CLIENT + buffers.requests + buffers.arguments + buffers.replies + of_queue(session) + names


def line(session: Session, *, blocked: bool = False, subscribed: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    """A client as CLIENT LIST shows it, without the end of the line."""
    now = monotonic()
    buffers = session.peer.buffers() if session.peer is not None else Buffers()
    queued = -1 if session.queue is None else len(session.queue)
    return (
        b"id=%d addr=%b laddr=%b fd=%d name=%b age=%d idle=%d flags=%b db=%d sub=%d psub=%d ssub=%d multi=%d "
        b"qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=%d rbp=%d obl=%d oll=%d omem=%d tot-mem=%d events=r "
        b"cmd=%b user=%b redir=%d resp=%d lib-name=%b lib-ver=%b"
        % (
            session.id,
            session.address,
            session.local_address,
            session.descriptor,
            session.name,
            now - session.since,
            now - session.active,
            flags(session, blocked=blocked, subscribed=any(subscribed)),
            session.db,
            *subscribed,
            queued,
            buffers.requests,
            max(20474 - buffers.requests, 0),
            buffers.arguments,
            of_queue(session),
            1024,
            0,
            0,
            buffers.waiting,
            buffers.replies,
            of_client(session, buffers),
            session.last_command or b"NULL",
            session.user.name if session.user is not None else b"(superuser)",
            -1 if session.tracked is None else session.tracked.redirect,
            session.protocol,
            session.library_name,
            session.library_version,
        )
    )


def flags(session: Session, *, blocked: bool = False, subscribed: bool = False) -> bytes:
    """The letters of one client's state."""
    letters = (
        (b"S", session.follows),
        (b"P", subscribed),
        (b"x", session.queue is not None),
        (b"b", blocked),
        (b"d", session.dirty),
        (b"c", session.closing),
        (b"U", session.local_address.startswith(b"/")),
        (b"e", session.no_evict),
    )
    return b"".join(letter for letter, holds in letters if holds) or b"N"
