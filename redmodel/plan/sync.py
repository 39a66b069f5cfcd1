"""Bringing what Redis holds to what a model declares: building new indexes, clearing old ones, migrating fields.

It walks the log, a bounded number of records at a time, beside writers of this version and of older ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from redmodel.errors import DecodeError, EncodingError, QueryError
from redmodel.model import Model, Schema, schema_of
from redmodel.plan.commands import as_int, as_raw, hset, run_of
from redmodel.plan.core import Batch, Command, Plan, call
from redmodel.plan.registration import (
    BUILDING,
    LEAVING,
    PROGRESS,
    Fields,
    change,
    declared,
    finished,
    states,
)
from redmodel.plan.reindex import Obstacle, read_rows, reindex, wanted_entries
from redmodel.plan.scan import as_scan
from redmodel.plan.status import SyncReport
from redmodel.procedures.entries import spell

PAGE = 500

Progress: TypeAlias = Callable[[SyncReport], object]
"""Told the report so far after each step; False stops the sync."""


class Sync:
    """A sync of one model.

    Args:
        model: what shall be. Its indexes are built, and those that it does not declare are cleared away.
        rate: records a second at most; None for no bound.
        progress: told the report so far after each step.
    """

    def __init__(self, model: type[Model], *, rate: float | None = None, progress: Progress | None = None) -> None:
        if rate is not None and (isinstance(rate, bool) or not rate > 0):
            raise QueryError(f"a rate is a number of records a second, above 0, not {rate!r}")
        self.schema: Schema[Any] = schema_of(model)
        self.rate = rate
        self.report = SyncReport(self.schema.name)
        self._progress = progress
        self._step = PAGE if rate is None else max(10, min(PAGE, int(rate / 4)))
        self._blocked: set[str] = set()

    @property
    def done(self) -> int:
        """How many records were looked at so far."""
        return self.report.done

    def plan(self) -> Plan[SyncReport]:
        """All of it: a round trip or two where there is nothing to do, else three for each 500 records."""
        schema, report = self.schema, self.report
        found = yield from change(schema, lambda found, empty: declared(schema, found, empty))
        known = states(found)
        build = [path for path, state in known.items() if state[:1] == BUILDING]
        leave = [path for path, state in known.items() if state[:1] == LEAVING]
        report.building = [path.decode() for path in build]
        paths = [*build, *leave]
        if schema.evolves:  # what fields hold may mean something else now
            paths += [path for path in schema.meanings if path not in build]
        if (paths or schema.evolves) and not (yield from self._walk(found, paths)):
            return report
        for path in schema.meanings:
            yield from self._settle(path)
        built = [path for path in build if path.decode() not in self._blocked and "" not in self._blocked]
        found = yield from change(schema, lambda found, _: finished(schema, found, built))
        left = states(found)
        report.built = [path.decode() for path in built if left.get(path, BUILDING)[:1] != BUILDING]
        report.dropped = [path.decode() for path in leave if path not in left]
        report.kept = [path.decode() for path in leave if path in left]
        report.building = [path for path in report.building if path not in report.built]
        report.stopped = False
        self._tell()
        return report

    def _tell(self) -> bool:
        return self._progress is None or self._progress(self.report) is not False

    def _walk(self, found: Fields, paths: Sequence[bytes]) -> Plan[bool]:
        """Look at every record; False if nobody wants more."""
        schema, report = self.schema, self.report
        size, info = yield Batch((Command((b"HLEN", schema.log_key), as_int), Command((b"INFO", b"server"), as_raw)))
        report.total = size if isinstance(size, int) else 0
        # A cursor is good for this run of this server, and for these indexes.
        run = run_of(info)
        label = run + b" " + b",".join(sorted(paths)) + b" "
        before = found.get(PROGRESS, b"")
        cursor = before[len(label) :] if run and before.startswith(label) else b"0"
        report.resumed = cursor != b"0"
        while True:
            cursor, items = yield from call(
                Command((b"HSCAN", schema.log_key, cursor, b"COUNT", b"%d" % self._step), as_scan)
            )
            logs = dict(zip(items[::2], items[1::2], strict=True))
            for at in range(0, len(logs), self._step):
                yield from self._look(dict(list(logs.items())[at : at + self._step]), paths)
            report.done += len(logs)
            if cursor == b"0":
                return True
            if run:
                yield from call(hset(schema.schema_key, {PROGRESS: label + cursor}))
            if not self._tell():
                return False

    def _look(self, logs: dict[bytes, bytes], paths: Sequence[bytes]) -> Plan[None]:
        """Enter those of these records that do not stand in these indexes as they should."""
        schema = self.schema
        concerned = set(paths)
        now, rows = yield from read_rows(schema, list(logs))
        wrong: list[bytes] = []
        for (id, log), row in zip(logs.items(), rows, strict=True):
            there = {entry for entry in log[9:].split(b"\x1e")[:-1] if entry[1:].partition(b"\x1f")[0] in concerned}
            wanted: set[bytes] = set()
            if any(value is not None for value in row):
                try:
                    record = schema.decode(row, now, schema.key(id))
                    entries = wanted_entries(schema, record, paths)
                    wanted = {spell(kind, path, token)[:-1] for kind, path, token, _ in entries}
                    if any(schema.migrated(row, schema.key(id))):
                        self.report.migrated += 1
                        wrong.append(id)
                        continue
                except (DecodeError, EncodingError) as error:
                    self._stand(Obstacle(id.decode("utf-8", "backslashreplace"), error.field, str(error)))
                    self._blocked.add("")
                    continue
            if there != wanted:
                wrong.append(id)
        yield from self._enter(wrong, paths)

    def _enter(self, ids: Sequence[bytes], paths: Sequence[bytes]) -> Plan[None]:
        if not ids:
            return
        obstacles = yield from reindex(self.schema, ids, paths)
        self.report.entered += len(ids) - len(obstacles)
        conflicts: dict[str, list[bytes]] = {}
        for id, obstacle in obstacles:
            self._stand(obstacle)
            self._blocked.add(obstacle.field if obstacle.owner else "")
            if obstacle.owner:
                conflicts.setdefault(obstacle.field, []).append(id)
        for field, refused in conflicts.items():
            if others := [path for path in paths if path.decode() != field]:
                yield from self._enter(refused, others)

    def _stand(self, obstacle: Obstacle) -> None:
        if obstacle not in self.report.obstacles:
            self.report.obstacles.append(obstacle)

    def _settle(self, path: bytes) -> Plan[None]:
        """Enter what older versions have written meanwhile."""
        stuck: set[bytes] = set()
        while True:
            first = b"%d" % len(stuck)
            last = b"%d" % (len(stuck) + self._step - 1)
            reply = yield from call(Command((b"ZRANGE", self.schema.side + b"~" + path, first, last), as_raw))
            ids = [id for id in cast("list[bytes]", reply) if id not in stuck]
            if not ids:
                break
            obstacles = yield from reindex(self.schema, ids, (path,))
            self.report.settled += len(ids) - len(obstacles)
            for id, obstacle in obstacles:
                self._stand(obstacle)
                self._blocked.add(path.decode())
                stuck.add(id)
