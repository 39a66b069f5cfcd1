"""What people type into a search box: its syntax, the words that it asks for, and whether a text has them. Pure.

Words must all be there; ``"quick fox"`` is a phrase, ``qui*`` a beginning, ``-word`` must not be there, ``a OR b`` is
one of them, and parentheses group. What can't be read that way is taken as words: nothing that is typed is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from redmodel.model.words import BREAK, GAP, Analyzer, beginning, is_paired

DEEPEST = 20
"""Levels of parentheses that are read; deeper ones are left out."""

_PIECES = re.compile(r'(-?)"([^"]*)"|(-?)\(|(\))|([^\s"()]+)|"')


@dataclass(frozen=True, slots=True)
class Asked:
    """Text that must be there: words that follow each other, with ``begins`` the last one only in its beginning."""

    text: str
    begins: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of the parts."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the parts."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Not this part."""

    part: Query


Query: TypeAlias = "Asked | AllOf | AnyOf | NoneOf"


def read_query(text: str) -> Query:
    """The question in what somebody typed.

    >>> read_query('quick -"lazy dog" OR fox*').parts[1]
    Asked(text='fox', begins=True)
    """
    return _Reader(text).either(0)


def plain_words(text: str) -> tuple[Asked, ...]:
    """What stands between blanks, without any syntax."""
    return tuple(Asked(word) for word in text.split())


class _Reader:
    """Reads pieces from left to right."""

    def __init__(self, text: str) -> None:
        self._pieces = list(_PIECES.finditer(text))
        self._at = 0

    def either(self, depth: int) -> Query:
        found = [self._every(depth)]
        while self._at < len(self._pieces) and self._pieces[self._at][5] == "OR":
            self._at += 1
            found.append(self._every(depth))
        filled = [one for one in found if one != AllOf(())]
        return _one(AnyOf, filled) if filled else AllOf(())

    def _every(self, depth: int) -> Query:
        found: list[Query] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            not_phrase, phrase, not_group, end, word = piece.groups()
            if word == "OR":
                break
            self._at += 1
            if end:
                if depth:
                    break
            elif not_group is not None:
                if depth < DEEPEST:
                    inner = self.either(depth + 1)
                    found += [NoneOf(inner)] if not_group and inner != AllOf(()) else [inner]
            elif phrase is not None:
                found.append(NoneOf(Asked(phrase)) if not_phrase else Asked(phrase))
            elif word is not None:
                bare = word.lstrip("-")
                asked = Asked(bare.rstrip("*"), bare.endswith("*"))
                if asked.text:
                    found.append(NoneOf(asked) if bare != word else asked)
        return _one(AllOf, [one for one in found if one != AllOf(())])


def _one(kind: type[AllOf] | type[AnyOf], parts: Sequence[Query]) -> Query:
    return parts[0] if len(parts) == 1 else kind(tuple(parts))


# -- what it asks of an index ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """A text has this word."""

    path: str
    token: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """A text has a word that begins so."""

    path: str
    start: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text has these words in a row; gaps stand for any one word."""

    path: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """All of the parts; nothing at all is everything."""

    parts: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any of the parts; nothing at all is nothing."""

    parts: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Not this part."""

    part: Wanted


Wanted: TypeAlias = "Word | Beginning | Phrase | Every | Either | Without"
NOTHING = Either(())
_ANYTHING = Every(())


def resolve(query: Query, fields: Sequence[tuple[str, Analyzer]]) -> Wanted:
    """What a question asks of these fields, each word of any of them. A question without a word finds nothing."""
    found = _resolve(query, fields)
    return NOTHING if found == _ANYTHING else found


def _resolve(query: Query, fields: Sequence[tuple[str, Analyzer]]) -> Wanted:
    if isinstance(query, AllOf):
        parts = [part for one in query.parts if (part := _resolve(one, fields)) != _ANYTHING]
        return parts[0] if len(parts) == 1 else Every(tuple(parts))
    if isinstance(query, AnyOf):
        parts = [part for one in query.parts if (part := _resolve(one, fields)) != _ANYTHING]
        return _ANYTHING if not parts else parts[0] if len(parts) == 1 else Either(tuple(parts))
    if isinstance(query, NoneOf):
        inner = _resolve(query.part, fields)
        return inner if inner == _ANYTHING else Without(inner)
    leaves = [_leaf(query, path, analyzer) for path, analyzer in fields]
    if _ANYTHING in leaves:  # a stop word of one of the fields
        return _ANYTHING
    return leaves[0] if len(leaves) == 1 else Either(tuple(leaves))


def _leaf(asked: Asked, path: str, analyzer: Analyzer) -> Wanted:
    tokens = analyzer.asked(asked.text)
    if not tokens:
        return _ANYTHING
    last = tokens[-1]
    paired = is_paired(last)
    if paired and len(tokens) == len(last) == 1:
        return Beginning(path, last)
    if asked.begins and not paired:
        begun = beginning(asked.text)
        ends: Wanted = Beginning(path, begun)
        if last not in (GAP, begun):
            ends = Either((ends, Word(path, last)))
        before = _in_a_row(path, tokens[:-1], analyzer)
        return ends if before == _ANYTHING else Every((before, ends))
    return _in_a_row(path, tokens, analyzer)


def _in_a_row(path: str, tokens: Sequence[str], analyzer: Analyzer) -> Wanted:
    places = [at for at, token in enumerate(tokens) if token != GAP]
    if not places:
        return _ANYTHING
    if len(places) == 1:
        return Word(path, tokens[places[0]])
    if not analyzer.phrases:
        return Every(tuple(Word(path, word) for word in dict.fromkeys(tokens[at] for at in places)))
    return Phrase(path, tuple(tokens[places[0] : places[-1] + 1]))


def leaves_of(wanted: Wanted) -> Iterator[Word | Beginning | Phrase]:
    """Every word, beginning and phrase that counts for a text, in their order; none that must not be there."""
    if isinstance(wanted, Every | Either):
        for part in wanted.parts:
            yield from leaves_of(part)
    elif not isinstance(wanted, Without):
        yield wanted


# -- a text ------------------------------------------------------------------------------------------------------------


def stream_of(texts: Iterable[str], analyzer: Analyzer) -> list[str]:
    """The words of a field's texts in their order, with gaps for stop words and a break between two texts."""
    stream: list[str] = []
    for text in texts:
        if stream:
            stream.append(BREAK)
        stream += analyzer.words(text)
    return stream


class Heard:
    """The words of one record's texts, ready to be judged."""

    __slots__ = ("_row", "words")

    def __init__(self, stream: Sequence[str]) -> None:
        self.words = frozenset(stream) - {GAP, BREAK}
        self._row = f" {' '.join(stream)} "

    def begins(self, start: str) -> bool:
        """Whether a word begins so."""
        return any(word.startswith(start) for word in self.words)

    def has_phrase(self, tokens: Sequence[str]) -> bool:
        """Whether these words stand in a row."""
        if GAP not in tokens:
            return f" {' '.join(tokens)} " in self._row
        pattern = " ".join([r"[^ |]+" if token == GAP else re.escape(token) for token in tokens])
        return re.search(f" {pattern} ", self._row) is not None


def meets(wanted: Wanted, heard: Callable[[str], Heard]) -> bool:
    """Whether a record has what is wanted; ``heard`` gives the words of one of its fields."""
    if isinstance(wanted, Word):
        return wanted.token in heard(wanted.path).words
    if isinstance(wanted, Beginning):
        return heard(wanted.path).begins(wanted.start)
    if isinstance(wanted, Phrase):
        return heard(wanted.path).has_phrase(wanted.tokens)
    if isinstance(wanted, Every):
        return all(meets(part, heard) for part in wanted.parts)
    if isinstance(wanted, Either):
        return any(meets(part, heard) for part in wanted.parts)
    return not meets(wanted.part, heard)
