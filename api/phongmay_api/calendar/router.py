"""Routes of calendars: entries of a unit, iCalendar in and out, a room's timetable, tables that run out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Response
from pydantic import AwareDatetime

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.bodies import SENT_FILE, SentFile
from phongmay_api.calendar import acting
from phongmay_api.calendar.acting import FileEffect
from phongmay_api.calendar.schemas import (
    EntryIn,
    EntryRow,
    FileEntryOut,
    FileOut,
    RoomHoursOut,
    TableOut,
    TimetableIn,
)
from phongmay_api.organisation.calendar import day_out
from phongmay_api.paging import Page
from phongmay_api.problems import Problem, bad_value
from phongmay_api.routing import api_router
from phongmay_rules.tables import shipped_tables
from phongmay_store.register.calendar import CalendarEntry, CalendarError, CalendarKind, NewEntry, entries_of
from phongmay_store.register.calendar_reading import read_calendar
from phongmay_store.register.ics.writing import write_ics
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import DEFAULT, LOCAL, TimetableError, parse

router = api_router("calendars")
_MOST_DAYS = 400
_EARLIEST, _LATEST = date(2000, 1, 1), date(2100, 1, 1)
ICS_TYPE = "text/calendar; charset=utf-8"
_Name = Annotated[str, Query(max_length=120, description="Name of the file, for messages.")]
_Kind = Annotated[CalendarKind | None, Query(description="What its events are (default: each says so itself).")]
_Day = Annotated[date | None, Query(ge=_EARLIEST, le=_LATEST, description="Local day (default: this week).")]


def _row(entry: CalendarEntry) -> EntryRow:
    return EntryRow(
        id=entry.id, kind=entry.kind, first=entry.first, last=entry.last, name=entry.name, hours=entry.hours,
        recorded_at=entry.recorded_at, entered_by=entry.entered_by, removed_by=entry.removed_by,
    )  # fmt: skip


@router.get("/organisation-units/{unit_id}/calendar-entries", summary="List a unit's own calendar entries")
def list_entries(
    scope: CurrentScope,
    unit_id: str,
    known_at: Annotated[AwareDatetime | None, Query(description="As the register knew it then.")] = None,
) -> Page[EntryRow]:
    """Give what the unit itself entered, by first day; entries of units above hold for it too, see its calendar."""
    unit = acting.unit_of(scope, unit_id)
    return Page(items=[_row(entry) for entry in entries_of(scope.session, unit.id, known_at)], next_cursor=None)


@router.post("/organisation-units/{unit_id}/calendar-entries", status_code=201, summary="Enter a calendar entry")
def add_entry(scope: CurrentScope, unit_id: str, wanted: EntryIn) -> EntryRow:
    """Enter a term, day off, exam, shift or made-up lesson, also for days that have passed."""
    last = wanted.last or (None if wanted.kind is CalendarKind.SHIFT else wanted.first)
    name = " ".join(wanted.name.split()) or wanted.kind.value
    try:
        return _row(acting.enter(scope, unit_id, NewEntry(wanted.kind, wanted.first, last, name, wanted.hours)))
    except CalendarError as error:
        raise bad_value("body", str(error)) from error


@router.delete("/organisation-units/{unit_id}/calendar-entries/{entry}", summary="Take a calendar entry back")
def remove_entry(scope: CurrentScope, unit_id: str, entry: str) -> EntryRow:
    """Record that the entry never held, also for the past; what was judged by it stands."""
    return _row(acting.take_back(scope, unit_id, entry))


@router.get(
    "/organisation-units/{unit_id}/calendar.ics",
    summary="Download a unit's own calendar",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "iCalendar."}},
)
def download(scope: CurrentScope, unit_id: str) -> Response:
    """Give the unit's own entries as an iCalendar file, which the same routes take again."""
    return ics_file(scope, unit_id)


def ics_file(scope: Scope, unit_id: str) -> Response:
    """Make the answer that is a unit's iCalendar file."""
    unit = acting.unit_of(scope, unit_id)
    content = write_ics(entries_of(scope.session, unit.id), unit.name)
    headers = {"Content-Disposition": 'attachment; filename="calendar.ics"'}
    return Response(content, media_type=ICS_TYPE, headers=headers)


def _file(found: FileEffect) -> FileOut:
    entries = [
        FileEntryOut(change=e.change, kind=e.kind, first=e.first, last=e.last, name=e.name, hours=e.hours)
        for e in found.entries
    ]
    return FileOut(preview=found.mark, entries=entries)


@router.post(
    "/organisation-units/{unit_id}/calendar-file/preview", summary="Preview a calendar file", openapi_extra=SENT_FILE
)
def preview_file(
    scope: CurrentScope, unit_id: str, payload: SentFile, name: _Name = "calendar.ics", kind: _Kind = None
) -> FileOut:
    """Tell what an iCalendar file would do to the unit's calendar; nothing is stored."""
    try:
        return _file(acting.preview_file(scope, unit_id, name, payload, kind))
    except CalendarError as error:
        raise bad_value("body", str(error)) from error


@router.post(
    "/organisation-units/{unit_id}/calendar-file/apply",
    summary="Apply a previewed calendar file",
    openapi_extra=SENT_FILE,
)
def apply_file(
    scope: CurrentScope,
    unit_id: str,
    payload: SentFile,
    preview: Annotated[str, Query(max_length=64, description="Mark of the preview of the same file.")],
    name: _Name = "calendar.ics",
    kind: _Kind = None,
) -> FileOut:
    """Store what the preview showed; 409 when file or calendar have changed since."""
    try:
        found, is_done = acting.apply_file(scope, unit_id, name, payload, kind, preview)
    except CalendarError as error:
        raise bad_value("body", str(error)) from error
    if not is_done:
        raise Problem(HTTPStatus.CONFLICT, "preview_moved", "File or calendar are not those of the preview any more.")
    return _file(found)


@router.get("/rooms/{room_id}/timetable", summary="Get a room's timetable and expected hours")
def get_timetable(scope: CurrentScope, room_id: str, first: _Day = None, last: _Day = None) -> RoomHoursOut:
    """Give the timetable, and for each day the hours that calendar and shift leave of it, with what decided."""
    room = scope.one(Room, "room", Room.id == room_id)
    first = first or datetime.now(LOCAL).date()
    last = last or first + timedelta(days=6)
    if not 0 <= (last - first).days < _MOST_DAYS:
        raise bad_value("query/last", f"Give a period of 1 to {_MOST_DAYS} days.")
    return _hours(scope, room, first, last)


@router.put("/rooms/{room_id}/timetable", summary="Set a room's timetable")
def put_timetable(scope: CurrentScope, room_id: str, wanted: TimetableIn) -> RoomHoursOut:
    """Set when a room is in use, from now on."""
    try:
        room = acting.set_timetable(scope, room_id, wanted.timetable)
    except TimetableError as error:
        raise bad_value("body/timetable", str(error)) from error
    today = datetime.now(LOCAL).date()
    return _hours(scope, room, today, today + timedelta(days=6))


def _hours(scope: Scope, room: Room, first: date, last: date) -> RoomHoursOut:
    calendar = read_calendar(scope.session, room.school_id, first, last)
    try:
        hours = calendar.cut(parse(room.timetable))
        days = [day_out(first + timedelta(days=n), calendar, hours) for n in range((last - first).days + 1)]
    except TimetableError:
        days = []  # an unreadable one of old: nothing is expected, and the rules say bad_timetable
    return RoomHoursOut(
        room_id=room.id, unit_id=room.school_id, timetable=room.timetable, timetable_by=room.timetable_by,
        timetable_at=room.timetable_at, default=DEFAULT, days=days, expired=calendar.expired(last),
    )  # fmt: skip


@router.get("/tables", summary="List tables that run out")
def list_tables(_scope: CurrentScope) -> Page[TableOut]:
    """Give every table that came with the program, how long it holds, and what happens after its end."""
    today = datetime.now(LOCAL).date()
    items = [
        TableOut(
            name=table.name, file=table.file, checked=table.checked, valid_until=table.valid_until,
            validity=table.validity(today).value, warning=table.warning(today),
        )
        for table in shipped_tables()
    ]  # fmt: skip
    return Page(items=items, next_cursor=None)
