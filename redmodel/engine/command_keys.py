"""Which arguments of a command are keys, and what the command does with them: Redis' key specifications, applied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from redmodel.engine.arguments import parse_integer
from redmodel.engine.facts import facts

if TYPE_CHECKING:
    from redmodel.engine.registry import Args


class Key(NamedTuple):
    """One key among the arguments: its place, and Redis' flags for it, as ``RW access update``."""

    at: int
    flags: frozenset[str]

    @property
    def reads(self) -> bool:
        """Whether the command tells something of the value."""
        return "access" in self.flags

    @property
    def writes(self) -> bool:
        """Whether the command may change the value."""
        return not self.flags.isdisjoint(("insert", "delete", "update"))


def keys_of(name: str, args: Args) -> list[Key] | None:
    """The keys among the arguments of a command; None where its arguments make no sense.

    Args:
        name: the command's full name in lower case.
        args: with the command's own name.
    """
    special = _SPECIAL.get(name)
    if special is not None:
        return special(args)
    found: list[Key] = []
    for spec in facts().get(name, {}).get("specs", ()):
        places = _places(spec, args)
        if places is None:
            return None
        flags = frozenset(spec["flags"])
        if "not_key" in flags:  # the channel of a shard: only a cluster asks where it is
            continue
        found += [Key(at, flags) for at in places]
    return found


def _places(spec: dict[str, Any], args: Args) -> range | tuple[int, ...] | None:
    first = _first(spec["begin_search"], args)
    if not first:
        return ()
    kind: str = spec["find_keys"]["type"]
    find: dict[str, int] = spec["find_keys"]["spec"]
    if kind == "range":
        last = find["lastkey"]
        if last >= 0:
            last += first
        elif not find["limit"]:
            last += len(args)
        else:
            last = first + (len(args) - first) // find["limit"] + last
        step = find["keystep"]
    elif kind == "keynum":
        at = first + find["keynumidx"]
        count = parse_integer(args[at]) if at < len(args) else None
        if count is None or count < 0:
            return None
        first += find["firstkey"]
        step = find["keystep"]
        last = first + (count - 1) * step
    else:
        return ()
    if last >= len(args):
        return None
    return range(first, last + 1, step)


def _first(search: dict[str, Any], args: Args) -> int:
    if search["type"] == "index":
        index: int = search["spec"]["index"]
        return index if index < len(args) else 0
    if search["type"] != "keyword":
        return 0
    keyword, start = search["spec"]["keyword"].encode(), search["spec"]["startfrom"]
    places = range(start, len(args) - 1) if start > 0 else range(len(args) + start, 0, -1)
    for at in places:
        if args[at].upper() == keyword:
            return at + 1
    return 0


def _sort(args: Args) -> list[Key] | None:
    found = [Key(1, frozenset(("RO", "access")))]
    at, stored = 2, 0
    while at < len(args):
        word = args[at].upper()
        if word == b"LIMIT":
            at += 2
        elif word in (b"GET", b"BY"):
            at += 1
        elif word == b"STORE" and at + 1 < len(args):
            stored = at = at + 1
        at += 1
    return [*found, Key(stored, frozenset(("OW", "update")))] if stored else found


def _set(args: Args) -> list[Key] | None:
    if any(word.upper() == b"GET" for word in args[3:]):
        return [Key(1, frozenset(("RW", "access", "update")))]
    return [Key(1, frozenset(("OW", "update")))]


def _bitfield(args: Args) -> list[Key] | None:
    at, reads_only = 2, True
    while at < len(args):
        word = args[at].upper()
        if word == b"GET":
            at += 3
        elif word in (b"SET", b"INCRBY"):
            reads_only = False
            at += 4
        elif word == b"OVERFLOW":
            at += 2
        else:
            at += 1
    flags = ("RO", "access") if reads_only else ("RW", "access", "update")
    return [Key(1, frozenset(flags))]


# How many words follow that are no option of MIGRATE, whatever they look like.
_PASSWORDS = {b"AUTH": 1, b"AUTH2": 2}


def _migrate(args: Args) -> list[Key] | None:
    flags = frozenset(("RW", "access", "delete"))
    at = 6
    while at < len(args):
        word = args[at].upper()
        if word == b"KEYS":
            return None if args[3] else [Key(place, flags) for place in range(at + 1, len(args))]
        at += 1 + _PASSWORDS.get(word, 0)
    return [Key(3, flags)] if len(args) > 3 else None


def _sort_ro(args: Args) -> list[Key] | None:
    return [Key(1, frozenset(("RO", "access")))]


_SPECIAL = {"sort": _sort, "sort_ro": _sort_ro, "set": _set, "bitfield": _bitfield, "migrate": _migrate}


def channels_of(name: str, args: Args) -> tuple[Iterator[bytes], bool]:
    """The channels that a command names, and whether they are patterns."""
    if name in ("publish", "spublish"):
        return iter(args[1:2]), False
    if name in ("subscribe", "ssubscribe"):
        return iter(args[1:]), False
    return (iter(args[1:]), True) if name == "psubscribe" else (iter(()), False)
