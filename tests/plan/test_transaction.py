"""A transaction whose reply is lost: it is recognised when it is sent again, and never done twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from redmodel import ConnectionFailed, Database, Indexed, Model, Unique
from redmodel.plan.core import Batch, Reply


class Jar(Model, prefix="lost-jars"):
    coins: Indexed[int] = 0
    name: Unique[str]


class Losing:
    """Executes each batch, and loses the reply to transactions: what may be sent again is, after ``between``."""

    def __init__(self, inner: Any, between: Any = None) -> None:
        self.inner = inner
        self.between = between
        self.keyspace = inner.keyspace
        self.sent = 0

    def execute(self, batch: Batch) -> Sequence[Reply]:
        replies: Sequence[Reply] = self.inner.execute(batch)
        if len(batch.commands) > 1 or batch.commands[0].args[0] != b"EVALSHA":
            return replies
        self.sent += 1
        if self.between is not None:
            self.between()
        if not batch.resend:
            raise ConnectionFailed("the reply was lost")
        return self.inner.execute(batch)  # type: ignore[no-any-return]

    def close(self) -> None:
        self.inner.close()


def losing(db: Database, between: Any = None) -> Database:
    other = Database("memory://lost-replies")
    other._writer = Losing(db._executor, between)
    return other


def test_saves_and_deletes_are_recognised_when_sent_again() -> None:
    with Database("memory://lost-replies") as db:
        one, two = Jar(name="one"), Jar(name="two")
        db.save_many([one, two])
        # Between the two tries another writer takes what the transaction gave up, and writes one of its records.
        three = Jar(name="three", coins=3)

        def meanwhile() -> None:
            db.save(Jar(name="two", id="new"))
            db.update(three, coins=4)

        with losing(db, meanwhile) as unlucky, unlucky.transaction() as tx:
            one.coins = 7
            tx.save(one)
            tx.delete(two)
            tx.save(three, only_if="new")
        assert {jar.name: jar.coins for jar in db.find(Jar)} == {"one": 7, "two": 0, "three": 4}
        assert db.check(Jar).clean


def test_increments_are_not_sent_again_but_looked_up() -> None:
    with Database("memory://lost-replies") as db:
        one = Jar(name="one", coins=1)
        db.save(one)
        with losing(db) as unlucky, unlucky.transaction() as tx:
            tx.increment(one, coins=2)
            tx.save(Jar(name="two"))
        assert one.coins == 3 and db.get(Jar, one.id).coins == 3
        overwritten = losing(db, lambda: db.update(one, name="else"))
        with pytest.raises(ConnectionFailed, match="don't tell"), overwritten.transaction() as tx:
            tx.increment(one, coins=2)
        assert db.get(Jar, one.id).coins == 5
        overwritten.close()
