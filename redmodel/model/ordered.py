"""Texts in order: ``Ordered[str]`` and ``Folded[str]``, what such fields can be asked, and how a record is judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeAlias, TypeVar, overload

from redmodel.errors import QueryError
from redmodel.model.expressions import Condition, FieldCondition, FieldRef
from redmodel.model.fields import IndexMark

V = TypeVar("V")

PatternVerb: TypeAlias = Literal["startswith", "endswith", "like"]

ANY = "\0any"
"""Stands in the pieces of a pattern for one character."""

PATTERN_LIMIT = 1000
"""Characters of the longest pattern of like()."""


@dataclass(frozen=True, slots=True)
class OrderedMark(IndexMark):
    """The run-time trace of ``Ordered``, and with ``folded`` of ``Folded``."""

    folded: bool = False


class Pattern(FieldCondition):
    """A text begins with another one, ends with it, or fits a pattern as SQL's LIKE has it."""

    __slots__ = ("escape", "value", "verb")

    def __init__(
        self, path: str, verb: PatternVerb, value: str, model: type[Any] | None = None, escape: str = "\\"
    ) -> None:
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise QueryError(f"{path}.{verb}() takes a text, not {type(value).__name__}.")
        if verb == "like" and len(value) > PATTERN_LIMIT:
            raise QueryError(f"{path}.{verb}() takes at most {PATTERN_LIMIT} characters, not {len(value)}.")
        self.path = path
        self.verb: PatternVerb = verb
        self.value = value
        self.model = model
        self.escape = escape

    def __repr__(self) -> str:
        return f"Pattern(path={self.path!r}, verb={self.verb!r}, value={self.value!r})"

    def pieces(self) -> list[list[str]]:
        """What must stand between ``%`` and ``%``: literal texts, and ``ANY`` for each single character."""
        if self.verb == "startswith":
            return [[self.value], []]
        if self.verb == "endswith":
            return [[], [self.value]]
        return pieces_of(self.value, self.escape)

    def test(self, index: Callable[[str], Any]) -> Callable[[Any], bool]:
        """A function that says of a record whether its text is like this."""
        mine = index(self.path)
        require_order(mine, self.verb)
        text = mine.text
        fits = re.compile(_expression(self.pieces(), lambda piece: text(piece).decode()), re.DOTALL).fullmatch

        def test(obj: Any) -> bool:
            return any(value is not None and fits(text(value).decode()) is not None for value in mine.values(obj))

        return test


def require_order(index: Any, verb: str) -> None:
    """Raise QueryError for an index that keeps no texts in order."""
    if index.kind != "ordered":
        inner = "str | None" if index.nullable else "str"
        raise QueryError(
            f"{index.where} is indexed by equality, and {verb} needs the order of its texts: declare it as "
            f"Ordered[{inner}], or as Folded[{inner}] where upper and lower case are the same."
        )


def pieces_of(pattern: str, escape: str) -> list[list[str]]:
    """A pattern of LIKE in its parts. Raises QueryError for one that ends in its escape.

    >>> pieces_of("A%b_c", "\\\\") == [["A"], ["b", ANY, "c"]]
    True
    """
    if len(escape) != 1 or escape in "%_":
        raise QueryError(f"the escape of like() is one character, and not % or _; it is {escape!r}.")
    pieces: list[list[str]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            pieces.append([])
        elif character == "_":
            pieces[-1].append(ANY)
        else:
            if character == escape and (character := next(characters, "")) == "":
                raise QueryError(f"like({pattern!r}) ends in its escape {escape!r}: write it twice to mean it.")
            if pieces[-1] and pieces[-1][-1] != ANY:
                pieces[-1][-1] += character
            else:
                pieces[-1].append(character)
    # Several % in a row are one.
    return [piece for at, piece in enumerate(pieces) if piece or at in (0, len(pieces) - 1)]


def _expression(pieces: Sequence[Sequence[str]], fold: Callable[[str], str]) -> str:
    texts = ["".join("." if part == ANY else re.escape(fold(part)) for part in piece) for piece in pieces]
    if len(texts) == 1:
        return texts[0]
    first, *middle, last = texts
    # Atomic groups: the first place where a piece fits is as good as any other, so nothing is tried twice.
    return first + "".join(f"(?>.*?{text})" for text in middle) + ".*" + last


if TYPE_CHECKING:

    class OrderedRef(FieldRef[V]):
        """A text with an order as it is named in a query: ``User.name.startswith("A")``."""

        def startswith(self, prefix: str) -> Condition:
            """The text begins with ``prefix``. Cost: that part of the index."""
            ...

        def endswith(self, suffix: str) -> Condition:
            """The text ends with ``suffix``. Cost: a walk of the whole index, though of no record."""
            ...

        def like(self, pattern: str, escape: str = "\\") -> Condition:
            """The text fits a pattern: ``%`` is any text, ``_`` one character, after ``escape`` each is itself.

            Cost: the part of the index that begins as the pattern does before its first wildcard.
            """
            ...

    class Ordered(Generic[V]):
        """Keeps an index for a text that also knows its order: ``name: Ordered[str]``, or ``Ordered[str | None]``.

        Besides equality it answers ``startswith``, ``like``, ``endswith``, ``< <= > >=`` and ``between``, by the code
        points of the text (so ``"Z" < "a"``), and orders by it come straight off the index. Cost: two entries for each
        record, of which one holds the text.
        """

        @overload
        def __get__(self, instance: None, owner: type[object]) -> OrderedRef[V]: ...
        @overload
        def __get__(self, instance: object, owner: type[object]) -> V: ...
        def __get__(self, instance: object | None, owner: type[object]) -> OrderedRef[V] | V: ...
        def __set__(self, instance: object, value: V) -> None: ...

    class Folded(Ordered[V]):
        """The same for a text of which upper and lower case are the same in all that is asked: ``name: Folded[str]``.

        Texts are compared and ordered by ``str.casefold``, also by ``==`` and ``in_``; records keep them as they are.
        """

else:

    class OrderedRef(FieldRef[V]):
        """A text with an order as it is named in a query: ``User.name.startswith("A")``."""

        __slots__ = ()

        def startswith(self, prefix):
            return self._ask(Pattern(self._redmodel_path, "startswith", prefix, self._redmodel_model))

        def endswith(self, suffix):
            return self._ask(Pattern(self._redmodel_path, "endswith", suffix, self._redmodel_model))

        def like(self, pattern, escape="\\"):
            return self._ask(Pattern(self._redmodel_path, "like", pattern, self._redmodel_model, escape))

    class Ordered:
        """Keeps an index for a text that also knows its order: ``name: Ordered[str]``."""

        def __class_getitem__(cls, annotation):
            return Annotated[annotation, OrderedMark(unique=False)]

    class Folded:
        """The same for a text of which upper and lower case are the same: ``name: Folded[str]``."""

        def __class_getitem__(cls, annotation):
            return Annotated[annotation, OrderedMark(unique=False, folded=True)]
