"""``redmodel serve``: one process that loads, serves until it is told to stop, saves, and ends.

May live here: that course and its log lines. The configuration is `configuration`'s, the data `persistence`'s, sockets
are `listener`'s.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from redmodel.engine.access.control import RuleError
from redmodel.engine.engine import Engine
from redmodel.engine.settings.file import BadConfig
from redmodel.engine.shutdown import Shutdown, ShutdownRefused
from redmodel.engine.version import REDIS_VERSION
from redmodel.errors import StorageError
from redmodel.server.configuration import Configuration, fatal, read, set_up
from redmodel.server.killing import KillOrder
from redmodel.server.listener import Listener
from redmodel.server.logs import LEVELS, LogFile, logger, notice
from redmodel.server.persistence import open_engine
from redmodel.server.tls import TlsError, tls_context

_LOGO = """\
                _._
           _.-``   ``-._        redmodel, as Redis {version} ({bits} bit)
       _.-``           ``-._    Running in standalone mode
      |`-._             _.-'|   Port: {port}
      |    `-._     _.-'    |   PID: {pid}
       `-._    `-.-'    _.-'
           `-._     _.-'
               `-.-'

"""


def main(arguments: Sequence[str]) -> int:
    """Serve as redis-server would with these arguments; returns the exit code when the server has ended."""
    if any(word in ("-v", "--version") for word in arguments):
        sys.stdout.write(f"Redis server v={REDIS_VERSION} sha=00000000:0 malloc=python bits=64 build=redmodel\n")
        return 0
    try:
        configuration = read(arguments, sys.stdin)
    except BadConfig as error:
        sys.stderr.write(fatal(error))
        return 1
    except OSError as error:
        sys.stderr.write(f"Fatal error, can't open config file '{error.filename}': {error.strerror}\n")
        return 1
    return _Program(configuration).run()


class _Program:
    """The server of this process."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._settings = configuration.settings
        self._log = LogFile(self._settings.text("logfile"))
        for name in ("redmodel.engine", "redmodel.server"):
            log = logging.getLogger(name)
            log.addHandler(self._log)
            log.propagate = False
        self._set_level()
        self._settings.obey("loglevel", self._set_level)
        self._engine: Engine | None = None
        self._stopping: asyncio.Event | None = None
        self._signal = ""

    def _set_level(self) -> None:
        for name in ("redmodel.engine", "redmodel.server"):
            logging.getLogger(name).setLevel(LEVELS[self._settings.text("loglevel")])

    def run(self) -> int:
        settings = self._settings
        logger.warning("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo")
        logger.warning(
            "Redis version=%s, bits=64, commit=00000000, modified=0, pid=%d, just started", REDIS_VERSION, os.getpid()
        )
        _allow_files(settings.number("maxclients") + _FILES_OF_OURS)
        logger.warning("Configuration loaded" if self._configuration.given else _NO_FILE)
        self._log.redis_format.role = "M"
        for note in self._configuration.notes:
            logger.warning("%s", note)
        notice("monotonic clock: POSIX clock_gettime")
        port = settings.number("port") or settings.number("tls-port")
        if settings.flag("always-show-logo") or (not settings.text("logfile") and sys.stdout.isatty()):
            self._log.raw(_LOGO.format(version=REDIS_VERSION, bits=64, port=port, pid=os.getpid()))
        else:
            notice("Running mode=standalone, port=%d.", port)
        if not port and not settings.text("unixsocket"):
            logger.warning("Configured to not listen anywhere, exiting.")
            return 1
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                return runner.run(self._serve())
        except KeyboardInterrupt:
            return 0

    async def _serve(self) -> int:
        settings = self._settings
        try:
            tls = tls_context(settings) if settings.number("tls-port") else None
        except TlsError as error:
            logger.warning("%s", error)
            logger.warning("Failed to configure TLS. Check logs for more info.")
            return 1
        logger.warning("Server initialized")
        try:
            engine = self._engine = open_engine(settings)
        except StorageError as error:
            logger.warning("Fatal error loading the DB: %s. Exiting.", error)
            if not settings.flag("appendonly"):
                logger.warning("Terminating server after rdb file reading failure.")
            return 1
        try:
            set_up(engine, self._configuration)
        except (RuleError, OSError) as error:
            logger.warning("Aborting Redis startup because of ACL errors: %s", error)
            return 1
        listener = Listener.of_settings(engine, tls)
        try:
            await listener.start()
        except OSError as error:
            logger.warning("%s", error.strerror or error)
            logger.warning("Failed listening on port %d (TCP), aborting.", settings.number("port"))
            engine.close()
            return 1
        for name in ("port", "bind"):
            settings.obey(name, listener.move)
        KillOrder(settings)
        for name in settings.names("tls-"):
            settings.obey(name, listener.move_tls)
        ended = self._end_on_signals(engine, listener)
        pidfile = settings.text("pidfile")
        if pidfile:
            self._write_pid(Path(pidfile))
        if listener.port or settings.number("tls-port"):
            notice("Ready to accept connections")
        if listener.unixsocket:
            notice("The server is now ready to accept connections at %s", settings.text("unixsocket"))
        await ended
        if pidfile:
            notice("Removing the pid file.")
            self._remove(Path(pidfile))
        if listener.unixsocket:
            notice("Removing the unix socket file.")
        await listener.stop()
        engine.close()
        logger.warning("Redis is now ready to exit, bye bye...")
        return 0

    def _end_on_signals(self, engine: Engine, listener: Listener) -> asyncio.Future[None]:
        """What is done when the server is to end, by SHUTDOWN or by a signal."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not ended.done():
                listener.accept_no_more()  # before who asked for the end sees it
                ended.set_result(None)

        def ask() -> None:
            loop.call_soon_threadsafe(end)

        engine.shutdown.end = ask
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number, engine.shutdown)
        return ended

    def _on_signal(self, number: signal.Signals, shutdown: Shutdown) -> None:
        self._log.raw(
            f"{os.getpid()}:signal-handler ({int(time.time())}) Received {number.name} scheduling shutdown...\n"
        )
        options = self._settings.text(f"shutdown-on-{number.name.lower()}").split()
        assert self._engine is not None
        try:
            shutdown.begin(
                self._engine,
                save=True if "save" in options else False if "nosave" in options else None,
                force="force" in options,
            )
        except ShutdownRefused:
            logger.warning("Errors trying to shut down the server. Check the logs for more information.")

    def _write_pid(self, path: Path) -> None:
        try:
            path.write_text(f"{os.getpid()}\n")
        except OSError as error:
            logger.warning("Failed to write PID file: %s", error.strerror)

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def _allow_files(wanted: int) -> None:
    """Let the process have so many open files, where the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard >= 0 else wanted, hard))


_FILES_OF_OURS = 32
_NO_FILE = (
    "Warning: no config file specified, using the default config. In order to specify a config file use "
    "redmodel serve /path/to/redis.conf"
)
