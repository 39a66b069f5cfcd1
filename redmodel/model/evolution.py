"""Records that an older version of the model has written: fields under former names, and values of former types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from pydantic import BaseModel

from redmodel.errors import DecodeError, SchemaError
from redmodel.model.codec import FieldCodec
from redmodel.model.fields import RenamedFrom, marks_of
from redmodel.model.scalars import NUL

F = TypeVar("F", bound=Callable[[bytes], Any])

_MARK = "__redmodel_migrates__"


def migration(*fields: str) -> Callable[[F], F]:
    """Makes a static method of a model read what an older version stored in these fields.

    It gets the stored bytes and returns the field's value. It is asked for a value that the field can't read, and for
    every value that stands under one of the names of `RenamedFrom`: rename a field whose old values could be read as
    the new type and mean something else. ``db.sync`` writes all records anew; until then each is converted when read.

    >>> from typing import Annotated
    >>> from redmodel import Model, RenamedFrom
    >>> class Product(Model, prefix="migration-products"):
    ...     cents: Annotated[int, RenamedFrom("price")]
    ...     @migration("cents")
    ...     @staticmethod
    ...     def from_price(stored: bytes) -> int:
    ...         return round(float(stored) * 100)
    """

    def mark(function: F) -> F:
        plain: Any = function.__func__ if isinstance(function, staticmethod) else function
        setattr(plain, _MARK, fields)
        return cast("F", staticmethod(plain))

    return mark


class Rule(NamedTuple):
    """How one field is read from what it was: the places of its former columns, and the function, if there is one."""

    position: int
    former: tuple[int, ...]
    convert: Callable[[bytes], Any] | None


class Evolution:
    """The rules of one model. ``width`` columns are of today; the former ones follow, named in ``columns``."""

    def __init__(self, model: type[BaseModel], codecs: Sequence[FieldCodec], width: int) -> None:
        self._codecs = codecs
        self._width = width
        self._name = model.__name__
        self.columns: list[bytes] = []
        self.rules: list[Rule] = []
        self.former: dict[int, list[bytes]] = {}
        """The former columns of each position that has some."""
        functions = _functions(model)
        names = {codec.name for codec in codecs}
        if unknown := sorted(functions.keys() - names):
            raise SchemaError(f"{self._name}: a migration names {', '.join(unknown)}, which is no field.")
        for position, codec in enumerate(codecs):
            marks = marks_of(model.__pydantic_fields__[codec.name].metadata)
            olds = [name for mark in marks if isinstance(mark, RenamedFrom) for name in mark.names]
            if taken := sorted(names.intersection(olds)):
                raise SchemaError(f"{self._name}.{codec.name} was never {taken[0]!r}, which is a field of its own.")
            if position == 0 and (olds or codec.name in functions):
                raise SchemaError(f"{self._name}.{codec.name} is the id, which names the record: it can't be migrated.")
            if olds or codec.name in functions:
                first = width + len(self.columns)
                former = tuple(range(first, first + len(olds)))
                self.rules.append(Rule(position, former, functions.get(codec.name)))
                self.columns += [name.encode() for name in olds]
                if olds:
                    self.former[position] = [name.encode() for name in olds]

    def upgrade(self, values: Sequence[bytes | None], key: bytes) -> tuple[list[bytes | None], list[int]]:
        """The columns of today, and the positions that hold another text than what is stored. Raises DecodeError."""
        row = list(values[: self._width])
        changed: list[int] = []
        for position, former, convert in self.rules:
            codec = self._codecs[position]
            old = next((values[place] for place in former if values[place] is not None), None)
            if old is None:
                old = row[position]
                if convert is None or old is None or _reads(codec, old):
                    continue
            changed.append(position)
            if convert is None:
                row[position] = old
                continue
            try:
                row[position] = codec.write(convert(old))
            except Exception as error:
                raise DecodeError(
                    f"{key.decode('utf-8', 'backslashreplace')}: the migration of {self._name}.{codec.name} can't read "
                    f"what is stored: {type(error).__name__}: {error}",
                    key=key,
                    field=codec.name,
                    raw=old,
                    model=self._name,
                ) from error
        return row, changed


def _reads(codec: FieldCodec, stored: bytes) -> bool:
    if stored == NUL and codec.nullable:
        return True
    try:
        codec.read(stored)
    except Exception:  # whatever the type's own code raises
        return False
    return True


def _functions(model: type[BaseModel]) -> dict[str, Callable[[bytes], Any]]:
    found: dict[str, Callable[[bytes], Any]] = {}
    for base in reversed(model.__mro__):
        for member in vars(base).values():
            function: Any = getattr(member, "__func__", None)
            for name in getattr(function, _MARK, ()):
                found[name] = function
    return found
