"""Log lines as redis-server writes them: ``4711:M 23 Nov 2026 21:00:00.000 * Ready to accept connections``."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

NOTICE = 25
"""Redis' level between verbose (logging's INFO) and warning."""

LEVELS = {"debug": logging.DEBUG, "verbose": logging.INFO, "notice": NOTICE, "warning": logging.WARNING}
"""The values of ``loglevel``."""

logger = logging.getLogger("redmodel.server")


def notice(text: str, *args: object) -> None:
    """Log at the level that redis-server has and Python lacks."""
    logger.log(NOTICE, text, *args)


class RedisFormatter(logging.Formatter):
    """Formats records as redis-server does; ``role`` is C before the server runs, then M."""

    def __init__(self) -> None:
        super().__init__()
        self.role = "C"

    def format(self, record: logging.LogRecord) -> str:
        mark = "#" if record.levelno >= logging.WARNING else "*" if record.levelno >= NOTICE else "-"
        if record.levelno <= logging.DEBUG:
            mark = "."
        moment = time.strftime("%d %b %Y %H:%M:%S", time.localtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return f"{os.getpid()}:{self.role} {moment}.{int(record.msecs):03d} {mark} {text}"


class LogFile(logging.Handler):
    """Appends each line to a file that it opens anew, so that the file may be moved away; or to stdout."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.redis_format = RedisFormatter()
        self.setFormatter(self.redis_format)
        self._path = Path(path).absolute() if path else None

    def emit(self, record: logging.LogRecord) -> None:
        self.raw(self.format(record) + "\n")

    def raw(self, text: str) -> None:
        """Write text as it stands."""
        try:
            if self._path is None:
                sys.stdout.write(text)
                sys.stdout.flush()
            else:
                with self._path.open("a", encoding="utf-8", errors="surrogateescape") as file:
                    file.write(text)
        except OSError:
            pass  # a full disk or a closed pipe must not take the server down
