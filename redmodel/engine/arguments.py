"""Reading arguments: integers, doubles and counts, exactly as strictly as Redis reads them.

Functions here take bytes and return numbers or raise `ReplyError`; none of them touches a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan

from redmodel.engine import texts
from redmodel.errors import ReplyError

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1

_DIGITS = frozenset(b"123456789")


def parse_integer(text: bytes) -> int | None:
    """Read a 64-bit integer, or None: no sign ``+``, no leading zero, no space, as `string2ll` wants it.

    >>> parse_integer(b"-7"), parse_integer(b"07"), parse_integer(b"9223372036854775808")
    (-7, None, None)
    """
    try:
        number = int(text)
    except ValueError:
        return None
    if INT_MIN <= number <= INT_MAX and b"%d" % number == text:
        return number
    return None


def integer(text: bytes, error: str = texts.NOT_AN_INTEGER) -> int:
    """Read a 64-bit integer or raise ``error``."""
    if len(text) < 19 and text.isdigit() and (text[0] != 0x30 or len(text) == 1):
        return int(text)
    try:
        number = int(text)
    except ValueError:
        raise ReplyError(error) from None
    if INT_MIN <= number <= INT_MAX and b"%d" % number == text:
        return number
    raise ReplyError(error)


def integer_between(text: bytes, low: int, high: int, error: str) -> int:
    """Read an integer within bounds; ``error`` is for one that is out of them or no integer."""
    number = integer(text, error)
    if low <= number <= high:
        return number
    raise ReplyError(error)


def int_number(text: bytes) -> int:
    """Read an integer of 32 bits, with Redis' two different errors."""
    number = integer(text)
    if not -(2**31) <= number < 2**31:
        raise ReplyError(texts.NOT_AN_INT)
    return number


def positive(text: bytes) -> int:
    """Read an integer that is zero or more, with Redis' two different errors."""
    number = integer(text)
    if number < 0:
        raise ReplyError(texts.NOT_POSITIVE)
    return number


def strtod(text: bytes) -> float | None:
    """Read a whole double as C's strtod does in the C locale; None where C would leave characters over, or for NaN."""
    try:
        value = float(text)
    except ValueError:
        return _hexadecimal(text)
    if b"_" in text or isnan(value):
        return None
    return value


def _hexadecimal(text: bytes) -> float | None:
    digits = text.lstrip(b"+-").lower()
    if not digits.startswith(b"0x") or len(text) - len(digits) > 1:
        return None
    try:
        return float.fromhex(text.decode("ascii"))
    except OverflowError:
        return -inf if text.startswith(b"-") else inf
    except ValueError:
        return None


def parse_double(text: bytes) -> float | None:
    """Read a double as Redis reads a score: no space around it, no NaN, no overflow and no underflow to zero.

    >>> parse_double(b"1e3"), parse_double(b" 1"), parse_double(b"1e400"), parse_double(b"-inf")
    (1000.0, None, None, -inf)
    """
    value = strtod(text)
    if value is None or text[:1].isspace() or text[-1:].isspace():
        return None
    if value in (inf, -inf):
        return value if b"i" in text or b"I" in text else None
    if value == 0.0 and not _DIGITS.isdisjoint(text.lower().partition(b"e")[0]) and b"x" not in text.lower():
        return None
    return value


def double(text: bytes, error: str = texts.NOT_A_FLOAT) -> float:
    """Read a double or raise ``error``."""
    if text.isdigit() and len(text) < 300:
        return float(text)
    value = parse_double(text)
    if value is None:
        raise ReplyError(error)
    return value


def keys_side_count(args: Sequence[bytes], sides: tuple[bytes, bytes]) -> tuple[Sequence[bytes], bytes, int]:
    """Read ``numkeys key … side [COUNT n]``, as LMPOP and ZMPOP take it.

    Args:
        args: the command with its name.
        sides: the two words of which one must follow the keys, in upper case.

    Returns:
        The keys, the side in upper case, and the count.
    """
    at = integer_between(args[1], 1, INT_MAX, texts.NUMKEYS_POSITIVE) + 2
    if at >= len(args) or args[at].upper() not in sides:
        raise ReplyError(texts.SYNTAX)
    count = 1
    rest = args[at + 1 :]
    if len(rest) > 1 and rest[0].upper() == b"COUNT":
        count = integer_between(rest[1], 1, INT_MAX, texts.COUNT_POSITIVE)
        rest = rest[2:]
    if rest:
        raise ReplyError(texts.SYNTAX)
    return args[2:at], args[at].upper(), count
