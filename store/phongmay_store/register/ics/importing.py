"""Takes the entries of an iCalendar file into a unit's calendar; the same file a second time changes nothing.

An event is known again by its UID. What the file does not name stays; what an event of the file said before and says
no more (an occurrence taken out, an event cancelled) is removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy.orm import Session

from phongmay_store.register.calendar import CalendarEntry, CalendarKind, Change, entries_of, put, remove
from phongmay_store.register.ics.reading import IcsFile, Window

_OCCURRENCE = re.compile(r"#\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class Imported:
    """What happened to one entry."""

    change: Change
    entry: CalendarEntry


def import_ics(session: Session, unit_id: str, content: IcsFile, by: str | None = None) -> list[Imported]:
    """Record what a file says about a unit, and who handed it in; the caller commits."""
    named = {(entry.kind, entry.uid) for entry in content.entries}
    out: list[Imported] = []
    for known in list(entries_of(session, unit_id)):
        key = CalendarKind(known.kind), known.uid
        event = key[0], _OCCURRENCE.sub("", known.uid)
        is_of_file = key in content.uids or (event in content.uids and _inside(known, content.window))
        if is_of_file and key not in named:
            out.append(Imported(Change.REMOVED, remove(session, known.id, by)))
    for entry in content.entries:
        row, change = put(session, unit_id, entry, by)
        out.append(Imported(change, row))
    return out


def _inside(entry: CalendarEntry, window: Window) -> bool:
    """Tell whether an occurrence was looked at; older ones are the past, not gone."""
    return window.first <= entry.first <= window.last
