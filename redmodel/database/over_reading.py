"""Handles that only read an embedded store, ``?mode=ro``: what they refuse, and what they send so that it can't write.

May live here: which commands write, and the two executors that look at each batch first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redmodel.database.driver import AsyncExecutor, Executor
from redmodel.engine.commands.tables import COMMANDS
from redmodel.engine.storage.shared import READ_ONLY
from redmodel.errors import ReadOnly
from redmodel.plan.core import Batch, Command, Reply

# A script may write or not; sent like this, whoever runs it refuses its writes.
_READING = {b"EVALSHA": b"EVALSHA_RO", b"EVAL": b"EVAL_RO"}


def _name(args: Sequence[Any]) -> bytes:
    name = args[0].encode() if isinstance(args[0], str) else bytes(args[0])
    return name.upper()


def writes(args: Sequence[Any]) -> bool:
    """Whether a command may write; a script may."""
    name = _name(args).split(b" ")[0]
    command = COMMANDS.get(name)
    return name in _READING or (command is not None and command.writes)


def reading(batch: Batch) -> Batch:
    """The batch, changed so that nothing in it writes; raises `ReadOnly` if that is what it is for."""
    return Batch(tuple(_reading(command) for command in batch.commands), batch.resend)


def _reading(command: Command[Any]) -> Command[Any]:
    harmless = _READING.get(_name(command.args))
    if harmless is not None:
        return Command((harmless, *command.args[1:]), command.read)
    if writes(command.args):
        raise ReadOnly(READ_ONLY)
    return command


class ReadingExecutor:
    """Executes batches that only read on another executor."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner
        self.keyspace: object = getattr(inner, "keyspace", None)

    def execute(self, batch: Batch) -> Sequence[Reply]:
        """Execute a batch; raises `ReadOnly` for one that writes."""
        return self._inner.execute(reading(batch))

    def close(self) -> None:
        """Close the other executor."""
        self._inner.close()


class AsyncReadingExecutor:
    """The same, awaited."""

    def __init__(self, inner: AsyncExecutor) -> None:
        self._inner = inner
        self.keyspace: object = getattr(inner, "keyspace", None)

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        """Execute a batch; raises `ReadOnly` for one that writes."""
        return await self._inner.execute(reading(batch))

    async def close(self) -> None:
        """Close the other executor."""
        await self._inner.close()
