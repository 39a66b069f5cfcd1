"""What a check of a model's indexes found: counts, samples, and the text that shows them. No command, no decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

Fault: TypeAlias = Literal["stale", "missing", "misplaced"]

SAMPLES = 5
"""Samples that are kept of each fault of one index."""

LISTED = 100
"""Keys that are listed of each other kind of trouble; all are counted."""

BOOKKEEPING = ("ids", "log", "expires", "schema")


def text_of(raw: bytes) -> str:
    """Bytes for people: UTF-8, with ``\\xNN`` for what is none."""
    return raw.decode("utf-8", "backslashreplace")


class Sample(NamedTuple):
    """One faulty entry: the fault, the record's id, the key of the index, and what stood there where it matters."""

    fault: Fault
    id: str
    key: str
    found: str


class Trouble(NamedTuple):
    """A key that needs a person: which, the field if it is about one, and why."""

    key: str
    field: str
    why: str


@dataclass(slots=True)
class IndexCheck:
    """One index, or one of the bookkeeping keys: how many entries are right, and how many are not.

    ``stale`` entries are of no living record, ``missing`` ones should be there, ``misplaced`` ones are of a living
    record with another value. ``kind`` is ``"set"``, ``"range"``, ``"unique"``, ``"dropped"`` (of a field that the
    model does not index any more) or ``"bookkeeping"``.
    """

    path: str
    kind: str
    ok: int = 0
    stale: int = 0
    missing: int = 0
    misplaced: int = 0
    samples: list[Sample] = field(default_factory=list[Sample])

    @property
    def drift(self) -> int:
        """How many entries are not right."""
        return self.stale + self.missing + self.misplaced

    @property
    def entries(self) -> int:
        """How many entries were looked at."""
        return self.ok + self.drift

    def add(self, fault: Fault, sample: Sample) -> None:
        """Count a fault, and keep the first few as samples."""
        setattr(self, fault, getattr(self, fault) + 1)
        if sum(kept.fault == fault for kept in self.samples) < SAMPLES:
            self.samples.append(sample)

    def __str__(self) -> str:
        parts = [f"{self.ok:,} ok"]
        parts += [f"{count:,} {name}" for name in ("stale", "missing", "misplaced") if (count := getattr(self, name))]
        return " · ".join(parts) + (" (not indexed any more)" if self.kind == "dropped" else "")


@dataclass(slots=True)
class Troubles:
    """Keys of one kind of trouble: how many, and the first of them."""

    count: int = 0
    first: list[Trouble] = field(default_factory=list[Trouble])

    def add(self, key: bytes, name: str, why: str) -> None:
        """Count one, and list it if there is room."""
        self.count += 1
        if len(self.first) < LISTED:
            self.first.append(Trouble(text_of(key), name, why))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Trouble]:
        return iter(self.first)


class CheckReport:
    """What `check` found, or `repair` mended, of one model: data, and ``print(report)`` for people.

    ``indexes`` and ``bookkeeping`` are rows of counts. ``records`` counts the living records seen, ``expired`` those
    whose time is over and whose traces were not cleared yet, which is no fault.

    A person is needed for ``unreadable`` records, for ``blocked`` keys (of another type, where an index should be) and
    for ``conflicts`` (a unique value that two living records hold); they are left as they are. ``foreign`` keys are of
    other programs, and harmless. ``expiring`` counts index keys that had a time to live; ``busy`` records changed too
    often to be judged.

    ``cursor`` is where to go on after a check that was stopped, and None when all was seen.
    """

    def __init__(self, model: str, prefix: str, kinds: dict[str, str], *, mended: bool) -> None:
        self.model = model
        self.prefix = prefix
        self.mended = mended
        self.records = 0
        self.expired = 0
        self.expiring = 0
        self.busy = 0
        self.unreadable = Troubles()
        self.blocked = Troubles()
        self.conflicts = Troubles()
        self.foreign = Troubles()
        self.cursor: str | None = None
        self.done = 0
        self.total = 0
        self._rows = {path: IndexCheck(path, kind) for path, kind in kinds.items()}
        self._bookkeeping = {name: IndexCheck(name, "bookkeeping") for name in BOOKKEEPING}

    @property
    def indexes(self) -> list[IndexCheck]:
        """A row for each index, in the order of the fields; then those that are not declared any more."""
        return list(self._rows.values())

    @property
    def bookkeeping(self) -> list[IndexCheck]:
        """A row for each of ``T@ids``, ``T@log``, ``T@expires`` and ``T@schema``."""
        return list(self._bookkeeping.values())

    def index(self, path: str) -> IndexCheck:
        """The row of an index by its path, or of bookkeeping by its name."""
        row = self._bookkeeping.get(path) or self._rows.get(path)
        if row is None:
            row = self._rows[path] = IndexCheck(path, "dropped")
        return row

    @property
    def drift(self) -> int:
        """How many entries, and index keys that would expire, were not right."""
        return sum(row.drift for row in (*self.indexes, *self.bookkeeping)) + self.expiring

    @property
    def entries(self) -> int:
        """How many entries were looked at."""
        return sum(row.entries for row in (*self.indexes, *self.bookkeeping))

    @property
    def needs_a_person(self) -> int:
        """How many records and keys can't be mended by themselves."""
        return len(self.unreadable) + len(self.blocked) + len(self.conflicts) + self.busy

    @property
    def complete(self) -> bool:
        """Whether all was seen."""
        return self.cursor is None

    @property
    def clean(self) -> bool:
        """Whether nothing was found that is not right: no drift, and nothing that needs a person."""
        return not self.drift and not self.needs_a_person

    @property
    def whole(self) -> bool:
        """Whether nothing is left that is not right: what `repair` found and mended does not count."""
        return not self.needs_a_person and (self.mended or not self.drift)

    def lines(self) -> Iterator[tuple[str, str]]:
        """The report as pairs of a name and what is said of it."""
        for row in self.indexes:
            yield f"{self.model}.{row.path}", str(row)
        for row in self.bookkeeping:
            if row.drift:
                yield f"{self.prefix}@{row.path}", str(row)
        if self.expiring:
            yield f"{self.prefix}@…", f"{self.expiring:,} index keys with a time to live"
        if self.busy:
            yield f"{self.prefix}:…", f"{self.busy:,} records changed too often to be judged"
        for troubles in (self.unreadable, self.blocked, self.conflicts, self.foreign):
            for trouble in troubles.first[:SAMPLES]:
                yield trouble.key, trouble.why.removeprefix(f"{trouble.key}: ")
            if len(troubles) > SAMPLES:
                yield "…", f"{len(troubles) - SAMPLES:,} more like this"

    @property
    def summary(self) -> str:
        """One line: how much drift there is, or was."""
        entries, drift = self.entries, self.drift
        said = "mended" if self.mended and drift else "drift"
        share = f" ({_percent(drift, entries)})" if drift else ""
        text = f"{said}: {drift:,} of {entries:,} entries{share} of {self.records:,} records"
        if self.needs_a_person:
            text += f" · {self.needs_a_person:,} for a person to look at"
        return text if self.complete else f"{text} · stopped, to go on: cursor {self.cursor}"

    def __str__(self) -> str:
        rows = list(self.lines())
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join([*(f"{name:<{width}}  {said}" for name, said in rows), self.summary])

    def __repr__(self) -> str:
        return f"<CheckReport {self.model}: {self.summary}>"


def _percent(part: int, whole: int) -> str:
    share = 100 * part / max(whole, 1)
    return f"{share:.2f}%" if share >= 0.01 else "<0.01%"
