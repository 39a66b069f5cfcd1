"""Finding records: the frozen selection that both query builders share, its program, and what comes back.

A selection is compiled to one run of the find procedure: conditions, order, total, page and rows in one round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar, cast

from redmodel.errors import MultipleFound, NotFound, QueryError, ReplyError
from redmodel.model import (
    And,
    Condition,
    FieldCondition,
    FieldRef,
    Nearest,
    Not,
    Or,
    Order,
    Rank,
    Schema,
    Search,
    Through,
    comparisons,
    path_of,
    schema_of,
)
from redmodel.model.matching import matcher
from redmodel.model.partial import Partial
from redmodel.model.program import Decoder
from redmodel.plan.commands import as_clock, hmget, procedure, time
from redmodel.plan.composite import with_or_without
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.fields import refuse_foreign, target_of
from redmodel.plan.prefetch import levels_of, prefetch
from redmodel.plan.program import CONDITIONS, ORDERS, Program
from redmodel.plan.projection import Projection
from redmodel.plan.refusal import explain, explain_query
from redmodel.plan.texts import rank_words, search_words
from redmodel.plan.vectors import ranked
from redmodel.procedures import FIND, FIND_RICH

CONDITIONS[Search] = search_words
ORDERS[Rank] = rank_words

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

ROWS = 1000
"""Rows that the procedure reads at most; more are fetched in batches of as many, so that no reply is unbounded."""


PIECES: tuple[bytes, ...] = ()
"""How many members the procedure may look at in one go, and in each piece of more; where empty, as it says itself."""

DEPTH = 100
"""Levels that conditions may be nested; a list of any length is one level."""


class Page(NamedTuple, Generic[R]):
    """One page of records.

    ``items`` are its records, ``total`` counts all that meet the conditions, ``number`` starts at 1.
    """

    items: list[R]
    total: int
    number: int
    size: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return -(-self.total // self.size)

    @property
    def has_next(self) -> bool:
        """Whether another page follows."""
        return self.number < self.pages


class Answer(NamedTuple, Generic[R]):
    """What one run of the procedure gives: the total, the first records, and the ids of further ones in order.

    The total is -1 where it was not asked for; ``scores`` are those of the further ones, where they were asked for.
    """

    total: int
    records: list[R]
    rest: list[bytes]
    scores: list[bytes | None]

    def batches(self) -> Iterator[tuple[list[bytes], list[bytes | None]]]:
        """The further ids a thousand at a time, with their scores."""
        for at in range(0, len(self.rest), ROWS):
            yield self.rest[at : at + ROWS], self.scores[at : at + ROWS]


class Selection(Generic[R_co]):
    """Which records, in which order, from where and how many. Never changed: each step makes a new one."""

    # Not a frozen dataclass: making one would cost as much as compiling the query.
    __slots__ = (
        "conditions",
        "follows",
        "limit",
        "model",
        "offset",
        "orders",
        "projection",
        "scored",
        "trusts",
        "writes",
    )

    def __init__(
        self,
        model: type[R_co],
        conditions: tuple[Condition, ...] = (),
        orders: tuple[Order, ...] = (),
        offset: int = 0,
        limit: int | None = None,
        writes: bool = True,
    ) -> None:
        if conditions:
            schema: Schema[Any] = schema_of(cast("Any", model))
            for condition in conditions:
                _check(condition, schema)
        self.model: type[Any] = model
        self.conditions = conditions
        self.orders = orders
        self.offset = offset
        self.limit = limit
        self.projection: Projection | None = None
        self.follows: tuple[FieldRef[Any], ...] = ()
        self.scored = False
        self.trusts = False
        self.writes = writes

    def _with(self, **changes: Any) -> Selection[R_co]:
        copy = cast("Selection[R_co]", object.__new__(Selection))
        for name in Selection.__slots__:
            setattr(copy, name, changes.get(name, getattr(self, name)))
        return copy

    def __repr__(self) -> str:
        return "Selection(" + ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__) + ")"

    def where(self, *conditions: Condition) -> Selection[R_co]:
        """Add conditions that must be met too; QueryError for one that no index of the model can answer."""
        schema = schema_of(self.model)
        for condition in conditions:
            _check(condition, schema)
        return self._with(conditions=self.conditions + conditions)

    def order_by(self, *orders: Order) -> Selection[R_co]:
        """Order by these fields where the orders that are there end in a tie; QueryError if one has no order."""
        schema = schema_of(self.model)
        for order in orders:
            refuse_foreign(schema, order.model, order.path)
        Program(schema).orders(self.orders + orders)
        return self._with(orders=self.orders + orders)

    def ordered(self, orders: tuple[Order, ...]) -> Selection[R_co]:
        """All that meets the conditions, in this order instead of the one that is there."""
        return self._with(orders=(), offset=0, limit=None).order_by(*orders)

    def slice(self, offset: int | None = None, limit: int | None = None) -> Selection[R_co]:
        """Skip and bound; neither may be negative."""
        for name, number in (("offset", offset), ("limit", limit)):
            if number is not None and (type(number) is not int or number < 0):
                raise QueryError(f"{name} must be a whole number of at least 0, not {number!r}")
        return self._with(
            offset=self.offset if offset is None else offset, limit=self.limit if limit is None else limit
        )

    def trusted(self) -> Selection[R_co]:
        """The same, read without the model's validators."""
        return self._with(trusts=True)

    def project(self, projection: Projection | None) -> Selection[Any]:
        """The same records, of which something else is given."""
        if self.follows and projection is not None and projection.name != "only":
            raise QueryError(f"prefetch() loads links in records, and {projection.name}() gives none: leave one out")
        if self.scored:
            raise QueryError("scored() makes pairs of what a query gives: call it last")
        return self._with(projection=projection)

    def with_scores(self) -> Selection[tuple[R_co, float | None]]:
        """The same, each with the value of the first order; QueryError for an order by a field's own value."""
        if not self.orders or type(self.orders[0]) is Order:
            raise QueryError("scored() tells by how much each record comes first: order by a distance or a rank before")
        return cast("Selection[tuple[R_co, float | None]]", self._with(scored=True))

    def prefetch(self, fields: Sequence[FieldRef[Any]]) -> Selection[R_co]:
        """The same records, with those that these references lead to."""
        levels_of((self.model,), (*self.follows, *fields))
        return self._with(follows=(*self.follows, *fields)).project(self.projection)

    def reading(self) -> Partial:
        """The columns to read, and how a record is made of them: what is given, and what conditions are checked on."""
        schema: Schema[Any] = schema_of(self.model)
        if self.projection is None:
            return Partial(schema.columns, schema.trusting if self.trusts else schema.decode)
        followed = [path_of(field).partition(".")[0] for field in self.follows]
        checked = [path.partition(".")[0] for one in comparisons(self.conditions) for path in one.paths]
        return schema.partial((*self.projection.fields, *checked, *followed))

    def only_reading(self) -> Selection[R_co]:
        """The same, without the repairs on the way."""
        return self._with(writes=False)

    def page(self, number: int, size: int) -> Selection[R_co]:
        """One page of it, in the order by id where no other is named, so that pages neither skip nor repeat."""
        if type(number) is not int or number < 1 or type(size) is not int or size < 1:
            raise QueryError(f"a page has a number and a size of at least 1, not number={number!r}, size={size!r}")
        orders = self.orders or (Order("", False),)
        return self._with(orders=orders, offset=self.offset + (number - 1) * size, limit=size)


def _check(condition: Condition, schema: Schema[Any], depth: int = 1) -> None:
    """Refuse what can be refused before anything is asked: no condition, another model's field, no index."""
    if depth > DEPTH:
        raise QueryError(f"these conditions are nested more than {DEPTH} deep: join many values with in_() instead")
    if isinstance(condition, FieldCondition):
        for path in condition.paths:
            refuse_foreign(schema, condition.model, path)
            index = schema.index(path)
            if isinstance(condition, Through):
                _check(condition.condition, target_of(schema, index), depth + 1)
    elif isinstance(condition, Not):
        _check(condition.condition, schema, depth + 1)
    elif isinstance(condition, And | Or):
        for part in condition.conditions:
            _check(part, schema, depth + 1)
    else:
        raise QueryError(
            f"{condition!r} is no condition: compare an indexed field, as in {schema.name}.age >= 18. "
            f"A comparison that gives True or False was made with something else; functions of a record, and "
            f"comparisons of fields without an index, take find(..., scan=True)"
        )


class Compiled(NamedTuple):
    """A selection as words of the procedure: its keys are those of the program."""

    program: Program
    conditions: list[bytes]
    orders: list[bytes]


def compiled(selection: Selection[Any], *, by_id: bool, ordered: bool = True, plain: bool = True) -> Compiled:
    """The words of a selection; ``by_id`` orders by id where no order is named; ``plain`` uses no composite index."""
    program = Program(schema_of(selection.model), plain=plain)
    conditions = program.conditions(selection.conditions, selection.orders if ordered else ())
    return Compiled(program, conditions, program.orders(selection.orders, by_id=by_id) if ordered else [])


def command_of(
    selection: Selection[R],
    most: int,
    columns: Sequence[bytes] = (),
    *,
    count: bool = False,
    plain: bool = False,
    total: bool = False,
    position: Sequence[bytes] = (),
    begun: Sequence[bytes] = (),
) -> Command[Reply]:
    """The command that runs a selection."""
    schema: Schema[Any] = schema_of(selection.model)
    # A page must not skip or repeat: without an order of its own it goes by id.
    by_id = selection.offset > 0 or bool(position)
    program, conditions, orders = compiled(selection, by_id=by_id, ordered=not count, plain=plain)
    flags = (b"w" if selection.writes else b"") + (b"c" if count else b"t" if schema.field_ttls else b"")
    how = FIND_RICH if program.rich else FIND
    further = (b"%d" % len(begun), *begun) if begun else ()
    if begun:
        flags += b"p"
    if count:
        nothing = (b"0", b"-1", b"0", b"0", b"0")
        return procedure(how, program.keys, (program.flags(flags), *nothing, *further, *conditions))
    flags += (b"s" if selection.scored else b"") + (b"k" if position else b"") + (b"" if total else b"n")
    limit = -1 if selection.limit is None else selection.limit
    bounds = (b"%d" % selection.offset, b"%d" % limit, b"%d" % most)
    counted = (b"%d" % len(columns), *columns)
    ordered = (b"%d" % (len(orders) // 3), *orders)
    placed = (b"%d" % len(position), *position) if position else ()
    words = (*bounds, *counted, *ordered, *placed, *further, *conditions)
    return procedure(how, program.keys, (program.flags(flags), *words))


def _ask(selection: Selection[R], make: Callable[..., Command[Reply]]) -> Plan[Reply]:
    """The reply to the command that ``make`` makes, of a plain program if it is told so.

    Where there is too much to look at in one go, it is made again, of the words with which the work goes on.
    """
    schema: Schema[Any] = schema_of(selection.model)

    def ask(plain: bool) -> Plan[Reply]:
        begun: Sequence[bytes] = PIECES
        while True:
            command = make(plain=plain, begun=begun)
            (reply,) = yield Batch((command,))
            if isinstance(reply, ReplyError):
                keys = command.args[3 : 3 + int(command.args[2])]
                raise (yield from explain_query(reply, schema, keys))
            if cast("list[Any]", reply)[0] != -2:
                return reply
            begun = cast("list[Any]", reply)[2]

    return (yield from with_or_without(schema, ask) if schema.composites else ask(True))


def decode_rows(
    selection: Selection[R],
    decode: Decoder,
    rows: Sequence[Sequence[bytes | None]],
    now: int,
    scores: Sequence[bytes | None],
) -> Plan[list[R]]:
    """The rows as what is asked for, with what links lead to: one round trip for each level of references to follow.

    One that does not meet the conditions (changed by another program) is left out.
    """
    schema: Schema[Any] = schema_of(selection.model)
    prefix = schema.record_prefix
    records = [decode(row, now, prefix + (row[0] or b"")) for row in rows]
    if selection.conditions:
        meets = matcher(selection.conditions, schema)
        if selection.scored:
            scores = [score for score, record in zip(scores, records, strict=True) if meets(record)]
        records = [record for record in records if meets(record)]
    if selection.follows:
        yield from prefetch(records, selection.follows)
    if selection.projection is not None:
        make = selection.projection.make
        records = [make(record) for record in records]
    if selection.scored:
        numbers = [None if score is None else float(score) for score in scores]
        return cast("list[R]", list(zip(records, numbers, strict=True)))
    return records


def answer(selection: Selection[R], most: int = ROWS, *, total: bool = False) -> Plan[Answer[R]]:
    """Run the procedure: one round trip, and one for each level of references to follow.

    More vectors than a script may look at are fetched: one round trip for each four megabytes, and one for the records.
    """
    reading = selection.reading()
    columns = reading.columns
    reply = yield from _ask(selection, partial(command_of, selection, most, columns, total=total))
    number, now, rows, rest, *more = cast("tuple[int, bytes, list[list[bytes | None]], list[bytes], Any]", reply)
    if more == [b"far"]:
        return (yield from _answer_here(selection, number, rest, most))
    scores: list[bytes | None] = more[0] if more else []
    records = yield from decode_rows(selection, reading.decode, rows, int(now), scores[: len(rows)])
    return Answer(number - (len(rows) - len(records)) if total else -1, records, rest, scores[len(rows) :])


def _answer_here(selection: Selection[R], total: int, ids: list[bytes], most: int) -> Plan[Answer[R]]:
    """The answer to an order by nearness, of the ids that meet the conditions."""
    pairs = yield from ranked(schema_of(selection.model), cast("Nearest", selection.orders[0]), ids)
    end = None if selection.limit is None else selection.offset + selection.limit
    pairs = pairs[selection.offset : end]
    found = [id for id, _ in pairs]
    scores = [None if number is None else repr(number).encode() for _, number in pairs] if selection.scored else []
    first = found[:most]
    records = yield from hydrate(selection, first, scores[:most])
    return Answer(total - (len(first) - len(records)), records, found[most:], scores[most:])


class Beside(NamedTuple, Generic[R]):
    """What lies beside a position: records, ids of further ones, the outermost positions, and whether more follow."""

    records: list[R]
    rest: list[bytes]
    scores: list[bytes | None]
    ends: list[list[bytes]]
    more: bool


def beside(
    selection: Selection[R], position: Sequence[bytes], size: int, *, back: bool = False, most: int = ROWS
) -> Plan[Beside[R]]:
    """What comes after a position, or before it: one round trip.

    A position is for each order ``-`` or ``=`` and a value, then the id; an empty one is the start, or the end.
    """
    reading = selection.reading()
    words = (b"b" if back else b"a", *position)
    some, columns = selection.slice(limit=size), reading.columns
    reply = yield from _ask(selection, partial(command_of, some, most, columns, position=words))
    _, now, rows, rest, scores, ends, more = cast("tuple[Any, ...]", reply)
    records = yield from decode_rows(selection, reading.decode, rows, int(now), scores[: len(rows)])
    return Beside(records, rest, scores[len(rows) :], ends, bool(more))


def hydrate(selection: Selection[R], ids: Sequence[bytes], scores: Sequence[bytes | None]) -> Plan[list[R]]:
    """The records with these ids that still meet the conditions: one round trip."""
    schema: Schema[Any] = schema_of(selection.model)
    reading = selection.reading()
    commands: list[Command[Any]] = [hmget(schema.key(id), reading.columns) for id in ids]
    if schema.field_ttls:
        commands.append(time())
    replies = yield Batch(tuple(commands))
    now = as_clock(replies[-1]) if schema.field_ttls else 0
    rows: list[list[bytes | None]] = []
    held: list[bytes | None] = []
    for at, (id, reply) in enumerate(zip(ids, replies, strict=False)):
        if isinstance(reply, ReplyError):
            raise explain(reply, schema.key(id))
        row = cast("list[bytes | None]", reply)
        if row[0] is not None:
            rows.append(row)
            if scores:
                held.append(scores[at])
    return (yield from decode_rows(selection, reading.decode, rows, now, held))


def find_all(selection: Selection[R]) -> Plan[list[R]]:
    """All the records: one round trip for the first thousand, one more for each further thousand."""
    first = yield from answer(selection)
    records = first.records
    for batch in first.batches():
        records += yield from hydrate(selection, *batch)
    return records


def find_page(selection: Selection[R], number: int, size: int) -> Plan[Page[R]]:
    """One page and the total: one round trip."""
    found = yield from answer(selection.page(number, size), size, total=True)
    return Page(found.records, found.total, number, size)


def find_first(selection: Selection[R]) -> Plan[R | None]:
    """The first record, or None: one round trip."""
    found = yield from answer(selection.slice(limit=1))
    return found.records[0] if found.records else None


def find_one(selection: Selection[R]) -> Plan[R]:
    """The only record: one round trip; raises NotFound or MultipleFound."""
    found = yield from answer(selection.slice(limit=2))
    name = selection.model.__name__
    if not found.records:
        raise NotFound(f"no {name} meets these conditions", model=name)
    if len(found.records) > 1:
        total = yield from find_count(selection)
        raise MultipleFound(
            f"{total} records of {name} meet these conditions, not one: narrow them, or use first()",
            model=name,
            total=total,
        )
    return found.records[0]


def find_one_or_none(selection: Selection[R]) -> Plan[R | None]:
    """The only record, or None: one round trip; raises MultipleFound."""
    try:
        return (yield from find_one(selection))
    except NotFound:
        return None


def find_count(selection: Selection[R]) -> Plan[int]:
    """How many records meet the conditions, before offset and limit: one round trip."""
    reply = yield from _ask(selection, partial(command_of, selection, 0, count=True))
    return cast("list[int]", reply)[0]


def find_exists(selection: Selection[R]) -> Plan[bool]:
    """Whether any record meets the conditions, before offset and limit: one round trip."""
    any_one = selection.ordered(()).slice(limit=1)
    columns = schema_of(selection.model).columns[:1]
    reply = yield from _ask(any_one, partial(command_of, any_one, 1, columns))
    return bool(cast("list[list[bytes]]", reply)[2])
