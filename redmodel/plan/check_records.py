"""A step of a check over records: reading them, and telling those that are right from those to be judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from redmodel.errors import ReplyError
from redmodel.model import Entry
from redmodel.plan.check_keys import VOCABULARY
from redmodel.plan.check_report import text_of
from redmodel.plan.commands import as_clock, as_int, as_raw, as_row, hmget, time
from redmodel.plan.core import Batch, Command, Plan, Reply, call
from redmodel.plan.repair import Case, Judge
from redmodel.procedures.entries import entry_key, member_of, spell

NUL = b"\x00"
"""Stands before a stored text that begins with one itself."""

SLACK = 20
"""Milliseconds by which two moments that mean the same may differ."""


class RecordLook:
    """Looks at records by their keys. ``dropped`` gathers the paths that logs tell of and the model does not index."""

    def __init__(self, judge: Judge, dropped: set[bytes]) -> None:
        self._judge = judge
        self.schema = judge.schema
        self.report = judge.report
        self._dropped = dropped

    def look(self, keys: Sequence[bytes]) -> Plan[None]:
        """Look at the records with these keys: three round trips, and two more if there is one to be judged."""
        if not keys:
            return
        schema, n = self.schema, len(keys)
        ids = [key[len(schema.record_prefix) :] for key in keys]
        commands: list[Command[Any]] = [time(), *(Command((b"PTTL", key), as_int) for key in keys), time()]
        commands += [hmget(key, schema.columns) for key in keys]
        sides: list[tuple[bytes, bytes]] = [
            (b"HMGET", schema.log_key),
            (b"SMISMEMBER", schema.ids_key),
            (b"ZMSCORE", schema.expires_key),
        ]
        commands += [Command((name, key, *ids), as_row) for name, key in sides]
        replies = yield Batch(tuple(commands))
        before, after = replies[0], replies[n + 1]
        lives, rows = replies[1 : n + 1], replies[n + 2 : 2 * n + 2]
        found: list[list[Any]] = []
        for (_, key), reply in zip(sides, replies[2 * n + 2 :], strict=True):
            if isinstance(reply, ReplyError):
                yield from self._judge.block_or_raise(reply, key)
                reply = [None] * n
            found.append(cast("list[Any]", reply))
        for reply in (before, after, *lives):
            if isinstance(reply, ReplyError):
                raise reply
        started, ended = as_clock(before), as_clock(after)
        cases: dict[bytes, tuple[Case, list[Entry]]] = {}
        doubtful: set[bytes] = set()
        for key, id, left, row, log, member, deadline in zip(keys, ids, lives, rows, *found, strict=True):
            entries = yield from self._read_record(key, id, row, cast("int", left), ended, bool(log or member))
            if entries is None:
                continue
            left = cast("int", left)
            cases[id] = Case(id, (), cast("Sequence[bytes | None]", row), left >= 0), entries
            if log is None or not member or not self._agrees(log, entries):
                doubtful.add(id)
            if (left < 0) is not (deadline is None) or (
                deadline is not None and not started + left - SLACK <= float(deadline) <= ended + left + SLACK
            ):
                doubtful.add(id)
        if self._judge.hindered or not cases:
            return
        yield from self._look_for_entries(cases, doubtful)
        for id, (case, entries) in cases.items():
            if id not in doubtful:
                self._count_right(case, entries)
        yield from self._judge.settle([case for id, (case, _) in cases.items() if id in doubtful], "record")

    def _read_record(
        self, key: bytes, id: bytes, row: Reply, left: int, now: int, known: bool
    ) -> Plan[list[Entry] | None]:
        """The entries that a record should have; None for what is none, or can't be read, after telling so."""
        report, schema = self.report, self.schema
        if isinstance(row, ReplyError):
            if row.code != "WRONGTYPE":
                raise row
            kind = yield from call(Command((b"TYPE", key), as_raw))
            report.foreign.add(key, "", f"holds a {text_of(cast('bytes', kind))}, which is no record")
            return None
        values = cast("Sequence[bytes | None]", row)
        if not any(value is not None for value in values):
            if left != -2 and (yield from call(Command((b"EXISTS", key), as_int))):
                report.foreign.add(key, "", f"is a hash with no field of {schema.name}")
            return None
        verdict = self._judge.verdict(id, values, now)
        if not verdict.why:
            report.records += 1
            return verdict.entries
        if not known and values[0] not in (id, NUL + id):
            report.foreign.add(key, "", f"is a hash, and no {schema.name} with this id")
        else:
            report.unreadable.add(key, verdict.field, verdict.why)
        return None

    def _agrees(self, log: bytes, entries: Sequence[Entry]) -> bool:
        """Whether a log tells of just these entries; what it tells of other indexes is kept in mind."""
        logged = log[9:].split(b"\x1e")
        wanted = [spell(*entry)[:-1] for entry in entries]
        if len(logged) == len(wanted) + 1 and {*logged} == {*wanted, b""}:
            return True
        self.remember(logged)
        return False

    def remember(self, logged: Iterable[bytes]) -> None:
        """Keep in mind the indexes that a log tells of and that are none of the model's any more."""
        for entry in logged:
            path, found, _ = entry[1:].partition(b"\x1f")
            if found and path not in self._judge.declared:
                self._dropped.add(path)

    def _look_for_entries(self, cases: dict[bytes, tuple[Case, list[Entry]]], doubtful: set[bytes]) -> Plan[None]:
        """Look whether the entries of these records stand where they should: one command for each key."""
        places: dict[bytes, list[tuple[bytes, Entry]]] = {}
        for id, (_, entries) in cases.items():
            for entry in entries:
                places.setdefault(self._judge.entry_key(*entry[:3]), []).append((id, entry))
                if entry[0] == b"w":
                    vocabulary = entry_key(self.schema.side, b"w", entry[1], VOCABULARY)
                    places.setdefault(vocabulary, []).append((id, (b"w", entry[1], entry[2], b"0")))
        commands: list[Command[Any]] = []
        for key, here in places.items():
            kind = here[0][1][0]
            name = b"SMISMEMBER" if kind == b"=" else b"ZMSCORE" if kind in (b"#", b"w", b"<") else b"HMGET"
            by_token = kind == b"!" or key.endswith(b":" + VOCABULARY)
            words = [entry[2] if by_token else member_of(kind, entry[2], id) for id, entry in here]
            commands.append(Command((name, key, *words), as_raw))
        if not commands:
            return
        for (key, here), reply in zip(places.items(), (yield Batch(tuple(commands))), strict=True):
            if isinstance(reply, ReplyError):
                yield from self._judge.block_or_raise(reply, key)
                continue
            for (id, entry), there in zip(here, cast("list[Any]", reply), strict=True):
                kind = entry[0]
                if kind == b"=":
                    right = bool(there)
                elif kind == b"t":
                    right = there == entry[3]
                elif kind in (b"#", b"w"):
                    right = there is not None and float(there) == float(entry[3])
                elif kind == b"<":
                    right = there is not None and float(there) == 0
                else:
                    right = there == id
                if not right:
                    doubtful.add(id)

    def _count_right(self, case: Case, entries: Sequence[Entry]) -> None:
        report = self.report
        for entry in entries:
            if self._judge.entry_key(*entry[:3]) not in self._judge.blocked:
                report.index(entry[1].decode()).ok += 1
        report.index("ids").ok += 1
        report.index("log").ok += 1
        report.index("expires").ok += case.expiring
