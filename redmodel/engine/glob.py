"""Redis' glob patterns: ``*``, ``?``, ``[a-z]``, ``[^x]``, ``\\`` to escape. Bytes in, a yes or no out; no regex.

A pattern is cut at its stars into segments of fixed length. The first is anchored at the start and the last at the end;
each one between takes its leftmost place. That is iterative, and never more than pattern length times text length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

Matcher: TypeAlias = Callable[[bytes], bool]

_ALL = frozenset(range(256))


class _Segment:
    """Bytes without a star: a literal, or one set of allowed bytes per position."""

    __slots__ = ("length", "literal", "sets")

    def __init__(self, sets: list[frozenset[int]]) -> None:
        self.sets = sets
        self.length = len(sets)
        self.literal = bytes(min(one) for one in sets) if all(len(one) == 1 for one in sets) else None

    def fits(self, text: bytes, at: int) -> bool:
        if self.literal is not None:
            return text.startswith(self.literal, at)
        if at + self.length > len(text):
            return False
        return all(text[at + n] in allowed for n, allowed in enumerate(self.sets))

    def find(self, text: bytes, start: int, stop: int) -> int:
        if self.literal is not None:
            return text.find(self.literal, start, stop)
        for at in range(start, stop - self.length + 1):
            if self.fits(text, at):
                return at
        return -1


@lru_cache(maxsize=256)
def compile_glob(pattern: bytes) -> Matcher:
    """Make the function that tells whether a text matches the whole pattern.

    >>> matches = compile_glob(b"user:*:h[ae]llo")
    >>> matches(b"user:7:hello"), matches(b"user:7:hillo")
    (True, False)
    """
    if pattern == b"*":
        return lambda text: True
    segments = [_Segment(sets) for sets in _cut(pattern)]
    if len(segments) == 1:
        only = segments[0]
        if only.literal is not None:
            return only.literal.__eq__
        return lambda text: len(text) == only.length and only.fits(text, 0)
    first, *middle, last = segments
    shortest = sum(segment.length for segment in segments)

    def match(text: bytes) -> bool:
        size = len(text)
        # Redis' own loop never looks at a star when the text is empty from the start.
        if size < shortest or not size or not first.fits(text, 0):
            return False
        end = size - last.length
        if not last.fits(text, end):
            return False
        at = first.length
        for segment in middle:
            found = segment.find(text, at, end)
            if found < 0:
                return False
            at = found + segment.length
        return at <= end

    return match


def _cut(pattern: bytes) -> list[list[frozenset[int]]]:
    """Split a pattern at its stars; each position becomes the set of bytes that it allows."""
    segments: list[list[frozenset[int]]] = [[]]
    at, size = 0, len(pattern)
    while at < size:
        byte = pattern[at]
        if byte == 0x2A:  # *
            segments.append([])
        elif byte == 0x3F:  # ?
            segments[-1].append(_ALL)
        elif byte == 0x5B:  # [
            allowed, at = _class(pattern, at + 1)
            segments[-1].append(allowed)
        else:
            if byte == 0x5C and at + 1 < size:  # backslash
                at += 1
            segments[-1].append(frozenset((pattern[at],)))
        at += 1
    return segments


def _class(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    """Read a class from after its ``[``; return it and the place of its ``]``, or of the pattern's end."""
    size = len(pattern)
    negated = pattern[at : at + 1] == b"^"
    at += negated
    allowed: set[int] = set()
    while at < size and pattern[at] != 0x5D:
        if pattern[at] == 0x5C and at + 1 < size:
            at += 1
            allowed.add(pattern[at])
        elif at + 2 < size and pattern[at + 1] == 0x2D:
            allowed.update(_between(pattern[at], pattern[at + 2]))
            at += 2
        else:
            allowed.add(pattern[at])
        at += 1
    return (_ALL - allowed if negated else frozenset(allowed)), at


def _between(start: int, end: int) -> set[int]:
    # Redis compares C's signed chars, so bytes above 0x7f come before all others.
    low, high = sorted((start - 256 if start > 127 else start, end - 256 if end > 127 else end))
    return {number % 256 for number in range(low, high + 1)}
