"""What a calendar makes of a timetable: terms, Tết, shifts, exams, made-up lessons, and the edges of days."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phongmay_store.register.calendar import CalendarError, CalendarKind, NewEntry, read_hours
from phongmay_store.register.calendar_hours import BREAK_DAYS, OPEN, Calendar, Period, Purpose, ageing_of, meet
from phongmay_store.register.public_holidays import shipped_holidays
from phongmay_store.register.timetable import ALWAYS, LOCAL, NEVER, Minutes, day_start, parse

WEEK = parse("Mon-Fri 07:00-11:30 13:00-16:30")
MONDAY = date(2026, 11, 2)


def at(text: str) -> float:
    """Read a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL).timestamp()


def period(kind: str, first: str, last: str | None = None, hours: str = "", distance: int = 0) -> Period:
    """Make an entry; without a last day it is one day."""
    sort = CalendarKind(kind)
    day = date.fromisoformat(first)
    end = day if last is None else date.fromisoformat(last)
    return Period(sort, day, end, read_hours(sort, hours), kind, distance, f"{kind}/{first}/{distance}")


def hours_a_day(calendar: Calendar, first: str, days: int, purpose: Purpose = Purpose.IN_USE) -> list[float]:
    """Give the expected hours of consecutive days."""
    cut = calendar.cut(WEEK, purpose)
    begin = at(first)
    return [cut.expected_seconds(begin + n * 86400, begin + (n + 1) * 86400) / 3600 for n in range(days)]


def test_without_entries_a_timetable_stands_as_it_is() -> None:
    """No term rows: every day may be a school day."""
    assert hours_a_day(OPEN, "2026-11-02", 7) == [8, 8, 8, 8, 8, 0, 0]


def test_outside_of_the_terms_no_school_is_held() -> None:
    """A unit with terms is closed between them, first and last day included in them."""
    calendar = Calendar([period("term", "2026-09-07", "2026-11-03"), period("term", "2026-11-06", "2027-05-31")])
    assert hours_a_day(calendar, "2026-11-02", 7) == [8, 8, 0, 0, 8, 0, 0]


def test_the_terms_of_the_nearest_unit_hold_as_a_whole() -> None:
    """A school with terms of its own does not get the district's days as well."""
    district = period("term", "2026-09-07", "2027-05-31", distance=1)
    assert hours_a_day(Calendar([district, period("term", "2026-11-03", "2026-11-03")]), "2026-11-02", 3) == [0, 8, 0]


def test_tet_closes_two_weeks_and_the_days_around_it_are_school_days() -> None:
    """The shipped table closes 14 to 22 February 2026; the district's own longer holidays close more."""
    shipped = shipped_holidays().periods(3, date(2026, 1, 1), date(2026, 3, 31))
    assert hours_a_day(Calendar(shipped), "2026-02-12", 12) == [8, 8, *[0] * 9, 8]
    district = period("holiday", "2026-02-09", "2026-02-22", distance=1)
    assert hours_a_day(Calendar([*shipped, district]), "2026-02-06", 18) == [8, *[0] * 16, 8]


def test_a_morning_school_is_in_use_in_the_morning_only() -> None:
    """A shift cuts every timetable of the school, also for a part of the year and with hours of its own."""
    assert hours_a_day(Calendar([period("shift", "2026-09-01", "2027-05-31", "morning")]), "2026-11-02", 1) == [4.5]
    assert hours_a_day(Calendar([period("shift", "2026-09-01", "2027-05-31", "afternoon")]), "2026-11-02", 1) == [3.5]
    assert hours_a_day(Calendar([period("shift", "2026-11-03", None, "10:00-14:00")]), "2026-11-02", 3) == [8, 2.5, 8]
    both = [period("shift", "2026-09-01", "2027-05-31", "morning", 1), period("shift", "2026-11-03", None, "both")]
    assert hours_a_day(Calendar(both), "2026-11-02", 2) == [4.5, 8], "the school's own shift goes before the district's"


def test_lessons_made_up_on_a_saturday() -> None:
    """An exception opens a day: like another weekday, with hours of its own, or with its own timetable."""
    assert hours_a_day(Calendar([period("exception", "2026-11-07", hours="like Fri")]), "2026-11-07", 2) == [8, 0]
    assert hours_a_day(Calendar([period("exception", "2026-11-07", hours="07:00-09:00")]), "2026-11-07", 1) == [2]
    assert hours_a_day(Calendar([period("exception", "2026-11-07")]), "2026-11-07", 1) == [0], "Saturday has no lessons"
    morning = [
        period("exception", "2026-11-07", hours="like Fri"),
        period("shift", "2026-09-01", "2027-05-31", "morning"),
    ]
    assert hours_a_day(Calendar(morning), "2026-11-07", 1) == [4.5]


def test_the_nearest_unit_decides_a_day() -> None:
    """A school's exception opens the district's holiday, its holiday closes the district's exception."""
    for near, far, hours in (("exception", "holiday", 8), ("holiday", "exception", 0)):
        calendar = Calendar([period(near, "2026-11-02"), period(far, "2026-11-02", distance=1)])
        assert hours_a_day(calendar, "2026-11-02", 1) == [hours]
    assert hours_a_day(
        Calendar([period("exception", "2026-11-02"), period("holiday", "2026-11-02")]), "2026-11-02", 1
    ) == [8]
    term = period("term", "2027-01-04", "2027-01-31")
    assert hours_a_day(Calendar([term, period("exception", "2026-11-02", distance=2)]), "2026-11-02", 2) == [8, 0]


def test_exams_stop_bandwidth_tests_only() -> None:
    """In an exam machines are in use: silence counts, but nothing may load the line."""
    calendar = Calendar([period("exam", "2026-11-03")])
    assert hours_a_day(calendar, "2026-11-02", 3) == [8, 8, 8]
    assert hours_a_day(calendar, "2026-11-02", 3, Purpose.BANDWIDTH_TEST) == [8, 0, 8]


def test_what_is_always_on_or_never_used_stays_so() -> None:
    """A router reports at Tết too, and no exception puts a closed room in use."""
    calendar = Calendar([period("holiday", "2026-11-02"), period("exception", "2026-11-03", hours="07:00-09:00")])
    assert calendar.cut(ALWAYS) is ALWAYS
    assert calendar.cut(NEVER) is NEVER


def test_days_begin_at_midnight_in_ho_chi_minh_city() -> None:
    """Of a room in use around midnight a closed day takes exactly 24 hours; the zone never shifts."""
    night = parse("Mon-Sun 00:00-02:00 22:00-24:00")
    cut = Calendar([period("holiday", "2026-11-03")]).cut(night)
    assert list(cut.intervals(at("2026-11-02T21:00"), at("2026-11-04T03:00"))) == [
        (at("2026-11-02T22:00"), at("2026-11-03T00:00")), (at("2026-11-04T00:00"), at("2026-11-04T02:00")),
    ]  # fmt: skip
    assert cut.minute_mask(at("2026-11-02T23:00")) == (1 << 60) - 1
    assert cut.minute_mask(at("2026-11-03T00:00")) == 0
    days = [date(2000, 1, 1) + timedelta(days=number) for number in range(0, 15000, 7)]
    assert {(day_start(day) + 7 * 3600) % 86400 for day in days} == {0.0}


def test_values_age_in_expected_hours_only() -> None:
    """A week of use is seven days of age; nights, weekends and what a calendar closes add nothing."""
    ageing = Calendar([period("holiday", "2026-11-03", "2026-11-05")]).ageing(WEEK)
    week = sum(after - first for day in WEEK.week for first, after in day) * 60
    monday = WEEK.expected_seconds(at("2026-11-02T00:00"), at("2026-11-03T00:00"))
    assert ageing.age(at("2026-11-02T00:00"), at("2026-11-03T00:00")) == pytest.approx(monday / week * 7 * 86400)
    assert ageing.age(at("2026-11-02T23:00"), at("2026-11-06T00:00")) == 0
    assert ageing.age(at("2026-11-07T23:59"), at("2026-11-08T23:59")) == 0
    assert ageing.age(at("2026-11-05T06:00"), at("2026-11-03T06:00")) == 0
    assert ageing_of(WEEK).age(at("2026-11-09T09:00"), at("2026-11-16T09:00")) == pytest.approx(7 * 86400)


def test_a_room_without_hours_ages_on_open_days() -> None:
    """A store room is never in use; a value from there must not stay fresh for ever, and Tet does not age it."""
    calendar = Calendar([period("holiday", "2026-11-03", "2026-11-05")])
    assert calendar.ageing(NEVER).age(at("2026-11-02T12:00"), at("2026-11-08T12:00")) == 3 * 86400
    assert calendar.ageing(ALWAYS).age(at("2026-11-02T12:00"), at("2026-11-08T12:00")) == 6 * 86400
    assert ageing_of(NEVER).age(at("2026-11-02T12:00"), at("2026-11-08T12:00")) == 6 * 86400


def test_evidence_names_what_closed_and_opened() -> None:
    """The entries that decided about the days asked for, and no others."""
    calendar = Calendar(
        [period("holiday", "2026-11-03"), period("exception", "2026-11-03"), period("exam", "2026-11-20"),
         period("term", "2026-09-07", "2026-11-04")]
    )  # fmt: skip
    cut = calendar.cut(WEEK)
    assert cut.sources(at("2026-11-02T00:00"), at("2026-11-04T12:00")) == ("exception/2026-11-03/0",)
    assert cut.sources(at("2026-11-05T00:00"), at("2026-11-05T12:00")) == ("term/2026-09-07/0",)


def test_a_calendar_that_nobody_renewed_runs_out() -> None:
    """The last term vouches for one long break; then hours are not known, whatever the weekday. So does the table."""
    calendar = Calendar([period("term", "2026-09-07", "2027-05-31")], ("public holidays", date(2028, 12, 31)))
    ends = date(2027, 5, 31) + timedelta(days=BREAK_DAYS)
    assert ends > date(2027, 9, 5), "the summer is no forgotten year"
    assert calendar.expired(ends) == ""
    assert calendar.expired(ends + timedelta(days=1)) == f"terms until {ends}"
    assert Calendar((), ("public holidays", date(2028, 12, 31))).expired(date(2028, 12, 31)) == ""
    assert "public holidays until 2028" in Calendar((), ("public holidays", date(2028, 12, 31))).expired(
        date(2029, 1, 1)
    )
    assert OPEN.expired(date(2099, 1, 1)) == ""
    assert calendar.cut(WEEK).expired(at("2029-01-01T00:00")).startswith("public holidays")


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (NewEntry(CalendarKind.HOLIDAY, MONDAY, MONDAY - timedelta(days=1)), "ends before it begins"),
        (NewEntry(CalendarKind.TERM, MONDAY, None), "needs a last day"),
        (NewEntry(CalendarKind.TERM, MONDAY, MONDAY + timedelta(days=400)), "longer than 400 days"),
        (NewEntry(CalendarKind.EXAM, date(202, 1, 1), date(202, 1, 1)), "not a year"),
        (NewEntry(CalendarKind.EXAM, MONDAY, MONDAY, hours="07:00-08:00"), "whole days have no hours"),
        (NewEntry(CalendarKind.SHIFT, MONDAY, None), "a shift needs hours"),
        (NewEntry(CalendarKind.SHIFT, MONDAY, None, hours="evening"), "not hours such as"),
        (NewEntry(CalendarKind.EXCEPTION, MONDAY, MONDAY, hours="like Fryday"), "not a day"),
        (NewEntry(CalendarKind.EXCEPTION, MONDAY, MONDAY, hours="like Mon-Fri"), "not one day"),
        (NewEntry(CalendarKind.EXCEPTION, MONDAY, MONDAY, hours="09:00-11:00 10:00-12:00"), "overlap"),
    ],
)
def test_entries_that_make_no_sense_are_refused(entry: NewEntry, told: str) -> None:
    """The sentence says what was expected."""
    with pytest.raises(CalendarError, match=told):
        entry.check()


_KIND = st.sampled_from(["term", "holiday", "exam", "shift", "exception"])
_HOURS = {"shift": ["morning", "afternoon", "09:00-14:30"], "exception": ["", "like Tue", "06:00-07:00 18:00-24:00"]}


@st.composite
def _periods(draw: st.DrawFn) -> Period:
    kind = draw(_KIND)
    first = MONDAY + timedelta(days=draw(st.integers(-5, 20)))
    last = first + timedelta(days=draw(st.integers(0, 9)))
    hours = draw(st.sampled_from(_HOURS.get(kind, [""])))
    return period(kind, first.isoformat(), last.isoformat(), hours, draw(st.integers(0, 2)))


_CALENDARS = st.lists(_periods(), max_size=8).map(Calendar)
_TIMETABLES = st.sampled_from(
    ["", "Mon-Sun 00:00-24:00", "Mon-Fri 07:00-11:30 13:00-16:30; Sat 06:00-08:00", "Wed 00:01-23:59"]
)
_BEGIN = at("2026-10-30T00:00")


@settings(max_examples=60, deadline=None)
@given(_CALENDARS, _TIMETABLES, st.integers(0, 1500000), st.integers(0, 500000), st.sampled_from(Purpose))
def test_intervals_lie_in_the_window_disjoint_and_in_order(
    calendar: Calendar, text: str, start: int, length: int, purpose: Purpose
) -> None:
    """Whatever the calendar: each interval is inside, none is empty, none touches time before the one before."""
    low, high = _BEGIN + start, _BEGIN + start + length
    cut = calendar.cut(parse(text), purpose)
    reached = low
    for begin, end in cut.intervals(low, high):
        assert reached <= begin < end <= high
        reached = end
    middle = (low + high) / 2
    parts = cut.expected_seconds(low, middle) + cut.expected_seconds(middle, high)
    assert parts == pytest.approx(cut.expected_seconds(low, high))


@settings(max_examples=60, deadline=None)
@given(_CALENDARS, _TIMETABLES, st.integers(0, 500))
def test_minute_masks_agree_with_intervals(calendar: Calendar, text: str, hour: int) -> None:
    """A bit is set exactly for a minute in an interval: these texts know whole minutes only."""
    start = _BEGIN + 3600 * hour
    cut = calendar.cut(parse(text))
    mask = cut.minute_mask(start)
    assert mask.bit_count() * 60 == cut.expected_seconds(start, start + 3600)
    for minute in range(60):
        inside = cut.expected_seconds(start + 60 * minute, start + 60 * minute + 60) > 0
        assert bool(mask >> minute & 1) is inside


@settings(max_examples=40, deadline=None)
@given(_CALENDARS, _TIMETABLES, st.integers(0, 30_000), st.integers(0, 6_000))
def test_masks_of_a_period_are_those_of_its_hours(calendar: Calendar, text: str, minute: int, length: int) -> None:
    """Many hours at once give what each hour gives by itself, cut at the period's edges, and no empty hours."""
    cut = calendar.cut(parse(text))
    start, end = _BEGIN + 60 * minute, _BEGIN + 60 * (minute + length)
    wanted = {}
    for hour in range(int(start // 3600) * 3600, int(end) + 3600, 3600):
        inside = sum(1 << bit for bit in range(60) if start <= hour + 60 * bit < end)
        if mask := cut.minute_mask(hour) & inside:
            wanted[hour] = mask
    assert cut.minute_masks(start, end) == wanted


@settings(max_examples=60, deadline=None)
@given(_CALENDARS, _TIMETABLES, st.integers(0, 20))
def test_a_bandwidth_test_never_runs_when_a_room_is_not_in_use(calendar: Calendar, text: str, day: int) -> None:
    """Exams only take away."""
    start = _BEGIN + 86400 * day
    used = calendar.cut(parse(text)).expected_seconds(start, start + 86400)
    assert calendar.cut(parse(text), Purpose.BANDWIDTH_TEST).expected_seconds(start, start + 86400) in (0, used)


_MINUTES = st.lists(st.integers(0, 1440), unique=True, max_size=8).map(
    lambda points: tuple(zip(*[iter(sorted(points)[: len(points) // 2 * 2])] * 2, strict=True))
)


@given(_MINUTES, _MINUTES)
def test_what_two_lists_of_minutes_have_in_common(left: tuple[Minutes, ...], right: tuple[Minutes, ...]) -> None:
    """A minute is common exactly when both have it."""

    def members(spans: tuple[Minutes, ...]) -> set[int]:
        return {minute for first, after in spans for minute in range(first, after)}

    assert members(meet(left, right)) == members(left) & members(right)
