"""The native twin of select_through.lua: records that refer to living ones of another model which meet conditions."""

from __future__ import annotations

import re
from contextlib import suppress

from redmodel.errors import ReplyError
from redmodel.procedures.containers import Ids, hash_at, set_at
from redmodel.procedures.native_select import NODES, Node, Program, due_ids, refuse_unready
from redmodel.procedures.native_write import drop
from redmodel.procedures.registry import Context

SCRIPT = "select_through"
"""The part of the scripts whose twin this is."""

_NULL = b"~null"
_ODD = re.compile(rb"[\x00-\x1f\x7f~]")
_SPELLED = re.compile(rb"~([0-9a-f]{2})")


def _token(id: bytes) -> bytes:
    return _ODD.sub(lambda odd: b"~%02x" % odd[0][0], id)


def _id(token: bytes) -> bytes:
    return _SPELLED.sub(lambda odd: bytes([int(odd[1], 16)]), token)


class Through:
    """The records of a model that refer, in one path, to what meets a node of another model."""

    __slots__ = ("expires", "node", "path", "theirs", "universe", "writes")

    def __init__(self, universe: bytes, path: bytes, theirs: bytes, expires: bytes, node: Node, writes: bool) -> None:
        self.universe, self.path, self.theirs, self.expires, self.node = universe, path, theirs, expires, node
        self.writes = writes

    def estimate(self, ctx: Context) -> int:
        all, theirs = len(set_at(ctx, self.universe)), len(set_at(ctx, self.theirs))
        return min(all, self.node.estimate(ctx) * max(1, all // max(1, theirs)))

    def _there(self, ctx: Context, ids: Ids) -> Ids:
        """Those whose time is not over, and that are there."""
        records = self.theirs[:-4] + b":"
        found: set[bytes] = set()
        for id in ids - due_ids(ctx, self.theirs[:-3], self.expires, False)[0]:
            if ctx.value(records + id) is not None:
                found.add(id)
            elif self.writes:
                with suppress(ReplyError):  # nothing can be written now, and this is a read
                    drop(ctx, self.theirs[:-3], id)
        return found

    def collect(self, ctx: Context) -> Ids:
        everyone = set_at(ctx, self.universe)
        if self.node.estimate(ctx) > 2 * len(everyone):
            return self.keep(ctx, everyone)
        start = self.universe[:-3] + self.path + b":"
        found: set[bytes] = set()
        return found.union(*(set_at(ctx, start + _token(id)) for id in self._there(ctx, self.node.collect(ctx))))

    def keep(self, ctx: Context, ids: Ids) -> Ids:
        log, needle = hash_at(ctx, self.universe[:-3] + b"log").get, b"=" + self.path + b"\x1f"
        tokens: dict[bytes, list[bytes]] = {}
        for id in ids:
            entries = (log(id) or b"")[9:].split(b"\x1e")
            tokens[id] = [entry[len(needle) :] for entry in entries if entry.startswith(needle)]
        distinct = {_id(token) for held in tokens.values() for token in held if token != _NULL}
        if len(distinct) <= self.node.estimate(ctx):
            found = self._there(ctx, self.node.keep(ctx, distinct))
        else:
            found = self._there(ctx, self.node.collect(ctx))
        wanted = {_token(id) for id in found}
        return {id for id, held in tokens.items() if not wanted.isdisjoint(held)}


def _through(program: Program) -> Node:
    universe = program.universe
    path, theirs, expires = program.word(), program.key(), program.key()
    version, *pairs = program.word().split(b"\x1f")
    for pair in pairs:
        name, _, meaning = pair.partition(b"\x1e")
        refuse_unready(program.ctx, theirs[:-3], version, name, meaning)
    program.universe = theirs
    node = program.node()
    program.universe = universe
    # Nothing goes from the model that is being walked.
    return Through(universe, path, theirs, expires, node, program.writes and theirs != program.keys[0])


NODES[b">"] = _through
