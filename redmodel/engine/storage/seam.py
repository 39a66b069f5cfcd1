"""The seam between the engine and what keeps its data: protocols, and no I/O.

The engine hands over *units*: the commands which together are one atomic change, already rewritten so that replaying
them gives the same keyspace at any later time (absolute expiry times, chosen members, final numbers). A storage keeps
them in order and gives them back when the engine starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from redmodel.errors import StorageError

if TYPE_CHECKING:
    from redmodel.engine.keyspace import Keyspace
    from redmodel.engine.snapshot import Snapshot

Effect: TypeAlias = tuple[int, Sequence[bytes]]
"""One command of a unit: the number of the database it runs in, and its arguments with the name first."""

Policy: TypeAlias = Literal["always", "everysec", "no"]
"""When an acknowledged write is on the disk: before its reply, within a second, or when the system likes."""

Told: TypeAlias = Callable[[StorageError | None], None]
"""Called when a position is durable, or with the reason why it is not; from any thread, and must not wait."""


class Source(Protocol):
    """What a storage may ask of the engine that it serves, while commands go on."""

    @property
    def lock(self) -> RLock:
        """Held while a command runs: under it no unit is half made."""
        ...

    def begin_snapshot(self) -> Snapshot:
        """All keys as they are now; to be called, as all methods of the snapshot, under the lock."""
        ...

    def functions(self) -> list[bytes]:
        """The sources of all libraries of functions."""
        ...

    def end_snapshot(self, snapshot: Snapshot) -> None:
        """A snapshot is not needed any more; a second call does nothing."""
        ...


class Storage(Protocol):
    """What keeps the effects of an engine; an implementation must be safe to call under the engine's lock.

    An implementation that only replays, appends and closes is enough; the engine asks for the rest where it is there.
    """

    def replay(self) -> Iterator[tuple[bytes, ...]]:
        """Yield the commands kept, oldest first.

        SELECT is among them; MULTI and EXEC are resolved, and a transaction without its EXEC is dropped.

        Raises:
            StorageError: the files can't be read, or are damaged.
        """
        ...

    def append(self, unit: Sequence[Effect]) -> int | None:
        """Keep one atomic unit of effects.

        The storage adds SELECT where the database changes, and MULTI/EXEC around a unit of more than one command. The
        sequence is not valid after the call.

        Returns:
            The position to `wait` for before the change is acknowledged; 0 or None where nothing has to be waited for.

        Raises:
            StorageError: the unit could not be kept; the engine refuses writes from then on.
        """
        ...

    def close(self) -> None:
        """Make durable what was appended, and let go of the files; a second call does nothing."""
        ...


class LiveStorage(Storage, Protocol):
    """A storage that writes while the engine runs: with group commit, rewriting and recovery."""

    def attach(self, source: Source) -> None:
        """Serve this engine, which has replayed everything."""
        ...

    def wait(self, position: int) -> None:
        """Return when everything up to a position is durable; not under the engine's lock.

        Raises:
            StorageError: it will never be known to be.
        """
        ...

    def tell(self, position: int, told: Told) -> None:
        """Call ``told`` when everything up to a position is durable, for those who must not wait."""
        ...

    @property
    def rewriting(self) -> bool:
        """Whether the log is being rewritten."""
        ...

    def rewrite(self) -> bool:
        """Begin to rewrite the log in the background; False if that is under way already."""
        ...

    def info(self) -> dict[str, object]:
        """What INFO says about it, by Redis' names."""
        ...

    def obey(self, fsync: Policy) -> None:
        """Keep another promise from the next unit on; what was appended before is durable then.

        Raises:
            StorageError: it is not.
        """
        ...

    def pause(self) -> None:
        """Give up a rewrite that is under way."""
        ...

    def recover(self, databases: Iterable[Keyspace]) -> None:
        """After a failure: write all of the data anew, beside what is there, and go on from it; under the lock.

        Raises:
            StorageError: it still fails.
        """
        ...
