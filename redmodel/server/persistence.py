"""The server's data on the disk: what is loaded at the start, and what CONFIG SET changes about it while it runs.

May live here: which parameter means what to the engine and its storage. How files are written is the engine's business.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import cast

from redmodel.engine import texts
from redmodel.engine.engine import Engine
from redmodel.engine.settings import Settings
from redmodel.engine.storage import AppendOnlyLog, Policy
from redmodel.engine.storage.rdb.library import load_into
from redmodel.errors import StorageError
from redmodel.server.logs import notice

logger = logging.getLogger(__name__)


def open_engine(settings: Settings) -> Engine:
    """The engine with its data, from the log or from the snapshot, as redis-server chooses.

    Raises:
        StorageError: the data can't be loaded.
    """
    directory = Path.cwd()
    settings.preset("dir", str(directory))
    began = time.monotonic()
    databases = settings.number("databases")
    if settings.flag("appendonly"):
        engine = Engine(storage=_log(settings), databases=databases, settings=settings)
        notice("DB loaded from append only file: %.3f seconds", time.monotonic() - began)
    else:
        engine = Engine(databases=databases, settings=settings)
        snapshot = directory / settings.text("dbfilename")
        if snapshot.exists():
            report = load_into(engine, snapshot)
            for key in report.empty:
                logger.warning("rdb load: skipping empty key: %s", texts.shown(key))
            found = report.keys, report.expired, len(report.empty)
            notice("Done loading RDB, keys loaded: %d, keys expired: %d, empty keys skipped: %d.", *found)
            notice("DB loaded from disk: %.3f seconds", time.monotonic() - began)
    engine.saves.directory = directory
    settings.obey("dir", lambda: _change_directory(engine))
    settings.obey("appendonly", lambda: _begin_or_end_log(engine))
    settings.obey("appendfsync", lambda: _change_promise(engine))
    engine.write_log = lambda: _written_anew(engine).close()
    return engine


def _log(settings: Settings) -> AppendOnlyLog:
    return AppendOnlyLog(
        Path.cwd(),
        fsync=_policy(settings),
        folder=settings.text("appenddirname"),
        file=settings.text("appendfilename"),
    )


def _policy(settings: Settings) -> Policy:
    return cast("Policy", settings.text("appendfsync"))


def _change_directory(engine: Engine) -> None:
    # A log that is open stays where it is.
    try:
        os.chdir(engine.settings.text("dir"))
    except OSError as error:
        raise ValueError(error.strerror) from error
    engine.settings.preset("dir", str(Path.cwd()))
    engine.saves.directory = Path.cwd()


def _begin_or_end_log(engine: Engine) -> None:
    """Begin a log with all that is there, or end it; called under the engine's lock."""
    wanted = engine.settings.flag("appendonly")
    if wanted == engine.durable:
        return
    if not wanted:
        engine.change_storage(None)
        return
    try:
        storage = _written_anew(engine)
    except StorageError as error:
        logger.warning("Turning on the append only file failed: %s", error)
        raise ValueError("Unable to turn on AOF. Check server logs.") from error
    engine.change_storage(storage)


def _written_anew(engine: Engine) -> AppendOnlyLog:
    """A log in the directory with all that the engine holds, in place of what an older log there holds."""
    storage = _log(engine.settings)
    for _ in storage.replay():
        pass
    storage.attach(engine)
    storage.recover(engine.databases)
    return storage


def _change_promise(engine: Engine) -> None:
    try:
        engine.promise(_policy(engine.settings))
    except StorageError as error:
        raise ValueError(str(error)) from error
