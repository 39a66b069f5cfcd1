"""The counters of one engine: calls and times of commands, errors, and what INFO stats adds up.

May live here: counting. When a command is counted is the gate's business, how it is shown INFO's.
"""

from __future__ import annotations

from time import monotonic


class CommandCount:
    """One command's calls since the start or CONFIG RESETSTAT."""

    __slots__ = ("calls", "failed", "latencies", "nanoseconds", "rejected")

    def __init__(self) -> None:
        self.calls = 0
        self.nanoseconds = 0
        self.failed = 0
        self.rejected = 0
        #: How many calls took how long: by the number of bits of their nanoseconds, and four steps between.
        self.latencies: dict[int, int] = {}

    def percentile(self, percent: float) -> float:
        """How many microseconds that share of the calls took at most, to about a fifth."""
        wanted = max(self.calls * percent / 100.0, 1)
        seen = 0
        for step in sorted(self.latencies):
            seen += self.latencies[step]
            if seen >= wanted:
                return step_end(step) / 1000.0
        return 0.0

    def histogram(self) -> dict[int, int]:
        """Cumulated calls by microseconds, in powers of two, as LATENCY HISTOGRAM shows them."""
        found: dict[int, int] = {}
        total = 0
        bounds = sorted({max(1, 1 << max(step_end(step) // 1000, 1).bit_length() - 1) for step in self.latencies})
        for bound in bounds:
            total = sum(count for step, count in self.latencies.items() if step_end(step) // 1000 < bound * 2)
            found[bound] = total
        return found


def step_of(nanoseconds: int) -> int:
    """The step of a duration: four in each power of two."""
    bits = nanoseconds.bit_length()
    return bits * 4 + ((nanoseconds >> bits - 3) & 3) if bits > 2 else bits * 4


def step_end(step: int) -> int:
    """The longest duration of a step, in nanoseconds."""
    bits, quarter = divmod(step, 4)
    return ((4 + quarter + 1) << (bits - 3)) - 1 if bits > 2 else bits


class Statistics:
    """The counters of one engine."""

    def __init__(self) -> None:
        self.commands: dict[bytes, CommandCount] = {}
        self.errors: dict[str, int] = {}
        self._samples: list[tuple[float, int, int, int]] = []
        self.reset()

    def reset(self) -> None:
        """What CONFIG RESETSTAT does."""
        self.commands.clear()
        self.errors.clear()
        self._samples.clear()
        self.processed = 0
        self.error_replies = 0
        self.hits = 0
        self.misses = 0
        self.expired = 0
        self.evicted = self.evicted_clients = 0
        self.read_bytes = 0
        self.written_bytes = 0
        self.acl_denied = {"auth": 0, "cmd": 0, "key": 0, "channel": 0}
        self.peak_memory = 0

    def count_of(self, name: bytes) -> CommandCount:
        """The counter of a command, by its full name."""
        count = self.commands.get(name)
        if count is None:
            count = self.commands[name] = CommandCount()
        return count

    def failed(self, text: str) -> None:
        """An error was answered: count it by its first word."""
        self.error_replies += 1
        word = text.partition(" ")[0]
        if word in self.errors or len(self.errors) < 512:
            self.errors[word] = self.errors.get(word, 0) + 1

    def sample(self, now: float) -> None:
        """Keep what was counted by now, for the rates; to be called ten times a second."""
        self._samples.append((now, self.processed, self.read_bytes, self.written_bytes))
        if len(self._samples) > 16:
            del self._samples[0]

    def rates(self) -> tuple[int, float, float]:
        """Commands a second, and kilobytes read and written a second, over the last second and a half."""
        if len(self._samples) < 2:
            return 0, 0.0, 0.0
        then, commands, read, written = self._samples[0]
        now = monotonic()
        spent = max(now - then, 0.001)
        return (
            round((self.processed - commands) / spent),
            (self.read_bytes - read) / spent / 1024,
            (self.written_bytes - written) / spent / 1024,
        )
