"""Places as a real server has them: every command, option and error, and searches of all sizes all over the world."""

from __future__ import annotations

import random

import pytest

from tests.differential.both import Both


def test_places(both: Both) -> None:
    both.check_all(r"""
        GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
        GEOADD Sicily 13.361389 38.115556 Palermo
        GEOADD Sicily CH 13.4 38.115556 Palermo
        GEOADD Sicily NX 13.361389 38.115556 Palermo 13.583333 37.316667 Agrigento
        GEOADD Sicily XX CH 13.361389 38.115556 Palermo 1 1 nope
        GEOADD Sicily NX XX 1 1 a
        GEOADD Sicily nx ch 1 1 a
        GEOADD Sicily 1 1 a 2
        GEOADD Sicily NX CH XX
        GEOADD Sicily CH CH CH
        GEOADD Sicily NX CH
        GEOADD Sicily x 1 a
        GEOADD Sicily 1 x a
        GEOADD Sicily 181 1 a
        GEOADD Sicily 1 86 a
        GEOADD Sicily -180 -85.05112878 corner 180 85.05112878 other
        GEOADD Sicily 1 1 fine 500 500 bad
        GEOADD Sicily nan 1 a
        GEOADD Sicily inf 1 a
        GEOADD Sicily 1e400 1 a
        GEOADD Sicily 1
        ZRANGE Sicily 0 -1 WITHSCORES
        GEOPOS Sicily Palermo Catania nope corner other
        GEOPOS Sicily
        GEOPOS nope
        GEOPOS nope a b
        GEOPOS
        GEOHASH Sicily Palermo Catania nope corner other
        GEOHASH Sicily
        GEOHASH nope a
        GEODIST Sicily Palermo Catania
        GEODIST Sicily Palermo Catania m
        GEODIST Sicily Palermo Catania KM
        GEODIST Sicily Palermo Catania mi
        GEODIST Sicily Palermo Catania ft
        GEODIST Sicily Palermo Palermo
        GEODIST Sicily Palermo Catania yard
        GEODIST Sicily Palermo nope
        GEODIST Sicily Palermo Catania m x
        GEODIST nope a b
        GEODIST nope a b yard
        GEODIST Sicily Palermo
        SET s 1
        GEOADD s 1 1 a
        GEOPOS s a
        GEOHASH s a
        GEODIST s a b
        ZADD odd -5 low 1e300 high 0.5 half inf endless
        GEOPOS odd low half high endless
        ZADD odd -inf below -1e300 deep 1.8e19 much 1e19 more
        GEOPOS odd below deep much more
        GEODIST odd below more
        GEOHASH odd below deep much more high
    """)


def test_searches(both: Both) -> None:
    both.check_all(r"""
        GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 13.583333 37.316667 Agrigento 2.35 48.85 Paris
        GEORADIUS k 15 37 200 km
        GEORADIUS k 15 37 200 km WITHDIST
        GEORADIUS k 15 37 200 km WITHCOORD WITHHASH WITHDIST
        GEORADIUS k 15 37 200 km withcoord asc
        GEORADIUS k 15 37 200 km DESC
        GEORADIUS k 15 37 200 km COUNT 1
        GEORADIUS k 15 37 200 km COUNT 1 ANY
        GEORADIUS k 15 37 200 km COUNT 2 DESC WITHDIST
        GEORADIUS k 15 37 200 km ANY
        GEORADIUS k 15 37 200 km COUNT 0
        GEORADIUS k 15 37 200 km COUNT -1
        GEORADIUS k 15 37 200 km COUNT x
        GEORADIUS k 15 37 200 km COUNT
        GEORADIUS k 15 37 200 km FOO
        GEORADIUS k 15 37 -1 km
        GEORADIUS k 15 37 x km
        GEORADIUS k 15 37 1 foo
        GEORADIUS k 500 37 1 km
        GEORADIUS k 15 37 0 m
        GEORADIUS k 13.361389 38.115556 1 m
        GEORADIUS nope 15 37 200 km
        GEORADIUS nope 15 37 200 foo
        GEORADIUS nope 15 37 200 km FOO
        GEORADIUS nope 15 37 200 km WITHDIST
        GEORADIUS k 15 37 200 km STORE d
        ZRANGE d 0 -1 WITHSCORES
        GEORADIUS k 15 37 200 km STOREDIST d
        ZRANGE d 0 -1 WITHSCORES
        GEORADIUS k 15 37 200 km STOREDIST d COUNT 1
        ZRANGE d 0 -1 WITHSCORES
        GEORADIUS k 15 37 200 mi STOREDIST e STORE d
        ZRANGE d 0 -1 WITHSCORES
        EXISTS e
        GEORADIUS k 15 37 200 km STORE d WITHDIST
        GEORADIUS k 15 37 1 km STORE d
        EXISTS d
        GEORADIUS nope 15 37 200 km STORE d
        SET str 1
        GEORADIUS nope 15 37 200 km STORE str
        EXISTS str
        GEORADIUS_RO k 15 37 200 km STORE d
        GEORADIUS_RO k 15 37 200 km WITHDIST
        GEORADIUSBYMEMBER k Agrigento 100 km
        GEORADIUSBYMEMBER k nope 100 km
        GEORADIUSBYMEMBER nope nope x foo
        GEORADIUSBYMEMBER nope nope x foo FOO
        GEORADIUSBYMEMBER nope nope x foo STORE d
        GEORADIUSBYMEMBER k Agrigento 100 km STORE k2
        ZRANGE k2 0 -1 WITHSCORES
        GEORADIUSBYMEMBER_RO k Agrigento 100 km STORE k2
        GEORADIUSBYMEMBER_RO k Agrigento 100 km ASC
        GEOSEARCH k FROMMEMBER Palermo BYRADIUS 200 km ASC
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST WITHCOORD WITHHASH
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 400 km DESC COUNT 1
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 400 km COUNT 1 ANY
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 400 km ANY
        GEOSEARCH k BYBOX 400 400 km FROMLONLAT 15 37 ASC
        GEOSEARCH k FROMLONLAT 15 37 FROMMEMBER Palermo BYBOX 400 400 km
        GEOSEARCH k FROMMEMBER Palermo FROMLONLAT 15 37 BYBOX 400 400 km
        GEOSEARCH k FROMMEMBER Palermo FROMMEMBER Catania BYRADIUS 1 km
        GEOSEARCH k FROMMEMBER Palermo BYRADIUS 1 km BYBOX 400 400 km
        GEOSEARCH k FROMMEMBER Palermo BYBOX 400 400 km BYRADIUS 1 km
        GEOSEARCH k BYRADIUS 1 km ASC WITHDIST
        GEOSEARCH k FROMMEMBER Palermo ASC WITHDIST WITHHASH
        geosearch k FROMMEMBER Palermo ASC WITHDIST WITHHASH
        GEOSEARCH k FROMMEMBER nope BYRADIUS 1 km
        GEOSEARCH nope FROMMEMBER nope BYRADIUS 1 km
        GEOSEARCH nope FROMMEMBER nope BYRADIUS x km
        GEOSEARCH k FROMLONLAT 15 37 BYBOX -1 400 km
        GEOSEARCH k FROMLONLAT 15 37 BYBOX x 400 km
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 x km
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 400 foo
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 0 0 km
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km STORE d
        GEOSEARCH k FROMLONLAT 15 97 BYRADIUS 200 km
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200
        GEOSEARCHSTORE d k FROMLONLAT 15 37 BYBOX 400 400 km
        ZRANGE d 0 -1 WITHSCORES
        GEOSEARCHSTORE d k FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST
        ZRANGE d 0 -1 WITHSCORES
        GEOSEARCHSTORE d k FROMLONLAT 15 37 BYBOX 400 400 km WITHDIST
        GEOSEARCHSTORE d k FROMLONLAT 15 37 WITHDIST ASC DESC
        GEOSEARCHSTORE d k FROMLONLAT 15 37 ASC DESC ASC
        GEOSEARCHSTORE d nope FROMLONLAT 15 37 BYBOX 400 400 km
        EXISTS d
        LPUSH l a
        GEORADIUS l 15 37 200 km
        GEOSEARCH l FROMLONLAT 15 37 BYBOX 400 400 km
        GEOSEARCHSTORE l k FROMLONLAT 15 37 BYBOX 400 400 km
        TYPE l
    """)


@pytest.mark.parametrize("seed", range(3))
def test_everywhere(both: Both, seed: int) -> None:
    choose = random.Random(seed)

    def place() -> list[bytes]:
        wide = choose.choice((180, 180, 20, 1, 0.01))
        east = choose.uniform(-wide, wide) + choose.choice((0, 0, 170, -170))
        north = choose.choice((choose.uniform(-85, 85), choose.uniform(-2, 2), choose.uniform(60, 85)))
        return [b"%f" % max(min(east, 180), -180), b"%f" % north]

    for _ in range(20):
        both.check([b"GEOADD", b"k", *(part for n in range(30) for part in (*place(), b"m%d" % choose.randrange(900)))])
    for _ in range(300):
        size = b"%f" % (10 ** choose.uniform(-2, 4.5))
        unit = choose.choice((b"km", b"km", b"mi", b"ft"))
        shape = choose.choice(
            ([b"BYRADIUS", size, unit], [b"BYBOX", size, b"%f" % (10 ** choose.uniform(-2, 4.5)), unit])
        )
        middle = choose.choice(([b"FROMLONLAT", *place()], [b"FROMMEMBER", b"m%d" % choose.randrange(900)]))
        options = choose.choice(([], [b"ASC"], [b"DESC"], [b"COUNT", b"5"], [b"COUNT", b"7", b"ANY"]))
        both.check([b"GEOSEARCH", b"k", *middle, *shape, *options, b"WITHDIST", b"WITHHASH"])
        both.check([b"GEORADIUS", b"k", *place(), size, unit, *options, b"WITHCOORD"])
        both.check([b"GEODIST", b"k", b"m%d" % choose.randrange(900), b"m%d" % choose.randrange(900), unit])
    members = [b"m%d" % number for number in range(900)]
    both.check([b"GEOPOS", b"k", *members])
    both.check([b"GEOHASH", b"k", *members])
