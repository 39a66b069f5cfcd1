"""The spikes that LATENCY tells of: the longest waits of each kind of event, second by second."""

from __future__ import annotations

from collections import deque
from time import time

_KEPT = 160  # seconds of one event, as in Redis


class Latency:
    """The events of one engine that took longer than latency-monitor-threshold."""

    def __init__(self) -> None:
        self.events: dict[str, deque[tuple[int, int]]] = {}
        self.longest: dict[str, int] = {}

    def note(self, event: str, milliseconds: int) -> None:
        """An event took so long; within one second only the longest is kept."""
        now = int(time())
        kept = self.events.setdefault(event, deque(maxlen=_KEPT))
        self.longest[event] = max(self.longest.get(event, 0), milliseconds)
        if kept and kept[-1][0] == now:
            kept[-1] = (now, max(kept[-1][1], milliseconds))
        else:
            kept.append((now, milliseconds))

    def forget(self, *names: str) -> int:
        """Drop some events, or all, and say how many there were."""
        wanted = list(names) or list(self.events)
        found = [name for name in wanted if name in self.events]
        for name in found:
            del self.events[name], self.longest[name]
        return len(found)
