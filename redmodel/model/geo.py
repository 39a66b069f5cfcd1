"""Places: ``Point``, the field that holds one (``Geo[Point]``), and the conditions and the order by distance.

What is judged is a place's cell in Redis' own grid, 0.6 m wide at most, in records and in questions alike: so the
index, which knows nothing else, and the record always agree. What is stored, and given back, is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Never, TypeAlias, TypeVar, cast, overload

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from redmodel.arithmetic.places import LATITUDE_MOST, LONGITUDE_MOST, east_of, middle, north_of, number_of, rounded
from redmodel.arithmetic.shapes import Box, Circle, Shape
from redmodel.errors import QueryError
from redmodel.model.expressions import Condition, FieldCondition, FieldRef, Operator, Order
from redmodel.model.fields import GeoMark

V = TypeVar("V")

Unit: TypeAlias = Literal["m", "km", "mi", "ft"]
"""Metres, kilometres, miles, feet, as long as Redis takes them."""

_METRES: dict[str, float] = {"m": 1.0, "km": 1000.0, "mi": 1609.34, "ft": 0.3048}


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the earth: degrees of longitude to the east, then of latitude to the north, as in GeoJSON and Redis.

    A field of this type also takes ``(lon, lat)`` and ``{"lon": …, "lat": …}``. Raises ValueError beyond 180 degrees of
    longitude, beyond 85.05112878 of latitude (where Redis' grid ends), and for NaN.

    >>> Point(10.75, 59.91)
    Point(lon=10.75, lat=59.91)
    """

    lon: float
    lat: float

    def __post_init__(self) -> None:
        # Whole numbers, and those of other libraries, would not be read back as what they are.
        for name in ("lon", "lat"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not abs(self.lon) <= LONGITUDE_MOST:
            raise ValueError(f"a longitude lies between -180 and 180 degrees, not at {self.lon!r}")
        if not abs(self.lat) <= LATITUDE_MOST:
            swapped = ": the longitude comes first" if abs(self.lon) <= LATITUDE_MOST else ""
            raise ValueError(
                f"a latitude lies between -{LATITUDE_MOST} and {LATITUDE_MOST}, not at {self.lat!r}{swapped}"
            )

    @property
    def number(self) -> int:
        """The place as a number of 52 bits: the score that GEOADD gives it."""
        return number_of(self.lon, self.lat)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Not the handler's schema, which is made once: a second place of a model would take no pair.
        fields = [core_schema.dataclass_field(name, core_schema.float_schema()) for name in ("lon", "lat")]
        given = core_schema.dataclass_args_schema("Point", fields)
        point = core_schema.dataclass_schema(cls, given, ["lon", "lat"], post_init=True, frozen=True, slots=True)
        return core_schema.no_info_before_validator_function(_from_pair, point)


def _from_pair(value: Any) -> Any:
    if not isinstance(value, tuple | list):
        return value
    pair = cast("Sequence[Any]", value)
    if len(pair) != 2:
        raise ValueError("a place is a longitude and a latitude")
    return {"lon": pair[0], "lat": pair[1]}


Place: TypeAlias = Point | tuple[float, float]
"""What a query takes for a place."""


class Inside(FieldCondition):
    """The place lies within a shape."""

    __slots__ = ("shape",)

    def __init__(self, path: str, shape: Shape, model: type[Any] | None = None) -> None:
        self.path = path
        self.shape = shape
        self.model = model

    def __eq__(self, other: object) -> bool:
        return (self.path, self.shape) == (other.path, other.shape) if isinstance(other, Inside) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.path, self.shape))

    def __repr__(self) -> str:
        return f"Inside(path={self.path!r}, shape={self.shape!r})"

    def test(self, index: Callable[[str], Any]) -> Callable[[Any], bool]:
        """Whether a record's place lies within the shape."""
        holds, places = self.shape.holds, index(self.path).values
        return lambda obj: any(place is not None and holds(place.number) for place in places(obj))


@dataclass(frozen=True, slots=True)
class Distance(Order):
    """The order by the distance from a place, that of the middle of a cell."""

    lon: float = 0.0
    lat: float = 0.0


def _middle_of(path: str, place: Any) -> tuple[float, float]:
    point = _point(path, place)
    return middle(east_of(point.lon), north_of(point.lat))


def _point(path: str, place: Any) -> Point:
    if isinstance(place, Point):
        return place
    try:
        lon, lat = place
        return Point(float(lon), float(lat))
    except (TypeError, ValueError) as error:
        raise QueryError(f"{path} is asked for with a place, Point(lon, lat): {error}.") from error


def _metres(path: str, radius: object, unit: str) -> float:
    if unit not in _METRES:
        raise QueryError(f"{path}.within() knows the units {', '.join(_METRES)}, not {unit!r}.")
    if isinstance(radius, bool) or not isinstance(radius, int | float) or not 0 <= radius < math.inf:
        raise QueryError(f"{path}.within() takes a radius of at least 0, not {radius!r}.")
    return rounded(radius * _METRES[unit])


class GeoRef(FieldRef[Any], Generic[V]):
    """A place as it is named in a query: ``Shop.location``. Places are near to each other, and never less or more."""

    __slots__ = ()

    def within(self, place: Place, radius: float, unit: Unit = "m") -> Condition:
        """The place is at most ``radius`` away, in metres if no other ``unit`` is named (km, mi, ft).

        Distances are those on Redis' sphere, told in whole millimetres, between cells of at most 0.6 m. QueryError for
        a radius below zero, and for what is no place.
        """
        path = self._redmodel_path
        metres = _metres(path, radius, unit)
        return self._ask(Inside(path, Circle(*_middle_of(path, place), metres), self._redmodel_model))

    def in_box(self, south_west: Place, north_east: Place) -> Condition:
        """The place lies between two corners, their own cells included.

        Where the first is east of the second, the box goes across the antimeridian. QueryError if the first is north
        of the second.
        """
        path = self._redmodel_path
        first, second = _point(path, south_west), _point(path, north_east)
        if first.lat > second.lat:
            raise QueryError(f"{path}.in_box() takes the south-western corner, then the north-eastern one.")
        shape = Box(east_of(first.lon), north_of(first.lat), east_of(second.lon), north_of(second.lat))
        return self._ask(Inside(path, shape, self._redmodel_model))

    def distance_from(self, place: Place) -> Order:
        """The order by distance, the nearest first; ``scored()`` tells it in metres. ``-`` in front turns it around."""
        lon, lat = _middle_of(self._redmodel_path, place)
        return Distance(self._redmodel_path, model=self._redmodel_model, lon=lon, lat=lat)

    if TYPE_CHECKING:

        def __eq__(self, value: None) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __ne__(self, value: None) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
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

        def _compare(self, op: Operator, value: object) -> Condition:
            if value is not None:
                raise QueryError(
                    f"{self._redmodel_path} holds places, which are asked for with within(), in_box() and is_null()."
                )
            return super()._compare(op, value)


if TYPE_CHECKING:

    class Geo(Generic[V]):
        """Keeps an index of places: ``location: Geo[Point]``, or ``Geo[Point | None]``.

        ``Shop.location.within(place, 5, "km")`` and ``in_box(…)`` are conditions, ``distance_from(place)`` an order.
        Cost: one more entry in a sorted set for each record, one that GEOSEARCH can read too.
        """

        @overload
        def __get__(self, instance: None, owner: type[object]) -> GeoRef[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> GeoRef[V] | V: ...
        def __set__(self, instance: object, value: V | tuple[float, float]) -> None: ...

else:

    class Geo:
        """Keeps an index of places: ``location: Geo[Point]``, or ``Geo[Point | None]``."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            return Annotated[annotation, GeoMark()]
