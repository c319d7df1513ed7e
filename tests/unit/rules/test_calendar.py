"""Rules and the school calendar: days off, corrections of the past, and a calendar that has run out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from phongmay_rules.checks.outcome import Context
from phongmay_rules.facts.records import FactValue
from phongmay_rules.facts.schools import FactMaker
from phongmay_rules.judging_units import sit
from phongmay_rules.model import NumberFrom
from phongmay_rules.places import read_organisation
from phongmay_rules.replaying import replay
from phongmay_simulate.district import Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.calendar import CalendarKind, NewEntry, put, remove

pytestmark = pytest.mark.one_register

NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
MONDAY = date(2026, 11, 23)
FRIDAY_AT_ELEVEN = NOW - timedelta(days=3) + timedelta(hours=1)


def enter(house: Any, unit: str, kind: str, first: date, last: date | None = None, hours: str = "") -> str:
    """Record a calendar entry and give its id."""
    with house.sessions() as session:
        row, _ = put(session, unit, NewEntry(CalendarKind(kind), first, last or first, kind, hours))
        session.commit()
        return row.id


def states(house: Any, known_at: datetime, rules: Sequence[str], device: str) -> dict[str, str]:
    """Judge a device at NOW by what the register knew at a time, from the series as it is; nothing is written."""
    with house.sessions() as session:
        sitting = sit(session, house.pack, NOW, known_at)
    school = next(s for s in sitting.organisation.schools.values() if device in {d.id for d in s.devices})
    found = FactMaker(NOW.timestamp()).make([school], house.series)
    facts = {
        subject: {f.name: FactValue(0, f.name, f.value, f.missing or "", f.at) for f in made}
        for subject, made in found.items()
    }
    judged = sitting.school(school, facts)
    return {rule: judged["device", device, rule].state.value for rule in rules}


def test_a_corrected_holiday_is_applied_to_the_past(empty_house: Any) -> None:
    """Same series, same instant: with the day off entered later the verdicts turn; as known before they do not."""
    house = empty_house
    house.unit("th", "school", "quan", "tieu_hoc")
    house.room("r", "th")
    house.device("pc", "th", "r", agent_since=NOW - timedelta(days=20))
    house.speak("pc", at=FRIDAY_AT_ELEVEN - timedelta(hours=1), minutes=180)
    house.speak("pc", at=FRIDAY_AT_ELEVEN + timedelta(hours=5, minutes=29), minutes=210)
    house.evaluate()
    assert house.state("pc", "TB-09") == ("fail", "silent")
    assert house.state("pc", "TB-08")[0] == "unknown", "from Friday 10:00 to Monday 10:00 too little is known"
    before = utc_now()
    entry = enter(house, "quan", "holiday", MONDAY)
    house.evaluate()
    assert house.state("pc", "TB-09") == ("pass", "met")
    assert house.state("pc", "TB-08") == ("pass", "met")
    evidence = house.verdict("pc", "TB-09").evidence[0]
    assert any(source.startswith("register:calendar_entry/") for source in evidence["sources"])
    wanted = ("TB-08", "TB-09")
    assert states(house, before, wanted, "pc") == {"TB-08": "unknown", "TB-09": "fail"}
    assert states(house, utc_now(), wanted, "pc") == {"TB-08": "pass", "TB-09": "pass"}
    with house.sessions() as session:
        remove(session, entry)
        session.commit()
    house.evaluate()
    assert house.state("pc", "TB-09") == ("fail", "silent"), "a holiday that was entered by mistake is taken back"


def test_the_minutes_of_a_day_off_do_not_count_for_reach(empty_house: Any) -> None:
    """A line that was down on a day that turns out to be a holiday: the minute masks of Friday decide again."""
    house = empty_house
    house.unit("th", "school", "quan", "tieu_hoc")
    house.room("r", "th")
    house.device("pc", "th", "r", agent_since=NOW - timedelta(days=20))
    house.speak("pc", at=FRIDAY_AT_ELEVEN, minutes=270)
    house.speak("pc", at=FRIDAY_AT_ELEVEN + timedelta(hours=5, minutes=29), minutes=210)
    house.speak("pc", Role.NO_INTERNET, at=NOW, minutes=180)
    house.evaluate()
    assert house.state("pc", "TB-08") == ("fail", "below")
    enter(house, "th", "holiday", MONDAY)
    house.evaluate()
    assert house.state("pc", "TB-08") == ("pass", "met")


def test_a_replay_stands_after_the_calendar_was_corrected(house: Any) -> None:
    """What a run judged by is kept: the correction changes new verdicts, never the replay of old ones."""
    house.evaluate()
    enter(house, "quan", "holiday", MONDAY - timedelta(days=3), MONDAY)
    with house.sessions() as session:
        assert replay(session, "th", NOW).differences == ()


def test_outside_of_terms_no_machine_is_silent_and_made_up_lessons_count(house: Any) -> None:
    """Two hours after the last word: silent on a school day, not in the summer, again on a day of made-up lessons."""
    late = NOW + timedelta(hours=4)
    house.evaluate(at=late)
    assert house.state("th-0", "TB-09")[0] == "fail"
    enter(house, "quan", "term", date(2026, 9, 7), date(2026, 11, 22))
    house.evaluate(at=late)
    assert house.state("th-0", "TB-09")[0] == "pass"
    enter(house, "th", "exception", MONDAY, hours="like Fri")
    house.evaluate(at=late)
    assert house.state("th-0", "TB-09")[0] == "fail"
    assert house.state("cs-0", "TB-09")[0] == "pass", "the other school has no lessons that day"


def test_a_morning_school_is_not_silent_in_the_afternoon(house: Any) -> None:
    """Switched off after the morning shift is not down; the other school has both shifts."""
    enter(house, "th", "shift", date(2026, 9, 1), date(2027, 5, 31), "morning")
    for device in ("th-0", "cs-0"):
        house.speak(device, at=NOW + timedelta(hours=1, minutes=29), minutes=60)
    house.evaluate(at=NOW + timedelta(hours=5))
    assert house.state("th-0", "TB-09")[0] == "pass"
    assert house.state("cs-0", "TB-09")[0] == "fail"


def test_exams_do_not_make_a_room_unused(house: Any) -> None:
    """Silence in an exam is silence."""
    enter(house, "quan", "exam", MONDAY)
    house.evaluate(at=NOW + timedelta(hours=4))
    assert house.state("th-0", "TB-09")[0] == "fail"


def test_a_calendar_that_ran_out_makes_unknown_not_pass(house: Any) -> None:
    """Terms of long ago: nobody knows whether school is held, so silence and reach have no value, and say why."""
    enter(house, "quan", "term", date(2025, 9, 5), date(2026, 5, 31))
    house.evaluate()
    for rule in ("TB-08", "TB-09"):
        assert house.state("th-0", rule) == ("unknown", "calendar_expired")
    detail = house.verdict("th-0", "TB-09").evidence[0]["detail"]
    assert detail["expired"] == "terms until 2026-09-08"


def test_after_the_table_of_public_holidays_ends_availability_is_unknown(house: Any) -> None:
    """The shipped table vouches until its last day; later it is unknown whether a silent day was a holiday."""
    late = datetime(2029, 1, 3, 3, tzinfo=UTC)
    house.evaluate(at=late)
    assert house.state("th-0", "TB-09") == ("unknown", "calendar_expired")


def test_tet_neither_ages_data_nor_loses_machines(empty_house: Any) -> None:
    """After two weeks of Tết a machine that spoke on the last day still counts as reporting, and its link as known."""
    house = empty_house
    house.unit("th", "school", "quan", "tieu_hoc")
    house.room("r", "th")
    house.device("pc", "th", "r", agent_since=NOW - timedelta(days=30))
    last_word = NOW - timedelta(days=10)
    house.speak("pc", at=last_word)
    house.evaluate()
    assert house.state("pc", "TB-07") == ("unknown", "stale")
    enter(house, "quan", "holiday", MONDAY - timedelta(days=9), MONDAY)
    house.evaluate()
    assert house.state("pc", "TB-07") == ("pass", "met")
    with house.sessions() as session:
        school = read_organisation(session, NOW).schools["th"]
    found = FactMaker(NOW.timestamp()).make([school], house.series)["device", "pc"]
    assert {fact.name: fact.value for fact in found}["reported_7d"] == 1


@pytest.mark.parametrize(("freshness", "stale"), [(299.0, True), (300.0, False), (301.0, False)])
def test_exactly_at_its_freshness_a_value_is_fresh(freshness: float, stale: bool) -> None:
    """Where no hours are known the clock on the wall counts."""
    assert Context({}, (), {}, NumberFrom.LAW, "", 1000.0).is_stale(700.0, freshness) is stale


def test_entries_are_inherited_down_the_tree_and_equal_calendars_are_shared(house: Any) -> None:
    """Schools without entries of their own share one calendar object: a hundred thousand devices, a few calendars."""
    house.unit("pt", "school", "quan", "thpt")
    enter(house, "quan", "holiday", MONDAY)
    enter(house, "phuong", "exception", MONDAY)
    with house.sessions() as session:
        schools = read_organisation(session, NOW).schools
    assert schools["cs"].calendar is schools["pt"].calendar
    assert schools["cs"].calendar.plan(MONDAY).closed
    assert not schools["th"].calendar.plan(MONDAY).closed
