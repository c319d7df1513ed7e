"""Days that a calendar has closed age nothing: to the second, about the right period, and with their sources told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest

from phongmay_rules.checks.outcome import Context
from phongmay_rules.facts.network import last_day
from phongmay_rules.facts.presence import REPORTED_S, has_reported, presence_facts
from phongmay_rules.model import NumberFrom
from phongmay_store.series.interface import Presence

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


@dataclass
class Hours:
    """Hours of a room whose calendar closed some seconds, and what was asked about it."""

    closed: float = 0.0
    asked: list[tuple[float, float]] = field(default_factory=list)

    def closed_seconds(self, start: float, end: float) -> float:
        """Give the closed seconds."""
        self.asked.append((start, end))
        return self.closed

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


@pytest.mark.parametrize(
    ("age", "closed", "stale"),
    [(100, 0, False), (101, 0, True), (101, 1, False), (102, 1, True), (50, 900, False), (500, 400, False)],
)
def test_a_value_ages_on_open_days_only(age: float, closed: float, stale: bool) -> None:
    """Exactly as old as it may be is fresh; the closed part of its age is that between it and now."""
    hours = Hours(closed)
    context = Context({}, [], {}, NumberFrom.PLAN, "", AT, hours.closed_seconds)
    assert context.is_stale(AT - age, 100) is stale
    assert set(hours.asked) <= {(AT - age, AT)}


@pytest.mark.parametrize(
    ("beyond", "closed", "reported"), [(0, 0, True), (1, 0, False), (1, 1, True), (2, 1, False), (9e5, 9e5, True)]
)
def test_seven_open_days(beyond: float, closed: float, reported: bool) -> None:
    """A PC that was silent for seven days and all of Tết has reported; a second more and it has not."""
    hours: Any = Hours(closed)
    last_seen = AT - REPORTED_S - beyond
    assert has_reported(Presence("pc", "online", "s", "r", 0.0, last_seen, "1"), hours, AT) is reported
    assert set(hours.asked) <= {(last_seen, AT)}
    assert has_reported(None, hours, AT) is False


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
