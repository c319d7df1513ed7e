"""Slows down guessing: so many attempts a key (login, address) in so many seconds.

Kept in this process's memory: the API runs as one process, and a restart forgives. Bounded: the longest untouched
keys are forgotten first.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

_MOST_KEYS = 10_000


class Throttle:
    """A sliding window of attempts a key.

    Args:
        limit: attempts that are let through in a window.
        window_s: length of the window in seconds.
        clock: seconds that never run backwards.
    """

    def __init__(self, limit: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._window_s = window_s
        self._clock = clock
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def attempt(self, key: str) -> float:
        """Count an attempt; give 0 if it may go on, else the seconds to wait (a refused one is not counted)."""
        with self._lock:
            now = self._clock()
            times = self._attempts.setdefault(key, deque())
            self._attempts.move_to_end(key)
            while times and times[0] <= now - self._window_s:
                times.popleft()
            if len(times) >= self._limit:
                return times[0] + self._window_s - now
            times.append(now)
            while len(self._attempts) > _MOST_KEYS:
                self._attempts.popitem(last=False)
            return 0.0

    def forgive(self, key: str) -> None:
        """Forget the attempts of a key, after one that was right."""
        with self._lock:
            self._attempts.pop(key, None)
