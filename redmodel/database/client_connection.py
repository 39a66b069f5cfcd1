"""redis-py connections that lead to an engine in this process: no socket, and nothing is ever waited for.

May live here: what a connection of redis-py is asked to do, for both colours. Commands run when they are sent, and
their replies wait to be read.
"""

# redis-py is typed in part only:
# mypy: allow-untyped-calls
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import redis.asyncio.connection
import redis.connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from redmodel.database.client_replies import Decode, encoded, error_of, flattened, shaped
from redmodel.database.client_waiting import waited
from redmodel.database.over_engine_commits import commits_of
from redmodel.engine.engine import Engine
from redmodel.engine.session import Session
from redmodel.engine.waiting import Suspended
from redmodel.errors import ReplyError


def wire_protocol(protocol: Any) -> int:
    """The version of RESP that redis-py would speak; without a choice its own default, which is 3 since redis-py 8."""
    return int(protocol or getattr(redis.connection, "DEFAULT_RESP_VERSION", 2))


class Conversation:
    """One session with an engine: commands go in, replies wait in order."""

    def __init__(self, engine: Engine, db: int, name: str | None, protocol: int) -> None:
        self.engine = engine
        self.session = Session(db, (name or "").encode(), protocol=protocol)
        self.replies: deque[Any] = deque()

    def say(self, command: Iterable[list[bytes]]) -> None:
        """Run commands; what they answer, errors included, is kept."""
        execute, session, replies = self.engine.execute, self.session, self.replies
        session.patient = False
        for args in command:
            try:
                replies.append(execute(session, args))
            except ReplyError as error:
                replies.append(error)

    async def say_async(self, command: Iterable[list[bytes]]) -> None:
        """The same, where the disk must not be waited for in the event loop's thread."""
        self.session.patient = True
        owed: list[int] = []
        behind = 0
        for args in command:
            try:
                reply, position = self.engine.submit(self.session, args)
            except Suspended as suspended:
                reply, position = await waited(suspended.waiter)
            self.replies.append(reply)
            if position:
                owed.append(len(self.replies) - 1)
                behind = position
        if owed:
            try:
                await commits_of(self.engine).wait(behind)
            except ReplyError as error:
                for at in owed:
                    self.replies[at] = error

    def hear(self, decode: Decode) -> Any:
        """The oldest reply, as redis-py expects it; an error is raised."""
        if not self.replies:
            raise RedisConnectionError("no reply is waiting: nothing was sent to the engine")
        reply = self.replies.popleft()
        if self.session.protocol < 3:
            reply = flattened(reply)
        if isinstance(reply, ReplyError):
            raise error_of(reply) from None
        return shaped(reply, decode)

    def end(self) -> None:
        """Forget the session's transaction and watched keys."""
        self.replies.clear()
        self.engine.release(self.session)


def decoder(encoder: Any) -> Decode:
    """How a redis-py encoder decodes replies."""
    if not encoder.decode_responses:
        return None
    if encoder.encoding.lower() in ("utf-8", "utf8") and encoder.encoding_errors == "strict":
        return bytes.decode
    return lambda text: text.decode(encoder.encoding, encoder.encoding_errors)


class EngineConnection(redis.connection.UnixDomainSocketConnection):
    """A connection of `redis.Redis` to an engine."""

    _conversation: Conversation | None = None

    def __init__(self, *, engine: Engine, **kwargs: Any) -> None:
        super().__init__(path="engine", **kwargs)
        self.engine = engine
        self._decode = decoder(self.encoder)

    @property
    def is_connected(self) -> bool:
        return self._conversation is not None

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return [("engine", id(self.engine)), ("db", self.db)]

    def connect(self) -> None:
        if self._conversation is None:
            self._conversation = Conversation(self.engine, int(self.db), self.client_name, wire_protocol(self.protocol))
            for reference in self._connect_callbacks:
                callback = reference()
                if callback:
                    callback(self)

    def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        self.connect()

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            self.reset_should_reconnect()
            conversation.end()

    def check_health(self) -> None:
        """The engine is in this process: it is as well as we are."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._conversation is None:
            self.connect()
        assert self._conversation is not None
        self._conversation.say(command)

    def send_command(self, *args: Any, **kwargs: Any) -> None:
        self.send_packed_command([encoded(args)])

    def pack_command(self, *args: Any) -> list[Any]:
        return [encoded(args)]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[Any]:
        return [encoded(tuple(args)) for args in commands]

    def can_read(self, timeout: float = 0) -> bool:
        self.connect()
        assert self._conversation is not None
        return bool(self._conversation.replies)

    def read_response(self, disable_decoding: bool = False, **kwargs: Any) -> Any:
        try:
            if self._conversation is None:
                raise RedisConnectionError("not connected to the engine")
            return self._conversation.hear(None if disable_decoding else self._decode)
        except ResponseError:
            raise
        except BaseException:
            if kwargs.get("disconnect_on_error", True):
                self.disconnect()
            raise


class AsyncEngineConnection(redis.asyncio.connection.UnixDomainSocketConnection):
    """A connection of `redis.asyncio.Redis` to an engine."""

    _conversation: Conversation | None = None

    def __init__(self, *, engine: Engine, **kwargs: Any) -> None:
        super().__init__(path="engine", **kwargs)
        self.engine = engine
        self._decode = decoder(self.encoder)

    @property
    def is_connected(self) -> bool:
        return self._conversation is not None

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return [("engine", id(self.engine)), ("db", self.db)]

    async def connect(self) -> None:
        if self._conversation is None:
            self._conversation = Conversation(self.engine, int(self.db), self.client_name, wire_protocol(self.protocol))
            for reference in self._connect_callbacks:
                callback = reference()
                if callback:
                    waiting = callback(self)
                    if waiting is not None:
                        await waiting

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        await self.connect()

    async def disconnect(self, *args: Any, **kwargs: Any) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            self.reset_should_reconnect()
            conversation.end()

    async def check_health(self) -> None:
        """The engine is in this process: it is as well as we are."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._conversation is None:
            await self.connect()
        assert self._conversation is not None
        await self._conversation.say_async(command)

    async def send_command(self, *args: Any, **kwargs: Any) -> None:
        await self.send_packed_command([encoded(args)])

    def pack_command(self, *args: Any) -> list[Any]:
        return [encoded(args)]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[Any]:
        return [encoded(tuple(args)) for args in commands]

    async def can_read(self, *args: Any) -> bool:
        return self._conversation is not None and bool(self._conversation.replies)

    async def can_read_destructive(self) -> bool:
        return await self.can_read()

    async def read_response(self, disable_decoding: bool = False, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._conversation is None:
                raise RedisConnectionError("not connected to the engine")
            return self._conversation.hear(None if disable_decoding else self._decode)
        except ResponseError:
            raise
        except BaseException:
            if kwargs.get("disconnect_on_error", True):
                await self.disconnect()
            raise
