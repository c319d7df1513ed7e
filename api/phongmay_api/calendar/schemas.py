"""What the API says about calendars, timetables and tables that run out, and what it is told."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from phongmay_api.organisation.calendar import DayOut
from phongmay_store.register.calendar import CalendarKind


class EntryIn(BaseModel):
    """A term, day off, exam, shift or made-up lesson."""

    kind: CalendarKind
    first: date = Field(description="First local day.")
    last: date | None = Field(default=None, description="Last local day, included; default: the first (a shift: open).")
    name: str = Field(default="", max_length=200, description="What people call it; no names of persons.")
    hours: str = Field(
        default="", max_length=200,
        description="Shift: morning, afternoon, both or hours; exception: 'like Fri' or hours; else empty.",
    )  # fmt: skip


class EntryRow(BaseModel):
    """An entry of a unit's own calendar."""

    id: str
    kind: str
    first: date
    last: date | None = Field(description="Last local day, included; null = open.")
    name: str
    hours: str
    recorded_at: datetime = Field(description="When this version was entered.")
    entered_by: str | None = Field(description="Account or key that entered it; null = not known.")
    removed_by: str | None = Field(description="Account or key that took it back; null = nobody did, or not known.")


class FileEntryOut(BaseModel):
    """What a file does to one entry."""

    change: str = Field(description="created, changed, unchanged or removed.")
    kind: str
    first: date
    last: date | None
    name: str
    hours: str


class FileOut(BaseModel):
    """What an iCalendar file does."""

    preview: str = Field(description="Mark of this effect; applying the file asks for it.")
    entries: list[FileEntryOut]


class TimetableIn(BaseModel):
    """When a room is in use."""

    timetable: str = Field(
        max_length=300, description="Such as 'Mon-Fri 07:00-11:30 13:00-16:30'; always; never; empty = the default."
    )


class RoomHoursOut(BaseModel):
    """A room's timetable, and the hours that the calendar leaves of it."""

    room_id: str
    unit_id: str
    timetable: str = Field(description="Empty = the district's default.")
    timetable_by: str | None = Field(description="Account or key that set it; null = nobody did, or not known.")
    timetable_at: datetime | None = Field(description="When it was set.")
    default: str = Field(description="What an empty timetable means.")
    days: list[DayOut] = Field(description="Expected hours of each day and what decided them.")
    expired: str = Field(description="What runs out before the last day, and when; empty = nothing.")


class TableOut(BaseModel):
    """A table that came with the program and runs out."""

    name: str
    file: str
    checked: date = Field(description="When its content was last looked up.")
    valid_until: date = Field(description="Last day on which anything is concluded from it.")
    validity: str = Field(description="current, ends_soon (90 days before its end) or expired.")
    warning: str = Field(description="What happens and when; empty = nothing soon.")
