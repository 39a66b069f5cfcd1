"""The values of all parameters of one engine, and who is told when one changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redmodel.engine.glob import compile_glob
from redmodel.engine.settings.parameters import ALIASES, PARAMETERS, Parameter

Obeyed = Callable[[], None]
"""Called after a parameter has changed; a ValueError says why it can't be obeyed, and brings the old value back."""


class SettingError(ValueError):
    """A parameter that can't be set: ``name`` as it was given, and Redis' reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name
        self.reason = reason


class UnknownSetting(SettingError):
    """There is no parameter of this name."""


class Settings:
    """The parameters of an engine; reading one is a look-up, by its name of Redis 7.0.

    Args:
        given: parameters that differ from the defaults, as text.

    Raises:
        SettingError: a name or a value that Redis would refuse.

    >>> settings = Settings({"maxmemory": "100mb"})
    >>> settings.number("maxmemory"), settings.flag("appendonly"), settings.text("maxmemory-policy")
    (104857600, False, 'noeviction')
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._values = dict(_DEFAULTS)
        self._obeyed: dict[str, list[Obeyed]] = {}
        #: The redis.conf that was read, for CONFIG REWRITE; None where there was none.
        self.file: str | None = None
        for name, value in (given or {}).items():
            self.read(name, [value])

    @classmethod
    def embedded(cls, databases: int, storage: object) -> Settings:
        """The parameters of an engine whose program named none: nothing is saved but by its storage, None or not."""
        settings = cls({"save": "", "databases": str(databases)})
        if storage is not None:
            settings.preset("appendonly", "yes")
            settings.preset("dir", str(getattr(storage, "directory", ".")))
        return settings

    def number(self, name: str) -> int:
        """The value of a parameter that is a number; sizes are bytes, percentages below zero."""
        value: int = self._values[name]
        return value

    def flag(self, name: str) -> bool:
        """The value of a parameter that is yes or no."""
        value: bool = self._values[name]
        return value

    def text(self, name: str) -> str:
        """The value of a parameter that is a text or a choice; letters of events without ``A``."""
        value: str = self._values[name]
        return value

    def items(self, name: str) -> tuple[Any, ...]:
        """The value of a parameter of several parts (save, client-output-buffer-limit, percentiles)."""
        value: tuple[Any, ...] = self._values[name]
        return value

    def shown(self, name: str) -> str:
        """The value of a parameter as CONFIG GET shows it."""
        row = PARAMETERS[ALIASES.get(name, name)]
        return row.kind.show(self._values[row.name])

    def is_default(self, name: str) -> bool:
        """Whether a parameter has the value that it has without any configuration."""
        return bool(self._values[name] == _DEFAULTS[name])

    def matching(self, pattern: str) -> list[str]:
        """The names, older ones included, that a glob or a name matches, in no order."""
        if not set(pattern) & set("*?["):
            return [pattern] if pattern.lower() in PARAMETERS or pattern.lower() in ALIASES else []
        matches = compile_glob(pattern.lower().encode("utf-8", "surrogateescape"))
        listed = [name for name, row in PARAMETERS.items() if row.guard != "hidden"]
        return [name for name in (*listed, *ALIASES) if matches(name.encode())]

    def names(self, beginning: str) -> list[str]:
        """The names of the parameters that begin so."""
        return [name for name in PARAMETERS if name.startswith(beginning)]

    def read(self, name: str, words: Sequence[str]) -> None:
        """Take a line of redis.conf, or an option: any parameter may be set, and nobody is told.

        Raises:
            SettingError: a name or a value that Redis would refuse.
        """
        row = _row(name)
        try:
            self._values[row.name] = row.kind.read(words, self._values[row.name])
        except ValueError as error:
            raise SettingError(name, str(error)) from None

    def obey(self, name: str, obeyed: Obeyed) -> None:
        """Have a function called whenever this parameter has changed."""
        self._obeyed.setdefault(name, []).append(obeyed)

    def change(self, pairs: Sequence[tuple[str, str]], *, near: bool = True) -> None:
        """Set parameters together as CONFIG SET does: all of them, or none.

        Args:
            pairs: names and values.
            near: whether somebody on this machine asks for it, who may do more.

        Raises:
            SettingError: the first of them that is refused.
        """
        rows: list[tuple[str, Parameter, str]] = []
        for name, value in pairs:
            row = _row(name)
            if row.guard == "immutable":
                raise SettingError(name, "can't set immutable config")
            if row.guard == "protected" and self._values["enable-protected-configs"] not in (
                ("yes", "local") if near else ("yes",)
            ):
                raise SettingError(name, "can't set protected config")
            if any(row is other for _, other, _ in rows):
                raise SettingError(name, "duplicate parameter")
            rows.append((name, row, value))
        before = {row.name: self._values[row.name] for _, row, _ in rows}
        given = ""
        try:
            for name, row, value in rows:
                given = name
                self._values[row.name] = row.kind.read([value], before[row.name])
            told: list[Obeyed] = []  # who follows several of them is told once
            for name, row, _ in rows:
                given = name
                for obeyed in self._obeyed.get(row.name, ()):
                    if obeyed not in told:
                        told.append(obeyed)
                        obeyed()
        except ValueError as error:
            self._values.update(before)
            for obeyed in {each: None for name in before for each in self._obeyed.get(name, ())}:
                with suppress(ValueError):
                    obeyed()
            raise SettingError(given, str(error)) from None

    def preset(self, name: str, value: str) -> None:
        """Give a parameter a value that the program chose, with no word to anybody."""
        self.read(name, [value])


def _row(name: str) -> Parameter:
    lowered = name.lower()
    row = PARAMETERS.get(ALIASES.get(lowered, lowered))
    if row is None:
        raise UnknownSetting(name, "unknown")
    return row


_NO_LIMITS = ((0, 0, 0),) * 3  # what the limits of the default are read on top of
_DEFAULTS: dict[str, Any] = {row.name: row.kind.read([row.default], _NO_LIMITS) for row in PARAMETERS.values()}
