"""Quarterly reports on time (TR-16, QU-05): which quarter is judged, by which declared day, and what is not known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_rules.chain.verifying import verify
from phongmay_rules.engine import Engine
from phongmay_rules.explanation import explain
from phongmay_rules.facts.reports import Quarter, last_over, of_school, of_unit
from phongmay_rules.places import Declaration
from phongmay_rules.reasons import Reason
from phongmay_store.register import importing_declared
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.declared import DECLARABLE
from phongmay_store.register.declaring import Wish, declare
from phongmay_store.register.organisation import Unit
from phongmay_store.register.timetable import LOCAL

pytestmark = pytest.mark.one_register

JULY = datetime(2026, 7, 6, 9, tzinfo=LOCAL)
"""The second quarter is over."""


def said(day: str) -> Declaration:
    """Give a declaration of a day."""
    return Declaration(day, JULY.timestamp(), "Văn thư", "", "register:declared/7")


@pytest.mark.parametrize(
    ("moment", "quarter"),
    [
        ("2026-06-30T23:59:59+07:00", Quarter(2026, 1)),
        ("2026-07-01T00:00:00+07:00", Quarter(2026, 2)),
        ("2026-06-30T17:00:00+00:00", Quarter(2026, 2)),
        ("2027-01-01T00:00:00+07:00", Quarter(2026, 4)),
        ("2026-12-31T12:00:00+07:00", Quarter(2026, 3)),
    ],
)
def test_only_a_quarter_that_is_over_is_judged(moment: str, quarter: Quarter) -> None:
    """It is over at midnight in Viet Nam, not before and not by another clock."""
    assert last_over(datetime.fromisoformat(moment).timestamp()) == quarter


@given(st.dates(date(2023, 1, 1), date(2035, 1, 1)))
def test_every_day_has_one_quarter_that_ended_last(day: date) -> None:
    """Law: the judged quarter ended before the day, and the next one did not; the plan's days lie in its last month."""
    quarter = last_over(datetime(day.year, day.month, day.day, tzinfo=LOCAL).timestamp())
    second, third = (_shifted(quarter, more) for more in (1, 2))
    assert quarter.begin < quarter.day(20) < quarter.day(25) < second.begin <= day < third.begin
    assert (second.begin - quarter.day(25)).days <= 7


def _shifted(quarter: Quarter, more: int) -> Quarter:
    year, number = divmod(4 * quarter.year + quarter.number - 1 + more, 4)
    return Quarter(year, number + 1)


@pytest.mark.parametrize(
    ("day", "value"),
    [("2026-04-01", 80), ("2026-06-19", 1), ("2026-06-20", 0), ("2026-06-21", -1), ("2026-07-06", -16)],
)
def test_days_before_the_twentieth(day: str, value: int) -> None:
    """The 19th is a day before it, the 20th itself is none; a report that came after the quarter is late by so much."""
    found = of_school({"self_report_q2": said(day)}, JULY.timestamp())
    assert (found.value, found.missing, found.sources) == (value, None, ("register:declared/7",))
    assert found.detail["quarter"] == "2026-Q2"
    assert (found.detail["before"], found.detail["handed_in"]) == ("2026-06-20", day)
    assert found.detail["declared_by"] == "Văn thư"
    unit = of_unit({"quarterly_report_q2": said(day)}, JULY.timestamp())
    assert (unit.name, unit.value) == ("report_days_before_25", value + 5)


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"self_report_q1": "2026-06-18"},
        {"self_report_q2": "2025-06-18"},
        {"self_report_q2": "2026-03-31"},
        {"self_report_q2": "2026-07-07"},
        {"quarterly_report_q2": "2026-06-18"},
    ],
    ids=["nothing", "another quarter", "last year", "before it began", "a day to come", "another report"],
)
def test_what_was_not_entered_is_not_known(declared: dict[str, str]) -> None:
    """No entry, or one that cannot be about the judged quarter, is neither in time nor late."""
    found = of_school({name: said(day) for name, day in declared.items()}, JULY.timestamp())
    assert (found.value, found.missing) == (None, Reason.NOT_ENTERED)
    assert found.detail == {"quarter": "2026-Q2", "before": "2026-06-20"}


OCTOBER = datetime(2026, 10, 6, 9, tzinfo=LOCAL)
"""The third quarter is over."""


# -- through register and rules ---------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """All days of these tests are past, whenever they run."""
    monkeypatch.setattr(importing_declared, "utc_now", lambda: datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def year(empty_house: Any) -> Any:
    """A district with a school, evaluated in October; nothing is declared."""
    empty_house.unit("th", "school", "quan", "tieu_hoc")
    return empty_house


def enter(house: Any, unit: str, item: str, day: date | str, since: datetime) -> None:
    """Declare a day as page and API do."""
    text = day if isinstance(day, str) else day.isoformat()
    with house.sessions() as session:
        row = session.scalars(Unit.at().where(Unit.id == unit)).one()
        declare(session, unit, row, [Wish(DECLARABLE[item], text, "Văn thư", since)])
        session.commit()


def test_a_school_in_time_late_and_silent(house: Any) -> None:
    """TR-16 passes who handed in on the 19th, fails the 20th, leaves the silent unknown, and says who can enter it."""
    at = OCTOBER
    enter(house, "th", "self_report_q3", "2026-09-19", at - timedelta(days=2))
    enter(house, "cs", "self_report_q3", "2026-09-20", at - timedelta(days=2))
    house.evaluate(at)
    assert [house.state(name, "TR-16") for name in ("th", "cs", "mn")] == [
        ("pass", "met"), ("fail", "below"), ("unknown", "not_entered"),
    ]  # fmt: skip
    late, silent = house.verdict("cs", "TR-16"), house.verdict("mn", "TR-16")
    vi = " ".join(explain(late, "TR-16", house.pack, late.evidence, None, "vi").sentences())
    assert "quý 3/2026, gửi ngày 20/09/2026 theo khai báo" in vi
    assert "Việc cần làm (nhà trường)" in vi
    assert "mức theo Kế hoạch" in vi
    en = " ".join(explain(silent, "TR-16", house.pack, silent.evidence, None, "en").sentences())
    assert "has not been entered (quarter 3 of 2026)" in en
    assert "Who can supply it – the school: enter the day" in en


def test_a_district_judges_itself(year: Any) -> None:
    """QU-05 goes by what the unit itself declared: unknown, late after all, in time after a correction."""
    year.evaluate(OCTOBER)
    assert year.state("quan", "QU-05") == ("unknown", "not_entered")
    enter(year, "quan", "quarterly_report_q3", "2026-09-25", OCTOBER)
    year.evaluate(OCTOBER + timedelta(minutes=1))
    assert year.state("quan", "QU-05") == ("fail", "below")
    enter(year, "quan", "quarterly_report_q3", "2026-09-24", OCTOBER + timedelta(minutes=2))
    year.evaluate(OCTOBER + timedelta(minutes=3))
    assert year.state("quan", "QU-05") == ("pass", "met")
    row = year.verdict("quan", "QU-05")
    en = " ".join(explain(row, "QU-05", year.pack, row.evidence, None, "en").sentences())
    assert "quarter 3 of 2026, sent on 24/09/2026 as declared" in en
    with year.sessions() as session:
        assert verify(session, "quan", loaded=year.pack).breaks == ()


def test_the_next_quarter_takes_its_own_day(year: Any) -> None:
    """The report of the fourth quarter is entered while the third is judged, and changes nothing until January."""
    enter(year, "th", "self_report_q3", "2026-09-18", OCTOBER)
    december = datetime(2026, 12, 28, 9, tzinfo=LOCAL)
    enter(year, "th", "self_report_q4", "2026-12-25", december)
    year.evaluate(december)
    assert year.state("th", "TR-16") == ("pass", "met")
    year.evaluate(datetime(2027, 1, 1, 0, 1, tzinfo=LOCAL))
    assert year.state("th", "TR-16") == ("fail", "below")
    year.evaluate(datetime(2027, 10, 1, 0, 1, tzinfo=LOCAL))
    assert year.state("th", "TR-16") == ("unknown", "not_entered"), "last year's third quarter is not this year's"


def test_an_engine_that_is_kept_sees_what_a_unit_declares(year: Any) -> None:
    """What is declared of the unit changes nothing in its schools, yet the unit is judged anew, and `follow` agrees."""
    year.room("r", "th")
    year.device("pc", "th", "r")
    year.speak("pc", at=OCTOBER)
    engine = Engine(year.sessions, year.pack)
    engine.evaluate(year.series, at=OCTOBER)
    enter(year, "quan", "quarterly_report_q3", "2026-09-20", OCTOBER)
    engine.evaluate(year.series, at=OCTOBER + timedelta(minutes=1))
    assert year.state("quan", "QU-05") == ("pass", "met")
    year.speak("pc", at=OCTOBER + timedelta(minutes=2), minutes=1)
    engine.follow(year.series, ["pc"], at=OCTOBER + timedelta(minutes=2))
    assert year.state("quan", "QU-05") == ("pass", "met")


def test_only_days_that_were_are_believed() -> None:
    """Every quarter's item of both reports is a day in the past, of a school or of a unit above."""
    for quarter in range(1, 5):
        school, unit = (DECLARABLE[f"{name}_q{quarter}"] for name in ("self_report", "quarterly_report"))
        assert (school.subject, unit.subject) == (SubjectKind.SCHOOL, SubjectKind.DISTRICT)
        assert school.is_past
        assert unit.is_past
    assert not DECLARABLE["esu_until"].is_past, "support may end in years to come"
