"""What T@schema says: which indexes there are, whether each can answer, and which versions of the model write.

The design is told in docs/explanation/decisions.md. Nothing here looks at a record.

``index:<path>`` holds a state and the meaning of the index. States: ``+`` ready; ``~`` ready, but a version that does
not know it writes too; ``-`` not built yet; ``x`` on its way out. ``writer:<version>`` lists what a version lacks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

from redmodel.errors import LayoutError, ReplyError
from redmodel.model import Schema
from redmodel.plan.commands import exists, hgetall, procedure
from redmodel.plan.core import Plan, Reply, call, together
from redmodel.plan.refusal import explain, wrong_type
from redmodel.procedures import DEFINE

Registered: TypeAlias = "set[Schema[Any]]"
Fields: TypeAlias = dict[bytes, bytes]

READY, SHARED, BUILDING, LEAVING = b"+", b"~", b"-", b"x"
INDEX, WRITER, REVISION, PROGRESS = b"index:", b"writer:", b"revision", b"progress"

TRIES = 100
"""How often what another program has changed at the same moment is read again."""


def states(found: Fields) -> Fields:
    """The state and meaning of each index, by path."""
    return {name[len(INDEX) :]: value for name, value in found.items() if name.startswith(INDEX)}


def writers(found: Fields) -> dict[bytes, list[bytes]]:
    """The paths that each version of the model lacks."""
    return {name[len(WRITER) :]: value.split(b"\x1f")[1:] for name, value in found.items() if name.startswith(WRITER)}


def _lacks(paths: Iterable[bytes]) -> bytes:
    return b"".join(b"\x1f" + path for path in sorted(set(paths)))


def _listed(schema: Schema[Any], found: Fields) -> bytes:
    """The indexes of this version, and those that only others have, as people and tools read them."""
    mine = schema.definition()[b"indexes"]
    try:
        before: Any = json.loads(found.get(b"indexes", b"[]"))
        others = [one for one in before if one["path"].encode() not in schema.meanings]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        others = []
    return json.dumps(json.loads(mine) + others, separators=(",", ":")).encode() if others else mine


def enrolled(schema: Schema[Any], found: Fields, empty: bool) -> Fields:
    """T@schema after a version of the model was registered: its indexes are known, and it knows what it lacks."""
    mine, known = schema.meanings, states(found)
    fresh = {**found, **schema.definition(), b"indexes": _listed(schema, found)}
    others = {version: lacks for version, lacks in writers(found).items() if version != schema.writer}
    for path, meaning in mine.items():
        state = known.get(path)
        if state is None or state == LEAVING + meaning:
            for lacks in others.values():
                lacks.append(path)
            known[path] = (SHARED if empty and others else READY if empty else BUILDING) + meaning
            if not empty:
                fresh.pop(PROGRESS, None)
    own = [path for path, state in known.items() if mine.get(path) != state[1:] and state[:1] != LEAVING]
    for path in own:
        if known[path][:1] == READY:
            known[path] = SHARED + known[path][1:]
    fresh |= {INDEX + path: state for path, state in known.items()}
    fresh |= {WRITER + version: _lacks(lacks) for version, lacks in others.items()}
    fresh[WRITER + schema.writer] = _lacks(own)
    return fresh


def declared(schema: Schema[Any], found: Fields, empty: bool) -> Fields:
    """T@schema when one version alone decides: what it does not index leaves, others must register again."""
    mine, known = schema.meanings, states(found)
    fresh = {name: value for name, value in found.items() if not name.startswith(WRITER)} | schema.definition()
    for path, meaning in mine.items():
        state = known.get(path, b"")
        if state[1:] != meaning or state[:1] == LEAVING:
            state = (READY if empty else BUILDING) + meaning
            fresh.pop(PROGRESS, None)
        fresh[INDEX + path] = state
    for path, state in known.items():
        if path not in mine:
            fresh[INDEX + path] = LEAVING + state[1:]
    fresh[WRITER + schema.writer] = b""
    return fresh


def finished(schema: Schema[Any], found: Fields, built: Iterable[bytes]) -> Fields:
    """T@schema when these indexes hold every record, what waited is settled, and what leaves is cleared away."""
    fresh = {name: value for name, value in found.items() if name != PROGRESS}
    lacking = {path for lacks in writers(found).values() for path in lacks}
    done = set(built)
    for path, state in states(found).items():
        ours = schema.meanings.get(path) == state[1:]
        if state[:1] == LEAVING:
            del fresh[INDEX + path]
        elif ours and (state[:1] in (READY, SHARED) or path in done):
            fresh[INDEX + path] = (SHARED if path in lacking else READY) + state[1:]
    return fresh


def change(schema: Schema[Any], make: Callable[[Fields, bool], Fields]) -> Plan[Fields]:
    """Write T@schema as ``make`` wants it, unless it is so: one or two round trips. Returns what it says then.

    ``make`` gets what is there, and whether the model has no records.
    """
    for _ in range(TRIES):
        try:
            found, ids, logs = yield from together(
                hgetall(schema.schema_key), exists(schema.ids_key), exists(schema.log_key)
            )
        except ReplyError as error:
            raise explain(error, schema.schema_key) from error
        layout = schema.definition()[b"layout"]
        if found.get(b"layout", layout) != layout:
            raise LayoutError(
                f"the keys of {schema.prefix!r} were written under layout {found[b'layout'].decode(errors='replace')}, "
                f"this version writes layout {layout.decode()}: migrate them, or use another prefix"
            )
        fresh = make(found, not ids and not logs)
        pairs = {name: value for name, value in fresh.items() if found.get(name) != value}
        gone = [name for name in found if name not in fresh]
        if not pairs and not gone:
            return found
        before = found.get(REVISION, b"")
        pairs[REVISION] = b"%d" % (int(before) + 1 if before.isdigit() else 1)
        argv = [before, b"%d" % len(gone), *gone, *(word for pair in pairs.items() for word in pair)]
        reply: Reply = yield from call(procedure(DEFINE, (schema.schema_key,), argv))
        if isinstance(reply, list):
            _, key, kind = cast("list[bytes]", reply)
            raise wrong_type(key, kind)
        if reply:
            return {**fresh, REVISION: pairs[REVISION]}
    raise ReplyError(f"BUSY {schema.schema_key.decode()} changes all the time")


def register(schema: Schema[Any], registered: Registered) -> Plan[None]:
    """Once per handle and model: check the layout found in Redis, and say there what this model's keys mean."""
    yield from change(schema, lambda found, empty: enrolled(schema, found, empty))
    registered.add(schema)
