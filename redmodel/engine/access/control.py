"""All users of an engine, the log of refusals, and the file that users are kept in."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from redmodel.engine.access.selector import UNKNOWN
from redmodel.engine.access.users import User, merge_selectors

if TYPE_CHECKING:
    from redmodel.engine.session import Session
    from redmodel.engine.settings import Settings

_UNCHANGED = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


class LogEntry:
    """One kind of refusal, and how often it happened lately."""

    def __init__(self, reason: str, context: str, what: bytes, user: bytes, client: bytes) -> None:
        self.count = 1
        self.reason, self.context, self.what, self.user, self.client = reason, context, what, user, client
        self.at = time.monotonic()

    def repeats(self, other: LogEntry) -> bool:
        """Whether the other is the same again, within a minute."""
        return (self.reason, self.context, self.what, self.user) == (
            other.reason,
            other.context,
            other.what,
            other.user,
        ) and abs(other.at - self.at) <= 60


class AccessControl:
    """The users of one engine; the default user may do everything until told otherwise.

    Args:
        settings: requirepass, acl-pubsub-default, aclfile and acllog-max-len are obeyed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.default = self._new_default()
        self.users: dict[bytes, User] = {b"default": self.default}
        self.log: deque[LogEntry] = deque()
        if settings.text("requirepass"):
            self.obey_requirepass()
        settings.obey("requirepass", self.obey_requirepass)

    def _new_default(self) -> User:
        user = self.new(b"default")
        for rule in (b"on", b"nopass", b"~*", b"&*", b"+@all"):
            user.apply(rule)
        return user

    def obey_requirepass(self) -> None:
        """Give the default user the password of the settings, or none."""
        password = self._settings.text("requirepass")
        self.default.apply(b"resetpass")
        self.default.apply(b">" + password.encode("utf-8", "surrogateescape") if password else b"nopass")

    @property
    def open(self) -> bool:
        """Whether clients need not say who they are."""
        return self.default.nopass and self.default.enabled

    def new(self, name: bytes) -> User:
        """A user that may do nothing yet, and that is not among the users."""
        return User(name, self._hears_all)

    def _hears_all(self) -> bool:
        return self._settings.text("acl-pubsub-default") == "allchannels"

    def authenticate(self, session: Session, name: bytes, password: bytes) -> bool:
        """Let a session be a user, where the password is right."""
        user = self.users.get(name)
        if user is None or not user.enabled or not user.knows(password):
            return False
        session.user = user
        session.authenticated = True
        return True

    def set_user(self, name: bytes, rules: Sequence[bytes]) -> None:
        """Make or change a user; all rules are taken, or none.

        Raises:
            RuleError: the first rule that can't be taken.
        """
        try:
            merged = merge_selectors(rules)
        except ValueError as error:
            raise RuleError(None, f"Unmatched parenthesis in acl selector starting at '{error}'.") from None
        existing = self.users.get(name)
        trial = existing.copy() if existing is not None else self.new(name)
        for rule in merged:
            try:
                trial.apply(rule)
            except ValueError as error:
                raise RuleError(rule, str(error)) from None
        if existing is None:
            self.users[name] = trial
        else:
            existing.take(trial)

    def loses_channels(self, name: bytes, before: User | None) -> User | None:
        """The user of this name if it may not hear any more all that it might ``before``."""
        user = self.users[name]
        if before is None or any(selector.all_channels for selector in user.selectors):
            return None
        if not any(selector.all_channels for selector in before.selectors):
            kept = {channel for selector in user.selectors for channel in selector.channels}
            if kept.issuperset(channel for selector in before.selectors for channel in selector.channels):
                return None
        return user

    def delete(self, name: bytes) -> bool:
        """Remove a user; its sessions are the caller's business."""
        return self.users.pop(name, None) is not None

    def note(self, entry: LogEntry) -> None:
        """Keep a refusal in the log, joined with the same one before."""
        for at, known in enumerate(list(self.log)[:10]):
            if known.repeats(entry):
                known.count += 1
                known.at, known.client = entry.at, entry.client
                del self.log[at]
                self.log.appendleft(known)
                return
        self.log.appendleft(entry)
        while len(self.log) > self._settings.number("acllog-max-len"):
            self.log.pop()

    def lines(self) -> list[bytes]:
        """All users in the words of redis.conf, sorted by name."""
        return [b"user " + name + b" " + self.users[name].described() for name in sorted(self.users)]

    def add(self, users: Iterable[User]) -> None:
        """Have these users beside the default user, which has the rules of the one of its name."""
        for user in users:
            self.users.setdefault(user.name, user).take(user)

    def parse(self, lines: Iterable[tuple[int, Sequence[bytes]]], file: str = "") -> list[User]:
        """Make users of the words of ``user`` lines, each with its number.

        Raises:
            RuleError: everything that is wrong, in Redis' words.
        """
        users: dict[bytes, User] = {}
        errors: list[str] = []
        for number, words in lines:
            if len(words) < 2 or words[0] != b"user":
                errors.append(f"{file}:{number} should start with user keyword followed by the username. ")
            elif words[1] in users:
                name = words[1].decode("utf-8", "backslashreplace")
                errors.append(f"WARNING: Duplicate user '{name}' found on line {number}. ")
            else:
                user = users[words[1]] = self.new(words[1])
                errors += [f"{file}:{number}: {error}" for error in _problems(user, words[2:])]
        if errors:
            raise RuleError(None, "".join(errors) + _UNCHANGED)
        return list(users.values())

    def load(self) -> list[User]:
        """Read all users from the aclfile; the default user is as at first where it isn't there.

        Returns:
            Who was there before but the default user: their sessions know of users that are no more.

        Raises:
            RuleError: a line is wrong; nothing has changed.
            OSError: the file can't be read.
        """
        file = self._settings.text("aclfile")
        lines = [(number, line.split()) for number, line in enumerate(Path(file).read_bytes().split(b"\n"), 1)]
        users = self.parse([(number, words) for number, words in lines if words], file)
        gone = [user for user in self.users.values() if user is not self.default]
        self.default.take(self._new_default())
        self.users = {b"default": self.default}
        self.add(users)
        return gone

    def save(self) -> None:
        """Write the users to the aclfile, whole or not at all.

        Raises:
            OSError: it can't be written.
        """
        path = Path(self._settings.text("aclfile"))
        beside = path.with_name(path.name + ".saving")
        beside.write_bytes(b"".join(line + b"\n" for line in self.lines()))
        beside.replace(path)


def _problems(user: User, rules: Sequence[bytes]) -> list[str]:
    """Apply the rules of a line; what is wrong with them: unknown commands, and the first of anything else."""
    try:
        merged = merge_selectors(rules)
    except ValueError:
        return ["Unmatched parenthesis in selector definition."]
    found: list[str] = []
    unclear = False
    for rule in merged:
        try:
            user.apply(rule)
        except ValueError as error:
            if str(error) == UNKNOWN:
                word = rule.decode("utf-8", "backslashreplace")
                found.append(f"Error in applying operation '{word}': {error}. ")
            elif not unclear:
                unclear = True
                found.append(f"{error}. ")
    return found


class RuleError(ValueError):
    """A rule that can't be taken: ``rule`` as it was given, None where no single one is to blame."""

    def __init__(self, rule: bytes | None, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason
