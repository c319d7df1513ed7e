"""Writes calendar entries as an iCalendar file that every calendar program shows, and that import reads back whole.

In: entries of a unit. Out: bytes of UTF-8 with CRLF line ends; the same entries always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import icalendar

from phongmay_store.register.calendar import CalendarEntry
from phongmay_store.register.ics.reading import HOURS, KIND, OPEN


def write_ics(entries: Iterable[CalendarEntry], name: str) -> bytes:
    """Give the file.

    Args:
        entries: current versions.
        name: what programs call the calendar, e.g. the unit's name.
    """
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Phong May//calendar//VI")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    for entry in entries:
        event = icalendar.Event()
        event.add("uid", entry.uid)
        event.add("dtstamp", entry.recorded_at.replace(microsecond=0))
        event.add("dtstart", entry.first)
        event.add("dtend", (entry.last or entry.first) + timedelta(days=1))
        event.add("summary", entry.name)
        event.add("transp", "TRANSPARENT")
        event.add(KIND, entry.kind)
        if entry.hours:
            event.add(HOURS, entry.hours)
        if entry.last is None:
            event.add(OPEN, "TRUE")
        calendar.add_component(event)
    return bytes(calendar.to_ical())
