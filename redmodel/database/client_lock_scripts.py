"""The three scripts of redis-py's `Lock`, as native procedures, so that locks work on an engine without Lua.

May live here: these three, known by the SHA-1 of their source; if a redis-py changes a source, its SHA is unknown here
and the engine says NOSCRIPT rather than run something else.
"""

from __future__ import annotations

from typing import Any

from redmodel.engine.arguments import parse_integer
from redmodel.engine.engine import Engine
from redmodel.engine.procedures import ProcedureContext

RELEASE = b"c3f8721cbb97f72bc19e972846bd7aaf91901658"
EXTEND = b"a4e8783852e6b949f9ef3a97212805108459a890"
REACQUIRE = b"1cac51482acf5858da00f6d685d68f886cd6b6b2"


def register_lock_scripts(engine: Engine) -> None:
    """Let the engine run the scripts of redis-py's locks."""
    for sha, procedure in _PROCEDURES.items():
        if sha not in engine.procedures:
            engine.register_procedure(sha, procedure)


def _owns(context: ProcedureContext, key: bytes, token: bytes) -> bool:
    return context.call(b"GET", key) == token


def _release(context: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Any:
    if not _owns(context, keys[0], argv[0]):
        return 0
    context.call(b"DEL", keys[0])
    return 1


def _extend(context: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Any:
    key, token, milliseconds, replace = keys[0], *argv[:3]
    if not _owns(context, key, token):
        return 0
    left = context.call(b"PTTL", key)
    if not isinstance(left, int) or left < 0:
        return 0
    if replace == b"0":
        added = parse_integer(milliseconds)
        milliseconds = b"%d" % (left + added) if added is not None else milliseconds
    context.call(b"PEXPIRE", key, milliseconds)
    return 1


def _reacquire(context: ProcedureContext, keys: list[bytes], argv: list[bytes]) -> Any:
    if not _owns(context, keys[0], argv[0]):
        return 0
    context.call(b"PEXPIRE", keys[0], argv[1])
    return 1


_PROCEDURES = {RELEASE: _release, EXTEND: _extend, REACQUIRE: _reacquire}
