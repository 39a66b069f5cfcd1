"""Vectors: their size and metric (``Dim``), the field that holds one (``Vector[...]``), and the order by nearness.

A vector has no index: it stands in the record as its bytes, and the nearest are found by looking at each that the
conditions leave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Never, Protocol, TypeAlias, TypeVar, cast, get_args, overload

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from redmodel.arithmetic.vectors import METRICS, Metric, pack, packer, unpack
from redmodel.errors import QueryError, SchemaError
from redmodel.model.expressions import Condition, FieldRef, Operator, Order
from redmodel.model.fields import VectorMark
from redmodel.model.scalars import LinkType, Scalar

V = TypeVar("V")

MOST = 16_384
"""Numbers that a vector may have."""


@dataclass(frozen=True, slots=True)
class Dim:
    """The size of a vector, and how near two of them are: ``Annotated[list[float], Dim(384)]``.

    The field holds a list of so many 32-bit floats. What it is given is rounded to them when it is validated, so what
    is saved is what you see; a list, a tuple, or anything with ``tolist()`` (a numpy array) will do. ``metric`` is
    ``"cosine"``, ``"dot"`` (largest first, both) or ``"euclidean"`` (smallest first). Raises SchemaError for a size or
    metric that can't be. Refused as values: NaN, infinity, another size; with ``"cosine"`` also all zeros.

    >>> Dim(2).round([0.1, 1])
    [0.10000000149011612, 1.0]
    """

    size: int
    metric: Metric = "cosine"

    def __post_init__(self) -> None:
        if type(self.size) is not int or not 1 <= self.size <= MOST:
            raise SchemaError(f"Dim({self.size!r}): a vector has 1 to {MOST} numbers.")
        if self.metric not in METRICS:
            raise SchemaError(f"Dim(…, metric={self.metric!r}): the metrics are {', '.join(METRICS)}.")

    def round(self, value: Any) -> list[float]:
        """The numbers as the 32-bit floats next to them. Raises ValueError for what is no such vector."""
        numbers = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(numbers, list | tuple):
            raise ValueError(f"a vector is a list of numbers, not {type(value).__name__}")
        given = cast("Sequence[Any]", numbers)
        if len(given) != self.size:
            raise ValueError(f"this vector has {len(given)} numbers, and {self.size} are declared")
        try:
            found = list(packer(self.size).unpack(packer(self.size).pack(*given)))
        except Exception as error:
            raise ValueError(f"a vector holds 32-bit floats: {error}") from error
        self._check(found)
        return found

    def _check(self, numbers: Sequence[float]) -> None:
        if not all(map(math.isfinite, numbers)):
            raise ValueError("a vector holds no NaN and no infinity")
        if self.metric == "cosine" and not any(numbers):
            raise ValueError("a vector of zeros has no direction, and a cosine tells directions")

    def _write(self, numbers: list[float]) -> bytes:
        if len(numbers) != self.size:
            raise ValueError(f"this vector has {len(numbers)} numbers, and {self.size} are declared")
        self._check(numbers)
        return pack(numbers)

    def _read(self, stored: bytes) -> list[float]:
        return unpack(stored, self.size)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        scalar = Scalar(list, self._write, self._read)
        return core_schema.no_info_plain_validator_function(
            self.round,
            metadata={"redmodel_link": LinkType(None, scalar, {"type": "any"}, bytes), "redmodel_vector": self},
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "number"}, "minItems": self.size, "maxItems": self.size}


@dataclass(frozen=True, slots=True)
class Nearest(Order):
    """The order by nearness to a vector; ``descending`` says which way its numbers go, by the metric."""

    metric: str = "cosine"
    vector: tuple[float, ...] = ()


class Numbers(Protocol):
    """A numpy array, or anything else that becomes a list by ``tolist()``."""

    def tolist(self) -> Any: ...


Numeric: TypeAlias = Sequence[float] | Numbers


def dim_of(annotation: Any) -> Dim | None:
    """The ``Dim`` inside an annotation, None where there is none."""
    for argument in (annotation, *get_args(annotation)):
        for entry in getattr(argument, "__metadata__", ()):
            if isinstance(entry, Dim):
                return entry
    return None


class VectorRef(FieldRef[Any], Generic[V]):
    """A vector as it is named in a query: ``Doc.embedding``. It can be ordered by, and is no condition."""

    __slots__ = ("_redmodel_dim",)

    def nearest_to(self, vector: Numeric) -> Order:
        """The order by nearness, the nearest first; ``scored()`` tells the cosine, dot product or distance.

        Records without a vector come last. It is the only order of its query. QueryError for what is no vector of the
        declared size.
        """
        path, dim = self._redmodel_path, self._redmodel_dim
        try:
            numbers = dim.round(vector)
        except ValueError as error:
            raise QueryError(f"{path}.nearest_to(): {error}.") from error
        down = dim.metric != "euclidean"
        return Nearest(path, down, self._redmodel_model, metric=dim.metric, vector=tuple(numbers))

    if TYPE_CHECKING:
        _redmodel_dim: Dim

        def __eq__(self, value: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __ne__(self, value: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __lt__(self, value: Never) -> Condition: ...
        def __le__(self, value: Never) -> Condition: ...
        def __gt__(self, value: Never) -> Condition: ...
        def __ge__(self, value: Never) -> Condition: ...
        def in_(self, values: Iterable[Never]) -> Condition: ...
        def not_in(self, values: Iterable[Never]) -> Condition: ...
        def between(self, low: Never, high: Never) -> Condition: ...
        def contains(self, item: Never) -> Condition: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def any_of(self, values: Iterable[Never]) -> Condition: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def all_of(self, values: Iterable[Never]) -> Condition: ...  # pyright: ignore[reportIncompatibleMethodOverride]

    else:

        def __init__(self, model: type[Any] | None, path: str, inside: Callable[[str], Any], dim: Dim) -> None:
            super().__init__(model, path, inside)
            self._redmodel_dim = dim

        def _compare(self, op: Operator, value: object) -> Condition:
            raise QueryError(
                f"{self._redmodel_path} is a vector: order_by({self._redmodel_path}.nearest_to(…)) asks it."
            )


if TYPE_CHECKING:

    class Vector(Generic[V]):
        """A vector of fixed size that can be searched: ``embedding: Vector[Annotated[list[float], Dim(384)]]``.

        ``db.find(Doc, …).order_by(Doc.embedding.nearest_to(v)).limit(10)`` finds the ten nearest of the records that
        meet the conditions, exactly: each is looked at. Stored as four bytes a number in the record's hash.
        """

        @overload
        def __get__(self, instance: None, owner: type[object]) -> VectorRef[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> VectorRef[V] | V: ...
        def __set__(self, instance: object, value: V | Numbers) -> None: ...

else:

    class Vector:
        """A vector of fixed size that can be searched: ``embedding: Vector[Annotated[list[float], Dim(384)]]``."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            dim = dim_of(annotation)
            if dim is None:
                raise SchemaError("Vector[...] needs a size: write Vector[Annotated[list[float], Dim(384)]].")
            return Annotated[annotation, VectorMark(dim)]
