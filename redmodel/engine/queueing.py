"""Keeping the commands of a transaction for EXEC. Running them is EXEC's business."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redmodel.engine import texts
from redmodel.engine.registry import subcommand
from redmodel.engine.replies import QUEUED
from redmodel.errors import ReplyError

if TYPE_CHECKING:
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.replies import Reply
    from redmodel.engine.session import Session


def enqueue(session: Session, command: Command, args: Args, refusal: str | None) -> Reply:
    """Keep a command for EXEC, or refuse it and so the transaction; ``refusal`` says why nothing may be written."""
    error: ReplyError | None = None
    if command.subcommands and len(args) > 1:
        try:
            subcommand(command, args)
        except ReplyError as refused:
            error = refused
    elif command.writes and refusal is not None:
        error = texts.cannot_write(refusal)
    elif "no_multi" in command.flags:
        error = ReplyError(texts.NOT_IN_MULTI)
    if error is not None:
        session.queue_failed = True
        raise error
    assert session.queue is not None
    session.queue.append((command, list(args)))
    return QUEUED
