"""What is to be done when: actions with their times, done in order by whoever turns the loop."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Agenda:
    """Actions by monotonic time; those of one time in the order in which they were entered."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Enter an action."""
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, action))

    def run_due(self, now: float) -> None:
        """Do everything whose time has come."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()

    def wait_s(self, now: float, longest: float) -> float:
        """Give how long nothing is to be done, at most `longest`."""
        return min(max(self._heap[0][0] - now, 0.0), longest) if self._heap else longest

    def __len__(self) -> int:
        return len(self._heap)
