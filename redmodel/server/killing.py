"""Whom the system kills first when memory runs out: oom-score-adj, on Linux."""

from __future__ import annotations

from pathlib import Path

from redmodel.engine.settings import Settings

_FILE = Path("/proc/self/oom_score_adj")
_LOWEST, _HIGHEST = -1000, 1000


class KillOrder:
    """Keeps this process's score as the settings want it; its first score comes back when they want none.

    Args:
        settings: oom-score-adj and oom-score-adj-values are obeyed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._before: int | None = None
        for name in ("oom-score-adj", "oom-score-adj-values"):
            settings.obey(name, self.obey)
        try:
            self.obey()
        except ValueError:
            pass  # as redis-server, which starts all the same

    def obey(self) -> None:
        """Set the score.

        Raises:
            ValueError: the system doesn't let us.
        """
        mode = self._settings.text("oom-score-adj")
        if mode == "no":
            if self._before is not None:
                before, self._before = self._before, None
                _write(before)
            return
        if self._before is None:
            self._before = _read()
        score = int(self._settings.shown("oom-score-adj-values").split()[0])
        if mode != "absolute":
            score += self._before
        _write(max(_LOWEST, min(score, _HIGHEST)))


def _read() -> int:
    try:
        return int(_FILE.read_text())
    except (OSError, ValueError) as error:
        raise ValueError("Failed to apply new oom_score_adj configuration, check server logs.") from error


def _write(score: int) -> None:
    try:
        _FILE.write_text(str(score))
    except OSError as error:
        raise ValueError("Failed to apply new oom_score_adj configuration, check server logs.") from error
