"""The native twin of trace.lua: runs a query and tells which containers it looked at and which commands it called."""

from __future__ import annotations

from collections.abc import Sized
from time import perf_counter_ns
from typing import Any, cast

from redmodel.procedures.native_find import find
from redmodel.procedures.registry import Context

LOOK = b"LOOK"
"""Stands for a look at a container itself, for which Redis needs some command; its items are all that it holds."""


class _Watched:
    """A context that notes what is asked of it."""

    def __init__(self, ctx: Context, records: bytes) -> None:
        self._ctx = ctx
        self._records = records
        self.steps: dict[tuple[bytes, bytes], list[int]] = {}

    @property
    def now(self) -> int:
        return self._ctx.now

    def owes_nothing(self) -> None:
        self._ctx.owes_nothing()

    def call(self, name: bytes, /, *args: bytes) -> Any:
        reply: Any = self._ctx.call(name, *args)
        label = name + b" LIMIT" if b"LIMIT" in args[1:] else name
        self._note(label, args[0], _items(reply), adds=type(reply) is not int)
        return reply

    def value(self, key: bytes, /) -> Any:
        found = self._ctx.value(key)
        if key.startswith(self._records):
            self._note(LOOK, self._records + b"*", int(found is not None), adds=True)
        else:
            self._note(LOOK, key, _size(found), adds=False)
        return found

    def _note(self, name: bytes, key: bytes, items: int, *, adds: bool) -> None:
        step = self.steps.setdefault((name, key), [0, 0])
        step[0] += 1
        step[1] = step[1] + items if adds else items


def _items(reply: Any) -> int:
    if type(reply) is int:
        return reply
    return len(cast("Sized", reply)) if isinstance(reply, list) else 1


def _size(container: Any) -> int:
    scores: Any = getattr(container, "scores", container)
    return 0 if scores is None else len(scores)


def explain(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Answer a query and tell what that took; see trace.lua."""
    watched = _Watched(ctx, keys[0][:-4] + b":")
    began = perf_counter_ns()
    reply = find(watched, keys, argv)
    spent = (perf_counter_ns() - began) // 1000
    return [reply, spent, [[name, [key], *counts] for (name, key), counts in watched.steps.items()]]
