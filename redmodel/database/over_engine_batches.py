"""Running a batch on the embedded engine, waiting for its disk or not; and what a failed store means to callers."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.errors import ReplyError, StorageError
from redmodel.plan.core import Batch, Reply

_FAILED = "MISCONF "


def submit_all(engine: Engine, session: Session, batch: Batch) -> tuple[list[Reply], int]:
    """Run a batch without waiting for the disk.

    Returns:
        The replies, errors as values; and what to wait for before anybody sees them.

    Raises:
        StorageError: the store takes no writes any more.
    """
    position = 0
    replies: list[Reply] = []
    for command in batch.commands:
        reply, behind = engine.submit(session, command.args)
        if isinstance(reply, ReplyError) and reply.text.startswith(_FAILED):
            raise store_failed(reply, engine.saves.directory) from reply
        replies.append(reply)
        position = behind or position
    return replies, position


def execute_all(engine: Engine, session: Session, batch: Batch) -> Sequence[Reply]:
    """Run a batch, and wait once for all of it.

    Raises:
        StorageError: the store takes no writes any more, or these could not be made durable.
    """
    replies: list[Reply] = []
    if engine.waits:
        replies, position = submit_all(engine, session, batch)
        if position:
            try:
                engine.wait(position)
            except ReplyError as error:
                raise store_failed(error, engine.saves.directory) from error
        return replies
    execute = engine.execute
    for command in batch.commands:
        try:
            replies.append(execute(session, command.args))
        except ReplyError as error:
            if error.text.startswith(_FAILED):
                raise store_failed(error, engine.saves.directory) from error
            replies.append(error)
    return replies


def store_failed(error: ReplyError, store: str | PathLike[str] | None) -> StorageError:
    """The error for callers of Python in place of Redis' words for it; it names the file, or else the store."""
    cause = error.__cause__
    path = cause.path if isinstance(cause, StorageError) else str(store or "")
    return StorageError(error.text.removeprefix(_FAILED), path=path)


def refuse_failed(replies: Sequence[Reply], store: str) -> Sequence[Reply]:
    """The replies of another process's engine; raises `StorageError` if one says that its store takes no writes."""
    for reply in replies:
        if isinstance(reply, ReplyError) and reply.text.startswith(_FAILED):
            raise store_failed(reply, store)
    return replies
