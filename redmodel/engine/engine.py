"""The engine: databases, dispatch, and the way of effects to the storage. No command's own logic lives here."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Condition, RLock
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, cast

from redmodel.engine import texts
from redmodel.engine.access.control import AccessControl
from redmodel.engine.client_memory import ClientMemory
from redmodel.engine.clients import Clients
from redmodel.engine.commands.tables import COMMANDS
from redmodel.engine.context import Context, ForReplicas
from redmodel.engine.conversions import obey_limits
from redmodel.engine.gate import Gate
from redmodel.engine.keyspace import Keyspace
from redmodel.engine.latency import Latency
from redmodel.engine.memory import Memory
from redmodel.engine.notifications import Notifier
from redmodel.engine.observing import Observers
from redmodel.engine.pubsub import PubSub
from redmodel.engine.queueing import enqueue
from redmodel.engine.registry import busy_commands
from redmodel.engine.replaying import replay
from redmodel.engine.replication import Replication
from redmodel.engine.saves import Saves
from redmodel.engine.scripting.running import Scripting
from redmodel.engine.session import Session
from redmodel.engine.settings import Settings
from redmodel.engine.shutdown import Shutdown
from redmodel.engine.snapshot import SharingContext, Snapshot
from redmodel.engine.statistics import Statistics
from redmodel.engine.tracking import Tracking
from redmodel.engine.values.encodings import Limits
from redmodel.engine.waiting import Suspended, Waiters
from redmodel.errors import ReplyError, StorageError

if TYPE_CHECKING:
    from redmodel.engine.procedures import Procedure
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.replies import Reply
    from redmodel.engine.storage.seam import LiveStorage, Policy, Storage, Told
    from redmodel.engine.waiting import Waiter

# How many commands run between two steps of active expiry, and how many keys of a database one step removes.
_STEP_EVERY = 256
_STEP_KEYS = 64


def now_ms() -> int:
    """The system's clock: milliseconds since 1970 UTC."""
    return time_ns() // 1_000_000


class Engine:
    """An embedded Redis: values in memory, and what changes them in a storage.

    Args:
        storage: replayed at once, and then given every change; None keeps nothing.
        clock: unix milliseconds; tests travel in time with it.
        databases: how many there are to SELECT.
        settings: the parameters that CONFIG shows; those of a program that serves nobody by default.

    Raises:
        StorageError: the storage can't be read, or holds a command that this engine doesn't know.

    >>> engine, session = Engine(), Session()
    >>> engine.execute(session, [b"SET", b"greeting", b"hello"])
    b'OK'
    >>> engine.execute(session, [b"GET", b"greeting"])
    b'hello'
    """

    def __init__(
        self,
        *,
        storage: Storage | None = None,
        clock: Callable[[], int] = now_ms,
        databases: int = 16,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings.embedded(databases, storage)
        self.databases = [Keyspace(number) for number in range(databases)]
        self.limits = Limits.of(self.settings)
        obey_limits(self)
        self.procedures: dict[bytes, Procedure] = {}
        self.started = clock()
        self.saves = Saves(getattr(storage, "directory", None), getattr(storage, "files", None), self.started)
        self._lock = RLock()
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._table = self.commands = COMMANDS
        self.tracking = Tracking(self)
        self.observers = Observers(self)
        self.waiters = Waiters()
        self.scripting = Scripting(self)
        self.pubsub = PubSub()
        self.notifier = Notifier(self.settings, self.pubsub)
        self._storage = storage
        self._context = Context(self, clock, Session(), self.databases[0])
        self.clients = Clients()
        self.statistics = Statistics()
        self.latency = Latency()
        self.shutdown = Shutdown()
        self.access = AccessControl(self.settings)
        self.gate = Gate(self)
        self.client_memory = ClientMemory(self)
        self.memory = Memory(self, self._context)
        self.replication = Replication(self)
        #: Keys expire without being asked for; DEBUG SET-ACTIVE-EXPIRE.
        self.active_expire = True
        #: RESTORE looks at checksums; DEBUG SET-SKIP-CHECKSUM-VALIDATION.
        self.checks_payloads = True
        self._context.reckon()
        self.settings.obey("notify-keyspace-events", self._renotify)
        self._until_step = _STEP_EVERY
        #: What is being taken: for a rewrite of the log, for a file, for replicas.
        self.snapshots: list[Snapshot] = []
        self._live: LiveStorage | None = cast("LiveStorage", storage) if hasattr(storage, "tell") else None
        #: Writes a log for BGREWRITEAOF where none is kept; a server's to set.
        self.write_log: Callable[[], None] | None = None
        #: Whether changes have to be waited for, so that `submit` is worth its while.
        self.waits: bool = getattr(storage, "fsync", "") == "always"
        #: How the tasks of event loops wait together; theirs to fill.
        self.commits: object = None
        #: The position in the log that the running command must wait for; 0 for none.
        self.owed = 0
        self._deferring = False  # somebody else waits for it
        if storage is not None:
            replay(self._context, self.commands, storage)
            self.relog()
            if self._live is not None:
                self._live.attach(self)
        self.memory.obey()

    def execute(self, session: Session, args: Args) -> Reply:
        """Run one command, atomically; safe to call from any thread. A command that waits blocks this thread only.

        Args:
            session: the connection's state; one connection's commands must not run at the same time.
            args: the command's name in any case, then its arguments; must not be empty, nor be changed afterwards.

        Returns:
            The reply: see `redmodel.engine.replies`.

        Raises:
            ReplyError: the reply is an error. MISCONF says that the change could not be kept by the storage.
            Suspended: the command waits, and the session is patient.
        """
        # This runs for every command. The lock's own methods cost half of what a with statement does; the lock is taken
        # inside try, so that an interrupt right after that releases it. A session is adopted only where it changes.
        position = 0
        waiter: Waiter | None = None
        try:
            self._acquire()
            self._until_step -= 1
            if not self._until_step:
                self.expire_step()
            context = self._context
            command = self.commands.get(args[0])
            if command is None or not command.minimum <= len(args) <= command.maximum:
                command = self._named(session, args)
            if session.counted or self.gate.strict:
                command = self.gate.admit(session, command, args)
            if session.gated and self._must_queue(session, command, args):
                return enqueue(session, command, args, context.refusal)
            if context.session is not session:
                self.adopt(session)
            context.moment = 0
            try:
                if session.counted or self.gate.strict:
                    return self.gate.call(context, command, args)
                return command.handler(context, args)
            except Suspended as suspended:
                waiter = suspended.waiter
            finally:
                if context.changed:
                    if context.logging:
                        self.settle(args)
                    else:
                        context.changed = False
                        self.saves.changes += 1
                elif context.effects:
                    self._flush()
                if context.heeded:
                    if self.waiters.ready:
                        self.waiters.serve(self, context)
                    if self.tracking:
                        self.tracking.broadcast()
                if self.owed and not self._deferring:
                    position, self.owed = self.owed, 0
        finally:
            try:
                self._release()
            except RuntimeError:
                pass  # an interrupt came while waiting for the lock: there is nothing to release
            if position:
                self.wait(position)
        assert waiter is not None
        if session.patient or self._deferring:
            raise Suspended(waiter)
        return waiter.wait()

    def submit(self, session: Session, args: Args) -> tuple[Reply | ReplyError, int]:
        """Run one command as `execute`, without waiting for the disk.

        Returns:
            The reply, an error as a value; and the position to `wait` for, or to be told of, before anybody sees the
            reply: 0 where there is nothing to wait for.

        Raises:
            Suspended: the command waits.
        """
        with self._lock:
            self._deferring = True
            try:
                reply: Reply | ReplyError = self.execute(session, args)
            except ReplyError as error:
                reply = error
            finally:
                self._deferring = False
            position, self.owed = self.owed, 0
        return reply, position

    def wait(self, position: int) -> None:
        """Return when everything up to a position in the log is durable.

        Raises:
            ReplyError: MISCONF: it can't be made durable.
        """
        assert self._live is not None
        try:
            self._live.wait(position)
        except StorageError as error:
            raise self.failed(error) from error

    def tell(self, position: int, told: Told) -> None:
        """Call ``told`` from another thread when everything up to a position is durable, or with the error why not."""
        assert self._live is not None
        self._live.tell(position, told)

    def failed(self, error: StorageError) -> ReplyError:
        """The storage failed: take no more writes; returns the reply for those who wait for theirs."""
        with self._lock:
            if self._storage is not None and self._context.refusal is None:
                self._refuse_writes(str(error))
        return texts.cannot_write(str(error))

    def rewrite(self) -> bool:
        """Begin to rewrite the log in the background; False if that is under way already.

        Raises:
            ReplyError: there is no log, or it has failed.
        """
        with self._lock:
            if self._live is None or self._storage is None:
                if self.write_log is None:
                    raise ReplyError(texts.NO_LOG)
                try:
                    self.write_log()
                except StorageError as error:
                    raise ReplyError(f"ERR Can't execute an AOF background rewriting: {error}") from error
                return True
            if self._context.refusal is not None:
                raise texts.cannot_write(self._context.refusal)
            return self._live.rewrite()

    @property
    def rewriting(self) -> bool:
        """Whether the log is being rewritten."""
        return self._live is not None and self._live.rewriting

    def recover(self) -> None:
        """After the storage has failed and its cause is mended: write all data anew, and take writes again.

        What is in memory is what is written: also changes that were refused because they could not be made durable.
        Readers wait meanwhile. Does nothing where nothing has failed.

        Raises:
            StorageError: it still fails, or there is no storage.
        """
        live = self._live
        if live is None or self._storage is None:
            raise StorageError("there is no store to recover: the engine keeps its data in memory only, or is closed")
        if self._context.refusal is None:
            return
        with self._lock:
            live.pause()
            live.recover(self.databases)
            self._context.refusal = None
            self.relog()
            self._use(COMMANDS)

    @property
    def lock(self) -> RLock:
        """Held while a command runs."""
        return self._lock

    def functions(self) -> list[bytes]:
        """The sources of all libraries of functions."""
        return self.scripting.libraries.sources

    def begin_snapshot(self) -> Snapshot:
        """All keys as they are now, to be taken in slices; to be called under the lock."""
        snapshot = Snapshot(self.databases)
        self.snapshots.append(snapshot)
        self._context.__class__ = SharingContext
        return snapshot

    def end_snapshot(self, snapshot: Snapshot) -> None:
        """Forget a snapshot; to be called under the lock. A second call does nothing."""
        if snapshot in self.snapshots:
            self.snapshots.remove(snapshot)
        if not self.snapshots:
            self._context.__class__ = Context

    def register_procedure(self, sha: bytes, procedure: Procedure) -> None:
        """Let ``EVALSHA sha`` call a native function; one with this SHA is replaced.

        Args:
            sha: SHA-1 of the script's source that the function stands for, as 40 hexadecimal digits.
            procedure: called with a `ProcedureContext`, the keys and the arguments.
        """
        with self._lock:
            self.procedures[sha.lower()] = procedure

    def expire_step(self, most: int = _STEP_KEYS) -> int:
        """Remove up to ``most`` expired keys from each database, and say how many were removed.

        Keys that ``maxmemory`` sends away go too. The engine itself takes a step with every 256 commands; call it when
        there is no traffic. Cost: O(1) where nothing is due.
        """
        with self._lock:
            self._until_step = _STEP_EVERY
            if self.scripting.busy or not self.active_expire:
                return 0
            if self.saves.scheduled or self.saves.rewrite_scheduled:
                self.saves.begin_when_due(self)
            context = self._context
            context.moment = 0
            began = perf_counter_ns()
            gone = 0
            for database in self.databases:
                if database.due or database.field_due:
                    context.database = database
                    gone += context.expire_due(most)
            if gone:
                self.gate.took("expire-cycle", perf_counter_ns() - began)
            if self.memory.limit:
                self.memory.make_room()
            self.adopt(context.session)
            if context.effects:
                self._flush()
            if self.waiters.ready:
                self.waiters.serve(self, context)
            if self.tracking:
                self.tracking.broadcast()
            return gone

    def relog(self) -> None:
        """Find out anew whether anybody takes effects: a storage that works, or a replica."""
        context = self._context
        context.logging = bool(self.replication) or (self._storage is not None and context.refusal is None)

    def now(self) -> int:
        """Unix milliseconds by the engine's clock."""
        return self._context.clock()

    def log_info(self) -> dict[str, object]:
        """What INFO says about the log."""
        info = self._live.info() if self._live is not None else {}
        return {**info, "aof_last_write_status": "ok" if self._context.refusal is None else "err"}

    @property
    def durable(self) -> bool:
        """Whether changes go to a storage."""
        return self._storage is not None

    @contextmanager
    def exclusively(self) -> Generator[Context]:
        """Hold the engine for work on many keys: no command runs meanwhile. What was changed is told to `keep`.

        Raises:
            ReplyError: MISCONF, at the end: what was kept can't be made durable.
        """
        with self._lock:
            context = self._context
            context.moment = 0
            yield context
            position, self.owed = self.owed, 0
        if position:
            self.wait(position)

    def keep(self) -> None:
        """Hand the effects that were collected under `exclusively` to the storage, as one unit.

        Raises:
            ReplyError: MISCONF: they could not be kept.
        """
        with self._lock:
            context = self._context
            if context.effects:
                context.owed = True
                self._flush()

    def release(self, session: Session) -> None:
        """Forget a connection that is closed: its transaction, watched keys, subscriptions, and what it waits for."""
        with self._lock:
            self.pubsub.leave(session)
            if session.replica is not None and self.replication.leave(session):
                self.relog()
            if session.hears:
                session.monitoring = False
                self.observers.monitors.pop(session, None)
                self.tracking.leave(session)
                self.observe()
            self.discard(session)
            waiter = self.waiters.of(session.id)
            if waiter is not None:
                waiter.cancel()
            self._context.reckon()

    def discard(self, session: Session) -> None:
        """Forget a session's transaction, and what it watches."""
        session.queue = None
        self.unwatch(session)

    def unwatch(self, session: Session) -> None:
        """Forget what a session watches."""
        for number, key in session.watched:
            watchers = self.databases[number].watchers
            watchers[key].discard(session)
            if not watchers[key]:
                del watchers[key]
        if session.watched:
            session.watched.clear()
            self._context.reckon()
        session.dirty = False

    def close(self) -> None:
        """Close the storage; the engine must not be used afterwards. A second call does nothing."""
        with self._lock:
            storage, self._storage = self._storage, None
            if storage is not None:
                self._refuse_writes("the engine is closed")
            self.saves.stop(self)
            for session in list(self.replication.replicas):
                self.replication.leave(session)
        if storage is not None:
            storage.close()  # outside the lock, which a rewrite that is given up now may want once more

    def change_storage(self, storage: LiveStorage | None) -> None:
        """Keep changes in this storage from now on, which holds all that is here, or in none; close the one before."""
        with self._lock:
            before, self._storage, self._live = self._storage, storage, storage
            self.waits = getattr(storage, "fsync", "") == "always"
            self.relog()
        if before is not None:
            before.close()

    def promise(self, fsync: Policy) -> None:
        """Keep another promise about when an acknowledged write is on the disk: ``always``, ``everysec`` or ``no``.

        Raises:
            StorageError: what was acknowledged before can't be put on the disk.
        """
        with self._lock:
            if self._live is not None:
                self._live.obey(fsync)
                self.waits = fsync == "always"

    def refuse_writes(self, reason: str) -> None:
        """Answer every writing command with MISCONF and this reason from now on; nothing is logged any more."""
        with self._lock:
            self._refuse_writes(reason)

    def abandon(self, reason: str) -> None:
        """In a forked child: refuse every command, as the data is the parent's, and would be out of date at once."""
        # Another thread may have held the lock at the fork, and would hold it here for ever.
        self._lock = RLock()
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._storage = self._live = None
        self.waits = False
        self._use({name: command.refused(reason, reads=True) for name, command in self._table.items()})

    def adopt(self, session: Session) -> None:
        """Make a session the one whose commands run."""
        if not 0 <= session.db < len(self.databases):
            raise ReplyError(texts.DB_RANGE)
        self._context.session = session
        self._context.database = self.databases[session.db]

    def _named(self, session: Session, args: Args) -> Command:
        """Find a command by its name in any case and check its arity, or refuse it."""
        command = self.commands.get(args[0].upper())
        if command is None:
            error = texts.unknown_command(args[0], args[1:])
        elif command.minimum <= len(args) <= command.maximum:
            return command
        else:
            error = texts.arity(command.name)
            if command.name == b"exec":
                error = texts.exec_abort_because(error)
                self.discard(session)
            self.statistics.count_of(command.name).rejected += 1
        session.queue_failed = True
        raise error

    def _must_queue(self, session: Session, command: Command, args: Args) -> bool:
        """Whether a command is to wait for EXEC; one that a subscriber may not run is refused."""
        self.pubsub.check(session, command, args)
        return session.queue is not None and not command.immediate

    def settle(self, args: Args) -> None:
        """Close the account of a command that changed something, and hand its effects to the storage."""
        context = self._context
        context.collect(args)
        if context.effects:
            self._flush()

    def _renotify(self) -> None:
        self.notifier.read()
        self.observe()

    def let_others(self, context: Context, *, alone: bool, seconds: float) -> None:
        """While a script runs too long: let others be told so, or end it; they can reach no data.

        Args:
            context: the script's.
            alone: other threads are not let in, because the script has written already.
            seconds: how long other threads are let in.
        """
        kept = context.state()
        waiting, self._deferring, self.owed = (self._deferring, self.owed), False, 0
        # Who waits for what the script has changed is asked behind it.
        ready, self.waiters.ready = self.waiters.ready, {}
        commands, self.commands = self.commands, busy_commands(self.commands, function=self.scripting.runs_function)
        try:
            for each in list(self.scripting.meanwhile):
                each()
            if not alone:
                Condition(self._lock).wait(seconds)  # which lets go of the lock, however often it is held
        finally:
            self.commands = commands
            self._deferring, self.owed = waiting
            self.waiters.ready = {**ready, **self.waiters.ready}
            context.restore(kept)

    def _use(self, table: dict[bytes, Command]) -> None:
        self._table = table
        self.observe()

    def observe(self) -> None:
        """Let commands be watched from now on, or not, as there are monitors and tracked sessions or not."""
        self.commands = self.observers.table(self._table)
        self._context.reckon()

    def _flush(self) -> None:
        """Hand the collected effects to the storage as one unit."""
        context = self._context
        unit, context.effects = context.effects, []
        # Expired keys alone owe nobody an answer: a read that met one goes on, and replay expires them again.
        owed, context.owed = context.owed, False
        if self.replication:
            self.replication.feed(unit, context.session, together=owed)
            if context.published:
                context.published = False
                unit = [effect for effect in unit if not isinstance(effect[1], ForReplicas)]
        self.saves.changes += len(unit)
        if self._storage is None or context.refusal is not None or not unit:
            return
        try:
            position = self._storage.append(unit)
            if position and owed:
                self.owed = position
        except StorageError as error:
            # What is in memory stays readable; nothing more is acknowledged, so nothing more can be lost silently.
            self._refuse_writes(str(error))
            if owed:
                raise texts.cannot_write(str(error)) from error

    def _refuse_writes(self, reason: str) -> None:
        """Answer every writing command with MISCONF from now on, without a check in every call."""
        context = self._context
        context.refusal = reason
        self.relog()
        self._use({name: command.refused(reason) for name, command in self._table.items()})
