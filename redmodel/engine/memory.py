"""How much memory the keys take, which were used last or most, and whom maxmemory sends away.

May live here: estimates and the choice of victims. The figures are Python's own (`sys.getsizeof`) with large containers
judged by some of their elements; where memory is limited they are kept up to date key by key, else taken when asked.
"""

from __future__ import annotations

import random
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redmodel.engine.context import Context
    from redmodel.engine.engine import Engine
    from redmodel.engine.keyspace import Keyspace

BASE = 1 << 20
"""What an engine without keys is said to take."""

_SLOT = 104  # an entry of the keyspace's table, with room to grow
_SAMPLE = 200  # keys that stand for all others where nobody counts
_NEW = 5  # the frequency of a new key, as in Redis


class Memory:
    """The account of one engine's memory; every method runs under the engine's lock."""

    def __init__(self, engine: Engine, context: Context) -> None:
        self._engine = engine
        self._context = context
        self._settings = engine.settings
        #: Bytes that may be taken; 0 for no limit.
        self.limit = 0
        #: Whether uses are counted (LFU), and not only the moment of the last one kept.
        self.frequencies = False
        #: (database, key) pairs to be measured anew.
        self.changed: set[tuple[int, bytes]] = set()
        self._total = 0
        self._pools: dict[tuple[int, bool], list[bytes]] = {}
        self._random = random.Random()
        for name in ("maxmemory", "maxmemory-policy"):
            self._settings.obey(name, self.obey)

    def obey(self) -> None:
        """Follow the parameters after a change."""
        before, self.limit = self.limit, self._settings.number("maxmemory")
        self.frequencies = self._settings.text("maxmemory-policy").endswith("lfu")
        self._engine.gate.strict = self.limit > 0
        self._pools.clear()
        if self.limit and not before:
            self._measure_all()
        elif not self.limit:
            self.changed.clear()
            for database in self._engine.databases:
                database.sizes.clear()
        self._context.reckon()

    @property
    def moment(self) -> int:
        """Seconds on the engine's clock, as uses are noted."""
        return self._context.now() // 1000

    def used(self) -> int:
        """Bytes that the engine takes, about."""
        if self.limit:
            self._measure_changed()
            return BASE + self._total + self._engine.client_memory.total
        return (
            BASE
            + self._engine.client_memory.all()
            + sum(self.of_database(database) for database in self._engine.databases)
        )

    def of_database(self, database: Keyspace) -> int:
        """Bytes that the keys of one database take, judged by some of them."""
        count = len(database.values)
        if not count:
            return 0
        sample = list(islice(database.values.items(), _SAMPLE))
        return sum(of_key(key, value) for key, value in sample) * count // len(sample)

    def _measure_all(self) -> None:
        self._total = 0
        for database in self._engine.databases:
            database.sizes = {key: of_key(key, value) for key, value in database.values.items()}
            self._total += sum(database.sizes.values())

    def _measure_changed(self) -> None:
        for number, key in self.changed:
            database = self._engine.databases[number]
            value = database.values.get(key)
            before = database.sizes.pop(key, 0)
            self._total -= before
            if value is not None:
                size = database.sizes[key] = of_key(key, value)
                self._total += size
        self.changed.clear()
        for database in self._engine.databases:
            if len(database.sizes) != len(database.values):  # FLUSHDB tells of no single key
                self._measure_all()
                return

    def make_room(self) -> bool:
        """Send keys away until the limit is kept; False where it can't be."""
        if self._context.loading or self.used() <= self.limit:
            return True
        policy = self._settings.text("maxmemory-policy")
        if policy == "noeviction":
            return False
        while BASE + self._total + self._engine.client_memory.total > self.limit:
            victim = self._victim(policy)
            if victim is None:
                return False
            self._evict(*victim)
        return True

    def _victim(self, policy: str) -> tuple[Keyspace, bytes] | None:
        volatile = policy.startswith("volatile")
        best: tuple[float, Keyspace, bytes] | None = None
        for database in self._engine.databases:
            for key in self._some(database, volatile, 1 if policy.endswith("random") else 0):
                score = self._score(policy, database, key)
                if best is None or score > best[0]:
                    best = (score, database, key)
        return None if best is None else best[1:]

    def _some(self, database: Keyspace, volatile: bool, count: int) -> list[bytes]:
        """Some keys of a database, at random."""
        among: dict[bytes, Any] = database.deadlines if volatile else database.values
        if not among:
            return []
        place = (database.number, volatile)
        pool = self._pools.setdefault(place, [])
        found: list[bytes] = []
        wanted = min(count or self._settings.number("maxmemory-samples"), len(among))
        for _ in range(2):
            while pool and len(found) < wanted:
                key = pool.pop()
                if key in among:
                    found.append(key)
            if len(found) >= wanted:
                break
            chosen = set(found)
            pool[:] = [key for key in among if key not in chosen]
            self._random.shuffle(pool)
        pool[:0] = found
        return found

    def _score(self, policy: str, database: Keyspace, key: bytes) -> float:
        if policy.endswith("lru"):
            return self.idle(database, key)
        if policy.endswith("lfu"):
            return -self.frequency(database, key)
        if policy == "volatile-ttl":
            return -database.deadlines[key]
        return self._random.random()

    def _evict(self, database: Keyspace, key: bytes) -> None:
        self._total -= database.sizes.pop(key, 0)
        database.remove(key)
        self._engine.statistics.evicted += 1
        context = self._context
        if context.heeded:
            context.heed(database, key, b"evicted")
        self.changed.discard((database.number, key))
        if context.logging:
            context.effects.append((database.number, (b"DEL", key)))

    # Uses.

    def meet(self, database: Keyspace, key: bytes) -> None:
        """Count a use of a key (LFU), more rarely the more there are."""
        count = self.frequency(database, key)
        if count < 255:
            above = max(count - _NEW, 0)
            if self._random.random() < 1.0 / (above * self._settings.number("lfu-log-factor") + 1):
                count += 1
        self.set_frequency(database, key, count)

    def frequency(self, database: Keyspace, key: bytes) -> int:
        """How often a key is used, from 0 to 255, less with every minute that it is not."""
        noted = database.accessed.get(key)
        if not isinstance(noted, tuple):
            return _NEW
        count, minute = noted
        every = self._settings.number("lfu-decay-time")
        return max(count - (self.moment // 60 - minute) // every, 0) if every else count

    def set_frequency(self, database: Keyspace, key: bytes, count: int) -> None:
        """Say how often a key is used (RESTORE FREQ)."""
        database.accessed[key] = (count, self.moment // 60)

    def idle(self, database: Keyspace, key: bytes) -> int:
        """For how many seconds a key was not used, as far as is known."""
        noted = database.accessed.get(key)
        return max(self.moment - noted, 0) if isinstance(noted, int) else 0

    def set_idle(self, database: Keyspace, key: bytes, seconds: int) -> None:
        """Say for how long a key was not used (RESTORE IDLETIME)."""
        database.accessed[key] = self.moment - seconds


def of_key(key: bytes, value: object, samples: int = 5) -> int:
    """Bytes that a key takes with its value, about.

    Args:
        key: the key.
        value: what it holds.
        samples: elements of a container to judge it by; 0 for all of them.
    """
    return _SLOT + sys.getsizeof(key) + of_value(value, samples)


def of_value(value: object, samples: int = 5) -> int:
    """Bytes that a value takes, about; see `of_key`."""
    if isinstance(value, bytes):
        return sys.getsizeof(value)
    if isinstance(value, SortedSet):
        return 3 * _container(value.scores, samples)  # the scores, their order, and its index
    if isinstance(value, Stream):
        return 512 + len(value) * 160
    if isinstance(value, dict | set | frozenset) or hasattr(value, "__len__"):
        return _container(value, samples)
    return sys.getsizeof(value)


def _container(value: Any, samples: int) -> int:
    size = sys.getsizeof(value)
    count = len(value)
    if not count:
        return size
    if isinstance(value, dict):
        fields = list(islice(cast("dict[bytes, object]", value).items(), samples or None))
        return size + sum(sys.getsizeof(field) + sys.getsizeof(one) for field, one in fields) * count // len(fields)
    chosen = list(islice(cast("Iterable[object]", value), samples or None))
    each = sum(map(sys.getsizeof, chosen))
    return size + each * count // len(chosen)
