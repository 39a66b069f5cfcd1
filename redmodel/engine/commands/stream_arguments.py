"""Arguments of stream commands: ids, the bounds of ranges, and how to trim. Nothing here runs a command."""

from __future__ import annotations

import re
from dataclasses import dataclass

from redmodel.engine import texts
from redmodel.engine.arguments import INT_MIN, integer
from redmodel.engine.registry import Args
from redmodel.engine.values.stream import MAX_ID, Stream, id_text, make_id
from redmodel.engine.values.stream_nodes import MAX_ENTRIES
from redmodel.errors import ReplyError

MAX_SEQUENCE = 2**64 - 1

_LONGEST = 127
# What C's strtoull takes where the strict reading of an integer fails.
_LOOSE = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)", re.ASCII)
# A trim with ~ and without LIMIT ends after about this many nodes, and at the latest after so many entries.
_LIMIT_NODES, _LIMIT_MOST = 100, 1_000_000


def _half(text: bytes) -> int | None:
    """Read one half of an id: an unsigned integer of 64 bits, as loosely as Redis reads it."""
    if text.isdigit() and len(text) < 20:
        return int(text)
    found = _LOOSE.fullmatch(text)
    if found is None:
        return None
    sign, digits = found.groups()
    number = int(digits)
    if number > MAX_SEQUENCE:
        return None
    if sign == b"-":
        if -number >= INT_MIN and b"-%d" % number == text:
            return None
        return -number % (MAX_SEQUENCE + 1)
    return number


def parse_id(text: bytes, sequence: int = 0, *, bounds: bool = False) -> int | None:
    """Read an id.

    Args:
        text: ``ms`` or ``ms-seq``.
        sequence: the sequence of an id that names none.
        bounds: ``-`` and ``+`` are the least and the greatest id.

    Returns:
        The id, or None if the text is none.
    """
    if len(text) > _LONGEST:
        return None
    text = text.partition(b"\0")[0]
    if text in (b"-", b"+"):
        return None if not bounds else 0 if text == b"-" else MAX_ID
    milliseconds, dash, rest = text.partition(b"-")
    time = _half(milliseconds)
    part = _half(rest) if dash else sequence
    return None if time is None or part is None else make_id(time, part)


def stream_id(text: bytes, sequence: int = 0, *, bounds: bool = False) -> int:
    """Read an id as `parse_id` does, or raise Redis' error."""
    entry = parse_id(text, sequence, bounds=bounds)
    if entry is None:
        raise ReplyError(texts.STREAM_ID)
    return entry


def interval_start(text: bytes) -> int:
    """Read the lower bound of a range, which ``(`` excludes from it."""
    if not text.startswith(b"("):
        return stream_id(text, bounds=True)
    entry = stream_id(text[1:])
    if entry == MAX_ID:
        raise ReplyError(texts.INTERVAL_START)
    return entry + 1


def interval_end(text: bytes) -> int:
    """Read the upper bound of a range, which ``(`` excludes from it."""
    if not text.startswith(b"("):
        return stream_id(text, MAX_SEQUENCE, bounds=True)
    entry = stream_id(text[1:], MAX_SEQUENCE)
    if entry == 0:
        raise ReplyError(texts.INTERVAL_END)
    return entry - 1


@dataclass(slots=True)
class Trimming:
    """How to trim a stream: to ``length`` entries, or those before ``least``; ``at`` is where that number stands."""

    length: int | None = None
    least: int | None = None
    approximate: bool = False
    limit: int = 0
    at: int = 0

    def apply(self, stream: Stream) -> int:
        """Trim, and say how many entries went."""
        if self.length is not None:
            return stream.trim_to(self.length, whole_nodes=self.approximate, limit=self.limit)
        if self.least is not None:
            return stream.trim_below(self.least, whole_nodes=self.approximate, limit=self.limit)
        return 0

    def settled(self, stream: Stream, args: Args) -> list[bytes]:
        """The arguments with the exact place where an approximate trim ended."""
        settled = list(args)
        if self.approximate:
            settled[self.at - 1] = b"="
            if self.length is not None:
                settled[self.at] = b"%d" % len(stream)
            else:
                settled[self.at] = id_text(stream.nodes[0].master if stream.nodes else MAX_ID)
        return settled


@dataclass(slots=True)
class AddOptions:
    """What stands before the fields of XADD: ``at`` is the place of the id."""

    trimming: Trimming
    create: bool
    at: int


def add_options(args: Args, *, loading: bool, node: int) -> AddOptions:
    """Read the options of XADD up to its id; a node of a stream holds so many entries."""
    trimming, create, at = _options(args, adds=True, loading=loading, node=node)
    return AddOptions(trimming, create, at)


def trim_options(args: Args, *, loading: bool, node: int) -> Trimming:
    """Read the options of XTRIM; a node of a stream holds so many entries."""
    return _options(args, adds=False, loading=loading, node=node)[0]


def _options(args: Args, *, adds: bool, loading: bool, node: int) -> tuple[Trimming, bool, int]:
    trimming, create = Trimming(), True
    limit: int | None = None
    at = 2
    while at < len(args):
        option = args[at].upper()
        more = at + 1 < len(args)
        if option in (b"MAXLEN", b"MINID") and more:
            at = _strategy(trimming, option, args, at + 1)
        elif option == b"LIMIT" and more:
            limit = integer(args[at + 1])
            if limit < 0:
                raise ReplyError(texts.TRIM_LIMIT)
            at += 1
        elif adds and option == b"NOMKSTREAM":
            create = False
        elif adds:
            break
        else:
            raise texts.syntax()
        at += 1
    if adds and at < len(args) and args[at] != b"*":
        _check_new_id(args[at])
    if limit and not trimming.at:
        raise ReplyError(texts.TRIM_LIMIT_ALONE)
    if not adds and not trimming.at:
        raise ReplyError(texts.XTRIM_NO_STRATEGY)
    if not loading:  # what the log holds was trimmed exactly, and may still name the limit it had
        if limit is not None and not trimming.approximate:
            raise ReplyError(texts.TRIM_LIMIT_EXACT)
        if trimming.approximate:
            most = min(_LIMIT_NODES * (node or MAX_ENTRIES), _LIMIT_MOST)
            trimming.limit = most if limit is None else limit
    return trimming, create, at


def _strategy(trimming: Trimming, option: bytes, args: Args, at: int) -> int:
    """Read what follows MAXLEN or MINID, and return the place of its last argument."""
    if trimming.at:
        raise ReplyError(texts.TRIM_TWICE)
    if args[at] in (b"~", b"=") and at + 1 < len(args):
        trimming.approximate = args[at] == b"~"
        at += 1
    if option == b"MAXLEN":
        trimming.length = integer(args[at])
        if trimming.length < 0:
            raise ReplyError(texts.TRIM_MAXLEN)
    else:
        trimming.least = stream_id(args[at])
    trimming.at = at
    return at


def _check_new_id(text: bytes) -> None:
    stream_id(text[:-1] + b"0" if text.endswith(b"-*") else text)


def new_id(text: bytes, last: int, now: int) -> int:
    """The id of a new entry, or raise Redis' error.

    Args:
        text: ``*``, ``ms-*``, ``ms`` or ``ms-seq``.
        last: the last id of the stream; the new one is above it.
        now: unix milliseconds, for ``*``.
    """
    if last == MAX_ID:
        raise ReplyError(texts.XADD_EXHAUSTED)
    if text == b"*":
        return max(make_id(now, 0), last + 1)
    if text.endswith(b"-*"):
        entry = stream_id(text[:-1] + b"0")
        if entry >> 64 == last >> 64:
            entry = last + 1
            if entry >> 64 != last >> 64:
                raise ReplyError(texts.XADD_TOO_LARGE)  # what Redis 7.0 says, though it means that no id is left
    else:
        entry = stream_id(text)
    if entry <= last:
        raise ReplyError(texts.XADD_NOT_ABOVE)
    return entry


def count_option(text: bytes) -> int:
    """Read a COUNT of which a negative number is zero."""
    return max(integer(text), 0)
