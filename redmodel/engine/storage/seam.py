"""The seam between the engine and what keeps its data: one protocol, and no I/O.

The engine hands over *units*: the commands which together are one atomic change, already rewritten so that replaying
them gives the same keyspace at any later time (absolute expiry times, chosen members, final numbers). A storage keeps
them in order and gives them back when the engine starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

Effect: TypeAlias = tuple[int, Sequence[bytes]]
"""One command of a unit: the number of the database it runs in, and its arguments with the name first."""


class Storage(Protocol):
    """What keeps the effects of an engine; an implementation must be safe to call under the engine's lock."""

    def replay(self) -> Iterator[tuple[bytes, ...]]:
        """Yield the commands kept, oldest first.

        SELECT is among them; MULTI and EXEC are resolved, and a transaction without its EXEC is dropped.

        Raises:
            StorageError: the files can't be read, or are damaged.
        """
        ...

    def append(self, unit: Sequence[Effect]) -> None:
        """Keep one atomic unit of effects.

        The storage adds SELECT where the database changes, and MULTI/EXEC around a unit of more than one command. It
        returns when the unit is as durable as the storage's policy says. The sequence is not valid after the call.

        Raises:
            StorageError: the unit could not be kept; the engine refuses writes from then on.
        """
        ...

    def close(self) -> None:
        """Make durable what was appended, and let go of the files; a second call does nothing."""
        ...
