"""How text is declared and asked for: ``Text``, the reference that it is on the class, searches, orders by rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Never, TypeAlias, TypeVar, cast, overload

from redmodel.errors import QueryError
from redmodel.model.expressions import Condition, FieldCondition, FieldRef, Order, owner_of, path_of
from redmodel.model.fields import TextMark
from redmodel.model.text_index import TextIndex
from redmodel.model.text_query import (
    AllOf,
    AnyOf,
    Asked,
    Heard,
    Query,
    Wanted,
    meets,
    plain_words,
    read_query,
    resolve,
)

Texts: TypeAlias = str | list[str] | tuple[str, ...] | set[str] | frozenset[str] | None
"""What has words."""

V = TypeVar("V", bound=Texts)


class Search(FieldCondition):
    """Words that one or several text fields must have: what ``matches`` and :func:`search` give.

    ``rank`` orders by it, the best first: ``db.find(Article, found).order_by(found.rank)``.
    """

    __slots__ = ("fields", "query")

    query: Query
    fields: tuple[tuple[str, float], ...]

    def __init__(self, query: Query, fields: tuple[tuple[str, float], ...], model: type[Any] | None) -> None:
        self.query = query
        self.fields = fields
        self.path = fields[0][0]
        self.model = model

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Search):
            return NotImplemented
        return (self.query, self.fields) == (other.query, other.fields)

    def __hash__(self) -> int:
        return hash((self.query, self.fields))

    def __repr__(self) -> str:
        return f"Search({self.query!r}, {self.fields!r})"

    @property
    def paths(self) -> tuple[str, ...]:
        """The text fields that are looked in."""
        return tuple(path for path, _ in self.fields)

    @property
    def rank(self) -> Rank:
        """The order by BM25, the best first; ``-rank`` puts the best last."""
        return Rank(self.path, True, self.model, search=self)

    def wanted(self, index: Callable[[str], Any]) -> Wanted:
        """What is asked of each field; ``index`` gives the index of a path. Raises QueryError for one of no text."""
        return resolve(self.query, [(path, _text_index(index, path).analyzer) for path in self.paths])

    def test(self, index: Callable[[str], Any]) -> Callable[[Any], bool]:
        """A function that says of a record whether its texts have what is asked."""
        wanted, indexes = self.wanted(index), {path: _text_index(index, path) for path in self.paths}

        def meets_it(obj: Any) -> bool:
            known: dict[str, Heard] = {}

            def heard(path: str) -> Heard:
                if path not in known:
                    known[path] = indexes[path].heard(obj)
                return known[path]

            return meets(wanted, heard)

        return meets_it


def _text_index(index: Callable[[str], Any], path: str) -> TextIndex:
    found = index(path)
    if not isinstance(found, TextIndex):
        raise QueryError(f"{path} has no words to search: declare it as `{path}: Text[str]`.")
    return found


@dataclass(frozen=True, slots=True)
class Rank(Order):
    """The order by how well records meet a search, the best first; :meth:`Query.scored` tells the numbers."""

    best_first: ClassVar[bool] = True
    search: Search | None = None


class TextRef(FieldRef[V]):
    """A text field as it is named in a query: ``Article.body.matches("quick fox")``."""

    __slots__ = ()

    def matches(self, query: str) -> Search:
        """The text has what somebody typed: words, ``"a phrase"``, ``begin*``, ``-without``, ``this OR that``, ``( )``.

        Nothing in it is an error; a query without any word finds nothing.
        """
        return self._search(read_query(_text(query, "matches")))

    def all_words(self, words: str) -> Search:
        """The text has every one of these words, in any order; quotes, stars and dashes mean nothing here."""
        return self._search(AllOf(plain_words(_text(words, "all_words"))))

    def any_words(self, words: str) -> Search:
        """The text has one of these words, or several."""
        return self._search(AnyOf(plain_words(_text(words, "any_words"))))

    def phrase(self, words: str) -> Search:
        """The text has these words in a row."""
        return self._search(Asked(_text(words, "phrase")))

    def rank(self, query: str) -> Rank:
        """The order by BM25 of a query, as :meth:`matches` reads it: the best first."""
        if self._redmodel_hops:
            raise QueryError(f"records can't be ordered by {path_of(self)}, which is a field of what they refer to.")
        return self.matches(query).rank

    def __mul__(self, weight: float) -> Weighted:
        """The field with a weight, for :func:`search`."""
        return Weighted(self, weight)

    if TYPE_CHECKING:
        # A text has words; it is not compared as a whole, except with None.
        def __eq__(self, value: None) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __ne__(self, value: None) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __lt__(self, value: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __le__(self, value: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __gt__(self, value: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def in_(self, values: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def not_in(self, values: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def between(self, low: Never, high: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        def __ge__(self, value: Never) -> Condition: ...  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]

    def _search(self, query: Query) -> Search:
        asked = self._ask(Search(query, ((path_of(self), 1.0),), owner_of(self)))
        return cast("Search", asked)  # through a reference it is a condition, and has no rank


class Weighted:
    """A text field whose words count for more, or for less: ``Article.title * 3``."""

    __slots__ = ("field", "weight")

    def __init__(self, field: TextRef[Any], weight: float) -> None:
        given: Any = weight
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < float("inf"):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise QueryError(f"the weight of {path_of(field)} is a number above 0, not {weight!r}.")
        self.field = field
        self.weight = float(weight)


def search(query: str, *fields: TextRef[Any] | Weighted) -> Search:
    """Look for words in several text fields at once; each word may be in any of them.

    Args:
        query: what somebody typed, as :meth:`TextRef.matches` reads it.
        *fields: text fields of one model, each with a weight for the rank if it is to count for more:
            ``Article.title * 3``.

    Raises:
        QueryError: for no field, what is no text field, or fields of several models.

    >>> from redmodel import Database, Model, Text, search
    >>> class Note(Model, prefix="search-notes"):
    ...     title: Text[str]
    ...     body: Text[str]
    >>> with Database("memory://") as db:
    ...     _ = db.save_many([Note(title="Foxes", body="Quick ones"), Note(title="Dogs", body="No fox, and not quick")])
    ...     found = search("quick fox*", Note.title * 3, Note.body)
    ...     [note.title for note in db.find(Note, found).order_by(found.rank)]
    ['Foxes', 'Dogs']
    """
    told = [one if isinstance(one, Weighted) else Weighted(_field(one), 1) for one in fields]
    if not told:
        raise QueryError("search() takes the text fields to look in, as in search(words, Article.title, Article.body).")
    models = {owner_of(one.field) for one in told}
    if len(models) > 1:
        raise QueryError(f"search() looks in fields of one model, not of {', '.join(_names(models))}.")
    return Search(
        read_query(_text(query, "search")),
        tuple((path_of(one.field), one.weight) for one in told),
        models.pop(),
    )


def _names(models: set[type[Any] | None]) -> Sequence[str]:
    return sorted("?" if model is None else model.__name__ for model in models)


def _field(given: object) -> TextRef[Any]:
    if not isinstance(given, TextRef):
        raise QueryError(f"search() takes fields that are declared as Text[...], not {given!r}.")
    return given  # pyright: ignore[reportUnknownVariableType]


def _text(given: object, name: str) -> str:
    if not isinstance(given, str):
        raise QueryError(f"{name}() takes words as one text, not {type(given).__name__}.")
    return given


if TYPE_CHECKING:

    class Text(Generic[V]):
        """Keeps the words of a text, or of a list of texts, so that they can be searched: ``body: Text[str]``.

        ``Annotated[Text[str], Analyzer(...)]`` adds stems and stop words. Cost: one more entry in a Redis sorted set
        for each different word of a record.
        """

        @overload
        def __get__(self, instance: None, owner: type[object]) -> TextRef[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> TextRef[V] | V: ...
        def __set__(self, instance: object, value: V) -> None: ...

else:

    class Text:
        """Keeps the words of a text, or of a list of texts, so that they can be searched: ``body: Text[str]``."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            return Annotated[annotation, TextMark()]
