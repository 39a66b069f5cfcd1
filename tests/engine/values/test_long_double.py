"""Long doubles: what INCRBYFLOAT of a real server gave for these sums."""

from __future__ import annotations

import pytest

from redmodel.engine.values.long_double import OutOfRange, add, read, text_of


@pytest.mark.parametrize(
    ("one", "other", "total"),
    [
        (b"10.5", b"0.1", b"10.6"),
        (b"5.0e3", b"2.0e2", b"5200"),
        (b"3", b"-3", b"0"),
        (b"0", b"-0.0", b"0"),
        (b"1", b"0.00000000000000001", b"1.00000000000000001"),
        (b"1e300", b"1", b"%d" % int(text_of(read(b"1e300")))),
    ],
)
def test_sums(one: bytes, other: bytes, total: bytes) -> None:
    assert text_of(add(read(one), read(other))) == total


@pytest.mark.parametrize(
    "text", [b"", b"x", b"nan", b" 1", b"1 ", b"1_0", b"1e5000", b"1e-5000", b"1e999999999999", b"."]
)
def test_no_numbers(text: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        read(text)
    assert not isinstance(caught.value, OutOfRange)


def test_infinities() -> None:
    with pytest.raises(OutOfRange):
        read(b"-inf")
    most = read(b"1.18973149535723176e4932")
    with pytest.raises(OutOfRange):
        add(most, most)
