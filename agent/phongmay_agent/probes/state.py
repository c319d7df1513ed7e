"""The probe `state`: how long machine and agent run, and how full the spool is. Nothing can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from phongmay_agent.clock import Clock
from phongmay_contract.catalogue import Cadence, Value
from phongmay_contract.envelope import Group


class SpoolFill(NamedTuple):
    """What waits in the spool."""

    envelopes: int
    size_bytes: int
    dropped: int


class StateProbe:
    """Gives the measurement `agent`."""

    name = "state"
    cadence = Cadence.ROUND
    gives = ("agent",)

    def __init__(self, clock: Clock, interval_s: float, spool: Callable[[], SpoolFill] | None) -> None:
        """Prepare the probe; `spool` is None where none is open (`phongmay-agent test` beside a running agent)."""
        self._clock = clock
        self._interval_s = interval_s
        self._spool = spool
        self._started = clock.mono()

    def measure(self) -> list[Group]:
        """Read clocks and spool now."""
        values: dict[str, Value] = {
            "uptime_s": round(self._clock.uptime(), 3),
            "agent_uptime_s": round(self._clock.mono() - self._started, 3),
            "interval_s": float(self._interval_s),
        }
        if self._spool is not None:
            fill = self._spool()
            values |= {
                "spool_envelopes": fill.envelopes,
                "spool_bytes": fill.size_bytes,
                "spool_dropped": fill.dropped,
            }
        return [Group("agent", values)]
