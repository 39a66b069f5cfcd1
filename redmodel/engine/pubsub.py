"""Channels: who is subscribed to what, and the delivery of messages. The commands are in ``commands/pubsub.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from redmodel.engine import texts
from redmodel.engine.glob import compile_glob
from redmodel.engine.registry import subcommand
from redmodel.engine.replies import Push

if TYPE_CHECKING:
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.session import Session


_FOR_SUBSCRIBERS = frozenset(
    b"ping quit reset subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe".split()
)


class PubSub:
    """The channels of one engine; every method is called under the engine's lock."""

    def __init__(self) -> None:
        self.channels: dict[bytes, dict[Session, None]] = {}
        self.patterns: dict[bytes, dict[Session, None]] = {}
        self.shards: dict[bytes, dict[Session, None]] = {}
        self._matchers: dict[bytes, Callable[[bytes], bool]] = {}

    def check(self, session: Session, command: Command, args: Args) -> None:
        """Refuse what a subscriber in RESP2 may not run, as its connection is for its messages.

        Raises:
            ReplyError: this is such a command.
        """
        if session.protocol != 2 or not session.subscribed or command.name in _FOR_SUBSCRIBERS:
            return
        if command.subcommands and len(args) > 1:
            command = subcommand(command, args)
        error = texts.only_subscribing(command.name)
        raise texts.exec_abort_because(error) if command.name == b"exec" else error

    def publish(self, channel: bytes, message: bytes) -> int:
        """Deliver a message to all who hear the channel, by its name first; returns how many deliveries there were."""
        subscribers = self.channels.get(channel)
        count = 0
        if subscribers:
            message_push = Push((b"message", channel, message))
            count = len(subscribers)
            for session in tuple(subscribers):  # a connection that is collected just now leaves
                session.tell(message_push)
        if self.patterns:
            for pattern, hearers in list(self.patterns.items()):
                if pattern in self._matchers and self._matchers[pattern](channel):
                    count += len(hearers)
                    for session in tuple(hearers):
                        session.tell(Push((b"pmessage", pattern, channel, message)))
        return count

    def publish_shard(self, channel: bytes, message: bytes) -> int:
        """Deliver a message to the subscribers of a shard's channel."""
        subscribers = tuple(self.shards.get(channel, ()))
        for session in subscribers:
            session.tell(Push((b"smessage", channel, message)))
        return len(subscribers)

    def subscribe(self, session: Session, channel: bytes) -> None:
        """Let a session hear a channel."""
        session.channels[channel] = None
        self.channels.setdefault(channel, {})[session] = None

    def subscribe_pattern(self, session: Session, pattern: bytes) -> None:
        """Let a session hear all channels whose name a glob matches."""
        session.patterns[pattern] = None
        self.patterns.setdefault(pattern, {})[session] = None
        if pattern not in self._matchers:
            self._matchers[pattern] = compile_glob(pattern)

    def subscribe_shard(self, session: Session, channel: bytes) -> None:
        """Let a session hear a shard's channel."""
        session.shards[channel] = None
        self.shards.setdefault(channel, {})[session] = None

    def unsubscribe(self, session: Session, channel: bytes) -> None:
        """End what `subscribe` began; harmless where nothing was begun."""
        _leave(self.channels, session.channels, session, channel)

    def unsubscribe_pattern(self, session: Session, pattern: bytes) -> None:
        """End what `subscribe_pattern` began."""
        if _leave(self.patterns, session.patterns, session, pattern):
            del self._matchers[pattern]

    def unsubscribe_shard(self, session: Session, channel: bytes) -> None:
        """End what `subscribe_shard` began."""
        _leave(self.shards, session.shards, session, channel)

    def leave(self, session: Session) -> None:
        """Let a session hear nothing any more."""
        for channel in list(session.channels):
            self.unsubscribe(session, channel)
        for pattern in list(session.patterns):
            self.unsubscribe_pattern(session, pattern)
        for channel in list(session.shards):
            self.unsubscribe_shard(session, channel)


def _leave(everybody: dict[bytes, dict[Session, None]], own: dict[bytes, None], session: Session, name: bytes) -> bool:
    """Take a session out of both directories, and say whether nobody is left."""
    if name not in own:
        return False
    del own[name]
    del everybody[name][session]
    if everybody[name]:
        return False
    del everybody[name]
    return True
