"""What a plan is, and the words that feature code builds plans from. No command of Redis is named here.

A plan is a generator that yields batches of commands and is sent their replies. It does no I/O: a driver in
``redmodel.database`` executes each batch (one batch is one round trip) and sends the replies back, blocking or
awaiting. ``n = yield from call(scard(key))`` and ``rows = yield from each(commands)`` keep each reply's type; a plan
yields a batch itself only where it reads errors as values.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, overload

from redmodel.errors import ReplyError

Reply: TypeAlias = "bytes | int | float | None | list[Reply] | dict[Reply, Reply] | ReplyError"
Arg: TypeAlias = bytes | str | int | float
T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
R = TypeVar("R")


class Command(NamedTuple, Generic[T]):
    """One command together with the function which reads its reply.

    ``args`` starts with the command's name. They are what travels: numbers as their decimal text, text as UTF-8.
    """

    args: tuple[bytes, ...]
    read: Callable[[Reply], T]


class Batch(NamedTuple):
    """Commands that travel together: one round trip.

    With ``resend`` the batch may be sent again when the connection broke before its replies came: every command in it
    has the same effect if it runs twice.
    """

    commands: tuple[Command[Any], ...]
    resend: bool = True


class Waiting(Batch):
    """A step that sends nothing: the driver awaits a coroutine of the application's.

    Without one it only asks whether the driver could: one that blocks refuses all of them, before any work is done.
    """

    coroutine: Awaitable[object] | None
    what: str

    def __new__(cls, coroutine: Awaitable[object] | None, what: str) -> Waiting:
        made = super().__new__(cls, ())
        made.coroutine = coroutine
        made.what = what
        return made


Plan: TypeAlias = Generator[Batch, Sequence[Reply], R]


def call(command: Command[T], /) -> Plan[T]:
    """Execute one command: one round trip."""
    (reply,) = yield Batch((command,))
    if isinstance(reply, ReplyError):
        raise reply
    return command.read(reply)


def each(commands: Iterable[Command[T]], /) -> Plan[list[T]]:
    """Execute several commands of one kind in one round trip; the first error reply is raised."""
    batch = Batch(tuple(commands))
    if not batch.commands:
        return []
    replies = yield batch
    results: list[T] = []
    for command, reply in zip(batch.commands, replies, strict=True):
        if isinstance(reply, ReplyError):
            raise reply
        results.append(command.read(reply))
    return results


@overload
def together(a: Command[T1], b: Command[T2], /) -> Plan[tuple[T1, T2]]: ...
@overload
def together(a: Command[T1], b: Command[T2], c: Command[T3], /) -> Plan[tuple[T1, T2, T3]]: ...
def together(*commands: Command[Any]) -> Plan[tuple[Any, ...]]:
    """Execute commands of different kinds in one round trip; the first error reply is raised."""
    replies = yield Batch(commands)
    for reply in replies:
        if isinstance(reply, ReplyError):
            raise reply
    return tuple(command.read(reply) for command, reply in zip(commands, replies, strict=True))
