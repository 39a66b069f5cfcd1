"""The scripts of one engine: their cache, the one that runs now, and what is done about one that runs too long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from redmodel.engine import texts
from redmodel.engine.procedures import ProcedureContext
from redmodel.engine.scripting import shebang
from redmodel.engine.scripting.conversion import command_arguments, to_lua, to_reply
from redmodel.engine.scripting.interpreter import Failure, Interpreter
from redmodel.engine.scripting.libraries import Libraries
from redmodel.engine.scripting.redis_api import api, constants
from redmodel.errors import ReplyError

if TYPE_CHECKING:
    from redmodel.engine.context import Context
    from redmodel.engine.engine import Engine
    from redmodel.engine.registry import Args, Command
    from redmodel.engine.replies import Reply

logger = logging.getLogger(__name__)

_PAUSE = 0.002  # seconds that other threads get now and then while a script runs too long
_EACH = 0.01
_LOADING = 0.5  # seconds that the source of a library may run


class Running:
    """A script or function while it runs."""

    def __init__(
        self, context: Context, kind: shebang.Kind, name: str, *, read_only: bool, function: bool, command: Args
    ) -> None:
        self.context = context
        self.kind = kind
        self.name = name
        self.function = function
        self.command = command
        self.protocol = 2
        self.began = time.monotonic()
        self.killed = False
        self.abandoned = False
        self.wrote = False
        self.full = False
        #: There are too few replicas for it to write.
        self.lonely = False
        self.read_only = read_only or kind.reads_only
        self.procedure = ProcedureContext(
            context, context.engine.commands, read_only=self.read_only, counted=context.session.counted
        )


class Scripting:
    """What an engine knows of Lua; nothing is imported before the first script comes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._interpreter: Interpreter | None = None
        #: Sources by SHA, and what was compiled of them.
        self.sources: dict[bytes, bytes] = {}
        self._compiled: dict[bytes, tuple[shebang.Kind, Any]] = {}
        self.running: Running | None = None
        #: Told now and then while a script runs longer than busy-reply-threshold: servers answer others meanwhile.
        self.meanwhile: list[Callable[[], None]] = []
        self._looked = 0.0
        self._warned = False
        self._before: tuple[Any, ...] = ()
        #: DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may call what is not for scripts.
        self.call_anything = False
        #: Takes what ``redis.register_function`` is called with, while a library is loaded.
        self.registering: Callable[..., tuple[bool, Any]] | None = None
        #: When the library that is loaded began to run.
        self.loaded_since = 0.0
        self.libraries = Libraries(self)

    @property
    def interpreter(self) -> Interpreter:
        """The interpreter, made when it is needed first.

        Raises:
            ReplyError: the package lupa is missing.
        """
        if self._interpreter is None:
            self._interpreter = Interpreter(
                api=api(self),
                call=self._call,
                more=self._more,
                swallowed=self._swallowed,
                register=self._register,
                tick=self._tick,
                values=constants(),
            )
        return self._interpreter

    def load(self, source: bytes) -> bytes:
        """Keep a script; returns its SHA.

        Raises:
            ReplyError: it can't be compiled.
        """
        sha = sha1(source, usedforsecurity=False).hexdigest().encode()
        if sha not in self._compiled:
            kind, body = shebang.script(source)
            try:
                chunk = self.interpreter.compile(body, b"@user_script")
            except ReplyError as error:
                if error.text == texts.NO_INTERPRETER:
                    raise
                raise ReplyError(f"ERR Error compiling script (new function): {error.text}") from None
            self.sources[sha] = source
            self._compiled[sha] = kind, chunk
        return sha

    def kind(self, sha: bytes) -> shebang.Kind:
        """What a kept script says about itself."""
        return self._compiled[sha][0]

    def reads_only(self, command: Args) -> bool:
        """Whether a call of a script or function can't write, by what that says of itself."""
        name = command[0].lower()
        try:
            if name == b"eval":
                return shebang.script(command[1])[0].reads_only
            if name == b"evalsha":
                sha = command[1].lower()
                return self.knows(sha) and self.kind(sha).reads_only
            return name == b"fcall" and self.libraries.find(command[1]).kind.reads_only
        except (ReplyError, IndexError):
            return False

    def knows(self, sha: bytes) -> bool:
        """Whether a script is kept."""
        return sha in self._compiled

    def flush(self) -> None:
        """Forget all scripts, and what they may have left in the interpreter; libraries stay."""
        self.sources.clear()
        self._compiled.clear()

    def run_script(
        self, context: Context, sha: bytes, keys: list[bytes], argv: list[bytes], *, read_only: bool, command: Args
    ) -> Reply:
        """Run a kept script."""
        kind, chunk = self._compiled[sha]
        running = Running(context, kind, sha.decode(), read_only=read_only, function=False, command=command)
        return self._run(running, lambda: self.interpreter.script(chunk, keys, argv))

    def run_function(
        self,
        context: Context,
        kind: shebang.Kind,
        name: str,
        function: Any,
        keys: list[bytes],
        argv: list[bytes],
        *,
        read_only: bool,
        command: Args,
    ) -> Reply:
        """Run a function of a library."""
        running = Running(context, kind, name, read_only=read_only, function=True, command=command)
        return self._run(running, lambda: self.interpreter.function(function, keys, argv))

    def _run(self, running: Running, start: Callable[[], Any]) -> Reply:
        if read_only_mismatch(running.kind, running.read_only):
            raise ReplyError(texts.SCRIPT_WRITES_IN_RO)
        memory = self._engine.memory
        running.full = bool(memory.limit) and running.kind.heeds_memory and not memory.make_room()
        if running.full and running.kind.flags is not None and not running.kind.reads_only:
            raise ReplyError(texts.OUT_OF_MEMORY)
        running.lonely = self._engine.replication.too_few
        if running.lonely and running.kind.flags is not None and not running.kind.reads_only:
            raise ReplyError(texts.TOO_FEW_REPLICAS)
        before, self.running = self.running, running
        self._looked = running.began
        self._warned = False
        context = running.context
        waited, context.may_wait = context.may_wait, False
        selected = context.session.db
        try:
            outcome = start()
            if outcome.failure is not None:
                raise _failed(outcome.failure, running.name)
            interpreter = self.interpreter
            reply = to_reply(outcome.value, running.protocol, interpreter.is_table)
            if isinstance(reply, ReplyError):
                raise reply
            return reply
        finally:
            self.running = before
            context.may_wait = waited
            if running.abandoned:
                context.changed = False
                context.effects.clear()
            if context.session.db != selected:
                context.select(selected)

    def _swallowed(self, text: bytes) -> None:
        """Count an error that no client sees."""
        self._engine.statistics.failed(text.decode("utf-8", "surrogateescape"))

    def _more(self, *args: Any) -> None:
        self._before += args

    def _call(self, *args: Any) -> tuple[bool, Any]:
        """redis.call, of which the sandbox makes redis.pcall too."""
        if self._before:
            args, self._before = (*self._before, *args), ()
        running = self.running
        if running is None:
            return True, b"ERR redis.call/pcall can only be called inside a script invocation"
        if not args:
            return True, texts.SCRIPT_NO_ARGUMENTS.encode()
        words = command_arguments(args)
        if words is None:
            return True, texts.SCRIPT_ARGUMENT_TYPE.encode()
        try:
            command = running.procedure.find(words)
            self._permit(running, command, words)
            if running.full and command.grows and not running.wrote:
                raise ReplyError(texts.OUT_OF_MEMORY)
            if running.lonely and command.writes and not running.wrote:
                raise ReplyError(texts.TOO_FEW_REPLICAS)
            if command.writes:
                running.wrote = True
            reply = running.procedure.run(command, words)
        except ReplyError as error:
            return True, error.text.encode("utf-8", "surrogateescape")
        return False, to_lua(reply, running.protocol, self.interpreter.table)

    def _permit(self, running: Running, command: Command, words: list[bytes]) -> None:
        session = running.context.session
        user = session.user
        if not session.counted or user is None or user.everything:
            return
        denied = user.denies(command.name.decode(), words)
        if denied is not None:
            try:
                self._engine.gate.permit(session, command, words, where="lua")
            except ReplyError:
                raise texts.script_not_permitted(denied.reason) from None

    def _register(self, *args: Any) -> tuple[bool, Any]:
        if self.registering is None:
            return True, b"ERR redis.register_function can only be called on FUNCTION LOAD command"
        return self.registering(*args)

    def _tick(self) -> bytes | None:
        """Called every now and then by a running script; a text ends it."""
        now = time.monotonic()
        if self.registering is not None:
            return texts.LIBRARY_TIMEOUT.encode() if now - self.loaded_since > _LOADING else None
        running = self.running
        if running is None:
            return None
        threshold = self._engine.settings.number("busy-reply-threshold")
        if threshold <= 0 or now - running.began < threshold / 1000:
            return None
        if not self._warned:
            self._warned = True
            logger.warning(
                "Slow script detected: still in execution after %d milliseconds. "
                "You can try killing the script using the %s command. Script name is: %s.",
                (now - running.began) * 1000,
                "FUNCTION KILL" if running.function else "SCRIPT KILL",
                running.name,
            )
        if now - self._looked >= _EACH:
            self._engine.let_others(running.context, alone=running.wrote, seconds=_PAUSE)
            self._looked = time.monotonic()
        if running.killed:
            return texts.SCRIPT_KILLED.encode()
        return None

    def abandon(self) -> None:
        """End the script that runs too long, because the server ends: what it has written is not kept."""
        assert self.running is not None
        self.running.killed = self.running.abandoned = True

    def kill(self, *, function: bool) -> None:
        """End the script that runs too long.

        Raises:
            ReplyError: there is none, or it has written already.
        """
        running = self.running
        if running is None or not self._warned:
            raise ReplyError(texts.NOT_BUSY)
        if running.wrote:
            raise ReplyError(texts.UNKILLABLE)
        if running.function != function:
            raise texts.busy(function=running.function)
        running.killed = True

    @property
    def runs_function(self) -> bool:
        """Whether what runs now is a function of a library, and not a script."""
        return self.running is not None and self.running.function

    @property
    def busy(self) -> bool:
        """Whether a script runs longer than it should."""
        return self.running is not None and self._warned


def read_only_mismatch(kind: shebang.Kind, read_only: bool) -> bool:
    """Whether a script that may write was called by a command that must not."""
    return read_only and kind.flags is not None and not kind.reads_only


def _failed(failure: Failure, name: str) -> ReplyError:
    text = failure.text.replace("\r", " ").replace("\n", " ")
    if failure.source is None or failure.line is None:
        return ReplyError(text)
    return ReplyError(f"{text} script: {name}, on {failure.source}:{failure.line}.")
