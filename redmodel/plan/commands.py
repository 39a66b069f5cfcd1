"""The commands that plans send: one small function each, which says how its reply is read. No decision is made here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from redmodel.plan.core import Command, Reply
from redmodel.procedures import Procedure

T = TypeVar("T")


def as_int(reply: Reply) -> int:
    """An integer reply."""
    return cast("int", reply)


def as_row(reply: Reply) -> Sequence[bytes | None]:
    """The values of one record, None where a field is absent."""
    return cast("Sequence[bytes | None]", reply)


def as_raw(reply: Reply) -> Reply:
    """The reply as it came."""
    return reply


def as_clock(reply: Reply) -> int:
    """The reply of TIME as milliseconds since the epoch."""
    seconds, micros = cast("list[bytes]", reply)
    return int(seconds) * 1000 + int(micros) // 1000


def as_map(reply: Reply) -> dict[bytes, bytes]:
    """The reply of HGETALL, flat or as a map."""
    if isinstance(reply, dict):
        return cast("dict[bytes, bytes]", reply)
    flat = cast("list[bytes]", reply)
    return dict(zip(flat[::2], flat[1::2], strict=True))


def run_of(info: object) -> bytes:
    """The id of this run of the server; empty if it does not say."""
    text = info if isinstance(info, bytes) else b""
    for line in text.splitlines():
        if line.startswith(b"run_id:"):
            return line[7:].strip()
    return b""


def hmget(key: bytes, columns: tuple[bytes, ...]) -> Command[Sequence[bytes | None]]:
    """https://redis.io/commands/hmget"""
    return Command((b"HMGET", key, *columns), as_row)


def hgetall(key: bytes) -> Command[dict[bytes, bytes]]:
    """https://redis.io/commands/hgetall"""
    return Command((b"HGETALL", key), as_map)


def hset(key: bytes, pairs: dict[bytes, bytes]) -> Command[int]:
    """https://redis.io/commands/hset"""
    args: list[bytes] = [b"HSET", key]
    for field, value in pairs.items():
        args += (field, value)
    return Command(tuple(args), as_int)


def exists(key: bytes) -> Command[int]:
    """https://redis.io/commands/exists"""
    return Command((b"EXISTS", key), as_int)


def time() -> Command[int]:
    """The server's clock in milliseconds: https://redis.io/commands/time"""
    return Command((b"TIME",), as_clock)


def procedure(
    which: Procedure, keys: Sequence[bytes], argv: Sequence[bytes], read: Callable[[Reply], T] | Any = as_raw
) -> Command[T]:
    """One atomic step, by EVALSHA: https://redis.io/commands/evalsha"""
    return Command((b"EVALSHA", which.sha, b"%d" % len(keys), *keys, *argv), read)
