"""All records of a query, a batch at a time, in bounded memory and bounded work for each round trip.

Without an order a set of ids is walked, by a cursor that misses nothing which is there throughout. With an order each
window begins behind the last record of the one before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

from redmodel.errors import ConnectionFailed, QueryError, ReplyError
from redmodel.model import Nearest, Schema, schema_of
from redmodel.plan.commands import as_raw, procedure, run_of
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.find import Compiled, Selection, answer, beside, compiled, decode_rows, hydrate
from redmodel.plan.refusal import explain_query
from redmodel.procedures import WALK

R = TypeVar("R")

BATCH = 1000
FEW = 10_000
"""As many ids are taken at one moment; of more only a part is held at a time."""

WINDOW = 50_000
"""Ids of an order that are taken at one moment: what follows them may have to be sorted anew for each window."""

RECENT = 65_536
"""Ids given last that are kept in mind: a set that shrinks while it is walked shows some of them once more."""


class Stream(Generic[R]):
    """One run through a query. ``step`` gives its next records, until ``over``.

    ``seen`` counts the members of the walked set that were looked at, ``total`` those that it has, if that is known.
    """

    def __init__(self, selection: Selection[R], batch: int = BATCH) -> None:
        if type(batch) is not int or not 1 <= batch <= BATCH:
            raise QueryError(f"a batch has 1 to {BATCH} records, not {batch!r}")
        self.over = selection.limit == 0
        self.seen = 0
        self.total: int | None = None
        self._selection = selection
        self._batch = batch
        self._left = selection.limit
        self._rest: list[bytes] = []
        self._scores: list[bytes | None] = []
        self._walks = not selection.orders and not selection.offset
        self._made: Compiled | None = None
        self._position: list[bytes] = []
        self._more = True
        self._place, self._cursor = 0, b"0"
        self._run = b""
        self._recent: OrderedDict[bytes, None] = OrderedDict()

    def step(self) -> Plan[list[R]]:
        """The next records, of which there may be none although others follow: one round trip."""
        if self._rest:
            ids, self._rest = self._rest[: self._batch], self._rest[self._batch :]
            scores, self._scores = self._scores[: self._batch], self._scores[self._batch :]
            records = yield from hydrate(self._selection, ids, scores)
        elif self._walks:
            records = yield from self._walk()
        else:
            records = yield from self._window()
        if self._left is not None:
            records = records[: self._left]
            self._left -= len(records)
            self.over = not self._left
        self.over = self.over or not (self._rest or self._more)
        return records

    def _window(self) -> Plan[list[R]]:
        selection = self._selection
        if isinstance(selection.orders[0] if selection.orders else None, Nearest):
            # There is no position in such an order: the ids come all at once.
            first = yield from answer(selection, self._batch)
            self._rest, self._scores, self._more = first.rest, first.scores, False
            return first.records
        size = WINDOW if self._left is None else min(WINDOW, self._left)
        if self._position:
            selection = selection.slice(offset=0)
        found = yield from beside(selection, self._position, size, most=self._batch)
        self._rest, self._scores, self._more = found.rest, found.scores, found.more and bool(found.ends)
        if found.ends:
            self._position = found.ends[1]
        return found.records

    def _walk(self) -> Plan[list[R]]:
        selection = self._selection
        schema: Schema[Any] = schema_of(selection.model)
        made = self._made or compiled(selection, by_id=False)
        self._made = made
        reading = selection.reading()
        flags = made.program.flags((b"w" if selection.writes else b"") + (b"t" if schema.field_ttls else b""))
        few = FEW if self._left is None else min(FEW, max(self._left, self._batch))
        where = (b"%d" % self._place, self._cursor, b"%d" % self._batch, b"%d" % few)
        columns = (b"%d" % len(reading.columns), *reading.columns)
        command: Command[Reply] = procedure(WALK, made.program.keys, (flags, *where, *columns, *made.conditions))
        # A cursor means something to the server only that gave it.
        asks = (command,) if self._place == 0 else (command, Command((b"INFO", b"server"), as_raw))
        replies = yield Batch(asks)
        if isinstance(replies[0], ReplyError):
            raise (yield from explain_query(replies[0], schema, made.program.keys))
        self._check_run(replies[1:])
        cursor, now, rows, rest, place, size = cast("tuple[Any, ...]", replies[0])
        begins, self._place, self.total = self._place == 0, place, size
        self._more = cursor != b"0"
        if cursor == b"-":
            return []
        self._cursor = cursor
        self.seen = min(self.seen + self._batch, size) if self._more else size
        if not begins:
            rows = [row for row in rows if self._is_new(row[0])]
            rest = [id for id in rest if self._is_new(id)]
        self._rest = rest
        return (yield from decode_rows(selection, reading.decode, rows, int(now), ()))

    def _is_new(self, id: bytes) -> bool:
        if id in self._recent:
            return False
        self._recent[id] = None
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return True

    def _check_run(self, replies: Sequence[Reply]) -> None:
        run = run_of(replies[0]) if replies else b""
        if self._run and run and run != self._run:
            raise ConnectionFailed(
                f"the server was restarted while {self._selection.model.__name__} was walked: begin again"
            )
        self._run = run or self._run
