"""Backups of an embedded store: whoever owns it says what the log is at one moment, whoever asks copies it.

May live here: the question, its answer, and asking again. The copying is the storage's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from hashlib import sha1
from os import PathLike
from pathlib import Path
from typing import Any, cast

from redmodel.database.driver import AsyncExecutor, run
from redmodel.engine.engine import Engine
from redmodel.engine.procedures import ProcedureContext
from redmodel.engine.replies import Reply as EngineReply
from redmodel.engine.storage.backup import copy_log
from redmodel.engine.storage.manifest import parse_manifest
from redmodel.engine.storage.shared import Moment, SharedLog
from redmodel.errors import ReplyError, StorageError
from redmodel.plan.core import Batch, Command, Reply

# A procedure that exists in the engine only; its name's SHA takes the place of a script's.
_MOMENT = sha1(b"redmodel: the log at this moment", usedforsecurity=False).hexdigest().encode()
_TRIES = 10


def answer_moments(engine: Engine, storage: SharedLog) -> None:
    """Let clients of the engine ask what its log is at one moment: the manifest's text, then names and sizes."""

    def answer(context: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> EngineReply:
        try:
            moment = storage.moment()
        except StorageError as error:
            raise ReplyError(f"ERR {error}") from error
        sizes = [part for name, size in moment.sizes.items() for part in (name.encode(), b"%d" % size)]
        return [moment.manifest.dump(), *sizes]

    engine.register_procedure(_MOMENT, answer)


def backup_plan(store: str, directory: str | PathLike[str]) -> Generator[Batch, Sequence[Reply], int]:
    """Copy a store as it is at one moment: a plan, of which one reply is enough unless the log is rewritten meanwhile.

    Args:
        store: the directory of the store; empty where there is none.
        directory: where to.
    Returns:
        how many bytes were copied.
    Raises:
        StorageError: something stands at the destination, the store is not one, or a step failed.
    """
    if not store:
        raise StorageError(
            "only an embedded:// store is backed up like this: a server has BGSAVE, and memory:// is not on the disk"
        )
    source = Path(store).absolute()
    for _ in range(_TRIES):
        (reply,) = yield Batch((Command((b"EVALSHA", _MOMENT, b"0"), _as_it_is),))
        if isinstance(reply, ReplyError):
            raise StorageError(f"{source} can't be backed up: {reply.text.removeprefix('ERR ')}", path=str(source))
        moment = _read(cast("list[Any]", reply), source)
        try:
            return copy_log(source, moment, Path(directory))
        except FileNotFoundError:
            continue  # the log was rewritten between the answer and the copy
    raise StorageError(f"the log of {source} is not there, or is rewritten all the time; try again", path=str(source))


async def backup_async(store: str, directory: str | PathLike[str], executor: AsyncExecutor) -> int:
    """The same, but the event loop doesn't wait for the disk: the plan runs in a thread, its questions in the loop."""
    loop = asyncio.get_running_loop()

    class Asking:
        def execute(self, batch: Batch) -> Sequence[Reply]:
            return asyncio.run_coroutine_threadsafe(_execute(batch), loop).result()

        def close(self) -> None: ...

    async def _execute(batch: Batch) -> Sequence[Reply]:
        return await executor.execute(batch)

    return await asyncio.to_thread(run, backup_plan(store, directory), Asking())


def _read(reply: list[Any], source: Path) -> Moment:
    text, *sizes = reply
    pairs = zip(sizes[::2], sizes[1::2], strict=True)
    return Moment(parse_manifest(text, source), {name.decode(): int(size) for name, size in pairs})


def _as_it_is(reply: Reply) -> Reply:
    return reply
