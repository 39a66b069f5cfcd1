"""Places on the earth as numbers of 52 bits, as Redis keeps them, and distances between them. No keys, no search.

The number's bits are those of latitude and longitude in turn, 26 of each, which makes cells of at most 0.6 m.
"""

from __future__ import annotations

from math import asin, cos, floor, pi, sin, sqrt

LONGITUDE_MOST = 180.0
LATITUDE_MOST = 85.05112878
STEPS = 26
RADIUS = 6372797.560856
"""That of the sphere which Redis takes for the earth, in metres."""
DEGREE = pi / 180.0
_CELLS = 1 << STEPS


def spread(number: int) -> int:
    """The 32 bits of a number, with a zero before each."""
    number = (number | number << 16) & 0x0000FFFF0000FFFF
    number = (number | number << 8) & 0x00FF00FF00FF00FF
    number = (number | number << 4) & 0x0F0F0F0F0F0F0F0F
    number = (number | number << 2) & 0x3333333333333333
    return (number | number << 1) & 0x5555555555555555


def gather(number: int) -> int:
    """Every second bit of a number."""
    number &= 0x5555555555555555
    number = (number | number >> 1) & 0x3333333333333333
    number = (number | number >> 2) & 0x0F0F0F0F0F0F0F0F
    number = (number | number >> 4) & 0x00FF00FF00FF00FF
    number = (number | number >> 8) & 0x0000FFFF0000FFFF
    return (number | number >> 16) & 0x00000000FFFFFFFF


def east_of(longitude: float) -> int:
    """How many cells a longitude is from the western end; the eastern end belongs to the last cell.

    >>> east_of(-180.0), east_of(180.0) == 2**26 - 1
    (0, True)
    """
    return min(int((longitude + LONGITUDE_MOST) / (2 * LONGITUDE_MOST) * _CELLS), _CELLS - 1)


def north_of(latitude: float) -> int:
    """How many cells a latitude is from the southern end."""
    return min(int((latitude + LATITUDE_MOST) / (2 * LATITUDE_MOST) * _CELLS), _CELLS - 1)


def number_of(longitude: float, latitude: float) -> int:
    """The number of a place, as GEOADD makes it.

    >>> number_of(13.361389, 38.115556)
    3479099956230698
    """
    return spread(north_of(latitude)) | spread(east_of(longitude)) << 1


def middle(east: float, north: float) -> tuple[float, float]:
    """The longitude and latitude of a cell's middle."""
    return (
        (east + 0.5) / _CELLS * (2 * LONGITUDE_MOST) - LONGITUDE_MOST,
        (north + 0.5) / _CELLS * (2 * LATITUDE_MOST) - LATITUDE_MOST,
    )


def place_of(score: float) -> tuple[float, float]:
    """The longitude and latitude of a number: the middle of its cell."""
    number = int(score)
    return middle(gather(number >> 1), gather(number))


def distance(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """The metres between two places, on a sphere."""
    here, there = latitude * DEGREE, other_latitude * DEGREE
    u = sin((there - here) / 2)
    v = sin((other_longitude * DEGREE - longitude * DEGREE) / 2)
    return 2.0 * RADIUS * asin(sqrt(u * u + cos(here) * cos(there) * v * v))


def rounded(metres: float) -> float:
    """Whole millimetres: so that the last bits of a sine, which differ from computer to computer, decide nothing.

    >>> rounded(12.3456)
    12.346
    """
    return floor(metres * 1000.0 + 0.5) / 1000.0
