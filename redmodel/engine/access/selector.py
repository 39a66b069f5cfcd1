"""A selector: which commands may be run on which keys and channels. A user has one at least."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from redmodel.engine.command_keys import channels_of, keys_of
from redmodel.engine.facts import categories, facts, subcommands
from redmodel.engine.glob import compile_glob

if TYPE_CHECKING:
    from redmodel.engine.registry import Args

UNKNOWN = "Unknown command or category name in ACL"
SYNTAX = "Syntax error"
AFTER_ALL_KEYS = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try "
    "'resetkeys' to start with an empty list of patterns"
)
AFTER_ALL_CHANNELS = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try "
    "'resetchannels' to start with an empty list of channels"
)
FIRST_ARGUMENT = "Allowing first-arg of a subcommand is not supported"


class KeyPattern(NamedTuple):
    """A glob of keys, and whether they may be read and written."""

    pattern: bytes
    reads: bool
    writes: bool

    def shown(self) -> bytes:
        """As a rule: ``~x``, ``%R~x`` or ``%W~x``."""
        if self.reads and self.writes:
            return b"~" + self.pattern
        return (b"%R~" if self.reads else b"%W~") + self.pattern


class Denied(NamedTuple):
    """What is refused: ``command``, ``key`` or ``channel``; and how far the check came, and which argument it is."""

    reason: str
    at: int = 0


class Selector:
    """Commands, keys and channels that are allowed together."""

    def __init__(self, *, all_channels: bool = False) -> None:
        self.allowed: set[str] = set()
        #: Commands that are not there yet, too.
        self.future = False
        self.first_arguments: dict[str, list[bytes]] = {}
        self.all_keys = False
        self.keys: list[KeyPattern] = []
        self.all_channels = all_channels
        self.channels: list[bytes] = []

    def copy(self) -> Selector:
        """Another one with the same rules."""
        other = Selector(all_channels=self.all_channels)
        other.allowed = set(self.allowed)
        other.future = self.future
        other.first_arguments = {name: list(words) for name, words in self.first_arguments.items()}
        other.all_keys, other.keys, other.channels = self.all_keys, list(self.keys), list(self.channels)
        return other

    @property
    def everything(self) -> bool:
        """Whether nothing is refused."""
        return self.future and self.all_keys and self.all_channels and len(self.allowed) == len(facts())

    @property
    def reads_all_keys(self) -> bool:
        """Whether any key may be read."""
        return self.all_keys or any(known.reads and known.pattern == b"*" for known in self.keys)

    def apply(self, rule: bytes) -> None:
        """Take one rule.

        Raises:
            ValueError: Redis' reason why it can't be taken.
        """
        word = rule.lower()
        text = word.decode("utf-8", "surrogateescape")
        if word in (b"allkeys", b"~*"):
            self.all_keys, self.keys = True, []
        elif word == b"resetkeys":
            self.all_keys, self.keys = False, []
        elif word in (b"allchannels", b"&*"):
            self.all_channels, self.channels = True, []
        elif word == b"resetchannels":
            self.all_channels, self.channels = False, []
        elif word in (b"allcommands", b"+@all"):
            self.allowed, self.future = set(facts()), True
            self.first_arguments.clear()
        elif word in (b"nocommands", b"-@all"):
            self.allowed, self.future = set(), False
            self.first_arguments.clear()
        elif rule[:1] in (b"~", b"%"):
            self._add_key(rule)
        elif rule[:1] == b"&":
            if self.all_channels:
                raise ValueError(AFTER_ALL_CHANNELS)
            if rule[1:] not in self.channels:
                self.channels.append(rule[1:])
        elif text[:2] in ("+@", "-@") and len(text) > 2:
            self._set_category(text[2:], allow=text[0] == "+")
        elif text[:1] == "+" and len(text) > 1:
            self._allow(text[1:], rule[1:])
        elif text[:1] == "-" and len(text) > 1:
            if text[1:] not in facts():
                raise ValueError(UNKNOWN)
            self.change(text[1:], allow=False)
        else:
            raise ValueError(SYNTAX)

    def change(self, name: str, *, allow: bool) -> None:
        """Allow or refuse one command, with all its subcommands."""
        for each in (name, *subcommands().get(name, ())):
            if allow:
                self.allowed.add(each)
            else:
                self.allowed.discard(each)
            self.first_arguments.pop(each, None)

    def _add_key(self, rule: bytes) -> None:
        if self.all_keys:
            raise ValueError(AFTER_ALL_KEYS)
        reads = writes = True
        pattern = rule[1:]
        if rule[:1] == b"%":
            letters, tilde, pattern = rule[1:].partition(b"~")
            letters = letters.upper()
            if not tilde or not letters or set(letters) - set(b"RW"):
                raise ValueError(SYNTAX)
            reads, writes = b"R" in letters, b"W" in letters
        if pattern == b"*" and reads and writes:
            self.all_keys, self.keys = True, []
            return
        for at, known in enumerate(self.keys):
            if known.pattern == pattern:
                self.keys[at] = KeyPattern(pattern, reads or known.reads, writes or known.writes)
                return
        self.keys.append(KeyPattern(pattern, reads, writes))

    def _set_category(self, category: str, *, allow: bool) -> None:
        if category not in categories():
            raise ValueError(UNKNOWN)
        for name in categories()[category]:
            self.change(name, allow=allow)

    def _allow(self, name: str, written: bytes) -> None:
        if name in facts():
            self.change(name, allow=True)
            return
        container, bar, argument = name.rpartition("|")
        if not bar or container not in facts():
            raise ValueError(UNKNOWN)
        if "|" in container:
            raise ValueError(FIRST_ARGUMENT)
        if not argument:
            raise ValueError(SYNTAX)
        if container in subcommands():
            raise ValueError(UNKNOWN)
        words = self.first_arguments.setdefault(container, [])
        word = written.rpartition(b"|")[2]
        if word not in words:
            words.append(word)

    def denies(self, name: str, args: Args) -> Denied | None:
        """Why a command may not be run, or None.

        Args:
            name: its full name in lower case.
            args: with its name.
        """
        if name not in self.allowed and not (self.future and name not in facts()):
            first = self.first_arguments.get(name.partition("|")[0], ())
            if len(args) < 2 or args[1].lower() not in [word.lower() for word in first]:
                return Denied("command")
        if not self.all_keys:
            for key in keys_of(name, args) or ():
                if not self.may_use(args[key.at], reads=key.reads, writes=key.writes):
                    return Denied("key", key.at)
        if not self.all_channels:
            wanted, patterns = channels_of(name, args)
            for at, channel in enumerate(wanted, 1):
                if not self.may_hear(channel, pattern=patterns):
                    return Denied("channel", at)
        return None

    def may_use(self, key: bytes, *, reads: bool, writes: bool) -> bool:
        """Whether a key may be read and written."""
        return any(
            (known.reads or not reads) and (known.writes or not writes) and compile_glob(known.pattern)(key)
            for known in self.keys
        )

    def may_hear(self, channel: bytes, *, pattern: bool = False) -> bool:
        """Whether a channel may be used; a pattern must be one of those allowed, letter by letter."""
        if pattern:
            return channel in self.channels
        return any(compile_glob(known)(channel) for known in self.channels)

    def key_rules(self) -> bytes:
        """The keys as rules."""
        return b"~*" if self.all_keys else b" ".join(known.shown() for known in self.keys)

    def channel_rules(self) -> bytes:
        """The channels as rules."""
        return b"&*" if self.all_channels else b" ".join(b"&" + channel for channel in self.channels)

    def described(self) -> bytes:
        """All of it as rules that bring it about."""
        parts = [self.key_rules()] if self.all_keys or self.keys else []
        parts.append(b"&*" if self.all_channels else b"resetchannels")
        if self.channels:
            parts.append(self.channel_rules())
        return b" ".join([*parts, self.command_rules()])

    def command_rules(self) -> bytes:
        """The commands as few rules that bring them about: the categories that fit best, then single commands."""
        rules = ["+@all" if self.future else "-@all"]
        reached = set(facts()) if self.future else set[str]()
        left = set(self.allowed)
        applied: set[str] = set()
        while best := self._best(left, applied):
            rules.append(("-@" if self.future else "+@") + best)
            applied.add(best)
            members = _with_subcommands(categories()[best])
            if self.future:
                left |= members
                reached -= members
            else:
                left -= members
                reached |= members
        for name in facts():
            if (name in self.allowed) != (name in reached):
                allow = name in self.allowed
                rules.append(("+" if allow else "-") + name)
                for each in (name, *subcommands().get(name, ())):
                    (reached.add if allow else reached.discard)(each)
            rules += [f"+{name}|{word.decode()}" for word in self.first_arguments.get(name, ())]
        return " ".join(rules).encode()

    def _best(self, left: set[str], applied: set[str]) -> str:
        """The category that brings us closest to what is left, as Redis chooses it; empty where none does."""
        best, least, most = "", 1 << 31, 0
        for name, members in categories().items():
            if name in applied:
                continue
            on = len(members & left)
            off = len(members) - on
            differing, same = (on, off) if self.future else (off, on)
            if same > differing and (differing < least or (differing == least and same > most)):
                best, least, most = name, differing, same
        return best


def _with_subcommands(names: Iterable[str]) -> set[str]:
    found = set(names)
    for name in list(found):
        found.update(subcommands().get(name, ()))
    return found
