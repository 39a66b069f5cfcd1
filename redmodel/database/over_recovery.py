"""Recovering an embedded store whose disk failed: any handle on it asks, and the process that owns it does the work.

May live here: the question and its answer. What recovering means is the storage's business.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Any

from redmodel.engine.engine import Engine
from redmodel.engine.procedures import ProcedureContext
from redmodel.engine.replies import Reply as EngineReply
from redmodel.errors import ReplyError, StorageError
from redmodel.plan.core import Batch, Command, Plan, Reply

# A procedure that exists in the engine only; its name's SHA takes the place of a script's.
_RECOVER = sha1(b"redmodel: recover the store", usedforsecurity=False).hexdigest().encode()


def answer_recovery(engine: Engine, recover: Callable[[], None]) -> None:
    """Let clients of the engine ask it to recover."""

    def answer(context: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> EngineReply:
        try:
            recover()
        except StorageError as error:
            raise ReplyError(f"ERR {error}") from error
        return b"OK"

    engine.register_procedure(_RECOVER, answer)


def recovery_plan(store: str) -> Plan[None]:
    """Ask the owner of a store to recover it: one round trip.

    Args:
        store: the directory of the store; empty where there is none.
    Raises:
        StorageError: it still fails, or there is no store.
    """
    if not store:
        raise StorageError(
            "only an embedded:// store is recovered: a server looks after its own disk, and memory:// has none"
        )
    (reply,) = yield Batch((Command((b"EVALSHA", _RECOVER, b"0"), _as_it_is),))
    if isinstance(reply, ReplyError):
        if isinstance(reply.__cause__, StorageError):  # it is this process that owns the store
            raise reply.__cause__
        raise StorageError(reply.text.removeprefix("ERR "), path=store)


def _as_it_is(reply: Reply) -> Any:
    return reply
