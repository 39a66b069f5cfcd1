"""Every transport behind one blocking face, so that one suite asks all of them the same."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self

from redmodel.database.greeting import Arg
from redmodel.database.url import parse
from redmodel.plan.core import Batch, Command, Reply

KINDS = (
    "own socket",
    "own socket, asyncio",
    "redis-py RESP2",
    "redis-py RESP3",
    "redis-py RESP3, decoding",
    "redis-py RESP2, asyncio",
    "redis-py RESP3, decoding, asyncio",
    "fakeredis",
    "fakeredis, asyncio",
)
OVER_A_SOCKET = tuple(kind for kind in KINDS if "fakeredis" not in kind)
OWN = KINDS[:2]


def batch(*commands: Sequence[Arg], resend: bool = True) -> Batch:
    """A batch of commands whose replies are read as they are."""
    return Batch(tuple(Command(tuple(args), _raw) for args in commands), resend)


def _raw(reply: Reply) -> Reply:
    return reply


class Transport:
    """One executor of either colour, and what must be closed after it."""

    def __init__(self, kind: str, url: str, **settings: Any) -> None:
        self.kind = kind
        self._runner = asyncio.Runner() if "asyncio" in kind else None
        self._client: Any = None
        target = dataclasses.replace(parse(url), **settings)
        self.executor: Any = self.run(self._make(target, url)) if self._runner else self._make_blocking(target, url)

    def _make_blocking(self, target: Any, url: str) -> Any:
        if self.kind == "own socket":
            from redmodel.database.over_redis import RedisExecutor

            return RedisExecutor(target)
        import redis

        from redmodel.database.over_client import ClientExecutor

        if self.kind == "fakeredis":
            import fakeredis

            self._client = fakeredis.FakeRedis()
        else:
            self._client = redis.Redis.from_url(url, **self._client_settings(target))
        return ClientExecutor(self._client, target)

    async def _make(self, target: Any, url: str) -> Any:
        if self.kind == "own socket, asyncio":
            from redmodel.database.over_redis_async import AsyncRedisExecutor

            return AsyncRedisExecutor(target)
        import redis.asyncio

        from redmodel.database.over_client import AsyncClientExecutor

        if self.kind == "fakeredis, asyncio":
            import fakeredis

            self._client = fakeredis.FakeAsyncRedis()
        else:
            self._client = redis.asyncio.Redis.from_url(url, **self._client_settings(target))
        return AsyncClientExecutor(self._client, target)

    def _client_settings(self, target: Any) -> dict[str, Any]:
        return {
            "protocol": 3 if "RESP3" in self.kind else 2,
            "decode_responses": "decoding" in self.kind,
            "socket_timeout": target.timeout,
            "socket_connect_timeout": target.connect_timeout,
        }

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the transport's event loop."""
        assert self._runner is not None
        return self._runner.run(coroutine)

    def execute(self, sent: Batch) -> Sequence[Reply]:
        """Execute a batch, whatever the colour."""
        if self._runner:
            return self.run(self.executor.execute(sent))  # type: ignore[no-any-return]
        return self.executor.execute(sent)  # type: ignore[no-any-return]

    def ask(self, *commands: Sequence[Arg], resend: bool = True) -> list[Reply]:
        """Execute commands and give the replies as a list."""
        return list(self.execute(batch(*commands, resend=resend)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the executor, the client and the loop."""
        if self._runner:
            self.run(self.executor.close())
            if self._client is not None:
                self.run(self._client.aclose())
            self._runner.close()
        else:
            self.executor.close()
            if self._client is not None:
                self._client.close()


Opener = Callable[..., Transport]
