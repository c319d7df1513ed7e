"""Calendars entered over the API and on pages: entries, corrections, iCalendar with preview, timetables of rooms."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_api.pages import calendar as calendar_page
from phongmay_rules.tables import shipped_tables
from phongmay_store.register.access import Role
from phongmay_store.register.calendar import CalendarEntry, CalendarKind, NewEntry, put
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import LOCAL

from .test_decisions import sign_in

OWN, PARENT, SIBLING = "unit-zz-own-zz", "unit-zz-parent-zz", "unit-zz-sibling-zz"
UNIT = f"/api/v1/organisation-units/{OWN}"
ENTRIES = f"{UNIT}/calendar-entries"
ROOM = "/api/v1/rooms/room-zz-own-zz/timetable"
FILE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//VI\r\nBEGIN:VEVENT\r\nUID:tet\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART;VALUE=DATE:20270201\r\nDTEND;VALUE=DATE:20270215\r\nSUMMARY:Nghỉ Tết\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture
def technician(register: Engine, client: TestClient) -> TestClient:
    """The own school's technician."""
    return sign_in(register, client, "ky-thuat", OWN, "technician")


def _known(register: Engine, unit: str = OWN) -> list[tuple[str, str, str, str]]:
    with Session(register) as session:
        rows = session.scalars(select(CalendarEntry).where(CalendarEntry.unit_id == unit, CalendarEntry.known()))
        return sorted((row.kind, str(row.first), str(row.last), row.name) for row in rows)


def _first_hours(client: TestClient, day: str) -> list[str]:
    answer = client.get(f"{UNIT}/calendar", params={"first": day, "last": day, "timetable": "Mon-Fri 07:00-11:30"})
    hours: list[str] = answer.json()["timetables"][0]["days"][0]["hours"]
    return hours


def test_an_entry_decides_until_it_is_taken_back(technician: TestClient, register: Engine) -> None:
    """A day off of last week closes that day; taken back it never held, and what was believed stays known."""
    day = "2026-10-02"
    assert _first_hours(technician, day) == ["07:00-11:30"]
    made = technician.post(ENTRIES, json={"kind": "holiday", "first": day, "name": "Nghỉ  bão"})
    assert (made.status_code, made.json()["last"], made.json()["name"]) == (201, day, "Nghỉ bão")
    assert _first_hours(technician, day) == []
    between = datetime.now(LOCAL).isoformat()
    assert technician.delete(f"{ENTRIES}/{made.json()['id']}").status_code == 200
    assert technician.delete(f"{ENTRIES}/{made.json()['id']}").status_code == 404
    assert _first_hours(technician, day) == ["07:00-11:30"]
    assert technician.get(ENTRIES).json()["items"] == []
    assert len(technician.get(ENTRIES, params={"known_at": between}).json()["items"]) == 1
    shift = technician.post(ENTRIES, json={"kind": "shift", "first": day, "hours": "afternoon"})
    assert (shift.json()["last"], _first_hours(technician, day)) == (None, [])


def test_who_entered_and_who_took_back(technician: TestClient, register: Engine) -> None:
    """Each version names the account that entered it and when; taking back names who did, and the page shows both."""
    before = datetime.now(LOCAL)
    made = technician.post(ENTRIES, json={"kind": "holiday", "first": "2026-10-02"}).json()
    assert (made["entered_by"], made["removed_by"]) == ("ky-thuat", None)
    assert before <= datetime.fromisoformat(made["recorded_at"]) <= datetime.now(LOCAL)
    assert "ky-thuat nhập lúc" in technician.get(f"/units/{OWN}/calendar?lang=vi").text
    assert "entered by ky-thuat" in technician.get(f"/units/{OWN}/calendar?lang=en").text
    gone = sign_in(register, technician, "quan-ly", OWN, "officer").delete(f"{ENTRIES}/{made['id']}").json()
    assert (gone["entered_by"], gone["removed_by"]) == ("ky-thuat", "quan-ly")
    with Session(register) as session:
        put(session, OWN, NewEntry(CalendarKind.HOLIDAY, date(2026, 10, 2), date(2026, 10, 2), "x"))
        session.commit()
    (old,) = technician.get(ENTRIES).json()["items"]
    assert old["entered_by"] is None
    assert "không rõ ai nhập" in technician.get(f"/units/{OWN}/calendar?lang=vi").text


def test_a_file_names_who_handed_it_in(technician: TestClient, register: Engine) -> None:
    """Entries of a file belong to the account that applied it; who hands the same in again does not take them over."""
    query = {"kind": "holiday", "name": "tet.ics"}
    shown = technician.post(f"{UNIT}/calendar-file/preview", params=query, content=FILE.encode()).json()["preview"]
    technician.post(f"{UNIT}/calendar-file/apply", params=query | {"preview": shown}, content=FILE.encode())
    other = sign_in(register, technician, "quan-ly", OWN, "officer")
    again = other.post(f"{UNIT}/calendar-file/preview", params=query, content=FILE.encode()).json()["preview"]
    other.post(f"{UNIT}/calendar-file/apply", params=query | {"preview": again}, content=FILE.encode())
    (entry,) = other.get(ENTRIES).json()["items"]
    assert entry["entered_by"] == "ky-thuat"
    changed = FILE.replace("Nghỉ Tết", "Tết").encode()
    third = other.post(f"{UNIT}/calendar-file/preview", params=query, content=changed).json()["preview"]
    other.post(f"{UNIT}/calendar-file/apply", params=query | {"preview": third}, content=changed)
    (entry,) = other.get(ENTRIES).json()["items"]
    assert (entry["name"], entry["entered_by"]) == ("Tết", "quan-ly")


def test_who_set_a_timetable(technician: TestClient, register: Engine) -> None:
    """A room's timetable names who set it and when; who sets the same again, or changes something else, does not."""
    assert technician.get(ROOM).json()["timetable_by"] is None
    week = "Mon-Fri 07:00-11:30"
    first = technician.put(ROOM, json={"timetable": week}).json()
    assert (first["timetable"], first["timetable_by"]) == (week, "ky-thuat")
    other = sign_in(register, technician, "quan-ly", OWN, "officer")
    again = other.put(ROOM, json={"timetable": f" {week} "}).json()
    assert (again["timetable_by"], again["timetable_at"]) == ("ky-thuat", first["timetable_at"])
    with Session(register) as session:
        room = session.scalars(Room.at().where(Room.id == "room-zz-own-zz")).one()
        room.revise(session, {"class_size": 41})
        session.commit()
    assert other.get(ROOM).json()["timetable_by"] == "ky-thuat"
    assert "ky-thuat nhập lúc" in other.get(f"/units/{OWN}/calendar?lang=vi").text
    changed = other.put(ROOM, json={"timetable": ""}).json()
    assert (changed["timetable"], changed["timetable_by"]) == ("", "quan-ly")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "party", "first": "2026-10-02"},
        {"kind": "exam", "first": "2026-10-02", "last": "2026-10-01"},
        {"kind": "exam", "first": "soon"},
        {"kind": "shift", "first": "2026-10-02"},
        {"kind": "exam", "first": "2026-10-02", "hours": "07:00-08:00"},
        {"kind": "exception", "first": "2026-10-02", "hours": "like Someday"},
        {"kind": "term", "first": "2026-10-02", "last": "2028-10-02"},
        {"kind": "term", "first": "1926-10-02"},
    ],
)
def test_an_entry_without_sense_is_refused(technician: TestClient, register: Engine, body: dict[str, str]) -> None:
    """422 by API and on the page, and nothing is written."""
    assert technician.post(ENTRIES, json=body).status_code == 422
    page = technician.post(f"/units/{OWN}/calendar", data={"form_token": "f", **body})
    assert (page.status_code, 'role="alert"' in page.text) == (422, True)
    assert _known(register) == []


def test_nobody_touches_the_calendar_of_another(
    technician: TestClient, register: Engine, key: Callable[..., dict[str, str]]
) -> None:
    """An entry of the unit above is not this unit's to take back; a viewer enters nothing."""
    with Session(register) as session:
        row, _ = put(session, PARENT, NewEntry(CalendarKind.HOLIDAY, date(2026, 10, 2), date(2026, 10, 2), "x"))
        entry = row.id
        session.commit()
    assert technician.delete(f"{ENTRIES}/{entry}").status_code == 404
    other = f"/api/v1/organisation-units/{PARENT}/calendar-entries"
    assert technician.post(other, json={"kind": "exam", "first": "2026-10-02"}).status_code == 404
    assert len(_known(register, PARENT)) == 1
    technician.cookies.clear()
    viewer = key(Role.VIEWER, "own")
    assert technician.post(ENTRIES, json={"kind": "exam", "first": "2026-10-02"}, headers=viewer).status_code == 403


def test_a_file_is_previewed_taken_once_and_given_back(technician: TestClient, register: Engine) -> None:
    """The preview writes nothing; applied twice it changes nothing; what is downloaded is taken as it is."""
    query: dict[str, Any] = {"kind": "holiday", "name": "tet.ics"}
    shown = technician.post(f"{UNIT}/calendar-file/preview", params=query, content=FILE.encode()).json()
    assert [(e["change"], e["first"], e["last"]) for e in shown["entries"]] == [("created", "2027-02-01", "2027-02-14")]
    assert _known(register) == []
    wrong = technician.post(f"{UNIT}/calendar-file/apply", params=query | {"preview": "x"}, content=FILE.encode())
    assert (wrong.status_code, _known(register)) == (409, [])
    query["preview"] = shown["preview"]
    assert technician.post(f"{UNIT}/calendar-file/apply", params=query, content=FILE.encode()).status_code == 200
    assert _known(register) == [("holiday", "2027-02-01", "2027-02-14", "Nghỉ Tết")]
    again = technician.post(f"{UNIT}/calendar-file/apply", params=query, content=FILE.encode())
    assert again.status_code == 409, "the calendar is not that of the preview any more"
    saved = technician.get(f"{UNIT}/calendar.ics")
    assert saved.headers["content-type"].startswith("text/calendar")
    back = technician.post(f"{UNIT}/calendar-file/preview", content=saved.content).json()
    assert [entry["change"] for entry in back["entries"]] == ["unchanged"]
    for broken in (b"hello", FILE.encode("utf-16"), FILE.replace("UID:tet\r\n", "").encode()):
        assert technician.post(f"{UNIT}/calendar-file/preview", params=query, content=broken).status_code == 422


def test_page_from_form_to_correction(technician: TestClient, register: Engine) -> None:
    """Entered, shown with the hours that come of it, taken back; a file travels through its preview."""
    path, token = f"/units/{OWN}/calendar", {"form_token": "f"}
    today = datetime.now(LOCAL).date()
    day = today + timedelta(days=(7 - today.weekday()) % 7 or 7)  # next Monday
    form = {"kind": "holiday", "first": str(day), "last": "", "name": "Hội thi", "hours": ""}
    done = technician.post(path, data=token | form)
    assert (done.status_code, done.headers["location"]) == (303, f"{path}?done=yes")
    page = technician.get(done.headers["location"]).text
    assert "Ngày nghỉ: Hội thi" in page
    entry = re.findall(rf'action="{path}/(cal-[^/]+)/removal"', page)[0]
    assert technician.post(f"{path}/{entry}/removal", data=token).status_code == 303
    assert _known(register) == []
    shown = technician.post(f"{path}/file", data=token | {"kind": "holiday"}, files={"file": ("t.ics", FILE.encode())})
    assert (shown.status_code, "01/02/2027 – 14/02/2027" in shown.text) == (200, True)
    assert _known(register) == []
    names = ("preview", "filename", "content", "kind")
    hidden = {name: re.findall(rf'type="hidden" name="{name}" value="([^"]*)"', shown.text)[0] for name in names}
    stale = technician.post(f"{path}/file", data=token | hidden | {"preview": "x"})
    assert (stale.status_code, "khác lúc xem trước" in stale.text) == (409, True)
    assert technician.post(f"{path}/file", data=token | hidden).status_code == 303
    assert _known(register) == [("holiday", "2027-02-01", "2027-02-14", "Nghỉ Tết")]
    assert technician.get(f"{path}.ics").text.count("BEGIN:VEVENT") == 1
    for sent in ({"files": {"file": ("t.ics", b"hello")}}, {}):
        broken = technician.post(f"{path}/file", data=token, **sent)  # type: ignore[arg-type]
        assert (broken.status_code, 'role="alert"' in broken.text) == (422, True)
    told = technician.post(f"{path}/file", data=token, files={"file": ("t.ics", b"hello")}).text
    assert "t.ics: dòng 1: “hello” không phải là một dòng của tệp iCalendar" in told


def test_timetable_of_a_room_and_what_decides_its_hours(technician: TestClient, register: Engine) -> None:
    """Set by API or form it holds from now on; an unreadable one is refused; a shift cuts it, and says so."""
    technician.post(ENTRIES, json={"kind": "shift", "first": "2026-01-01", "hours": "morning", "name": "Sáng"})
    done = technician.put(ROOM, json={"timetable": "Mon-Sun 07:00-11:30 13:00-16:30"}).json()
    assert done["timetable"] == "Mon-Sun 07:00-11:30 13:00-16:30"
    open_days = [day for day in done["days"] if day["hours"]]
    assert {tuple(day["hours"]) for day in open_days} == {("07:00-11:30",)}
    assert {entry["name"] for day in open_days for entry in day["entries"]} == {"Sáng"}
    assert technician.put(ROOM, json={"timetable": "Monday"}).status_code == 422
    path = "/rooms/room-zz-own-zz/timetable"
    bad = technician.post(path, data={"form_token": "f", "timetable": "Monday"})
    assert (bad.status_code, "Không đọc được thời khóa biểu" in bad.text, 'value="Monday"' in bad.text) == (
        422,
        True,
        True,
    )
    assert technician.post(path, data={"form_token": "f", "timetable": " always "}).status_code == 303
    assert technician.get(ROOM).json()["timetable"] == "always"
    with Session(register) as session:
        rows = session.scalars(select(Room.timetable).where(Room.id == "room-zz-own-zz", Room.known())).all()
    assert set(rows) == {"", "Mon-Sun 07:00-11:30 13:00-16:30", "always"}, "what held before stays"


def test_tables_that_run_out_are_told(
    client: TestClient, key: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API names every table with its end; the district's page warns in both languages, and only then."""
    headers = key(Role.VIEWER, "parent")
    rows = client.get("/api/v1/tables", headers=headers).json()["items"]
    assert {row["file"] for row in rows} == {table.file for table in shipped_tables()}
    page = f"/units/{PARENT}"
    warned = any(row["validity"] != "current" for row in rows)
    assert ("hết hạn ngày" in client.get(page, headers=headers).text) is warned

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2031, 1, 1, tzinfo=tz)

    monkeypatch.setattr(calendar_page, "datetime", Later)
    assert "Bảng ngày nghỉ lễ đã hết hạn ngày" in client.get(f"{page}?lang=vi", headers=headers).text
    assert "The table of public holidays ran out on" in client.get(f"{page}?lang=en", headers=headers).text


def test_hours_are_read_in_the_language_of_the_page(technician: TestClient) -> None:
    """Days and words of a timetable or entry are shown as words; the field to type in keeps the form that is stored."""
    technician.put(ROOM, json={"timetable": "Mon-Fri 07:00-11:30; Sat 07:00-09:00"})
    technician.post(ENTRIES, json={"kind": "shift", "first": "2026-01-01", "hours": "morning"})
    technician.post(ENTRIES, json={"kind": "exception", "first": "2026-12-05", "hours": "like Fri"})
    page = unescape(technician.get(f"/units/{OWN}/calendar?lang=vi").text)
    assert "thứ Hai–thứ Sáu 07:00-11:30; thứ Bảy 07:00-09:00" in page
    assert 'value="Mon-Fri 07:00-11:30; Sat 07:00-09:00"' in page
    assert "[buổi sáng]" in page
    assert "[như thứ Sáu]" in page
    assert "[like Fri]" in unescape(technician.get(f"/units/{OWN}/calendar?lang=en").text)
    technician.put(ROOM, json={"timetable": "always"})
    page = unescape(technician.get(f"/units/{OWN}/calendar?lang=vi").text)
    assert "Giờ sử dụng 14 ngày tới theo thời khóa biểu: mọi lúc" in page
