"""Numbers are read as strictly as Redis reads them."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redmodel.engine.arguments import INT_MAX, INT_MIN, double, integer, parse_double, parse_integer
from redmodel.errors import ReplyError


@given(st.integers(INT_MIN, INT_MAX))
def test_integers(number: int) -> None:
    assert integer(b"%d" % number) == parse_integer(b"%d" % number) == number


@pytest.mark.parametrize(
    "text",
    [b"", b" 1", b"1 ", b"+1", b"01", b"-0", b"-", b"1_0", b"1.0", b"9223372036854775808", b"9" * 5000, b"\xd9\xa1"],
)
def test_no_integers(text: bytes) -> None:
    assert parse_integer(text) is None
    with pytest.raises(ReplyError, match="not an integer"):
        integer(text)


@given(st.floats(allow_nan=False))
def test_doubles(number: float) -> None:
    text = b"%.17g" % number
    assert parse_double(text) == double(text) == number


@pytest.mark.parametrize(
    "text",
    [b"", b" 1", b"1 ", b"1_0", b"nan", b"1e400", b"-1e400", b"1e-400", b"0x", b"1e", b"--1", b"1\0", b"9" * 400],
)
def test_no_doubles(text: bytes) -> None:
    assert parse_double(text) is None
    with pytest.raises(ReplyError, match="not a valid float"):
        double(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [(b"inf", inf), (b"-Infinity", -inf), (b"0x1p4", 16.0), (b"-0x10", -16.0), (b".5", 0.5), (b"5.", 5.0)],
)
def test_odd_doubles(text: bytes, number: float) -> None:
    assert parse_double(text) == number
