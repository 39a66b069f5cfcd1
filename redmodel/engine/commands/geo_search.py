"""GEOSEARCH and GEORADIUS: the members of a sorted set that are near a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from redmodel.engine import texts
from redmodel.engine.arguments import double, integer
from redmodel.engine.commands.geo import place, position, unit
from redmodel.engine.commands.sorted_set_ranges import store
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply
from redmodel.engine.values import geohash
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.errors import ReplyError

TABLE = Table(
    ("GEOSEARCH", -7, "readonly", (1, 1, 1)),
    ("GEOSEARCHSTORE", -8, "write denyoom", (1, 2, 1)),
    ("GEORADIUS", -6, "write denyoom movablekeys", (1, 1, 1)),
    ("GEORADIUS_RO", -6, "readonly", (1, 1, 1)),
    ("GEORADIUSBYMEMBER", -5, "write denyoom movablekeys", (1, 1, 1)),
    ("GEORADIUSBYMEMBER_RO", -5, "readonly", (1, 1, 1)),
)


class _Found(NamedTuple):
    member: bytes
    score: float
    meters: float


@dataclass(slots=True)
class _Search:
    """What the arguments ask for; the place and the shape are None until they are read."""

    place: tuple[float, float] | None = None
    radius: float | None = None
    box: tuple[float, float] | None = None
    meters: float = 1.0
    """In the unit of the answer."""
    count: int = 0
    any: bool = False
    order: bytes = b""
    with_distance: bool = False
    with_hash: bool = False
    with_place: bool = False
    target: bytes | None = None
    event: bytes = b"georadiusstore"
    store_distance: bool = False


@TABLE.handles("GEORADIUS")
def georadius(context: Context, args: Args) -> Reply:
    return _georadius(context, args, writes=True)


@TABLE.handles("GEORADIUS_RO")
def georadius_ro(context: Context, args: Args) -> Reply:
    return _georadius(context, args, writes=False)


def _georadius(context: Context, args: Args, *, writes: bool) -> Reply:
    zset = context.sorted_set_at(args[1])
    search = _Search(place=place(args[2], args[3]))
    search.radius, search.meters = _radius(args[4], args[5])
    _read_options(search, args, 6, stores=writes)
    return _answer(context, zset, search)


@TABLE.handles("GEORADIUSBYMEMBER")
def georadiusbymember(context: Context, args: Args) -> Reply:
    return _georadiusbymember(context, args, writes=True)


@TABLE.handles("GEORADIUSBYMEMBER_RO")
def georadiusbymember_ro(context: Context, args: Args) -> Reply:
    return _georadiusbymember(context, args, writes=False)


def _georadiusbymember(context: Context, args: Args, *, writes: bool) -> Reply:
    zset = context.sorted_set_at(args[1])
    search = _Search()
    if zset is not None:
        search.place = _place_of(zset, args[2])
        search.radius, search.meters = _radius(args[3], args[4])
    _read_options(search, args, 5, stores=writes)
    return _answer(context, zset, search)


@TABLE.handles("GEOSEARCH")
def geosearch(context: Context, args: Args) -> Reply:
    return _geosearch(context, args, args[1], _Search(), 2)


@TABLE.handles("GEOSEARCHSTORE")
def geosearchstore(context: Context, args: Args) -> Reply:
    return _geosearch(context, args, args[2], _Search(target=args[1], event=b"geosearchstore"), 3)


def _geosearch(context: Context, args: Args, key: bytes, search: _Search, at: int) -> Reply:
    zset = context.sorted_set_at(key)
    from_member = from_place = by_radius = by_box = False
    stores = search.target is not None
    while at < len(args):
        option, left = args[at].upper(), len(args) - at - 1
        if option == b"FROMMEMBER" and left >= 1 and not from_place:
            from_member = True
            if zset is not None:
                search.place = _place_of(zset, args[at + 1])
            at += 2
        elif option == b"FROMLONLAT" and left >= 2 and not from_member:
            from_place = True
            search.place = place(args[at + 1], args[at + 2])
            at += 3
        elif option == b"BYRADIUS" and left >= 2 and not by_box:
            by_radius = True
            search.radius, search.meters = _radius(args[at + 1], args[at + 2])
            at += 3
        elif option == b"BYBOX" and left >= 3 and not by_radius:
            by_box = True
            search.box, search.meters = _box(*args[at + 1 : at + 4])
            at += 4
        elif option == b"STOREDIST" and stores:
            search.store_distance = True
            at += 1
        else:
            at = _read_option(search, args, at)
    _check_store(search, "GEOSEARCHSTORE")
    name = texts.shown(args[0])
    if not (from_member or from_place):
        raise ReplyError(f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}")
    if not (by_radius or by_box):
        raise ReplyError(f"ERR exactly one of BYRADIUS and BYBOX can be specified for {name}")
    return _answer(context, zset, search)


def _read_options(search: _Search, args: Args, at: int, *, stores: bool) -> None:
    while at < len(args):
        option = args[at].upper()
        if stores and option in (b"STORE", b"STOREDIST") and at + 1 < len(args):
            search.target, search.store_distance = args[at + 1], option == b"STOREDIST"
            at += 2
        else:
            at = _read_option(search, args, at)
    _check_store(search, "STORE option in GEORADIUS")


def _read_option(search: _Search, args: Args, at: int) -> int:
    """Read an option that all searches know, and give the position after it."""
    option = args[at].upper()
    if option == b"COUNT" and at + 1 < len(args):
        search.count = integer(args[at + 1])
        if search.count <= 0:
            raise ReplyError(texts.GEO_COUNT)
        return at + 2
    if option == b"WITHDIST":
        search.with_distance = True
    elif option == b"WITHHASH":
        search.with_hash = True
    elif option == b"WITHCOORD":
        search.with_place = True
    elif option == b"ANY":
        search.any = True
    elif option in (b"ASC", b"DESC"):
        search.order = option
    else:
        raise texts.syntax()
    return at + 1


def _check_store(search: _Search, who: str) -> None:
    if search.target is not None and (search.with_distance or search.with_hash or search.with_place):
        raise ReplyError(f"ERR {who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")


def _place_of(zset: SortedSet, member: bytes) -> tuple[float, float]:
    score = zset.scores.get(member)
    if score is None:
        raise ReplyError(texts.GEO_MEMBER)
    return geohash.decode(score)


def _radius(text: bytes, unit_text: bytes) -> tuple[float, float]:
    number = double(text, texts.GEO_RADIUS)
    if number < 0:
        raise ReplyError(texts.GEO_RADIUS_NEGATIVE)
    meters = unit(unit_text)
    return number * meters, meters


def _box(width: bytes, height: bytes, unit_text: bytes) -> tuple[tuple[float, float], float]:
    wide, tall = double(width, texts.GEO_WIDTH), double(height, texts.GEO_HEIGHT)
    if wide < 0 or tall < 0:
        raise ReplyError(texts.GEO_BOX_NEGATIVE)
    meters = unit(unit_text)
    return (wide * meters, tall * meters), meters


def _answer(context: Context, zset: SortedSet | None, search: _Search) -> Reply:
    if search.any and not search.count:
        raise ReplyError(texts.GEO_ANY)
    found: list[_Found] = []
    if zset is not None:
        found = _search(zset, search)
        order = search.order or (b"ASC" if search.count and not search.any else b"")
        if order:
            found.sort(key=_meters, reverse=order == b"DESC")
        if search.count:
            del found[search.count :]
    if search.target is not None:
        by_distance = search.store_distance
        scores = {one.member: one.meters / search.meters if by_distance else one.score for one in found}
        return store(context, search.target, scores, search.event)
    if not (search.with_distance or search.with_hash or search.with_place):
        return [one.member for one in found]
    rows: list[list[object]] = []
    for one in found:
        row: list[object] = [one.member]
        if search.with_distance:
            row.append(b"%.4f" % (one.meters / search.meters))
        if search.with_hash:
            row.append(int(one.score))
        if search.with_place:
            row.append(position(one.score))
        rows.append(row)
    return rows


def _meters(found: _Found) -> float:
    return found.meters


def _search(zset: SortedSet, search: _Search) -> list[_Found]:
    assert search.place is not None
    wide, tall = search.box or (0.0, 0.0)
    shape = geohash.Shape(*search.place, search.radius if search.box is None else None, wide, tall)
    found: list[_Found] = []
    enough = search.count if search.any else 0
    for low, high in geohash.boxes(shape):
        if enough and len(found) >= enough:
            break
        for member, score in zset.pairs(zset.below(low), zset.below(high)):
            meters = shape.distance_to(*geohash.decode(score))
            if meters is not None:
                found.append(_Found(member, score, meters))
                if enough and len(found) >= enough:
                    break
    return found
