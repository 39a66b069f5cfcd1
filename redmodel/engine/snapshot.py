"""All keys as they were at one moment, taken in slices while commands go on; a rewrite of the log is made from it.

May live here: what is copied, and when. Nothing of files or commands.

At the beginning only the tables from keys to values are copied, which for a million keys takes some ten milliseconds.
Strings never change, so the copied table holds them for good. A container is copied just before a command gets it in
its hands for the first time (`SharingContext`), or when a slice reaches it, whichever comes first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from redmodel.engine.context import Context
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.types import copied

if TYPE_CHECKING:
    from redmodel.engine.keyspace import Keyspace
    from redmodel.engine.values.types import Value

_LOOK_AT_CLOCK = 32  # keys between two looks at the clock


class FrozenScores:
    """A sorted set that can only be read: its order is made anew when it is loaded."""

    __slots__ = ("scores",)

    def __init__(self, scores: dict[bytes, float]) -> None:
        self.scores = scores


class Kept(NamedTuple):
    """One key of a snapshot; the value is nobody else's."""

    database: int
    key: bytes
    value: object
    deadline: int | None


class Snapshot:
    """The keys of some databases as they were when this was made; every method is called under the engine's lock."""

    def __init__(self, databases: Iterable[Keyspace]) -> None:
        filled = [database for database in databases if database.values]
        self._values: dict[int, dict[bytes, Value]] = {db.number: db.values.copy() for db in filled}
        self._deadlines = {db.number: db.deadlines.copy() for db in filled}
        self._early: list[Kept] = []

    def share(self, key: bytes, value: Value) -> None:
        """A command is about to get this container, and may change it: keep a copy, if there is none yet."""
        # Looked for in each database: SWAPDB moves containers without looking them up.
        for number, values in self._values.items():
            if values.get(key) is value:
                del values[key]
                self._early.append(Kept(number, key, _frozen(value), self._deadlines[number].get(key)))

    def take(self, seconds: float) -> list[Kept]:
        """Some more keys, in no order, for about so many seconds; empty when all were taken."""
        taken, self._early = self._early, []
        until = time.monotonic() + seconds
        while self._values:
            number = next(iter(self._values))
            values, deadlines = self._values[number], self._deadlines[number]
            while values:
                for _ in range(min(_LOOK_AT_CLOCK, len(values))):
                    key, value = values.popitem()
                    taken.append(Kept(number, key, _frozen(value), deadlines.get(key)))
                if time.monotonic() >= until:
                    return taken
            del self._values[number]
        return taken


def _frozen(value: Value) -> object:
    return FrozenScores(value.scores.copy()) if type(value) is SortedSet else copied(value)


class SharingContext(Context):
    """The engine's context while a snapshot is taken: whoever looks a container up may be about to change it."""

    __slots__ = ()


def _sharing(method: Callable[[Any, bytes], Any]) -> Callable[[Any, bytes], Any]:
    def lookup(self: SharingContext, key: bytes) -> Any:
        value = method(self, key)
        if value is not None and type(value) is not bytes:
            snapshot = self.engine.snapshot
            if snapshot is not None:
                snapshot.share(key, value)
        return value

    return lookup


for _name, _method in list(vars(Context).items()):
    if _name == "find" or _name.endswith("_at"):
        setattr(SharingContext, _name, _sharing(_method))
