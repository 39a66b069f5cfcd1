"""One question: is a value that was read back the value that was written? Stricter than ``==``, and right about NaN."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from pydantic import BaseModel


def same(a: object, b: object, opaque: list[object] | None = None) -> bool:
    """Whether ``b`` has the type and the value of ``a``, all the way down.

    NaN is the same as NaN, ``0.0`` is not ``-0.0``, ``Decimal("1.0")`` not ``Decimal("1.00")``, True not 1. Two aware
    datetimes are the same if they name one instant and show one wall time; the name of the zone is not kept. Objects
    without an ``__eq__`` are not the same, unless ``opaque`` is given: then they pass, and are put there for another
    test.
    """
    if type(a) is not type(b):
        return False
    if a is None or isinstance(a, str | int | bytes):
        return a == b
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, datetime):
        return _same_datetime(a, b)
    if isinstance(a, time):
        return _same_time(a, b)
    if isinstance(a, Decimal):
        return isinstance(b, Decimal) and a.as_tuple() == b.as_tuple()
    if isinstance(a, list | tuple):
        return _same_items(a, b, opaque)
    if isinstance(a, Mapping):
        return _same_mapping(a, b, opaque)
    if isinstance(a, set | frozenset):
        return _same_set(a, b, opaque)
    if isinstance(a, BaseModel) and isinstance(b, BaseModel):
        return same(a.__dict__, b.__dict__, opaque) and same(a.__pydantic_extra__, b.__pydantic_extra__, opaque)
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        names = [f.name for f in dataclasses.fields(a)]
        return all(same(getattr(a, n, None), getattr(b, n, None), opaque) for n in names)
    if type(a).__eq__ is object.__eq__:
        if opaque is not None:
            opaque.append(a)
        return a is b or opaque is not None
    return bool(a == b)


def _same_fold(a: datetime | time, b: Any) -> bool:
    # An aware value shows its fold in its offset; a naive one has nothing else to show it.
    return a.tzinfo is not None or a.fold == b.fold


def _same_datetime(a: datetime, b: Any) -> bool:
    if (a.tzinfo is None) != (b.tzinfo is None):
        return False
    # Not `a == b`: Python calls times in a repeated hour unequal to the same instant in another zone.
    return a.replace(tzinfo=None) == b.replace(tzinfo=None) and a.utcoffset() == b.utcoffset() and _same_fold(a, b)


def _same_time(a: time, b: Any) -> bool:
    return (a.tzinfo is None) == (b.tzinfo is None) and a == b and _same_fold(a, b)


def _same_items(a: Any, b: Any, opaque: list[object] | None) -> bool:
    return len(a) == len(b) and all(same(x, y, opaque) for x, y in zip(a, b, strict=True))


def _same_mapping(a: Any, b: Any, opaque: list[object] | None) -> bool:
    if len(a) != len(b):
        return False
    partners = {key: key for key in b}
    return all(key in partners and same(key, partners[key], opaque) and same(a[key], b[key], opaque) for key in a)


def _same_set(a: Any, b: Any, opaque: list[object] | None) -> bool:
    if a != b:
        return False
    partners = {item: item for item in b}
    return all(same(item, partners[item], opaque) for item in a)
