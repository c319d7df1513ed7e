"""Closed time ages nothing: to the second, about the right period, and with their sources told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from phongmay_rules.checks.outcome import Context
from phongmay_rules.facts.catalogue import DAY
from phongmay_rules.facts.network import last_day, minutes_between
from phongmay_rules.facts.presence import has_reported, presence_facts
from phongmay_rules.facts.records import FactValue
from phongmay_rules.memory import stale_at
from phongmay_rules.model import NumberFrom
from phongmay_rules.places import DevicePlace, RoomPlace, SchoolPlace
from phongmay_store.register.calendar import CalendarKind, DayHours
from phongmay_store.register.calendar_hours import Calendar, Period
from phongmay_store.register.timetable import parse
from phongmay_store.series.interface import Presence

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


@dataclass
class Hours:
    """Hours of a room that is always in use, as its calendar tells."""

    def expected_seconds(self, start: float, end: float) -> float:
        """All of it is in use."""
        return end - start

    def sources(self, start: float, end: float) -> tuple[str, ...]:
        """Give an entry that names the period."""
        return (f"calendar:{start - AT:g}:{end - AT:g}",)

    def intervals(self, start: float, end: float) -> list[tuple[float, float]]:
        """In use for the last hour, and that of the day before."""
        return [(AT - 25 * HOUR, AT - 24 * HOUR), (AT - HOUR, AT)]

    def on(self, day: date) -> bool:
        """Every day."""
        return True

    def minute_mask(self, hour: int) -> int:
        """All minutes."""
        return (1 << 60) - 1


WEEK_TEXT = "Mon-Fri 07:00-11:30 13:00-16:30"
WEEK = parse(WEEK_TEXT)
TET = Period(CalendarKind.HOLIDAY, date(2026, 11, 10), date(2026, 11, 16), DayHours(), "Tết", 0, "row")


@pytest.mark.parametrize(("age", "stale"), [(7 * DAY, False), (7 * DAY + 1, True), (6 * DAY, False)])
@pytest.mark.parametrize("closed", [False, True])
def test_a_value_ages_in_use_only(age: float, stale: bool, closed: bool) -> None:
    """At ten on Monday a value of the Monday before is exactly a week old; with a week of holidays between, it takes
    another week to get there."""
    calendar = Calendar([TET] if closed else [])
    context = Context({}, [], {}, NumberFrom.PLAN, "", AT, calendar.ageing(WEEK))
    assert context.is_stale(AT - age - (7 * DAY if closed else 0), 7 * DAY) is stale


@pytest.mark.parametrize(("ago", "closed", "reported"), [
    (7 * DAY, False, True), (7 * DAY + 1, False, False), (14 * DAY, True, True), (14 * DAY + 1, True, False),
])  # fmt: skip
def test_a_week_of_use(ago: float, closed: bool, reported: bool) -> None:
    """A PC that was silent for a week and all of Tết has reported; a second in use more and it has not."""
    hours = Calendar([TET] if closed else []).cut(WEEK)
    heard = Presence("pc", "online", "s", "r", 0.0, AT - ago, "1")
    assert has_reported(heard, hours, AT) is reported
    assert has_reported(None, hours, AT) is False
    facts = {found.name: found.value for found in presence_facts(heard, hours, 0.0, 60.0, AT)}
    assert facts["reported_7d"] == reported, "the fact is counted by the room's hours too"


def test_the_next_instant_at_which_a_value_is_stale() -> None:
    """It is inside the hours, to the second; a value that is stale already has none; Tết ahead is not guessed."""
    school = SchoolPlace("s", "s", "thcs", rooms=[RoomPlace("r", "s", "computer_room", 4, WEEK_TEXT, "row")])
    school.devices = [DevicePlace("d", "s", "r", "pc", "in_service", None, False, WEEK_TEXT, "row")]

    def due(ago: float, at: float = AT) -> float:
        fact = FactValue(1, "link_speed_bps", 1e9, "", at - ago)
        return stale_at(school, {("device", "d"): {"link_speed_bps": fact}}, [("device", "d")], at)

    assert due(0) == pytest.approx(AT + 7 * DAY)
    assert due(6 * DAY) == pytest.approx(AT + DAY)
    friday_night = AT + 4 * DAY + 12 * HOUR
    assert due(friday_night - AT, friday_night) == pytest.approx(AT + 7 * DAY)
    assert due(7 * DAY) == pytest.approx(AT)
    assert due(7 * DAY + 1) == float("inf")


def test_silence_names_the_calendar_that_had_a_say() -> None:
    """Of a quiet machine the entries of the period of its silence; of one that spoke just now none."""
    hours: Any = Hours()
    quiet = Presence("pc", "lost", "s", "r", 0.0, AT - HOUR, "1")
    for found in presence_facts(quiet, hours, AT - 5 * HOUR, 60.0, AT):
        assert found.sources == ("series:presence/pc/s", "calendar:-3600:0")
    for ago in (0, 60, 119):  # below two of its rounds nothing is silent
        spoke = Presence("pc", "online", "s", "r", 0.0, AT - ago, "1")
        for found in presence_facts(spoke, hours, AT - HOUR, 60.0, AT):
            assert found.sources == ("series:presence/pc/s",)
    for found in presence_facts(None, hours, AT - 2 * HOUR, 60.0, AT):
        assert found.sources == ("calendar:-7200:0",)


def test_the_last_day_names_the_calendar_that_had_a_say() -> None:
    """The entries are those of the day that is looked at, its end left out."""
    hours: Any = Hours()
    day = last_day(hours, AT)
    assert day is not None
    assert (day.start, day.end) == (AT - 24 * HOUR, AT)
    assert day.sources == ("calendar:-86400:-1",)


@dataclass
class Days:
    """Hours of a room that is in use for one hour on some days, counted back from today."""

    back: tuple[int, ...]

    def intervals(self, start: float, end: float) -> list[tuple[float, float]]:
        """The hour before ten o'clock of each day."""
        found = [(AT - days * DAY - HOUR, AT - days * DAY) for days in sorted(self.back, reverse=True)]
        return [one for one in found if start <= one[0] and one[1] <= end]

    def on(self, day: date) -> bool:
        """Of the days in use."""
        return (date(2026, 11, 23) - day).days in self.back

    def minute_mask(self, hour: int) -> int:
        """All minutes of the hour before ten o'clock."""
        return (1 << 60) - 1 if any(hour == AT - days * DAY - HOUR for days in self.back) else 0

    def sources(self, start: float, end: float) -> tuple[str, ...]:
        """None."""
        return ()


@pytest.mark.parametrize(
    ("before", "days"), [((), 1), ((1,), 1), ((20,), 20), ((21,), 21), ((22,), 1), ((3, 20), 3)]
)  # fmt: skip
def test_the_last_day_begins_where_the_day_in_use_before_it_ended(before: tuple[int, ...], days: int) -> None:
    """It reaches back three weeks, the longest holidays of a school; a room that was used once has one day."""
    hours: Any = Days((0, *before))
    day = last_day(hours, AT)
    assert day is not None
    assert (day.start, day.end) == (AT - days * DAY, AT)
    assert day.masks == {int(AT - HOUR): (1 << 60) - 1}


def test_no_hour_has_more_than_sixty_minutes() -> None:
    """Of a span that covers the hour, begins or ends in it, or misses it, the minutes of this hour are told."""
    whole = (1 << 60) - 1
    assert minutes_between(3600, 3600, 3 * 3600) == whole
    assert minutes_between(3600, 0, 3 * 3600) == whole
    assert minutes_between(3600, 3600 + 59 * 60, 9e9) == 1 << 59
    assert minutes_between(3600, 0, 3600 + 60) == 1
    for start, end in ((0, 3600), (7200, 9e9), (9e8, 9e9), (0, 0)):
        assert minutes_between(3600, start, end) == 0
