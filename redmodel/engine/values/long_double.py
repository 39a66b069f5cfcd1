"""Arithmetic of x86's 80-bit long double, which INCRBYFLOAT and HINCRBYFLOAT use: read, add, print.

A number is a Fraction rounded to 64 significant bits, so results agree with Redis to the last digit.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

_BITS = 64
_MAX = Fraction((2**_BITS - 1) * 2 ** (16384 - _BITS))
# Beyond these decimal exponents a long double overflows, or underflows to zero.
_MOST, _LEAST = 4933, -4951
_FARTHEST = 20_000
_HEXADECIMAL = re.compile(r"([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?[0-9]{1,6}))?")


class OutOfRange(ValueError):
    """The number is infinite, or became so."""


def read(text: bytes) -> Fraction:
    """Read a number as Redis' string2ld does.

    Raises:
        OutOfRange: it is an infinity, spelled out.
        ValueError: it is no number, is NaN, or overflows.

    >>> read(b"3.0e3"), read(b"0x10")
    (Fraction(3000, 1), Fraction(16, 1))
    """
    if not text.isascii() or b"_" in text or min(text, default=0) <= 32:  # Python takes more for space than C does
        raise ValueError(text)
    lowered = text.decode().lower()
    digits = lowered.lstrip("+-")
    if digits.startswith("0x"):
        return _in_range(_hexadecimal(lowered))
    if digits in ("inf", "infinity"):
        raise OutOfRange(text)
    try:
        number = Decimal(lowered)
    except InvalidOperation:
        raise ValueError(text) from None
    if not number.is_finite():
        raise ValueError(text)
    if number and not _LEAST <= number.adjusted() <= _MOST:
        raise ValueError(text)
    return _in_range(Fraction(number))


def _in_range(number: Fraction) -> Fraction:
    value = _rounded(number)
    if abs(value) > _MAX:
        raise ValueError(number)
    return value


def _hexadecimal(text: str) -> Fraction:
    """Read what C calls a hexadecimal floating constant, of any size that a long double has."""
    parts = _HEXADECIMAL.fullmatch(text)
    if parts is None or not (parts[2] or parts[3]):
        raise ValueError(text)
    whole, rest, exponent = parts[2], parts[3] or "", int(parts[4] or "0")
    if abs(exponent) > _FARTHEST:
        raise ValueError(text)
    number = Fraction(int(whole + rest, 16)) * Fraction(2) ** (exponent - 4 * len(rest))
    return -number if parts[1] == "-" else number


def add(one: Fraction, other: Fraction) -> Fraction:
    """Add two numbers; a sum beyond the greatest long double is OutOfRange."""
    total = _rounded(one + other)
    if abs(total) > _MAX:
        raise OutOfRange(total)
    return total


def text_of(value: Fraction) -> bytes:
    """Print with up to 17 decimals and no exponent, as Redis' LD2STR_HUMAN does.

    >>> text_of(add(read(b"10.5"), read(b"0.1")))
    b'10.6'
    """
    scaled = round(value * 10**17)
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**17)
    digits = format(Decimal(whole), "f")  # an int of more than 4,300 digits is not printed
    return f"{sign}{digits}.{part:017d}".rstrip("0").rstrip(".").encode()


def _rounded(value: Fraction) -> Fraction:
    """Round to 64 significant bits, ties to even."""
    if not value:
        return value
    shift = abs(value.numerator).bit_length() - value.denominator.bit_length() - _BITS
    # The quotient has 64 or 65 bits now; with 65 one more bit has to go.
    scale = Fraction(2) ** shift
    if abs(value / scale) >= 2**_BITS:
        scale *= 2
    return round(value / scale) * scale
