"""What differs between a model and what Redis holds for it, and what a sync did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from redmodel.model import Model, Schema, schema_of
from redmodel.plan.commands import as_int, exists, hgetall
from redmodel.plan.core import Command, Plan, each, together
from redmodel.plan.registration import BUILDING, LEAVING, READY, states, writers
from redmodel.plan.reindex import Obstacle

State: TypeAlias = Literal["ready", "waiting", "building", "new", "changed", "dropped"]

LISTED = 100


class IndexState(NamedTuple):
    """One index: its path, its kind and type as declared, its state, and how many records wait to be entered.

    States: ``ready``; ``waiting``, ready but for records that another version wrote, which a query enters first;
    ``building``, ``new`` and ``changed`` refuse queries until a sync; ``dropped`` is not declared any more.
    """

    path: str
    meaning: str
    state: State
    waiting: int = 0


@dataclass(slots=True)
class StatusReport:
    """What differs between a model's class and what Redis holds; ``print`` it.

    ``known`` tells whether this version of the model has ever written; ``others`` counts the other versions that have.
    """

    model: str
    known: bool
    others: int
    indexes: list[IndexState]

    @property
    def current(self) -> bool:
        """Whether a sync has nothing to do."""
        return all(index.state == "ready" for index in self.indexes)

    def __str__(self) -> str:
        rows = [f"{index.path:<24} {index.meaning:<20} {index.state}{_waiting(index)}" for index in self.indexes]
        said = "nothing to do" if self.current else f"to do: db.sync({self.model}), or `redmodel migrate`"
        others = f" · {self.others} other versions write too" if self.others else ""
        return "\n".join([*rows, f"{self.model}: {said}{others}"])


def _waiting(index: IndexState) -> str:
    return f" ({index.waiting:,} records)" if index.waiting else ""


@dataclass(slots=True)
class SyncReport:
    """What a sync did; ``print`` it.

    ``built`` and ``dropped`` name indexes; ``building`` those that are not ready yet; ``kept`` those that this version
    does not declare and another one, which still writes, does. ``entered`` counts records that were entered into
    indexes, ``migrated`` those whose fields were written anew, ``settled`` those that another version had written
    meanwhile. ``obstacles`` are records that stand in the way. ``resumed``: it went on where another one was stopped.
    """

    model: str
    built: list[str] = field(default_factory=list[str])
    building: list[str] = field(default_factory=list[str])
    dropped: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])
    entered: int = 0
    migrated: int = 0
    settled: int = 0
    done: int = 0
    total: int = 0
    obstacles: list[Obstacle] = field(default_factory=list[Obstacle])
    resumed: bool = False
    stopped: bool = True

    @property
    def ready(self) -> bool:
        """Whether every index of the model can answer."""
        return not self.stopped and not self.building and not self.obstacles

    def lines(self) -> Iterator[str]:
        """What was done, for people."""
        for name, paths in (("built", self.built), ("dropped", self.dropped), ("not ready", self.building)):
            if paths:
                yield f"{name}: {', '.join(paths)}"
        if self.kept:
            yield f"kept, as another version still writes them: {', '.join(self.kept)}"
        for name in ("entered", "migrated", "settled"):
            if count := getattr(self, name):
                yield f"{name}: {count:,} records"
        for obstacle in self.obstacles[:LISTED]:
            yield f"in the way: {obstacle.why}"
        if len(self.obstacles) > LISTED:
            yield f"in the way: {len(self.obstacles) - LISTED:,} more"
        yield f"{self.model}: {'ready' if self.ready else 'stopped; run it again' if self.stopped else 'not ready'}"

    def __str__(self) -> str:
        return "\n".join(self.lines())


def status(model: type[Model]) -> Plan[StatusReport]:
    """What a sync would have to do: two round trips."""
    schema: Schema[Any] = schema_of(model)
    found, ids = yield from together(hgetall(schema.schema_key), exists(schema.ids_key))
    known, versions = states(found), writers(found)
    paths = list(dict.fromkeys([*schema.meanings, *known]))
    waiting = yield from each(Command((b"ZCARD", schema.side + b"~" + path), as_int) for path in paths)
    rows: list[IndexState] = []
    for path, count in zip(paths, waiting, strict=True):
        state, meaning = known.get(path, b""), schema.meanings.get(path)
        said: State
        if meaning is None:
            said = "dropped"
        elif not state or state[:1] == LEAVING:
            said = "new" if ids else "ready"
        elif state[1:] != meaning:
            said = "changed"
        elif state[:1] == BUILDING:
            said = "building"
        else:
            said = "waiting" if count and state[:1] != READY else "ready"
        rows.append(IndexState(path.decode(), (meaning or state[1:]).decode(), said, count))
    return StatusReport(schema.name, schema.writer in versions, len(versions.keys() - {schema.writer}), rows)
