"""iCalendar in and out: a round trip, recurrence, corrections by UID, and files that are wrong."""

from __future__ import annotations

import contextlib
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from phongmay_store.register.calendar import CalendarKind, Change, NewEntry, entries_of, put
from phongmay_store.register.ics.importing import import_ics
from phongmay_store.register.ics.lines import IcsError
from phongmay_store.register.ics.reading import IcsFile, Window, read_ics
from phongmay_store.register.ics.writing import write_ics

WINDOW = Window(date(2024, 11, 24), date(2029, 11, 23))
HOLIDAY, EXAM, EXCEPTION, TERM = CalendarKind.HOLIDAY, CalendarKind.EXAM, CalendarKind.EXCEPTION, CalendarKind.TERM


def event(*lines: str, uid: str = "1") -> str:
    """Write an event."""
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"])


def file(*events: str) -> str:
    """Write a file."""
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", *events, "END:VCALENDAR", ""])


def read(text: str, kind: CalendarKind | None = HOLIDAY) -> IcsFile:
    """Read a file called school.ics."""
    return read_ics(text, kind, "school.ics", WINDOW)


def days(text: str, kind: CalendarKind = HOLIDAY) -> list[tuple[str, str]]:
    """Give first and last day of all entries."""
    return [(str(entry.first), str(entry.last)) for entry in read(text, kind).entries]


def test_an_all_day_event_is_days_in_ho_chi_minh_city() -> None:
    """DTEND is exclusive; without one an event is one day; a folded name is one name; a description is not read."""
    text = file(
        event(
            "DTSTART;VALUE=DATE:20270205", "DTEND;VALUE=DATE:20270220", "SUMMARY:Tết Nguyên", "  đán", "DESCRIPTION:x"
        ),
        event("DTSTART;VALUE=DATE:20270430", uid="2"),
        event("DTSTART;VALUE=DATE:20270501", "DTEND;VALUE=DATE:20270501", uid="3"),
        event("DTSTART;VALUE=DATE:20270601", "DURATION:P3D", uid="4"),
    )
    assert days(text) == [
        ("2027-02-05", "2027-02-19"), ("2027-04-30", "2027-04-30"), ("2027-05-01", "2027-05-01"),
        ("2027-06-01", "2027-06-03"),
    ]  # fmt: skip
    assert [entry.name for entry in read(text).entries] == ["Tết Nguyên đán", "holiday", "holiday", "holiday"]


def test_times_are_read_as_local_time() -> None:
    """17:00 UTC is the next day's midnight; an exam takes its day; lessons keep their hours."""
    utc_days = file(event("DTSTART:20270204T170000Z", "DTEND:20270206T170000Z"))
    assert days(utc_days) == [("2027-02-05", "2027-02-06")]
    evening = file(event("DTSTART:20270301T180000Z", "DTEND:20270301T200000Z"))
    assert days(evening, EXAM) == [("2027-03-02", "2027-03-02")]
    lessons = file(
        event("DTSTART;TZID=Asia/Ho_Chi_Minh:20261128T070000", "DTEND;TZID=Asia/Ho_Chi_Minh:20261128T113000")
    )
    assert [(e.first, e.last, e.hours) for e in read(lessons, EXCEPTION).entries] == [
        (date(2026, 11, 28), date(2026, 11, 28), "07:00-11:30")
    ]
    floating = file(event("DTSTART:20261128T200000", "DTEND:20261129T000000"))
    assert [e.hours for e in read(floating, EXCEPTION).entries] == ["20:00-24:00"]


def test_recurring_events_are_bounded() -> None:
    """A yearly day without an end is taken inside the window only; COUNT, UNTIL, EXDATE, RDATE and overrides hold."""
    yearly = file(event("DTSTART;VALUE=DATE:20101120", "RRULE:FREQ=YEARLY"))
    assert days(yearly) == [(f"{year}-11-20", f"{year}-11-20") for year in range(2025, 2030)]
    weekly = event(
        "DTSTART;VALUE=DATE:20261107", "RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE;VALUE=DATE:20261114",
        "RDATE;VALUE=DATE:20261223",
    )  # fmt: skip
    assert [first for first, _ in days(file(weekly))] == ["2026-11-07", "2026-11-21", "2026-11-28", "2026-12-23"]
    moved = event("RECURRENCE-ID;VALUE=DATE:20261121", "DTSTART;VALUE=DATE:20261122")
    cancelled = event("RECURRENCE-ID;VALUE=DATE:20261128", "DTSTART;VALUE=DATE:20261128", "STATUS:CANCELLED")
    assert [f for f, _ in days(file(moved, weekly, cancelled))] == ["2026-11-07", "2026-11-22", "2026-12-23"]
    until = file(event("DTSTART;VALUE=DATE:20261101", "RRULE:FREQ=DAILY;UNTIL=20261103"))
    assert len(days(until)) == 3
    until_utc = file(
        event("DTSTART:20261101T000000Z", "DTEND:20261101T010000Z", "RRULE:FREQ=DAILY;UNTIL=20261103T000000Z")
    )
    assert len(days(until_utc, EXCEPTION)) == 3
    never = file(event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=5"))
    assert len(days(never)) == 1, "its own start, and an end to the search"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("hello", 1, "no line of an iCalendar file"),
        ("", 1, "no BEGIN:VCALENDAR"),
        ("SUMMARY:x", 1, "expected BEGIN:VCALENDAR"),
        ("BEGIN:VEVENT\nEND:VEVENT", 1, "expected BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nEND:VCALENDAR", 5, "END:VCALENDAR ends VEVENT"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1", 2, "never ended"),
        (file(event("DTSTART;VALUE=DATE:20270205", "broken")), 8, "'broken' is no line"),
        (file(event("DTSTART;VALUE=DATE:2027x")), 7, "DTSTART"),
        (file(event()), 4, "no DTSTART"),
        (file("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20270205\nEND:VEVENT"), 4, "no UID"),
        (file(event("DTSTART;VALUE=DATE:20270205", "DTEND;VALUE=DATE:20270204")), 8, "ends before it begins"),
        (file(event("DTSTART:20270205T070000", "DTEND:20270205T080000")), 7, "whole days"),
        (file(event("DTSTART;VALUE=DATE:20270205", "DTEND;VALUE=DATE:20290205")), 7, "longer than 400 days"),
        (file(event("DTSTART;VALUE=DATE:10270205")), 7, "is not a year"),
        (file(event("DTSTART;VALUE=DATE:20270205", "RRULE:FREQ=HOURLY")), 8, "FREQ=HOURLY"),
        (file(event("DTSTART;VALUE=DATE:20250205", "RRULE:FREQ=DAILY")), 8, "more than 1000 times"),
        (file(event("DTSTART;VALUE=DATE:20270205"), event("DTSTART;VALUE=DATE:20270206")), 10, "stands there twice"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_line(text: str, line: int, told: str) -> None:
    """One sentence with file and line, so that it can be mended; never a traceback, never half a file."""
    with pytest.raises(IcsError, match=told) as error:
        read(text)
    assert str(error.value).startswith(f"school.ics: line {line}: ")


def test_made_up_lessons_stay_on_one_day() -> None:
    """Hours are of one day."""
    night = file(event("DTSTART:20261128T200000", "DTEND:20261129T010000"))
    with pytest.raises(IcsError, match="begin and end on one day"):
        read(night, EXCEPTION)


def test_a_file_of_others_needs_a_kind() -> None:
    """Only files of our own say what their events are."""
    with pytest.raises(IcsError, match="give --kind"):
        read(file(event("DTSTART;VALUE=DATE:20270205")), None)


def changes(register: Session, text: str, unit: str = "u") -> Counter[Change]:
    """Import a file and count what happened."""
    return Counter(done.change for done in import_ics(register, unit, read(text)))


def test_the_uid_keeps_a_second_import_from_changing_anything(register: Session) -> None:
    """The same file: unchanged. A moved event: changed, and its id stays. A cancelled one: removed. Others stay."""
    tet = event("DTSTART;VALUE=DATE:20270205", "DTEND;VALUE=DATE:20270220", uid="tet")
    weekly = event("DTSTART;VALUE=DATE:20261107", "RRULE:FREQ=WEEKLY;COUNT=3", uid="w")
    assert changes(register, file(tet, weekly)) == {Change.CREATED: 4}
    assert changes(register, file(tet, weekly)) == {Change.UNCHANGED: 4}
    before = {entry.uid: entry.id for entry in entries_of(register, "u")}
    longer = tet.replace("20270220", "20270222")
    assert changes(register, file(longer)) == {Change.CHANGED: 1}
    assert {entry.uid: entry.id for entry in entries_of(register, "u")} == before
    fewer = weekly.replace("COUNT=3", "COUNT=3\nEXDATE;VALUE=DATE:20261114")
    assert changes(register, file(fewer)) == {Change.UNCHANGED: 2, Change.REMOVED: 1}
    assert changes(register, file(longer.replace("UID", "STATUS:CANCELLED\nUID"))) == {Change.REMOVED: 1}
    assert changes(register, file()) == {}
    assert [entry.uid for entry in entries_of(register, "u")] == ["w#2026-11-07", "w#2026-11-21"]
    assert changes(register, file(tet), "other unit") == {Change.CREATED: 1}


_ENTRIES = st.lists(
    st.builds(
        lambda shape, first, length, name: NewEntry(
            shape[0], first, None if shape[1] == "both" else first + timedelta(days=length), name, shape[1]
        ),
        st.sampled_from(
            [(TERM, ""), (HOLIDAY, ""), (EXAM, ""), (EXCEPTION, "like Fri"), (EXCEPTION, "07:00-11:30 13:00-24:00"),
             (EXCEPTION, ""), (CalendarKind.SHIFT, "morning"), (CalendarKind.SHIFT, "both")]
        ),
        st.dates(date(2024, 1, 1), date(2030, 1, 1)),
        st.integers(0, 300),
        st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=120),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ENTRIES)
def test_what_is_written_is_read_back_whole(register: Session, made: list[NewEntry]) -> None:
    """Any calendar: written and read into the same unit nothing changes, into another it is the same, byte by byte."""
    for entry in made:
        put(register, "u", entry)
    text = write_ics(entries_of(register, "u"), "Trường A")
    content = read(text.decode(), None)
    assert {done.change for done in import_ics(register, "u", content)} <= {Change.UNCHANGED}
    import_ics(register, "v", content)

    def said(unit: str) -> set[tuple[object, ...]]:
        return {(e.kind, e.first, e.last, e.name, e.hours, e.uid) for e in entries_of(register, unit)}

    assert said("u") == said("v")
    assert len(said("u")) == len(made)
    register.rollback()


def test_a_written_file_has_short_lines_with_crlf(register: Session, tmp_path: Path) -> None:
    """RFC 5545: lines of at most 75 bytes that end with CRLF."""
    put(register, "u", NewEntry(HOLIDAY, date(2027, 2, 5), date(2027, 2, 19), "Nghỉ Tết Nguyên đán, " * 8))
    written = write_ics(entries_of(register, "u"), "Trường A")
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert datetime.fromisoformat("2027-02-05").strftime("%Y%m%d").encode() in written


_SOUND = file(
    event("DTSTART;VALUE=DATE:20270205", "DTEND;VALUE=DATE:20270220", "SUMMARY:Tết"),
    event("DTSTART;TZID=Asia/Ho_Chi_Minh:20261107T000000", "DURATION:P1D", "RRULE:FREQ=WEEKLY;COUNT=3",
          "EXDATE:20261114T000000", "RDATE;VALUE=DATE:20261120", uid="2"),
    event("RECURRENCE-ID;VALUE=DATE:20261121", "DTSTART;VALUE=DATE:20261122", uid="2"),
)  # fmt: skip
_DAMAGE = st.sampled_from(
    ["", ":", ";", "=", "\n", "99999999", "-", "FREQ=YEARLY;", "BYDAY=XX", "INTERVAL=0;", "VALUE=PERIOD", "P", "T", "Z",
     "\x00", "DTSTART:", "RRULE:FREQ=DAILY\n", "RDATE;VALUE=PERIOD:20270101T000000Z/P1D\n", "END:VEVENT\n", ",", "0"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_SOUND)), st.integers(0, 12), _DAMAGE), min_size=1, max_size=3))
def test_a_damaged_file_is_taken_or_refused_in_a_sentence(damage: list[tuple[int, int, str]]) -> None:
    """Whatever is missing from a file or stands in it by mistake: entries that make sense, or one IcsError."""
    text = _SOUND
    for place, cut, put_in in damage:
        text = text[:place] + put_in + text[place + cut :]
    with contextlib.suppress(IcsError):  # its sentence is what a person gets; anything else fails this test
        for entry in read(text).entries:
            entry.check()
