"""The shipped table of public holidays against the sky, the law and its own end."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from phongmay_store.register.calendar import CalendarError
from phongmay_store.register.public_holidays import TABLE, read_holidays, shipped_holidays
from phongmay_store.register.timetable import LOCAL
from phongmay_store.shipped import ShippedTable, Validity

YEARS = range(2024, 2029)


def new_moon(number: int) -> date:
    """Give the local day of a new moon: Meeus, Astronomical Algorithms, chapter 49, main terms (to a few minutes)."""
    t = number / 1236.85
    jde = 2451550.09766 + 29.530588861 * number + 0.00015437 * t * t
    sun = math.radians(2.5534 + 29.10535670 * number)
    moon = math.radians(201.5643 + 385.81693528 * number)
    latitude = math.radians(160.7108 + 390.67050284 * number)
    jde += (
        -0.40720 * math.sin(moon) + 0.17241 * math.sin(sun) + 0.01608 * math.sin(2 * moon)
        + 0.01039 * math.sin(2 * latitude) + 0.00739 * math.sin(moon - sun) - 0.00514 * math.sin(moon + sun)
        + 0.00208 * math.sin(2 * sun)
    )  # fmt: skip
    seconds = (jde - 2440587.5) * 86400 - 70  # Earth's clocks run about 70 s behind the sky's in these years
    return datetime.fromtimestamp(seconds, UTC).astimezone(LOCAL).date()


def moons(year: int) -> list[date]:
    """Give the days of all new moons around a year."""
    first = round((year - 2000) * 12.3685) - 2
    return [new_moon(number) for number in range(first, first + 18)]


@pytest.mark.parametrize("year", YEARS)
def test_the_lunar_year_begins_with_a_new_moon(year: int) -> None:
    """The first day of the first lunar month is the new moon between 21 January and 20 February, at UTC+7."""
    begins = [day for day in moons(year) if date(year, 1, 21) <= day <= date(year, 2, 20)]
    assert shipped_holidays().lunar_new_year[str(year)] in begins


@pytest.mark.parametrize("year", YEARS)
def test_the_days_that_the_law_gives_are_closed(year: int) -> None:
    """Labour Code, article 112: 1 January, Tết, 10/3 of the lunar year, 30 April, 1 May, 2 September."""
    table = shipped_holidays()
    tet = table.lunar_new_year[str(year)]
    third_month = moons(year)[moons(year).index(tet) + 2]
    days = [date(year, 1, 1), date(year, 4, 30), date(year, 5, 1), date(year, 9, 2), third_month + timedelta(days=9)]
    days += [tet + timedelta(days=number) for number in range(-1, 3)]
    closed = {
        h.first + timedelta(days=n) for h in table.holiday for n in range((h.last - h.first).days + 1)
    }  # fmt: skip
    assert [day for day in days if day not in closed] == []
    weekdays = {day for day in closed if day.year == year and day.weekday() < 5}
    assert len(weekdays) >= 11, "a day off on a weekend gives another: eleven days at least"


def test_a_table_warns_before_its_end_and_its_last_day_counts() -> None:
    """Current, then ending soon for the days of warning, then expired; the last day is still valid."""
    table = ShippedTable("prices", "p.toml", date(2026, 1, 1), date(2026, 12, 31), "nothing is bought")
    assert table.validity(date(2026, 12, 1), 30) is Validity.CURRENT
    assert table.warning(date(2026, 12, 1), 30) == ""
    assert table.validity(date(2026, 12, 2), 30) is Validity.ENDS_SOON
    assert table.validity(date(2026, 12, 31), 30) is Validity.ENDS_SOON
    assert "in 0 days: then nothing is bought" in table.warning(date(2026, 12, 31), 30)
    assert "in 1 day: then" in table.warning(date(2026, 12, 30), 30)
    assert "in 2 days: then" in table.warning(date(2026, 12, 29), 30)
    assert table.validity(date(2027, 1, 1), 30) is Validity.EXPIRED
    assert "ran out on 2026-12-31: nothing is bought" in table.warning(date(2027, 1, 1), 30)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("first = 2024-01-01", "first = 2024-01-02", "ends before it begins"),
        ('source = "labour-code"', 'source = "hearsay"', "unknown source 'hearsay'"),
        ("last = 2024-01-01", "lastt = 2024-01-01", "holiday.0.last"),
        ("valid_until = 2028-12-31", "valid_until = soon", "cannot be read"),
    ],
)
def test_a_broken_table_is_refused_by_name(tmp_path: Path, old: str, new: str, told: str) -> None:
    """File and key are named, nothing is guessed."""
    path = tmp_path / "holidays.toml"
    text = TABLE.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(CalendarError, match=told) as error:
        read_holidays(path)
    assert "holidays.toml" in str(error.value)
