"""Batches over redis-py clients that were handed in (fakeredis and Sentinel ones too), and over redis-py for TLS.

The client's connections are used directly: a batch is packed once and sent at once, and replies are read as bytes
without redis-py's command layer, whatever protocol and decoding the client was made with. The client's own pool,
credentials, timeouts and retries of connecting stay in force.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
import redis
import redis.asyncio
from redis import exceptions as trouble
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from redmodel.database.greeting import Arg, Broken, refused, unreachable
from redmodel.database.patience import AsyncPatient, Patient, WithErrors
from redmodel.database.raw_replies import PlainReplies
from redmodel.database.url import Kind, Target
from redmodel.errors import ConnectionFailed, InvalidUrl, ReplyError
from redmodel.plan.core import Batch, Reply

# The stub of hiredis admits tuples of one item only.
_pack_one: Callable[[tuple[Arg, ...]], bytes] = cast("Any", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]
# Codes that redis-py cuts off its errors' texts, for versions that don't keep them in `status_code`.
_CODES: dict[type[BaseException], str] = {
    trouble.AskError: "ASK",
    trouble.BusyLoadingError: "LOADING",
    trouble.ClusterCrossSlotError: "CROSSSLOT",
    trouble.ClusterDownError: "CLUSTERDOWN",
    trouble.ExecAbortError: "EXECABORT",
    trouble.MasterDownError: "MASTERDOWN",
    trouble.MovedError: "MOVED",
    trouble.NoPermissionError: "NOPERM",
    trouble.NoScriptError: "NOSCRIPT",
    trouble.OutOfMemoryError: "OOM",
    trouble.ReadOnlyError: "READONLY",
    trouble.TryAgainError: "TRYAGAIN",
}


def client_of(target: Target) -> redis.Redis:
    """A redis-py client on a server's URL; replies are bytes. It connects when first used."""
    # redis-py's own retries stay off: its defaults send again what must not be, and differ from call to call.
    return redis.Redis(**_settings(target), retry=Retry(NoBackoff(), 0))


def async_client_of(target: Target) -> redis.asyncio.Redis:
    """The same for asyncio."""
    return redis.asyncio.Redis(**_settings(target), retry=AsyncRetry(NoBackoff(), 0))


def _settings(target: Target) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "db": target.db,
        "username": target.username,
        "password": target.password,
        "client_name": target.client_name,
        "socket_timeout": target.timeout,
        "socket_connect_timeout": target.connect_timeout,
        "protocol": 2,
    }
    if target.kind == "unix":
        return settings | {"unix_socket_path": target.path}
    settings |= {"host": target.host, "port": target.port, "socket_keepalive": True}
    if target.tls is not None:
        settings |= {
            "ssl": True,
            "ssl_cert_reqs": target.tls.verify,
            "ssl_check_hostname": target.tls.check_hostname and target.tls.verify == "required",
            "ssl_ca_certs": target.tls.ca_certs or None,
            "ssl_certfile": target.tls.certfile or None,
            "ssl_keyfile": target.tls.keyfile or None,
        }
    return settings


def target_of(client: Any) -> Target:
    """Where a client leads, for messages and patience; never its password."""
    if not hasattr(client, "connection_pool"):
        if "Cluster" in type(client).__name__:
            raise InvalidUrl(
                "a RedisCluster client can't be used yet: hand in a redis.Redis on a server that is no cluster"
            )
        raise InvalidUrl(f"a handle takes a URL or a redis-py client, not {type(client).__name__}")
    known: dict[str, Any] = client.connection_pool.connection_kwargs
    kind: Kind = "unix" if known.get("path") else "tcp"
    return Target(
        kind=kind,
        host=str(known.get("host", "localhost")),
        port=int(known.get("port", 6379)),
        path=str(known.get("path") or ""),
        db=int(known.get("db") or 0),
        password="***" if known.get("password") or known.get("credential_provider") else None,
    )


def _as_reply(error: BaseException) -> ReplyError | None:
    """The reply that redis-py turned into an exception; None when it was no reply."""
    code = getattr(error, "status_code", None) or _CODES.get(type(error))
    if code is None and not isinstance(error, trouble.ResponseError):
        return None
    text = str(error)
    return ReplyError(text if code is None or text.split(" ", 1)[0] == code else f"{code} {text}")


def _pack(batch: Batch) -> list[bytes]:
    return [b"".join([_pack_one(command.args) for command in batch.commands])]


class _Exchange:
    """One batch on one connection: what both colours do between the waits."""

    def __init__(self, target: Target, batch: Batch, connection: Any) -> None:
        self.replies: list[Reply] = []
        self._target = target
        self._plain = PlainReplies(batch.commands, resp3=connection.get_protocol() in (3, "3"))
        self._errors = False

    def take(self, reply: Any) -> None:
        """One more reply, as redis-py parsed it."""
        self.replies.append(self._plain.read(reply, len(self.replies)))

    def take_error(self, error: Exception) -> None:
        """One more reply that is an error, or the end of the connection."""
        reply = _as_reply(error)
        if isinstance(error, trouble.AuthenticationError):
            raise refused(self._target, "" if reply is None else reply.code) from None
        if reply is None or isinstance(error, trouble.ConnectionError):
            # redis-py drops the connection after such a reply (the server is loading), and with it the later replies.
            reason = _why(error) if reply is None else reply.text
            raise Broken(reason, sent=reply is None or bool(self.replies)) from None
        self._errors = True
        self.replies.append(reply)

    def done(self) -> list[Reply]:
        """All replies."""
        return WithErrors(self.replies) if self._errors else self.replies


def _why(error: BaseException) -> str:
    if isinstance(error, trouble.TimeoutError | TimeoutError):
        return "no answer in time"
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _not_connected(target: Target, error: BaseException) -> ConnectionFailed:
    # redis.asyncio wraps what it meets while it connects.
    if isinstance(error.__cause__, trouble.RedisError):
        error = error.__cause__
    if isinstance(error, trouble.AuthenticationError):
        return refused(target, getattr(error, "status_code", None) or "")
    reply = _as_reply(error)
    return unreachable(target, _why(error) if reply is None else reply.text)


_FAILURES = (trouble.RedisError, OSError)


class ClientExecutor(Patient):
    """Executes batches on the connections of a blocking redis-py client, for as many threads as its pool allows.

    Args:
        client: a ``redis.Redis`` or ``fakeredis.FakeRedis``; closing the executor does not close it.
        target: where it leads, when that is known better than from the client.

    Raises:
        InvalidUrl: it is no such client.
    """

    def __init__(self, client: redis.Redis, target: Target | None = None) -> None:
        super().__init__(target or target_of(client))
        self._pool: Any = client.connection_pool
        if service := getattr(self._pool, "service_name", None):  # of Sentinel, whose connections change hosts
            self.keyspace = self.keyspace, service
        self._client = client  # a client that is dropped closes its pool

    def execute(self, batch: Batch) -> Sequence[Reply]:
        """Send a batch and read its replies: one round trip. Error replies are values in the list.

        Raises:
            ConnectionFailed: the server can't be reached, or the connection broke and trying again did not help.
        """
        self._refuse_if_closed()
        return self._patiently(batch)

    def close(self) -> None:
        """Refuse later work. The client stays open: it belongs to whoever made it."""
        self._closed = True

    def _attempt(self, batch: Batch) -> list[Reply]:
        pool, packed = self._pool, _pack(batch)
        try:
            connection = pool.get_connection()
        except _FAILURES as error:
            raise _not_connected(self.target, error) from None
        self._met = True
        try:
            exchange = _Exchange(self.target, batch, connection)
            connection.send_packed_command(packed, check_health=False)
            for _ in batch.commands:
                try:
                    exchange.take(connection.read_response(disable_decoding=True))
                except trouble.RedisError as error:
                    exchange.take_error(error)
        except BaseException as error:
            connection.disconnect()
            if isinstance(error, _FAILURES) and not isinstance(error, ConnectionFailed):
                raise Broken(_why(error)) from None
            raise
        finally:
            pool.release(connection)
        self.round_trips += 1
        return exchange.done()

    def _renew(self) -> None:
        self._pool.disconnect(inuse_connections=False)


def _cancellation() -> Callable[[], None]:
    """A check that raises CancelledError if the task was cancelled since now and nobody has said so.

    redis-py sends under ``asyncio.wait_for``, which in Python 3.11 loses a cancellation that comes as its wait ends.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0

    def check() -> None:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError

    return check


class AsyncClientExecutor(AsyncPatient):
    """Executes batches on the connections of an asyncio redis-py client, one connection per batch under way.

    Args:
        client: a ``redis.asyncio.Redis`` or asyncio ``fakeredis`` client; closing the executor does not close it.
        target: where it leads, when that is known better than from the client.

    Raises:
        InvalidUrl: it is no such client.
    """

    def __init__(self, client: redis.asyncio.Redis, target: Target | None = None) -> None:
        super().__init__(target or target_of(client))
        self._pool: Any = client.connection_pool
        if service := getattr(self._pool, "service_name", None):  # of Sentinel, whose connections change hosts
            self.keyspace = self.keyspace, service
        self._client = client  # a client that is dropped closes its pool

    async def execute(self, batch: Batch) -> Sequence[Reply]:
        """Send a batch and await its replies: one round trip. Error replies are values in the list.

        Raises:
            ConnectionFailed: the server can't be reached, or the connection broke and trying again did not help.
        """
        self._refuse_if_closed()
        return await self._patiently(batch)

    async def close(self) -> None:
        """Refuse later work. The client stays open: it belongs to whoever made it."""
        self._closed = True

    async def _attempt(self, batch: Batch) -> list[Reply]:
        pool, packed = self._pool, _pack(batch)
        if not batch.resend:
            # Lets the loop notice that the server closed an idle connection, before the pool hands it out.
            await asyncio.sleep(0)
        unless_cancelled = _cancellation()
        try:
            connection = await pool.get_connection()
        except _FAILURES as error:
            raise _not_connected(self.target, error) from None
        self._met = True
        try:
            exchange = _Exchange(self.target, batch, connection)
            unless_cancelled()  # while it connected
            await connection.send_packed_command(packed, check_health=False)
            unless_cancelled()
            for _ in batch.commands:
                try:
                    exchange.take(await connection.read_response(disable_decoding=True))
                except trouble.RedisError as error:
                    exchange.take_error(error)
        except BaseException as error:
            # A cancelled task's replies would reach the next user of this connection: it is closed.
            await connection.disconnect(nowait=True)
            if isinstance(error, _FAILURES) and not isinstance(error, ConnectionFailed):
                raise Broken(_why(error)) from None
            raise
        finally:
            await pool.release(connection)
        self.round_trips += 1
        return exchange.done()

    async def _renew(self) -> None:
        await self._pool.disconnect(inuse_connections=False)
