"""Reads an iCalendar file: its text and the kind of entry go in, calendar entries of whole local days come out.

Of an event only times, recurrence, summary and UID are read: no attendees, no descriptions. All-day events are days in
Asia/Ho_Chi_Minh. Whatever cannot be taken raises IcsError with file and line, and nothing is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import icalendar

from phongmay_store.register.calendar import CalendarError, CalendarKind, NewEntry
from phongmay_store.register.ics.lines import EventLines, IcsError, find_events
from phongmay_store.register.ics.recurrence import local_time, occurrences

KIND, HOURS, OPEN = "X-PHONGMAY-KIND", "X-PHONGMAY-HOURS", "X-PHONGMAY-OPEN"
"""Properties of our own, in files that `phongmay calendar export` wrote."""
LONGEST_NAME = 200
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Days in which occurrences of recurring events are taken, both included."""

    first: date
    last: date

    @classmethod
    def around(cls, today: date) -> Window:
        """Two years back and three ahead: corrections of the past, and the plan of the next years."""
        return cls(today - timedelta(days=730), today + timedelta(days=1095))


@dataclass(frozen=True, slots=True)
class IcsFile:
    """What a file says.

    Attributes:
        entries: one an occurrence; the uid of an occurrence of a recurring event ends with '#' and its day.
        uids: (kind, UID) of every event in the file, cancelled ones too: what else is known of them holds no more.
        window: where recurring events were looked at.
    """

    entries: tuple[NewEntry, ...]
    uids: frozenset[tuple[CalendarKind, str]]
    window: Window


def read_ics(text: str, kind: CalendarKind | None, file: str, window: Window) -> IcsFile:
    """Read a file.

    Args:
        text: its content.
        kind: what its events are; None = each event says so itself (files of our own).
        file: its name, for messages.
        window: see `Window`.

    Raises:
        IcsError: names the line.
    """
    lines = find_events(text, file)
    if not lines and "BEGIN:VCALENDAR" not in text.upper():
        raise IcsError(file, 1, "this is no iCalendar file; it has no BEGIN:VCALENDAR")
    try:
        calendars: Sequence[Any] = icalendar.Calendar.from_ical(text, multiple=True)
    except Exception as error:  # the library raises whatever it stumbles over (AttributeError, too)
        raise IcsError(file, 1, f"it cannot be read as iCalendar: {error}") from error
    events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    entries: dict[tuple[CalendarKind, str], NewEntry] = {}
    uids: set[tuple[CalendarKind, str]] = set()
    changed: list[_Event] = []
    for component, where in zip(events, lines, strict=True):
        event = _Event(component, where, kind, file)
        if event.overrides is not None:
            changed.append(event)
            continue
        if (event.kind, event.uid) in uids:
            raise event.error("UID", f"UID {event.uid!r} stands there twice")
        uids.add((event.kind, event.uid))
        entries |= {(event.kind, entry.uid): entry for entry in event.entries(window)}
    for event in changed:  # occurrences that differ from their rule, wherever they stand in the file
        uids.add((event.kind, event.uid))
        for entry in event.entries(window):
            entries[event.kind, entry.uid] = entry
        if event.is_cancelled:
            entries.pop((event.kind, event.key(event.overrides)), None)
    return IcsFile(tuple(entries.values()), frozenset(uids), window)


class _Event:
    """One VEVENT."""

    def __init__(self, component: Any, where: EventLines, kind: CalendarKind | None, file: str) -> None:
        self._component, self._where, self._file = component, where, file
        for name, message in component.errors:
            raise self.error(str(name), f"{name}: {message}")
        self.uid = str(component.get("UID", "")).strip()
        if not self.uid:
            raise self.error("UID", "this event has no UID, so a second import could not know it again")
        self.is_cancelled = str(component.get("STATUS", "")).upper() == "CANCELLED"
        self.kind = kind or self._own_kind()
        self.start = self._moment("DTSTART")
        self._is_all_day = not isinstance(component["DTSTART"].dt, datetime)
        self.overrides = self._moment("RECURRENCE-ID") if "RECURRENCE-ID" in component else None
        if self.overrides and "RANGE" in component["RECURRENCE-ID"].params:
            raise self.error("RECURRENCE-ID", "RANGE=THISANDFUTURE is not supported; end the rule and begin a new one")

    def error(self, name: str, what: str) -> IcsError:
        """Make an error that points to a property."""
        return IcsError(self._file, self._where.of(name), what)

    def key(self, start: datetime | None) -> str:
        """Give the uid of an occurrence."""
        return self.uid if start is None else f"{self.uid}#{start.date()}"

    def entries(self, window: Window) -> Iterator[NewEntry]:
        """Give what the event says, one entry an occurrence; nothing when it is cancelled."""
        if self.is_cancelled:
            return
        length = self._length()
        recurs = "RRULE" in self._component or "RDATE" in self._component
        if not recurs:
            yield self._entry(self.start, length, self.key(self.overrides))
            return
        for start in self._occurrences(window):
            yield self._entry(start, length, self.key(start))

    def _own_kind(self) -> CalendarKind:
        try:
            return CalendarKind(str(self._component.get(KIND, "")).lower())
        except ValueError:
            raise self.error(KIND, "this event does not say what it is; give --kind") from None

    def _moment(self, name: str) -> datetime:
        value = getattr(self._component.get(name), "dt", None)
        if not isinstance(value, date):
            raise self.error(name, f"this event has no {name} that can be read")
        return local_time(value)

    def _length(self) -> timedelta:
        length: timedelta | None
        if "DTEND" in self._component:
            length = self._moment("DTEND") - self.start
        elif "DURATION" in self._component:
            length = getattr(self._component["DURATION"], "dt", None)
            if not isinstance(length, timedelta):
                raise self.error("DURATION", "this event has no DURATION that can be read")
        else:
            length = timedelta()
        if length < timedelta():
            raise self.error("DTEND", "this event ends before it begins")
        # Without an end an all-day event is one day; some programs also give it its own day as the end.
        return length or (_DAY if self._is_all_day else timedelta())

    def _occurrences(self, window: Window) -> list[datetime]:
        rule = self._component.get("RRULE")
        if isinstance(rule, list):
            raise self.error("RRULE", "more than one RRULE in one event is not supported")
        try:
            bounds = datetime.combine(window.first, time.min), datetime.combine(window.last, time.max)
            return occurrences(self.start, rule, self._dates("RDATE"), self._dates("EXDATE"), bounds)
        except (ValueError, OverflowError) as error:
            raise self.error("RRULE", f"this recurrence cannot be taken: {error}") from error

    def _dates(self, name: str) -> list[datetime]:
        values = self._component.get(name, [])
        lists = values if isinstance(values, list) else [values]
        found = [each.dt for many in lists for each in many.dts]
        return [local_time(value[0] if isinstance(value, tuple) else value) for value in found]

    def _has_times(self, start: datetime, length: timedelta) -> bool:
        """Tell whether it is more than whole days; one from midnight to midnight is whole days too."""
        is_whole = start.time() == time.min and bool(length) and not length % _DAY
        return not self._is_all_day and not is_whole

    def _entry(self, start: datetime, length: timedelta, uid: str) -> NewEntry:
        hours = str(self._component.get(HOURS, ""))
        end = start + length
        last = max((end - timedelta(microseconds=1)).date(), start.date())
        if self._has_times(start, length):
            if self.kind is CalendarKind.EXCEPTION:
                hours = self._hours(start, end)
            elif self.kind is not CalendarKind.EXAM:
                raise self.error("DTSTART", f"a {self.kind} is whole days, but this event has clock times")
        is_open = str(self._component.get(OPEN, "")).upper() == "TRUE"
        name = " ".join(str(self._component.get("SUMMARY", "")).split())[:LONGEST_NAME]
        entry = NewEntry(self.kind, start.date(), None if is_open else last, name or self.kind.value, hours, uid)
        try:
            entry.check()
        except CalendarError as error:
            raise self.error("DTSTART", str(error)) from error
        return entry

    def _hours(self, start: datetime, end: datetime) -> str:
        midnight = datetime.combine(start.date() + _DAY, time.min)
        if not start < end <= midnight:
            raise self.error("DTSTART", "lessons with clock times begin and end on one day; use one event a day")
        return f"{start:%H:%M}-{'24:00' if end == midnight else f'{end:%H:%M}'}"
