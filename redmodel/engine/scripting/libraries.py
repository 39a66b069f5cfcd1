"""Libraries of functions: loading, finding and calling them, and their serialised form.

What comes from a file is kept as source until somebody asks for a function, so that a store opens without an
interpreter.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redmodel.engine import texts
from redmodel.engine.scripting import shebang
from redmodel.engine.scripting.conversion import command_arguments
from redmodel.errors import ReplyError

if TYPE_CHECKING:
    from redmodel.engine.scripting.running import Scripting

logger = logging.getLogger(__name__)

_NAME = re.compile(rb"[A-Za-z0-9_]+")
_NAMED = (b"function_name", b"callback", b"flags", b"description")


@dataclass(slots=True)
class Function:
    """One function of a library."""

    name: bytes
    callback: Any
    kind: shebang.Kind
    description: bytes | None


@dataclass(slots=True)
class Library:
    """A library; its functions are None until its source has run."""

    name: bytes
    source: bytes
    functions: dict[bytes, Function] | None = None
    registered: dict[bytes, Function] = field(default_factory=dict[bytes, Function])


class Libraries:
    """All libraries of an engine, by name."""

    def __init__(self, scripting: Scripting) -> None:
        self._scripting = scripting
        self._by_name: dict[bytes, Library] = {}
        self._asleep: list[bytes] = []  # names of those whose source has not run
        self._found: dict[bytes, Function] | None = None  # all functions, by their names in lower case

    @property
    def sources(self) -> list[bytes]:
        """The sources of all libraries, as they were given."""
        return [library.source for library in self._by_name.values()]

    def keep(self, source: bytes) -> None:
        """Take a library from a file: its source runs when somebody asks for a function.

        Raises:
            ReplyError: it says nothing about itself.
        """
        _, name, _ = shebang.library(source)
        self._found = None
        self._by_name[name] = Library(name, source)
        if name not in self._asleep:
            self._asleep.append(name)

    def all(self) -> Iterable[Library]:
        """All libraries, awake."""
        self._wake()
        return self._by_name.values()

    @property
    def awake(self) -> list[Library]:
        """The libraries whose source has run."""
        return [library for library in self._by_name.values() if library.functions is not None]

    def load(self, source: bytes, *, replace: bool = False) -> bytes:
        """Run a library's source and take its functions; returns its name.

        Raises:
            ReplyError: it can't be loaded; what was there stays.
        """
        self._wake()
        library = self._made(source)
        old = self._by_name.get(library.name)
        if old is not None and not replace:
            raise ReplyError(f"ERR Library '{texts.shown(library.name)}' already exists")
        self._run(library)
        self._add([library], without=(library.name,))
        return library.name

    def restore(self, sources: list[bytes], policy: bytes) -> None:
        """Take several libraries: all of them, or none.

        Args:
            sources: of the libraries.
            policy: FLUSH, APPEND or REPLACE.

        Raises:
            ReplyError: one can't be loaded, or is there already.
        """
        self._wake()
        made = [self._made(source) for source in sources]
        for library in made:
            if policy == b"APPEND" and library.name in self._by_name:
                raise ReplyError(f"ERR Library {texts.shown(library.name)} already exists")
            self._run(library)
        if policy == b"FLUSH":
            self._add(made, without=tuple(self._by_name))
        else:
            self._add(made, without=tuple(library.name for library in made))

    def delete(self, name: bytes) -> None:
        """Forget a library.

        Raises:
            ReplyError: there is none.
        """
        if name not in self._by_name:
            raise ReplyError("ERR Library not found")
        self._found = None
        del self._by_name[name]
        if name in self._asleep:
            self._asleep.remove(name)

    def flush(self) -> None:
        """Forget all libraries."""
        self._found = None
        self._by_name.clear()
        self._asleep.clear()

    def find(self, name: bytes) -> Function:
        """A function by its name, in any case.

        Raises:
            ReplyError: there is none.
        """
        self._wake()
        if self._found is None:
            self._found = {}
            for library in self._by_name.values():
                for function in (library.functions or {}).values():
                    self._found.setdefault(function.name.lower(), function)
        found = self._found.get(name.lower())
        if found is None:
            raise ReplyError("ERR Function not found")
        return found

    def _made(self, source: bytes) -> Library:
        engine, name, _ = shebang.library(source)
        if _NAME.fullmatch(name) is None:
            raise ReplyError(texts.LIBRARY_NAME)
        if engine.lower() != b"lua":
            raise ReplyError(f"ERR Engine '{texts.shown(engine)}' not found")
        return Library(name, source)

    def _wake(self) -> None:
        while self._asleep:
            self._found = None
            library = self._by_name[self._asleep[-1]]
            try:
                self._run(library)
            except ReplyError as error:
                if error.text == texts.NO_INTERPRETER:
                    raise
                logger.warning("the library %s of functions is kept, and can't be run: %s", library.name, error)
            library.functions = library.registered
            self._asleep.pop()

    def _run(self, library: Library) -> None:
        """Run a library's source, which registers its functions."""
        interpreter = self._scripting.interpreter

        def register(count: int, *args: Any) -> tuple[bool, Any]:
            try:
                function = self._described(count, args)
                if function.name in library.registered:
                    raise ReplyError("ERR Function already exists in the library")
                library.registered[function.name] = function
            except ReplyError as error:
                return True, error.text.encode("utf-8", "surrogateescape")
            return False, None

        _, _, body = shebang.library(library.source)
        self._scripting.registering, self._scripting.loaded_since = register, time.monotonic()
        try:
            outcome = interpreter.library(body)
        finally:
            self._scripting.registering = None
        if outcome.failure is not None:
            if outcome.failure.source is None:
                raise ReplyError(f"ERR Error compiling function: {outcome.failure.text}")
            raise ReplyError(f"ERR Error registering functions: {outcome.failure.text}")
        if not library.registered:
            raise ReplyError("ERR No functions registered")

    def _add(self, libraries: list[Library], *, without: tuple[bytes, ...]) -> None:
        """Take libraries whose source has run, in place of some."""
        kept = {name: library for name, library in self._by_name.items() if name not in without}
        taken = {name.lower() for library in kept.values() for name in library.functions or ()}
        for library in libraries:
            names = {name.lower(): name for name in library.registered}
            for lowered, name in names.items():
                if lowered in taken:
                    raise ReplyError(f"ERR Function {texts.shown(name)} already exists")
            taken.update(names)
        self._found = None
        for library in libraries:
            library.functions = library.registered
            kept[library.name] = library
        self._by_name = kept

    def _described(self, count: int, args: tuple[Any, ...]) -> Function:
        """What redis.register_function was called with."""
        interpreter = self._scripting.interpreter
        if not 1 <= count <= 2:
            raise ReplyError("ERR wrong number of arguments to redis.register_function")
        if count == 2:
            name = _string(args[0])
            if name is None:
                # Redis looks at the second argument first.
                if not interpreter.is_function(args[1]):
                    raise ReplyError("ERR second argument to redis.register_function must be a function")
                raise ReplyError("ERR first argument to redis.register_function must be a string")
            if not interpreter.is_function(args[1]):
                raise ReplyError("ERR second argument to redis.register_function must be a function")
            return self._checked(name, args[1], frozenset(), None)
        if not interpreter.is_table(args[0]):
            raise ReplyError(
                "ERR calling redis.register_function with a single argument is only applicable to Lua table "
                "(representing named arguments)."
            )
        given: dict[Any, Any] = {}
        for key, value in args[0].items():
            if key not in _NAMED:
                raise ReplyError("ERR unknown argument given to redis.register_function")
            given[key] = value
            if key == b"function_name" and _string(value) is None:
                raise ReplyError("ERR function_name argument given to redis.register_function must be a string")
            if key == b"description" and _string(value) is None:
                raise ReplyError("ERR description argument given to redis.register_function must be a string")
            if key == b"callback" and not interpreter.is_function(value):
                raise ReplyError("ERR callback argument given to redis.register_function must be a function")
            if key == b"flags" and not interpreter.is_table(value):
                raise ReplyError(
                    "ERR flags argument to redis.register_function must be a table representing function flags"
                )
        if b"function_name" not in given:
            raise ReplyError("ERR redis.register_function must get a function name argument")
        if b"callback" not in given:
            raise ReplyError("ERR redis.register_function must get a callback argument")
        flags: set[str] = set()
        for flag in given[b"flags"].values() if b"flags" in given else ():
            if type(flag) is not bytes or flag.decode("latin-1") not in shebang.FLAGS:
                raise ReplyError("ERR unknown flag given")
            flags.add(flag.decode("latin-1"))
        name = _string(given[b"function_name"]) or b""
        return self._checked(name, given[b"callback"], frozenset(flags), _string(given.get(b"description")))

    def _checked(self, name: bytes, callback: Any, flags: frozenset[str], description: bytes | None) -> Function:
        if _NAME.fullmatch(name) is None:
            raise ReplyError(texts.LIBRARY_NAME)
        return Function(name, callback, shebang.Kind(flags), description)


def _string(value: Any) -> bytes | None:
    if value is None or type(value) is bool:
        return None
    words = command_arguments((value,))
    return None if words is None else words[0]
