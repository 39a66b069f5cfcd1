"""Taking a census: one plan that walks the keyspace, counts it and says how far it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from redmodel.plan.core import Plan, call
from redmodel.plan.scan import KeyRow, Schemas, dbsize, walk
from redmodel.survey.census import Census, Report

Progress = Callable[[int, int], None]
"""Is told the keys counted so far and the keys there are."""


class Survey:
    """A census in progress: it can be stopped at any time, and still gives its report.

    >>> from redmodel import Database
    >>> survey = Survey()
    >>> with Database("memory://") as db:
    ...     _ = db.client.set("lock", 1)
    ...     run = __import__("redmodel.database.driver", fromlist=["run"]).run
    ...     run(survey.take(), db._executor)
    >>> survey.report().keys
    1
    """

    def __init__(self) -> None:
        self.census = Census()
        self.schemas = Schemas()
        self.total = 0
        self.complete = False

    def take(self, *, sample: int | None = None, progress: Progress | None = None) -> Plan[None]:
        """Count the keys, or the first ``sample`` of them in the order of SCAN: one round trip for 500 keys."""
        self.total = yield from call(dbsize())
        cut = False

        def count(rows: Sequence[KeyRow]) -> bool:
            nonlocal cut
            left = len(rows) if sample is None else sample - self.census.keys
            cut = len(rows) > left
            self.census.add(rows[:left])
            if progress is not None:
                progress(self.census.keys, self.total)
            return sample is None or self.census.keys < sample

        walked = yield from walk(count, self.schemas)
        self.complete = walked and not cut

    def report(self, *, depth: int = 2, most: int = 40) -> Report:
        """Say what was counted so far; ``depth`` levels, at most ``most`` groups under each other."""
        return self.census.report(
            depth=depth, most=most, total=self.total, complete=self.complete, schemas=list(self.schemas.found.values())
        )
