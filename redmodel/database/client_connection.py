"""redis-py connections that lead to an engine in this process, without a socket.

May live here: what a connection of redis-py is asked to do, for both colours. Commands run when they are sent, and
their replies wait to be read.
"""

# redis-py is typed in part only:
# mypy: allow-untyped-calls
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import redis.asyncio.connection
import redis.connection
from redis._parsers import _AsyncRESP3Parser, _RESP3Parser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from redmodel.database.client_conversation import Conversation
from redmodel.database.client_replies import Decode, encoded
from redmodel.engine.engine import Engine
from redmodel.engine.replies import Push


def wire_protocol(protocol: Any) -> int:
    """The version of RESP that redis-py would speak; without a choice its own default, which is 3 since redis-py 8."""
    return int(protocol or getattr(redis.connection, "DEFAULT_RESP_VERSION", 2))


def _handler(connection: Any) -> Any:
    """The parser of redis-py's that knows what to do with a message; in RESP2 messages are replies."""
    parser = connection._parser
    if not hasattr(parser, "handle_push_response"):
        # redis-py does the same when a server agrees to speak RESP3.
        connection.set_parser(type(connection)._resp3_parser)
        parser = connection._parser
    return parser


def decoder(encoder: Any) -> Decode:
    """How a redis-py encoder decodes replies."""
    if not encoder.decode_responses:
        return None
    if encoder.encoding.lower() in ("utf-8", "utf8") and encoder.encoding_errors == "strict":
        return bytes.decode
    return lambda text: text.decode(encoder.encoding, encoder.encoding_errors)


class EngineConnection(redis.connection.UnixDomainSocketConnection):
    """A connection of `redis.Redis` to an engine."""

    _resp3_parser = _RESP3Parser
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

    def can_read(self, timeout: float | None = 0) -> bool:
        self.connect()
        assert self._conversation is not None
        return self._conversation.wait(timeout)

    def read_response(self, disable_decoding: bool = False, **kwargs: Any) -> Any:
        try:
            while True:
                if self._conversation is None:
                    raise RedisConnectionError("not connected to the engine")
                self._conversation.wait(None)
                reply = self._conversation.hear(None if disable_decoding else self._decode)
                if type(reply) is not Push:
                    return reply
                handled = _handler(self).handle_push_response(list(reply))
                if kwargs.get("push_request"):
                    return handled
        except ResponseError:
            raise
        except BaseException:
            if kwargs.get("disconnect_on_error", True):
                self.disconnect()
            raise


class AsyncEngineConnection(redis.asyncio.connection.UnixDomainSocketConnection):
    """A connection of `redis.asyncio.Redis` to an engine."""

    _resp3_parser = _AsyncRESP3Parser
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

    async def can_read(self, timeout: float | None = 0, *args: Any) -> bool:  # noqa: ASYNC109 (redis-py's)
        return self._conversation is not None and await self._conversation.wait_async(timeout)

    async def can_read_destructive(self) -> bool:
        return await self.can_read()

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 (redis-py's)
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        left = None if timeout is None or timeout == math.inf else timeout
        try:
            while True:
                if self._conversation is None:
                    raise RedisConnectionError("not connected to the engine")
                if not await self._conversation.wait_async(left) and left is not None:
                    return None
                reply = self._conversation.hear(None if disable_decoding else self._decode)
                if type(reply) is not Push:
                    return reply
                handled = await _handler(self).handle_push_response(list(reply))
                if kwargs.get("push_request"):
                    return handled
        except ResponseError:
            raise
        except BaseException:
            if kwargs.get("disconnect_on_error", True):
                await self.disconnect()
            raise

    def __del__(self, *_: Any) -> None:
        # redis-py's asks for the socket's writer.
        if self._conversation is not None:
            self._conversation.end()
