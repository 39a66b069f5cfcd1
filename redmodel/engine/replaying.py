"""Filling an engine from its storage: the commands of the log, with a short way for those that a log is made of.

The short way does what the handler would, where nothing can expire, nobody watches and nothing is logged: it must hold
for any arguments that it takes, and leaves all others to the handler.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redmodel.engine import texts
from redmodel.engine.values.field_names import shared
from redmodel.engine.values.sorted_set import SortedSet
from redmodel.errors import ReplyError, StorageError

if TYPE_CHECKING:
    from redmodel.engine.context import Context
    from redmodel.engine.registry import Command
    from redmodel.engine.storage.seam import Storage


def replay(context: Context, commands: dict[bytes, Command], storage: Storage) -> None:
    """Run the commands of a storage; one that answers an error is passed over, as Redis does.

    Raises:
        StorageError: the storage can't be read, or holds a command that the engine doesn't know.
    """
    # Nothing here becomes garbage in a circle, and looking for it among millions of new objects costs a third.
    collecting = gc.isenabled()
    gc.disable()
    context.loading = True
    try:
        _run(context, commands, storage)
    finally:
        if collecting:
            gc.enable()
    context.loading = context.changed = context.rewritten = context.owed = False
    context.effects.clear()


def _run(context: Context, commands: dict[bytes, Command], storage: Storage) -> None:
    database = context.database
    values = database.values
    unranked: dict[bytes, SortedSet] = {}  # whose order is made once, at the end, or when a handler needs it
    ranked: set[bytes] = set()  # and for good: a log that adds and removes in turn must not order them anew each time
    for args in storage.replay():
        name = args[0]
        if name == b"SADD" and len(args) > 2:
            members = values.get(args[1])
            if members is None:
                values[args[1]] = set(args[2:])
                continue
            if type(members) is set:
                if len(args) == 3:
                    members.add(args[2])
                else:
                    members.update(args[2:])
                continue
        elif name == b"HSET" and len(args) > 3 and not len(args) % 2:
            fields = values.get(args[1])
            if fields is None:
                values[args[1]] = dict(zip(shared(args[2::2]), args[3::2], strict=True))
                continue
            if type(fields) is dict:
                if len(args) == 4:
                    fields[args[2]] = args[3]
                else:
                    fields.update(zip(args[2::2], args[3::2], strict=True))
                continue
        elif name == b"SET" and len(args) == 3:
            values[args[1]] = args[2]
            if database.deadlines:
                database.deadlines.pop(args[1], None)
            if database.kept:
                database.kept.pop(args[1], None)
            continue
        elif name == b"ZADD" and len(args) > 3 and not len(args) % 2 and args[1] not in ranked:
            scores = _scores(args)
            zset = values.get(args[1])
            if zset is None and scores:
                zset = values[args[1]] = SortedSet()
            if type(zset) is SortedSet and scores:
                zset.scores.update(scores)
                unranked[args[1]] = zset
                continue
        for key in args[1:]:
            if key in unranked:
                unranked.pop(key).rank_all()
                ranked.add(key)
        command = commands.get(name) or commands.get(name.upper())
        if command is None:
            raise StorageError(f"the log holds a command that this engine doesn't know: {texts.shown(name)}")
        if command.minimum <= len(args) <= command.maximum:
            context.moment = 0
            try:
                command.handler(context, args)
            except ReplyError:
                pass
            if context.database is not database or database.values is not values:  # SELECT and SWAPDB
                database = context.database
                values = database.values
                _rank(unranked)
    _rank(unranked)


def _rank(unranked: dict[bytes, SortedSet]) -> None:
    for zset in unranked.values():
        zset.rank_all()
    unranked.clear()


def _scores(args: Sequence[bytes]) -> dict[bytes, float]:
    """The pairs of a ZADD without options whose scores are plain decimals; empty for any other."""
    scores: dict[bytes, float] = {}
    for at in range(2, len(args), 2):
        text = args[at]
        if not text.lstrip(b"-").replace(b".", b"", 1).isdigit() or text.startswith(b"--"):
            return {}
        scores[args[at + 1]] = float(text) + 0.0
    return scores
