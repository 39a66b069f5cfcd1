"""A step of a check over index keys: which there are, and the entries in them that no log tells of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from redmodel.model import SCORED
from redmodel.plan.check_report import BOOKKEEPING, text_of
from redmodel.plan.commands import as_int, as_raw, as_row
from redmodel.plan.core import Command, Plan, call, each
from redmodel.plan.program import NULL
from redmodel.plan.refusal import TYPES
from redmodel.plan.repair import Case, Judge
from redmodel.plan.scan import as_scan
from redmodel.procedures.entries import spell

VOCABULARY = b"~words"
"""Stands for a token in the key of all words of a text index."""

_KINDS = {b"set": b"=", b"zset": b"#", b"hash": b"!"}
_SCANS = {b"set": b"SSCAN", b"zset": b"ZSCAN", b"hash": b"HSCAN"}
_SIZES = {b"set": b"SCARD", b"zset": b"ZCARD", b"hash": b"HLEN"}


class Side(NamedTuple):
    """An index key: its type, and the path and token of its entries in a log; those of a hash have each a token."""

    key: bytes
    type: bytes
    path: bytes
    token: bytes
    ordered: bool
    """Whether a member with a NUL is a text and an id, as in an index of texts in order."""


class KeyLook:
    """Looks into index keys, ``step`` entries at a time. ``dropped`` are paths that are not indexed any more."""

    def __init__(self, judge: Judge, dropped: set[bytes], step: int) -> None:
        self._judge = judge
        self.schema = judge.schema
        self.report = judge.report
        self._dropped = dropped
        self._step = step
        self.texts: set[bytes] = set()
        """The paths that are, or were, indexed by words."""
        self.lengths: dict[bytes, int] = {}
        """Of each of them, what the lengths of its texts add up to, less the sum that stands beside them."""

    def sizes(self, sides: Sequence[Side]) -> Plan[list[int]]:
        """How many entries each holds."""
        return each([Command((_SIZES[side.type], side.key), as_int) for side in sides])

    def classify(self, keys: Sequence[bytes]) -> Plan[list[Side]]:
        """The index keys among these; others are told of, and a time to live is taken from those that have one."""
        commands: list[Command[Any]] = []
        for key in keys:
            commands += (Command((b"TYPE", key), as_raw), Command((b"PTTL", key), as_int))
        replies = yield from each(commands)
        sides: list[Side] = []
        expiring: list[bytes] = []
        for key, kind, left in zip(keys, replies[::2], replies[1::2], strict=True):
            name = bytes(kind)
            rest = key[len(self.schema.side) :]
            path, colon, token = rest.partition(b":")
            if name == b"none":
                continue
            ours = rest.decode(errors="replace") in BOOKKEEPING or rest[:1] == b"~"
            if not ours:
                wanted = self._expected(path, bool(colon), token)
                if wanted is not None and wanted != name:
                    yield from self._judge.block(key)
                elif wanted is None and not (path in self._dropped and _shaped(name, bool(colon))):
                    self.report.foreign.add(key, "", f"holds a {text_of(name)}, and {text_of(path)!r} is not indexed")
                else:
                    ours = True
                    sides.append(Side(key, name, path, token, not colon and self._may_be_ordered(path)))
            if ours and left >= 0:
                expiring.append(key)
        self.report.expiring += len(expiring)
        if self._judge.write:
            yield from each(Command((b"PERSIST", key), as_int) for key in expiring)
        return sides

    def _expected(self, path: bytes, with_token: bool, token: bytes) -> bytes | None:
        """The type of a key of an index of the model; None if there should be no such key."""
        index = self._judge.declared.get(path)
        if index is None:
            return None
        if with_token:
            return b"zset" if index.kind in SCORED and token != NULL else b"set"
        return TYPES.get(index.kind)

    def _may_be_ordered(self, path: bytes) -> bool:
        index = self._judge.declared.get(path)
        return index is None or index.kind == "ordered"

    def sweep_page(self, side: Side, cursor: bytes) -> Plan[bytes]:
        """Look at one page of a large key; returns the cursor of the next."""
        following, items = yield from call(self._scan_side(side, cursor))
        yield from self._look_at_entries(self._entries(side, items))
        return following

    def sweep(self, sides: Sequence[Side]) -> Plan[None]:
        """Look at a few small keys at once."""
        pending = [(side, b"0") for side in sides]
        while pending:
            pages = yield from each([self._scan_side(*one) for one in pending])
            entries: list[tuple[bytes, bytes]] = []
            further: list[tuple[Side, bytes]] = []
            for (side, _), (cursor, items) in zip(pending, pages, strict=True):
                entries += self._entries(side, items)
                if cursor != b"0":
                    further.append((side, cursor))
            yield from self._look_at_entries(entries)
            pending = further

    def _scan_side(self, side: Side, cursor: bytes) -> Command[tuple[bytes, list[bytes]]]:
        return Command((_SCANS[side.type], side.key, cursor, b"COUNT", b"%d" % self._step), as_scan)

    def _entries(self, side: Side, items: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        if side.path not in self.texts or side.type == b"set":
            return list(_entries(side, items))
        if side.token == VOCABULARY:
            return []  # a word without records does no harm, and each record's words are looked for
        if side.type == b"zset":
            return [(id, spell(b"w", side.path, side.token)) for id in items[::2]]
        found: list[tuple[bytes, bytes]] = []
        for id, text in zip(items[::2], items[1::2], strict=True):
            number = text.partition(b" ")[0]
            length = int(number) if number.isdigit() else 0
            self.lengths[side.path] = self.lengths.get(side.path, 0) + (length if id else -length)
            if id:
                found.append((id, spell(b"t", side.path, b"")))
        return found

    def _look_at_entries(self, entries: Sequence[tuple[bytes, bytes]]) -> Plan[None]:
        """Judge the records that stand in an entry of which their log says nothing."""
        if not entries:
            return
        self.report.done += len(entries)
        ids = list(dict.fromkeys(id for id, _ in entries))
        rows = yield from call(Command((b"HMGET", self.schema.log_key, *ids), as_row))
        logs = {id: (log or b"")[9:] for id, log in zip(ids, rows, strict=True)}
        suspects: dict[bytes, dict[bytes, None]] = {}
        for id, entry in entries:
            if entry not in logs[id]:
                suspects.setdefault(id, {})[entry] = None
        yield from self._judge.settle([Case(id, tuple(found)) for id, found in suspects.items()], "entry")


def _shaped(kind: bytes, with_token: bool) -> bool:
    return kind in (b"set", b"zset") if with_token else kind in (b"zset", b"hash")


def _entries(side: Side, items: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The ids in an index key, each with its entry as a log would tell of it; not of an index by words."""
    start = _KINDS[side.type] + side.path + b"\x1f"
    if side.type == b"set":
        for id in items:
            yield id, start + side.token + b"\x1e"
    elif side.type == b"zset":
        for member in items[::2]:
            token, between, id = member.partition(b"\x00")
            if between and side.ordered:
                yield id, b"<" + side.path + b"\x1f" + token + b"\x1e"
            else:
                yield member, start + side.token + b"\x1e"
    else:
        for token, id in zip(items[::2], items[1::2], strict=True):
            yield id, start + token + b"\x1e"
