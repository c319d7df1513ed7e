"""The route of a unit's calendar: a period goes in, the expected hours of each day and what decided them come out.

Entries of units above count for those below, so their names are shown there too, even to somebody who may see only the
lower unit. A period that is too long or a timetable that cannot be read is a 422.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from phongmay_api.access.scope import CurrentScope
from phongmay_api.problems import bad_value
from phongmay_api.routing import api_router
from phongmay_store.register.calendar_hours import Calendar, Purpose
from phongmay_store.register.calendar_reading import read_calendar
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import LOCAL, Hours, TimetableError, parse

MOST_DAYS = 400
WEEK = timedelta(days=6)
_EARLIEST, _LATEST = date(2000, 1, 1), date(2100, 1, 1)
router = api_router("organisation")


class EntryOut(BaseModel):
    """A calendar entry that decided about a day."""

    kind: str = Field(description="holiday, exam, shift or exception.")
    name: str
    source: str = Field(description="Row of the register, or entry of the shipped table of public holidays.")


class DayOut(BaseModel):
    """A local day."""

    day: date
    hours: list[str] = Field(description="When the room is in use, such as 07:00-11:30, local time.")
    expected_s: int = Field(description="Seconds in use.")
    entries: list[EntryOut] = Field(description="What decided, nearest unit first; empty = an ordinary day.")
    out_of_term: bool = Field(description="Closed because the unit has terms and none covers the day.")


class TimetableOut(BaseModel):
    """What a timetable comes to."""

    timetable: str = Field(description="Text of the timetable; empty = the district's default.")
    days: list[DayOut]


class CalendarOut(BaseModel):
    """The calendar of a unit in a period."""

    unit_id: str
    timetables: list[TimetableOut]
    expired: str = Field(description="What runs out before the end of the period, and when; empty = nothing.")


@router.get("/organisation-units/{unit_id}/calendar", summary="Get a unit's calendar")
def get_calendar(
    scope: CurrentScope,
    unit_id: str,
    first: Annotated[
        date | None, Query(description="First local day (default: today).", ge=_EARLIEST, le=_LATEST)
    ] = None,
    last: Annotated[
        date | None, Query(description="Last local day (default: six days later).", ge=_EARLIEST, le=_LATEST)
    ] = None,
    timetable: Annotated[
        str | None, Query(description="Such as 'Mon-Fri 07:00-11:30' (default: each of its rooms).", max_length=200)
    ] = None,
    purpose: Annotated[Purpose, Query(description="A bandwidth test is never expected in exams.")] = Purpose.IN_USE,
) -> CalendarOut:
    """Give the hours in which rooms are expected to be in use: timetable, cut by terms, days off and shifts."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    first = first or datetime.now(LOCAL).date()
    last = last or first + WEEK
    if not 0 <= (last - first).days < MOST_DAYS:
        raise bad_value("query/last", f"Give a period of 1 to {MOST_DAYS} days.")
    calendar = read_calendar(scope.session, unit.id, first, last)
    rooms = scope.session.scalars(scope.select(Room, [unit.id]))
    texts = [timetable] if timetable is not None else sorted({room.timetable for room in rooms}) or [""]
    tables = []
    for text in texts:
        try:
            hours = calendar.cut(parse(text), purpose)
        except TimetableError as error:
            raise bad_value("query/timetable", str(error)) from error
        days = [day_out(first + timedelta(days=number), calendar, hours) for number in range((last - first).days + 1)]
        tables.append(TimetableOut(timetable=text, days=days))
    return CalendarOut(unit_id=unit.id, timetables=tables, expired=calendar.expired(last))


def day_out(day: date, calendar: Calendar, hours: Hours) -> DayOut:
    """Say when a room is in use on a day, and what decided it."""
    plan, spans = calendar.plan(day), hours.on(day)
    return DayOut(
        day=day,
        hours=[f"{_clock(begin)}-{_clock(end)}" for begin, end in spans],
        expected_s=sum(60 * (end - begin) for begin, end in spans),
        entries=[EntryOut(kind=entry.kind.value, name=entry.name, source=entry.source) for entry in plan.why],
        out_of_term=plan.out_of_term,
    )


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
