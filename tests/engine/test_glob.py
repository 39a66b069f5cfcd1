"""Glob patterns: against a plain recursive matcher, and in time where recursion would not end."""

from __future__ import annotations

import time

from hypothesis import example, given
from hypothesis import strategies as st

from redmodel.engine.glob import compile_glob


def plain(pattern: bytes, text: bytes) -> bool:
    """Stars, question marks and literals, by recursion; a pattern with stars never matches the empty text."""
    if not pattern:
        return not text
    if pattern[:1] == b"*":
        return plain(pattern[1:], text) or (bool(text) and plain(pattern, text[1:]))
    return bool(text) and pattern[:1] in (b"?", text[:1]) and plain(pattern[1:], text[1:])


@given(st.text("ab*?", max_size=8), st.text("ab", min_size=1, max_size=8))
@example("a*b*a", "aba")
def test_stars(pattern: str, text: str) -> None:
    assert compile_glob(pattern.encode())(text.encode()) == plain(pattern.encode(), text.encode())


@given(st.binary(max_size=8))
def test_escaped_text_matches_itself_alone(text: bytes) -> None:
    pattern = b"".join(b"\\" + bytes((byte,)) for byte in text)
    matches = compile_glob(pattern)
    assert matches(text)
    assert not matches(text + b"x")


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_any_pattern_compiles(pattern: bytes, text: bytes) -> None:
    assert compile_glob(pattern)(text) in (True, False)


def test_many_stars_take_no_time() -> None:
    start = time.perf_counter()
    for pattern in (b"*a" * 40 + b"b", b"*?" * 40 + b"b", b"*[a]" * 40 + b"b"):
        assert not compile_glob(pattern)(b"a" * 2000)
    assert time.perf_counter() - start < 0.5
