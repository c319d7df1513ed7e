"""A unit's calendar over the API: hours, what decided them, and whose entries one sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_store.register.access import Role
from phongmay_store.register.calendar import CalendarKind, NewEntry, put

pytestmark = pytest.mark.one_register

OWN = "/api/v1/organisation-units/unit-zz-own-zz/calendar"
FRIDAY, SATURDAY, MONDAY = date(2026, 10, 2), date(2026, 10, 3), date(2026, 10, 5)


@pytest.fixture
def ask(client: TestClient, key: Callable[..., dict[str, str]], register: Engine) -> Callable[..., Any]:
    """Ask as a viewer of the own school, whose district closed a Monday and made up for it on the Saturday before."""
    with Session(register) as session:
        for kind, unit, first, last, name, hours in (
            (CalendarKind.HOLIDAY, "parent", MONDAY, MONDAY, "Nghỉ bão", ""),
            (CalendarKind.EXCEPTION, "own", SATURDAY, SATURDAY, "Học bù", "07:00-11:30"),
            (CalendarKind.EXAM, "own", FRIDAY, FRIDAY, "Thi", ""),
            (CalendarKind.HOLIDAY, "sibling", FRIDAY, FRIDAY, "Của trường bên", ""),
        ):
            put(session, f"unit-zz-{unit}-zz", NewEntry(kind, first, last, name, hours))
        session.commit()
    headers = key(Role.VIEWER, "own")

    def get(path: str = OWN, **query: object) -> Any:
        return client.get(path, params=query, headers=headers)

    return get


def test_expected_hours_of_each_day(ask: Callable[..., Any]) -> None:
    """Timetable, holiday of the unit above, made-up lesson, exam: hours and reasons; none of a sibling's."""
    answer = ask(first=FRIDAY, last=MONDAY, timetable="Mon-Fri 13:00-16:30").json()
    (table,) = answer["timetables"]
    days = [(day["day"], day["hours"], day["expected_s"], [e["name"] for e in day["entries"]]) for day in table["days"]]
    assert days == [
        ("2026-10-02", ["13:00-16:30"], 12600, ["Thi"]),
        ("2026-10-03", ["07:00-11:30"], 16200, ["Học bù"]),
        ("2026-10-04", [], 0, []),
        ("2026-10-05", [], 0, ["Nghỉ bão"]),
    ]
    assert answer["expired"] == ""
    assert "Của trường bên" not in str(answer)
    test = ask(first=FRIDAY, last=FRIDAY, timetable="always", purpose="bandwidth_test").json()["timetables"][0]
    assert test["days"][0]["hours"] == ["00:00-24:00"], "what is always on stays so"
    test = ask(first=FRIDAY, last=FRIDAY, timetable="Fri 13:00-16:30", purpose="bandwidth_test").json()
    assert test["timetables"][0]["days"][0]["expected_s"] == 0


def test_without_parameters_it_is_this_week_of_the_rooms(ask: Callable[..., Any]) -> None:
    """Seven days from today on, for the timetables that the unit's rooms have."""
    answer = ask().json()
    assert [table["timetable"] for table in answer["timetables"]] == [""]
    assert len(answer["timetables"][0]["days"]) == 7
    assert abs(date.fromisoformat(answer["timetables"][0]["days"][0]["day"]) - datetime.now(UTC).date()).days <= 1


def test_a_calendar_that_has_run_out_says_so(ask: Callable[..., Any]) -> None:
    """Beyond the shipped holidays nobody vouches for the days."""
    assert "until" in ask(first=date(2099, 1, 1), last=date(2099, 1, 2)).json()["expired"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"first": "2026-10-02", "last": "2026-10-01"}, "query/last"),
        ({"first": "2026-01-01", "last": "2027-02-05"}, "query/last"),
        ({"timetable": "Monday"}, "query/timetable"),
        ({"first": "9999-12-31"}, "query/first"),
        ({"first": "soon"}, "query/first"),
        ({"purpose": "fun"}, "query/purpose"),
    ],
)
def test_wrong_parameters_are_named(ask: Callable[..., Any], query: dict[str, str], pointer: str) -> None:
    """A period that is no period, one that is too long, and a timetable that cannot be read: 422 with the pointer."""
    answer = ask(**query)
    assert answer.status_code == 422
    assert pointer in {error["pointer"].lstrip("/") for error in answer.json()["errors"]}


def test_a_foreign_unit_is_not_there(ask: Callable[..., Any]) -> None:
    """The calendar of a sibling and of the unit above is theirs."""
    for place in ("sibling", "parent"):
        assert ask(OWN.replace("own", place)).status_code == 404
