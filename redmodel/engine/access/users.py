"""A user: a name, whether it may come in, its passwords, and its selectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

from redmodel.engine.access.selector import SYNTAX, Denied, Selector

if TYPE_CHECKING:
    from redmodel.engine.registry import Args

BAD_HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
NO_SUCH_PASSWORD = "The password you are trying to remove from the user does not exist"
_HEX = frozenset(b"0123456789abcdef")


def _no() -> bool:
    return False


class User:
    """One user; a new one may do nothing.

    Args:
        name: what it is called.
        all_channels: whether new selectors, and those that are reset, hear all channels: asked each time.
    """

    def __init__(self, name: bytes, all_channels: Callable[[], bool] = _no) -> None:
        self.name = name
        self._all_channels = all_channels
        self.enabled = False
        self.nopass = False
        self.sanitize = b""
        self.passwords: list[bytes] = []
        self.selectors: list[Selector] = [Selector(all_channels=all_channels())]
        #: Nothing is refused.
        self.everything = False

    def clear(self) -> None:
        """Back to a user that may do nothing."""
        self.take(User(self.name, self._all_channels))

    def copy(self) -> User:
        """Another one with the same rules, to try some on."""
        other = User(self.name, self._all_channels)
        other.take(self)
        return other

    def take(self, other: User) -> None:
        """Have another one's rules."""
        self.enabled, self.nopass, self.sanitize = other.enabled, other.nopass, other.sanitize
        self.passwords = list(other.passwords)
        self.selectors = [selector.copy() for selector in other.selectors]
        self.everything = other.everything

    def apply(self, rule: bytes) -> None:
        """Take one rule.

        Raises:
            ValueError: Redis' reason why it can't be taken.
        """
        word = rule.lower()
        if word in (b"on", b"off"):
            self.enabled = word == b"on"
        elif word == b"nopass":
            self.nopass, self.passwords = True, []
        elif word == b"resetpass":
            self.nopass, self.passwords = False, []
        elif word in (b"skip-sanitize-payload", b"sanitize-payload"):
            self.sanitize = word
        elif rule[:1] in (b">", b"#"):
            hashed = sha256(rule[1:]).hexdigest().encode() if rule[:1] == b">" else _checked(rule[1:])
            if hashed not in self.passwords:
                self.passwords.append(hashed)
            self.nopass = False
        elif rule[:1] in (b"<", b"!"):
            hashed = sha256(rule[1:]).hexdigest().encode() if rule[:1] == b"<" else _checked(rule[1:])
            if hashed not in self.passwords:
                raise ValueError(NO_SUCH_PASSWORD)
            self.passwords.remove(hashed)
        elif word == b"reset":
            self.clear()
            self.sanitize = b"sanitize-payload"
        elif word == b"clearselectors":
            del self.selectors[1:]
        elif rule[:1] == b"(":
            selector = Selector(all_channels=self._all_channels())
            if not rule.endswith(b")"):
                raise ValueError(SYNTAX)
            for part in rule[1:-1].split():
                selector.apply(part)
            self.selectors.append(selector)
        else:
            self.selectors[0].apply(rule)
        self.everything = self.selectors[0].everything

    def knows(self, password: bytes) -> bool:
        """Whether this password lets one in."""
        if self.nopass:
            return True
        hashed = sha256(password).hexdigest().encode()
        return any(compare_digest(hashed, known) for known in self.passwords)

    def denies(self, name: str, args: Args) -> Denied | None:
        """Why this user may not run a command, or None: the reason of the selector that comes farthest."""
        if self.everything:
            return None
        worst = Denied("command")
        for selector in self.selectors:
            denied = selector.denies(name, args)
            if denied is None:
                return None
            if _RANK[denied.reason] > _RANK[worst.reason] or (denied.reason == worst.reason and denied.at > worst.at):
                worst = denied
        return worst

    def reads_all_keys(self, name: str, args: Args) -> bool:
        """Whether a selector that allows this command lets any key be read."""
        return self.everything or any(
            selector.reads_all_keys and selector.denies(name, args) is None for selector in self.selectors
        )

    def may_hear(self, channels: Sequence[bytes], patterns: Sequence[bytes]) -> bool:
        """Whether each of these channels, and of these patterns letter by letter, is allowed by some selector."""
        return all(any(selector.may_hear(name) for selector in self.selectors) for name in channels) and all(
            any(selector.may_hear(name, pattern=True) for selector in self.selectors) for name in patterns
        )

    def flags(self) -> list[bytes]:
        """The words for its state."""
        words = [b"on" if self.enabled else b"off"]
        if self.nopass:
            words.append(b"nopass")
        return [*words, self.sanitize] if self.sanitize else words

    def described(self) -> bytes:
        """All of it as rules that bring it about, without its name."""
        parts = [*self.flags(), *(b"#" + password for password in self.passwords), self.selectors[0].described()]
        parts += [b"(" + selector.described() + b")" for selector in self.selectors[1:]]
        return b" ".join(parts)


_RANK = {"command": 0, "key": 1, "channel": 2}


def _checked(hashed: bytes) -> bytes:
    if len(hashed) != 64 or not _HEX.issuperset(hashed):
        raise ValueError(BAD_HASH)
    return hashed


def merge_selectors(rules: Sequence[bytes]) -> list[bytes]:
    """Join the words of each ``( … )`` into one rule.

    Raises:
        ValueError: one is not closed; its text is the words from its beginning.
    """
    merged: list[bytes] = []
    open_since: list[bytes] = []
    for rule in rules:
        if open_since or (rule.startswith(b"(") and not rule.endswith(b")")):
            open_since.append(rule)
            if rule.endswith(b")"):
                merged.append(b" ".join(open_since))
                open_since = []
        else:
            merged.append(rule)
    if open_since:
        raise ValueError(open_since[0].decode("utf-8", "surrogateescape"))
    return merged
