"""What the bulk verbs share: how far they are, whom they tell, and what was refused on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from redmodel.errors import BulkError, RedModelError

Told: TypeAlias = Callable[[int, int | None], object]
"""Called with how many are done, and of how many, None where nobody knows yet; False stops the work."""

FAILURES = 10_000
"""Refusals that are kept with their errors; further ones are counted."""


class Tally:
    """The account of one bulk verb, over all of its batches."""

    def __init__(self, source: Any = (), told: Told | None = None) -> None:
        self.total: int | None = len(source) if hasattr(source, "__len__") else None
        self.seen = 0
        self.done = 0
        self.refused = 0
        self.failures: list[tuple[Any, RedModelError]] = []
        self.over = False
        self._told = told

    def refuse(self, place: object, error: RedModelError) -> None:
        """Count one that was refused; ``place`` is its position, or its id."""
        self.refused += 1
        if len(self.failures) < FAILURES:
            self.failures.append((place, error))

    def tell(self) -> None:
        """Say how far the work is, after each batch."""
        if self._told is not None and self._told(self.seen, self.total) is False:
            self.over = True

    def result(self) -> int:
        """How many were done. Raises BulkError if any were refused."""
        if not self.refused:
            return self.done
        if all(isinstance(place, int) for place, _ in self.failures):
            self.failures.sort(key=lambda failure: failure[0])
        place, error = self.failures[0]
        where = f"at position {place}" if isinstance(place, int) else f"{place!r}"
        raise BulkError(
            f"{self.refused} of {self.seen} records were refused, the first {where}: {error}",
            failures=self.failures,
            done=self.done,
        )
