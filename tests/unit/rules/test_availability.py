"""Availability over 30 days: what counts as there, not there and not known, and when it is counted anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_rules.engine import Engine
from phongmay_rules.facts import availability
from phongmay_rules.facts.availability import Tally, month, tally, vouched
from phongmay_rules.facts.catalogue import Found, missing
from phongmay_rules.facts.schools import FactMaker
from phongmay_rules.facts.suppliers import BY_FACT, Supplier, supply
from phongmay_rules.places import read_organisation
from phongmay_rules.reasons import Reason
from phongmay_store.register.calendar import CalendarKind, DayHours, NewEntry, put
from phongmay_store.register.calendar_hours import Calendar, Period
from phongmay_store.register.device import Device
from phongmay_store.register.timetable import ALWAYS, NEVER, Hours, parse
from phongmay_store.series.strips import strip

pytestmark = pytest.mark.one_register

NOW = datetime.fromisoformat("2026-11-26T10:00:00+07:00")
"""A Thursday; the window has four Mondays."""
MONDAY = date(2026, 11, 23)
LESSONS = "Mon 07:00-09:00"
FULL = (1 << 60) - 1
WINDOW = availability.window(NOW.timestamp())
HOURS = [int(WINDOW[0]) + 3600 * n for n in range(720)]
MASKS = st.dictionaries(st.sampled_from(HOURS), st.integers(0, FULL), max_size=30)


def lesson(weeks_ago: int) -> datetime:
    """Give when a lesson began."""
    return NOW.replace(hour=7) - timedelta(days=3 + 7 * weeks_ago)


def cut(text: str) -> Hours:
    """Give the hours of a timetable under an empty calendar."""
    return Calendar().cut(parse(text))


def minutes(masks: Mapping[int, int]) -> int:
    """Put masks of hours of the window into one number."""
    return strip(masks, *WINDOW)


def values(found: list[Found]) -> list[object]:
    return [fact.missing or fact.value for fact in found]


# -- counting ---------------------------------------------------------------------------------------------------------


def test_the_window_is_thirty_local_days_up_to_midnight() -> None:
    """Whatever the hour, a day has one window: what was counted holds all day."""
    first, last = NOW.replace(hour=0), NOW.replace(hour=23, minute=59, second=59)
    assert availability.window(first.timestamp()) == availability.window(last.timestamp()) == WINDOW
    assert (first.timestamp() - 30 * 86400, first.timestamp()) == WINDOW


@given(st.sampled_from([LESSONS, "Mon-Fri 07:05-11:30 13:00-16:30", "always", "never"]), MASKS, MASKS,
       st.floats(WINDOW[0] - 1e6, WINDOW[1] + 1e6) | st.floats(WINDOW[0] - 100, WINDOW[0] + 4000))  # fmt: skip
def test_counts_are_those_of_a_count_minute_by_minute(
    text: str, heard: dict[int, int], seen: dict[int, int], since: float
) -> None:
    """The masks give what anybody gets who asks each minute by itself: expected, heard, seen."""
    hours = cut(text)
    count = tally(month(hours, heard, NOW.timestamp()), since, minutes(seen))
    expected = known = up = 0
    for hour in HOURS:
        wanted = hours.minute_mask(hour)
        for minute in range(60):
            if wanted >> minute & 1 and hour + 60 * minute >= since:
                expected += 1
                known += heard.get(hour, 0) >> minute & 1
                up += heard.get(hour, 0) >> minute & seen.get(hour, 0) >> minute & 1
    assert (count.expected, count.known, count.up) == (expected, known, up)


def test_the_calendar_of_the_window_is_named() -> None:
    """Entries of the first and the last day had a say in what was expected; of the days around them none had."""
    first = date(2026, 10, 27)
    days = [first + timedelta(days=n) for n in (-1, 0, 29, 30)]
    periods = tuple(Period(CalendarKind.HOLIDAY, day, day, DayHours(), "nghỉ", 0, f"entry/{day}") for day in days)
    hours = Calendar(periods).cut(parse("Mon-Sun 07:00-09:00"))
    count = month(hours, {}, NOW.timestamp())
    assert sorted(count.sources) == ["entry/2026-10-27", "entry/2026-11-25"]
    assert (count.start, count.end) == WINDOW
    assert (count.expected.bit_count(), count.known) == (28 * 120, 0)


@given(MASKS, MASKS, MASKS)
def test_more_seen_is_never_less_available(heard: dict[int, int], seen: dict[int, int], more: dict[int, int]) -> None:
    """A machine that was there longer has no smaller share, and what is known does not depend on it."""
    whole = month(ALWAYS, heard, NOW.timestamp())
    both = {hour: seen.get(hour, 0) | more.get(hour, 0) for hour in {*seen, *more}}
    less, great = tally(whole, 0.0, minutes(seen)), tally(whole, 0.0, minutes(both))
    assert less.up <= great.up <= great.known == less.known <= great.expected == 30 * 1440


def test_unheard_minutes_count_neither_way() -> None:
    """A broker that was down for a week costs no school anything, whether its PCs ran or not."""
    hour = int(lesson(0).timestamp())
    for seen in ({}, {hour: FULL, hour + 3600: FULL}):
        count = tally(month(cut(LESSONS), {}, NOW.timestamp()), 0.0, minutes(seen))
        assert (count.expected, count.known, count.up) == (4 * 120, 0, 0)
        assert values(availability.found(availability.DEVICE, count, (), 1.0)) == [Reason.NO_DATA, 0, 0.0]


def test_an_agent_that_came_later_is_not_expected_before() -> None:
    """Weeks before the agent was there are not held against the machine."""
    heard = dict.fromkeys(HOURS, FULL)
    begin = lesson(0).timestamp()
    count = tally(month(cut(LESSONS), heard, NOW.timestamp()), begin + 1800, minutes({int(begin): FULL}))
    assert (count.start, count.expected, count.known, count.up) == (begin + 1800, 90, 90, 30)
    count = tally(month(cut(LESSONS), heard, NOW.timestamp()), NOW.timestamp(), minutes({int(begin): FULL}))
    assert values(availability.found(availability.DEVICE, count, (), 1.0)) == [Reason.NO_EXPECTED_TIME] * 3


def test_an_agent_that_came_on_the_hour_is_not_there_the_hour_before() -> None:
    """What a machine with the same identity did before its agent was expected is not credited to it."""
    seen = minutes({HOURS[0]: FULL, HOURS[1]: 1})
    count = tally(month(ALWAYS, dict.fromkeys(HOURS, FULL), NOW.timestamp()), HOURS[1], seen)
    assert (count.expected, count.known, count.up) == (719 * 60, 719 * 60, 1)
    count = tally(month(ALWAYS, dict.fromkeys(HOURS, FULL), NOW.timestamp()), HOURS[0] + 1800, seen)
    assert (count.expected, count.known, count.up) == (719 * 60 + 30, 719 * 60 + 30, 31)


def test_a_room_that_is_never_in_use_has_no_availability() -> None:
    """No expected time is unknown, never a share of 100 %."""
    count = tally(month(NEVER, dict.fromkeys(HOURS, FULL), NOW.timestamp()), 0.0, 0)
    assert values(availability.found(availability.ROOM, count, (), 1.0)) == [Reason.NO_EXPECTED_TIME] * 3


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (Tally(0, 1, 1000, 1000, 949), [0.94, 15 * 3600, 1.0]),
        (Tally(0, 1, 1000, 1000, 950), [0.95, 15 * 3600, 1.0]),
        (Tally(0, 1, 500, 240, 240), [1.0, 4 * 3600, 0.4]),
        (Tally(0, 1, 500, 239, 0), [0.0, 3 * 3600, 0.4]),
        (Tally(0, 1, 500, 250, 1), [0.0, 4 * 3600, 0.5]),
        (Tally(0, 1, 43200, 43200, 43200), [1.0, 300 * 3600, 1.0]),
        (Tally(0, 1, 100, 59, 59), [1.0, 0, 0.5]),
    ],
)
def test_facts_are_rounded_down(count: Tally, wanted: list[float]) -> None:
    """Rounding never turns too little into enough, at the limits of 95 %, 4 hours and half least of all."""
    found = availability.found(availability.DEVICE, count, ("register:calendar_entry/7",), 5.0)
    assert [fact.name for fact in found] == list(availability.DEVICE)
    assert values(found) == wanted
    for fact in found:
        assert fact.detail["minutes_expected"] == count.expected
        assert fact.detail["minutes_known"] == count.known
        assert fact.detail["minutes_up"] == count.up
        assert fact.sources == ("series:minutes/0-1", "register:calendar_entry/7")
        assert fact.at == 5.0


def test_what_is_not_known_can_be_followed() -> None:
    """A share that nobody knows comes with the minutes and the period that it would have been made from."""
    sources = ("series:minutes/10-20", "register:calendar_entry/7")
    detail = {"minutes_expected": 5, "minutes_known": 0, "minutes_up": 0, "from": 10.0, "to": 20.0}
    assert availability.found(availability.ROOM, Tally(10.0, 20.0, 5, 0, 0), sources[1:], 30.0) == [
        missing(availability.ROOM[0], Reason.NO_DATA, 30.0, sources=sources, **detail),
        Found(availability.ROOM[1], 0, 30.0, None, sources, detail),
        Found(availability.ROOM[2], 0.0, 30.0, None, sources, detail),
    ]
    assert availability.found(availability.ROOM, Tally(10.0, 20.0, 0, 0, 0), sources[1:], 30.0) == [
        missing(name, Reason.NO_EXPECTED_TIME, 30.0) for name in availability.ROOM
    ]


def there(seen: Mapping[int, int], interval: float) -> dict[int, int]:
    """Give the minutes that rounds vouch for, hour by hour of the window; hours are counted from 0."""
    strip_of = vouched(sum(mask << 64 * hour for hour, mask in seen.items()), interval)
    hours = {hour: strip_of >> 64 * hour & (1 << 64) - 1 for hour in range(721)}
    return {hour: mask for hour, mask in hours.items() if mask}


def test_a_round_vouches_until_the_next_is_due() -> None:
    """A machine that reports every five minutes is there all the time; a minute skipped by chance is no absence."""
    every_five = sum(1 << minute for minute in range(0, 60, 5))
    assert there({0: every_five}, 300.0) == {0: FULL, 1: 1}
    assert there({0: 0b1011}, 60.0) == {0: 0b11111}
    assert there({0: 0b1001}, 60.0) == {0: 0b11011}, "two minutes without a round are one not there"
    assert there({0: 1 << 59, 1: 1 << 3}, 3.0) == {0: 1 << 59, 1: 0b11001}
    assert there({0: 1 << 59, 2: 1 << 3}, 60.0) == {0: 1 << 59, 1: 1, 2: 0b11000}
    assert there({0: 1}, 61.0) == {0: 0b111}, "an interval that was begun counts whole"
    assert there({0: 1}, 1e9) == {0: FULL, 1: 1}
    assert there({700: 1 << 30}, 1e9) == {700: FULL ^ (1 << 30) - 1, 701: (1 << 31) - 1}
    assert there({719: 1 << 59}, 60.0) == {719: 1 << 59, 720: 1}
    assert there({0: 0}, 60.0) == {}


@given(MASKS, st.integers(1, 4000))
def test_vouching_is_that_of_each_round_by_itself(seen: dict[int, int], interval: int) -> None:
    """A round vouches for its minute and those until the next one is due, an hour at most, and for no other."""
    out = there({HOURS.index(hour): mask for hour, mask in seen.items()}, float(interval))
    rounds = {60 * HOURS.index(hour) + bit for hour, mask in seen.items() for bit in range(60) if mask >> bit & 1}
    steps = min(60, -(-interval // 60))
    wanted = {minute + step for minute in rounds for step in range(steps + 1)}
    assert {60 * hour + bit for hour, mask in out.items() for bit in range(64) if mask >> bit & 1} == wanted


# -- through register, series and rules -------------------------------------------------------------------------------


@pytest.fixture
def month_house(empty_house: Any) -> Any:
    """A room with one lesson a week, heard for 30 days: one PC always there, one half of the time, one from today."""
    house = empty_house
    house.unit("th", "school", "quan", "tieu_hoc")
    house.room("r", "th", timetable=LESSONS)
    for name, since in (("good", 40), ("half", 40), ("new", 0)):
        house.device(name, "th", "r", agent_since=NOW - timedelta(days=since))
    for week in range(4):
        house.seen("good", lesson(week), 120)
        house.seen("half", lesson(week), 60)
    house.listen(NOW - timedelta(days=31), NOW)
    return house


def test_verdicts_on_a_month_of_lessons(month_house: Any) -> None:
    """TB-10 passes who was there, fails who was not in half of the lessons, and does not judge a newcomer."""
    month_house.evaluate(NOW)
    assert month_house.state("good", "TB-10") == ("pass", "met")
    assert month_house.state("half", "TB-10") == ("fail", "below")
    assert month_house.state("new", "TB-10") == ("unknown", "no_expected_time")
    assert month_house.verdict("half", "TB-10").measured["value"] == 0.5


def test_a_machine_without_certain_data_is_unknown(month_house: Any) -> None:
    """No agent and an unreadable timetable are reasons of their own, for the machine and for its room."""
    month_house.room("bad", "th", timetable="Monday")
    month_house.room("empty", "th", timetable=LESSONS)
    month_house.device("dumb", "th", "r", agent_since=None)
    month_house.device("lost", "th", "bad", agent_since=NOW - timedelta(days=40))
    with month_house.sessions() as session:
        school = read_organisation(session, NOW).schools["th"]
    found = FactMaker(NOW.timestamp()).make([school], month_house.series)
    reasons = {
        subject: {fact.missing for fact in facts if "availability" in fact.name} for subject, facts in found.items()
    }
    assert reasons["device", "dumb"] == {Reason.NO_AGENT}
    assert reasons["device", "lost"] == reasons["room", "bad"] == {Reason.BAD_TIMETABLE}
    assert reasons["room", "empty"] == {Reason.NO_AGENT}
    assert reasons["room", "r"] == {None}


def test_a_collector_that_was_away_costs_nothing(empty_house: Any) -> None:
    """Silence of the PCs while nobody listened is not held against them; too much of it is unknown, never a pass."""
    house = empty_house
    house.unit("th", "school", "quan", "tieu_hoc")
    house.room("r", "th", timetable=LESSONS)
    house.device("pc", "th", "r", agent_since=NOW - timedelta(days=40))
    house.seen("pc", lesson(0), 120)
    house.seen("pc", lesson(1), 120)
    house.listen(lesson(1), NOW)
    house.evaluate(NOW)
    assert house.state("pc", "TB-10") == ("pass", "met"), "half of four lessons is known, and there it was"
    house.listen(lesson(3), lesson(2))
    house.evaluate(NOW)
    assert house.state("pc", "TB-10") == ("fail", "below"), "the third of three lessons was missed, and heard to be"


def test_a_room_is_there_with_its_teachers_computer(month_house: Any) -> None:
    """The teacher's PC decides; without one any PC of the room; one in repair or in conflict decides nothing."""

    def room(house: Any) -> tuple[object, ...]:
        with house.sessions() as session:
            school = read_organisation(session, NOW).schools["th"]
        found = FactMaker(NOW.timestamp()).make([school], house.series)["room", "r"]
        return tuple(fact.missing or fact.value for fact in found if fact.name in availability.ROOM)

    assert room(month_house) == (1.0, 8 * 3600, 1.0)
    month_house.device("teacher", "th", "r", agent_since=NOW - timedelta(days=40), kind="teacher_pc")
    month_house.seen("teacher", lesson(0), 120)
    assert room(month_house) == (0.25, 8 * 3600, 1.0)
    month_house.revise(Device, "teacher", NOW - timedelta(hours=1), state="in_repair")
    assert room(month_house) == (1.0, 8 * 3600, 1.0)


def test_a_day_off_entered_afterwards_counts(month_house: Any) -> None:
    """The same minutes under the corrected calendar: lessons that did not take place were missed by nobody."""
    month_house.evaluate(NOW)
    assert month_house.state("half", "TB-10") == ("fail", "below")
    for week in range(4):
        month_house.seen("half", lesson(week) + timedelta(hours=1), 60 if week < 2 else 0)
    with month_house.sessions() as session:
        for week in (2, 3):
            day = lesson(week).date()
            put(session, "th", NewEntry(CalendarKind.HOLIDAY, day, day, "nghỉ bão"))
        session.commit()
    month_house.evaluate(NOW)
    assert month_house.state("half", "TB-10") == ("pass", "met")
    sources = month_house.verdict("half", "TB-10").evidence[0]["sources"]
    assert sum(source.startswith("register:calendar_entry/") for source in sources) == 2


@pytest.mark.parametrize("names", [availability.DEVICE, availability.ROOM])
def test_who_can_supply_what_is_missing(names: tuple[str, ...]) -> None:
    """A collector that was away is its operator's to mend; a new agent needs time; none needs one that is on."""
    for name in names:
        assert supply(Reason.COVERAGE, name) == BY_FACT[names[2]]
        assert BY_FACT[names[2]].who is Supplier.OPERATOR
        assert supply(Reason.TOO_FEW, name) == BY_FACT[names[0]]
        assert supply(Reason.NO_AGENT, name) == BY_FACT["heard"]
    assert supply(Reason.COVERAGE, "internet_reach_ratio") == BY_FACT["internet_reach_ratio"]


# -- the book ---------------------------------------------------------------------------------------------------------


def reads(house: Any, engine: Engine, at: datetime, monkeypatch: pytest.MonkeyPatch) -> int:
    """Evaluate and give how often 30 days of minutes were read."""
    count = 0
    real = type(house.series).strips

    def counted(series: Any, start: float, end: float, devices: Any) -> Any:
        nonlocal count
        count += 1
        assert end - start == 30 * 86400
        return real(series, start, end, devices)

    with monkeypatch.context() as patched:
        patched.setattr(type(house.series), "strips", counted)
        engine.evaluate(house.series, at=at)
    return count


def test_a_month_is_read_once_until_something_changes(month_house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read once a school; again after the time, on the next day, for a new device, and for a corrected calendar."""
    engine = Engine(month_house.sessions, month_house.pack, recount_s=7200.0)
    minutes = timedelta(minutes=1)
    assert reads(month_house, engine, NOW, monkeypatch) == 1
    assert reads(month_house, engine, NOW + minutes, monkeypatch) == 0
    assert month_house.state("half", "TB-10") == ("fail", "below"), "facts are there without reading, too"
    assert reads(month_house, engine, NOW + 120 * minutes, monkeypatch) == 1
    month_house.device("another", "th", "r", agent_since=NOW)
    assert reads(month_house, engine, NOW + 121 * minutes, monkeypatch) == 1
    with month_house.sessions() as session:
        put(session, "quan", NewEntry(CalendarKind.HOLIDAY, MONDAY, MONDAY, "h"))
        session.commit()
    assert reads(month_house, engine, NOW + 122 * minutes, monkeypatch) == 1
    assert reads(month_house, engine, NOW + 123 * minutes, monkeypatch) == 0
    late = NOW.replace(hour=23, minute=59)
    assert reads(month_house, engine, late, monkeypatch) == 1
    assert reads(month_house, engine, late + minutes, monkeypatch) == 1
    assert reads(month_house, engine, NOW, monkeypatch) == 1, "an earlier instant has another window"


def test_without_time_nothing_is_remembered(month_house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that must not hold is made at every evaluation."""
    engine = Engine(month_house.sessions, month_house.pack)
    assert [reads(month_house, engine, NOW, monkeypatch) for _ in range(2)] == [1, 1]
