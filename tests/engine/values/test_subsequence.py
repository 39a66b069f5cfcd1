"""The longest common subsequence against a plain definition."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from redmodel.engine.values.subsequence import common_subsequence


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_length_and_runs(one: str, other: str) -> None:
    @cache
    def longest(m: int, n: int) -> int:
        if not m or not n:
            return 0
        if one[m - 1] == other[n - 1]:
            return longest(m - 1, n - 1) + 1
        return max(longest(m - 1, n), longest(m, n - 1))

    text, runs = common_subsequence(one.encode(), other.encode())
    assert len(text) == longest(len(one), len(other))
    pieces = [one[start : start + length] for start, _, length in reversed(runs)]
    assert "".join(pieces).encode() == text
    assert all(one[a : a + size] == other[b : b + size] for a, b, size in runs)
