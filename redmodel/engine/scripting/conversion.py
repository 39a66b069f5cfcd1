"""Between Lua's values and replies, by Redis' rules for both versions of the protocol. Nothing is run here."""

# What comes from Lua has no type of Python:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, TypeAlias

from redmodel.engine.arguments import INT_MAX, INT_MIN
from redmodel.engine.replies import (
    BigNumber,
    Keyed,
    LongDouble,
    NilArray,
    Pairs,
    Reply,
    SetReply,
    Several,
    Status,
    Verbatim,
    double_text,
)
from redmodel.errors import ReplyError

Tables: TypeAlias = "Callable[[Any], Any]"
"""Makes a Lua table of a list or a dict."""

# Tables in tables that a reply may have. In Redis, where the stack of C is the bound, there are about 8000.
_DEEPEST = 200


def command_arguments(args: tuple[Any, ...]) -> list[bytes] | None:
    """What a script gave to redis.call as bytes; None where something is neither a string nor a number."""
    found: list[bytes] = []
    for arg in args:
        kind = type(arg)
        if kind is bytes:
            found.append(arg)
        elif kind is int and -(10**17) < arg < 10**17:
            found.append(b"%d" % arg)
        elif kind is int or kind is float:
            found.append(b"%.17g" % arg)
        else:
            return None
    return found


def to_lua(reply: Reply, protocol: int, table: Tables) -> Any:
    """A reply as a script sees it.

    Args:
        reply: what a command answered.
        protocol: 2 or 3, as the script chose with redis.setresp.
        table: makes Lua tables.
    """
    modern = protocol >= 3

    def convert(value: Any) -> Any:
        kind = type(value)
        if kind is bytes or kind is int:
            return value
        if value is None or kind is NilArray:
            return None if modern else False
        if kind is Status:
            return table({b"ok": bytes(value)})
        if kind is Several:
            return convert(value[-1])  # behind attributes, which scripts don't see
        if kind is bool:
            return value if modern else int(value)
        if kind is float:
            return table({b"double": value}) if modern else double_text(value)
        if kind is Verbatim:
            inner = {b"string": bytes(value), b"format": b"txt"}
            return table({b"verbatim_string": table(inner)}) if modern else bytes(value)
        if kind is LongDouble:
            return table({b"double": float(value)}) if modern else bytes(value)
        if kind is BigNumber:
            return table({b"big_number": bytes(value)}) if modern else bytes(value)
        if isinstance(value, ReplyError):
            return table({b"err": value.text.encode("utf-8", "surrogateescape")})
        if isinstance(value, dict):
            pairs: Any = value.items()
            if modern:
                return table({b"map": table({convert(key): convert(item) for key, item in pairs})})
            return table([convert(part) for pair in pairs for part in pair])
        if kind is SetReply and modern:
            return table({b"set": table({convert(item): True for item in value})})
        if kind is Pairs and not modern:
            return table([convert(part) for pair in value for part in pair])
        if kind is Keyed and modern:
            return table({b"map": table({convert(key): convert(item) for key, item in value})})
        return table([convert(item) for item in value])

    return convert(reply)


def to_reply(value: Any, protocol: int, is_table: Callable[[Any], bool], depth: int = 0) -> Reply:
    """What a script returned as a reply.

    Args:
        value: of Lua.
        protocol: 2 or 3, as the script chose with redis.setresp.
        is_table: tells a Lua table from other objects of Lua, which are nothing to a client.
        depth: how many tables this one is in.
    """
    kind = type(value)
    if kind is bytes:
        found: bytes = value
        return found
    if kind is bool:
        answer: Reply = value if protocol >= 3 else (1 if value else None)
        return answer
    if kind is int:
        return value if INT_MIN <= value <= INT_MAX else INT_MIN
    if kind is float:
        if not isfinite(value) or not INT_MIN <= value < 2.0**63:
            return INT_MIN
        return int(value)
    if value is None or not is_table(value):
        return None
    if depth >= _DEEPEST:
        return ReplyError("ERR reached lua stack limit")
    return _table_reply(dict(value.items()), protocol, is_table, depth + 1)


def _table_reply(parts: dict[Any, Any], protocol: int, is_table: Callable[[Any], bool], depth: int) -> Reply:
    def inner(value: Any) -> Any:
        return to_reply(value, protocol, is_table, depth)

    err, ok = parts.get(b"err"), parts.get(b"ok")
    if type(err) is bytes:
        return ReplyError(_line(err))
    if type(ok) is bytes:
        return Status(ok)
    if type(parts.get(b"double")) in (int, float):
        return float(parts[b"double"])
    if is_table(parts.get(b"map")):
        return {_hashable(inner(key)): inner(item) for key, item in parts[b"map"].items()}
    if is_table(parts.get(b"set")):
        return SetReply(inner(key) for key, _ in parts[b"set"].items())
    if type(parts.get(b"big_number")) is bytes:
        return BigNumber(parts[b"big_number"].replace(b"\r", b" ").replace(b"\n", b" "))
    verbatim: Any = parts.get(b"verbatim_string")
    if is_table(verbatim):
        text, form = dict(verbatim.items()).get(b"string"), dict(verbatim.items()).get(b"format")
        if type(text) is bytes and type(form) is bytes:
            return Verbatim(text)
    items: list[Any] = []
    while parts.get(len(items) + 1) is not None:
        items.append(inner(parts[len(items) + 1]))
    return items


def _hashable(key: Any) -> Any:
    return key if isinstance(key, (bytes, int, float, bool, type(None))) else repr(key).encode()


def _line(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
