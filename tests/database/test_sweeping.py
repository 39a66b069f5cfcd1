"""A sweeper beside the application: trouble with the connection, forks, and its end."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redmodel import AsyncDatabase, ConnectionFailed, Database
from tests.contract.models import Session
from tests.servers import RealServer


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


class Fails:
    """An executor that fails so many times before it works again."""

    def __init__(self, inner: Any, times: int) -> None:
        self.inner, self.times = inner, times

    def execute(self, batch: Any) -> Any:
        self.times -= 1
        if self.times >= 0:
            raise ConnectionFailed("gone")
        return self.inner.execute(batch)


def sweepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "redmodel-sweeper"]


def test_it_survives_trouble_with_the_connection(redis7: RealServer) -> None:
    redis7.flush()
    with Database(redis7.unix_url) as db:
        db.save_many((Session(id=str(n), token=str(n), user="u") for n in range(10)), ttl=0.01)
        db._writer = failing = Fails(db._writer, 3)  # type: ignore[assignment]
        with db.sweeper(Session, every=0.01) as sweeper:
            wait_for(lambda: sweeper.error is not None)
            wait_for(lambda: failing.times < 0 and sweeper.error is None)
            wait_for(lambda: not db.client.exists("sessions@ids"))
        assert sweepers() == []


def test_it_survives_trouble_in_asyncio(redis7: RealServer) -> None:
    redis7.flush()

    async def main() -> None:
        async with AsyncDatabase(redis7.unix_url) as db:
            await db.save_many((Session(id=str(n), token=str(n), user="u") for n in range(10)), ttl=0.01)
            inner, errors = db._writer, [ConnectionFailed("gone")] * 2

            class Failing:
                async def execute(self, batch: Any) -> Any:
                    if errors:
                        raise errors.pop()
                    return await inner.execute(batch)

            db._writer = Failing()  # type: ignore[assignment]
            async with db.sweeper(Session, every=0.01) as sweeper:
                deadline = time.monotonic() + 20
                while await db.client.exists("sessions@ids") and time.monotonic() < deadline:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                assert not errors
            assert not await db.client.exists("sessions@ids") and sweeper.turns >= 2
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_it_ends_with_its_block_also_when_that_fails() -> None:
    with Database("memory://") as db:
        with pytest.raises(ZeroDivisionError), db.sweeper(Session, every=3600):
            1 / 0
        assert sweepers() == []


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_none(tmp_path: Path) -> None:
    with Database("memory://") as db, db.sweeper(Session, every=0.001) as sweeper:
        wait_for(lambda: sweeper.turns > 3)
        for _ in range(5):
            child = os.fork()
            if child == 0:
                try:
                    turns = sweeper.turns
                    time.sleep(0.02)
                    sweeper.__exit__(None, None, None)
                    os._exit(0 if sweeper.turns == turns and not sweepers() else 1)
                finally:
                    os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
        turns = sweeper.turns
        wait_for(lambda: sweeper.turns > turns)
