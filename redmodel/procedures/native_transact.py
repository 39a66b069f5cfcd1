"""The native twin of transact.lua, in the same order."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias, cast

from redmodel.procedures.containers import hash_at, wrong_type_at
from redmodel.procedures.native_count import counting
from redmodel.procedures.native_save import saving
from redmodel.procedures.native_write import Places, drop, drop_due, keep_for, refuse_delete
from redmodel.procedures.registry import Context

Thread: TypeAlias = "Generator[Any, Any, Any] | None"


class _Step(NamedTuple):
    """One operation: its kind, keys and arguments, and what runs it from pause to pause."""

    number: int
    kind: bytes
    keys: list[bytes]
    argv: list[bytes]
    thread: Thread

    @property
    def id(self) -> bytes:
        return self.keys[0][len(self.keys[1]) - 3 :]


def _steps(ctx: Context, keys: list[bytes], argv: list[bytes], given: Places, claimed: Places) -> list[_Step]:
    steps: list[_Step] = []
    k = a = 0
    while a < len(argv):
        kind, n, m = argv[a].split()
        own, args = keys[k : k + int(n)], argv[a + 1 : a + 1 + int(m)]
        thread: Thread = None
        if kind == b"s":
            thread = saving(ctx, own, args, given, claimed)
        elif kind == b"i":
            thread = counting(ctx, own, args, pausing=True)
        steps.append(_Step(len(steps) + 1, kind, own, args, thread))
        k, a = k + int(n), a + 1 + int(m)
    return steps


def _go(step: _Step, word: object = None) -> tuple[Any, bool]:
    """Run a step up to its next pause: what it says there, and whether it has ended."""
    try:
        return cast("Generator[Any, Any, Any]", step.thread).send(word), False
    except StopIteration as stop:
        return stop.value, True


def _look(ctx: Context, step: _Step, given: Places) -> Any:
    """The refusal of a step by what stands there, True if this very transaction was done before, else None."""
    keys, argv = step.keys, step.argv
    if step.thread is not None:
        said, ended = _go(step)
        if ended:
            return True if isinstance(said, int) or said[0] == b"done" else said
        for kind, path, token in said or ():
            if kind == b"!":
                given[keys[1][:-3] + path, token] = step.id
        return None
    if step.kind == b"d":
        return refuse_delete(ctx, keys, argv[0], given, argv[1] if len(argv) > 1 else None)
    record, _, log, expires = keys
    wrong = (
        wrong_type_at(ctx, record, b"hash") or wrong_type_at(ctx, log, b"hash") or wrong_type_at(ctx, expires, b"zset")
    )
    if wrong:
        return wrong
    if ctx.value(record) is None:
        return [b"missing"]
    if step.kind == b"w" and hash_at(ctx, log).get(argv[0], b"")[:8] != argv[1]:
        return [b"changed"]
    return None


def _as_done(ctx: Context, step: _Step) -> Any:
    """The reply of a step that was done before."""
    if step.kind == b"s":
        log = ctx.value(step.keys[2])
        current = cast("dict[bytes, bytes]", log).get(step.id, b"") if isinstance(log, dict) else b""
        return 1 if current[8:9] == b"c" else 0
    if step.kind == b"i":
        fields = hash_at(ctx, step.keys[0])
        return [b"done", fields.get(step.argv[1]), fields.get(b"@version", b"")[16:] if step.argv[6] else b""]
    return 1


def transact(ctx: Context, keys: list[bytes], argv: list[bytes]) -> Any:
    """Do several operations as one; see transact.lua for keys, arguments and reply."""
    given: Places = {}
    claimed: Places = {}
    steps = _steps(ctx, keys, argv, given, claimed)
    looks = [_look(ctx, step, given) for step in steps]
    if True in looks:
        return [0, [_as_done(ctx, step) for step in steps]]
    refused = next(([n, why] for n, why in enumerate(looks, 1) if why), None)
    missing = [n for n, why in enumerate(looks, 1) if why and why[0] == b"missing"]
    saves = [step for step in steps if step.kind == b"s"]
    counts = [step for step in steps if step.kind == b"i"]
    for step in saves:
        if refused is None:
            said, ended = _go(step)
            refused = [step.number, said] if ended else None
    tried: list[_Step] = []
    for step in counts:
        if refused is None:
            said, ended = _go(step)
            if ended:
                refused = [step.number, said]
                for other in tried:
                    _go(other, True)
            tried.append(step)
    if refused is not None:
        return [*refused, missing]

    replies: list[Any] = [1] * len(steps)
    for step in steps:
        if step.kind == b"s":
            _go(step)
        elif step.kind == b"i":
            replies[step.number - 1] = _go(step)[0]
    sides: dict[bytes, bytes] = {}
    for step in steps:
        if step.kind == b"t":
            keep_for(ctx, step.keys[0], step.keys[3], *step.argv)
            sides[step.keys[3]] = step.keys[1][:-3]
    for step in steps:
        if step.kind == b"d":
            replies[step.number - 1] = ctx.call(b"DEL", step.keys[0])
            drop(ctx, step.keys[1][:-3], step.argv[0])
            sides[step.keys[3]] = step.keys[1][:-3]
    for step in saves:
        replies[step.number - 1] = _go(step)[0]
    for expires, side in sides.items():
        if ctx.value(expires) is not None:
            drop_due(ctx, side, 16)
    return [0, replies]
