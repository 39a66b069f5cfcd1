"""Values as RDB files hold them, made into the engine's containers: one function for each way of writing. No I/O.

A decoder takes the buffer and the position behind the key, and gives the value and the position after it. An empty
collection is given as it is: Redis skips such a key.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf, isnan
from struct import unpack_from
from typing import TypeAlias

from redmodel.engine.arguments import parse_integer, strtod
from redmodel.engine.storage.rdb import codes, packed
from redmodel.engine.storage.rdb.primitives import BadData, NeedMore, read_count, read_length, read_string
from redmodel.engine.storage.rdb.streams import stream_decoder
from redmodel.engine.values.expiring_hash import ExpiringHash
from redmodel.engine.values.field_names import shared
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.engine.values.types import Value

Decoder: TypeAlias = Callable[[bytes, int], tuple[Value, int]]

_PLAIN_NODE, _PACKED_NODE = 1, 2
_SPECIAL_SCORES = {253: None, 254: inf, 255: -inf}


def _string(buffer: bytes, position: int) -> tuple[bytes, int]:
    return read_string(buffer, position)


def _strings(buffer: bytes, position: int, count: int) -> tuple[list[bytes], int]:
    """So many strings, and the position after them."""
    strings: list[bytes] = []
    append = strings.append
    for _ in range(count):
        size = buffer[position]
        if size < 0x40:
            position += 1
            end = position + size
            append(buffer[position:end])
            position = end
        else:
            text, position = read_string(buffer, position)
            append(text)
    if position > len(buffer):
        raise NeedMore(position)
    return strings, position


def _list(buffer: bytes, position: int) -> tuple[deque[bytes], int]:
    count, position = read_count(buffer, position)
    elements, position = _strings(buffer, position, count)
    return deque(elements), position


def _set(buffer: bytes, position: int) -> tuple[set[bytes], int]:
    start = position
    count, position = read_count(buffer, position)
    members, position = _strings(buffer, position, count)
    return _distinct(members, start), position


def _distinct(members: list[bytes], position: int) -> set[bytes]:
    found = set(members)
    if len(found) != len(members):
        raise BadData(position, "a set that holds a member twice")
    return found


def _hash(buffer: bytes, position: int) -> tuple[dict[bytes, bytes], int]:
    start = position
    count, position = read_count(buffer, position)
    parts, position = _strings(buffer, position, 2 * count)
    return _pairs(parts, start), position


def _pairs(parts: list[bytes], position: int) -> dict[bytes, bytes]:
    if len(parts) % 2:
        raise BadData(position, "a field without its value")
    found = dict(zip(shared(parts[::2]), parts[1::2], strict=True))
    if 2 * len(found) != len(parts):
        raise BadData(position, "a hash that holds a field twice")
    return found


def _sorted_set(buffer: bytes, position: int) -> tuple[SortedSet, int]:
    start = position
    count, position = read_count(buffer, position)
    scores: dict[bytes, float] = {}
    for _ in range(count):
        member, position = read_string(buffer, position)
        size = buffer[position]
        position += 1
        if size in _SPECIAL_SCORES:
            score = _SPECIAL_SCORES[size]
        else:
            if position + size > len(buffer):
                raise NeedMore(position + size)
            score = strtod(buffer[position : position + size])
            position += size
        scores[member] = _score(score, position)
    return _ranked(scores, count, start), position


def _sorted_set_2(buffer: bytes, position: int) -> tuple[SortedSet, int]:
    start = position
    count, position = read_count(buffer, position)
    scores: dict[bytes, float] = {}
    for _ in range(count):
        member, position = read_string(buffer, position)
        if position + 8 > len(buffer):
            raise NeedMore(position + 8)
        score: float = unpack_from("<d", buffer, position)[0]
        position += 8
        scores[member] = _score(score, position)
    return _ranked(scores, count, start), position


def _score(score: float | None, position: int) -> float:
    if score is None or isnan(score):
        raise BadData(position, "a score that is no number")
    return score + 0.0  # turns -0.0 into the 0 that SortedSet keeps


def _ranked(scores: dict[bytes, float], count: int, position: int) -> SortedSet:
    if len(scores) != count:
        raise BadData(position, "a sorted set that holds a member twice")
    return SortedSet(scores)


def _blob(buffer: bytes, position: int, unpack: Callable[[bytes], list[bytes]]) -> tuple[list[bytes], int]:
    """The elements of a collection that is packed into one string, and the position after it."""
    blob, after = read_string(buffer, position)
    try:
        return unpack(blob), after
    except ValueError as error:
        raise BadData(position, str(error)) from None
    except IndexError:
        raise BadData(position, f"a {unpack.__name__} that is cut off") from None


def _packed_list(buffer: bytes, position: int) -> tuple[deque[bytes], int]:
    elements, position = _blob(buffer, position, packed.ziplist)
    return deque(elements), position


def _quicklist(buffer: bytes, position: int) -> tuple[deque[bytes], int]:
    nodes, position = read_count(buffer, position)
    elements: deque[bytes] = deque()
    for _ in range(nodes):
        found, position = _blob(buffer, position, packed.ziplist)
        elements += found
    return elements, position


def _quicklist_2(buffer: bytes, position: int) -> tuple[deque[bytes], int]:
    nodes, position = read_count(buffer, position)
    elements: deque[bytes] = deque()
    for _ in range(nodes):
        kind, after = read_length(buffer, position)
        if kind == _PACKED_NODE:
            found, position = _blob(buffer, after, packed.listpack)
            elements += found
        elif kind == _PLAIN_NODE:
            element, position = read_string(buffer, after)
            if not element:
                raise BadData(after, "a list with a node that holds nothing")
            elements.append(element)
        else:
            raise BadData(position, "a list with a node of an unknown kind")
    return elements, position


def _packed_set(unpack: Callable[[bytes], list[bytes]]) -> Decoder:
    def decode(buffer: bytes, position: int) -> tuple[set[bytes], int]:
        members, after = _blob(buffer, position, unpack)
        return _distinct(members, position), after

    return decode


def _packed_hash(unpack: Callable[[bytes], list[bytes]]) -> Decoder:
    def decode(buffer: bytes, position: int) -> tuple[dict[bytes, bytes], int]:
        parts, after = _blob(buffer, position, unpack)
        return _pairs(parts, position), after

    return decode


def _packed_sorted_set(unpack: Callable[[bytes], list[bytes]]) -> Decoder:
    def decode(buffer: bytes, position: int) -> tuple[SortedSet, int]:
        parts, after = _blob(buffer, position, unpack)
        texts = _pairs(parts, position)
        scores = {member: _score(strtod(text), position) for member, text in texts.items()}
        return SortedSet(scores), after

    return decode


def _hash_with_deadlines(*, relative: bool) -> Decoder:
    """Each field with its deadline; since 7.4 was finished, as what is more than the earliest one of them."""

    def decode(buffer: bytes, position: int) -> tuple[ExpiringHash, int]:
        start = position
        earliest = 0
        if relative:
            earliest, position = _milliseconds(buffer, position)
        count, position = read_count(buffer, position)
        found = ExpiringHash()
        for _ in range(count):
            deadline, position = read_length(buffer, position)
            field, position = read_string(buffer, position)
            found[field], position = read_string(buffer, position)
            if deadline:
                found.set_deadline(field, deadline + earliest - 1 if relative else deadline)
        if len(found) != count:
            raise BadData(start, "a hash that holds a field twice")
        return found, position

    return decode


def _packed_hash_with_deadlines(*, earliest_first: bool) -> Decoder:
    """A listpack of field, value and deadline in turn, where 0 is none."""

    def decode(buffer: bytes, position: int) -> tuple[ExpiringHash, int]:
        if earliest_first:
            _, position = _milliseconds(buffer, position)
        parts, after = _blob(buffer, position, packed.listpack)
        if len(parts) % 3:
            raise BadData(position, "a field without its value or its time")
        found = ExpiringHash()
        for field, value, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            deadline = parse_integer(text)
            if deadline is None or deadline < 0:
                raise BadData(position, "a field whose time is no number")
            found[field] = value
            if deadline:
                found.set_deadline(field, deadline)
        if 3 * len(found) != len(parts):
            raise BadData(position, "a hash that holds a field twice")
        return found, after

    return decode


def _milliseconds(buffer: bytes, position: int) -> tuple[int, int]:
    if position + 8 > len(buffer):
        raise NeedMore(position + 8)
    return int.from_bytes(buffer[position : position + 8], "little", signed=True), position + 8


DECODERS: dict[int, Decoder] = {
    codes.STRING: _string,
    codes.LIST: _list,
    codes.SET: _set,
    codes.ZSET: _sorted_set,
    codes.HASH: _hash,
    codes.ZSET_2: _sorted_set_2,
    codes.HASH_ZIPMAP: _packed_hash(packed.zipmap),
    codes.LIST_ZIPLIST: _packed_list,
    codes.SET_INTSET: _packed_set(packed.intset),
    codes.ZSET_ZIPLIST: _packed_sorted_set(packed.ziplist),
    codes.HASH_ZIPLIST: _packed_hash(packed.ziplist),
    codes.LIST_QUICKLIST: _quicklist,
    codes.HASH_LISTPACK: _packed_hash(packed.listpack),
    codes.ZSET_LISTPACK: _packed_sorted_set(packed.listpack),
    codes.LIST_QUICKLIST_2: _quicklist_2,
    codes.STREAM_LISTPACKS: stream_decoder(1),
    codes.STREAM_LISTPACKS_2: stream_decoder(2),
    codes.STREAM_LISTPACKS_3: stream_decoder(3),
    codes.SET_LISTPACK: _packed_set(packed.listpack),
    codes.HASH_DEADLINES_PRE_GA: _hash_with_deadlines(relative=False),
    codes.HASH_LISTPACK_DEADLINES_PRE_GA: _packed_hash_with_deadlines(earliest_first=False),
    codes.HASH_DEADLINES: _hash_with_deadlines(relative=True),
    codes.HASH_LISTPACK_DEADLINES: _packed_hash_with_deadlines(earliest_first=True),
}
"""The decoder of each type of value."""


def skip_module(buffer: bytes, position: int) -> tuple[str, int]:
    """The name of the module whose data stands here, and the position after that data."""
    number, position = read_length(buffer, position)
    while True:
        at = position
        opcode, position = read_length(buffer, position)
        if opcode == 0:
            return module_name(number), position
        if opcode in (1, 2):
            _, position = read_length(buffer, position)
        elif opcode in (3, 4):
            position += 4 if opcode == 3 else 8
        elif opcode == 5:
            _, position = read_string(buffer, position)
        else:
            raise BadData(at, "data of a module that is not as modules write it")


_MODULE_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def module_name(number: int) -> str:
    """The nine characters in the number of a module's type; its lowest ten bits are a version.

    >>> module_name(7 << 58)
    'HAAAAAAAA'
    """
    return "".join(_MODULE_CHARACTERS[number >> shift & 63] for shift in range(58, 4, -6))
