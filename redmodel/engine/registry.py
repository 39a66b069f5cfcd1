"""The command table: each command's name, arity, flags and keys, beside the function that runs it.

A file of commands opens with a `Table`, which is its table of contents, and binds each row to a function with
``@table.handles("NAME")``. Nothing here runs a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from sys import maxsize
from typing import TYPE_CHECKING, TypeAlias

from redmodel.engine import texts

if TYPE_CHECKING:
    from redmodel.engine.context import Context
    from redmodel.engine.replies import Reply

Args: TypeAlias = Sequence[bytes]
"""A command's arguments, its name first; a handler must not change it, and may keep the bytes in it."""

Handler: TypeAlias = "Callable[[Context, Args], Reply]"

Row: TypeAlias = tuple[str, int, str, tuple[int, int, int]]
"""Name (``CONTAINER|SUB`` for a subcommand), arity, flags, and the keys as (first, last, step) as in COMMAND INFO."""


# What is no write itself, and may still change what replicas would see: held up by CLIENT PAUSE WRITE.
_MAY_REPLICATE = frozenset(b"eval evalsha fcall publish spublish pfcount script|load".split())


class Command:
    """One command, ready to be called.

    ``minimum`` and ``maximum`` bound the number of arguments with the name; ``writes`` says that it, or a subcommand,
    may change data; ``immediate`` that it runs inside MULTI instead of being queued; ``nil_array`` that its nil is
    always an array's.
    """

    __slots__ = (
        "arity",
        "flags",
        "grows",
        "handler",
        "immediate",
        "keys",
        "maximum",
        "may_replicate",
        "minimum",
        "name",
        "nil_array",
        "noscript",
        "reads",
        "subcommands",
        "writes",
    )

    def __init__(self, row: Row, handler: Handler) -> None:
        name, self.arity, flags, self.keys = row
        self.name = name.lower().encode()
        self.flags = frozenset(flags.split())
        self.handler = handler
        self.minimum = abs(self.arity)
        self.maximum = self.arity if self.arity > 0 else maxsize
        self.writes = "write" in self.flags
        self.reads = "readonly" in self.flags
        self.grows = "denyoom" in self.flags
        self.may_replicate = "may_replicate" in self.flags or self.name in _MAY_REPLICATE
        self.noscript = "noscript" in self.flags
        self.immediate = "immediate" in self.flags
        self.nil_array = "nil_array" in self.flags
        self.subcommands: dict[bytes, Command] = {}

    def nil_is_array(self, args: Args) -> bool:
        """Whether a nil that answers these arguments is the array's in RESP2."""
        return self.nil_array or (len(args) == 3 and "nil_array_of_count" in self.flags)

    def refused(self, reason: str, *, reads: bool = False) -> Command:
        """This command, or one that answers MISCONF in its place if it writes, or in any case with ``reads``."""
        if not self.writes and not reads:
            return self

        def refuse(context: Context, args: Args) -> Reply:
            raise texts.cannot_write(reason)

        command = copy(self)
        command.handler = refuse
        return command


def wrapped(commands: dict[bytes, Command], wrap: Callable[[Command], Handler]) -> dict[bytes, Command]:
    """The table with other handlers: those that ``wrap`` makes, for containers in their subcommands."""

    def one(command: Command) -> Command:
        other = copy(command)
        if command.subcommands:
            other.subcommands = {name: one(sub) for name, sub in command.subcommands.items()}
            other.handler = _dispatcher(other, command.handler if command.arity == -1 else None)
        else:
            other.handler = wrap(command)
        return other

    made: dict[int, Command] = {}
    for command in commands.values():
        if id(command) not in made:
            made[id(command)] = one(command)
    return {name: made[id(command)] for name, command in commands.items()}


def busy_commands(commands: dict[bytes, Command], *, function: bool) -> dict[bytes, Command]:
    """The table while a script runs too long: what is not allowed then answers BUSY."""

    def refuse(context: Context, args: Args) -> Reply:
        error, session = texts.busy(function=function), context.session
        session.queue_failed = session.queue is not None
        if session.queue is not None and args[0].upper() == b"EXEC":
            context.engine.discard(session)
            error = texts.exec_abort_because(error, whole=True)
        raise error

    def narrowed(command: Command) -> Command:
        if "allow_busy" in command.flags:
            return command
        narrow = copy(command)
        narrow.immediate = True
        if any("allow_busy" in sub.flags for sub in command.subcommands.values()):
            narrow.subcommands = {name: narrowed(sub) for name, sub in command.subcommands.items()}
            narrow.handler = _dispatcher(narrow, refuse)
        else:
            narrow.handler = refuse
        return narrow

    return {name: narrowed(command) for name, command in commands.items()}


class Table:
    """The commands of one file, in the order of its table of contents.

    >>> table = Table(("PING", -1, "fast", (0, 0, 0)))
    >>> @table.handles("PING")
    ... def ping(context, args):
    ...     return b"PONG"
    >>> [command.name for command in table.commands()]
    [b'ping']
    """

    def __init__(self, *rows: Row) -> None:
        self._rows = {row[0]: row for row in rows}
        self._handlers: dict[str, Handler] = {}

    def handles(self, *names: str) -> Callable[[Handler], Handler]:
        """Bind the rows of these names to the decorated function."""

        def bind(handler: Handler) -> Handler:
            for name in names:
                if name not in self._rows or name in self._handlers:
                    raise LookupError(f"{name} is not in the table of its file, or is handled twice")
                self._handlers[name] = handler
            return handler

        return bind

    def commands(self) -> list[Command]:
        """Build the commands; a row without a function is a LookupError, unless it is a container of others."""
        containers = {name.partition("|")[0] for name in self._rows if "|" in name}
        missing = self._rows.keys() - self._handlers.keys() - containers
        if missing:
            raise LookupError(f"no function handles {', '.join(sorted(missing))}")
        commands: list[Command] = []
        for name, row in self._rows.items():
            command = Command(row, self._handlers.get(name, _unbound))
            if name in containers:
                command.handler = _dispatcher(command, self._handlers.get(name))
            commands.append(command)
        return commands


def _unbound(context: Context, args: Args) -> Reply:
    raise LookupError(args[0])


def _dispatcher(container: Command, alone: Handler | None) -> Handler:
    """The handler of a container: find the subcommand, check its arity, run it; ``alone`` runs without one."""

    def dispatch(context: Context, args: Args) -> Reply:
        if alone is not None and len(args) == 1:
            return alone(context, args)
        return subcommand(container, args).handler(context, args)

    return dispatch


def subcommand(container: Command, args: Args) -> Command:
    """Find the subcommand that the arguments name, or refuse them in Redis' words."""
    found = container.subcommands.get(args[1].lower())
    if found is None:
        raise texts.unknown_subcommand(container.name, args[1])
    if not found.minimum <= len(args) <= found.maximum:
        raise texts.arity(found.name)
    return found


def collect(tables: Iterable[Table]) -> dict[bytes, Command]:
    """Join tables into one look-up by name, in upper and in lower case, with subcommands inside their containers."""
    found: dict[bytes, Command] = {}
    for command in (command for table in tables for command in table.commands()):
        container, _, sub = command.name.partition(b"|")
        if sub:
            found[container].subcommands[sub] = command
            found[container].writes |= command.writes
        elif command.name in found:
            raise LookupError(f"{command.name.decode()} is in two tables")
        else:
            found[command.name] = found[command.name.upper()] = command
    return found
