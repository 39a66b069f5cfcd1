"""How a query is answered: its conditions with what indexes say of them, what was done for it, and its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, cast

from redmodel.errors import ReplyError
from redmodel.model import And, Compare, Condition, FieldCondition, Not, Or, Schema, schema_of
from redmodel.plan.commands import as_int
from redmodel.plan.composite import serving, with_or_without
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.find import PIECES, ROWS, Compiled, Selection, command_of, compiled
from redmodel.plan.program import Program
from redmodel.plan.refusal import explain_query
from redmodel.procedures import EXPLAIN, LOOK

COUNTED = 100
"""Conditions of one query that are counted each by itself."""

_WIDTH = 60
_RANGES = frozenset(("ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZRANGEBYLEX", "ZREVRANGEBYLEX"))
_IN_ORDER = frozenset(("ZRANGE", "ZREVRANGE", *(f"{name} LIMIT" for name in _RANGES)))
_GATHER = frozenset(("SMEMBERS", "SINTER", "SSCAN", "HGET", "ZINTER")) | _RANGES | _IN_ORDER
_RANGE = 4
"""What reading a range costs for each member, where looking into a set costs 1."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One condition of a query, or several that are joined.

    ``index`` is the path of the index that answers it and ``keys`` are that index's keys. ``estimate`` is how many
    records may meet it, as the sizes of the indexes say, ``rows`` how many do; None where that was not asked.
    ``drives`` says that the query began with it.
    """

    text: str
    index: str | None
    keys: tuple[str, ...]
    estimate: int | None
    rows: int | None
    drives: bool
    parts: tuple[Branch, ...] = ()

    def lines(self, depth: int = 0) -> Iterator[tuple[int, Branch]]:
        """This branch and all below it, each with its depth."""
        yield depth, self
        for part in self.parts:
            yield from part.lines(depth + 1)


@dataclass(frozen=True, slots=True)
class Work:
    """Commands of one kind on the same keys: how often they ran, and how many members or values they gave.

    One that gives a number has the last one. A command's name ends in LIMIT where it stops early. ``LOOK`` is a look of
    the embedded engine at a container, its ``items`` are what this holds.
    """

    command: str
    keys: tuple[str, ...]
    calls: int
    items: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a query is answered.

    ``driver`` are the keys that it begins with; ``order`` says whether its order comes from an index or by sorting
    what was found. ``records`` and ``round_trips`` are those of the whole query, ``seconds`` is the time of the work
    at the server. Without running the query only ``conditions`` and their estimates are known.
    """

    model: str
    conditions: Branch
    order_by: tuple[str, ...]
    order: Literal["index", "sort"] | None
    driver: tuple[str, ...]
    records: int | None
    commands: tuple[Work, ...]
    round_trips: int | None
    seconds: float | None

    def __str__(self) -> str:
        texts = ["  " * depth + branch.text for depth, branch in self.conditions.lines()]
        width = max(map(len, texts))
        lines = [f"{self.model}: not run"]
        if self.seconds is not None:
            trips = f"{self.round_trips} round trip{'s' if self.round_trips != 1 else ''}"
            lines = [f"{self.model}: {_number(self.records)} records in {trips}, {self.seconds * 1000:.2f} ms of work"]
        for text, (_, branch) in zip(texts, self.conditions.lines(), strict=True):
            found = f"about {_number(branch.estimate)}"
            found += "" if branch.rows is None else f", found {branch.rows:,}"
            lines.append(f"  {text:<{width}}  {found}{'  <- begins here' if branch.drives else ''}")
        if self.order_by:
            how = {"index": "from the index", "sort": "by sorting what was found", None: "not known"}[self.order]
            lines.append(f"order by {', '.join(self.order_by)}: {how}")
        lines += [f"{work.calls:>7,} x {work.command} {' '.join(work.keys)}: {work.items:,}" for work in self.commands]
        return "\n".join(lines)


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


@dataclass(slots=True)
class _Grown:
    """A branch before the replies: its condition, and the commands that estimate it (None: of what lies below)."""

    text: str
    condition: tuple[Condition, ...]
    index: str | None = None
    keys: list[bytes] = field(default_factory=list[bytes])
    sizes: list[Command[int]] = field(default_factory=list[Command[int]])
    joint: type[And] | type[Or] | type[Not] | None = None
    parts: list[_Grown] = field(default_factory=list["_Grown"])
    estimate: int | None = None
    rows: int | None = None

    def all(self) -> Iterator[_Grown]:
        yield self
        for part in self.parts:
            yield from part.all()

    def sum_up(self, everything: int) -> None:
        """Estimate what is joined by what it is joined of."""
        for part in self.parts:
            part.sum_up(everything)
        found = [part.estimate for part in self.parts if part.estimate is not None]
        if self.joint is not None and len(found) == len(self.parts):
            total = min(found, default=everything) if self.joint is And else sum(found)
            self.estimate = everything - total if self.joint is Not else total

    def cost(self) -> float:
        """What it costs to begin with this one."""
        if self.estimate is None or self.joint is Not:
            return float("inf")
        return self.estimate * (_RANGE if any(size.args[0] == b"ZCOUNT" for size in self.sizes) else 1)

    def branch(self, driver: Sequence[bytes]) -> Branch:
        drives = not self.parts and not set(self.keys).isdisjoint(driver)
        parts = tuple([part.branch(driver) for part in self.parts])
        return Branch(self.text, self.index, _shown(self.keys), self.estimate, self.rows, drives, parts)


def _shown(keys: Sequence[bytes]) -> tuple[str, ...]:
    return tuple([key.decode(errors="backslashreplace") for key in keys])


def _text(condition: Condition) -> str:
    if isinstance(condition, Compare):
        value = repr(condition.value)
        return f"{condition.path} {condition.op} {value if len(value) <= _WIDTH else value[: _WIDTH - 3] + '...'}"
    return repr(condition)


def _leaf(schema: Schema[Any], condition: FieldCondition, program: Program, words: list[bytes]) -> _Grown:
    keys, args = program.keys, iter(words)
    grown = _Grown(_text(condition), (condition,), condition.path, keys[2:])
    kind = next(args)
    negated = kind == b"~"
    if negated:
        kind = next(args)
    if kind == b"=":
        grown.sizes.append(Command((b"SCARD", keys[int(next(args)) - 1]), as_int))
    elif kind == b"u":
        grown.sizes += [Command((b"SCARD", keys[int(next(args)) - 1]), as_int) for _ in range(int(next(args)))]
    elif kind == b"#":
        grown.sizes.append(Command((b"ZCOUNT", keys[int(next(args)) - 1], next(args), next(args)), as_int))
    elif kind == b"!":
        grown.sizes.append(Command((b"HEXISTS", keys[int(next(args)) - 1], next(args)), as_int))
    if not negated:
        return grown
    inner = _Grown(_text(condition).replace(" != ", " == ", 1), (), condition.path, keys[2:], grown.sizes)
    return _Grown(grown.text, (condition,), condition.path, keys[2:], joint=Not, parts=[inner])


def _grow(schema: Schema[Any], condition: Condition) -> _Grown:
    if isinstance(condition, And | Or):
        parts = [_grow(schema, part) for part in condition.conditions]
        word = "all of" if isinstance(condition, And) else "any of"
        return _Grown(word, (condition,), joint=type(condition), parts=parts)
    if isinstance(condition, Not):
        return _Grown("not", (condition,), joint=Not, parts=[_grow(schema, condition.condition)])
    program = Program(schema, plain=True)
    return _leaf(schema, cast("FieldCondition", condition), program, program.conditions((condition,)))


def _tree(selection: Selection[Any], *, plain: bool) -> _Grown:
    """The conditions as they are asked: those that a composite index answers are one."""
    schema: Schema[Any] = schema_of(selection.model)
    served = None if plain else serving(schema.composites, selection.conditions, selection.orders)
    parts = [_grow(schema, one) for one in (selection.conditions if served is None else served.rest)]
    if served is not None:
        program = Program(schema)
        used: list[Condition] = [
            Compare(part.path, "==", value) for part, value in zip(served.by.leading, served.values, strict=True)
        ]
        used += served.bounds
        order = () if served.bounds else selection.orders
        key, low, high = program.conditions(used, order)[1:]
        size = Command((b"ZCOUNT", program.keys[int(key) - 1], low, high), as_int)
        text = " and ".join([_text(one) for one in used])
        parts.insert(0, _Grown(text, tuple(used), served.by.path, program.keys[2:], [size]))
    if len(parts) == 1:
        return parts[0]
    if parts:
        return _Grown("all of", selection.conditions, joint=And, parts=parts)
    return _Grown("every record", (), None, [schema.ids_key], [Command((b"SCARD", schema.ids_key), as_int)])


def explain_find(selection: Selection[Any], *, analyze: bool = True, total: bool = False) -> Plan[Explanation]:
    """Run a query for what that takes, or only estimate it: one round trip."""
    schema: Schema[Any] = schema_of(selection.model)
    asked: Selection[Any] = selection.only_reading()
    return (yield from with_or_without(schema, lambda plain: _explain(asked, plain, analyze, total)))


def _explain(selection: Selection[Any], plain: bool, analyze: bool, total: bool) -> Plan[Explanation]:
    schema: Schema[Any] = schema_of(selection.model)
    root = _tree(selection, plain=plain)
    branches = list(root.all())
    commands: list[Command[Any]] = [Command((b"SCARD", schema.ids_key), as_int)]
    commands += [size for branch in branches for size in branch.sizes]
    counted = [branch for branch in branches if branch.condition or branch is root][:COUNTED] if analyze else []
    makes: list[Callable[..., Command[Reply]]] = []
    for branch in counted:
        some: Selection[Any] = Selection(selection.model, branch.condition, writes=False)
        makes.append(partial(command_of, some, 0, count=True, plain=True))
    if analyze:
        makes.append(partial(_traced, selection, plain, total))
    replies = list((yield Batch((*commands, *(make(begun=PIECES) for make in makes)))))
    sizes, answers = replies[: len(commands)], replies[len(commands) :]
    yield from _refuse(schema, commands, sizes)
    runs = yield from _finish(schema, makes, answers)
    numbers = iter(cast("list[int]", sizes))
    everything = next(numbers)
    for branch in branches:
        found = [next(numbers) for _ in branch.sizes]
        branch.estimate = sum(found) if found else None
    root.sum_up(everything)
    for branch, runs_of_it in zip(counted, runs, strict=False):
        branch.rows = runs_of_it[-1][0]
    orders = tuple([("-" if order.descending else "") + (order.path or "id") for order in selection.orders])
    if not analyze:
        return Explanation(schema.name, root.branch(()), orders, None, (), None, (), None, None)
    return _told(schema, root, orders, runs[-1], compiled(selection, by_id=selection.offset > 0, plain=plain))


def _traced(selection: Selection[Any], plain: bool, total: bool, *, begun: Sequence[bytes]) -> Command[Reply]:
    columns = selection.reading().columns
    run = command_of(selection, ROWS, columns, plain=plain, total=total, begun=begun)
    return Command((b"EVALSHA", EXPLAIN.sha, *run.args[2:]), run.read)


def _refuse(schema: Schema[Any], commands: Sequence[Command[Any]], replies: Sequence[Reply]) -> Plan[None]:
    for command, reply in zip(commands, replies, strict=True):
        if isinstance(reply, ReplyError):
            asked = command.args[0] == b"EVALSHA"
            keys = command.args[3 : 3 + int(command.args[2])] if asked else command.args[1:2]
            raise (yield from explain_query(reply, schema, keys))


def _finish(
    schema: Schema[Any], makes: Sequence[Callable[..., Command[Reply]]], answers: Sequence[Reply]
) -> Plan[list[list[list[Any]]]]:
    """All replies to each command: what is too much for one go is answered in several."""
    runs: list[list[list[Any]]] = [[] for _ in makes]
    places = list(range(len(makes)))
    while True:
        yield from _refuse(schema, [makes[place](begun=PIECES) for place in places], answers)
        unfinished: list[int] = []
        commands: list[Command[Reply]] = []
        for place, answer in zip(places, answers, strict=True):
            reply = cast("list[Any]", answer)
            runs[place].append(reply)
            found: list[Any] = reply if isinstance(reply[0], int) else reply[0]
            if found[0] == -2:
                unfinished.append(place)
                commands.append(makes[place](begun=found[2]))
        if not unfinished:
            return runs
        places, answers = unfinished, (yield Batch(tuple(commands)))


def _told(
    schema: Schema[Any], root: _Grown, orders: tuple[str, ...], runs: Sequence[list[Any]], made: Compiled
) -> Explanation:
    steps: dict[tuple[bytes, tuple[bytes, ...]], list[int]] = {}
    for _, _, done in runs:
        for name, keys, calls, items in done:
            step = steps.setdefault((bytes(name), tuple(map(bytes, keys))), [0, 0])
            step[0] += calls
            step[1] += items
    work = [Work(name.decode(), _shown(keys), *counts) for (name, keys), counts in steps.items()]
    driver = _driver(root, work, [keys for _, keys in steps])
    found, rest = runs[-1][0], len(runs[-1][0][3])
    return Explanation(
        schema.name,
        root.branch(driver),
        orders,
        _order(made, work) if orders else None,
        _shown(driver),
        len(found[2]) + rest,
        tuple(work),
        len(runs) - (-rest // ROWS),
        sum(micros for _, micros, _ in runs) / 1_000_000,
    )


def _driver(root: _Grown, work: Sequence[Work], keys_of: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The keys that the first members came from."""
    for one, keys in zip(work, keys_of, strict=True):
        if one.command in _GATHER:
            read = set(keys)
            # Of several that are intersected Redis begins with the smallest.
            leaves = [leaf for leaf in root.all() if not leaf.parts and not read.isdisjoint(leaf.keys)]
            sure = [leaf for leaf in leaves if leaf.estimate is not None]
            return min(sure, key=_Grown.cost).keys if len(read) > 1 and sure else sorted(read)
    if not any(one.command == LOOK.decode() for one in work):
        return []
    # The engine looks at all containers: it begins with the cheapest.
    ands = root.parts if root.joint is And else [root]
    return min(ands, key=_Grown.cost).keys if ands else []


def _order(made: Compiled, work: Sequence[Work]) -> Literal["index", "sort"]:
    """Whether the order was read off an index, and no member was asked for its place there."""
    kind, source = made.orders[:2]
    if len(made.orders) != 3 or kind not in (b"#", b"?", b"<"):
        return "sort"
    key = _shown([made.program.keys[int(source.partition(b" ")[0]) - 1]])[0]
    read = {one.command for one in work if key in one.keys}
    return "index" if read & _IN_ORDER or ("ZINTER" in read and "ZMSCORE" not in read) else "sort"
