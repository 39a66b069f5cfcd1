"""What a running command sees: its database and session, the time, and where it tells its effects.

There is one context for an engine, used under the engine's lock. Command files look keys up through it, so that expired
keys are gone for all of them, and report changes to it, so that watchers and the log hear of them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from redmodel.engine import texts
from redmodel.engine.values.encodings import encoding
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.stream import Stream
from redmodel.engine.waiting import Suspended, Waiter
from redmodel.errors import ReplyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redmodel.engine.engine import Engine
    from redmodel.engine.keyspace import Keyspace
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.replies import Reply
    from redmodel.engine.session import Session
    from redmodel.engine.values.types import Value
    from redmodel.engine.waiting import Attempt


class ForReplicas(tuple[bytes, ...]):
    """A command that replicas get and the log doesn't: what is published."""

    __slots__ = ()


class Context:
    """The surroundings of a running command.

    A handler that changes a key calls `touch`; its own arguments are then logged, unless it told with `effect` what to
    log in their place.
    """

    __slots__ = (
        "changed",
        "clock",
        "database",
        "effects",
        "engine",
        "heeded",
        "loading",
        "logging",
        "may_wait",
        "moment",
        "owed",
        "published",
        "refusal",
        "rewritten",
        "session",
    )

    def __init__(self, engine: Engine, clock: Callable[[], int], session: Session, database: Keyspace) -> None:
        self.engine = engine
        self.clock = clock
        self.session = session
        self.database: Keyspace = database
        #: The frozen time of the running command; 0 until somebody asks for it.
        self.moment = 0
        #: The running command changed something that its own arguments describe.
        self.changed = False
        #: It told other effects than its own arguments.
        self.rewritten = False
        #: Effects are kept in ``effects`` for the storage; False where there is none.
        self.logging = False
        #: Some of ``effects`` are what a client asked for, and not only keys that expired.
        self.owed = False
        self.effects: list[tuple[int, Sequence[bytes]]] = []
        #: Some of ``effects`` are only for replicas.
        self.published = False
        #: The log is being replayed: nothing expires.
        self.loading = False
        #: Somebody wants to hear of keys that change: see `reckon`.
        self.heeded = False
        #: A command may wait: False inside a transaction or a procedure.
        self.may_wait = True
        #: Why no command may write; None while all is well.
        self.refusal: str | None = None

    def now(self) -> int:
        """Unix milliseconds, the same for a whole command, transaction or procedure."""
        moment = self.moment
        if not moment:
            moment = self.moment = self.clock()
        return moment

    # Looking keys up.

    def find(self, key: bytes) -> Value | None:
        """The value of a key that has not expired, or None."""
        database = self.database
        if key in database.deadlines:
            self.expire(key)
        value = database.values.get(key)
        if type(value) is ExpiringHash:
            return self.living(key, value)
        return value

    def string_at(self, key: bytes) -> bytes | None:
        """The string at a key, None if there is no key, or WRONGTYPE."""
        database = self.database
        if key in database.deadlines:
            self.expire(key)
        value = database.values.get(key)
        if value is None or type(value) is bytes:
            return value
        self._other_type(key, value)
        return None

    def hash_at(self, key: bytes) -> dict[bytes, bytes] | None:
        """The hash at a key, None if there is no key, or WRONGTYPE."""
        database = self.database
        if key in database.deadlines:
            self.expire(key)
        value = database.values.get(key)
        if value is None or type(value) is dict:
            return value
        if type(value) is ExpiringHash:
            return self.living(key, value)
        raise ReplyError(texts.WRONG_TYPE)

    def set_at(self, key: bytes) -> set[bytes] | None:
        """The set at a key, None if there is no key, or WRONGTYPE."""
        database = self.database
        if key in database.deadlines:
            self.expire(key)
        value = database.values.get(key)
        if value is None or type(value) is set:
            return value
        self._other_type(key, value)
        return None

    def sorted_set_at(self, key: bytes) -> SortedSet | None:
        """The sorted set at a key, None if there is no key, or WRONGTYPE."""
        database = self.database
        if key in database.deadlines:
            self.expire(key)
        value = database.values.get(key)
        if value is None or type(value) is SortedSet:
            return value
        self._other_type(key, value)
        return None

    def list_at(self, key: bytes) -> deque[bytes] | None:
        """The list at a key, None if there is no key, or WRONGTYPE."""
        database = self.database
        if key in database.deadlines:
            self.expire(key)
        value = database.values.get(key)
        if value is None or type(value) is deque:
            return value
        self._other_type(key, value)
        return None

    def stream_at(self, key: bytes) -> Stream | None:
        """The stream at a key, None if there is no key, or WRONGTYPE."""
        database = self.database
        if key in database.deadlines:
            self.expire(key)
        value = database.values.get(key)
        if value is None or type(value) is Stream:
            return value
        self._other_type(key, value)
        return None

    def expire(self, key: bytes) -> bool:
        """Remove a key that has a deadline if it has passed, and say whether it had."""
        database = self.database
        if self.loading or self.now() <= database.deadlines[key]:
            return False
        database.remove(key)
        self.engine.statistics.expired += 1
        if self.heeded:
            self.heed(database, key, b"expired")
        if self.logging:
            self.effects.append((database.number, (b"DEL", key)))
        return True

    def living(self, key: bytes, fields: ExpiringHash) -> ExpiringHash | None:
        """A hash without the fields whose deadline has passed; None if none is left, and the key is gone."""
        if self.loading or not fields.deadlines:
            return fields
        gone = fields.take_due(self.now())
        if gone:
            database = self.database
            if not fields:
                database.remove(key)
            if self.heeded:
                self.heed(database, key, b"hexpired")
            if self.logging:
                self.effects.append((database.number, (b"HDEL", key, *gone)))
        return fields or None

    def _other_type(self, key: bytes, value: Value) -> None:
        """Refuse a value of another type, unless it is a hash that has just lost its last field."""
        if type(value) is not ExpiringHash or self.living(key, value) is not None:
            raise ReplyError(texts.WRONG_TYPE)

    def expire_due(self, most: int) -> int:
        """Remove up to ``most`` keys of the database whose deadline has passed, and count them.

        Fields whose deadline has passed are removed too, of up to ``most`` hashes.
        """
        if self.loading:
            return 0
        if self.database.field_due:
            for _ in range(most):
                found = self.database.next_fields_due(self.now())
                if found is None:
                    break
                if self.living(*found) is not None:
                    self.database.queue_fields(*found)
        gone = 0
        while self.database.due and gone < most and (key := self.database.next_due(self.now())) is not None:
            gone += self.expire(key)
        return gone

    def encoding(self, key: bytes, value: Value) -> bytes:
        """The name of the encoding that Redis would keep this value at this key in."""
        return self.database.kept.get(key) or encoding(value, self.engine.limits)

    # Telling what changed.

    def touch(self, key: bytes, event: bytes = b"") -> None:
        """Report that a key was changed, made or removed, and the keyspace event that this is."""
        self.changed = True
        if self.heeded:
            self.heed(self.database, key, event)

    def touch_in(self, database: Keyspace, key: bytes, event: bytes = b"") -> None:
        """Report a change of a key in another database."""
        self.changed = True
        if self.heeded:
            self.heed(database, key, event)

    def heed(self, database: Keyspace, key: bytes, event: bytes = b"") -> None:
        """Tell everybody who wants to know that a key has changed."""
        if database.watchers:
            database.wake((key,))
        engine = self.engine
        engine.waiters.heed(database.number, key)
        if engine.tracking and event == b"evicted":
            engine.tracking.evicted(key)
        elif engine.tracking:
            engine.tracking.changed(key, None if event == b"expired" else self.session)
        if event and engine.notifier:
            engine.notifier.publish(event, database, key)
        if engine.memory.limit:
            engine.memory.changed.add((database.number, key))

    def notify(self, event: bytes, key: bytes) -> None:
        """Report a keyspace event beside that of `touch`, or of what is no change for watchers."""
        if self.heeded and self.engine.notifier:
            self.engine.notifier.publish(event, self.database, key)

    def put(self, key: bytes, value: Value, database: Keyspace | None = None) -> None:
        """Set a key to a new value, without a deadline; tells that it is new where it is. The caller calls `touch`."""
        home = self.database if database is None else database
        if self.heeded and key not in home.values and self.engine.notifier:
            self.engine.notifier.publish(b"new", home, key)
        home.put(key, value)

    def reckon(self) -> None:
        """Find out anew whether anybody wants to know."""
        engine = self.engine
        self.heeded = bool(
            engine.waiters
            or engine.notifier
            or engine.memory.limit
            or engine.tracking
            or any(database.watchers for database in engine.databases)
        )

    def effect(self, *args: bytes) -> None:
        """Tell one command that stands for what was done, in place of the running command's own arguments."""
        self.changed = True
        if self.logging:
            self.rewritten = True
            self.effects.append((self.database.number, args))

    def publish(self, args: Args) -> None:
        """Let replicas run the running command too, which changes no data."""
        if self.engine.replication:
            self.published = self.owed = True
            self.effects.append((self.database.number, ForReplicas(args)))

    def collect(self, args: Args) -> None:
        """Close one command's account: keep its own arguments as an effect unless it told others."""
        if self.logging:
            self.owed = True
            if not self.rewritten:
                self.effects.append((self.database.number, args))
            self.rewritten = False
        self.changed = False

    def run(self, command: Command, args: Args) -> Reply:
        """Run one command inside another (a transaction's, a procedure's), with its own account of effects."""
        try:
            if self.session.counted:
                return self.engine.gate.call_within(self, command, args)
            return command.handler(self, args)
        finally:
            if self.changed:
                self.collect(args)

    def wait(self, keys: Iterable[bytes], seconds: float, attempt: Attempt, nothing: Reply = None) -> Reply:
        """Let the client wait until ``attempt`` answers from one of the keys; where it can't wait, answer at once.

        Args:
            keys: of the session's database.
            seconds: how long; 0 is for ever.
            attempt: see `redmodel.engine.waiting`.
            nothing: the reply when the time is over, and inside of transactions and procedures.
        """
        if self.loading or not self.may_wait:
            return nothing
        waiter = Waiter(self.engine, self.session, keys, seconds, attempt, nothing)
        self.engine.waiters.join(waiter)
        self.heeded = True
        raise Suspended(waiter)

    def state(self) -> tuple[object, ...]:
        """What the running command has done so far, put aside while others get a word in."""
        kept = (self.session, self.database, self.moment, self.changed, self.rewritten, self.owed, self.effects)
        self.changed = self.rewritten = self.owed = False
        self.effects = []
        return kept

    def restore(self, kept: tuple[Any, ...]) -> None:
        """Go on where `state` left off."""
        self.session, self.database, self.moment, self.changed, self.rewritten, self.owed, self.effects = kept

    def select(self, number: int) -> None:
        """Make another database the session's."""
        self.session.db = number
        self.database = self.engine.databases[number]
