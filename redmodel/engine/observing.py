"""Watching commands run: monitors, readers whose keys are tracked, misses. While nobody asks it costs nothing.

Commands are watched by way of a table of commands of its own, whose handlers tell when they have run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from redmodel.engine import texts
from redmodel.engine.command_keys import keys_of
from redmodel.engine.registry import wrapped
from redmodel.engine.replies import Status
from redmodel.errors import ReplyError

if TYPE_CHECKING:
    from redmodel.engine.context import Context
    from redmodel.engine.engine import Engine
    from redmodel.engine.registry import Args, Command, Handler
    from redmodel.engine.replies import Reply
    from redmodel.engine.session import Session

_ESCAPES = {10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b", 34: b'\\"', 92: b"\\\\"}
_SPELLED = [_ESCAPES.get(byte) or (b"%c" % byte if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in range(256)]

# Commands that look keys up without a miss being an event, and writers that read keys.
_SILENT = (b"object", b"memory", b"debug", b"keys", b"scan", b"randomkey", b"dbsize")
_LOOKING_WRITERS = frozenset(
    b"getex getdel getset set bitop bitfield sinterstore sunionstore sdiffstore zunionstore zinterstore zdiffstore "
    b"zrangestore xreadgroup xack xclaim xautoclaim copy sort pfmerge geosearchstore georadius "
    b"georadiusbymember".split()
)
_REDACTED = b"(redacted)"
_SENSITIVE = frozenset(b"masteruser masterauth requirepass tls-key-file-pass tls-client-key-file-pass".split())


class Observers:
    """Who watches the commands of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.monitors: dict[Session, None] = {}

    def __bool__(self) -> bool:
        return bool(self.monitors or self._engine.tracking or self._engine.notifier.misses)

    def table(self, commands: dict[bytes, Command]) -> dict[bytes, Command]:
        """The commands, watched where anybody watches."""
        return wrapped(commands, self._watched) if self else commands

    def _watched(self, command: Command) -> Handler:
        handler = command.handler
        # Of what administers nothing is shown; a script is shown before what it calls.
        before = "skip_monitor" in command.flags
        looks = (command.reads and not command.name.startswith(_SILENT)) or command.name in _LOOKING_WRITERS
        after = not before and "admin" not in command.flags and command.name != b"quit"

        def run(context: Context, args: Args) -> Reply:
            if before:
                self._show(context, args)
            missed = self._missed(context, command, args) if looks and self._engine.notifier.misses else []
            if command.writes:
                self._tell_missed(context, missed)
            try:
                reply = handler(context, args)
                if not command.writes:
                    self._tell_missed(context, missed)
                return reply
            except ReplyError as error:
                if not command.writes and (error.code != "ERR" or error.text == texts.NO_SUCH_KEY):
                    self._tell_missed(context, missed)
                raise
            finally:
                if after:
                    self._show(context, args)
                tracking = self._engine.tracking
                if tracking:
                    tracking.read(context.session, command, args)
                    if context.may_wait:
                        tracking.ended(context.session, command)

        return run

    def _missed(self, context: Context, command: Command, args: Args) -> list[bytes]:
        """The keys that a command is about to look up to read them, and that are not there."""
        name = command.name
        if (name == b"set" and b"GET" not in map(bytes.upper, args[3:])) or (
            name == b"bitfield" and not {b"SET", b"INCRBY"}.isdisjoint(map(bytes.upper, args[2:]))
        ):
            return []
        keys = keys_of(name.decode(), args) or ()
        every = command.reads or name.startswith(b"x")
        found = [args[key.at] for key in keys if (every or key.reads) and context.find(args[key.at]) is None]
        return found * 2 if name == b"xread" else found  # which looks twice

    def _tell_missed(self, context: Context, keys: list[bytes]) -> None:
        for key in keys:
            context.notify(b"keymiss", key)

    def _show(self, context: Context, args: Args) -> None:
        if not self.monitors:
            return
        session = context.session
        where = b"lua" if self._engine.scripting.running is not None else _place(session.address)
        now = time.time_ns() // 1000
        spelled = b" ".join(map(quoted, without_secrets(args)))
        line = Status(b"%d.%06d [%d %b] %b" % (now // 1_000_000, now % 1_000_000, session.db, where, spelled))
        for monitor in tuple(self.monitors):
            if monitor is session:
                monitor.tell_behind(line)
            else:
                monitor.tell(line)


def quoted(text: bytes) -> bytes:
    """A text between quotes, as Redis spells what may hold any byte."""
    return b'"%b"' % b"".join([_SPELLED[byte] for byte in text])


def _place(address: bytes) -> bytes:
    return b"unix:" + address.removesuffix(b":0") if address.startswith(b"/") else address


def without_secrets(args: Args) -> list[bytes]:
    """The arguments of a command, with those hidden that are nobody's business."""
    shown = list(args)
    name = args[0].lower()
    if name == b"auth":
        shown[1:] = [_REDACTED] * (len(args) - 1)
    elif name == b"acl" and len(args) > 1 and args[1].lower() in (b"setuser", b"getuser", b"deluser"):
        shown[2:] = [_REDACTED] * (len(args) - 2)
    elif name == b"config" and len(args) > 1 and args[1].lower() == b"set":
        for at in range(2, len(args) - 1, 2):
            if args[at].lower() in _SENSITIVE:
                shown[at + 1] = _REDACTED
    elif name in (b"hello", b"migrate"):
        for at, arg in enumerate(args):
            behind = {b"auth": 1 if name == b"migrate" else 2, b"auth2": 2}.get(arg.lower(), 0)
            for place in range(at + 1, min(at + 1 + behind, len(args))):
                shown[place] = _REDACTED
    return shown
