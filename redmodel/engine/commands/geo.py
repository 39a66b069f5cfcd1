"""Commands on places: sorted sets with the numbers of ``values.geohash`` as scores. Searches are in ``geo_search``."""

from __future__ import annotations

from redmodel.arithmetic import places
from redmodel.engine import texts
from redmodel.engine.arguments import double
from redmodel.engine.commands.sorted_sets import zadd
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import NIL_ARRAY, LongDouble, Reply
from redmodel.engine.values import geohash
from redmodel.errors import ReplyError

TABLE = Table(
    ("GEOADD", -5, "write denyoom", (1, 1, 1)),
    ("GEODIST", -4, "readonly", (1, 1, 1)),
    ("GEOHASH", -2, "readonly", (1, 1, 1)),
    ("GEOPOS", -2, "readonly", (1, 1, 1)),
)

UNITS = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}
"""The meters in each unit of length."""


def place(longitude: bytes, latitude: bytes) -> tuple[float, float]:
    """Read a longitude and a latitude that are on the map."""
    east, north = double(longitude), double(latitude)
    if abs(east) > places.LONGITUDE_MOST or abs(north) > places.LATITUDE_MOST:
        raise ReplyError(f"ERR invalid longitude,latitude pair {east:f},{north:f}")
    return east, north


def unit(text: bytes) -> float:
    """Read a unit of length, in meters."""
    meters = UNITS.get(text.lower())
    if meters is None:
        raise ReplyError(texts.GEO_UNIT)
    return meters


def position(score: float) -> list[LongDouble]:
    """The longitude and latitude of a score as they are answered."""
    return [LongDouble((b"%.17f" % number).rstrip(b"0").rstrip(b".")) for number in geohash.decode(score)]


@TABLE.handles("GEOADD")
def geoadd(context: Context, args: Args) -> Reply:
    at = 2
    while at < len(args) and args[at].upper() in (b"NX", b"XX", b"CH"):
        at += 1
    options = {option.upper() for option in args[2:at]}
    if (len(args) - at) % 3 or {b"NX", b"XX"} <= options:
        raise texts.syntax()
    command = [b"ZADD", *args[1:at]]
    for first in range(at, len(args), 3):
        score = geohash.encode(*place(args[first], args[first + 1]))
        command += (b"%d" % score, args[first + 2])
    reply = zadd(context, command)
    if context.changed:
        context.effect(*command)
    return reply


@TABLE.handles("GEODIST")
def geodist(context: Context, args: Args) -> Reply:
    if len(args) > 5:
        raise texts.syntax()
    meters = unit(args[4]) if len(args) == 5 else 1.0
    zset = context.sorted_set_at(args[1])
    if zset is None:
        return None
    one, other = zset.scores.get(args[2]), zset.scores.get(args[3])
    if one is None or other is None:
        return None
    return b"%.4f" % (places.distance(*geohash.decode(one), *geohash.decode(other)) / meters)


@TABLE.handles("GEOHASH")
def geohash_(context: Context, args: Args) -> Reply:
    zset = context.sorted_set_at(args[1])
    scores = [None if zset is None else zset.scores.get(member) for member in args[2:]]
    return [None if score is None else geohash.letters(*geohash.decode(score)) for score in scores]


@TABLE.handles("GEOPOS")
def geopos(context: Context, args: Args) -> Reply:
    zset = context.sorted_set_at(args[1])
    scores = [None if zset is None else zset.scores.get(member) for member in args[2:]]
    return [NIL_ARRAY if score is None else position(score) for score in scores]
