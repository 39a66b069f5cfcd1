"""Ending the server on SHUTDOWN or a signal: whether to save first, and who ends the process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from redmodel.errors import StorageError

if TYPE_CHECKING:
    from redmodel.engine.engine import Engine

logger = logging.getLogger("redmodel.server")
_NOTICE = 25


class ShutdownRefused(Exception):
    """The data could not be saved, so the server goes on."""


class Shutdown:
    """How an engine's server is ended; a program that serves nobody has no ``end``."""

    def __init__(self) -> None:
        #: Ends the server, from any thread; None in a program that merely uses the engine.
        self.end: Callable[[], None] | None = None

    def begin(self, engine: Engine, *, save: bool | None = None, force: bool = False) -> None:
        """Save when that is due, and end the server.

        Args:
            engine: what to save.
            save: whether to; None: where there are save points.
            force: end also when it can't be saved.

        Raises:
            ShutdownRefused: it can't be saved.
        """
        logger.warning("User requested shutdown...")
        if engine.durable:
            logger.log(_NOTICE, "Calling fsync() on the AOF file.")
        if engine.saves.running:
            logger.warning("There is a child saving an .rdb. Killing it!")
            with engine.lock:
                engine.saves.stop(engine)
        if save or (save is None and engine.settings.items("save")):
            logger.log(_NOTICE, "Saving the final RDB snapshot before exiting.")
            try:
                engine.saves.save(engine)
                logger.log(_NOTICE, "DB saved on disk")
            except StorageError as error:
                logger.warning("Error trying to save the DB, can't exit: %s", error)
                if not force:
                    raise ShutdownRefused from error
        if self.end is not None:
            self.end()
