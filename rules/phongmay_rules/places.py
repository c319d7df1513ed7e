"""What the register says stands where: units, rooms and devices of one instant go in, plain values come out.

The engine reads the register once per evaluation through here, so that facts, rules and sums speak of one state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_, select, true
from sqlalchemy.orm import Session

from phongmay_rules.runs import LineRun, read_runs
from phongmay_store.register.ageing import Ageing
from phongmay_store.register.asking import Answer, Question, ask
from phongmay_store.register.base import Versioned
from phongmay_store.register.calendar_hours import OPEN, Calendar
from phongmay_store.register.calendar_reading import read_calendars
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device, DeviceState, IdentityConflict
from phongmay_store.register.organisation import Unit, UnitKind
from phongmay_store.register.place import Line, Room
from phongmay_store.register.timetable import LOCAL, NEVER, Timetable, TimetableError, parse

CALENDAR_DAYS = 125
"""Calendars are read so far back: no window of a fact and no freshness reaches further, a summer included."""


@lru_cache(maxsize=1024)
def _readable(timetable: str) -> Timetable:
    try:
        return parse(timetable)
    except TimetableError:
        return NEVER


@dataclass(frozen=True, slots=True)
class DevicePlace:
    """A device that is not retired.

    Attributes:
        agent_since: true time since when an agent is expected to report; None = declared only.
        in_conflict: two machines use its identity and nobody has decided yet.
        timetable: text of its room's timetable ("" = the district's default).
        row: version row in the register, as a source.
    """

    id: str
    unit_id: str
    room_id: str | None
    kind: str
    state: str
    agent_since: float | None
    in_conflict: bool
    timetable: str
    row: str


@dataclass(frozen=True, slots=True)
class RoomPlace:
    """A room."""

    id: str
    unit_id: str
    kind: str
    class_size: int | None
    timetable: str
    row: str


@dataclass(frozen=True, slots=True)
class LinePlace:
    """An Internet line; contracted rates in bit/s, None = not known."""

    isp: str
    medium: str
    row: str
    down_bps: int | None = None
    up_bps: int | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declared value.

    Attributes:
        since: true time since when it is so.
        by: function or office that declared it.
        attachment: SHA-256 of what shows it, or "".
    """

    value: float | str
    since: float
    by: str
    attachment: str
    row: str


@dataclass(slots=True)
class SchoolPlace:
    """A school with what stands in it.

    Attributes:
        declared: by subject (kind, id), then by name.
        calendar: cuts the timetables of its rooms.
        runs: concurrent tests that have ended, oldest first.
    """

    id: str
    name: str
    level: str
    rooms: list[RoomPlace] = field(default_factory=list)
    devices: list[DevicePlace] = field(default_factory=list)
    lines: list[LinePlace] = field(default_factory=list)
    declared: dict[tuple[str, str], dict[str, Declaration]] = field(default_factory=dict)
    runs: tuple[LineRun, ...] = ()
    calendar: Calendar = field(default=OPEN, compare=False)

    def ageings(self) -> dict[tuple[str, str], Ageing]:
        """Give for the school and all in it how their values grow old: by the entered calendar and each room's hours.

        A timetable that cannot be read counts as none: every open day ages.
        """
        calendar = self.calendar.entered
        by_text = {text: calendar.ageing(_readable(text)) for text in {"", *(room.timetable for room in self.rooms)}}
        out: dict[tuple[str, str], Ageing] = {(SubjectKind.SCHOOL, self.id): by_text[""]}
        out |= {(SubjectKind.ROOM, room.id): by_text[room.timetable] for room in self.rooms}
        for device in self.devices:
            if device.timetable not in by_text:
                by_text[device.timetable] = calendar.ageing(_readable(device.timetable))
            out[SubjectKind.DEVICE, device.id] = by_text[device.timetable]
        return out

    def is_like(self, other: SchoolPlace) -> bool:
        """Tell whether the same stands there, by the same calendar."""
        return self == other and self.calendar.says_the_same(other.calendar)


@dataclass(frozen=True, slots=True)
class UnitPlace:
    """A unit above schools, with the schools below it (through any levels).

    Attributes:
        declared: what was declared about the unit itself, by name.
    """

    id: str
    name: str
    kind: str
    schools: tuple[str, ...]
    declared: Mapping[str, Declaration] = field(default_factory=dict)


@dataclass(frozen=True)
class Organisation:
    """The whole tree at one instant.

    Attributes:
        schools: by id.
        units: units above schools, by id, children before parents.
        parents: id of the unit above, for every unit.
    """

    schools: Mapping[str, SchoolPlace]
    units: Mapping[str, UnitPlace]
    parents: Mapping[str, str | None]

    def ancestry(self, unit_id: str) -> Iterator[str]:
        """Give a unit and those above it, nearest first; a ring in the tree ends the walk."""
        seen: set[str] = set()
        current: str | None = unit_id
        while current is not None and current not in seen:
            seen.add(current)
            yield current
            current = self.parents.get(current)

    def homes(self) -> dict[tuple[str, str], str]:
        """Give for every subject (kind, id) the unit that it belongs to now."""
        return homes_in(self.schools.values()) | {(SubjectKind.DISTRICT, unit): unit for unit in self.units}


def homes_in(schools: Iterable[SchoolPlace]) -> dict[tuple[str, str], str]:
    """Give for every subject of some schools the school that it belongs to."""
    out: dict[tuple[str, str], str] = {}
    for school in schools:
        out[SubjectKind.SCHOOL, school.id] = school.id
        out |= {(SubjectKind.ROOM, room.id): school.id for room in school.rooms}
        out |= {(SubjectKind.DEVICE, device.id): school.id for device in school.devices}
    return out


def read_organisation(
    session: Session, at: datetime, known_at: datetime | None = None, only: Collection[str] | None = None
) -> Organisation:
    """Read units, rooms, devices and open identity conflicts as they hold at an instant, as known at another.

    Args:
        session: the register.
        at: the instant.
        known_at: as known then (default: now).
        only: ids of schools whose content is read; other schools are there and empty. None = all.
    """
    register = _Register(session, at, known_at, only)
    parents: dict[str, str | None] = {}
    schools: dict[str, SchoolPlace] = {}
    others: dict[str, tuple[str, str]] = {}
    for unit, parent, kind, name, level in register.rows(_units):
        parents[unit] = parent
        if kind == UnitKind.SCHOOL:
            schools[unit] = SchoolPlace(unit, name, level)
        else:
            others[unit] = (name, kind)
    wanted = schools if only is None else {school: schools[school] for school in only if school in schools}
    timetables = _add_rooms(register, wanted)
    _add_devices(register, wanted, timetables)
    _add_lines(register, wanted)
    of_units = _add_declared(register, wanted, others)
    for school, runs in read_runs(session, at, known_at, only).items():
        if school in wanted:
            wanted[school].runs = runs
    for school, calendar in calendars_at(session, wanted, parents, at, known_at).items():
        schools[school].calendar = calendar
    organisation = Organisation(schools, {}, parents)
    lineages = {unit: list(organisation.ancestry(unit)) for unit in {*others, *parents.values()} if unit is not None}
    below: dict[str, list[str]] = {unit: [] for unit in others}
    for school in schools:
        for unit in lineages.get(parents[school] or "", ()):
            if unit in below:
                below[unit].append(school)
    units = {
        unit: UnitPlace(unit, *others[unit], tuple(below[unit]), of_units.get(unit, {}))
        for unit in sorted(others, key=lambda u: -len(lineages[u]))
    }
    return Organisation(schools, units, parents)


def calendars_at(
    session: Session,
    schools: Iterable[str],
    parents: Mapping[str, str | None],
    at: datetime,
    known_at: datetime | None = None,
) -> dict[str, Calendar]:
    """Give the calendars of schools for an evaluation at an instant, as known at another."""
    today = at.astimezone(LOCAL).date()
    return read_calendars(session, schools, parents, today - timedelta(days=CALENDAR_DAYS), today, known_at)


@dataclass(frozen=True)
class _Register:
    """The register at an instant, as known at another: of some schools, or of all."""

    session: Session
    at: datetime
    known_at: datetime | None
    only: Collection[str] | None

    def rows(self, statement: Callable[[bool, bool], Question]) -> Answer:
        """Ask a question that is built once for each form: as known once or now, of some schools or of all."""
        asked = statement(self.known_at is not None, self.only is not None)
        return ask(self.session, asked, at=self.at, known_at=self.known_at, only=list(self.only or ()))


def _holds(kind: type[Versioned], known: bool) -> ColumnElement[bool]:
    return kind.holds(bindparam("at"), bindparam("known_at") if known else None)


def _of(column: Any, some: bool) -> ColumnElement[bool]:
    return column.in_(bindparam("only", expanding=True)) if some else true()


@lru_cache
def _units(known: bool, _some: bool) -> Question:
    columns = (Unit.id, Unit.parent_id, Unit.kind, Unit.name, Unit.level)
    return select(*columns).where(_holds(Unit, known)).order_by(Unit.id)


@lru_cache
def _rooms(known: bool, some: bool) -> Question:
    columns = (Room.row_id, Room.id, Room.school_id, Room.kind, Room.class_size, Room.timetable)
    return select(*columns).where(_holds(Room, known), _of(Room.school_id, some)).order_by(Room.id)


@lru_cache
def _devices(known: bool, some: bool) -> Question:
    columns = (
        Device.row_id, Device.id, Device.school_id, Device.room_id, Device.kind, Device.state, Device.agent_since,
    )  # fmt: skip
    there = (_holds(Device, known), Device.state != DeviceState.RETIRED, _of(Device.school_id, some))
    return select(*columns).where(*there).order_by(Device.id)


@lru_cache
def _lines(known: bool, some: bool) -> Question:
    columns = (
        Line.row_id, Line.school_id, Line.isp, Line.medium, Line.contracted_down_bps, Line.contracted_up_bps, Line.id,
    )  # fmt: skip
    return select(*columns).where(_holds(Line, known), _of(Line.school_id, some)).order_by(Line.id)


@lru_cache
def _declared(known: bool, some: bool) -> Question:
    columns = (
        Declared.row_id, Declared.school_id, Declared.subject_kind, Declared.subject_id, Declared.name, Declared.number,
        Declared.text, Declared.valid_from, Declared.declared_by, Declared.attachment_sha256,
    )  # fmt: skip
    return select(*columns).where(_holds(Declared, known), _of(Declared.school_id, some)).order_by(Declared.row_id)


@lru_cache
def _conflicts(known: bool, _some: bool) -> Question:
    """Ask for devices whose conflict was open at the instant; it is known of from its opening, of its end from that."""
    opened, closed = IdentityConflict.opened_at, IdentityConflict.closed_at
    times = ("at", "known_at") if known else ("at",)
    is_open = or_(closed.is_(None), *(closed > bindparam(time) for time in times))
    return select(IdentityConflict.device_id).where(is_open, *(opened <= bindparam(time) for time in times))


def _add_rooms(register: _Register, schools: Mapping[str, SchoolPlace]) -> dict[str, str]:
    timetables: dict[str, str] = {}
    for row, room, school, kind, size, timetable in register.rows(_rooms):
        timetables[room] = timetable
        if school in schools:
            schools[school].rooms.append(RoomPlace(room, school, kind, size, timetable, f"register:room/{row}"))
    return timetables


def _add_devices(register: _Register, schools: Mapping[str, SchoolPlace], timetables: Mapping[str, str]) -> None:
    conflicts = {device for (device,) in register.rows(_conflicts)}
    for row, device, school, room, kind, state, since in register.rows(_devices):
        if school in schools:
            schools[school].devices.append(
                DevicePlace(
                    device, school, room, kind, state, since.timestamp() if since else None, device in conflicts,
                    timetables.get(room or "", ""), f"register:device/{row}",
                )
            )  # fmt: skip


def _add_lines(register: _Register, schools: Mapping[str, SchoolPlace]) -> None:
    for row, school, isp, medium, down, up, line in register.rows(_lines):
        if school in schools:
            schools[school].lines.append(LinePlace(isp, medium, f"register:line/{row}", down, up, line))


def _add_declared(
    register: _Register, schools: Mapping[str, SchoolPlace], units: Collection[str]
) -> dict[str, dict[str, Declaration]]:
    """Give schools what is declared of them and in them; give what is declared of units above, by unit and name."""
    of_units: dict[str, dict[str, Declaration]] = {}
    asked = register if register.only is None else replace(register, only=[*register.only, *units])
    for row, school, kind, subject, name, number, text, since, by, attachment in asked.rows(_declared):
        if school in schools:
            known = schools[school].declared.setdefault((kind, subject), {})
        elif school in units and kind == SubjectKind.DISTRICT:
            known = of_units.setdefault(school, {})
        else:
            continue
        value = text if number is None else number
        known[name] = Declaration(value, since.timestamp(), by, attachment, f"register:declared/{row}")
    return of_units
