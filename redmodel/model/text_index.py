"""The index of a text: the entries that a record's words are, and how its texts are read when a search is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from redmodel.errors import QueryError
from redmodel.model.indexes import Entry, Index
from redmodel.model.text_query import Heard, stream_of
from redmodel.model.tokens import NULL
from redmodel.model.words import BREAK, GAP, Analyzer

WORD = b"w"
TEXT = b"t"

LENGTHS = 1 << 24
"""Scores hold ``length - occurrences * LENGTHS``: the best come first, by occurrences, then the shorter text."""


class TextIndex(Index):
    """An index by words. Entries are a text (its length and words) and each different word of it."""

    __slots__ = ("analyzer",)

    def __init__(self, *, analyzer: Analyzer, **rest: Any) -> None:
        self.analyzer = analyzer
        super().__init__(kind="text", **rest)

    @property
    def type_name(self) -> str:
        """``str``, and how its words are made."""
        return f"str {self.analyzer.meaning}".strip()

    def heard(self, obj: Any) -> Heard:
        """The words of a record, none where it has no text."""
        return Heard(self._stream(self.values(obj)) or ())

    def score(self, value: object) -> bytes:
        """Raises QueryError: a text is not compared."""
        raise QueryError(
            f"{self._model}.{self.path} is searched by its words, and not compared: use {self._model}.{self.path}"
            f".matches(...)"
        )

    def _stream(self, values: list[Any]) -> list[str] | None:
        texts = [value for value in values if value is not None]
        return stream_of(texts, self.analyzer) if texts or not values else None

    def _extractor(self) -> Callable[[Any], list[Entry]]:
        path, null = self.path_bytes, (b"=", self.path_bytes, NULL, b"")

        def entries(obj: Any) -> list[Entry]:
            values = self.values(obj)
            stream = self._stream(values)
            found: list[Entry] = [null] if None in values else []
            if stream is None:
                return found
            times = Counter(stream)
            del times[GAP], times[BREAK]
            length = min(times.total(), LENGTHS - 1)
            kept = " ".join(stream).encode() if self.analyzer.phrases else b""
            found.append((TEXT, path, b"", b"%d %b" % (length, kept)))
            for word, n in times.items():
                found.append((WORD, path, word.encode(), b"%d" % (length - min(n, length) * LENGTHS)))
            return found

        return entries
