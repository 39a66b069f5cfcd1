"""What is sent again, and when: work that the server put off, scripts that it lost, connections that broke. No I/O.

Every transport follows these rules, blocking or awaiting:

- A reply that says "not now" (loading, read-only, master down, …) means that its command was not executed: that command
  alone is sent again until the deadline.
- ``NOSCRIPT`` means the same; the script is loaded in the same round trip that sends its commands again.
- When a connection breaks, the whole batch is sent again if it allows that (``Batch.resend``) or nothing of it left.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from redmodel.errors import ReplyError
from redmodel.plan.core import Batch, Command, Reply

# The command was refused before it did anything, and the reason passes: the server starts, fails over, moves a slot, or
# runs somebody's long script.
NOT_NOW = frozenset({"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY"})
# Redis 6.2 wraps what a script met; its first write is refused, so nothing was written.
_WRAPPED = re.compile(r"^ERR Error running script .*?: -?(READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b")
_LOADS = 3  # a server that loses a script that often in a row is being flushed by somebody


class Again(NamedTuple):
    """What to send next: wait ``after`` seconds, reconnect first if the server changed its role, send ``batch``."""

    after: float
    batch: Batch
    reconnect: bool


Mending: TypeAlias = Generator[Again, Sequence[Reply], list[Reply]]


def pauses(least: float = 0.01, most: float = 0.5) -> Iterator[float]:
    """Waiting times between tries: each about twice the last one, up to ``most``, and not the same for all clients."""
    pause = least
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(most, pause * 2)


def code_of(reply: ReplyError) -> str:
    """The error's code; for a script's error of Redis 6.2 the code of what the script met."""
    wrapped = _WRAPPED.match(reply.text)
    return wrapped[1] if wrapped else reply.code


def name_of(command: Command[Any]) -> str:
    """The command's name in capitals."""
    return _as_bytes(command.args[0]).decode("latin-1").upper()


def mend(batch: Batch, replies: Sequence[Reply], deadline: float) -> Mending:
    """Put right the replies that are errors for a passing reason.

    Args:
        batch: what was sent.
        replies: what came back; used only when at least one reply is an error, so this costs nothing otherwise.
        deadline: on ``time.monotonic()``; from then on "not now" is taken as the answer.

    Returns:
        the replies, each in its place; errors that do not pass stay as values.
    """
    commands = batch.commands
    answers = list(replies)
    waits = pauses()
    loads = 0
    while True:
        refused = _refused(commands, answers)
        if not refused:
            return answers
        put_off = {code for code in refused.values() if code in NOT_NOW}
        if put_off and time.monotonic() >= deadline:
            return answers
        scripts = _scripts([commands[i] for i, code in refused.items() if code == "NOSCRIPT"])
        if loads >= _LOADS:
            scripts = []
        if not scripts:
            refused = {i: code for i, code in refused.items() if code in NOT_NOW}
            if not refused:
                return answers
        loads += bool(scripts)
        again = Batch((*scripts, *(commands[i] for i in refused)), batch.resend)
        got = yield Again(next(waits) if put_off else 0.0, again, "READONLY" in put_off)
        trouble = next((r for r in got[: len(scripts)] if isinstance(r, ReplyError)), None)
        for i, reply in zip(refused, got[len(scripts) :], strict=True):
            lost = isinstance(reply, ReplyError) and reply.code == "NOSCRIPT"
            # A user who may not load scripts learns that, not that a script is missing.
            answers[i] = trouble if lost and trouble is not None and code_of(trouble) not in NOT_NOW else reply


def _refused(commands: Sequence[Command[Any]], replies: Sequence[Reply]) -> dict[int, str]:
    """Which commands were refused without being executed, and may be sent again: position -> error code."""
    codes = {i: code_of(reply) for i, reply in enumerate(replies) if isinstance(reply, ReplyError)}
    names = [name_of(command) for command in commands]
    if "MULTI" in names:
        # Commands of a transaction can't be sent again one by one; an aborted one did nothing and goes again whole.
        aborted = names.count("MULTI") == 1 and names[0] == "MULTI" and codes.get(len(names) - 1) == "EXECABORT"
        passing = next((code for code in codes.values() if code in NOT_NOW), None)
        return dict.fromkeys(range(len(names)), passing) if aborted and passing else {}
    return {i: code for i, code in codes.items() if code in NOT_NOW or code == "NOSCRIPT"}


def _scripts(commands: Sequence[Command[Any]]) -> list[Command[Any]]:
    """SCRIPT LOAD for each of the commands' scripts that is ours."""
    # Looked up here because only a server that lost its scripts leads here.
    from redmodel.procedures import BY_SHA

    loads: dict[bytes, Command[Any]] = {}
    for command in commands:
        sha = _as_bytes(command.args[1])
        procedure = BY_SHA.get(sha)
        if procedure is not None and sha not in loads:
            loads[sha] = Command((b"SCRIPT", b"LOAD", procedure.source.encode()), _unread)
    return list(loads.values())


def _as_bytes(arg: object) -> bytes:
    return arg if isinstance(arg, bytes) else str(arg).encode()


def _unread(reply: Reply) -> Reply:
    return reply
