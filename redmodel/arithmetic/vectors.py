"""Lists of 32-bit floats: their bytes, and how near two of them are. Plain Python, or numpy where it is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from operator import mul
from struct import Struct
from typing import Any, Literal, TypeAlias

Metric: TypeAlias = Literal["cosine", "dot", "euclidean"]
METRICS: tuple[Metric, ...] = ("cosine", "dot", "euclidean")

_MANY = 64
"""So many vectors are worth the way into numpy."""

_product: Callable[[Sequence[float], Sequence[float]], float]
_product = getattr(math, "sumprod", None) or (lambda one, other: sum(map(mul, one, other)))


@cache
def packer(size: int) -> Struct:
    """Packs and unpacks so many 32-bit floats, the lowest byte of each first."""
    return Struct(f"<{size}f")


def pack(numbers: Sequence[float]) -> bytes:
    """The bytes of numbers that are 32-bit floats already. Raises ValueError for others."""
    try:
        packed = packer(len(numbers)).pack(*numbers)
    except Exception as error:
        raise ValueError(f"a vector holds 32-bit floats: {error}") from error
    if list(packer(len(numbers)).unpack(packed)) != list(numbers) or _from_json(packed, len(numbers)) is not None:
        raise ValueError("a vector holds finite 32-bit floats; Dim(...).round(numbers) makes them")
    return packed


def unpack(stored: bytes, size: int) -> list[float]:
    """The numbers of stored bytes, or of the JSON of a list, as it was stored before the field was a vector.

    Raises ValueError for what is neither, or of another size.

    >>> unpack(pack([1.0, 0.5]), 2), unpack(b"[1, 0.1]", 2)
    ([1.0, 0.5], [1.0, 0.10000000149011612])
    """
    if stored[:1] == b"[" and (listed := _from_json(stored, size)) is not None:
        return list(packer(size).unpack(packer(size).pack(*listed)))
    if len(stored) != 4 * size:
        raise ValueError(f"a vector of {size} numbers takes {4 * size} bytes, not {len(stored)}")
    return list(packer(size).unpack(stored))


def _from_json(stored: bytes, size: int) -> list[float] | None:
    if stored[:1] != b"[" or stored[-1:] != b"]":
        return None
    try:
        found = json.loads(stored)
    except ValueError:
        return None
    return found if len(found) == size and all(type(one) in (int, float) for one in found) else None


def nearness(metric: str, query: Sequence[float]) -> Callable[[bytes | None], float | None]:
    """From stored bytes to how near they are to a vector: cosine, dot product, or distance; None where there is none.

    >>> nearness("cosine", [1.0, 0.0])(pack([2.0, 0.0])), nearness("euclidean", [0.0, 0.0])(pack([3.0, 4.0]))
    (1.0, 5.0)
    """
    size, length = len(query), math.hypot(*query)

    def near(stored: bytes | None) -> float | None:
        if stored is None:
            return None
        try:
            found = unpack(stored, size)
        except ValueError:
            return None
        if metric == "euclidean":
            return math.dist(query, found)
        product = _product(query, found)
        if metric == "dot":
            return product
        lengths = length * math.hypot(*found)
        return product / lengths if lengths > 0.0 else None

    return near


def all_near(metric: str, query: Sequence[float], stored: Sequence[bytes | None]) -> list[float | None]:
    """The :func:`nearness` of each; by numpy where there are many and it is installed."""
    if len(stored) >= _MANY and (numpy := _numpy()) is not None:
        return _by_numpy(numpy, metric, query, stored)
    return list(map(nearness(metric, query), stored))


@cache
def _numpy() -> Any:
    try:
        return import_module("numpy")
    except ImportError:
        return None


def _by_numpy(numpy: Any, metric: str, query: Sequence[float], stored: Sequence[bytes | None]) -> list[float | None]:
    size = 4 * len(query)
    plain = [at for at, one in enumerate(stored) if one is not None and len(one) == size and one[:1] != b"["]
    found: list[float | None] = [None] * len(stored)
    near_one = nearness(metric, query)
    for at in set(range(len(stored))).difference(plain):
        found[at] = near_one(stored[at])
    if not plain:
        return found
    rows = numpy.frombuffer(b"".join([stored[at] or b"" for at in plain]), dtype="<f4").astype("f8")
    rows = rows.reshape(len(plain), len(query))
    asked = numpy.array(query, dtype="f8")
    near = numpy.sqrt(((rows - asked) ** 2).sum(axis=1)) if metric == "euclidean" else rows @ asked
    if metric == "cosine":
        lengths = numpy.sqrt((rows * rows).sum(axis=1)) * math.hypot(*query)
        near = numpy.where(lengths > 0.0, near / numpy.where(lengths > 0.0, lengths, 1.0), numpy.nan)
    for at, one in zip(plain, near.tolist(), strict=True):
        found[at] = None if one != one else one
    return found
