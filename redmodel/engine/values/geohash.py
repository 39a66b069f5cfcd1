"""The numbers that Redis keeps places as, and the boxes that it searches around one. No keys."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, sqrt
from typing import NamedTuple

from redmodel.arithmetic.places import DEGREE, LATITUDE_MOST, LONGITUDE_MOST, RADIUS, STEPS, distance, gather, spread

_MERCATOR_MOST = 20037726.37
_LONGITUDES = 0xAAAAAAAAAAAAAAAA
_LATITUDES = 0x5555555555555555
_LETTERS = b"0123456789bcdefghjkmnpqrstuvwxyz"
# The boxes around one in the order in which Redis looks into them, as moves to the east and to the north.
_AROUND = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))


class Area(NamedTuple):
    """A box in degrees."""

    west: float
    south: float
    east: float
    north: float


class Shape(NamedTuple):
    """What is searched: around a place, all within ``radius`` meters, or within a box where there is none."""

    longitude: float
    latitude: float
    radius: float | None
    width: float = 0.0
    height: float = 0.0

    def distance_to(self, longitude: float, latitude: float) -> float | None:
        """How many meters a place is from the middle; None if it is outside of the shape."""
        if self.radius is None:
            if RADIUS * abs(latitude * DEGREE - self.latitude * DEGREE) > self.height / 2:
                return None
            if distance(longitude, latitude, self.longitude, latitude) > self.width / 2:
                return None
            return distance(self.longitude, self.latitude, longitude, latitude)
        found = distance(self.longitude, self.latitude, longitude, latitude)
        return None if found > self.radius else found


def encode(longitude: float, latitude: float, steps: int = STEPS, latitude_most: float = LATITUDE_MOST) -> int:
    """The number of a place.

    >>> encode(13.361389, 38.115556)
    3479099956230698
    """
    north = int((latitude + latitude_most) / (2 * latitude_most) * (1 << steps)) & 0xFFFFFFFF
    east = int((longitude + LONGITUDE_MOST) / (2 * LONGITUDE_MOST) * (1 << steps)) & 0xFFFFFFFF
    return spread(north) | spread(east) << 1


def _area(bits: int, steps: int) -> Area:
    north, east = gather(bits), gather(bits >> 1)
    size = 1 << steps
    tall, wide = 2 * LATITUDE_MOST, 2 * LONGITUDE_MOST
    return Area(
        -LONGITUDE_MOST + east * 1.0 / size * wide,
        -LATITUDE_MOST + north * 1.0 / size * tall,
        -LONGITUDE_MOST + (east + 1) * 1.0 / size * wide,
        -LATITUDE_MOST + (north + 1) * 1.0 / size * tall,
    )


def decode(score: float) -> tuple[float, float]:
    """The longitude and latitude of a score: the middle of its box."""
    # What C makes of a score that is no place: the bits of a number of 64 of them.
    bits = 0 if score >= 1 << 64 else max(int(max(score, -(2.0**63))), -(1 << 63)) & 0xFFFFFFFFFFFFFFFF
    area = _area(bits, STEPS)
    longitude, latitude = (area.west + area.east) / 2, (area.south + area.north) / 2
    return (
        min(max(longitude, -LONGITUDE_MOST), LONGITUDE_MOST),
        min(max(latitude, -LATITUDE_MOST), LATITUDE_MOST),
    )


def letters(longitude: float, latitude: float) -> bytes:
    """The eleven letters of the standard geohash, which goes to the poles."""
    bits = encode(longitude, latitude, latitude_most=90.0)
    # There are bits for ten letters and a bit more: the last one is always 0.
    return bytes(_LETTERS[bits >> 52 - 5 * (at + 1) & 31] for at in range(10)) + b"0"


def _moved(bits: int, steps: int, east: int, north: int) -> int:
    """The box beside one; it comes out on the other side of the world where it ends."""
    spare = 64 - 2 * steps
    longitude, latitude = bits & _LONGITUDES, bits & _LATITUDES
    if east:
        fill = _LATITUDES >> spare
        longitude = longitude + fill + 1 if east > 0 else (longitude | fill) - (fill + 1)
        longitude &= _LONGITUDES >> spare
    if north:
        fill = _LONGITUDES >> spare
        latitude = latitude + fill + 1 if north > 0 else (latitude | fill) - (fill + 1)
        latitude &= _LATITUDES >> spare
    return longitude | latitude


def _steps_for(meters: float, latitude: float) -> int:
    """How fine boxes may be so that one and those around it hold everything so near."""
    if meters == 0:
        return STEPS
    steps = 1
    while meters < _MERCATOR_MOST:
        meters *= 2
        steps += 1
    steps -= 2
    if abs(latitude) > 66:
        steps -= 1
        if abs(latitude) > 80:
            steps -= 1
    return min(max(steps, 1), STEPS)


def _bounds(shape: Shape) -> Area:
    tall = shape.height / 2 if shape.radius is None else shape.radius
    wide = shape.width / 2 if shape.radius is None else shape.radius
    north = tall / RADIUS / DEGREE
    top = wide / RADIUS / cos((shape.latitude + north) * DEGREE) / DEGREE
    bottom = wide / RADIUS / cos((shape.latitude - north) * DEGREE) / DEGREE
    east = bottom if shape.latitude < 0 else top
    return Area(shape.longitude - east, shape.latitude - north, shape.longitude + east, shape.latitude + north)


def boxes(shape: Shape) -> Iterator[tuple[float, float]]:
    """The ranges of scores that hold everything within a shape, in Redis' order; the end of each is left out."""
    bounds = _bounds(shape)
    reach = sqrt((shape.width / 2) ** 2 + (shape.height / 2) ** 2) if shape.radius is None else shape.radius
    steps = _steps_for(reach, shape.latitude)
    bits = encode(shape.longitude, shape.latitude, steps)
    if steps > 1 and not _reaches(bits, steps, bounds):
        steps -= 1
        bits = encode(shape.longitude, shape.latitude, steps)
    area = _area(bits, steps)
    last: int | None = None
    for number, (east, north) in enumerate(_AROUND):
        if steps >= 2 and (
            (north < 0 and area.south < bounds.south)
            or (north > 0 and area.north > bounds.north)
            or (east < 0 and area.west < bounds.west)
            or (east > 0 and area.east > bounds.east)
        ):
            continue
        box = _moved(bits, steps, east, north)
        # Around most of the world, the boxes on two sides are the same.
        if box == last:
            continue
        if number:
            last = box
        shift = 52 - 2 * steps
        yield float(box << shift), float(box + 1 << shift)


def _reaches(bits: int, steps: int, bounds: Area) -> bool:
    """Whether the boxes around one reach as far as the bounds."""
    return not (
        _area(_moved(bits, steps, 0, 1), steps).north < bounds.north
        or _area(_moved(bits, steps, 0, -1), steps).south > bounds.south
        or _area(_moved(bits, steps, 1, 0), steps).east < bounds.east
        or _area(_moved(bits, steps, -1, 0), steps).west > bounds.west
    )
