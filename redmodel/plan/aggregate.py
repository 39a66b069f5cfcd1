"""Numbers about records, from the indexes alone: sums, averages, groups, distinct values, facets and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from redmodel.errors import QueryError, ReplyError
from redmodel.model import FieldRef, Index, Order, Schema, schema_of
from redmodel.model.tokens import NULL, date_number, score_of, token_of
from redmodel.plan.commands import procedure
from redmodel.plan.composite import with_or_without
from redmodel.plan.core import Batch, Command, Plan, Reply
from redmodel.plan.fields import own_path
from redmodel.plan.find import Selection, find_first
from redmodel.plan.program import Program
from redmodel.plan.projection import values
from redmodel.plan.refusal import explain_query
from redmodel.procedures import AGGREGATE, AGGREGATE_RICH

R = TypeVar("R")

Named: TypeAlias = "FieldRef[Any] | str"
"""A field as a query names it."""

GROUPS = 10_000
"""Groups that one answer may have, so that no reply is unbounded."""

_SHIFT = 1 << 26
_PLAIN = ("str", "int", "float", "bool", "uuid")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Group(NamedTuple):
    """What the procedure says of one group. ``like`` is a value of a record in it, where one was asked for."""

    value: Any
    records: int
    measured: int
    sum: Any
    least: Any
    most: Any


class _Question(NamedTuple):
    """One run of the procedure: the index whose values are groups, the width of their steps, and what is measured."""

    group: Index | None = None
    start: int | float = 0
    width: int | float | None = None
    measure: Index | None = None


def find_least(selection: Selection[Any], field: Named, *, descending: bool) -> Plan[Any]:
    """The smallest value of a field (or the largest), None where no record has one: one round trip."""
    index = _field(selection, field)
    if index.many:
        raise QueryError(f"{selection.model.__name__}.{index.path} has several values in a record, which have no order")
    ordered = selection.ordered((Order(index.path, descending),)).project(values(selection.model, [index.path]))
    found = yield from find_first(ordered)
    return None if found is None else found[0]


def find_sum(selection: Selection[Any], field: Named) -> Plan[Any]:
    """The sum of a field's values; of none of them zero: one round trip."""
    index = _measure(selection, field, "sum")
    groups = yield from _ask(selection, _Question(measure=index))
    return groups[0].sum if groups else _zero(index)


def find_average(selection: Selection[Any], field: Named) -> Plan[Any]:
    """The mean of a field's values, None where there is none: one round trip."""
    groups = yield from _ask(selection, _Question(measure=_measure(selection, field, "averaged")))
    return _average(groups[0]) if groups else None


def find_distinct(selection: Selection[Any], field: Named) -> Plan[list[Any]]:
    """The different values of a field, in their order where they have one: one round trip."""
    index = _field(selection, field)
    groups = yield from _ask(selection, _Question(index))
    return [group.value for group in groups if group.value is not None]


def find_facets(selection: Selection[Any], fields: Sequence[Named]) -> Plan[dict[str, dict[Any, int]]]:
    """For each of several fields, how many records have each value, the most frequent first: one round trip."""
    indexes = [_field(selection, field) for field in fields]
    answers = yield from _ask_all(selection, [_Question(index) for index in indexes])
    return {index.path: _counts(groups) for index, groups in zip(indexes, answers, strict=True)}


def find_histogram(
    selection: Selection[Any], field: Named, width: float | timedelta, start: object = None
) -> Plan[dict[Any, int]]:
    """How many records lie in each step of a number or time, by the lower end of the step: one round trip."""
    index = _field(selection, field)
    name = f"{selection.model.__name__}.{index.path}"
    if index.kind != "range" or index.type_name not in ("int", "float", "date", "datetime"):
        raise QueryError(f"{name} has no steps: a histogram takes an indexed int, float, date or datetime")
    step = _width(index, name, width)
    begin = 0 if start is None else index.number(index.read(start))
    groups = yield from _ask(selection, _Question(index, begin, step))
    return {group.value: group.records for group in groups if group.value is not None}


def group_counts(selection: Selection[Any], field: Named) -> Plan[dict[Any, int]]:
    """How many records have each value of a field, the most frequent first: one round trip."""
    groups = yield from _ask(selection, _Question(_field(selection, field)))
    return _counts(groups)


def group_measure(selection: Selection[Any], field: Named, measure: Named, verb: str) -> Plan[dict[Any, Any]]:
    """For each value of a field, the ``sum``, ``avg``, ``min`` or ``max`` of another one: one round trip."""
    index = _measure(selection, measure, {"sum": "summed", "avg": "averaged"}.get(verb, "compared"))
    groups = yield from _ask(selection, _Question(_field(selection, field), measure=index))
    pick = {"sum": _sum, "avg": _average, "min": _least, "max": _most}[verb]
    return {group.value: pick(group) for group in groups}


def _sum(group: Group) -> Any:
    return group.sum


def _least(group: Group) -> Any:
    return group.least


def _most(group: Group) -> Any:
    return group.most


def _average(group: Group) -> Any:
    return group.sum / group.measured if group.measured else None


def _counts(groups: Sequence[Group]) -> dict[Any, int]:
    return {group.value: group.records for group in sorted(groups, key=lambda group: -group.records)}


# -- what may be asked -----------------------------------------------------------------------------------------------


def _field(selection: Selection[Any], field: Named) -> Index:
    schema: Schema[Any] = schema_of(selection.model)
    index = schema.index(own_path(schema, field))
    if index.kind == "geo":
        raise QueryError(f"{schema.name}.{index.path} holds places, which are not grouped, counted or compared")
    return index


def _measure(selection: Selection[Any], field: Named, what: str) -> Index:
    index = _field(selection, field)
    name = f"{selection.model.__name__}.{index.path}"
    exact = index.type_name in ("int", "float", "timedelta") or index.places is not None
    if index.kind != "range" or not (exact or (what == "compared" and index.type_name in ("date", "datetime"))):
        decimals = (
            "; declare Field(decimal_places=...)" if index.type_name == "decimal" and index.places is None else ""
        )
        raise QueryError(f"{name} can't be {what}: that takes one indexed number for each record{decimals}")
    return index


def _width(index: Index, name: str, width: float | timedelta) -> float | int:
    step: float | int
    if index.type_name == "date" and isinstance(width, timedelta):
        step, rest = divmod(width, timedelta(days=1))
        step = 0 if rest else step
    elif index.type_name == "datetime" and isinstance(width, timedelta):
        step = width // timedelta(microseconds=1)
    elif index.type_name in ("int", "float") and isinstance(width, int | float) and not isinstance(width, bool):
        step = width
    else:
        raise QueryError(f"a histogram of {name} takes steps of a number, or for dates and times of a timedelta")
    if not step > 0 or step == float("inf") or (index.type_name == "int" and step != int(step)):
        raise QueryError(f"a histogram of {name} can't have steps of {width!r}")
    return step


# -- asking ----------------------------------------------------------------------------------------------------------


def _ask(selection: Selection[Any], question: _Question) -> Plan[list[Group]]:
    return (yield from _ask_all(selection, [question]))[0]


def _ask_all(selection: Selection[Any], questions: Sequence[_Question]) -> Plan[list[list[Group]]]:
    schema: Schema[Any] = schema_of(selection.model)
    return (yield from with_or_without(schema, lambda plain: _answers(selection, questions, plain)))


def _answers(selection: Selection[Any], questions: Sequence[_Question], plain: bool) -> Plan[list[list[Group]]]:
    commands = [_command(selection, question, plain) for question in questions]
    replies = yield Batch(tuple(commands))
    answers: list[list[Group]] = []
    for question, command, reply in zip(questions, commands, replies, strict=True):
        if isinstance(reply, ReplyError):
            keys = command.args[3 : 3 + int(command.args[2])]
            raise (yield from explain_query(reply, schema_of(selection.model), keys))
        rows = cast("list[Any]", reply)
        if rows and rows[0] == b"groups":
            path = question.group.path if question.group is not None else ""
            raise QueryError(
                f"{selection.model.__name__}.{path} has more than {GROUPS} different values here: narrow the query"
            )
        if rows and rows[0] == b"inexact":
            raise QueryError("this sum is too large to be exact")
        groups = [_group(selection, question, row) for row in rows]
        answers.append(_arranged(question.group, groups))
    return answers


def _command(selection: Selection[Any], question: _Question, plain: bool) -> Command[Reply]:
    schema: Schema[Any] = schema_of(selection.model)
    program = Program(schema, plain=plain)
    conditions = program.conditions(selection.conditions)
    group, measure = question.group, question.measure
    flags = b"w" if selection.writes else b""
    kind, path = b"-", b""
    fields: list[str] = []
    if group is not None:
        ranged = group.kind == "range"
        kind = b"=" if not ranged else b"#" if question.width is None else b"~"
        path = program.place(group) if ranged else group.path_bytes
        fields.append(group.path.partition(".")[0])
    if measure is not None:
        flags += b"" if measure.type_name == "float" else b"i"
        fields.append(measure.path.partition(".")[0])
    if any(index is not None and index.type_name not in _PLAIN for index in (group, measure)):
        flags += b"v"
    step = (score_of(question.start), b"" if question.width is None else score_of(question.width))
    place = b"" if measure is None else program.place(measure)
    columns = schema.partial(fields).columns
    counted = (b"%d" % len(columns), *columns)
    for index in (group, measure):
        if index is not None:
            program.use(index)
    how = (program.flags(flags), kind, path, *step, place, b"%d" % GROUPS)
    return procedure(AGGREGATE_RICH if program.rich else AGGREGATE, program.keys, (*how, *counted, *conditions))


def _group(selection: Selection[Any], question: _Question, row: list[Any]) -> Group:
    token, count, measured, total, rest, least, most = row[:7]
    group, measure = question.group, question.measure
    like: Any = None
    if len(row) > 7 and row[7] is not None:
        schema: Schema[Any] = schema_of(selection.model)
        fields = [index.path.partition(".")[0] for index in (group, measure) if index is not None]
        like = schema.partial(fields).decode(row[7], None, schema.record_prefix + (row[7][0] or b""))
    value = None if group is None or token == NULL else _value(group, token, like, stepped=question.width is not None)
    if measure is None:
        return Group(value, count, measured, None, None, None)
    summed: Any = _zero(measure)
    if measure.type_name not in ("date", "datetime"):
        whole = measure.type_name != "float"
        summed = _of_number(measure, _joined(float(total), float(rest)) if whole else float(total), like)
    ends = [_of_number(measure, float(end), like) if end else None for end in (least, most)]
    return Group(value, count, measured, summed, *ends)


def _joined(total: float, rest: float) -> int | float:
    """The two halves of an exact sum."""
    return int(total) * _SHIFT + (int(rest) if rest.is_integer() else rest)


def _value(index: Index, token: bytes, like: Any, *, stepped: bool) -> Any:
    """The value that a token or score stands for."""
    if index.kind == "range" and (stepped or index.type_name in _PLAIN or index.places is not None):
        return _of_number(index, float(token), like)
    if like is None:
        return index.read(token.decode())
    for value in index.values(like):
        if value is None:
            continue
        if index.kind == "range":
            if float(score_of(index.number(value))) == float(token):
                return value
        elif token_of(index.text(value)) == token:
            return value
    raise QueryError(f"an index of {index.path} says otherwise than a record it names: db.repair() puts that right")


def _of_number(index: Index, number: int | float, like: Any) -> Any:
    """The value that is ordered by this number; ``like`` tells whether times are aware."""
    kind = index.type_name
    if kind == "int":
        return int(number) if number == int(number) else number
    if index.places is not None:
        return Decimal(int(number)).scaleb(-index.places)
    if kind == "timedelta":
        return timedelta(microseconds=int(number))
    if kind == "date":
        return date.fromordinal(int(number) - date_number(date.min) + 1)
    if kind == "datetime":
        moment = _EPOCH + timedelta(microseconds=int(number))
        held = [value for value in index.values(like) if isinstance(value, datetime)] if like is not None else []
        return moment.replace(tzinfo=None) if held and held[0].tzinfo is None else moment
    return number


def _zero(index: Index) -> Any:
    if index.places is not None:
        return Decimal(0).scaleb(-index.places)
    return {"float": 0.0, "timedelta": timedelta(0)}.get(index.type_name, 0)


def _arranged(index: Index | None, groups: list[Group]) -> list[Group]:
    """By value where values have an order, those without a value last."""
    if index is None:
        return groups

    def place(group: Group) -> tuple[bool, Any]:
        if group.value is None:
            return True, 0
        return False, index.number(group.value) if index.kind == "range" else index.text(group.value)

    return sorted(groups, key=place)
