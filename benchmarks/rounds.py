"""How things are timed: contenders take turns in rounds, and medians are compared, so that noise meets all alike."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

Action = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Case:
    """One operation: what each contender does, how often in a round, and the ratio to reach (None: none was set)."""

    name: str
    contenders: dict[str, Action]
    times: int
    target: float | None = None
    prepare: Callable[[str], object] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Median microseconds of one call for each contender, in the order of the case."""

    case: Case
    micros: dict[str, float]

    @property
    def ratio(self) -> float:
        """The first contender's time over the second's."""
        ours, theirs = list(self.micros.values())[:2]
        return ours / theirs


def measure(case: Case, rounds: int) -> Result:
    """Run a case in interleaved rounds; each round's order is random."""
    samples: dict[str, list[float]] = {name: [] for name in case.contenders}
    for name, action in case.contenders.items():
        if case.prepare:
            case.prepare(name)
        for _ in range(max(1, min(case.times, 20))):
            action()
    names = list(case.contenders)
    for _ in range(rounds):
        random.shuffle(names)
        for name in names:
            if case.prepare:
                case.prepare(name)
            action = case.contenders[name]
            gc.collect()
            started = perf_counter()
            for _ in range(case.times):
                action()
            samples[name].append((perf_counter() - started) / case.times * 1e6)
    return Result(case, {name: median(samples[name]) for name in case.contenders})


def table(results: list[Result]) -> str:
    """The results as a Markdown table."""
    names = list(results[0].micros)
    head = ["operation", *[f"{name}, µs" for name in names], "ratio", "to reach"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for result in results:
        target = result.case.target
        verdict = "" if target is None else f"≤ {target:g}" + ("" if result.ratio <= target else " **missed**")
        micros = [f"{value:,.1f}" for value in result.micros.values()]
        lines.append("| " + " | ".join([result.case.name, *micros, f"{result.ratio:.3f}", verdict]) + " |")
    return "\n".join(lines)
