"""A task waits for an embedded engine: for a command that can't be answered yet. Its event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redmodel.engine.replies import Reply
    from redmodel.engine.waiting import Waiter


async def waited(waiter: Waiter) -> tuple[Reply, int]:
    """The reply, an error as a value, and the position in the log that the disk must have before anybody sees it.

    A task that is cancelled waits for nothing any more: what comes later is left to others.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def told() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    waiter.when_done(told)
    left = waiter.left
    timer = None if left is None else loop.call_later(left, waiter.time_out)
    try:
        await done.wait()
    except BaseException:
        waiter.cancel()
        raise
    finally:
        if timer is not None:
            timer.cancel()
    return waiter.reply, waiter.position
