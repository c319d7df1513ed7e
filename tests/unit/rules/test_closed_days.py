"""Closed time ages nothing: to the second, about the right period, and with their sources told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from phongmay_rules.checks.outcome import Context
from phongmay_rules.facts.catalogue import DAY
from phongmay_rules.facts.network import last_day
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
    assert has_reported(Presence("pc", "online", "s", "r", 0.0, AT - ago, "1"), hours, AT) is reported
    assert has_reported(None, hours, AT) is False


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
    for found in presence_facts(Presence("pc", "online", "s", "r", 0.0, AT, "1"), hours, AT - HOUR, 60.0, AT):
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
