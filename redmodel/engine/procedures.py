"""Native procedures: functions that run atomically inside the engine, called with EVALSHA.

Here are what a procedure is and what it may do; the procedures themselves are registered from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from redmodel.engine import texts
from redmodel.errors import ReplyError

if TYPE_CHECKING:
    from redmodel.engine.context import Context
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.replies import Reply
    from redmodel.engine.values.types import Value

Procedure: TypeAlias = "Callable[[ProcedureContext, list[bytes], list[bytes]], Reply]"
"""Takes the context, the keys and the further arguments; what it raises leaves done what it did before."""


class ProcedureContext:
    """What a running procedure may do: run commands, look at values, and know the time."""

    __slots__ = ("_commands", "_context", "_counted", "_owed", "_read_only")

    def __init__(
        self, context: Context, commands: dict[bytes, Command], *, read_only: bool = False, counted: bool = False
    ) -> None:
        self._context = context
        self._commands = commands
        self._read_only = read_only
        self._counted = counted  # each command counts as if a client had sent it
        self._owed = context.owed

    @property
    def now(self) -> int:
        """Unix milliseconds; stands still during the procedure, and decides which keys have expired."""
        return self._context.now()

    def call(self, *args: bytes) -> Reply:
        """Run one command of the engine in the session's database, its effects logged with the procedure's others.

        Args:
            args: the command's name, then its arguments.

        Raises:
            ReplyError: the command answered an error; what was done before stays done.
        """
        return self.run(self.find(args), args)

    def look_up(self, args: Args) -> Command | None:
        """The command that some arguments name, or its subcommand; None if there is no such command."""
        command = self._commands.get(args[0]) or self._commands.get(args[0].upper())
        if command is not None and command.subcommands and len(args) > 1:
            return command.subcommands.get(args[1].lower())
        return command

    def find(self, args: Args) -> Command:
        """The command that a procedure calls.

        Raises:
            ReplyError: there is none, or a procedure may not call it, or not so.
        """
        command = self.look_up(args)
        if command is None:
            raise ReplyError(texts.SCRIPT_UNKNOWN_COMMAND)
        if not command.minimum <= len(args) <= command.maximum or (command.subcommands and len(args) == 1):
            raise ReplyError(texts.SCRIPT_ARITY)
        if command.noscript and not self._context.engine.scripting.call_anything:
            raise ReplyError(texts.SCRIPT_NOT_ALLOWED)
        if self._read_only and (command.writes or command.may_replicate):
            raise ReplyError(texts.SCRIPT_READ_ONLY)
        return command

    def run(self, command: Command, args: Args) -> Reply:
        """Run a command that was found."""
        context = self._context
        try:
            if self._counted:
                return context.engine.gate.call(context, command, args)
            return command.handler(context, args)
        finally:
            if context.changed:
                context.changed = False
                if context.logging:
                    if context.rewritten:
                        context.collect(args)
                    else:  # what `collect` does, without a call for each command of each save
                        context.owed = True
                        context.effects.append((context.database.number, args))

    def owes_nothing(self) -> None:
        """Say that nobody asked for what was written so far: the caller neither waits for it, nor hears if it fails."""
        self._context.owed = self._owed

    def value(self, key: bytes) -> Value | None:
        """The live container at a key, for reading only; None if there is no such key or it has expired."""
        return self._context.find(key)
