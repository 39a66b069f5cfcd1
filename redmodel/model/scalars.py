"""The text that scalars have in Redis: a writer for each type, and a reader where Pydantic can't take the bytes."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic_core import SchemaSerializer, core_schema, to_json

NUL = b"\x00"
"""Alone it stands for None; a text or bytes value that starts with it gets one more in front."""

_FOLD = "[fold=1]"
_duration = SchemaSerializer(core_schema.timedelta_schema())


def escape(text: bytes) -> bytes:
    """The stored form of text or bytes: a leading NUL is doubled."""
    return NUL + text if text[:1] == NUL else text


def unescape(stored: bytes) -> bytes:
    """What :func:`escape` was given."""
    return stored[1:] if stored[:1] == NUL else stored


def write_str(value: str) -> bytes:
    return escape(str.encode(value))


def write_int(value: int) -> bytes:
    return b"%d" % value


def write_float(value: float) -> bytes:
    return float.__repr__(value).encode()


def write_bool(value: bool) -> bytes:
    return b"1" if value else b"0"


def write_datetime(value: datetime) -> bytes:
    """ISO 8601 with microseconds and offset; a naive time in its second turn (``fold=1``) says so in brackets."""
    return _with_fold(value)


def read_datetime(stored: bytes) -> datetime:
    text = stored.decode()
    if text.endswith(_FOLD):
        return datetime.fromisoformat(text[: -len(_FOLD)]).replace(fold=1)
    return datetime.fromisoformat(text)


def write_date(value: date) -> bytes:
    return value.isoformat().encode()


def write_time(value: time) -> bytes:
    return _with_fold(value)


def _with_fold(value: datetime | time) -> bytes:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise ValueError("its time zone gives no offset, so it would be read back without a zone")
    text = value.isoformat()
    return (text + _FOLD if value.fold and value.tzinfo is None else text).encode()


def read_time(stored: bytes) -> time:
    text = stored.decode()
    if text.endswith(_FOLD):
        return time.fromisoformat(text[: -len(_FOLD)]).replace(fold=1)
    return time.fromisoformat(text)


def write_timedelta(value: timedelta) -> bytes:
    text: str = _duration.to_python(value, mode="json")
    return text.encode()


def write_uuid(value: UUID) -> bytes:
    return str(value).encode()


def write_decimal(value: Decimal) -> bytes:
    return str(value).encode()


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar type: its Python class, its writer, its reader (None: Pydantic reads the bytes), and when in doubt.

    ``doubtful`` is a Python expression over ``v``; where it is true the value is written with a check.
    ``textual`` values may start with NUL.
    """

    python: type[Any]
    write: Callable[[Any], bytes]
    read: Callable[[bytes], object] | None = None
    inline: str = ""
    doubtful: str = ""
    textual: bool = False


@dataclass(frozen=True, slots=True)
class LinkType:
    """What a core schema says of itself: how values are written, read and told apart; of a reference also its model."""

    target: type[Any] | None
    scalar: Scalar
    load: dict[str, Any]
    token: Callable[[bytes], bytes]


SCALAR_TYPES: dict[str, Scalar] = {
    "str": Scalar(str, write_str, None, "v.encode()", "'\\0' in v", textual=True),
    "int": Scalar(int, write_int, None, "b'%d' % v"),
    "float": Scalar(float, write_float, None, "repr(v).encode()"),
    "bool": Scalar(bool, write_bool, None, "b'1' if v else b'0'"),
    "bytes": Scalar(bytes, escape, None, "v", "v[:1] == b'\\0'", textual=True),
    "datetime": Scalar(
        datetime,
        write_datetime,
        read_datetime,
        "v.isoformat().encode()",
        "v.fold or not (v.tzinfo is None or v.tzinfo is UTC or v.utcoffset() is not None)",
    ),
    "date": Scalar(date, write_date, None, "v.isoformat().encode()"),
    "time": Scalar(time, write_time, read_time, "v.isoformat().encode()", "v.fold or v.tzinfo is not None"),
    "timedelta": Scalar(timedelta, write_timedelta),
    "uuid": Scalar(UUID, write_uuid, bytes.decode, "str(v).encode()"),
    "decimal": Scalar(Decimal, write_decimal, bytes.decode, "str(v).encode()", "not v.is_finite()"),
}


def choices_of(inner: dict[str, Any]) -> dict[object, bytes] | None:
    """The stored text of each member of an Enum or each value of a Literal; None if that can't be told apart simply.

    Strings are stored as they are, ints as digits, and a mixture as JSON, where ``"1"`` and ``1`` differ.
    """
    members: list[Any] = list(inner["members"] if inner["type"] == "enum" else inner["expected"])
    if inner["type"] == "enum":
        if issubclass(inner["cls"], enum.Flag):
            return None  # a sum of members is a value too, and not in the list
        values = [member.value for member in members]
    else:
        values = members
    if all(type(value) is str for value in values):
        texts = [write_str(value) for value in values]
    elif all(type(value) in (str, int, bool) for value in values):
        texts = [to_json(value) for value in values]
    else:
        return None
    if len(set(members)) != len(members):
        return None  # 1 and True are one key of a dict
    return dict(zip(members, texts, strict=True)) if len(set(texts)) == len(texts) else None
