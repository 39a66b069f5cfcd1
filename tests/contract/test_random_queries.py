"""Random models, records and queries: on every back end the answers that Python finds by looking at every record.

A world is a model of random fields (``tests/contract/kinds.py``), its records, some expired, deleted and changed, and
queries about them. What differs is made smaller and printed with the seed of its world. To see it again:

    REDMODEL_SEED=<seed> pytest tests/contract/test_random_queries.py -k <back end>

``REDMODEL_LONG=1`` asks 200,000 questions, and not a few hundred on each back end.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pydantic
import pytest

from redmodel import Model
from redmodel.model import Condition
from redmodel.plan import stream
from tests.contract.conftest import BACKENDS
from tests.contract.kinds import KINDS, Equal, Kind, Links, Moment, Ordered, Ranged, Real, UniqueWord, Word

LONG = bool(os.environ.get("REDMODEL_LONG"))
SEED = os.environ.get("REDMODEL_SEED")
ASKED = 50
"""Questions of one world."""
WORLDS = 200_000 // len(BACKENDS) // ASKED if LONG else 5

Records = list[Any]


@dataclass(frozen=True)
class Asked:
    """A condition, and the test of a whole record that Python makes instead; ``parts`` are what it is joined of."""

    condition: Condition
    test: Callable[[Any], bool]
    op: str = ""
    parts: tuple[Asked, ...] = ()

    def smaller(self) -> Iterator[Asked]:
        """Conditions with less in them, of which one may differ too."""
        yield from self.parts
        for n, part in enumerate(self.parts):
            for less in part.smaller():
                yield joined(self.op, (*self.parts[:n], less, *self.parts[n + 1 :]))


def joined(op: str, parts: tuple[Asked, ...]) -> Asked:
    one, two = parts[0], parts[-1]
    if op == "~":
        return Asked(~one.condition, lambda record: not one.test(record), op, parts)
    if op == "&":
        return Asked(one.condition & two.condition, lambda record: one.test(record) and two.test(record), op, parts)
    return Asked(one.condition | two.condition, lambda record: one.test(record) or two.test(record), op, parts)


@dataclass(frozen=True)
class Question:
    """One query: its conditions and orders, which part of the answer, and which terminal is called."""

    where: tuple[Asked, ...] = ()
    orders: tuple[tuple[str, Ordered], ...] = ()
    offset: int = 0
    limit: int | None = None
    terminal: str = "all"
    name: str = ""
    size: int = 1

    def __str__(self) -> str:
        orders = ", ".join(repr(order.order) for _, order in self.orders)
        where = ", ".join(repr(asked.condition) for asked in self.where)
        cut = f".offset({self.offset}).limit({self.limit})"
        return f"find({where}).order_by({orders}){cut}.{self.terminal}({self.name!r}, size={self.size})"

    def smaller(self) -> Iterator[Question]:
        for n, asked in enumerate(self.where):
            rest = self.where[:n], self.where[n + 1 :]
            yield replace(self, where=(*rest[0], *rest[1]))
            for less in asked.smaller():
                yield replace(self, where=(*rest[0], less, *rest[1]))
        for n in range(len(self.orders)):
            yield replace(self, orders=self.orders[:n] + self.orders[n + 1 :])
        if self.offset:
            yield replace(self, offset=0)
        if self.limit is not None:
            yield replace(self, limit=None)


@dataclass
class World:
    """A model, its fields' kinds by name, and what must be stored, by id."""

    model: Any
    kinds: dict[str, Kind]
    records: dict[Any, Any] = field(default_factory=dict)

    def answers(self, question: Question) -> Records:
        """All that meets the conditions, in order."""
        found = [record for record in self.records.values() if all(asked.test(record) for asked in question.where)]
        down = bool(question.orders) and question.orders[-1][1].down
        found.sort(
            key=lambda record: record.id if isinstance(record.id, int) and not question.orders else id_text(record)
        )
        if down:
            found.reverse()
        for name, order in reversed(question.orders):
            keys = {record.id: key_of(order, record, name) for record in found}
            there = [record for record in found if keys[record.id] is not None]
            there.sort(key=lambda record: keys[record.id], reverse=order.down)
            lacking = [record for record in found if keys[record.id] is None]
            found = lacking + there if order.nulls_first else there + lacking
        return found


def id_text(record: Any) -> Any:
    return str(record.id).encode()


def id_number(record: Any) -> Any:
    return (record.id,) if isinstance(record.id, int) else None


def key_of(order: Ordered, record: Any, name: str) -> Any:
    value = getattr(record, name)
    return None if value is None else order.key(value)


# -- making ----------------------------------------------------------------------------------------------------------


def a_world(rng: random.Random, seed: int, db: Any, raw: Callable[..., Any]) -> World:
    chosen = rng.sample(KINDS, rng.randrange(3, 8))
    kinds = {f"{kind.__name__.lower()}_{n}": kind() for n, kind in enumerate(chosen)}
    for kind in kinds.values():
        kind.prepare(db, rng)
    numbered = rng.random() < 0.3
    fields: dict[str, Any] = {name: (kind.annotation, kind.default) for name, kind in kinds.items()}
    ranged = [name for name, kind in kinds.items() if isinstance(kind, Ranged) and not isinstance(kind, Word)]
    other = (UniqueWord, Links)
    single = [name for name, kind in kinds.items() if isinstance(kind, Equal) and not isinstance(kind, other)]
    groups = [(*rng.sample(single, min(len(single), rng.randrange(1, 3))), last) for last in ranged]
    together = [group for group in groups if len(set(group)) == len(group)]
    made: Any = pydantic.create_model(
        f"World{seed}",
        __base__=Model,
        __module__=__name__,
        __cls_kwargs__={"prefix": f"world-{seed}-{rng.randrange(10**9)}", "index_together": together},
        id=(int if numbered else str, ...),
        note=(str | None, None),
        **fields,
    )
    world = World(made, kinds)
    names = [n if numbered else f"{n}" + rng.choice(["", ":é", "{x}", "*"]) for n in range(rng.choice([0, 3, 20, 40]))]
    for id in names:
        world.records[id] = a_record(rng, world, id)
    db.save_many(world.records.values())
    expired = rng.sample(names, len(names) // 10)
    for id in names:
        chance = rng.random()
        if id in expired:
            db.save(world.records.pop(id), ttl=timedelta(milliseconds=1))
        elif chance < 0.1:
            db.save(world.records[id], ttl=timedelta(hours=1))
        elif chance < 0.25:
            world.records[id] = a_record(rng, world, id)
            db.save(world.records[id])
        elif chance < 0.35:
            name = rng.choice(list(kinds))
            value = kinds[name].value(rng)
            db.update(world.model, id, **{name: value})
            setattr(world.records[id], name, value)
        elif chance < 0.42:
            db.delete(world.model, id)
            del world.records[id]
        elif chance < 0.46:
            raw("DEL", f"{world.model.__redmodel_prefix__}:{id}")
            del world.records[id]
    for id in expired:
        while raw("EXISTS", f"{world.model.__redmodel_prefix__}:{id}"):
            pass
    assert len(db.find(world.model).all()) == len(world.records)  # clears what others deleted
    return world


def a_record(rng: random.Random, world: World, id: Any) -> Any:
    values = {name: kind.value(rng) for name, kind in world.kinds.items()}
    return world.model(id=id, note=rng.choice([None, "", "n"]), **values)


def a_condition(rng: random.Random, world: World, depth: int = 0) -> Asked:
    chance = rng.random()
    if depth < 4 and chance < 0.45:
        op = rng.choice("&&||~")
        parts = (a_condition(rng, world, depth + 1),)
        return joined(op, parts if op == "~" else (*parts, a_condition(rng, world, depth + 1)))
    name = rng.choice(list(world.kinds))
    condition, test = world.kinds[name].ask(rng, getattr(world.model, name))
    return Asked(condition, lambda record: test(getattr(record, name)))


def a_question(rng: random.Random, world: World) -> Question:
    where = tuple(a_condition(rng, world) for _ in range(rng.choice([0, 1, 1, 1, 2, 3])))
    orders: list[tuple[str, Ordered]] = []
    for name in rng.sample(list(world.kinds), min(rng.choice([0, 0, 1, 1, 2, 3]), len(world.kinds))):
        order = world.kinds[name].order(rng, getattr(world.model, name))
        if order is not None:
            orders.append((name, order))
    terminal = rng.choice(list(TERMINALS))
    offset, limit = rng.choice([0, 0, 0, 1, 7]), rng.choice([None, None, 0, 1, 5, 30])
    able = [name for name, kind in world.kinds.items() if FITS.get(terminal, any_kind)(kind)]
    if not able:
        terminal = "all"
    name = rng.choice(able or list(world.kinds))
    if terminal in WHOLE:
        offset, limit = 0, None
    return Question(where, tuple(orders), offset, limit, terminal, name, rng.randrange(1, 9))


# -- asking ----------------------------------------------------------------------------------------------------------


def query_of(db: Any, world: World, question: Question) -> Any:
    query = db.find(world.model, *[asked.condition for asked in question.where])
    if question.orders:
        query = query.order_by(*[order.order for _, order in question.orders])
    if question.offset:
        query = query.offset(question.offset)
    return query if question.limit is None else query.limit(question.limit)


def the_list(give: Callable[[Any, Question], Any], what: Callable[[Any, Question], Any]) -> Callable[..., None]:
    """Asks for the records in some shape: in order where one is named, else any of them, each once."""

    def check(query: Any, world: World, question: Question) -> None:
        found = list(give(query, question))
        wanted = [what(record, question) for record in world.answers(question)]
        cut = slice(question.offset, None if question.limit is None else question.offset + question.limit)
        if question.orders or question.offset:
            assert found == wanted[cut]
        else:
            assert len(found) == len(wanted[cut])
            for one in found:
                assert one in wanted
                wanted.remove(one)

    return check


def check_count(query: Any, world: World, question: Question) -> None:
    wanted = world.answers(question)
    assert query.count() == len(wanted)
    assert query.exists() is bool(wanted)


def check_first(query: Any, world: World, question: Question) -> None:
    wanted = world.answers(question)[question.offset :]
    found = query.first() if question.limit is None else query.limit(1).first()
    assert (found in wanted) if found is not None else not wanted
    assert not question.orders or found is None or found == wanted[0]


def check_page(query: Any, world: World, question: Question) -> None:
    wanted, size = world.answers(question), question.size
    page = query.page(2, size=size)
    assert (page.items, page.total) == (wanted[size : 2 * size], len(wanted))


def check_cursors(query: Any, world: World, question: Question) -> None:
    """All pages forwards, then all backwards: each record once, in order."""
    wanted, size = world.answers(question), question.size
    if not question.orders:
        by_id = id_text if not wanted or isinstance(wanted[0].id, str) else id_number
        wanted.sort(key=by_id)
    page = query.after(size=size)
    assert page.previous is None
    found = list(page.items)
    while page.next is not None:
        page = query.after(page.next, size=size)
        found += page.items
    assert found == wanted
    page = query.before(size=size)
    assert page.next is None
    found = page.items
    while page.previous is not None:
        page = query.before(page.previous, size=size)
        found = page.items + found
    assert found == wanted


def values_of(world: World, question: Question) -> Records:
    return [getattr(record, question.name) for record in world.answers(question)]


def check_numbers(query: Any, world: World, question: Question) -> None:
    named = getattr(world.model, question.name)
    there = [value for value in values_of(world, question) if value is not None]
    assert query.sum(named) == sum(there)
    average = query.avg(named)
    assert average == pytest.approx(sum(there) / len(there)) if there else average is None


def check_ends(query: Any, world: World, question: Question) -> None:
    named = getattr(world.model, question.name)
    key = key_function(world, question.name)
    there = sorted((value for value in values_of(world, question) if value is not None), key=key)
    assert (query.min(named), query.max(named)) == ((there[0], there[-1]) if there else (None, None))


def key_function(world: World, name: str) -> Any:
    order = world.kinds[name].order(random.Random(0), getattr(world.model, name))
    assert order is not None
    return order.key


def check_groups(query: Any, world: World, question: Question) -> None:
    named = getattr(world.model, question.name)
    counts = Counter(values_of(world, question))
    assert query.group_by(named).count() == counts
    assert query.facets(named) == {question.name: counts}
    assert set(query.distinct(named)) == set(counts) - {None}


def any_kind(kind: Kind) -> bool:
    return True


def ordered_kind(kind: Kind) -> bool:
    return kind.grouped and hasattr(kind, "key")


def shown(record: Any, question: Question) -> Any:
    return record.id, getattr(record, question.name)


TERMINALS: dict[str, Callable[..., None]] = {
    "all": the_list(lambda query, _: query.all(), lambda record, _: record),
    "iterate": the_list(lambda query, _: query, lambda record, _: record),
    "stream": the_list(lambda query, question: query.stream(batch=question.size), lambda record, _: record),
    "ids": the_list(lambda query, _: query.ids().all(), lambda record, _: record.id),
    "values": the_list(lambda query, question: query.values("id", question.name).all(), shown),
    "only": the_list(
        lambda query, question: [shown(record, question) for record in query.only(question.name).all()], shown
    ),
    "as_dicts": the_list(lambda query, _: query.as_dicts().all(), lambda record, _: dict(record)),
    "count": check_count,
    "first": check_first,
    "page": check_page,
    "cursors": check_cursors,
    "numbers": check_numbers,
    "ends": check_ends,
    "groups": check_groups,
}
WHOLE = {"count", "page", "cursors", "numbers", "ends", "groups"}
"""Terminals that are asked without offset and limit."""
FITS: dict[str, Callable[[Kind], bool]] = {
    "numbers": lambda kind: kind.measured,
    "ends": ordered_kind,
    # 0.0 and -0.0 are one group, and times that are equal in two zones: which of them names it is left open.
    "groups": lambda kind: kind.grouped and not isinstance(kind, Real | Moment),
}


def differs(db: Any, world: World, question: Question) -> str:
    """What is wrong with the answer; empty if nothing is."""
    try:
        TERMINALS[question.terminal](query_of(db, world, question), world, question)
    except AssertionError as error:
        return f"AssertionError: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def smallest(db: Any, world: World, question: Question) -> str:
    """A smaller question about fewer records that is answered wrong too, as text."""
    shrinking = True
    while shrinking:
        shrinking = False
        for less in question.smaller():
            if differs(db, world, less):
                question, shrinking = less, True
                break
    why = differs(db, world, question)
    for id in list(world.records):
        record = world.records.pop(id)
        db.delete(world.model, id)
        if found := differs(db, world, question):
            why = found
        else:
            world.records[id] = record
            db.save(record.model_copy())
    records = "\n  ".join(repr(record) for record in world.records.values())
    return f"{question}\n of\n  {records}\n{why}"


def play(db: Any, raw: Callable[..., Any], seed: int) -> None:
    """Ask one world's questions."""
    rng = random.Random(seed)
    world = a_world(rng, seed, db, raw)
    for n in range(ASKED):
        question = a_question(rng, world)
        if differs(db, world, question):
            told = str(question)
            pytest.fail(f"REDMODEL_SEED={seed}, question {n}: {told}\nSmaller: {smallest(db, world, question)}")
    assert db.check(world.model).clean
    db.delete_many(world.model, list(world.records))


@pytest.mark.timeout(1800 if LONG else 180)
def test_random_queries_give_what_python_finds(
    db: Any, raw: Callable[..., Any], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "FEW", 5)  # else all records of a world were few
    monkeypatch.setattr(stream, "WINDOW", 6)
    # Each back end has worlds of its own, the same in every run.
    first = BACKENDS.index(request.node.callspec.params["make_db"]) * 1_000_000
    seeds = [int(SEED)] if SEED else range(first, first + WORLDS)
    for seed in seeds:
        play(db, raw, seed)
