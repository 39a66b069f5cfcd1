"""Composite indexes: for each combination of some fields' values a sorted set of its records, by one more field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from redmodel.errors import EncodingError, QueryError, SchemaError
from redmodel.model.indexes import RANGE, Entry, Index
from redmodel.model.leaves import Leaf
from redmodel.model.tokens import score_of, token_of


def _unasked() -> NoReturn:
    raise QueryError("no query names fields that are indexed together: ask for each of them")


def joined(tokens: Sequence[bytes]) -> bytes:
    """One token of several; never an empty one, as an entry without a token stands elsewhere.

    >>> joined([b"Oslo", b"a,b"])
    b'Oslo,a%2Cb'
    """
    return token_of(b",".join([token.replace(b"%", b"%25").replace(b",", b"%2C") for token in tokens])) or b"~empty"


class Composite(Index):
    """An index of several: by the ``leading`` ones a record is found, by the ``last`` one it is ordered.

    A record in which one of them has no value holds no place in it.
    """

    __slots__ = ("last", "leading")

    def __init__(self, model: str, leading: tuple[Index, ...], last: Index) -> None:
        self.leading = leading
        self.last = last
        parts = (*leading, last)
        kinds = [part.type_name if part.places is None else f"{part.type_name}({part.places})" for part in parts]
        super().__init__(
            model=model,
            path="+".join([part.path for part in parts]),
            kind="composite",
            position=min(part.position for part in parts),
            positions=frozenset[int]().union(*[part.positions for part in parts]),
            nullable=True,
            many=False,
            leaf=Leaf("+".join(kinds), b"".join, None, _unasked),
            steps=(),
        )

    def values(self, obj: Any) -> list[Any]:
        """The values of a record together; None if one of them has none."""
        found = tuple([part.values(obj)[0] for part in (*self.leading, self.last)])
        return [None if None in found else found]

    def score(self, value: object) -> bytes:
        """Nothing: a query names the fields, each by itself. Raises QueryError."""
        _unasked()

    def token_of(self, values: Sequence[object]) -> bytes:
        """The token of the leading fields' values in a query. Raises QueryError."""
        return joined([part.token(value) for part, value in zip(self.leading, values, strict=True)])

    def _extractor(self) -> Callable[[Any], list[Entry]]:
        return lambda obj: [self._make(self.values(obj)[0])]

    def _make(self, value: Any) -> Entry:
        if value is None:
            return self._null
        *leading, last = value
        try:
            tokens = [part.stored_token(one) for part, one in zip(self.leading, leading, strict=True)]
            return RANGE, self.path_bytes, joined(tokens), score_of(self.last.number(last))
        except EncodingError:
            raise
        except Exception as error:
            raise EncodingError(
                f"{self._model}.{self.path} can't index {value!r:.80}: {error}.",
                model=self._model,
                field=self.path,
                value=value,
            ) from error


def composite_index(model: str, names: Sequence[str], by_path: Mapping[str, Index]) -> Composite:
    """The index of these fields together. Raises SchemaError for a field that is not indexed in the way it must be."""
    where = f"{model}, index_together of {', '.join(names)}"
    parts: list[Index] = []
    for name in names:
        index = by_path.get(name)
        if index is None:
            raise SchemaError(f"{where}: {name!r} is no indexed field: declare each of them as Indexed[...], too.")
        if index.many:
            raise SchemaError(f"{where}: {name!r} belongs to a collection, only single values have an order.")
        if index.kind not in ("set", "range", "ordered"):
            raise SchemaError(f"{where}: {name!r} is found by its own index alone: leave it out.")
        parts.append(index)
    if parts[-1].kind != "range":
        raise SchemaError(f"{where}: {names[-1]!r} comes last and orders the others: it is a number, a date or a time.")
    return Composite(model, tuple(parts[:-1]), parts[-1])
