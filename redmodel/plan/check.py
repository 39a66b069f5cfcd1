"""Walking over all that a model has in a keyspace, in bounded steps, to find what is not right. What is judged, and how
it is mended, stands in ``redmodel.plan.repair``.

Five walks, each with SCAN and its kin: the records (every record's entries, log and expiry), then the log, the ids and
the expiries (records that are gone), then the index keys (entries that no log tells of).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from redmodel.errors import LayoutError, QueryError, ReplyError
from redmodel.model import Model, Schema, schema_of
from redmodel.plan import registration
from redmodel.plan.check_keys import KeyLook, Side
from redmodel.plan.check_records import RecordLook
from redmodel.plan.check_report import CheckReport, Sample, text_of
from redmodel.plan.commands import as_int, as_row, exists, hgetall, procedure
from redmodel.plan.core import Batch, Command, Plan, call, each
from redmodel.plan.registration import change, finished
from redmodel.plan.reindex import settle
from redmodel.plan.repair import Case, Judge, Source
from redmodel.plan.scan import as_scan, read_schema
from redmodel.procedures import TALLY

Progress: TypeAlias = Callable[[CheckReport], object]
"""Told the report so far after each step; the walk stops if it returns False."""

STEP = 500
"""Records, or entries, of one step."""

PHASES = ("records", "log", "ids", "expires", "keys")


class Place(NamedTuple):
    """Where a walk is: which of the five, its cursor, and in the last one a large key with the cursor in it."""

    phase: int
    cursor: bytes = b"0"
    key: bytes = b""
    inner: bytes = b"0"


class Walk:
    """A check of one model, or with ``write`` its repair.

    Args:
        model: whose indexes.
        write: mend what is found.
        rate: records and entries a second at most; None for no bound.
        cursor: where a walk that was stopped goes on.
        progress: told the report so far after each step.

    Raises:
        QueryError: for a rate or a cursor that can't be.
    """

    def __init__(
        self,
        model: type[Model],
        *,
        write: bool,
        rate: float | None = None,
        cursor: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        if rate is not None and (isinstance(rate, bool) or not rate > 0):
            raise QueryError(f"a rate is a number of records and entries a second, above 0, not {rate!r}")
        schema: Schema[Any] = schema_of(model)
        self.schema = schema
        self.rate = rate
        kinds: dict[str, str] = {index.path: index.kind for index in schema.indexes}
        self.report = CheckReport(schema.name, schema.prefix, kinds, mended=write)
        self._judge = Judge(schema, self.report, write=write)
        self._write = write
        self._progress = progress
        self._step = STEP if rate is None else max(10, min(STEP, int(rate / 4)))
        self._dropped: set[bytes] = set()
        self._records = RecordLook(self._judge, self._dropped)
        self._keys = KeyLook(self._judge, self._dropped, self._step)
        self._ids = self._sides = 0
        self._keys.texts |= {index.path_bytes for index in schema.indexes if index.kind == "text"}
        self._first = cursor is None
        self._place = self._read_cursor(cursor) if cursor is not None else Place(0)

    @property
    def done(self) -> int:
        """How many records and entries were looked at so far."""
        return self.report.done

    def plan(self) -> Plan[CheckReport]:
        """All of it. The report says in ``cursor`` where to go on if it was stopped."""
        yield from self._begin()
        walks = (self._walk_records, self._walk_log, self._walk_ids, self._walk_expires, self._walk_keys)
        for phase in range(self._place.phase, len(PHASES)):
            if not (yield from walks[phase]()):
                return self.report
        yield from self._end()
        self.report.cursor = None
        self._tell()
        return self.report

    # -- where it is ---------------------------------------------------------------------------------------------------

    def _went(self, place: Place) -> bool:
        """Note that all before this place was seen; False if nobody wants more."""
        self._place = place
        if place.phase == len(PHASES):
            return True
        words = [quote(self.schema.prefix, safe=":"), PHASES[place.phase], place.cursor.decode()]
        if place.key:
            words += (quote(place.key, safe=":@"), place.inner.decode())
        paths = ",".join(quote(path) for path in sorted(self._dropped))
        self.report.cursor = "/".join(words) + (f"+{paths}" if paths else "")
        return self._tell()

    def _tell(self) -> bool:
        report = self.report
        seen = sum(row.ok + row.missing for row in report.indexes)
        guess = seen if self._place.phase else self._ids * len(report.indexes)
        report.total = max(self._sides + self._ids + guess, report.done)
        return self._progress is None or self._progress(report) is not False

    def _read_cursor(self, text: str) -> Place:
        where, _, paths = text.partition("+")
        words = [unquote_to_bytes(word) for word in where.split("/")]
        numbers = [*words[2:3], *words[4:5]]
        if (
            len(words) not in (3, 5)
            or words[0] != self.schema.prefix.encode()
            or words[1].decode(errors="replace") not in PHASES
            or not all(number.isdigit() for number in numbers)
        ):
            raise QueryError(f"{text!r} is no cursor of a check of {self.schema.name}: take it from a report")
        self._dropped |= {unquote_to_bytes(path) for path in paths.split(",") if path}
        return Place(PHASES.index(words[1].decode()), *words[2:])

    # -- the schema key ------------------------------------------------------------------------------------------------

    def _begin(self) -> Plan[None]:
        """See how much there is, under which layout, and which indexes there were before."""
        schema = self.schema
        sizes = ((b"HLEN", schema.log_key), (b"SCARD", schema.ids_key), (b"ZCARD", schema.expires_key))
        found, *counts = yield Batch((hgetall(schema.schema_key), *(Command(size, as_int) for size in sizes)))
        known = [count if isinstance(count, int) else 0 for count in counts]
        self._sides, self._ids = sum(known), known[1]
        if isinstance(found, ReplyError):
            yield from self._judge.block_or_raise(found, schema.schema_key)
            return
        listed = hgetall(schema.schema_key).read(found)
        definition = schema.definition()
        if listed.get(b"layout", definition[b"layout"]) != definition[b"layout"]:
            raise LayoutError(
                f"the keys of {schema.prefix!r} were written under layout {text_of(listed[b'layout'])}, this version "
                f"knows layout {text_of(definition[b'layout'])}: check them with the version that wrote them"
            )
        fields = [listed.get(name) for name in (b"layout", b"model", b"fingerprint", b"indexes")]
        row = read_schema(schema.prefix.encode(), fields)
        for index in row.indexes if row is not None else ():
            declared = self._judge.declared.get(str(index.get("path")).encode())
            if index.get("kind") == "text":
                self._keys.texts.add(str(index.get("path")).encode())
            if declared is None or declared.kind != index.get("kind"):
                self._dropped.add(str(index.get("path")).encode())
        if self._write and self._dropped:
            # What other versions index goes: they must register again, and their queries wait for a sync.
            yield from change(schema, lambda found, empty: registration.declared(schema, found, empty))

    def _end(self) -> Plan[None]:
        """A model with records says at its schema key what its keys mean."""
        schema, row = self.schema, self.report.index("schema")
        yield from self._check_sums()
        if schema.schema_key in self._judge.blocked:
            return
        there, ids = yield from each([exists(schema.schema_key), exists(schema.ids_key)])
        if there and self._write and self._first and self.report.whole:
            # Every record was looked at, so every index is whole.
            for path in schema.meanings:
                yield from settle(schema, path)
            yield from change(schema, lambda found, _: finished(schema, found, schema.meanings))
        if there or not (ids or self.report.records):
            return
        row.add("missing", Sample("missing", "", text_of(schema.schema_key), ""))
        if self._write:
            yield from change(schema, lambda found, _: registration.declared(schema, found, True))

    def _check_sums(self) -> Plan[None]:
        """The lengths of all texts of a field add up to what ranks are made with."""
        for path, difference in self._keys.lengths.items():
            key = self.schema.side + path
            if not difference or path not in self._judge.declared or key in self._judge.blocked:
                continue  # writers may have been at work meanwhile: the script sees all at one moment
            tally: Command[list[bytes]] = procedure(TALLY, (key,), (b"m" if self._write else b"l",))
            said, wanted, *_ = yield from call(tally)
            if said != wanted and said != b"wrongtype":
                self.report.index(text_of(path)).add("misplaced", Sample("misplaced", "", text_of(key), text_of(said)))

    # -- the records ---------------------------------------------------------------------------------------------------

    def _walk_records(self) -> Plan[bool]:
        while True:
            cursor, keys = yield from call(self._scan(self._place.cursor, self.schema.record_prefix))
            yield from self._records.look(list(dict.fromkeys(keys)))
            self.report.done += len(keys)
            if not self._went(Place(0, cursor) if cursor != b"0" else Place(1)):
                return False
            if cursor == b"0":
                return True

    def _scan(self, cursor: bytes, prefix: bytes) -> Command[tuple[bytes, list[bytes]]]:
        # A prefix holds no character that a pattern gives a meaning to.
        return Command((b"SCAN", cursor, b"MATCH", prefix + b"*", b"COUNT", b"%d" % self._step), as_scan)

    # -- the bookkeeping: records that are gone ------------------------------------------------------------------------

    def _pages(self, command: bytes, key: bytes, take: Callable[[list[bytes]], Plan[None]]) -> Plan[bool]:
        phase = self._place.phase
        while True:
            step = Command((command, key, self._place.cursor, b"COUNT", b"%d" % self._step), as_scan)
            try:
                cursor, items = yield from call(step)
            except ReplyError as error:
                yield from self._judge.block_or_raise(error, key)
                cursor, items = b"0", []
            if items and not self._judge.hindered:
                yield from take(items)
            if not self._went(Place(phase, cursor) if cursor != b"0" else Place(phase + 1)):
                return False
            if cursor == b"0":
                return True

    def _walk_log(self) -> Plan[bool]:
        return self._pages(b"HSCAN", self.schema.log_key, self._look_at_logs)

    def _look_at_logs(self, items: list[bytes]) -> Plan[None]:
        self.report.done += len(items) // 2
        for log in items[1::2]:
            self._records.remember(log[9:].split(b"\x1e"))
        yield from self._settle_dead(items[::2], "log")

    def _walk_ids(self) -> Plan[bool]:
        return self._pages(b"SSCAN", self.schema.ids_key, self._look_at_ids)

    def _look_at_ids(self, ids: list[bytes]) -> Plan[None]:
        self.report.done += len(ids)
        logs = yield from call(Command((b"HMGET", self.schema.log_key, *ids), as_row))
        yield from self._settle_dead([id for id, log in zip(ids, logs, strict=True) if log is None], "ids")

    def _walk_expires(self) -> Plan[bool]:
        return self._pages(b"ZSCAN", self.schema.expires_key, self._look_at_expires)

    def _look_at_expires(self, items: list[bytes]) -> Plan[None]:
        ids = items[::2]
        self.report.done += len(ids)
        known = yield from each(
            Command((name, key, *ids), as_row)
            for name, key in ((b"HMGET", self.schema.log_key), (b"SMISMEMBER", self.schema.ids_key))
        )
        lost = [id for id, log, member in zip(ids, *known, strict=True) if log is None and not member]
        yield from self._settle_dead(lost, "expires")

    def _settle_dead(self, ids: Sequence[bytes], source: Source) -> Plan[None]:
        """Judge those of these ids that have no record; the walk over the records has judged the others."""
        ids = list(dict.fromkeys(ids))
        there = yield from each(Command((b"EXISTS", self.schema.key(id)), as_int) for id in ids)
        dead = [Case(id) for id, alive in zip(ids, there, strict=True) if not alive]
        yield from self._judge.settle(dead, source)

    # -- the index keys: entries that no log tells of ------------------------------------------------------------------

    def _walk_keys(self) -> Plan[bool]:
        phase = self._place.phase
        while True:
            resumed, here = self._place, self._place.cursor
            cursor, keys = yield from call(self._scan(here, self.schema.side))
            keys = list(dict.fromkeys(keys))
            sides = [] if self._judge.hindered else (yield from self._keys.classify(keys))
            sizes = yield from self._keys.sizes(sides)
            few: list[Side] = []
            room = self._step
            for side, size in zip(sides, sizes, strict=True):
                if size > self._step:
                    inner = resumed.inner if side.key == resumed.key else b"0"
                    if not (yield from self._sweep_large(side, Place(phase, here, side.key, inner))):
                        return False
                    continue
                if size > room or len(few) == self._step:
                    yield from self._keys.sweep(few)
                    few, room = [], self._step
                few.append(side)
                room -= size
            yield from self._keys.sweep(few)
            last = cursor == b"0"
            if not self._went(Place(phase + 1) if last else Place(phase, cursor)):
                return False
            if last:
                return True

    def _sweep_large(self, side: Side, place: Place) -> Plan[bool]:
        while True:
            place = place._replace(inner=(yield from self._keys.sweep_page(side, place.inner)))
            if place.inner == b"0":
                return True
            if not self._went(place):
                return False
