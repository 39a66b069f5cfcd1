"""The kinds of parameters: how each reads its words, what it refuses and in which text, and how it is shown.

A kind's ``read`` takes the words of a line of redis.conf, or the one argument of CONFIG SET as a single word; it raises
ValueError with Redis' text. Values are bool, int, str, or a tuple for the special ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

_INT_MAX = 2**31 - 1
_LONG_MAX = 2**63 - 1
_WRONG_COUNT = "wrong number of arguments"
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
_MEMORY = re.compile(r"(-?)(\d*)([a-z]*)", re.IGNORECASE)
_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
EVENT_LETTERS = "g$lshzxetd"
"""The classes of keyspace events that ``A`` stands for."""


class Kind(Protocol):
    """How one parameter is read and shown."""

    def read(self, words: Sequence[str], old: Any) -> Any:
        """The value of these words, given the value before; ValueError with Redis' text where they are none."""
        ...

    def show(self, value: Any) -> str:
        """What CONFIG GET answers."""
        ...


class Flag:
    """yes or no."""

    def read(self, words: Sequence[str], old: Any) -> bool:
        word = _only(words).lower()
        if word not in ("yes", "no"):
            raise ValueError("argument must be 'yes' or 'no'")
        return word == "yes"

    def show(self, value: bool) -> str:
        return "yes" if value else "no"


class Text:
    """Any text."""

    def read(self, words: Sequence[str], old: Any) -> str:
        return _only(words)

    def show(self, value: str) -> str:
        return value


class Filename(Text):
    """The name of a file, not a path."""

    def __init__(self, what: str) -> None:
        self._what = what

    def read(self, words: Sequence[str], old: Any) -> str:
        name = _only(words)
        if "/" in name or not name:
            raise ValueError(
                f"{self._what} can't be a path, just a {'dir name' if 'dir' in self._what else 'filename'}"
            )
        return name


class Hostname(Text):
    """The name of a host."""

    def read(self, words: Sequence[str], old: Any) -> str:
        name = _only(words)
        if not all((letter.isascii() and letter.isalnum()) or letter in "-." for letter in name):
            raise ValueError("Hostnames may only contain alphanumeric characters, hyphens or dots")
        return name


class Words:
    """Any number of words, shown with a blank between them."""

    def read(self, words: Sequence[str], old: Any) -> str:
        return " ".join(words)

    def show(self, value: str) -> str:
        return value


class Choice:
    """One of some words."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def read(self, words: Sequence[str], old: Any) -> str:
        word = _only(words).lower()
        if word not in self.choices:
            raise ValueError(f"argument(s) must be one of the following: {', '.join(self.choices)}")
        return word

    def show(self, value: str) -> str:
        return value


class Choices(Choice):
    """Some of some words, that may be combined."""

    def read(self, words: Sequence[str], old: Any) -> str:
        chosen = [word.lower() for given in words for word in given.split()]
        if not chosen or any(word not in self.choices for word in chosen):
            raise ValueError(f"argument(s) must be one of the following: {', '.join(self.choices)}")
        return " ".join(word for word in self.choices if word in chosen)


class Number:
    """A whole number within bounds."""

    def __init__(self, low: int = 0, high: int = _INT_MAX) -> None:
        self.low, self.high = low, high

    def read(self, words: Sequence[str], old: Any) -> int:
        word = _only(words)
        if not _INTEGER.fullmatch(word) or not -_LONG_MAX - 1 <= int(word) <= _LONG_MAX:
            raise ValueError("argument couldn't be parsed into an integer")
        return self.within(int(word))

    def within(self, number: int) -> int:
        if not self.low <= number <= self.high:
            raise ValueError(f"argument must be between {self.low} and {self.high} inclusive")
        return number

    def show(self, value: int) -> str:
        return str(value)


class Clamped(Number):
    """A number that is brought within its bounds (hz)."""

    def __init__(self, lowest: int, highest: int) -> None:
        super().__init__()
        self._lowest, self._highest = lowest, highest

    def read(self, words: Sequence[str], old: Any) -> int:
        return min(max(super().read(words, old), self._lowest), self._highest)


class Octal(Number):
    """The mode of a file."""

    def __init__(self) -> None:
        super().__init__(0, 0o777)

    def read(self, words: Sequence[str], old: Any) -> int:
        word = _only(words)
        try:
            number = int(word, 8)
        except ValueError:
            raise ValueError("argument couldn't be parsed as an octal number") from None
        if not 0 <= number <= 0o777:
            raise ValueError("argument must be between 0 and 777 inclusive")
        return number

    def show(self, value: int) -> str:
        return f"{value:o}"


class Memory(Number):
    """A number of bytes, with a unit or without."""

    def __init__(self, low: int = 0, high: int = _LONG_MAX, *, percent: bool = False) -> None:
        super().__init__(low, high)
        self._percent = percent

    def read(self, words: Sequence[str], old: Any) -> int:
        word = _only(words)
        if self._percent and word.endswith("%") and word[:-1].isdigit():
            if int(word[:-1]) > 100:
                raise ValueError("percentage argument must be less or equal to 100")
            return -int(word[:-1])
        found = _MEMORY.fullmatch(word)
        if not found or found[1] or found[3].lower() not in _UNITS:
            raise ValueError(f"argument must be a memory {'or percent ' if self._percent else ''}value")
        return self.within(min(int(found[2] or 0) * _UNITS[found[3].lower()], 2**64 - 1))

    def show(self, value: int) -> str:
        return f"{-value}%" if value < 0 else str(value)


class SavePoints:
    """When to save: pairs of seconds and changes."""

    def read(self, words: Sequence[str], old: Any) -> tuple[tuple[int, int], ...]:
        given = [word for text in words for word in text.split()]
        if len(given) % 2 or not all(_INTEGER.fullmatch(word) for word in given):
            raise ValueError("Invalid save parameters")
        points = tuple((int(given[at]), int(given[at + 1])) for at in range(0, len(given), 2))
        if any(seconds < 1 or changes < 0 for seconds, changes in points):
            raise ValueError("Invalid save parameters")
        return points

    def show(self, value: tuple[tuple[int, int], ...]) -> str:
        return " ".join(f"{seconds} {changes}" for seconds, changes in value)


class BufferLimits:
    """For each class of clients: hard limit, soft limit, and how many seconds the soft one may be passed."""

    _CLASSES = ("normal", "slave", "pubsub")

    def read(self, words: Sequence[str], old: Any) -> tuple[tuple[int, int, int], ...]:
        given = [word for text in words for word in text.split()]
        if len(given) % 4:
            raise ValueError("Wrong number of arguments in buffer limit configuration.")
        limits: dict[str, tuple[int, int, int]] = dict(zip(self._CLASSES, old, strict=True))
        for at in range(0, len(given), 4):
            name = given[at].lower().replace("replica", "slave")
            if name not in limits:
                raise ValueError("Invalid client class specified in buffer limit configuration.")
            try:
                hard, soft = (Memory().read([word], None) for word in given[at + 1 : at + 3])
                limits[name] = (hard, soft, Number(0, _LONG_MAX).read([given[at + 3]], None))
            except ValueError:
                raise ValueError("Error in hard, soft or soft_seconds setting in buffer limit configuration.") from None
        return tuple(limits.values())

    def show(self, value: tuple[tuple[int, int, int], ...]) -> str:
        return " ".join(f"{name} {a} {b} {c}" for name, (a, b, c) in zip(self._CLASSES, value, strict=True))


class Events:
    """Classes of keyspace events, as letters; kept as the set of letters without ``A``."""

    def read(self, words: Sequence[str], old: Any) -> str:
        letters = set(_only(words))
        if letters - set(EVENT_LETTERS + "AKEmn"):
            raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        if "A" in letters:
            letters |= set(EVENT_LETTERS)
        return "".join(letter for letter in EVENT_LETTERS + "KEmn" if letter in letters)

    def show(self, value: str) -> str:
        if set(EVENT_LETTERS) <= set(value):
            return "A" + "".join(letter for letter in "KEmn" if letter in value)
        return "".join(letter for letter in "g$lshzxetdKEmn" if letter in value)


class Percentiles:
    """Which percentiles INFO latencystats shows."""

    def read(self, words: Sequence[str], old: Any) -> tuple[float, ...]:
        found: list[float] = []
        for word in (word for text in words for word in text.split()):
            try:
                number = float(word)
            except ValueError:
                raise ValueError("Invalid latency-tracking-info-percentiles parameters") from None
            if not 0.0 <= number <= 100.0:
                raise ValueError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
            found.append(number)
        return tuple(found)

    def show(self, value: tuple[float, ...]) -> str:
        return " ".join(f"{number:.17g}" if number != round(number, 6) else f"{number:g}" for number in value)


class OomScores:
    """Three numbers for the kernel; they are kept and shown, and not obeyed."""

    def read(self, words: Sequence[str], old: Any) -> tuple[int, ...]:
        given = [word for text in words for word in text.split()]
        if len(given) != 3:
            raise ValueError(_WRONG_COUNT)
        if not all(_INTEGER.fullmatch(word) and -2000 <= int(word) <= 2000 for word in given):
            raise ValueError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return tuple(map(int, given))

    def show(self, value: tuple[int, ...]) -> str:
        return " ".join(map(str, value))


def _only(words: Sequence[str]) -> str:
    if len(words) != 1:
        raise ValueError(_WRONG_COUNT)
    return words[0]
