"""One Lua interpreter in its sandbox: compiling and running, with bounds on memory and time.

May live here: what scripts can reach of the host. Of Python they see nothing: every function of the host is hidden
behind a Lua function, and attributes of Python's objects are refused should one ever get through.
"""

# What comes from Lua has no type of Python:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from redmodel.engine import texts
from redmodel.engine.scripting.numbers import BIT, STRUCT, Random, float_bytes, float_of
from redmodel.engine.scripting.tail_calls import straightened
from redmodel.errors import ReplyError

#: How much memory all scripts of an engine may hold.
MEMORY = 1 << 30

_HERE = Path(__file__).parent


class Failure(NamedTuple):
    """What a script ended with: the text, and the place in the source where it was raised."""

    text: str
    source: str | None = None
    line: int | None = None


class Outcome(NamedTuple):
    """A value of Lua, or a failure."""

    value: Any
    failure: Failure | None


@cache
def _source(name: str) -> bytes:
    return (_HERE / name).read_bytes()


def _nothing(obj: object, name: object, is_setting: bool) -> str:
    raise AttributeError("scripts see no Python")


class Interpreter:
    """Lua 5.1 with what Redis' scripts know.

    Args:
        api: functions of ``redis.*``, each called with the number of its arguments and those, answering
            ``(failed, value)``.
        call: ``redis.call``, answering the same.
        more: takes arguments of the next ``call`` that go before its own.
        swallowed: told of an error that ``redis.pcall`` gives to the script.
        register: ``redis.register_function``.
        tick: asked every now and then while a script runs; a text ends the script.
        values: constants of ``redis.*``.

    Raises:
        ReplyError: the package lupa is missing.
    """

    def __init__(
        self,
        *,
        api: dict[bytes, Callable[..., Any]],
        call: Callable[..., Any],
        more: Callable[..., Any],
        swallowed: Callable[[bytes], None],
        register: Callable[..., Any],
        tick: Callable[[], bytes | None],
        values: dict[bytes, Any],
    ) -> None:
        try:
            from lupa import lua51  # pyright: ignore[reportMissingTypeStubs]
        except ImportError:
            raise ReplyError(texts.NO_INTERPRETER) from None
        lua: Any = lua51
        self._lua = lua.LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_nothing,
            max_memory=0,
        )
        self._failures: tuple[type[BaseException], ...] = (lua.LuaError, lua.LuaMemoryError)
        self._type: Any = lua.lua_type
        self._random = Random()
        self._limited = False
        self.table: Callable[[Any], Any] = self._lua.table_from
        load = self._lua.eval(b"loadstring")
        free = self._unbounded
        host = {
            b"api": self.table({name: free(function) for name, function in api.items()}),
            b"bit": self.table({name: free(function) for name, function in BIT.items()}),
            b"bound": self._bound,
            b"call": free(call),
            b"cjson": self._maker(load, "cjson.lua"),
            b"cmsgpack": self._maker(load, "cmsgpack.lua"),
            b"float": free(float_bytes),
            b"more": free(more),
            b"random": free(self._random.part),
            b"randomseed": free(self._random.seed),
            b"register": register,
            b"straightened": free(straightened),
            b"struct": self.table({name: free(function) for name, function in STRUCT.items()}),
            b"swallowed": free(swallowed),
            b"tick": tick,
            b"unfloat": free(float_of),
            b"values": self.table(values),
        }
        self._run = load(_source("sandbox.lua"), b"=sandbox")(self.table(host))

    def _bound(self, on: bool) -> None:
        """Bound the memory of Lua, or not: only while nothing but Lua itself asks for it can that be refused."""
        if on and self._limited:
            self._lua.set_max_memory(MEMORY)
        elif not on:
            self._lua.set_max_memory(0)

    def _unbounded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the host that runs without that bound; the sandbox sets it again."""
        lift = self._lua.set_max_memory

        def run(*args: Any) -> Any:
            lift(0)
            return function(*args)

        return run

    def _maker(self, load: Any, name: str) -> Any:
        return load(_source(name), b"=" + name.encode())

    def is_table(self, value: Any) -> bool:
        """Whether a value is a table of Lua."""
        return bool(self._type(value) == "table")

    def is_function(self, value: Any) -> bool:
        """Whether a value is a function of Lua."""
        return bool(self._type(value) == "function")

    def compile(self, code: bytes, name: bytes) -> Any:
        """A function of a source.

        Raises:
            ReplyError: it is no Lua; the text is Lua's.
        """
        found: Any = self._run[b"compile"](code, name)
        if isinstance(found, tuple):
            raise ReplyError(_text(found[1]))
        return found

    def script(self, chunk: Any, keys: list[bytes], argv: list[bytes]) -> Outcome:
        """Run a script."""
        return self._outcome(b"script", chunk, self.table(keys), self.table(argv))

    def function(self, function: Any, keys: list[bytes], argv: list[bytes]) -> Outcome:
        """Run a registered function."""
        return self._outcome(b"call", function, self.table(keys), self.table(argv))

    def library(self, code: bytes) -> Outcome:
        """Run a library's source, which registers its functions."""
        return self._outcome(b"library", code, b"@user_function")

    def _outcome(self, how: bytes, *args: Any) -> Outcome:
        self._limited = True
        try:
            found: Any = self._run[how](*args)
        except self._failures as error:
            return Outcome(None, Failure(f"ERR {error}".replace("\n", " ")))
        finally:
            self._limited = False
            self._lua.set_max_memory(0)
            if self._lua.get_memory_used() > MEMORY // 2:
                self._run[b"collect"]()
        parts: tuple[Any, ...] = found if isinstance(found, tuple) else (found,)
        ok, value, source, line = (*parts, None, None, None)[:4]
        if ok:
            return Outcome(value, None)
        text = _text(value) if isinstance(value, bytes) else "ERR unknown error"
        return Outcome(None, Failure(text, None if source is None else _text(source), line))


def _text(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
