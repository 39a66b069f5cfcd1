"""The words of conditions and orders on texts that are kept in order, for the program of a query."""

from __future__ import annotations

from collections.abc import Sequence

from redmodel.model import ANY, Index, Operator, Pattern, ordered_token, require_order

FIRST, LAST = b"-", b"+"


def range_words(index: Index, key: bytes, low: bytes, high: bytes) -> list[bytes]:
    """Texts from a low end, included, to a high one, not included; ``key`` is the place of the index's key."""
    return [b"<", key, index.path_bytes, low, high]


def compared(index: Index, key: bytes, op: Operator, value: object) -> list[bytes]:
    """The words of ``< <= > >=`` with a text; behind each text stands a NUL, and then the id."""
    place = index.place(value)
    if op == "<":
        return range_words(index, key, FIRST, b"(" + place)
    if op == "<=":
        return range_words(index, key, FIRST, b"(" + place + b"\x01")
    return range_words(index, key, b"[" + place + (b"\x01" if op == ">" else b""), LAST)


def narrowed(one: list[bytes], other: list[bytes]) -> None:
    """Make the first range what both have in common."""
    if other[3] != FIRST:
        one[3] = other[3] if one[3] == FIRST else max(one[3], other[3])
    if other[4] != LAST:
        one[4] = other[4] if one[4] == LAST else min(one[4], other[4])


def fitting(index: Index, key: bytes, pattern: Pattern) -> list[bytes] | str:
    """The words of a pattern; the text itself where that has no wildcard."""
    require_order(index, pattern.verb)
    pieces = pattern.pieces()
    first = pieces[0]
    if len(pieces) == 1 and ANY not in first:
        return "".join(first)
    start = _literal(index, first[0]) if first and first[0] != ANY else b""
    # No token ends in 0xFF, so the next text that does not begin like this one is told by its last byte.
    low, high = (b"[" + start, b"(" + start[:-1] + bytes([start[-1] + 1])) if start else (FIRST, LAST)
    words = range_words(index, key, low, high)
    if len(pieces) == 2 and not pieces[1] and ANY not in first:
        return words
    return [b"L", *words[1:], b"%d" % len(pieces), *(_piece(index, piece) for piece in pieces)]


def _piece(index: Index, piece: Sequence[str]) -> bytes:
    return b"".join(b"\x00" if part == ANY else _literal(index, part) for part in piece)


def _literal(index: Index, text: str) -> bytes:
    return ordered_token(index.text(text))
