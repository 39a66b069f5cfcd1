"""Judging single records, and mending them: what a record's own values ask for against what the indexes hold.

Each record is judged by one atomic procedure that first compares the record with what was read here; one that has
changed meanwhile is read again. So a check beside live writers tells no lies, and a repair undoes no write.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import urandom
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from redmodel.errors import DecodeError, EncodingError, ReplyError
from redmodel.model import Entry, Index, Schema
from redmodel.plan.check_report import CheckReport, Fault, Sample, text_of
from redmodel.plan.commands import as_clock, as_raw, hmget, procedure, time
from redmodel.plan.core import Batch, Command, Plan, Reply, call
from redmodel.procedures import MEND
from redmodel.procedures.entries import VALUED, entry_key, spell

TRIES = 50
"""How often a record that changes all the time is read again before it is given up as busy."""

Source: TypeAlias = Literal["record", "again", "log", "ids", "expires", "entry"]
"""Where a suspicion comes from. It says which of a look's findings to count, so that none is counted twice."""


class Case(NamedTuple):
    """A record to be judged: its id, entries that it was seen in without a word of it in its log, its row if known.

    ``expiring`` says that it had a time to live when its row was read.
    """

    id: bytes
    suspects: tuple[bytes, ...] = ()
    row: Sequence[bytes | None] | None = None
    expiring: bool = False


class Verdict(NamedTuple):
    """What a row says: the entries that the record should have; or why it can't be read."""

    entries: list[Entry]
    field: str = ""
    why: str = ""


class Claim(NamedTuple):
    """A unique value that a record has, and that another living record stands for in the index."""

    case: Case
    entry: bytes
    owner: bytes


class Judge:
    """Judges records of one model, and with ``write`` mends them; what it finds goes into the report."""

    def __init__(self, schema: Schema[Any], report: CheckReport, *, write: bool) -> None:
        self.schema = schema
        self.report = report
        self.write = write
        self.blocked: set[bytes] = set()
        self.declared: dict[bytes, Index] = {index.path_bytes: index for index in schema.indexes}

    def verdict(self, id: bytes, row: Sequence[bytes | None], now: int) -> Verdict:
        """What the record's own values say."""
        schema = self.schema
        try:
            record = schema.decode(row, now, schema.key(id))
            if schema.id_of(record) != id:
                return Verdict([], schema.fields[0].name, f"its id says {text_of(schema.id_of(record))!r}")
            return Verdict(schema.entries(record))
        except (DecodeError, EncodingError) as error:
            return Verdict([], error.field, str(error))

    def entry_key(self, kind: bytes, path: bytes, token: bytes) -> bytes:
        """The key that an entry stands in."""
        return entry_key(self.schema.side, kind, path, token)

    def block(self, key: bytes) -> Plan[None]:
        """Note a key of another type where an index should be; entries in it are left out from now on."""
        if key not in self.blocked:
            self.blocked.add(key)
            kind = yield from call(Command((b"TYPE", key), as_raw))
            why = f"holds a {text_of(cast('bytes', kind))}, which redmodel did not write there: delete or rename it"
            self.report.blocked.add(key, "", why)

    def block_or_raise(self, error: ReplyError, key: bytes) -> Plan[None]:
        """Take an error reply for a key of another type; raise any other."""
        if error.code != "WRONGTYPE":
            raise error
        yield from self.block(key)

    @property
    def hindered(self) -> bool:
        """Whether a key that all judging depends on is of another type."""
        return not self.blocked.isdisjoint(self._bookkeeping())

    def settle(self, cases: Iterable[Case], source: Source) -> Plan[None]:
        """Judge these records: two round trips, and again for those that change meanwhile."""
        pending, claims = list(cases), list[Claim]()
        for _ in range(TRIES):
            if not pending:
                break
            pending = yield from self._round(pending, source, claims)
        self.report.busy += len(pending)
        if not claims or source not in ("record", "again"):
            return
        if source == "record":
            yield from (self._evict(claims) if self.write else self._ask_owners(claims))
        else:
            self._conflicts(claims)

    def _round(self, cases: Sequence[Case], source: Source, claims: list[Claim]) -> Plan[list[Case]]:
        """Judge each once; returns those to be judged again."""
        schema = self.schema
        unread = [case for case in cases if case.row is None]
        rows: dict[bytes, Reply] = {}
        now = 0
        if unread or schema.field_ttls:
            commands: list[Command[Any]] = [time(), *(hmget(schema.key(case.id), schema.columns) for case in unread)]
            clock, *found = yield Batch(tuple(commands))
            if isinstance(clock, ReplyError):
                raise clock
            now = as_clock(clock)
            rows = {case.id: reply for case, reply in zip(unread, found, strict=True)}
        judged: list[tuple[Case, list[Entry]]] = []
        looks: list[Command[Reply]] = []
        for case in cases:
            reply = rows[case.id] if case.row is None else case.row
            if isinstance(reply, ReplyError):
                continue  # another type stands at the record's key, which the walk over the records tells
            row = cast("Sequence[bytes | None]", reply)
            alive = any(value is not None for value in row)
            verdict = self.verdict(case.id, row, now) if alive else Verdict([])
            if verdict.why:
                continue  # not touched; the walk over the records tells
            entries = [entry for entry in verdict.entries if self.entry_key(*entry[:3]) not in self.blocked]
            suspects = [suspect for suspect in case.suspects if suspect not in {spell(*entry) for entry in entries}]
            if alive and case.suspects and not suspects and source == "entry":
                continue  # it has a right to be there; only the log lacks it, which the walk over the records tells
            judged.append((case, entries))
            looks.append(self._command(case.id, row if alive else None, entries, suspects))
        if not looks:
            return []
        again: list[Case] = []
        obstacles: list[bytes] = []
        for (case, entries), reply in zip(judged, (yield Batch(tuple(looks))), strict=True):
            if isinstance(reply, ReplyError):
                raise reply
            words = cast("list[bytes]", reply)
            if words[:1] == [b"moved"]:
                again.append(case._replace(row=None))
            elif words[:1] == [b"wrongtype"]:
                obstacles.append(words[1])
                if words[1] not in self._bookkeeping():
                    again.append(case)
            else:
                self._read(case, entries, words, source, claims)
        for key in obstacles:
            yield from self.block(key)
        return again

    def _bookkeeping(self) -> tuple[bytes, ...]:
        return (self.schema.ids_key, self.schema.log_key, self.schema.expires_key)

    def _command(
        self, id: bytes, row: Sequence[bytes | None] | None, entries: Sequence[Entry], suspects: Sequence[bytes]
    ) -> Command[Reply]:
        schema = self.schema
        keys = [schema.key(id), *self._bookkeeping()]
        columns = () if row is None else schema.columns
        head = b"%b %d %d" % (b"-" if row is None else b"+", len(columns), len(suspects))
        argv: list[bytes] = [urandom(8) + (b"m" if self.write else b"l"), head]
        for column, value in zip(columns, row or (), strict=True):
            argv += (column, b"-" if value is None else b"+" + value)
        for entry in entries:
            keys.append(self.entry_key(*entry[:3]))
            argv.append(spell(*entry))
            if entry[0] in VALUED:
                argv.append(entry[3])
        return procedure(MEND, keys, [*argv, *suspects])

    def _read(
        self, case: Case, entries: Sequence[Entry], words: Sequence[bytes], source: Source, claims: list[Claim]
    ) -> None:
        """Put one record's findings into the report."""
        wrong: set[bytes] = set()
        due = False
        for at in range(0, len(words), 5):
            what, kind, path, token, detail = words[at : at + 5]
            entry = spell(kind, path, token)
            if what == b"due":
                due = True
            elif what == b"conflict":
                wrong.add(entry)
                claims.append(Claim(case, entry, detail))
            elif self._counts(what, kind, path, entry, case, source):
                if what != b"taken":
                    wrong.add(entry)
                self._count(what, kind, path, token, case.id if what != b"taken" else detail, detail)
        self.report.expired += due
        if source == "record":
            for one in entries:
                if spell(*one) not in wrong:
                    self.report.index(text_of(one[1])).ok += 1
            for name in ("ids", "log", "expires") if case.expiring else ("ids", "log"):
                self.report.index(name).ok += b"%b\x1f\x1e" % name.encode() not in wrong

    def _counts(self, what: bytes, kind: bytes, path: bytes, entry: bytes, case: Case, source: Source) -> bool:
        """Whether a finding counts: a repair does what it finds, a look would find some things on several ways."""
        if source == "again" and path == b"log" and not kind:
            return False  # the first mending of this record told it
        if self.write:
            return True
        if what == b"taken":
            return False  # the walk over the log, or over the index, tells it of the dead owner
        if source == "ids":
            return not kind and path in (b"ids", b"expires")
        if source == "expires":
            return not kind and path == b"expires"
        return source != "entry" or entry in case.suspects

    def _count(self, what: bytes, kind: bytes, path: bytes, token: bytes, id: bytes, found: bytes) -> None:
        fault = cast("Fault", "stale" if what == b"taken" else what.decode())
        if kind and path not in self.declared:
            fault = "stale"
        key = self.entry_key(kind, path, token) if kind else self.schema.side + path
        sample = Sample(fault, text_of(id), text_of(key), "" if what == b"taken" else text_of(found))
        self.report.index(text_of(path)).add(fault, sample)

    # -- unique values that two records have ---------------------------------------------------------------------------

    def _evict(self, claims: Sequence[Claim]) -> Plan[None]:
        """Take values from owners whose own records do not say them; then let those have them that do."""
        owners: dict[bytes, tuple[bytes, ...]] = {}
        for claim in claims:
            owners[claim.owner] = (*owners.get(claim.owner, ()), claim.entry)
        yield from self.settle([Case(id, entries) for id, entries in owners.items()], "entry")
        claimants = dict.fromkeys(claim.case.id for claim in claims)
        yield from self.settle([Case(id) for id in claimants], "again")

    def _ask_owners(self, claims: Sequence[Claim]) -> Plan[None]:
        """Tell a conflict, where the owner's record says the value too, from an entry that is merely missing."""
        schema = self.schema
        owners = list(dict.fromkeys(claim.owner for claim in claims))
        commands: list[Command[Any]] = [time(), *(hmget(schema.key(id), schema.columns) for id in owners)]
        clock, *replies = yield Batch(tuple(commands))
        held: dict[bytes, Verdict] = {}
        for id, reply in zip(owners, replies, strict=True):
            if not isinstance(reply, ReplyError):
                held[id] = self.verdict(id, cast("Sequence[bytes | None]", reply), as_clock(clock))
        disputed: list[Claim] = []
        for claim in claims:
            verdict = held.get(claim.owner)
            if verdict is None or verdict.why or claim.entry in [spell(*entry) for entry in verdict.entries]:
                disputed.append(claim)
            else:
                path, _, token = claim.entry[1:-1].partition(b"\x1f")
                self._count(b"missing", b"!", path, token, claim.case.id, claim.owner)
        self._conflicts(disputed)

    def _conflicts(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            path, _, token = claim.entry[1:-1].partition(b"\x1f")
            field, owner = text_of(path), text_of(claim.owner)
            why = f"has the {field} {text_of(token)!r}, which belongs to {owner!r} too: change one of the two"
            self.report.conflicts.add(self.schema.key(claim.case.id), field, why)
