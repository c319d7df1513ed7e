"""What the page of calendars shows: own and inherited entries, timetables of rooms, and the hours that come of both.

Also the warnings of shipped tables that run out, which the page of a district shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from phongmay_api.access.permissions import Permission
from phongmay_api.access.scope import Scope
from phongmay_api.calendar.acting import FileEffect
from phongmay_api.organisation.calendar import DayOut, day_out
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.texts import Texts
from phongmay_rules.tables import shipped_tables
from phongmay_store.register.calendar import (
    FIRST_YEAR,
    LAST_YEAR,
    LONGEST_DAYS,
    CalendarEntry,
    CalendarError,
    CalendarKind,
    NewEntry,
    entries_of,
    read_hours,
)
from phongmay_store.register.calendar_hours import Period
from phongmay_store.register.calendar_reading import read_calendar
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import DEFAULT, LOCAL, TimetableError, parse
from phongmay_store.shipped import Validity

_SHOWN_DAYS = 14
_YEAR = timedelta(days=365)


class EntryProblem(Exception):
    """An entry of a form that makes no sense; its text is the key of a sentence."""


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS_WORD = re.compile(rf"\b({'|'.join(_DAYS)}|always|never|morning|afternoon|both|like)\b", re.IGNORECASE)
_HOURS_DAYS = re.compile(r"([a-z])-([a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Week:
    """The expected hours of the next days for one timetable."""

    timetable: str
    days: Sequence[DayOut]


@dataclass(frozen=True, slots=True)
class CalendarView:
    """The page.

    Attributes:
        inherited: entries of units above and public holidays of the coming year.
        weeks: for each timetable that a room has; for a unit without rooms the default.
        expired: what runs out within the year, "" = nothing.
        said: a timetable, or hours of an entry, in words.
        effect: what a file would do.
    """

    unit: Unit
    crumbs: Sequence[Unit]
    entries: Sequence[CalendarEntry]
    inherited: Sequence[Period]
    rooms: Sequence[Room]
    weeks: Sequence[Week]
    default: str
    expired: str
    expired_by: date
    said: Callable[[str], str]
    kinds: Sequence[str]
    may_enter: bool
    effect: FileEffect | None
    sample: bool


def calendar_view(scope: Scope, unit: Unit, words: Texts, effect: FileEffect | None = None) -> CalendarView:
    """Gather the page of a unit of the scope."""
    today = datetime.now(LOCAL).date()
    rooms = scope.session.scalars(scope.select(Room, [unit.id]).order_by(Room.name, Room.id)).all()
    calendar = read_calendar(scope.session, unit.id, today, today + _YEAR)
    weeks = []
    for text in sorted({room.timetable for room in rooms}) or [""]:
        try:
            hours = calendar.cut(parse(text))
        except TimetableError:
            continue
        days = [day_out(today + timedelta(days=number), calendar, hours) for number in range(_SHOWN_DAYS)]
        weeks.append(Week(text or DEFAULT, days))
    inherited = [period for period in calendar.periods if period.distance > 0 and _coming(period, today)]
    return CalendarView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        entries=list(entries_of(scope.session, unit.id)),
        inherited=sorted(inherited, key=lambda period: (period.first, period.kind)),
        rooms=rooms,
        weeks=weeks,
        default=DEFAULT,
        expired=_expired(calendar.expired(today + timedelta(days=_SHOWN_DAYS)), words),
        expired_by=today + timedelta(days=_SHOWN_DAYS),
        said=partial(hours_said, words),
        kinds=[kind.value for kind in CalendarKind],
        may_enter=scope.may(Permission.DECLARE, unit.id),
        effect=effect,
        sample=unit.is_sample,
    )


def hours_said(words: Texts, text: str) -> str:
    """Put the words of a timetable or entry ("Mon-Fri 07:00-11:30", "like Fri") into the reader's language."""

    def said(found: re.Match[str]) -> str:
        word = found[0].casefold()
        return words(f"weekday_{_DAYS.index(word)}") if word in _DAYS else words("hours_" + word)

    return _HOURS_WORD.sub(said, _HOURS_DAYS.sub("\\1\N{EN DASH}\\2", text))


def _expired(what: str, words: Texts) -> str:
    """Say in the reader's language what runs out; "" = nothing."""
    if not what:
        return ""
    name, _, last = what.partition(" until ")
    day = f"{date.fromisoformat(last):%d/%m/%Y}"
    return words("calendar_until_terms", day=day) if name == "terms" else words("calendar_until_holidays", day=day)


def _coming(period: Period, today: date) -> bool:
    return (period.last is None or period.last >= today) and period.first <= today + _YEAR


def entry_of(kind: str, first: str, last: str, name: str, hours: str) -> NewEntry:
    """Make the entry that a form describes.

    Raises:
        EntryProblem: what is wrong with it.
    """
    if kind not in set(CalendarKind):
        raise EntryProblem("kind")
    what = CalendarKind(kind)
    try:
        begin = date.fromisoformat(first.strip())
        end = date.fromisoformat(last.strip()) if last.strip() else None
    except ValueError as error:
        raise EntryProblem("day") from error
    if end is None and what is not CalendarKind.SHIFT:
        end = begin
    for day in (begin, end or begin):
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise EntryProblem("year")
    if end is not None and end < begin:
        raise EntryProblem("order")
    if end is not None and (end - begin).days >= LONGEST_DAYS:
        raise EntryProblem("long")
    try:
        read_hours(what, hours)
    except CalendarError as error:
        raise EntryProblem("hours") from error
    return NewEntry(what, begin, end, " ".join(name.split())[:200] or kind, hours)


def table_warnings(words: Texts) -> Iterator[str]:
    """Say in the reader's language which shipped tables have run out or soon will."""
    today = datetime.now(LOCAL).date()
    for table in shipped_tables():
        validity = table.validity(today)
        name, what = words.word("table_name", table.file), words.word("table_without", table.file)
        day = f"{table.valid_until:%d/%m/%Y}"
        if validity is Validity.EXPIRED:
            yield words("table_expired", name=name, day=day, what=what)
        elif validity is Validity.ENDS_SOON:
            yield words("table_ends_soon", name=name, day=day, what=what)
