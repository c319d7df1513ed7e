"""Who is on, who is idle, and what the router carries: series go in, answers come out, and "unknown" is one of them.

Nothing is assumed: a PC that was not heard is off, one whose load is not known is not idle, a router that nobody reads
is unknown (None). A store that cannot be read raises StoreError, which passes through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from phongmay_contract.envelope import ONLINE
from phongmay_store.series.interface import Row, SeriesReader

FRESH_S = 180.0
"""A load older than this says nothing of now."""
_ROUTER_FRESH_S = 90.0
"""Two readings of a router within this tell what it carries now."""
DOWN, UP = "received_bytes", "sent_bytes"


def who_is_on(series: SeriesReader, devices: Collection[str]) -> set[str]:
    """Give the devices that have a session at the broker."""
    return {one.device for one in series.presence(devices) if one.state == ONLINE} if devices else set()


def who_is_idle(series: SeriesReader, devices: Collection[str], now: float, limit: float) -> set[str]:
    """Give the devices whose processor is known to do little."""
    out = set()
    for row in series.latest("usage", devices) if devices else ():
        busy = row.values.get("cpu_busy_ratio")
        if isinstance(busy, float | int) and busy <= limit and now - row.at <= FRESH_S:
            out.add(row.device)
    return out


@dataclass(frozen=True, slots=True)
class Carried:
    """What a router's WAN interface carried between two readings.

    Attributes:
        start: true time of the first reading.
        end: of the last.
        down_bytes: growth of the counter downwards.
        up_bytes: upwards.
    """

    start: float
    end: float
    down_bytes: int
    up_bytes: int

    @property
    def seconds(self) -> float:
        """Give the time between the readings."""
        return self.end - self.start

    def share(self, line_bps: float | None) -> float | None:
        """Give the busier direction as a share of the line; None when the line's rate is not known."""
        if not line_bps or self.seconds <= 0:
            return None
        return 8 * max(self.down_bytes, self.up_bytes) / self.seconds / line_bps


def carried_lately(series: SeriesReader, routers: Sequence[str], now: float) -> Carried | None:
    """Give what the school's routers carried in the last one or two minutes; None = no router tells."""
    return _sum(
        [
            _between(rows)
            for router in routers
            for rows in _readings(series, router, now - _ROUTER_FRESH_S, now + 1) or [[]]
        ]
    )


def carried_in(
    series: SeriesReader, routers: Sequence[str], start: float, end: float, slack_s: float
) -> Carried | None:
    """Give what the routers carried from the last reading before `start` to the first after `end`."""
    found = []
    for router in routers:
        for rows in _readings(series, router, start - slack_s, end + slack_s) or [[]]:
            before = [row for row in rows if row.at <= start][-1:]
            after = [row for row in rows if row.at >= end][:1]
            found.append(_between([*before, *[row for row in rows if start < row.at < end], *after])
                         if before and after else None)  # fmt: skip
    return _sum(found)


def wan_parts(parts: Iterable[str]) -> list[str]:
    """Give the interfaces that lead to the Internet: those called wan, wan2 ..., or the only one."""
    found = sorted(set(parts))
    return [part for part in found if part.startswith("wan")] or (found if len(found) == 1 else [])


def was_reset(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """Tell whether a router restarted, or set its counters back, between two readings: then they tell no growth."""
    one, other = before.get("uptime_s"), after.get("uptime_s")
    restarted = isinstance(one, int | float) and isinstance(other, int | float) and other < one
    marks = before.get("discontinuity_s"), after.get("discontinuity_s")
    return restarted or (None not in marks and marks[0] != marks[1])


def _readings(series: SeriesReader, router: str, start: float, end: float) -> list[list[Row]]:
    """Give the readings of each of the router's WAN interfaces."""
    rows = series.range(router, "router", start, end)
    return [[row for row in rows if row.part == part] for part in wan_parts(row.part for row in rows)]


def _between(rows: Sequence[Row]) -> Carried | None:
    """Add the growth between neighbours; a counter that fell (a restart) makes the whole unknown."""
    if len(rows) < 2:
        return None
    down, up = _growth([row.values for row in rows], DOWN), _growth([row.values for row in rows], UP)
    return None if down is None or up is None else Carried(rows[0].at, rows[-1].at, down, up)


def _growth(values: Sequence[Mapping[str, object]], name: str) -> int | None:
    total = 0
    for one, other in pairwise(values):
        before, after = one.get(name), other.get(name)
        if not isinstance(before, int) or not isinstance(after, int) or after < before or was_reset(one, other):
            return None
        total += after - before
    return total


def _sum(found: Sequence[Carried | None]) -> Carried | None:
    """Add the lines of several routers; one that does not tell leaves the sum unknown."""
    known = [one for one in found if one is not None]
    if not known or len(known) != len(found):
        return None
    return Carried(
        min(one.start for one in known), max(one.end for one in known),
        sum(one.down_bytes for one in known), sum(one.up_bytes for one in known),
    )  # fmt: skip
