"""What stands between a client and a command: may it run now, and what is counted when it does.

Sessions that are not `counted` belong to the program that holds the engine: for them only memory is watched. Nothing of
a command's own work is here.
"""

from __future__ import annotations

from collections import deque
from time import monotonic, perf_counter_ns, time
from typing import TYPE_CHECKING, NamedTuple

from redmodel.engine import texts
from redmodel.engine.access.control import LogEntry
from redmodel.engine.clients import line
from redmodel.engine.observing import without_secrets
from redmodel.engine.registry import subcommand
from redmodel.engine.statistics import step_of
from redmodel.engine.waiting import Suspended
from redmodel.errors import ReplyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from redmodel.engine.context import Context
    from redmodel.engine.engine import Engine
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.replies import Reply
    from redmodel.engine.session import Session
    from redmodel.engine.waiting import Waiter

# Commands that look at a key without using it.
_NO_TOUCH = frozenset(
    b"object|encoding object|idletime object|freq object|refcount exists ttl pttl type expiretime pexpiretime "
    b"memory|usage debug restore".split()
)


class Slow(NamedTuple):
    """One entry of the slow log."""

    number: int
    at: int
    microseconds: int
    args: list[bytes]
    client: bytes
    name: bytes


class Gate:
    """The gate of one engine; every method runs under the engine's lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        settings = engine.settings
        self.slow: deque[Slow] = deque()
        self._slow_number = 0
        #: Until when CLIENT PAUSE holds clients up, on the monotonic clock, and whether only their writes.
        self.paused_until = 0.0
        self.paused_writes_only = False
        #: Called when CLIENT PAUSE ends before its time.
        self.resumed: list[Callable[[], None]] = []
        #: Everybody's commands are checked, because memory is limited.
        self.strict = False
        settings.obey("slowlog-log-slower-than", self._obey)
        settings.obey("slowlog-max-len", self._obey)
        settings.obey("latency-tracking", self._obey)
        settings.obey("latency-monitor-threshold", self._obey)
        self._obey()

    def _obey(self) -> None:
        settings = self._engine.settings
        threshold = settings.number("slowlog-log-slower-than")
        self._slow_after = threshold * 1000 if threshold >= 0 else 1 << 62
        self._latency_after = settings.number("latency-monitor-threshold") * 1_000_000 or 1 << 62
        self._tracking = settings.flag("latency-tracking")
        while len(self.slow) > settings.number("slowlog-max-len"):
            self.slow.pop()

    def admit(self, session: Session, command: Command, args: Args) -> Command:
        """Check whether a session may run a command now; returns the subcommand that is meant.

        Raises:
            ReplyError: it may not.
        """
        try:
            if command.subcommands and len(args) > 1:
                command = subcommand(command, args)
            if session.counted:
                session.last_command = command.name
                user = session.user
                if not session.authenticated and not (self._engine.access.open and self._is_default(session)):
                    if "no_auth" not in command.flags:
                        raise ReplyError(texts.NO_AUTH)
                elif user is not None and not user.everything and "no_auth" not in command.flags:
                    self.permit(session, command, args, where="toplevel" if session.queue is None else "multi")
            if self._engine.saves.failed and (command.name == b"ping" or self._writes(session, command)):
                self._check_saves()
            if self._engine.replication.too_few and self._writes(session, command):
                raise ReplyError(texts.TOO_FEW_REPLICAS)
            if self._engine.memory.limit and not self._engine.memory.make_room():
                self._refuse_growth(session, command)
        except ReplyError as error:
            session.queue_failed = True
            self._engine.statistics.count_of(command.name).rejected += 1
            if command.name == b"exec":
                self._engine.discard(session)
                raise texts.exec_abort_because(error, whole=True) from None
            raise
        return command

    def _is_default(self, session: Session) -> bool:
        return session.user is self._engine.access.default

    def _refuse_growth(self, session: Session, command: Command) -> None:
        grows = command.grows
        if session.queue is not None:  # what is queued takes memory, whatever it does
            grows = not command.immediate
            if command.name == b"exec":
                grows = any(queued.grows for queued, _ in session.queue)
        if grows:
            raise ReplyError(texts.OUT_OF_MEMORY)

    def _check_saves(self) -> None:
        settings = self._engine.settings
        if settings.items("save") and settings.flag("stop-writes-on-bgsave-error"):
            raise ReplyError(texts.NOT_SAVED)

    def _writes(self, session: Session, command: Command) -> bool:
        if command.name == b"exec":
            return any(queued.writes for queued, _ in session.queue or ())
        return command.writes

    def permit(self, session: Session, command: Command, args: Args, *, where: str = "toplevel") -> None:
        """Check a command against the rules of the session's user.

        Raises:
            ReplyError: NOPERM.
        """
        user = session.user
        denied = user.denies(command.name.decode(), args) if user is not None else None
        if user is None or denied is None:
            return
        what = command.name if denied.reason == "command" else args[denied.at]
        self.refused(session, denied.reason, where, what, user.name)
        raise texts.no_permission(denied.reason, command.name)

    def refused(self, session: Session, reason: str, where: str, what: bytes, user: bytes) -> None:
        """Count a refusal, and keep it in the log."""
        counts = self._engine.statistics.acl_denied
        counts["cmd" if reason == "command" else reason] += 1
        self._engine.access.note(LogEntry(reason, where, what, user, line(session)))

    def call(self, context: Context, command: Command, args: Args) -> Reply:
        """Run a command, and count it; one that waits is counted when it is answered."""
        began = perf_counter_ns()
        try:
            reply = command.handler(context, args)
        except Suspended as suspended:
            suspended.waiter.call = (command, args, began)
            raise
        except BaseException as error:
            self._count(context, command, args, perf_counter_ns() - began, failed=isinstance(error, ReplyError))
            raise
        self._count(context, command, args, perf_counter_ns() - began, failed=False)
        return reply

    def waited(self, waiter: Waiter) -> None:
        """Count a command that has waited, and is answered now."""
        if waiter.call is None:
            return
        command, args, began = waiter.call
        failed = isinstance(waiter.reply, ReplyError)
        if isinstance(waiter.reply, ReplyError):
            self._engine.statistics.failed(waiter.reply.text)
        self._count_spent(waiter.session, command, args, perf_counter_ns() - began, failed=failed)

    def _count(self, context: Context, command: Command, args: Args, spent: int, *, failed: bool) -> None:
        self._count_spent(context.session, command, args, spent, failed=failed)
        if command.keys[0] and command.name not in _NO_TOUCH:
            self._meet(context, command, args)
        if spent > self._latency_after:
            self.took("fast-command" if "fast" in command.flags else "command", spent)

    def _count_spent(self, session: Session, command: Command, args: Args, spent: int, *, failed: bool) -> None:
        if not session.counted:
            return
        statistics = self._engine.statistics
        count = statistics.commands.get(command.name)
        if count is None:
            count = statistics.count_of(command.name)
        statistics.processed += 1
        count.calls += 1
        count.failed += failed
        count.nanoseconds += spent
        if self._tracking:
            step = step_of(spent)
            latencies = count.latencies
            latencies[step] = latencies.get(step, 0) + 1
        if spent > self._slow_after and "skip_slowlog" not in command.flags:
            self._note_slow(session, args, spent)

    def took(self, event: str, nanoseconds: int) -> None:
        """Note how long something took, where that is longer than latency-monitor-threshold."""
        if nanoseconds > self._latency_after:
            self._engine.latency.note(event, nanoseconds // 1_000_000)

    def call_within(self, context: Context, command: Command, args: Args) -> Reply:
        """Run a command inside another, where the user's rules hold too, and count it."""
        session = context.session
        if command.subcommands and len(args) > 1:
            command = subcommand(command, args)
        if session.user is not None and not session.user.everything:
            try:
                self.permit(session, command, args, where="multi")
            except ReplyError as error:
                raise texts.no_permission_any_more(error) from None
        return self.call(context, command, args)

    def _meet(self, context: Context, command: Command, args: Args) -> None:
        """Note that keys were used: for hits and misses, and for what was used least."""
        first, last, step = command.keys
        values = context.database.values
        accessed = context.database.accessed
        moment = self._engine.memory.moment
        for key in (
            (args[first],) if first == last else args[first : last + 1 if last > 0 else len(args) + last + 1 : step]
        ):
            there = key in values
            if there:
                if self._engine.memory.frequencies:
                    self._engine.memory.meet(context.database, key)
                else:
                    accessed[key] = moment
            if command.reads:
                if there:
                    self._engine.statistics.hits += 1
                else:
                    self._engine.statistics.misses += 1

    def _note_slow(self, session: Session, args: Args, spent: int) -> None:
        args = without_secrets(args)
        shown = [arg if len(arg) <= 128 else arg[:128] + b"... (%d more bytes)" % (len(arg) - 128) for arg in args[:32]]
        if len(args) > 32:
            shown[31:] = [b"... (%d more arguments)" % (len(args) - 31)]
        most = self._engine.settings.number("slowlog-max-len")
        if not most:
            return
        entry = Slow(self._slow_number, int(time()), spent // 1000, shown, session.address, session.name)
        self._slow_number += 1
        self.slow.appendleft(entry)
        while len(self.slow) > most:
            self.slow.pop()

    def pause(self, seconds: float, *, writes_only: bool) -> None:
        """Hold clients up; while it lasts, another pause can only make it longer and stricter."""
        now = monotonic()
        if self.paused_until > now:
            writes_only = writes_only and self.paused_writes_only
            self.paused_until = max(self.paused_until, now + seconds)
        else:
            self.paused_until = now + seconds
        self.paused_writes_only = writes_only

    def resume(self) -> None:
        """End the pause."""
        self.paused_until = 0.0
        resumed, self.resumed = self.resumed, []
        for each in resumed:
            each()

    def holds_up(self, session: Session, args: Args) -> float:
        """For how many seconds a command must wait for the end of CLIENT PAUSE; 0 where it need not."""
        left = self.paused_until - monotonic()
        if left <= 0:
            self.paused_until = 0.0
            return 0.0
        command = self._engine.commands.get(args[0].upper())
        if command is not None and not command.minimum <= len(args) <= command.maximum:
            return 0.0  # it is refused at once
        if self.paused_writes_only:
            if command is None or not (self._may_write(command, args) or command.name == b"exec"):
                return 0.0
            if command.name == b"exec" and not any(self._may_write(*queued) for queued in session.queue or ()):
                return 0.0
        return left

    def _may_write(self, command: Command, args: Args) -> bool:
        if command.writes:
            return True
        return command.may_replicate and not self._engine.scripting.reads_only(args)
