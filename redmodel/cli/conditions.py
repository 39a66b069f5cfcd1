"""The small language of conditions on the command line: ``age>=18``, ``country=DE,AT``, ``tags~vip``, ``iata=null``."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast, get_args

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from redmodel.cli.faults import Refused
from redmodel.errors import QueryError, UnindexedField
from redmodel.model import Compare, Condition, FieldRef, Index, Model, Operator, Or, Order, owner_of, path_of, schema_of

_FORM = re.compile(r"\s*([^=!<>~^$%&?\s]+)\s*(==|!=|<=|>=|\^=|\$=|%=|&=|=|<|>|~|\?)\s?(.*)", re.DOTALL)
_TEXTS = {"^=": "startswith", "$=": "endswith", "%=": "like"}
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_NULLS_FIRST = ":nulls-first"
# A value in double quotes (as JSON has it), or anything up to the next comma.
_PIECE = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*(?=,|$)|([^,]*)', re.DOTALL)


def parse(model: type[Model], text: str, *, scan: bool = False) -> Condition:
    """Read one condition on a model.

    ``=`` equal, ``!=`` not equal, ``< <= > >=`` order, ``~`` a collection holds the item, ``&=`` it holds all of them;
    ``^=`` a text begins so, ``$=`` ends so, ``%=`` fits a pattern of ``%`` and ``_``; ``?`` has these words. A path may
    lead through references. Several values with commas mean any of them (with ``!=``: none of them). ``null`` is a
    missing value. In double quotes a value is text as it stands, with its commas, spaces and ``null``. With ``scan``
    a field may have no index; of those only ``= != < <= > >= ~``.

    Raises:
        Refused: it has no such form.
        QueryError, UnindexedField: the model can't answer it.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise Refused(
            f"{text!r} is no condition: write field=value, field!=value, field>=value, field~item, or field=one,other "
            f"(and quote it for the shell)"
        )
    path, op, rest = match.groups()
    schema = schema_of(model)
    if path == schema.fields[0].name:
        raise Refused(f"{model.__name__}.{path} is the id, which has no index: redmodel show {schema.prefix}:{rest}")
    try:
        field, index = _field(model, path)
    except UnindexedField:
        if not scan or (op not in _ORDERS and op not in ("=", "==", "!=", "~")):
            raise
        return _looked_at(model, path, op, [_plain(model, path, value) for value in _values(rest)])
    if op == "?":
        return cast("Condition", field.matches(rest))
    wanted = list(_values(rest))
    if op in _TEXTS:
        ask = getattr(field, _TEXTS[op])
        return Or(tuple(ask(_text(value, text)) for value in wanted))
    if op in ("~", "&=") and not index.many:
        raise QueryError(f"{model.__name__}.{path} is no collection: write {path}={rest}")
    if op in ("=", "==", "!=", "~", "&="):
        values = [_typed(index, value) for value in wanted]
        if op == "&=":
            return cast("Condition", field.all_of(values))
        if op == "!=" and values == [None]:
            return cast("Condition", field != None)  # noqa: E711 - it makes a condition
        equal: Condition = field.contains(values[0]) if len(values) == 1 else field.any_of(values)
        return ~equal if op == "!=" else equal
    if len(wanted) > 1:
        raise Refused(f"{text!r}: {op} takes one value; to mean a text with a comma, put it in double quotes")
    return cast("Condition", _ORDERS[op](field, _typed(index, wanted[0])))


def _field(model: type[Model], path: str) -> tuple[Any, Index]:
    """The reference to a field, which may be one of another model that the path leads to, and its index there."""
    found: Any = model
    for step in path.split("."):
        found = getattr(found, step, None)
    if not isinstance(found, FieldRef):
        schema_of(model).index(path)  # says how to index it, or that there is no such field
    field = cast("FieldRef[Any]", found)
    return field, schema_of(owner_of(field) or model).index(path_of(field))


def _looked_at(model: type[Model], path: str, op: str, values: list[Any]) -> Condition:
    """The same condition on a field without an index, which a scan judges."""
    if op in _ORDERS:
        return Or(tuple(Compare(path, cast("Operator", op), value, model) for value in values))
    equal = Compare(path, "in", tuple(values), model)
    return ~equal if op == "!=" else equal


def _plain(model: type[Model], path: str, text: str | None) -> Any:
    """The value as the field's type, as far as that reads texts; of a collection, the type of its items."""
    kind: Any = model
    for step in path.split("."):
        kind = kind.model_fields[step].annotation if step in getattr(kind, "model_fields", {}) else Any
    for one in (kind, *get_args(kind)):
        try:
            return None if text is None else TypeAdapter(one).validate_strings(text)
        except (ValidationError, PydanticUserError, TypeError):
            continue
    return text


def _text(value: str | None, condition: str) -> str:
    if value is None:
        raise Refused(f"{condition!r}: null has no beginning or end; put it in double quotes to mean the text")
    return value


def _values(text: str) -> Iterator[str | None]:
    """The values between commas; None for ``null``."""
    at = 0
    while True:
        match = _PIECE.match(text, at)
        assert match is not None  # its second part takes anything
        quoted, bare = match.groups()
        if quoted is not None:
            try:
                yield str(json.loads(quoted, strict=False))
            except ValueError:
                raise Refused(f"{quoted} is no text in double quotes as JSON has it") from None
        else:
            yield None if bare.strip() == "null" else bare
        at = match.end() + 1
        if at > len(text):
            return


def _typed(index: Index, text: str | None) -> Any:
    """The value as the field's type. A field of numbered choices takes the number."""
    if text is None:
        return None
    try:
        return index.read(text)
    except QueryError:
        try:
            number = json.loads(text)
            return index.read(number)
        except (ValueError, RecursionError, QueryError):
            pass
        raise


def orders(model: type[Model], texts: Iterable[str]) -> list[Order]:
    """Read orders: ``-age``, ``country,-elevation`` or ``age:nulls-first``."""
    schema = schema_of(model)
    found: list[Order] = []
    for text in texts:
        for part in text.split(","):
            name = part.strip().removesuffix(_NULLS_FIRST)
            path = name.lstrip("+-")
            if not path or len(name) - len(path) > 1:
                raise Refused(f"{text!r} is no order: write field, or -field for the largest first")
            if path != schema.fields[0].name:
                schema.index(path)
            order = Order(path, name.startswith("-"), model)
            found.append(order.nulls_first() if part.strip().endswith(_NULLS_FIRST) else order)
    return found
