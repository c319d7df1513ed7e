"""How busy a line was, by its router's counters: readings go in, shares come out. It may warn; it passes nothing.

Readings every 10 s show what averages of five minutes hide: a line that is full half of the time. Pure but for `read`;
intervals in which a counter fell, or that are longer than a minute, are left out and counted as unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from math import ceil

from phongmay_campaigns.presence import was_reset
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series.interface import Row, SeriesReader

FULL = 0.9
"""An interval with at least this share of the line in use was full."""
WARN_SHARE = 0.05
"""More full intervals than this are worth a capacity test (a district setting)."""
_LONGEST_S = 60.0
_ADDED = {"received_bytes", "sent_bytes", "uptime_s", "discontinuity_s"}
"""Counters, and what tells that they were set back: in a sum too."""
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Busy:
    """One direction of a line over a time.

    Attributes:
        intervals: known intervals.
        unknown_s: time between readings about which nothing is known.
        full_share: share of the known time in which the line was full.
        p95: 95th percentile of the share in use, by interval.
        peak_hour: local hour of the day with the highest mean, None without intervals.
        peak: that mean.
    """

    intervals: int
    unknown_s: float
    full_share: float | None
    p95: float | None
    peak_hour: int | None
    peak: float | None

    @property
    def warns(self) -> bool:
        """Tell whether a capacity test is called for."""
        return self.full_share is not None and self.full_share > WARN_SHARE


def read(series: SeriesReader, router: str, part: str, start: float, end: float) -> list[Row]:
    """Give all readings of a router's interface in a time."""
    out: list[Row] = []
    after: tuple[float, str] | None = None
    while True:
        page = series.range(router, "router", start, end, part=part, limit=_PAGE, after=after)
        out += page
        if len(page) < _PAGE:
            return out
        after = (page[-1].at, page[-1].part)


def together(parts: Sequence[Sequence[Row]]) -> Sequence[Row]:
    """Add the interfaces of one router: rows of the same instant become one, what one of them lacks is left out."""
    if len(parts) < 2:
        return parts[0] if parts else ()
    by_time = [{row.at: row for row in rows} for rows in parts]
    out = []
    for at in sorted(set.intersection(*(set(rows) for rows in by_time))):
        found = [rows[at] for rows in by_time]
        shared = set.intersection(*(set(row.values) for row in found)) & _ADDED
        values = {name: sum(row.values[name] for row in found) for name in shared}  # type: ignore[misc] # numbers
        out.append(replace(found[0], values=values))
    return out


def busy(rows: Sequence[Row], counter: str, line_bps: float) -> Busy:
    """Say how busy a line was.

    Args:
        rows: readings in order of time.
        counter: received_bytes or sent_bytes.
        line_bps: what the line carries.
    """
    found = list(_intervals(rows, counter, line_bps))
    known = [(at, seconds, share) for at, seconds, share in found if share is not None]
    unknown = sum(seconds for _, seconds, share in found if share is None)
    if not known:
        return Busy(0, unknown, None, None, None, None)
    total = sum(seconds for _, seconds, _ in known)
    full = sum(seconds for _, seconds, share in known if share >= FULL)
    shares = sorted(share for _, _, share in known)
    by_hour: dict[int, list[float]] = {}
    for at, _, share in known:
        by_hour.setdefault(datetime.fromtimestamp(at, LOCAL).hour, []).append(share)
    means: Mapping[int, float] = {hour: sum(own) / len(own) for hour, own in by_hour.items()}
    peak = max(means, key=lambda hour: (means[hour], -hour))
    p95 = shares[ceil(0.95 * len(shares)) - 1]
    return Busy(len(known), unknown, full / total, p95, peak, means[peak])


def _intervals(rows: Sequence[Row], counter: str, line_bps: float) -> Iterator[tuple[float, float, float | None]]:
    """Give start, length and share in use of each interval; None = not known."""
    for before, after in pairwise(rows):
        seconds = after.at - before.at
        first, last = before.values.get(counter), after.values.get(counter)
        is_known = (
            isinstance(first, int)
            and isinstance(last, int)
            and last >= first
            and 0 < seconds <= _LONGEST_S
            and not was_reset(before.values, after.values)
        )
        grown = last - first if isinstance(first, int) and isinstance(last, int) else 0
        yield before.at, seconds, 8 * grown / seconds / line_bps if is_known else None
