"""How a text becomes words: folding, splitting, stems and stop words. Pure functions, of which indexes are made.

A word is a run of letters and digits, in lower case and without accents: ``"The Café: 3 flats"`` is ``the cafe 3
flats``. All other characters part words. Writing that does not part words (Chinese, Japanese, Korean, Thai, Lao,
Khmer, Burmese) is taken as pairs of neighbours, and the last character of a run by itself, so that any part of a run
can be found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from importlib import import_module
from typing import Any, cast

from redmodel.errors import SchemaError

LONGEST = 64
"""Characters of a word that count: longer ones are cut, so those that begin alike are one word."""

GAP = "."
"""Stands in a stream for a stop word, which is not indexed and still takes a place."""

BREAK = "|"
"""Stands in a stream between two texts of a list: no phrase reaches across."""

ENGLISH_STOP_WORDS = frozenset(
    """
    a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to
    was will with
    """.split()  # noqa: SIM905 - a list of them could not be read
)

_PAIRED = (
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003fffd"
)
# Accents, Hebrew points, Arabic vowel signs. Vowel signs of other scripts are letters in all but name.
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u0655\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
)
_ACCENTED = re.compile("[\u00c0-\uffff]")
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŧ": "t"}
    | dict.fromkeys("\u00ad\u200c\u200d\u2060\ufeff")  # soft hyphens, joiners
)
_PLAIN = re.compile("[^\\W_]+")
_SIMPLE_UP_TO = "\u0482"


@cache
def _every_script() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Words of any script: runs that are parted, and runs of writing that is not."""
    marks = [chr(code) for code in range(0x300, 0x1F000) if unicodedata.category(chr(code))[0] == "M"]
    letter = f"(?:[^\\W_]|[{''.join(marks)}])"
    return re.compile(f"[{_PAIRED}]+|(?:(?![{_PAIRED}]){letter})+"), re.compile(f"[{_PAIRED}]")


def _plain(text: str) -> str:
    """A text in lower case, with one spelling for what Unicode can spell in several ways."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join([str(unicodedata.digit(c, c)) if c.isdigit() and c > "9" else c for c in text])


def _bare(text: str) -> str:
    """The same without accents."""
    if _ACCENTED.search(text) is None:
        return text.translate(_LETTERS)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text).translate(_LETTERS)))


def fold(text: str) -> str:
    """What of a text counts: no case, no accents, one form of each character.

    >>> fold("Ærøskøbing, ＣＡＦÉ")
    'aeroskobing, cafe'
    """
    return text.lower() if text.isascii() else _bare(_plain(text))


def split(text: str) -> list[str]:
    """The words of a folded text, in their order; runs of writing that does not part words as a whole.

    >>> split("state-of-the-art 3.14")
    ['state', 'of', 'the', 'art', '3', '14']
    """
    if text.isascii() or max(text) <= _SIMPLE_UP_TO:
        return _PLAIN.findall(text)
    return _every_script()[0].findall(text)


def is_paired(word: str) -> bool:
    """Whether a word is a run of writing that does not part words."""
    return word[0] > _SIMPLE_UP_TO and _every_script()[1].match(word) is not None


def pairs(run: str) -> list[str]:
    """A run as an index takes it: each character with the next, the last alone.

    >>> pairs("東京都")
    ['東京', '京都', '都']
    """
    return [run[at : at + 2] for at in range(len(run))]


def beginning(text: str) -> str:
    """The last word of a text as words are looked for by their beginning: folded, and with its ending."""
    return split(fold(text))[-1][:LONGEST]


@dataclass(frozen=True, slots=True)
class Analyzer:
    """How the words of a ``Text`` field are made: ``body: Annotated[Text[str], Analyzer(stem="english")]``.

    Without one, words are folded and nothing else. A change of it makes another index, which ``db.sync`` builds.

    Args:
        stem: a language, whose endings are taken off ("foxes" finds "fox"): needs ``pip install 'redmodel[stem]'``.
        stop: words that are left out: ``"english"``, or a collection of your own.
        phrases: keep the order of the words, for phrases; without it, phrases find their words in any order, and
            about as much memory is saved as the texts take.

    Raises:
        SchemaError: for a language that there is not, or when the stemmer is not installed.

    >>> Analyzer(stop="english").words("The quick fox")
    ['.', 'quick', 'fox']
    """

    stem: str | None = None
    stop: str | Collection[str] = ()
    phrases: bool = True
    _stops: frozenset[str] = field(init=False, repr=False, compare=False)
    _stem_of: Callable[[str], str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.stop, str):
            if self.stop != "english":
                raise SchemaError(
                    f"Analyzer(stop={self.stop!r}): only the English stop words are built in; give a list of words."
                )
            stops = ENGLISH_STOP_WORDS
        else:
            stops = frozenset(word for each in self.stop for word in split(fold(each)))
        object.__setattr__(self, "_stops", stops)
        object.__setattr__(self, "_stem_of", None if self.stem is None else _stemmer(self.stem))

    @property
    def meaning(self) -> str:
        """What tells one analysis from another, on one short line; nothing for the plain one."""
        told: list[str] = []
        if self.stem is not None:
            told.append(f"stem={self.stem}")
        if self._stops:
            listed = "english" if self._stops == ENGLISH_STOP_WORDS else _digest(self._stops)
            told.append(f"stop={listed}")
        if not self.phrases:
            told.append("words-only")
        return " ".join(told)

    def words(self, text: str) -> list[str]:
        """The words of a text that an index holds, in their order; a stop word leaves a gap."""
        found: list[str] = []
        for word in split(self._spelled(text)):
            if is_paired(word):
                found += pairs(_bare(word))
            else:
                found.append(self._kept(word))
        return found

    def asked(self, text: str) -> list[str]:
        """The words of a text that somebody looks for: as :meth:`words`, but no run ends in a lone character."""
        found: list[str] = []
        for word in split(self._spelled(text)):
            if is_paired(word):
                found += pairs(_bare(word))[: max(1, len(word) - 1)]
            else:
                found.append(self._kept(word))
        return found

    def _spelled(self, text: str) -> str:
        if self._stem_of is None:
            return fold(text)
        return text.lower() if text.isascii() else _plain(text)

    def _kept(self, word: str) -> str:
        """One word as it is indexed."""
        if self._stem_of is None:
            return GAP if word in self._stops else word[:LONGEST]
        bare = _bare(word)
        return GAP if bare in self._stops else (_bare(self._stem_of(word)) or bare)[:LONGEST]


PLAIN = Analyzer()


def _digest(words: Collection[str]) -> str:
    return blake2b(" ".join(sorted(words)).encode(), digest_size=6).hexdigest()


@cache
def _stemmer(language: str) -> Callable[[str], str]:
    try:
        library: Any = import_module("snowballstemmer")
    except ImportError as error:
        raise SchemaError(
            f"Analyzer(stem={language!r}) needs the stemmer, which is not installed: pip install 'redmodel[stem]'."
        ) from error
    try:
        found = library.stemmer(language)
    except KeyError:
        known = ", ".join(library.algorithms())
        raise SchemaError(f"Analyzer(stem={language!r}): there is no such language; there are {known}.") from None
    known_stems: dict[str, str] = {}

    def stem(word: str) -> str:
        if (made := known_stems.get(word)) is None:
            if len(known_stems) > 50_000:
                known_stems.clear()
            made = known_stems[word] = cast("str", found.stemWord(word))
        return made

    return stem
