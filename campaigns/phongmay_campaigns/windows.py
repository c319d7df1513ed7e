"""When a school may be tested: the hours of its rooms, its calendar and the mode go in, intervals of time come out.

Never on an exam day and never on a day without school (the PCs are off then). A planned run goes into breaks and the
time after class; an opportunistic one may use lessons too; one that a person orders may begin at once. Pure: nothing
here reads a store or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise

from phongmay_store.register.calendar_hours import Calendar, Purpose
from phongmay_store.register.campaign import CampaignMode
from phongmay_store.register.timetable import ALWAYS, NEVER, Minutes, Timetable, day_start, local_day

Interval = tuple[float, float]
"""[start, end) as true times."""
LAST_MINUTE = 22 * 60
"""No test later in the evening, however long the time after class is set."""


def intervals(
    calendar: Calendar,
    timetables: Sequence[Timetable],
    mode: CampaignMode,
    start: float,
    end: float,
    after_class_min: int,
) -> list[Interval]:
    """Give when runs may take place inside [start, end).

    Args:
        calendar: the school's.
        timetables: of the rooms that take part; a lesson in any of them is a lesson.
        mode: planned, opportunistic, teacher or now.
        start: first instant.
        end: instant after the last.
        after_class_min: minutes after the last lesson in which the PCs are still on.
    """
    out: list[Interval] = []
    day, last = local_day(start), local_day(end)
    while day <= last and start < end:
        plan = calendar.plan(day)
        midnight = day_start(day)
        if plan.exam:
            open_minutes: Sequence[Minutes] = ()
        elif mode in (CampaignMode.NOW, CampaignMode.TEACHER):
            open_minutes = ((0, 1440),)
        else:
            lessons = _union(
                minutes
                for timetable in timetables
                if timetable not in (ALWAYS, NEVER)
                for minutes in calendar.cut(timetable, Purpose.BANDWIDTH_TEST).on(day)
            )
            open_minutes = _open(lessons, after_class_min, with_lessons=mode is CampaignMode.OPPORTUNISTIC)
        for first, after in open_minutes:
            low, high = max(midnight + 60 * first, start), min(midnight + 60 * after, end)
            if low < high:
                out.append((low, high))
        day += timedelta(days=1)
    return out


def _open(lessons: Sequence[Minutes], after_class_min: int, *, with_lessons: bool) -> list[Minutes]:
    """Give the breaks between lessons and the time after them; with the lessons themselves if wanted."""
    if not lessons:
        return []
    end = min(lessons[-1][1] + after_class_min, max(LAST_MINUTE, lessons[-1][1]))
    if with_lessons:
        return [(lessons[0][0], end)]
    gaps = [(before[1], after[0]) for before, after in pairwise(lessons)]
    return [*gaps, (lessons[-1][1], end)] if end > lessons[-1][1] else gaps


def _union(minutes: Iterable[Minutes]) -> list[Minutes]:
    out: list[Minutes] = []
    for first, after in sorted(minutes):
        if out and first <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], after))
        else:
            out.append((first, after))
    return out
