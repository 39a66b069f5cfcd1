"""MIGRATE: keys sent to another server by RESTORE, and deleted here when it has them. Nobody is served meanwhile."""

from __future__ import annotations

import socket
from typing import IO, NamedTuple

from redmodel.engine import texts
from redmodel.engine.arguments import integer
from redmodel.engine.context import Context
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import OK, Reply, Status
from redmodel.engine.storage.format import encode_command
from redmodel.engine.storage.rdb import payload
from redmodel.errors import ReplyError

TABLE = Table(("MIGRATE", -6, "write movablekeys", (3, 3, 1)))

_NO_KEY = Status(b"NOKEY")
_SECONDS = 1.0  # to wait, where the command says none
_NOT_WRITTEN = "IOERR error or timeout writing to target instance"
_KEYS_AND_KEY = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"


class _Options(NamedTuple):
    keys: Args
    copy: bool
    replace: bool
    credentials: Args


@TABLE.handles("MIGRATE")
def migrate(context: Context, args: Args) -> Reply:
    options = _options(args)
    milliseconds = integer(args[5])
    database = integer(args[4])
    seconds = milliseconds / 1000 if milliseconds > 0 else _SECONDS
    commands = [(b"AUTH", *options.credentials)] if options.credentials else []
    commands.append((b"SELECT", b"%d" % database))
    before = len(commands)
    keys: list[bytes] = []
    deadlines = context.database.deadlines
    for key in options.keys:
        value = context.find(key)
        if value is not None:
            left = max(deadlines[key] - context.now(), 1) if key in deadlines else 0
            replace = (b"REPLACE",) if options.replace else ()
            commands.append((b"RESTORE", key, b"%d" % left, payload.dump(value), *replace))
            keys.append(key)
    if not keys:
        return _NO_KEY
    try:
        target = socket.create_connection((args[1].decode(), integer(args[2])), seconds)
    except ConnectionRefusedError:  # which Redis only notices when it writes
        raise ReplyError(_NOT_WRITTEN) from None
    except (OSError, ValueError, OverflowError):
        raise ReplyError("IOERR error or timeout connecting to the client") from None
    with target, target.makefile("rb") as replies:
        try:
            target.sendall(b"".join(map(encode_command, commands)))
        except OSError:
            raise ReplyError(_NOT_WRITTEN) from None
        return _settle(context, replies, before, keys, copy=options.copy)


def _settle(context: Context, replies: IO[bytes], before: int, keys: list[bytes], *, copy: bool) -> Reply:
    """Read what the other server says to each command, and delete the keys that it has."""
    failures: list[bytes] = []
    arrived: list[bytes] = []
    cut_off = False
    try:
        for _ in range(before):
            failures += _failure(replies)
        refused = bool(failures)
        for key in keys:
            failure = _failure(replies)
            failures += failure
            if not failure and not refused:
                arrived.append(key)
    except OSError:
        cut_off = True
    if arrived and not copy:
        context.effect(b"DEL", *arrived)
        for key in arrived:
            context.database.remove(key)
            context.touch(key, b"del")
    if failures:
        raise ReplyError(f"ERR Target instance replied with error: {texts.shown(failures[0])}")
    if cut_off:
        raise ReplyError("IOERR error or timeout reading to target instance")
    return OK


def _failure(replies: IO[bytes]) -> list[bytes]:
    line = replies.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError
    return [line[1:-2]] if line.startswith(b"-") else []


def _options(args: Args) -> _Options:
    copy = replace = False
    credentials: Args = ()
    keys: Args = args[3:4]
    at = 6
    while at < len(args):
        option, left = args[at].lower(), len(args) - at - 1
        if option == b"copy":
            copy = True
        elif option == b"replace":
            replace = True
        elif option == b"auth" and left:
            credentials = args[at + 1 : at + 2]
            at += 1
        elif option == b"auth2" and left > 1:
            credentials = args[at + 1 : at + 3]
            at += 2
        elif option == b"keys":
            if args[3]:
                raise ReplyError(_KEYS_AND_KEY)
            keys = args[at + 1 :]
            break
        else:
            raise texts.syntax()
        at += 1
    return _Options(keys, copy, replace, credentials)
