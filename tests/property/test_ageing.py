"""Laws of how values grow old, over generated timetables and calendars, Tết among them."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from phongmay_store.register.ageing import WEEK_S
from phongmay_store.register.calendar import CalendarKind, DayHours
from phongmay_store.register.calendar_hours import Calendar, Period, meet
from phongmay_store.register.timetable import NEVER, Hours, Timetable, day_start, parse

FIRST = date(2027, 1, 4)
START = day_start(FIRST)
DAYS = 60
DAY = 86400.0
TET = Period(CalendarKind.HOLIDAY, date(2027, 2, 3), date(2027, 2, 14), DayHours(), "Tết Đinh Mùi", 1, "tet")
"""Lunar new year is on 6 February 2027."""
TIMETABLES = ("Mon-Fri 07:00-11:30 13:00-16:30", "Mon-Sat 07:00-11:30", "Sat-Sun 13:00-17:00", "Wed 08:00-09:00")
times = st.integers(0, DAYS * 24 * 60).map(lambda minutes: START + 60.0 * minutes)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """A calendar with Tết, some holidays, a shift, an exception."""
    periods = [TET]
    for number in range(draw(st.integers(0, 3))):
        first = FIRST + timedelta(days=draw(st.integers(0, DAYS)))
        last = first + timedelta(days=draw(st.integers(0, 6)))
        periods.append(Period(CalendarKind.HOLIDAY, first, last, DayHours(), "nghỉ", 0, f"h{number}"))
    if draw(st.booleans()):
        periods.append(Period(CalendarKind.SHIFT, FIRST, None, DayHours(minutes=((420, 690),)), "sáng", 0, "shift"))
    if draw(st.booleans()):
        day = FIRST + timedelta(days=draw(st.integers(0, DAYS)))
        periods.append(Period(CalendarKind.EXCEPTION, day, day, DayHours(minutes=((480, 600),)), "bù", 0, "made up"))
    return Calendar(periods)


timetables = st.sampled_from(TIMETABLES).map(parse)


def used(calendar: Calendar, timetable: Timetable) -> Hours:
    """Give the hours that age a value: a shift that leaves the room none is not looked at."""
    cutting = [
        period
        for period in calendar.periods
        if period.kind is not CalendarKind.SHIFT or any(meet(own, period.hours.minutes or ()) for own in timetable.week)
    ]
    return Calendar(cutting).cut(timetable)


@given(calendars(), timetables, times, times, times)
def test_closed_time_ages_nothing_and_open_time_evenly(
    calendar: Calendar, timetable: Timetable, one: float, two: float, three: float
) -> None:
    """Age is the expected time between, on one scale; it adds up, never falls, and stands still while all is closed."""
    ageing, hours = calendar.ageing(timetable), used(calendar, timetable)
    start, middle, end = sorted((one, two, three))
    age = ageing.age(start, end)
    assert abs(age - hours.expected_seconds(start, end) * ageing.rate) < 1e-3
    assert abs(ageing.age(start, middle) + ageing.age(middle, end) - age) < 1e-3
    assert ageing.age(start, middle) <= age + 1e-6
    if hours.expected_seconds(middle, end) == 0:
        assert ageing.age(start, end) == ageing.age(start, middle)
        for limit in (age, 0.5 * age, 2 * age + 1):
            assert ageing.is_older(start, middle, limit) is ageing.is_older(start, end, limit)


@given(calendars(), timetables, times, times, st.floats(60, 20 * DAY))
def test_the_instant_of_growing_too_old(
    calendar: Calendar, timetable: Timetable, one: float, two: float, limit: float
) -> None:
    """Up to the instant that is told a value is fresh; a second in use later it is not."""
    ageing, hours = calendar.ageing(timetable), used(calendar, timetable)
    start, end = sorted((one, two))
    age = ageing.age(start, end)
    if age > limit:
        assert ageing.is_older(start, end, limit)
        return
    due = ageing.older_at(age, end, limit)
    if age + hours.expected_seconds(end, end + 400 * DAY) * ageing.rate <= limit:
        assert due == end + WEEK_S  # its room is never used again by what is known: looked at anew in a week
        return
    assert due >= end
    assert not ageing.is_older(start, due - 1e-3, limit + 1e-3 * ageing.rate)
    assert hours.expected_seconds(due - 1e-3, due + 1) > 0  # rounding may leave a value its last instant before closing
    assert ageing.age(start, due + 2) > limit - 1e-3 * ageing.rate


@given(timetables, times)
def test_nothing_grows_older_over_tet(timetable: Timetable, at: float) -> None:
    """Whatever the timetable: a value of the eve of Tết is as old on the last day of it; without Tết it is not."""
    eve, last = day_start(TET.first), day_start(date(2027, 2, 15))
    calendar = Calendar([TET])
    assert calendar.ageing(timetable).age(eve, last) == 0
    assert calendar.ageing(NEVER).age(eve, last) == 0
    assert Calendar().ageing(timetable).age(eve, last) > 0
    for limit in (DAY, 7 * DAY, 30 * DAY):
        start = min(at, eve)
        assert calendar.ageing(timetable).is_older(start, eve, limit) is calendar.ageing(timetable).is_older(
            start, last, limit
        )


@given(timetables, times)
def test_an_ordinary_week_is_seven_days(timetable: Timetable, at: float) -> None:
    """Limits in days mean the same for every room, whatever its hours."""
    assert abs(Calendar().ageing(timetable).age(at, at + WEEK_S) - WEEK_S) < 1e-3


@given(times)
def test_a_shift_keeps_nothing_good_for_ever(at: float) -> None:
    """A school of mornings only: a room with hours in the afternoon alone, and one without hours, still have seven days
    a week to grow old in; where the shift leaves some of the hours, only those count."""
    shift = Period(CalendarKind.SHIFT, FIRST, None, DayHours(minutes=((420, 690),)), "sáng", 0, "shift")
    calendar = Calendar([shift])
    for timetable in (parse("Mon-Fri 13:00-16:30"), NEVER):
        assert abs(calendar.ageing(timetable).age(at, at + WEEK_S) - WEEK_S) < 1e-3
    both = parse("Mon-Fri 07:00-11:30 13:00-17:30")
    assert abs(calendar.ageing(both).age(at, at + WEEK_S) - WEEK_S / 2) < 1e-3
