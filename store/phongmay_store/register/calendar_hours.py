"""A calendar cuts timetables: entries of a unit and those above go in, the expected hours of any period come out.

expected = timetable, cut by the shift, in terms, without holidays (and, for bandwidth tests, without exams), with
exceptions. Pure values: nothing here reads a store or a clock, and nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import partial

from phongmay_store.register.ageing import WEEK_S, Ageing, ordinary_week_s
from phongmay_store.register.calendar import CalendarKind, DayHours
from phongmay_store.register.timetable import ALWAYS, NEVER, Hours, Minutes, Timetable, local_day

BREAK_DAYS = 100
"""The longest break between two terms (31 May to 5 September has 96 days): so long the last term vouches for there
being no school. Later, somebody has forgotten to enter the new year."""
_ONE_DAY = timedelta(days=1)
_OPEN_END = date.max


class Purpose(StrEnum):
    """What the hours are asked for."""

    IN_USE = "in_use"
    BANDWIDTH_TEST = "bandwidth_test"


@dataclass(frozen=True, slots=True)
class Period:
    """An entry as it concerns a unit.

    Attributes:
        last: last day, included; None = open.
        distance: 0 = the unit's own, 1 = of the unit above, and so on.
        source: row of the register or entry of a table.
    """

    kind: CalendarKind
    first: date
    last: date | None
    hours: DayHours
    name: str
    distance: int
    source: str

    def covers(self, day: date) -> bool:
        """Tell whether a day lies in it."""
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What a calendar says about one day.

    Attributes:
        closed: no school.
        exam: an exam is held.
        like: weekday whose timetable holds; None = its own.
        minutes: hours that hold instead of any timetable; None = the timetable's.
        shift: what the shift leaves of the timetable; None = all.
        why: the entries that decided, nearest first; empty = an ordinary day.
        out_of_term: closed because the unit has terms and none covers the day.
    """

    closed: bool = False
    exam: bool = False
    like: int | None = None
    minutes: tuple[Minutes, ...] | None = None
    shift: tuple[Minutes, ...] | None = None
    why: tuple[Period, ...] = ()
    out_of_term: bool = False


class Calendar:
    """The calendar of a unit. Equal to itself only, so that it may be the key of a cache.

    On each day the nearest unit wins, kind by kind: a school's exception opens a day that the district has closed, and
    a school's holiday closes one that the district has opened. Terms count as a whole: those of the nearest unit that
    has any; without any, every day may be a school day.
    """

    def __init__(
        self,
        periods: Iterable[Period] = (),
        table_until: tuple[str, date] | None = None,
        entered: Calendar | None = None,
    ) -> None:
        """Make a calendar.

        Args:
            periods: entries of the unit and of all above it.
            table_until: name and last day of validity of the table that some of the periods are from.
            entered: the same without that table; None = nothing is from a table.
        """
        self.periods = tuple(sorted(periods, key=lambda p: (p.distance, -p.first.toordinal(), p.source)))
        self._table_until = table_until
        self.entered = entered or self
        """Only what the register holds: what is judged by it can be judged again after the table was renewed."""
        terms = [p for p in self.periods if p.kind is CalendarKind.TERM]
        self.terms = tuple(p for p in terms if p.distance == terms[0].distance)
        self._plans: dict[date, DayPlan] = {}
        self._ageings: dict[Timetable, Ageing] = {}

    def says_the_same(self, other: Calendar) -> bool:
        """Tell whether both were made from the same entries."""
        return self is other or (self.periods == other.periods and self._table_until == other._table_until)

    def plan(self, day: date) -> DayPlan:
        """Say what holds on a day."""
        if day not in self._plans:
            self._plans[day] = self._make(day)
        return self._plans[day]

    def _make(self, day: date) -> DayPlan:
        nearest: dict[CalendarKind, Period] = {}
        for period in self.periods:
            if period.covers(day):
                nearest.setdefault(period.kind, period)
        holiday, exception = nearest.get(CalendarKind.HOLIDAY), nearest.get(CalendarKind.EXCEPTION)
        exam, shift = nearest.get(CalendarKind.EXAM), nearest.get(CalendarKind.SHIFT)
        left = shift.hours.minutes if shift else None
        why = tuple(p for p in (exam, shift) if p)
        if exception and (holiday is None or exception.distance <= holiday.distance):
            hours = exception.hours
            return DayPlan(False, exam is not None, hours.like, hours.minutes, left, (exception, *why))
        if holiday:
            return DayPlan(True, exam is not None, shift=left, why=(holiday, *why))
        if self.terms and not any(term.covers(day) for term in self.terms):
            return DayPlan(True, exam is not None, shift=left, why=why, out_of_term=True)
        return DayPlan(False, exam is not None, shift=left, why=why)

    def ageing(self, timetable: Timetable) -> Ageing:
        """Give how values grow old in a room of this timetable."""
        if timetable not in self._ageings:
            week = ordinary_week_s(timetable)
            on = partial(self._used, timetable, self.cut(timetable)) if week else self._open
            self._ageings[timetable] = Ageing(on, week or WEEK_S)
        return self._ageings[timetable]

    def _open(self, day: date) -> Sequence[Minutes]:
        """Give the whole of a day that is not closed."""
        return () if self.plan(day).closed else ALWAYS.week[day.weekday()]

    def _used(self, timetable: Timetable, hours: Hours, day: date) -> Sequence[Minutes]:
        """Give the expected minutes of a day; a shift that leaves a room no hour of the week takes nothing from it."""
        if found := hours.on(day):
            return found
        plan = self.plan(day)
        if plan.closed or plan.minutes is not None or plan.shift is None:
            return found
        if any(meet(own, plan.shift) for own in timetable.week):
            return found
        return timetable.week[day.weekday() if plan.like is None else plan.like]

    def expired(self, day: date) -> str:
        """Say which table has run out by a day and when; "" = none."""
        if self._table_until and day > self._table_until[1]:
            return f"{self._table_until[0]} until {self._table_until[1]}"
        if self.terms and day > (until := self.terms_until()):
            return f"terms until {until}"
        return ""

    def terms_until(self) -> date:
        """Give the last day for which the terms vouch, with the break after them; the last day of all without terms."""
        last = max((term.last or _OPEN_END for term in self.terms), default=_OPEN_END)
        return last + timedelta(days=BREAK_DAYS) if last != _OPEN_END else last

    def cut(self, timetable: Timetable, purpose: Purpose = Purpose.IN_USE) -> Hours:
        """Give a room's expected hours. What is always on, or never, stays so."""
        if timetable in (ALWAYS, NEVER):
            return timetable
        return CutHours(self, timetable, purpose)


class CutHours(Hours):
    """A timetable that a calendar has cut."""

    __slots__ = ("_calendar", "_days", "_purpose", "_sources", "_timetable")

    def __init__(self, calendar: Calendar, timetable: Timetable, purpose: Purpose) -> None:
        self._calendar, self._timetable, self._purpose = calendar, timetable, purpose
        self._days: dict[date, Sequence[Minutes]] = {}
        self._sources: dict[tuple[date, date], tuple[str, ...]] = {}

    def on(self, day: date) -> Sequence[Minutes]:
        """Give the expected minutes of a local day."""
        if day not in self._days:
            self._days[day] = self._on(self._calendar.plan(day), day)
        return self._days[day]

    def _on(self, plan: DayPlan, day: date) -> Sequence[Minutes]:
        if plan.closed or (plan.exam and self._purpose is Purpose.BANDWIDTH_TEST):
            return ()
        if plan.minutes is not None:
            return plan.minutes
        own = self._timetable.week[day.weekday() if plan.like is None else plan.like]
        return own if plan.shift is None else meet(own, plan.shift)

    def ageing(self) -> Ageing:
        """Give how values grow old in these hours."""
        return self._calendar.ageing(self._timetable)

    def sources(self, start: float, end: float) -> tuple[str, ...]:
        """Name the entries that closed, opened or cut days that touch [start, end)."""
        days = local_day(start), local_day(end)
        if days not in self._sources:
            named = {p.source: None for day in _days(*days) for p in self._calendar.plan(day).why}
            if any(self._calendar.plan(day).out_of_term for day in _days(*days)):
                named |= {term.source: None for term in self._calendar.terms}
            self._sources[days] = tuple(named)
        return self._sources[days]

    def expired(self, at: float) -> str:
        """Name the table that has run out by then; "" = none."""
        return self._calendar.expired(local_day(at))


def meet(left: Sequence[Minutes], right: Sequence[Minutes]) -> tuple[Minutes, ...]:
    """Give what two lists of minutes have in common; both are disjoint and in order, and so is the result."""
    return tuple(
        (low, high)
        for first, after in left
        for begin, end in right
        if (low := max(first, begin)) < (high := min(after, end))
    )


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


OPEN = Calendar()
"""A calendar that cuts nothing."""


def ageing_of(hours: Hours) -> Ageing:
    """Give how values grow old in a room with these hours."""
    if isinstance(hours, CutHours):
        return hours.ageing()
    return OPEN.ageing(hours if isinstance(hours, Timetable) else ALWAYS)
