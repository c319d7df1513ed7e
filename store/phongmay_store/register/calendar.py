"""Calendar of an organisation unit: terms, days off, exams, shifts and made-up lessons; inherited down the tree.

In: entries with local days (last day included) and hours as text. Out: rows whose VALID TIME IS the period of the
entry, so a corrected calendar is a new version of an old period, and both "what was so" and "what did we believe"
stay answerable. A period or hours that make no sense raise CalendarError, which says what was expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from phongmay_contract.errors import OperatorError
from phongmay_store.register.base import Versioned, new_id, utc_now
from phongmay_store.register.timetable import LOCAL, Minutes, TimetableError, parse_hours, parse_weekday

LONGEST_DAYS = 400
"""A longer entry is a slip of the pen; a school year has about 270 days."""
FIRST_YEAR, LAST_YEAR = 2000, 2100
NOON, MIDNIGHT = 12 * 60, 24 * 60
_PARTS = {"morning": ((0, NOON),), "afternoon": ((NOON, MIDNIGHT),), "both": ((0, MIDNIGHT),)}


class CalendarError(OperatorError):
    """A calendar entry that cannot be taken."""


class CalendarKind(StrEnum):
    """What an entry says about its days."""

    TERM = "term"
    """School is held; where a unit has terms, no other day is a school day."""
    HOLIDAY = "holiday"
    EXAM = "exam"
    """Machines are in use, but nothing may disturb: no bandwidth test."""
    SHIFT = "shift"
    """The school runs in the morning, in the afternoon, or in both."""
    EXCEPTION = "exception"
    """School is held although the day is closed, e.g. Friday's lessons made up on a Saturday."""


class CalendarEntry(Versioned):
    """An entry of a unit's calendar; its valid time is its period, from local midnight to local midnight.

    Attributes:
        kind: term, holiday, exam, shift or exception.
        name: what people call it.
        hours: of a shift "morning", "afternoon", "both" or hours; of an exception "" (the day's own timetable),
            "like Fri" or hours.
        entered_by: account, key or office that recorded this version; when: `recorded_at`. None = not known, as of
            everything from before revision 0012.
        removed_by: who recorded that it never held; when: `superseded_at`.
        uid: id of the event in iCalendar files; of an entry made by hand its own id with "@phongmay".
    """

    __tablename__ = "calendar_entry"

    unit_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    name: Mapped[str]
    hours: Mapped[str] = mapped_column(default="")
    uid: Mapped[str]
    entered_by: Mapped[str | None]
    removed_by: Mapped[str | None]

    def says(self) -> tuple[object, ...]:
        """Give what it says, whoever recorded it."""
        return self.valid_from, self.valid_to, self.kind, self.name, self.hours, self.uid

    @property
    def first(self) -> date:
        """First day."""
        return self.valid_from.astimezone(LOCAL).date()

    @property
    def last(self) -> date | None:
        """Last day; None = open."""
        return self.valid_to.astimezone(LOCAL).date() - timedelta(days=1) if self.valid_to else None


@dataclass(frozen=True, slots=True)
class DayHours:
    """Hours of an entry, read.

    Attributes:
        like: weekday whose timetable holds (0 = Monday); None = the day's own.
        minutes: of a shift what it leaves, of an exception what holds instead of the timetable; None = not given.
    """

    like: int | None = None
    minutes: tuple[Minutes, ...] | None = None


def read_hours(kind: CalendarKind, text: str) -> DayHours:
    """Read the hours of an entry.

    Raises:
        CalendarError: they cannot be read, or an entry of this kind has none.
    """
    words = text.split()
    try:
        if kind is CalendarKind.SHIFT and words:
            return DayHours(minutes=_PARTS.get(text.strip()) or parse_hours(text))
        if kind is CalendarKind.EXCEPTION:
            if words[:1] == ["like"]:
                return DayHours(like=parse_weekday(" ".join(words[1:])))
            return DayHours(minutes=parse_hours(text)) if words else DayHours()
    except TimetableError as error:
        raise CalendarError(f"hours of {kind} {text!r}: {error}") from error
    if kind is CalendarKind.SHIFT:
        raise CalendarError("a shift needs hours: morning, afternoon, both, or hours such as '06:45-11:30'")
    if words:
        raise CalendarError(f"{kind} {text!r}: whole days have no hours; only shift and exception do")
    return DayHours()


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry that is to be recorded; `last` is included, None = open (shifts only)."""

    kind: CalendarKind
    first: date
    last: date | None
    name: str = ""
    hours: str = ""
    uid: str = ""

    def check(self) -> None:
        """Make sure that it makes sense.

        Raises:
            CalendarError: says what does not.
        """
        read_hours(self.kind, self.hours)
        if self.last is None and self.kind is not CalendarKind.SHIFT:
            raise CalendarError(f"{self.kind} from {self.first}: it needs a last day")
        for day in (self.first, self.last or self.first):
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise CalendarError(f"{self.kind}: {day} is not a year from {FIRST_YEAR} to {LAST_YEAR}")
        if self.last is not None and self.last < self.first:
            raise CalendarError(f"{self.kind} from {self.first} to {self.last} ends before it begins")
        if self.last is not None and (self.last - self.first).days >= LONGEST_DAYS:
            raise CalendarError(f"{self.kind} from {self.first} to {self.last} is longer than {LONGEST_DAYS} days")


class Change(StrEnum):
    """What recording an entry did."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


def put(session: Session, unit_id: str, entry: NewEntry, by: str | None = None) -> tuple[CalendarEntry, Change]:
    """Record an entry; one with a uid takes the place of what the unit has under this kind and uid.

    Args:
        session: open transaction; the caller commits.
        unit_id: the unit, which the caller has made sure exists.
        entry: what holds.
        by: account, key or office that says so; None = not known. An entry that says the same keeps who said it first.

    Raises:
        CalendarError: the entry makes no sense.
    """
    entry.check()
    now = utc_now()
    known = _with_uid(session, unit_id, entry.kind, entry.uid) if entry.uid else None
    valid_from = midnight(entry.first)
    valid_to = midnight(entry.last + timedelta(days=1)) if entry.last else None
    entry_id = known.id if known else new_id("cal")
    fresh = CalendarEntry(
        id=entry_id, unit_id=unit_id, kind=entry.kind.value, name=entry.name, hours=" ".join(entry.hours.split()),
        uid=entry.uid or f"{entry_id}@phongmay", valid_from=valid_from, valid_to=valid_to, recorded_at=now,
        entered_by=by,
    )  # fmt: skip
    if known is not None:
        if known.says() == fresh.says():
            return known, Change.UNCHANGED
        known.superseded_at = now
    session.add(fresh)
    session.flush()
    return fresh, Change.CHANGED if known else Change.CREATED


def remove(session: Session, entry_id: str, by: str | None = None) -> CalendarEntry:
    """Record that an entry never held, and who says so.

    Raises:
        CalendarError: there is no such entry.
    """
    found = session.scalar(select(CalendarEntry).where(CalendarEntry.id == entry_id, CalendarEntry.known()))
    if found is None:
        raise CalendarError(f"there is no calendar entry {entry_id!r}; 'phongmay calendar list' shows them")
    found.superseded_at, found.removed_by = utc_now(), by
    session.flush()
    return found


def entries_of(session: Session, unit_id: str, known_at: datetime | None = None) -> Iterator[CalendarEntry]:
    """Give a unit's own entries in order of their first day."""
    yield from session.scalars(
        select(CalendarEntry)
        .where(CalendarEntry.unit_id == unit_id, CalendarEntry.known(known_at))
        .order_by(CalendarEntry.valid_from, CalendarEntry.kind, CalendarEntry.id)
    )


def midnight(day: date) -> datetime:
    """Give the beginning of a local day."""
    return datetime.combine(day, time.min, LOCAL).astimezone(UTC)


def _with_uid(session: Session, unit_id: str, kind: CalendarKind, uid: str) -> CalendarEntry | None:
    return session.scalar(
        select(CalendarEntry).where(
            CalendarEntry.unit_id == unit_id, CalendarEntry.kind == kind.value, CalendarEntry.uid == uid,
            CalendarEntry.known(),
        )
    )  # fmt: skip
