"""Facts about a machine's network: link rows and minutes go in, link speed and Internet reach come out.

Shares and times are rounded DOWN to declared steps, so that a healthy machine writes no new fact each minute and no
rounding ever turns "not enough" into "enough" (`REACH_STEP`, `COVERAGE_STEP`, `KNOWN_STEPS_S`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from phongmay_rules.facts.catalogue import DAY, Found, is_covered, missing
from phongmay_rules.facts.snapshot import counted_from, told_by
from phongmay_rules.reasons import Reason
from phongmay_store.register.timetable import Hours, local_day
from phongmay_store.series.interface import Reach, Row
from phongmay_store.series.strips import HOUR_S, PLACES, place, strip

LOOK_BACK_DAYS = 21
"""Longer than the Tết holidays of any school with the weekends around them; a summer is longer."""
REACH_STEPS = 100
COVERAGE_STEPS = 10
KNOWN_STEPS_S = tuple(60 * minutes for minutes in (0, 10, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440))


@dataclass(frozen=True)
class Expected:
    """The minutes of the last day in which a room was expected to be in use.

    Attributes:
        masks: expected minutes by UTC hour (bit n = minute n).
        sources: calendar entries that had a say.
    """

    start: float
    end: float
    masks: Mapping[int, int]
    sources: tuple[str, ...] = ()
    _due: dict[float, tuple[int, int, int]] = field(default_factory=dict, repr=False, compare=False)

    def due(self, since: float) -> tuple[int, int, int]:
        """Give the expected minutes from a moment on: the hour at which they begin, as a strip, and their number."""
        found = self._due.get(since)
        if found is None:
            first = min(self.masks, default=0)
            before = max(0, place(first, since))
            minutes = strip(self.masks, first, max(self.masks, default=0) + HOUR_S) >> before << before
            found = self._due[since] = (first, minutes, minutes.bit_count())
        return found

    def since(self, start: float) -> dict[int, int]:
        """Give the expected minutes from a moment on: an agent that came later is not expected before."""
        return {hour: mask if start <= hour else mask & minutes_between(hour, start, self.end)
                for hour, mask in self.masks.items()}  # fmt: skip


def last_day(hours: Hours, at: float) -> Expected | None:
    """Give the last day's expected minutes; None when nothing is expected within the look-back.

    The day ends with the newest moment in use and begins at the same time of the day in use before: on Sunday it is
    Thursday 17:00 to Friday 17:00, on Monday at 10:00 it is Friday 10:00 to Monday 10:00; holidays are weekends.
    """
    ends = [high for _, high in hours.intervals(at - LOOK_BACK_DAYS * DAY, at)]
    if not ends:
        return None
    end = ends[-1] // 60 * 60
    today = local_day(end - 1)
    back = next((days for days in range(1, LOOK_BACK_DAYS + 1) if hours.on(today - timedelta(days=days))), 1)
    start = end - back * DAY
    masks = {}
    for hour in range(int(start // 3600) * 3600, int(end) + 1, 3600):
        mask = hours.minute_mask(hour) & minutes_between(hour, start, end)
        if mask:
            masks[hour] = mask
    return Expected(start, end, masks, hours.sources(start, end - 1))


def minutes_between(hour: int, start: float, end: float) -> int:
    """Give the whole minutes of an hour that lie in [start, end)."""
    first = min(60, max(0, -int(-(start - hour) // 60)))
    after = min(60, max(0, int((end - hour) // 60)))
    return ((1 << after) - 1) & ~((1 << first) - 1) if after > first else 0


def reach_facts(reach: Reach | None, expected: Expected | None, since: float, at: float) -> list[Found]:
    """Give share, known time and coverage of Internet reach.

    A minute is known when the Internet target was tried in it, and reached when it was reached and never missed.

    Args:
        reach: the minutes in which the device tried; None = there are none.
        expected: the last day, or None.
        since: since when the agent is expected to report; minutes before are not expected.
        at: time of the evaluation.
    """
    names = ("internet_reach_ratio", "internet_known_s", "internet_coverage_ratio")
    if expected is None or since >= expected.end:
        return [missing(name, Reason.NO_EXPECTED_TIME, at) for name in names]
    first, wanted, due = expected.due(since)
    known = reached = 0
    if reach is not None:
        shift = PLACES * ((reach.start - first) // HOUR_S)
        wanted = wanted >> shift if shift >= 0 else wanted << -shift
        known = ((reach.reachable | reach.unreachable) & wanted).bit_count()
        reached = (reach.reachable & ~reach.unreachable & wanted).bit_count()
    detail = {
        "minutes_expected": due, "minutes_known": known, "minutes_reached": reached,
        "from": max(expected.start, since), "to": expected.end,
    }  # fmt: skip
    if not due:
        return [missing(name, Reason.NO_EXPECTED_TIME, at) for name in names]
    sources = counted_from(int(max(expected.start, since)), int(expected.end), expected.sources)
    if is_covered(names[0], known, due):
        share = Found(names[0], reached * REACH_STEPS // known / REACH_STEPS, at, None, sources, detail)
    else:
        why = Reason.COVERAGE if known else Reason.NO_DATA
        share = missing(names[0], why, at, sources=sources, **detail)
    known_s = KNOWN_STEPS_S[bisect_right(KNOWN_STEPS_S, known * 60) - 1]
    coverage = known * COVERAGE_STEPS // due / COVERAGE_STEPS
    return [
        share,
        Found(names[1], known_s, at, None, sources, detail),
        Found(names[2], coverage, at, None, sources, detail),
    ]


def link_facts(rows: Sequence[Row], at: float) -> list[Found]:
    """Give the speed of the wired interface that leads to the Internet.

    Of several such interfaces the one that was reported last counts, then the fastest.
    """
    name = "link_speed_bps"
    if not rows:
        return [missing(name, Reason.NO_DATA, at)]
    routes = [row for row in rows if row.values.get("is_default_route") is True]
    if not routes:
        newest = max(rows, key=lambda row: row.at)
        return [missing(name, Reason.NO_DEFAULT_ROUTE, newest.at, sources=told_by(newest.source))]
    row = max(routes, key=lambda row: (row.at, _speed(row) or 0, row.part))
    medium, speed = row.values.get("medium", "unknown"), _speed(row)
    sources = told_by(row.source)
    detail = {"interface": row.part, "medium": str(medium)}
    if row.values.get("is_up") is not True:
        return [missing(name, Reason.LINK_DOWN, row.at, sources=sources, **detail)]
    if medium == "wireless":
        return [missing(name, Reason.WIRELESS, row.at, sources=sources, **detail)]
    if medium != "wired":
        return [missing(name, Reason.MEDIUM_NOT_TOLD, row.at, sources=sources, **detail)]
    if speed is None:
        return [missing(name, Reason.SPEED_NOT_TOLD, row.at, sources=sources, **detail)]
    return [Found(name, speed, row.at, None, sources, detail)]


def _speed(row: Row) -> int | None:
    speed = row.values.get("speed_bps")
    return speed if isinstance(speed, int) and speed > 0 else None
