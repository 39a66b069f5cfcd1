"""Takes the tail calls out of compiled Lua 5.1, so that an error in ``return redis.call(…)`` still knows its line.

In Redis, redis.call is a function of C, whose caller stays on the stack; here it is one of Lua, which would take the
caller's place. A tail call and the return behind it are the same as a call and that return.
"""

from __future__ import annotations

_LAYOUT = b"\x1bLua\x51\x00\x01\x04\x08\x04\x08\x00"
_HEADER = len(_LAYOUT)
_CALL, _TAILCALL = 28, 29
_OPCODE = 0x3F


def straightened(dump: bytes) -> bytes:
    """What string.dump gave, with calls in place of tail calls."""
    code = bytearray(dump)
    if not dump.startswith(_LAYOUT):
        return dump  # another machine's layout: errors then know no line
    _function(code, _HEADER)
    return bytes(code)


def _integer(code: bytearray, at: int) -> int:
    return int.from_bytes(code[at : at + 4], "little")


def _behind_string(code: bytearray, at: int) -> int:
    return at + 8 + int.from_bytes(code[at : at + 8], "little")


def _function(code: bytearray, at: int) -> int:
    """Change one function and those inside it; returns where it ends."""
    at = _behind_string(code, at) + 8 + 4  # its source, its lines, its four small numbers
    count = _integer(code, at)
    at += 4
    for place in range(at, at + 4 * count, 4):
        if code[place] & _OPCODE == _TAILCALL:
            code[place] = code[place] & ~_OPCODE | _CALL
    at += 4 * count
    count = _integer(code, at)
    at += 4
    for _ in range(count):  # constants
        kind = code[at]
        at += 1
        if kind == 1:
            at += 1
        elif kind == 3:
            at += 8
        elif kind == 4:
            at = _behind_string(code, at)
    count = _integer(code, at)
    at += 4
    for _ in range(count):
        at = _function(code, at)
    at += 4 + 4 * _integer(code, at)  # lines
    count = _integer(code, at)
    at += 4
    for _ in range(count):  # local variables
        at = _behind_string(code, at) + 8
    count = _integer(code, at)
    at += 4
    for _ in range(count):  # names of upvalues
        at = _behind_string(code, at)
    return at
