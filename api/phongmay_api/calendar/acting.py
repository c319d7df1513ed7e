"""Enters and takes back calendar entries of a unit of the scope, exchanges iCalendar files, sets a room's timetable.

Outside the scope 404. What makes no sense raises CalendarError (or TimetableError) in one sentence; nothing is written
then. A file is applied only as its preview showed it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from phongmay_api.access.scope import Scope
from phongmay_api.problems import not_found
from phongmay_store.register.base import utc_now
from phongmay_store.register.calendar import CalendarEntry, CalendarError, CalendarKind, NewEntry, put, remove
from phongmay_store.register.ics.importing import import_ics
from phongmay_store.register.ics.reading import Window, read_ics
from phongmay_store.register.importing import one_at_a_time
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import LOCAL, parse

LARGEST_ICS = 2 * 1024**2
"""Bytes of a file: a school calendar has a few thousand; between preview and confirmation it travels in a form."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What a file does to one entry: created, changed, unchanged or removed."""

    change: str
    kind: str
    first: date
    last: date | None
    name: str
    hours: str


@dataclass(frozen=True, slots=True)
class FileEffect:
    """What a file does.

    Attributes:
        mark: of exactly this effect; applying it asks for it.
    """

    entries: Sequence[FileEntry]
    mark: str

    @property
    def counts(self) -> dict[str, int]:
        """Entries by what is done to them."""
        out: dict[str, int] = {}
        for entry in self.entries:
            out[entry.change] = out.get(entry.change, 0) + 1
        return out


def unit_of(scope: Scope, unit_id: str) -> Unit:
    """Give a unit of the scope.

    Raises:
        Problem: 404 or 403.
    """
    return scope.one(Unit, "organisation unit", Unit.id == unit_id)


def enter(scope: Scope, unit_id: str, entry: NewEntry) -> CalendarEntry:
    """Enter a term, day off, exam, shift or made-up lesson, also for the past.

    Raises:
        CalendarError: it makes no sense.
    """
    row, _ = put(scope.session, unit_of(scope, unit_id).id, entry, scope.principal.name)
    scope.session.commit()
    return row


def take_back(scope: Scope, unit_id: str, entry_id: str) -> CalendarEntry:
    """Record that an entry of a unit never held; what was judged by it stands.

    Raises:
        Problem: 404, the unit has no such entry now.
    """
    unit = unit_of(scope, unit_id)
    own = (CalendarEntry.id == entry_id, CalendarEntry.unit_id == unit.id, CalendarEntry.known())
    if scope.session.scalar(select(CalendarEntry.id).where(*own)) is None:
        raise not_found("calendar entry")
    row = remove(scope.session, entry_id, scope.principal.name)
    scope.session.commit()
    return row


def preview_file(scope: Scope, unit_id: str, name: str, content: bytes, kind: CalendarKind | None) -> FileEffect:
    """Tell what an iCalendar file would do; nothing is written.

    Raises:
        CalendarError: it cannot be taken; names the line.
    """
    found = _import(scope, unit_id, name, content, kind)
    scope.session.rollback()
    return found


def apply_file(
    scope: Scope, unit_id: str, name: str, content: bytes, kind: CalendarKind | None, mark: str
) -> tuple[FileEffect, bool]:  # fmt: skip
    """Do what a preview showed; gives the effect, and whether it was that of the preview (else nothing was done).

    Raises:
        CalendarError: it cannot be taken; names the line.
    """
    one_at_a_time(scope.session)
    found = _import(scope, unit_id, name, content, kind)
    if found.mark != mark:
        scope.session.rollback()
        return found, False
    scope.session.commit()
    return found, True


def _import(scope: Scope, unit_id: str, name: str, content: bytes, kind: CalendarKind | None) -> FileEffect:
    unit = unit_of(scope, unit_id)
    if len(content) > LARGEST_ICS:
        raise CalendarError(f"{name}: more than {LARGEST_ICS} bytes; a school calendar has a few thousand")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise CalendarError(f"{name}: line {line}: this is not UTF-8; save the file as UTF-8") from error
    window = Window.around(datetime.now(LOCAL).date())
    done = import_ics(scope.session, unit.id, read_ics(text, kind, name, window), scope.principal.name)
    entries = [
        FileEntry(one.change.value, one.entry.kind, one.entry.first, one.entry.last, one.entry.name, one.entry.hours)
        for one in done
    ]
    said = [[e.change, e.kind, str(e.first), str(e.last), e.name, e.hours] for e in entries]
    mark = hashlib.sha256(json.dumps([unit.id, sorted(said)]).encode() + content).hexdigest()[:32]
    return FileEffect(entries, mark)


def set_timetable(scope: Scope, room_id: str, text: str, since: datetime | None = None) -> Room:
    """Set when a room is in use, since an instant (default: now).

    Raises:
        TimetableError: it cannot be read; names the piece.
        Problem: 404 or 403.
    """
    room = scope.one(Room, "room", Room.id == room_id)
    words = " ".join(text.split())
    parse(words)
    fresh = room.set_timetable(scope.session, words, scope.principal.name, since=since or utc_now())
    scope.session.commit()
    return fresh
