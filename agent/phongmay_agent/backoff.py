"""When to try again: seconds that double with every failure, with chance in them: a school does not return at once."""

from __future__ import annotations

import random

FIRST_S = 1.0
LONGEST_S = 60.0
STEADY_S = 10.0
"""A session that lasted this long was a success; a shorter one (two PCs with one identity) is one more failure."""


class Backoff:
    """Counts failures."""

    def __init__(self) -> None:
        self._failures = 0
        self._chance = random.Random()  # noqa: S311 # spreads load, guards nothing

    def failed(self, lasted_s: float = 0.0) -> float:
        """Give the seconds to wait after a failed try or a session that lasted so long."""
        if lasted_s >= STEADY_S:
            self._failures = 0
        longest = min(LONGEST_S, FIRST_S * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return longest * self._chance.uniform(0.5, 1.0)
