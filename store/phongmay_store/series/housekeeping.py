"""Which piece of housekeeping comes next: hours to roll up, then what is past its time of keeping.

In: the state, an engine that can do the pieces, the time. Out: one small piece done for each step. Only one of several
collectors does it at a time (a lease in the state). One that stood still in the middle of a piece, for so long that
another took over, may have written over what that one wrote: it finds so when the piece is done, and has it done again.
A piece that was interrupted is done again; every piece may be repeated. StoreError passes through; the next step tries
again.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import Protocol

from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_store.series.quantities import gauges
from phongmay_store.series.state import DAY_S, HOUR_S, State

ROLLED = tuple(name for name, measurement in MEASUREMENTS.items() if gauges(measurement))
"""Measurements of which hours are kept."""
GRACE_S = 120.0
"""After the end of an hour, for rounds that are under way."""
QUIET_S = 60.0
"""An hour into which a backlog flows is rolled up when it has stopped."""
REST_S = 60.0
"""Between looks, when nothing is due."""
_LEASE, _LEASE_S = "housekeeping", 300.0
_MOST_FORGOTTEN = 2000


class Work(Protocol):
    """What an engine can do, one piece at a time."""

    def roll(self, measurement: str, hour: int) -> bool:
        """Roll up (a part of) an hour of a measurement; True while the same hour has more."""
        ...

    def finish(self, hour: int) -> None:
        """Do what an hour needs besides its gauges."""
        ...

    def tidy(self, now: float) -> bool:
        """Drop something that is past its time of keeping; True when there may be more."""
        ...

    def doubt(self) -> None:
        """Let nobody rest on what the last piece wrote outside a transaction: another may have written meanwhile."""
        ...


def raw_from(now: float, raw_days: int) -> float:
    """Give the time since which rounds are kept: whole UTC days."""
    return (now // DAY_S - raw_days) * DAY_S


class Housekeeping:
    """Takes one step when it is asked to."""

    def __init__(self, state: State, work: Work, raw_days: int) -> None:
        self._state, self._work, self._raw_days = state, work, raw_days
        self._holder = secrets.token_hex(8)
        self._leased_until = 0.0
        self._next = 0.0
        self._hour: tuple[int, int] | None = None
        self._left: deque[str] = deque()
        self._overtaken: list[int] | None = None  # hours to be done again, since another was at work; None: none was

    def step(self, now: float) -> bool:
        """Do one piece; True while more is due."""
        if self._overtaken is not None:
            self._mend(self._overtaken)
        if self._hour is None and now < self._next:
            return False
        if not self._may(now):
            self._next = now + REST_S
            return False
        if self._hour is None:
            due = self._due(now)
            if due is None:
                more = self._work.tidy(now)
                if not self._state.holds(_LEASE, self._holder):
                    return self._mend([])
                more = more or self._state.forget(now, _MOST_FORGOTTEN)
                self._next = now if more else now + REST_S
                return more
            self._hour, self._left = due, deque(ROLLED)
        hour, changed = self._hour
        if self._left and hour >= raw_from(now, self._raw_days):
            if not self._work.roll(self._left[0], hour):
                self._left.popleft()
            return True
        self._work.finish(hour)
        if not self._state.holds(_LEASE, self._holder):
            return self._mend([hour])
        self._state.rolled(hour, changed)
        self._hour = None
        return True

    def _mend(self, hours: list[int]) -> bool:
        """Have done again what another may not have seen; whoever has the lease does it."""
        self._overtaken, self._hour, self._leased_until = hours, None, 0.0
        self._work.doubt()
        for hour in hours:
            self._state.rolled(hour, 0)
        self._overtaken = None
        return True

    def _may(self, now: float) -> bool:
        if now > self._leased_until - _LEASE_S / 2:
            if not self._state.lease(_LEASE, self._holder, now, _LEASE_S):
                self._hour, self._leased_until = None, 0.0
                return False
            self._leased_until = now + _LEASE_S
        return True

    def _due(self, now: float) -> tuple[int, int] | None:
        for hour, changed, touched in self._state.changed_hours(0, now - HOUR_S - GRACE_S):
            if touched + QUIET_S <= now:
                return hour, changed
        return None
