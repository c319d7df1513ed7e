"""When rounds and inventories are due: the time goes in, duties come out. A PC that slept does not catch up."""

from __future__ import annotations

import random

DAY_S = 86400.0


class Schedule:
    """Rounds on a grid whose phase is chance, so that a school that was switched on at once does not report at once."""

    def __init__(self, interval_s: float, inventory_check_s: float, start: float) -> None:
        """Begin.

        Args:
            interval_s: between rounds.
            inventory_check_s: between readings of the hardware.
            start: moment of the monotonic clock at which the first of each is due.
        """
        self._interval_s = interval_s
        self._inventory_check_s = inventory_check_s
        self._phase = start + random.Random().uniform(0, interval_s)  # noqa: S311 # spreads load, guards nothing
        self._round_at = start
        self._inventory_at = start

    def next_at(self) -> float:
        """Give the next moment at which something is due."""
        return min(self._round_at, self._inventory_at)

    def round_due(self, now: float) -> bool:
        """Tell whether a round is due, and if so plan the next one on the grid, beyond `now`."""
        if now < self._round_at:
            return False
        passed = (now - self._phase) // self._interval_s
        self._round_at = self._phase + (passed + 1) * self._interval_s
        if self._round_at - now < self._interval_s / 10:  # two rounds in one breath say nothing twice
            self._round_at += self._interval_s
        return True

    def inventory_due(self, now: float) -> bool:
        """Tell whether the hardware is to be read again, and if so plan the next reading."""
        if now < self._inventory_at:
            return False
        self._inventory_at = now + self._inventory_check_s
        return True
