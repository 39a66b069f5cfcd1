"""Client-side caching: who has read which keys, and the messages that say that they have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redmodel.engine.command_keys import keys_of
from redmodel.engine.replies import Push

if TYPE_CHECKING:
    from redmodel.engine.engine import Engine
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.session import Session

_CHANNEL = b"__redis__:invalidate"
_BY_SCRIPT = frozenset((b"eval_ro", b"evalsha_ro", b"fcall_ro"))


class Tracked:
    """How one session is tracked."""

    __slots__ = ("broadcast", "broken", "caching", "noloop", "optin", "optout", "prefixes", "redirect")

    def __init__(self) -> None:
        self.redirect = 0
        self.broadcast = self.optin = self.optout = self.noloop = self.broken = False
        #: What CLIENT CACHING said about the next command.
        self.caching = False
        self.prefixes: list[bytes] = []


class Tracking:
    """The tracked sessions of one engine; every method is called under its lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.sessions: dict[Session, None] = {}
        self.readers: dict[bytes, dict[Session, None]] = {}
        self.prefixes: dict[bytes, dict[Session, None]] = {}
        self._changed: dict[bytes, Session | None] = {}  # for those who hear of whole prefixes
        engine.settings.obey("tracking-table-max-keys", self._keep_limit)

    def __bool__(self) -> bool:
        return bool(self.sessions)

    def join(self, session: Session, tracked: Tracked) -> None:
        """Track a session."""
        session.tracked = tracked
        self.sessions[session] = None
        for prefix in tracked.prefixes:
            self.prefixes.setdefault(prefix, {})[session] = None

    def leave(self, session: Session) -> None:
        """Track a session no more."""
        tracked, session.tracked = session.tracked, None
        if tracked is None:
            return
        del self.sessions[session]
        for prefix in tracked.prefixes:
            del self.prefixes[prefix][session]
            if not self.prefixes[prefix]:
                del self.prefixes[prefix]

    def read(self, session: Session, command: Command, args: Args) -> None:
        """Remember which keys a session has read, as far as it wants to hear of them."""
        tracked = session.tracked
        if tracked is None or tracked.broadcast or not command.reads or command.name in _BY_SCRIPT:
            return
        if (tracked.optin and not tracked.caching) or (tracked.optout and tracked.caching):
            return
        name = command.name.decode()
        script = self._engine.scripting.running
        if script is not None and script.context.session is session:  # as Redis: the keys that it was called with
            name, args = script.command[0].decode().lower(), script.command
        for key in keys_of(name, args) or ():
            self.readers.setdefault(args[key.at], {})[session] = None
        self._keep_limit()

    def _keep_limit(self) -> None:
        """Remember no more keys than tracking-table-max-keys: those who read the others are told that they changed."""
        most = self._engine.settings.number("tracking-table-max-keys")
        while most and len(self.readers) > most:
            self._tell_readers(next(iter(self.readers)), None)

    def ended(self, session: Session, command: Command) -> None:
        """A command of a session has ended: what CLIENT CACHING said was for that one."""
        tracked = session.tracked
        if tracked is not None and session.queue is None and not command.name.startswith(b"client"):
            tracked.caching = False

    def changed(self, key: bytes, by: Session | None) -> None:
        """A key was changed, by a session's command or by time."""
        if self.prefixes:
            self._changed[key] = by
        if key in self.readers:
            self._tell_readers(key, by)

    def evicted(self, key: bytes) -> None:
        """A key had to go before a command could run: its readers are told before they are answered."""
        if self.prefixes:
            self._changed[key] = None
        if key in self.readers:
            self._tell_readers(key, None, at_once=True)

    def flushed(self) -> None:
        """All keys of a database, or of all of them, are gone."""
        for session in list(self.sessions):
            self._send(session, None)
        self.readers.clear()

    def broadcast(self) -> None:
        """Tell those who hear of whole prefixes what the commands so far have changed."""
        changed, self._changed = self._changed, {}
        if not changed:
            return
        for prefix, sessions in list(self.prefixes.items()):
            keys = sorted(key for key in changed if key.startswith(prefix))
            for session in list(sessions):
                tracked = session.tracked
                own = tracked is not None and tracked.noloop
                wanted = [key for key in keys if not (own and changed[key] is session)]
                if wanted:
                    self._send(session, wanted)

    def _tell_readers(self, key: bytes, by: Session | None, *, at_once: bool = False) -> None:
        for session in self.readers.pop(key):
            tracked = session.tracked
            if tracked is None or tracked.broadcast or (tracked.noloop and session is by):
                continue
            self._send(session, [key], at_once=at_once)

    def _send(self, session: Session, keys: list[bytes] | None, *, at_once: bool = False) -> None:
        tracked = session.tracked
        assert tracked is not None
        target = session
        if tracked.redirect:
            found = self._engine.clients.by_id.get(tracked.redirect)
            if found is None:
                tracked.broken = True
                if session.protocol >= 3:
                    session.tell_behind(Push((b"tracking-redir-broken", tracked.redirect)))
                return
            target = found
        tell = target.tell if at_once else target.tell_behind
        if target.protocol >= 3:
            tell(Push((b"invalidate", keys)))
        elif tracked.redirect and target.subscribed:
            tell(Push((b"message", _CHANNEL, keys)))
