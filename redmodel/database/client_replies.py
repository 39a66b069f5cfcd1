"""Between redis-py and the engine: arguments as the engine takes them, replies as redis-py's parsers give them.

May live here: pure conversion. Nothing is executed.
"""

# redis-py is typed in part only:
# mypy: allow-untyped-calls
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from redis.connection import DefaultParser
from redis.exceptions import DataError, RedisError

from redmodel.engine.replies import (
    BigNumber,
    Keyed,
    LongDouble,
    NilArray,
    Pairs,
    Push,
    SetReply,
    Several,
    Status,
    Verbatim,
)
from redmodel.errors import ReplyError

Decode = Callable[[bytes], str] | None
"""How strings are decoded; None leaves them bytes."""

_WORDS_LIMIT = 1024
_words: dict[object, tuple[bytes, ...]] = {}

_PLAIN = frozenset((bytes, int, float, bool, type(None)))
_SPLIT = frozenset((str, bytes))


def encoded(args: tuple[Any, ...]) -> list[bytes]:
    """A command's arguments as bytes, spelled as redis-py spells them; a name like ``CONFIG GET`` becomes two.

    Raises:
        DataError: an argument is neither bytes, str, int nor float.
    """
    name = args[0]
    words = _words.get(name) if type(name) in _SPLIT else None
    if words is None:
        words = _split(name)
    return [
        *words,
        *[arg if type(arg) is bytes else arg.encode() if type(arg) is str else _encoded(arg) for arg in args[1:]],
    ]


def _split(name: Any) -> tuple[bytes, ...]:
    words = tuple(_encoded(name).split()) if isinstance(name, (str, bytes)) else (_encoded(name),)
    if len(_words) < _WORDS_LIMIT and type(name) in _SPLIT:
        _words[name] = words
    return words


def _encoded(arg: Any) -> bytes:
    if isinstance(arg, str):
        return str.encode(arg)
    if isinstance(arg, (int, float)) and not isinstance(arg, bool):
        return repr(arg).encode()
    if isinstance(arg, (bytes, bytearray, memoryview)):
        return bytes(arg)
    raise DataError(f"Invalid input of type: '{type(arg).__name__}'. Convert to a bytes, string, int or float first.")


def error_of(error: ReplyError) -> RedisError:
    """redis-py's exception for an error reply."""
    found: RedisError = DefaultParser.parse_error(error.text)
    return found


def shaped(reply: Any, decode: Decode) -> Any:
    """A reply as redis-py's RESP 3 parser would give it, errors inside arrays as exception instances."""
    kind = type(reply)
    if kind is bytes:
        return decode(reply) if decode else reply
    if kind in _PLAIN:
        return reply
    if kind is list:
        return _items(reply, decode)
    if kind is dict:
        if decode:
            return {shaped(key, decode): shaped(value, decode) for key, value in reply.items()}
        return {key: value if type(value) in _PLAIN else shaped(value, None) for key, value in reply.items()}
    if kind is BigNumber:
        return int(reply)
    if kind is Status or kind is Verbatim:
        return decode(reply) if decode else bytes(reply)
    if kind is SetReply:
        return _items(reply, decode)
    if kind is LongDouble:
        return float(reply)
    if kind is Pairs:
        return [_items(pair, decode) for pair in reply]
    if kind is Keyed:
        return {shaped(key, decode): shaped(value, decode) for key, value in reply}
    if kind is NilArray:
        return None
    if kind is Push or kind is Several:
        return _items(reply, decode)
    if isinstance(reply, ReplyError):
        return error_of(reply)
    if isinstance(reply, (list, tuple)):
        return _items(reply, decode)
    raise TypeError(f"no reply is a {kind.__name__}")


def _items(reply: Iterable[Any], decode: Decode) -> list[Any]:
    if decode:
        return [decode(item) if type(item) is bytes else shaped(item, decode) for item in reply]
    return [item if type(item) in _PLAIN else shaped(item, None) for item in reply]


def flattened(reply: Any) -> Any:
    """A reply in the forms that RESP 2 has: maps and pairs flat, doubles and booleans as it spells them."""
    kind = type(reply)
    if kind is float:
        return b"%.17g" % reply
    if kind is bool:
        return int(reply)
    if kind is LongDouble:
        return bytes(reply)
    if kind is dict:
        return [flattened(part) for pair in reply.items() for part in pair]
    if kind is Pairs:
        return [flattened(part) for pair in reply for part in pair]
    if kind is NilArray:
        return None
    if isinstance(reply, (list, tuple)):
        return [flattened(item) for item in reply]
    return reply
