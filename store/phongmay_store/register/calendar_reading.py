"""Reads the calendars of units: rows as known at a time go in, one `Calendar` a unit comes out, equal ones shared.

Farthest above every unit stand the public holidays that came with the program. A register that cannot be read raises
what SQLAlchemy raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.orm import Session

from phongmay_store.register.calendar import CalendarEntry, CalendarKind, midnight, read_hours
from phongmay_store.register.calendar_hours import Calendar, Period
from phongmay_store.register.organisation import Unit
from phongmay_store.register.public_holidays import NAME, PublicHolidays, shipped_holidays


def read_calendars(
    session: Session,
    units: Iterable[str],
    parents: Mapping[str, str | None],
    first: date,
    last: date,
    known_at: datetime | None = None,
    holidays: PublicHolidays | None = None,
) -> dict[str, Calendar]:
    """Give the calendar of each unit for the days from first to last.

    Args:
        session: the register.
        units: whose calendars are wanted.
        parents: the unit above each unit.
        first: first day that will be asked about; only terms before it are read.
        last: last day that will be asked about.
        known_at: entries recorded later are not seen (default: all are).
        holidays: public holidays (default: the shipped table).
    """
    table = holidays or shipped_holidays()
    rows: dict[str, list[CalendarEntry]] = {}
    days = {"begin": midnight(first), "end": midnight(last + timedelta(days=1))}
    for row in session.scalars(_entries(known_at is not None), {**days, "known_at": known_at}):
        rows.setdefault(row.unit_id, []).append(row)
    shared: dict[tuple[int, tuple[tuple[str, int], ...]], Calendar] = {}
    out: dict[str, Calendar] = {}
    for unit in units:
        lineage = list(lineage_of(unit, parents))
        entered = tuple((above, distance) for distance, above in enumerate(lineage) if above in rows)
        key = (len(lineage), entered)  # how far away the public holidays are is a part of what a calendar says
        if key not in shared:
            periods = [_period(row, distance) for above, distance in entered for row in rows[above]]
            shared[key] = Calendar(
                [*periods, *table.periods(len(lineage), first, last)], (NAME, table.valid_until), Calendar(periods)
            )  # fmt: skip
        out[unit] = shared[key]
    return out


@lru_cache
def _entries(known: bool) -> Select[CalendarEntry]:
    """Select what is known of terms, and of all else that touches the days from `begin` to `end`."""
    return select(CalendarEntry).where(
        CalendarEntry.known(bindparam("known_at") if known else None),
        or_(
            CalendarEntry.kind == CalendarKind.TERM.value,
            (CalendarEntry.valid_from < bindparam("end"))
            & or_(CalendarEntry.valid_to.is_(None), CalendarEntry.valid_to > bindparam("begin")),
        ),
    )


def read_calendar(
    session: Session, unit_id: str, first: date, last: date, known_at: datetime | None = None
) -> Calendar:
    """Give the calendar of one unit, in the tree of today."""
    units = session.execute(select(Unit.id, Unit.parent_id).where(Unit.holds()))
    parents: dict[str, str | None] = {unit: parent for unit, parent in units}  # noqa: C416 rows are no pairs to mypy
    return read_calendars(session, [unit_id], parents, first, last, known_at)[unit_id]


def lineage_of(unit: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    """Give a unit and those above it, nearest first; a ring in the tree ends the walk."""
    seen: set[str] = set()
    current: str | None = unit
    while current is not None and current not in seen:
        seen.add(current)
        yield current
        current = parents.get(current)


def _period(row: CalendarEntry, distance: int) -> Period:
    kind = CalendarKind(row.kind)
    source = f"register:calendar_entry/{row.row_id}"
    return Period(kind, row.first, row.last, read_hours(kind, row.hours), row.name, distance, source)
