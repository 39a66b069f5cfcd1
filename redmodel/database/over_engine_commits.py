"""Tasks of an event loop wait for the embedded engine's disk together: one fsync for all, and the loop goes on.

A store with ``appendfsync=always`` is the only one that anybody has to wait for.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from weakref import WeakKeyDictionary

from redmodel.engine.engine import Engine
from redmodel.errors import StorageError


class Commits:
    """Lets the tasks of any event loop wait for an engine's disk."""

    __slots__ = ("_engine", "_groups")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._groups: WeakKeyDictionary[asyncio.AbstractEventLoop, _Group] = WeakKeyDictionary()

    async def wait(self, position: int) -> None:
        """Return when everything up to a position is durable.

        Raises:
            ReplyError: MISCONF: it can't be made durable.
        """
        loop = asyncio.get_running_loop()
        group = self._groups.get(loop)
        if group is None:
            group = self._groups[loop] = _Group(self._engine, loop)
        await group.join(position)


def commits_of(engine: Engine) -> Commits:
    """The one way in which the tasks of this process wait for an engine's disk."""
    commits = engine.commits
    if not isinstance(commits, Commits):
        commits = engine.commits = Commits(engine)
    return commits


class _Group:
    """The tasks of one loop: those who come while one fsync runs share the next."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._busy = False

    def join(self, position: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((position, future))
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._go)  # when every task that is ready now has written what it has to write
        return future

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []

        def told(error: StorageError | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._done, waiting, error)

        self._engine.tell(max(position for position, _ in waiting), told)

    def _done(self, waiting: list[tuple[int, asyncio.Future[None]]], error: StorageError | None) -> None:
        refusal = None if error is None else self._engine.failed(error)
        for _, future in waiting:
            if future.done():
                continue
            if refusal is None:
                future.set_result(None)
            else:
                future.set_exception(refusal.with_traceback(None))
        if self._waiting:
            self._loop.call_soon(self._go)
        else:
            self._busy = False
