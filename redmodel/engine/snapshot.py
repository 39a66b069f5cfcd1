"""All keys as they were at one moment, taken in slices while commands go on, in a thread that writes them.

May live here: what is copied, and when. Nothing of files or commands.

At the beginning only the tables from keys to values are copied, which for a million keys takes some ten milliseconds.
Strings never change, so the copied table holds them for good. A container is copied just before a command gets it in
its hands for the first time (`SharingContext`), or when a slice reaches it, whichever comes first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from redmodel.engine.context import Context
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.types import copied

if TYPE_CHECKING:
    from redmodel.engine.keyspace import Keyspace
    from redmodel.engine.values.types import Value

_LOOK_AT_CLOCK = 32  # keys between two looks at the clock
SLICE = 0.001  # seconds that the engine waits for us at a time
_PIECE = 64  # keys between two offers to let others run
_PATIENCE = 0.05  # seconds between two looks at whether somebody wants this to stop


class Stopped(Exception):
    """Somebody does not want the snapshot any more."""


class FrozenScores:
    """A sorted set that can only be read: its order is made anew when it is loaded."""

    __slots__ = ("scores",)

    def __init__(self, scores: dict[bytes, float]) -> None:
        self.scores = scores


class Kept(NamedTuple):
    """One key of a snapshot; the value is nobody else's."""

    database: int
    key: bytes
    value: Value | FrozenScores
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


@contextmanager
def held(lock: threading.RLock, stop: threading.Event) -> Generator[None]:
    """The engine's lock, unless who holds it wants this to stop.

    Raises:
        Stopped: that is so.
    """
    while not lock.acquire(timeout=_PATIENCE):
        if stop.is_set():
            raise Stopped
    try:
        yield
    finally:
        lock.release()


def in_slices(lock: threading.RLock, snapshot: Snapshot, stop: threading.Event, delay: int = 0) -> Iterator[Kept]:
    """Yield all keys of a snapshot from another thread; the lock is held only to take a slice, some milliseconds.

    Args:
        lock: the engine's.
        snapshot: whose keys.
        stop: gives up.
        delay: microseconds to wait after each key; below zero, so many keys for each microsecond (rdb-key-save-delay).

    Raises:
        Stopped: somebody set ``stop``.
    """
    while True:
        with held(lock, stop):
            kept = snapshot.take(SLICE)
        if not kept:
            return
        for at in range(0, len(kept), _PIECE):
            for key in kept[at : at + _PIECE]:
                yield key
                if delay > 0:
                    stop.wait(delay / 1e6)
                if stop.is_set():
                    raise Stopped
            time.sleep(0)  # the interpreter's lock
        time.sleep(SLICE)  # the engine's


def _frozen(value: Value) -> Value | FrozenScores:
    return FrozenScores(value.scores.copy()) if type(value) is SortedSet else copied(value)


class SharingContext(Context):
    """The engine's context while a snapshot is taken: whoever looks a container up may be about to change it."""

    __slots__ = ()


def _sharing(method: Callable[[Any, bytes], Any]) -> Callable[[Any, bytes], Any]:
    def lookup(self: SharingContext, key: bytes) -> Any:
        value = method(self, key)
        if value is not None and type(value) is not bytes:
            for snapshot in self.engine.snapshots:
                snapshot.share(key, value)
        return value

    return lookup


for _name, _method in list(vars(Context).items()):
    if _name == "find" or _name.endswith("_at"):
        setattr(SharingContext, _name, _sharing(_method))
