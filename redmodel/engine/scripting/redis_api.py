"""The smaller functions of ``redis.*``: each takes how many arguments there are, and those; answers (failed, value)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from redmodel.engine.scripting.conversion import command_arguments
from redmodel.engine.version import REDIS_VERSION

if TYPE_CHECKING:
    from redmodel.engine.scripting.running import Scripting

logger = logging.getLogger(__name__)

_LEVELS = (logging.DEBUG, logging.DEBUG, logging.INFO, logging.WARNING)
_Answer = tuple[bool, Any]


def constants() -> dict[bytes, Any]:
    """The constants of ``redis.*``."""
    major, minor, patch = map(int, REDIS_VERSION.split("."))
    return {
        b"LOG_DEBUG": 0,
        b"LOG_VERBOSE": 1,
        b"LOG_NOTICE": 2,
        b"LOG_WARNING": 3,
        b"REPL_NONE": 0,
        b"REPL_AOF": 1,
        b"REPL_SLAVE": 2,
        b"REPL_REPLICA": 2,
        b"REPL_ALL": 3,
        b"REDIS_VERSION": REDIS_VERSION.encode(),
        b"REDIS_VERSION_NUM": major << 16 | minor << 8 | patch,
    }


def api(scripting: Scripting) -> dict[bytes, Callable[..., _Answer]]:
    """The functions, for the scripts of one engine."""

    def setresp(count: int, *args: Any) -> _Answer:
        if count != 1:
            return True, b"ERR redis.setresp() requires one argument."
        if args[0] not in (2, 3):
            return True, b"ERR RESP version must be 2 or 3."
        if scripting.running is not None:
            scripting.running.protocol = int(args[0])
        return False, None

    def acl_check_cmd(count: int, *args: Any) -> _Answer:
        if not count:
            return True, b"ERR Please specify at least one argument for this redis lib call"
        words = command_arguments(args)
        if words is None:
            return True, b"ERR redis.acl_check_cmd() require at least one argument"
        running = scripting.running
        command = None if running is None else running.procedure.look_up(words)
        if running is None or command is None:
            return True, b"ERR Invalid command passed to redis.acl_check_cmd()"
        user = running.context.session.user
        return False, user is None or user.everything or user.denies(command.name.decode(), words) is None

    return {
        b"sha1hex": _sha1hex,
        b"log": _log,
        b"setresp": setresp,
        b"set_repl": _set_repl,
        b"replicate_commands": _yes,
        b"acl_check_cmd": acl_check_cmd,
    }


def _yes(count: int, *args: Any) -> _Answer:
    return False, True


def _sha1hex(count: int, *args: Any) -> _Answer:
    if count != 1:
        return True, b"ERR wrong number of arguments"
    words = command_arguments(args) or [b""]
    return False, sha1(words[0], usedforsecurity=False).hexdigest().encode()


def _log(count: int, *args: Any) -> _Answer:
    if count < 2:
        return True, b"ERR redis.log() requires two arguments or more."
    if type(args[0]) not in (int, float):
        return True, b"ERR First argument must be a number (log level)."
    if not 0 <= args[0] <= 3:
        return True, b"ERR Invalid debug level."
    words = command_arguments(tuple(arg for arg in args[1:] if type(arg) in (bytes, int, float))) or []
    logger.log(_LEVELS[int(args[0])], "%s", b" ".join(words).decode("utf-8", "backslashreplace"))
    return False, None


def _set_repl(count: int, *args: Any) -> _Answer:
    if count != 1:
        return True, b"ERR redis.set_repl() requires two arguments."
    if type(args[0]) not in (int, float) or int(args[0]) & ~3:
        return True, b"ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."
    return False, None
