"""What an indexed value is called in an index: tokens for equality, exact numbers and scores for order."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import TypeAlias

NULL = b"~null"
"""The token of None; no other value has a token that starts with ``~`` unless it is a hash."""

TOKEN_LIMIT = 96
"""Longer values are indexed by their hash."""

Number: TypeAlias = int | float | Decimal

_UNSAFE = re.compile(rb"[\x00-\x1f\x7f]")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive times are told from it
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_EXACT = 1 << 53
_MICROSECOND = timedelta(microseconds=1)


def token_of(text: bytes) -> bytes:
    """The token of a value's text: the text itself if a key can show it, else ``~`` and its BLAKE2b-128 in hex."""
    if len(text) <= TOKEN_LIMIT and not text.startswith(b"~") and _UNSAFE.search(text) is None:
        try:
            text.decode()
        except UnicodeDecodeError:
            pass
        else:
            return text
    return b"~" + blake2b(text, digest_size=16).hexdigest().encode()


_ESCAPED = re.compile(rb"[\x00\x01\x1d\x1e\x1f]")
_ESCAPES = {
    b"\x00": b"\x01\x80",
    b"\x01": b"\x01\x81",
    b"\x1d": b"\x1d\x80",
    b"\x1e": b"\x1d\x81",
    b"\x1f": b"\x1d\x82",
}


def ordered_token(text: bytes) -> bytes:
    """A text as it stands in a sorted set of texts, before NUL and the id, and in a log.

    It has the order of the text itself, its beginnings and its ends; of NUL and what separates the entries of a log
    there is none in it, and each character is still one byte below 0x80 or above 0xBF with those between behind it.

    >>> ordered_token("Zoë".encode()), ordered_token(b"a\\0b")
    (b'Zo\\xc3\\xab', b'a\\x01\\x80b')
    """
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], text)


def score_of(number: Number) -> bytes:
    """A number as Redis takes a score. Raises ValueError unless a double holds it exactly."""
    if isinstance(number, int):
        if -_EXACT <= number <= _EXACT:
            return b"%d" % number
        try:
            exact = int(float(number)) == number
        except OverflowError:
            exact = False
        if not exact:
            raise ValueError("a range index holds doubles, and no double is exactly this integer (beyond 2**53)")
        return b"%d" % number
    if number != number:
        raise ValueError("NaN has no place in an order")
    if isinstance(number, Decimal):
        double = float(number)
        # Doubles keep the order of the decimals that they print back: all of up to 15 digits, and no two share one.
        if Decimal(repr(double)) != number:
            raise ValueError(
                "a range index holds doubles, and this Decimal has more digits than a double keeps apart; "
                "declare Field(decimal_places=...) and it is indexed as a whole number of the smallest unit"
            )
        number = double
    return repr(number + 0.0).encode()  # + 0.0 makes 0.0 of -0.0


def number_text(number: Number) -> bytes:
    """A number's text for equality: numbers that are equal have one text. Raises ValueError for NaN."""
    if isinstance(number, int):
        return b"%d" % number
    if number != number:
        raise ValueError("NaN equals nothing, so it can't be found again")
    if isinstance(number, float):
        return repr(number + 0.0).encode()
    if not number.is_finite():
        return str(number).encode()
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    bare = text.rstrip("0")
    if not bare:
        return b"0"
    return f"{'-' if sign else ''}{bare}E{int(exponent) + len(text) - len(bare)}".encode()


def datetime_number(value: datetime) -> int:
    """Microseconds since 1970 UTC; a naive time is read as UTC."""
    span = value - (_EPOCH if value.tzinfo is None else _EPOCH_UTC)
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def date_number(value: date) -> int:
    """Days since 1970-01-01."""
    return value.toordinal() - _EPOCH_ORDINAL


def time_number(value: time) -> int:
    """Microseconds since midnight, UTC if the time has an offset."""
    number = ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    offset = value.utcoffset()
    return number if offset is None else number - offset // _MICROSECOND


def timedelta_number(value: timedelta) -> int:
    """Microseconds."""
    return value // _MICROSECOND


def scaled_number(places: int) -> Callable[[Decimal], Number]:
    """Decimals of a fixed number of places as whole numbers of the smallest unit: 9.99 with two places is 999."""

    def number(value: Decimal) -> Number:
        if not value.is_finite():
            return value
        sign, digits, exponent = value.as_tuple()
        power = int(exponent) + places
        if value and not -400 < power < 400:
            raise ValueError("it is far outside of what a range index can hold")
        whole: int = int("".join(map(str, digits)) or "0")
        if power < 0:
            whole, rest = divmod(whole, int(10**-power))
            if rest:
                raise ValueError(f"it has more than {places} decimal places")
        else:
            whole *= int(10**power)
        return -whole if sign else whole

    return number
